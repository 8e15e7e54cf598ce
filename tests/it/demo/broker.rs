//! The embedded broker's front: who knows the password is served as by a Kafka broker; nobody else is.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use openeventd::kafka::embedded::{Embedded, NewRecord, Settings};
use openssl::ssl::{SslConnector, SslMethod, SslStream};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tempfile::NamedTempFile;

const TOPIC: &str = "events";
const PASSWORD: &str = "correct horse battery";

/// Nothing here takes longer, or the broker hangs.
const WITHIN: Duration = Duration::from_secs(10);

async fn broker() -> Embedded {
    let settings =
        Settings { topic: TOPIC.into(), partitions: 2, username: "alice".into(), password: PASSWORD.into() };
    Embedded::start(settings).await.expect("a broker")
}

/// A TLS connection to the front, as a client makes one.
struct Connection(SslStream<TcpStream>);

impl Connection {
    fn to(address: SocketAddr, authority: &str) -> Self {
        let mut store = X509StoreBuilder::new().expect("a store");
        store.add_cert(X509::from_pem(authority.as_bytes()).expect("a certificate")).expect("trusted");
        let mut builder = SslConnector::builder(SslMethod::tls_client()).expect("a connector");
        builder.set_cert_store(store.build());
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(WITHIN)).expect("a time-out");
        // The name is checked as well.
        Connection(builder.build().connect("127.0.0.1", stream).expect("a handshake"))
    }

    /// Sends a request; none of these tests needs a client's name.
    fn send(&mut self, key: i16, version: i16, body: &[u8]) {
        let header =
            [&key.to_be_bytes()[..], &version.to_be_bytes(), &7_i32.to_be_bytes(), &(-1_i16).to_be_bytes()];
        let frame = [&header.concat(), body].concat();
        let length = i32::try_from(frame.len()).expect("short");
        self.send_raw(&[&length.to_be_bytes(), &frame[..]].concat());
    }

    fn send_raw(&mut self, bytes: &[u8]) {
        // A front that has closed already is what some tests want.
        let _ = self.0.write_all(bytes);
    }

    /// The next response after its correlation id; `None` when the front has closed the connection.
    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).ok()?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length")];
        self.0.read_exact(&mut frame).expect("a whole frame");
        assert_eq!(frame[..4], 7_i32.to_be_bytes(), "the correlation id");
        Some(frame.split_off(4))
    }

    fn handshake(&mut self, mechanism: &str) -> Option<Vec<u8>> {
        let length = i16::try_from(mechanism.len()).expect("short").to_be_bytes();
        self.send(17, 1, &[&length, mechanism.as_bytes()].concat());
        self.receive()
    }

    fn authenticate(&mut self, user: &str, password: &str) -> Option<Vec<u8>> {
        let token = format!("\0{user}\0{password}");
        let length = i32::try_from(token.len()).expect("short").to_be_bytes();
        self.send(36, 0, &[&length, token.as_bytes()].concat());
        self.receive()
    }
}

/// What a client sees, on a thread that may wait.
async fn as_client<T: Send + 'static>(
    broker: &Embedded,
    act: impl FnOnce(&mut Connection) -> T + Send + 'static,
) -> T {
    let (address, authority) = (broker.address(), broker.authority().to_owned());
    tokio::task::spawn_blocking(move || act(&mut Connection::to(address, &authority)))
        .await
        .expect("no panic")
}

fn error_of(response: Option<Vec<u8>>) -> i16 {
    let response = response.expect("a response");
    i16::from_be_bytes([response[0], response[1]])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_the_password_consumes_and_never_learns_of_the_broker_behind() {
    let broker = broker().await;
    for (partition, payload) in [(0, "first"), (1, "second")] {
        let record = NewRecord {
            partition,
            timestamp_ms: 1_774_425_600_000,
            key: "k".into(),
            payload: payload.into(),
        };
        broker.put(&record).await.expect("the record is in the topic");
    }
    let mut authority = NamedTempFile::new().expect("a file");
    authority.write_all(broker.authority().as_bytes()).expect("the authority");
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.address().to_string())
        .set("security.protocol", "SASL_SSL")
        .set("ssl.ca.location", authority.path().to_str().expect("a path"))
        .set("sasl.mechanism", "PLAIN")
        .set("sasl.username", "alice")
        .set("sasl.password", PASSWORD)
        .set("group.id", "none")
        .set("fetch.wait.max.ms", "50")
        .create()
        .expect("a consumer");
    let port = i32::from(broker.address().port());
    let payloads = tokio::task::spawn_blocking(move || {
        let metadata = consumer.fetch_metadata(Some(TOPIC), WITHIN).expect("metadata");
        let ports: Vec<i32> =
            metadata.brokers().iter().map(rdkafka::metadata::MetadataBroker::port).collect();
        assert_eq!(ports, [port]);
        let mut assignment = TopicPartitionList::new();
        for partition in 0..2 {
            assignment.add_partition_offset(TOPIC, partition, Offset::Beginning).expect("a partition");
        }
        consumer.assign(&assignment).expect("assigned");
        let mut payloads = Vec::new();
        while payloads.len() < 2 {
            let message = consumer.poll(WITHIN).expect("a record in time").expect("no error");
            assert_eq!(message.timestamp().to_millis(), Some(1_774_425_600_000));
            payloads.push(String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned());
        }
        payloads.sort();
        payloads
    });
    assert_eq!(payloads.await.expect("no panic"), ["first", "second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_user_or_password_is_told_so_and_disconnected() {
    let broker = broker().await;
    for (user, password) in
        [("alice", "wrong"), ("bob", PASSWORD), ("", ""), ("alice", "correct horse battery ")]
    {
        let (error, then) = as_client(&broker, move |client| {
            assert_eq!(error_of(client.handshake("PLAIN")), 0);
            let error = error_of(client.authenticate(user, password));
            client.send(3, 1, &[0, 0, 0, 0]);
            (error, client.receive())
        })
        .await;
        assert_eq!((error, then), (58, None), "{user}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_the_log_in_is_served_before_it() {
    let broker = broker().await;
    let metadata = as_client(&broker, |client| {
        client.send(3, 1, &[0, 0, 0, 0]);
        client.receive()
    });
    assert_eq!(metadata.await, None);
    let without_handshake = as_client(&broker, |client| error_of(client.authenticate("alice", PASSWORD)));
    assert_eq!(without_handshake.await, 34);
    assert_eq!(as_client(&broker, |client| error_of(client.handshake("SCRAM-SHA-256"))).await, 33);
    let versions = as_client(&broker, |client| {
        client.send(18, 3, &[0]);
        error_of(client.receive())
    });
    assert_eq!(versions.await, 35, "answered like a 2.2.0 broker");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_log_in_only_known_requests_of_known_versions_pass() {
    let broker = broker().await;
    for (key, version, passes) in
        [(3_i16, 1_i16, true), (18, 1, true), (3, 8, false), (0, 0, false), (17, 1, false)]
    {
        let answered = as_client(&broker, move |client| {
            assert_eq!(error_of(client.handshake("PLAIN")), 0);
            assert_eq!(error_of(client.authenticate("alice", PASSWORD)), 0);
            client.send(key, version, &[0, 0, 0, 0]);
            client.receive().is_some()
        });
        assert_eq!(answered.await, passes, "{key} {version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_closes_its_own_connection_and_no_other() {
    let broker = broker().await;
    let garbage: [&[u8]; 5] = [
        &[0xff; 64],
        &[0x7f, 0xff, 0xff, 0xff, 0, 18],
        &[0, 0, 0x20, 0x01, 0, 18, 0, 0],
        &[0, 0, 0, 3, 1, 2, 3],
        b"GET / HTTP/1.1\r\n\r\n",
    ];
    for bytes in garbage {
        let bytes = bytes.to_vec();
        let answer = as_client(&broker, move |client| {
            client.send_raw(&bytes);
            client.receive()
        });
        assert_eq!(answer.await, None);
    }
    let mut plain = TcpStream::connect(broker.address()).expect("a connection");
    plain.set_read_timeout(Some(WITHIN)).expect("a time-out");
    plain.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]).expect("written");
    // A TLS alert, or nothing; then the end.
    let closed = tokio::task::spawn_blocking(move || plain.read_to_end(&mut Vec::new()));
    let _ = closed.await.expect("no panic");
    let login = as_client(&broker, |client| {
        assert_eq!(error_of(client.handshake("PLAIN")), 0);
        error_of(client.authenticate("alice", PASSWORD))
    });
    assert_eq!(login.await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_client_is_disconnected_soon() {
    let broker = broker().await;
    let mut silent = TcpStream::connect(broker.address()).expect("a connection");
    silent.set_read_timeout(Some(Duration::from_secs(6))).expect("a time-out");
    let closed = tokio::task::spawn_blocking(move || silent.read(&mut [0; 1]));
    assert_eq!(closed.await.expect("no panic").expect("closed within the time-out"), 0);
}
