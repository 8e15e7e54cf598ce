//! Topics, records and offsets of a broker, through its PLAINTEXT listener.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::cluster::Cluster;
use super::wait_for;

const TIMEOUT: Duration = Duration::from_secs(20);

/// Creates a topic and waits until its partitions have leaders.
pub(crate) fn create_topic(cluster: &Cluster, name: &str, partitions: i32) {
    create_topic_with(cluster, name, partitions, &[]);
}

/// Gives a topic more partitions.
pub(crate) fn add_partitions(cluster: &Cluster, name: &str, partitions: usize) {
    let admin: AdminClient<DefaultClientContext> = client(cluster).create().expect("an admin client");
    let new = NewPartitions::new(name, partitions);
    let results = block_on(admin.create_partitions([&new], &options())).expect("the broker answers");
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

/// Creates a topic with topic settings.
pub(crate) fn create_topic_with(cluster: &Cluster, name: &str, partitions: i32, settings: &[(&str, &str)]) {
    let admin: AdminClient<DefaultClientContext> = client(cluster).create().expect("an admin client");
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    for (key, value) in settings {
        topic = topic.set(key, value);
    }
    // A topic of this name that was deleted a moment ago may still be on its way out.
    wait_for("the topic to be created", TIMEOUT, || {
        let results = block_on(admin.create_topics([&topic], &options())).expect("the broker answers");
        match results.into_iter().next().expect("one result") {
            Ok(_) => Some(()),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => None,
            Err((_, code)) => panic!("topic {name} cannot be created: {code:?}"),
        }
    });
    let count = usize::try_from(partitions).expect("a count");
    wait_for("the topic's leaders", TIMEOUT, || {
        let metadata = admin.inner().fetch_metadata(Some(name), TIMEOUT).ok()?;
        let topic = metadata.topics().first()?;
        let led = topic.partitions().iter().filter(|p| p.leader() >= 0 && p.error().is_none()).count();
        (topic.error().is_none() && led == count).then_some(())
    });
}

/// Deletes a topic and waits until the broker knows it no more.
pub(crate) fn delete_topic(cluster: &Cluster, name: &str) {
    let admin: AdminClient<DefaultClientContext> = client(cluster).create().expect("an admin client");
    for result in block_on(admin.delete_topics(&[name], &options())).expect("the broker answers") {
        result.unwrap_or_else(|(_, code)| panic!("topic {name} cannot be deleted: {code:?}"));
    }
    wait_for("the topic to be gone", TIMEOUT, || {
        let metadata = admin.inner().fetch_metadata(None, TIMEOUT).ok()?;
        metadata.topics().iter().all(|topic| topic.name() != name).then_some(())
    });
}

/// Deletes a topic and creates it anew.
pub(crate) fn recreate_topic(cluster: &Cluster, name: &str, partitions: i32) {
    delete_topic(cluster, name);
    create_topic(cluster, name, partitions);
}

/// Writes `count` records, `payload(n)` round robin over `partitions`, and waits until all are acknowledged.
pub(crate) fn produce(
    cluster: &Cluster,
    topic: &str,
    partitions: i32,
    count: usize,
    payload: impl Fn(usize) -> Vec<u8>,
) {
    let producer = producer(cluster);
    for number in 0..count {
        let bytes = payload(number);
        let partition = i32::try_from(number).expect("few records") % partitions;
        loop {
            let record: BaseRecord<'_, (), [u8]> = BaseRecord::to(topic).partition(partition).payload(&bytes);
            match producer.send(record) {
                Ok(()) => break,
                Err((error, _)) => {
                    assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull), "{error}");
                    producer.poll(Duration::from_millis(50));
                }
            }
        }
    }
    producer.flush(TIMEOUT).expect("all records are acknowledged");
}

/// Writes one record with key and headers to partition 0.
pub(crate) fn produce_one(cluster: &Cluster, topic: &str, key: &[u8], headers: OwnedHeaders, payload: &[u8]) {
    let producer = producer(cluster);
    let record = BaseRecord::to(topic).partition(0).key(key).payload(payload).headers(headers);
    producer.send(record).map_err(|(error, _)| error).expect("the queue has room");
    producer.flush(TIMEOUT).expect("the record is acknowledged");
}

/// The group's committed offsets of a topic, by partition; `None` where it has none.
pub(crate) fn committed(cluster: &Cluster, group: &str, topic: &str, partitions: i32) -> Vec<Option<i64>> {
    let consumer: BaseConsumer = client(cluster).set("group.id", group).create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition(topic, partition);
    }
    let list = consumer.committed_offsets(list, TIMEOUT).expect("the coordinator answers");
    list.elements()
        .iter()
        .map(|element| match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        })
        .collect()
}

/// How many members the group has.
pub(crate) fn members(cluster: &Cluster, group: &str) -> usize {
    let consumer: BaseConsumer = client(cluster).create().expect("a consumer");
    let list = consumer.fetch_group_list(Some(group), TIMEOUT).expect("the coordinator answers");
    list.groups().iter().map(|found| found.members().len()).sum()
}

/// Removes the records before `offset` from partition 0, as retention does.
pub(crate) fn delete_before(cluster: &Cluster, topic: &str, offset: i64) {
    let admin: AdminClient<DefaultClientContext> = client(cluster).create().expect("an admin client");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset)).expect("a valid offset");
    block_on(admin.delete_records(&list, &options())).expect("the broker answers");
}

/// Lets the broker make its topic of offsets, which otherwise holds up the first group by seconds.
pub(super) fn first_group(cluster: &Cluster) {
    let consumer: BaseConsumer = client(cluster).set("group.id", "first").create().expect("a consumer");
    wait_for("the group coordinator", Duration::from_mins(1), || {
        let mut list = TopicPartitionList::new();
        list.add_partition("none", 0);
        consumer.committed_offsets(list, Duration::from_secs(5)).ok()
    });
}

fn producer(cluster: &Cluster) -> BaseProducer {
    client(cluster).set("linger.ms", "5").create().expect("a producer")
}

fn client(cluster: &Cluster) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", cluster.plaintext());
    config
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT))
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}
