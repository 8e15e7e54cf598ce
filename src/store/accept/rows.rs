//! The rows of one batch, collected while it is walked; [`super::write`] writes them.

use sha2::{Digest as _, Sha256};

use super::{Accepted, Decided, Deciding, Doubt};
use crate::action::plan::{self, PlanContext};
use crate::action::{Decision, DecisionOutcome, EventIdentity, PlannedState};
use crate::batch::{Content, Entry};
use crate::event::Event;
use crate::event::decode::DecodeError;
use crate::record::Record;
use crate::store::StoreError;
use crate::store::writer::State;

/// The rows of one batch.
pub(super) struct Writing<'a> {
    pub(super) accepted: Accepted,
    pub(super) accepted_at: i64,
    pub(super) events: Vec<EventRow<'a>>,
    pub(super) quarantined: Vec<(i64, i64, &'a Record<'a>, &'a DecodeError)>,
    pub(super) doubtful: Vec<(i64, i64, Doubt, &'a Record<'a>)>,
    pub(super) decisions: Vec<DecisionRow>,
    pub(super) actions: Vec<ActionRow>,
    pub(super) objects: Vec<(&'static str, String, i64)>,
}

pub(super) struct EventRow<'a> {
    pub(super) seq: i64,
    pub(super) stream: i64,
    pub(super) origin: i64,
    pub(super) matched: bool,
    pub(super) event: &'a Event<'a>,
    pub(super) record: &'a Record<'a>,
}

pub(super) struct DecisionRow {
    pub(super) seq: i64,
    pub(super) position: usize,
    pub(super) decision: Decision,
}

/// An action's row; the action itself is in the decision at this place.
pub(super) struct ActionRow {
    pub(super) number: i64,
    pub(super) workspace: Option<i64>,
    pub(super) decision: usize,
}

impl<'a> Writing<'a> {
    pub(super) fn new(batch: i64, accepted_at: i64, entries: usize) -> Self {
        Writing {
            accepted: Accepted { batch, records: entries, ..Accepted::default() },
            accepted_at,
            events: Vec::with_capacity(entries),
            quarantined: Vec::new(),
            doubtful: Vec::new(),
            decisions: Vec::new(),
            actions: Vec::new(),
            objects: Vec::new(),
        }
    }

    /// A new event: its row, and what its matched rules decide.
    pub(super) async fn event(
        &mut self,
        state: &mut State,
        deciding: &Deciding,
        context: &PlanContext<'_>,
        (seq, stream): (i64, i64),
        entry: &'a Entry<'a>,
    ) -> Result<(), StoreError> {
        let Content::Event { event, matched, failed } = &entry.content else { return Ok(()) };
        let record = &entry.record;
        let origin = state.origin(event).await?;
        let decided = !(matched.is_empty() && failed.is_empty());
        self.accepted.events += 1;
        // A producer's clock may be wrong; nothing was written later than it was accepted.
        let at_ms = record.timestamp_ms.unwrap_or(self.accepted_at).min(self.accepted_at);
        self.accepted.tally.event(event.code.as_deref(), decided, at_ms);
        self.events.push(EventRow { seq, stream, origin, matched: decided, event, record });
        if !decided {
            return Ok(());
        }
        self.accepted.matched += 1;
        self.objects(seq, event);
        let payload_hash = Sha256::digest(record.payload);
        let identity = match (&event.id, &event.source) {
            (Some(id), Some(source)) => {
                EventIdentity::Named { source, id, event_type: event.event_type.as_deref().unwrap_or("") }
            }
            _ => EventIdentity::Position {
                topic: record.topic,
                partition: record.partition,
                offset: record.offset,
                payload_hash: &payload_hash,
            },
        };
        let decisions = plan::plan(
            event,
            &identity,
            record.timestamp_ms,
            matched,
            failed,
            &deciding.rules,
            context,
            &mut state.plan,
        );
        for (position, decision) in decisions.into_iter().enumerate() {
            if let Some(action) = &decision.action {
                let (number, workspace) = (state.next_action, event.workspace);
                state.next_action += 1;
                self.actions.push(ActionRow { number, workspace, decision: self.decisions.len() });
                self.accepted.planned += usize::from(action.state == PlannedState::Planned);
            }
            self.accepted.decisions.push(told(seq, event, &decision));
            self.decisions.push(DecisionRow { seq, position, decision });
        }
        Ok(())
    }

    /// A record that could not be decoded.
    pub(super) fn quarantined(
        &mut self,
        id: i64,
        stream: i64,
        record: &'a Record<'a>,
        reason: &'a DecodeError,
    ) {
        self.accepted.quarantined += 1;
        self.accepted.tally.quarantined(reason.reason);
        self.quarantined.push((id, stream, record, reason));
    }

    /// A known record that deserves a look.
    pub(super) fn doubtful(&mut self, of: i64, stream: i64, doubt: Doubt, record: &'a Record<'a>) {
        self.accepted.duplicates += 1;
        self.doubtful.push((of, stream, doubt, record));
    }

    fn objects(&mut self, seq: i64, event: &Event<'_>) {
        let facts = &event.facts;
        let numbers = [
            ("instance", facts.instance.iter().chain(&facts.instances)),
            ("node", facts.node.iter().chain(&facts.nodes)),
            ("file", facts.file.iter().chain(&[])),
            ("workspace", event.workspace.iter().chain(&[])),
        ];
        for (kind, ids) in numbers {
            self.objects.extend(ids.map(|id| (kind, id.to_string(), seq)));
        }
        for (kind, id) in [("table", &facts.table), ("operator", &event.operator)] {
            self.objects.extend(id.iter().map(|id| (kind, id.to_string(), seq)));
        }
    }
}

/// A decision as the log tells it.
fn told(seq: i64, event: &Event<'_>, decision: &Decision) -> Decided {
    Decided {
        event: seq,
        event_id: event.id.as_deref().map(str::to_owned),
        rule: decision.rule.clone(),
        outcome: decision.outcome.as_str(),
        message: message_of(&decision.outcome).map(str::to_owned),
        action: decision.action.as_ref().map(|action| (action.id.to_string(), action.state.as_str())),
    }
}

/// Why a decision came to nothing.
pub(super) fn message_of(outcome: &DecisionOutcome) -> Option<&str> {
    match outcome {
        DecisionOutcome::Failed(message) => Some(message),
        _ => None,
    }
}
