//! What the cluster knows: which partitions there are, where they begin and end, where a time lies in them.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use super::super::error::KafkaError;
use super::super::hooks::TopicPartition;
use super::{Place, Tail};

/// Facts about a partition, from its leader.
const FACTS_TIMEOUT: Duration = Duration::from_secs(5);

impl Tail {
    /// All partitions of all topics; `None`, and what is wrong is told, if not all are known.
    pub(super) fn partitions(&self) -> Option<Vec<TopicPartition>> {
        let diagnosis = &self.client.context().diagnosis;
        let (mut found, mut complete) = (Vec::new(), true);
        for topic in &self.topics {
            // Why it fails comes through the callback.
            let metadata = self.client.fetch_metadata(Some(topic), self.patience).ok()?;
            let told = metadata.topics().iter().find(|told| *told.name() == **topic)?;
            match told.error().map(Code::from) {
                None => {}
                Some(Code::TopicAuthorizationFailed) => diagnosis.topic_denied(topic),
                Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => diagnosis.topic_unknown(topic),
                Some(other) => tracing::debug!(%topic, code = ?other, "the topic is not ready"),
            }
            complete &= told.error().is_none() && !told.partitions().is_empty();
            found.extend(
                told.partitions()
                    .iter()
                    .map(|partition| TopicPartition { topic: Arc::clone(topic), partition: partition.id() }),
            );
        }
        complete.then_some(found)
    }

    /// Partitions that are not read yet. What cannot be asked now is asked the next time: a topic that is being
    /// read does not become a fault by that.
    pub(super) fn added(&self) -> Vec<TopicPartition> {
        let mut added = Vec::new();
        for topic in &self.topics {
            let Ok(metadata) = self.client.fetch_metadata(Some(topic), self.patience) else { continue };
            for told in metadata.topics().iter().filter(|told| *told.name() == **topic) {
                let keys = told
                    .partitions()
                    .iter()
                    .map(|partition| TopicPartition { topic: Arc::clone(topic), partition: partition.id() });
                added.extend(keys.filter(|key| !self.next.contains_key(key)));
            }
        }
        added
    }

    pub(super) fn watermarks(&self, topic: &Arc<str>, partition: i32) -> Result<(i64, i64), KafkaError> {
        self.client.fetch_watermarks(topic, partition, FACTS_TIMEOUT).map_err(|source| {
            // A user may see a topic and not be allowed to read it.
            if source.rdkafka_error_code() == Some(Code::TopicAuthorizationFailed) {
                self.client.context().diagnosis.topic_denied(topic);
            }
            KafkaError::FetchWatermarks { topic: Arc::clone(topic), partition, source }
        })
    }

    /// Where `ms` lies in each partition; its end if nothing is that young.
    pub(super) fn find_times(&self, places: &mut [Place], ms: i64) -> Result<(), KafkaError> {
        let mut asked = TopicPartitionList::with_capacity(places.len());
        for place in &*places {
            asked
                .add_partition_offset(&place.topic, place.partition, Offset::Offset(ms))
                .map_err(KafkaError::FetchTimes)?;
        }
        let found = self.client.offsets_for_times(asked, FACTS_TIMEOUT).map_err(KafkaError::FetchTimes)?;
        for place in places {
            if let Some(element) = found.find_partition(&place.topic, place.partition) {
                element.error().map_err(KafkaError::FetchTimes)?;
                let offset = element.offset().to_raw().filter(|offset| *offset >= 0);
                place.start = offset.map_or(place.end, |offset| offset.min(place.end));
            }
        }
        Ok(())
    }
}
