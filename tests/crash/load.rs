//! What is sent while the daemon dies: a steady stream with matches, repeats and garbage in it.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::events::{event, live_rule};

pub(crate) const PARTITIONS: i32 = 3;
/// One record each tick.
const TICK: Duration = Duration::from_millis(8);
/// Of so many nodes, the first four have a rule each.
const NODES: i64 = 30;
const REPEATED_EVERY: i64 = 50;
const GARBAGE_EVERY: i64 = 97;

/// One operation of each effect of a repetition, by the node whose events it is called for.
pub(crate) const OPERATIONS: [(&str, &str, &str); 4] = [
    ("none", "GetTaskInstance", r#"{ Id = "{{ instance }}" }"#),
    ("converges", "StopTaskInstances", r#"{ Ids = ["{{ instance }}"] }"#),
    ("duplicates", "RerunTaskInstances", r#"{ Ids = ["{{ instance }}"] }"#),
    (
        "unknown",
        "TestDataSourceConnectivity",
        r#"{ DataSourceId = "{{ instance }}", ProjectId = "{{ workspace }}", ResourceGroupId = "group" }"#,
    ),
];

/// A live rule for each of [`OPERATIONS`].
pub(crate) fn rules() -> String {
    let rules = (0..)
        .zip(OPERATIONS)
        .map(|(node, (effect, operation, params))| live_rule(effect, node, operation, params));
    rules.collect()
}

/// What was sent; event `n` has instance `n`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Produced {
    pub(crate) events: i64,
    pub(crate) repeats: i64,
    pub(crate) garbage: i64,
}

impl Produced {
    /// The instances for which an operation is to be called, by its place in [`OPERATIONS`].
    pub(crate) fn instances_of(self, operation: i64) -> impl Iterator<Item = i64> {
        (0..self.events).filter(move |instance| instance % NODES == operation)
    }
}

/// The producing thread.
pub(crate) struct Load {
    stop: Sender<()>,
    thread: JoinHandle<Produced>,
}

impl Load {
    pub(crate) fn start(server: String, topics: [String; 2]) -> Self {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::spawn(move || {
            let producer: BaseProducer = ClientConfig::new()
                .set("bootstrap.servers", server)
                .set("linger.ms", "5")
                .create()
                .expect("a producer");
            let send = |number: i64, payload: &[u8]| {
                let topic = if number % 2 == 0 { &topics[0] } else { &topics[1] };
                let partition = i32::try_from(number / 2 % i64::from(PARTITIONS)).expect("a partition");
                let record: BaseRecord<'_, (), [u8]> =
                    BaseRecord::to(topic).partition(partition).payload(payload);
                producer.send(record).map_err(|(error, _)| error).expect("the queue has room");
                producer.poll(Duration::ZERO);
            };
            let mut produced = Produced { events: 0, repeats: 0, garbage: 0 };
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                let number = produced.events;
                send(number, &event(number, number % NODES));
                produced.events += 1;
                if number % REPEATED_EVERY == 0 {
                    send(number, &event(number, number % NODES));
                    produced.repeats += 1;
                }
                if number % GARBAGE_EVERY == 0 {
                    send(number, format!("no event {number}").as_bytes());
                    produced.garbage += 1;
                }
            }
            producer.flush(Duration::from_secs(30)).expect("all records are acknowledged");
            produced
        });
        Load { stop, thread }
    }

    /// Sends no more, and tells what was sent.
    pub(crate) fn stop(self) -> Produced {
        drop(self.stop);
        self.thread.join().expect("the producer did not fail")
    }
}
