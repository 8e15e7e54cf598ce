//! How far behind we are, and which brokers are connected, from the client's statistics.
//!
//! librdkafka hands over a JSON document per interval; only the few figures needed are read. What it does
//! not know yet it writes as a negative number, which becomes `None`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// How far behind one partition is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionLag {
    /// Topic name.
    pub topic: String,
    /// Partition within the topic.
    pub partition: i32,
    /// Records between the committed offset and the end of the partition.
    pub lag: Option<i64>,
    /// The group's committed offset.
    pub committed: Option<i64>,
    /// The end of the partition: the offset that its next record will have.
    pub high_watermark: Option<i64>,
}

/// What one statistics document told.
#[derive(Debug, Default)]
pub(super) struct Digest {
    pub(super) lags: Vec<PartitionLag>,
    /// `host:port` of each broker, and whether we are connected and authenticated.
    pub(super) brokers: BTreeMap<String, BrokerState>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BrokerState {
    Up,
    NotUp,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    brokers: BTreeMap<String, Broker>,
    #[serde(default)]
    topics: BTreeMap<String, Topic>,
}

#[derive(Deserialize)]
struct Broker {
    nodename: String,
    state: String,
}

#[derive(Deserialize)]
struct Topic {
    #[serde(rename = "topic")]
    name: String,
    #[serde(default)]
    partitions: BTreeMap<String, Partition>,
}

#[derive(Deserialize)]
struct Partition {
    #[serde(rename = "partition")]
    number: i32,
    #[serde(default)]
    desired: bool,
    consumer_lag: i64,
    committed_offset: i64,
    hi_offset: i64,
}

/// Reads one document.
pub(super) fn digest(json: &[u8]) -> Result<Digest, serde_json::Error> {
    let document: Document = serde_json::from_slice(json)?;
    let mut digest = Digest::default();
    for broker in document.brokers.into_values().filter(|broker| !broker.nodename.starts_with(':')) {
        let state = if broker.state == "UP" { BrokerState::Up } else { BrokerState::NotUp };
        // The same node appears as bootstrap server, by its id, and as group coordinator.
        let known = digest.brokers.entry(broker.nodename).or_insert(state);
        if state == BrokerState::Up {
            *known = state;
        }
    }
    for topic in document.topics.into_values() {
        // Partition -1 is librdkafka's own; those not desired belong to other members.
        for partition in topic.partitions.into_values().filter(|p| p.number >= 0 && p.desired) {
            digest.lags.push(PartitionLag {
                topic: topic.name.clone(),
                partition: partition.number,
                lag: known(partition.consumer_lag),
                committed: known(partition.committed_offset),
                high_watermark: known(partition.hi_offset),
            });
        }
    }
    Ok(digest)
}

fn known(figure: i64) -> Option<i64> {
    (figure >= 0).then_some(figure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statistics_document_gives_lags_and_connected_brokers() {
        let json = br#"{"name":"x","brokers":{
            "b/bootstrap":{"nodename":"h:1","state":"DOWN"},"b/1":{"nodename":"h:1","state":"UP"},
            "b/2":{"nodename":"h:2","state":"CONNECT"},"GroupCoordinator":{"nodename":":0","state":"INIT"}},
            "topics":{"t":{"topic":"t","partitions":{
            "0":{"partition":0,"desired":true,"consumer_lag":4,"committed_offset":6,"hi_offset":10,"x":1},
            "1":{"partition":1,"desired":true,"consumer_lag":-1,"committed_offset":-1001,"hi_offset":-1001},
            "-1":{"partition":-1,"desired":false,"consumer_lag":-1,"committed_offset":-1,"hi_offset":-1}}}}}"#;
        let digest = digest(json).expect("the document is well formed");
        let brokers: Vec<_> = digest.brokers.iter().map(|(name, state)| (name.as_str(), *state)).collect();
        assert_eq!(brokers, [("h:1", BrokerState::Up), ("h:2", BrokerState::NotUp)]);
        let lags: Vec<_> =
            digest.lags.iter().map(|l| (l.partition, l.lag, l.committed, l.high_watermark)).collect();
        assert_eq!(lags, [(0, Some(4), Some(6), Some(10)), (1, None, None, None)]);
    }
}
