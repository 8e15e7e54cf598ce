//! Quarantined records: choosing them, showing them, asking for their replay, and how a replay went.
//!
//! A replay is only asked for here; whoever owns the writer does it.

use serde_json::{Map, Value};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::select::{Listing, words};
use super::story::objects;
use super::{Deed, Kind, Operator, record};
use crate::store::reader::Reader;
use crate::store::{StoreError, columns};

/// Which quarantined records are meant; what is empty or `None` restricts nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// These numbers.
    pub ids: Vec<i64>,
    /// Quarantined for one of these reasons.
    pub reasons: Vec<String>,
    /// Of one of these topics.
    pub topics: Vec<String>,
    /// Quarantined before, milliseconds since 1970.
    pub before_ms: Option<i64>,
    /// Quarantined after, milliseconds since 1970.
    pub after_ms: Option<i64>,
    /// Whether those that are events by now are meant as well.
    pub replayed: Replayed,
}

/// Whether records that are events by now are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Replayed {
    /// Only what still waits.
    #[default]
    Excluded,
    /// All.
    Included,
}

/// A chosen record, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Its number.
    pub id: i64,
    /// Why it was quarantined, a stable word.
    pub reason: String,
    /// Where it lay in Kafka.
    pub topic: String,
    /// The partition.
    pub partition: i64,
    /// The offset.
    pub offset: i64,
    /// When it was quarantined, milliseconds since 1970.
    pub quarantined_at_ms: i64,
    /// Bytes of its payload.
    pub payload_bytes: i64,
    /// What became of it.
    pub replay: Replay,
}

/// What became of a quarantined record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// Nobody asked for a replay.
    Never,
    /// A replay was asked for and is not done.
    Asked,
    /// The last replay found no event either, and why.
    Failed(String),
    /// It is this event by now.
    Event(i64),
}

// The parts of the statements, literals all, so that the statements are constants.
macro_rules! chosen {
    (columns) => {
        "SELECT q.id, q.reason, s.topic, s.partition, q.\"offset\", q.quarantined_at, length(q.payload), \
         q.replay_requested_at, q.replayed_at, q.replayed_event, q.replay_problem"
    };
    (filter) => {
        " FROM quarantined_record q JOIN stream s ON s.id = q.stream \
          WHERE (?1 IS NULL OR q.id IN (SELECT value FROM json_each(?1))) \
          AND (?2 IS NULL OR q.reason IN (SELECT value FROM json_each(?2))) \
          AND (?3 IS NULL OR s.topic IN (SELECT value FROM json_each(?3))) \
          AND (?4 IS NULL OR q.quarantined_at < ?4) AND (?5 IS NULL OR q.quarantined_at > ?5) \
          AND (?6 OR q.replayed_at IS NULL)"
    };
}

const LIST: &str = concat!(chosen!(columns), chosen!(filter), " ORDER BY q.id DESC LIMIT ?7");
const COUNT: &str = concat!("SELECT count(*)", chosen!(filter));
const RECORDS: &str = "SELECT json_object('id', q.id, 'reason', q.reason, 'message', q.message, 'topic', q.topic, \
    'partition', q.partition, 'offset', q.\"offset\", 'generation', q.generation, \
    'quarantined_at', q.quarantined_at, 'kafka_at', q.kafka_at, \
    'replay_requested_at', q.replay_requested_at, 'replayed_at', q.replayed_at, \
    'replayed_event', q.replayed_event, 'replay_problem', q.replay_problem, \
    'payload_bytes', q.payload_bytes, 'headers', json(q.headers), 'batch', q.batch) \
    FROM json_each(?1) n JOIN quarantined q ON q.id = n.value ORDER BY n.key";
const BYTES: &str = "SELECT key, payload FROM quarantined_record WHERE id = ?1";
const ASK: &str = "UPDATE quarantined_record SET replay_requested_at = coalesce(replay_requested_at, ?2), \
    replay_problem = NULL WHERE id IN (SELECT value FROM json_each(?1)) AND replayed_at IS NULL RETURNING id";
const OUTCOMES: &str = "SELECT q.id, q.replay_requested_at, q.replayed_at, q.replayed_event, q.replay_problem \
    FROM quarantined_record q WHERE q.id IN (SELECT value FROM json_each(?1)) ORDER BY q.id";

/// The bytes of a quarantined record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bytes {
    /// Its key, if it has one.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub payload: Vec<u8>,
}

impl Reader {
    /// The records that `selection` means, the newest first, at most `rows_max` of them.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn quarantined(
        &mut self,
        selection: &Selection,
        rows_max: usize,
    ) -> Result<Listing<Chosen>, StoreError> {
        let ids = (!selection.ids.is_empty()).then(|| columns::json_numbers(&selection.ids));
        let (reasons, topics) = (words(&selection.reasons), words(&selection.topics));
        let replayed = selection.replayed == Replayed::Included;
        let asked = |statement| {
            let query = sqlx::query(statement).bind(&ids).bind(&reasons).bind(&topics);
            query.bind(selection.before_ms).bind(selection.after_ms).bind(replayed)
        };
        let failed = self.failed("choose quarantined records");
        let list = asked(LIST).bind(columns::count(rows_max));
        let rows = list.fetch_all(&mut self.connection).await.map_err(failed)?;
        let rows = rows.iter().map(of_row).collect::<Result<Vec<_>, _>>()?;
        let mut total = columns::count(rows.len());
        if rows.len() >= rows_max {
            let failed = || self.failed("count quarantined records");
            let (read, taken) = (failed(), failed());
            let counted = asked(COUNT).fetch_one(&mut self.connection).await.map_err(read)?;
            total = counted.try_get(0).map_err(taken)?;
        }
        Ok(Listing { rows, total })
    }

    /// The records `ids` in their order, each a JSON object with the columns of `quarantined`, but for the
    /// bytes of key and payload.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn quarantined_records(&mut self, ids: &[i64]) -> Result<Vec<Value>, StoreError> {
        let failed = self.failed("read quarantined records");
        let rows: Vec<String> = sqlx::query_scalar(RECORDS)
            .bind(columns::json_numbers(ids))
            .fetch_all(&mut self.connection)
            .await
            .map_err(failed)?;
        objects(&rows)
    }

    /// One record with what people did to it, and its bytes; `None` if there is no such record.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn quarantined_story(
        &mut self,
        id: i64,
    ) -> Result<Option<(Map<String, Value>, Bytes)>, StoreError> {
        let Some(Value::Object(mut story)) = self.quarantined_records(&[id]).await?.pop() else {
            return Ok(None);
        };
        let failed = self.failed("read a quarantined record");
        let (key, payload) =
            sqlx::query_as(BYTES).bind(id).fetch_one(&mut self.connection).await.map_err(failed)?;
        let operators = self.operators("quarantined", id).await?;
        story.insert("operator_actions".into(), operators.into());
        Ok(Some((story, Bytes { key, payload })))
    }
}

impl Operator {
    /// Asks for the replay of those of `ids` that are no event yet, and gives their numbers, with the deed in
    /// the same commit. If there is none, nothing is written.
    ///
    /// # Errors
    /// [`StoreError::Busy`] and whatever else the database says: nothing was changed.
    pub async fn ask_for_replay(&mut self, ids: &[i64], deed: &Deed<'_>) -> Result<Vec<i64>, StoreError> {
        self.begin().await?;
        let asked = ask(&mut self.connection, ids, deed).await;
        self.end(asked).await
    }

    /// How far the replays of `ids` have come; records that retention has removed are missing.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn replays(&mut self, ids: &[i64]) -> Result<Vec<(i64, Replay)>, StoreError> {
        let failed = || StoreError::sql("look how a replay goes");
        let rows = sqlx::query(OUTCOMES)
            .bind(columns::json_numbers(ids))
            .fetch_all(&mut self.connection)
            .await
            .map_err(failed())?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, replay(row, 1)?)))
            .collect::<Result<_, _>>()
            .map_err(failed())
    }
}

async fn ask(
    connection: &mut SqliteConnection,
    ids: &[i64],
    deed: &Deed<'_>,
) -> Result<Vec<i64>, StoreError> {
    let mut asked: Vec<i64> = sqlx::query_scalar(ASK)
        .bind(columns::json_numbers(ids))
        .bind(deed.now_ms)
        .fetch_all(&mut *connection)
        .await
        .map_err(StoreError::sql("ask for a replay"))?;
    asked.sort_unstable();
    if !asked.is_empty() {
        record(connection, "replay", deed, (Kind::Quarantined, &asked)).await?;
    }
    Ok(asked)
}

fn of_row(row: &SqliteRow) -> Result<Chosen, StoreError> {
    let read = || {
        Ok::<_, sqlx::Error>(Chosen {
            id: row.try_get(0)?,
            reason: row.try_get(1)?,
            topic: row.try_get(2)?,
            partition: row.try_get(3)?,
            offset: row.try_get(4)?,
            quarantined_at_ms: row.try_get(5)?,
            payload_bytes: row.try_get(6)?,
            replay: replay(row, 7)?,
        })
    };
    read().map_err(StoreError::sql("read a quarantined record"))
}

/// What became of the record, from four columns that begin at `first`.
fn replay(row: &SqliteRow, first: usize) -> Result<Replay, sqlx::Error> {
    let asked: Option<i64> = row.try_get(first)?;
    let replayed: Option<i64> = row.try_get(first + 1)?;
    let problem: Option<String> = row.try_get(first + 3)?;
    Ok(match (replayed, asked, problem) {
        (Some(_), _, _) => Replay::Event(row.try_get(first + 2)?),
        (None, Some(_), _) => Replay::Asked,
        (None, None, Some(problem)) => Replay::Failed(problem),
        (None, None, None) => Replay::Never,
    })
}
