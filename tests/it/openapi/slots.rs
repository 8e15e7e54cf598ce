//! Slots of the limit: by what the endpoint can see, at a real connection.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use openeventd::openapi::Settings;
use openeventd::openapi::call::Client;
use openeventd::openapi::error::Class;
use openeventd::openapi::rate::RateLimiter;
use openeventd::operation::Access;
use openeventd::quota::Rate;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{account, rerun_with, secrets, settings};
use crate::endpoint::{DataWorksDouble, Reply};

fn limiter(calls: u32) -> Arc<RateLimiter> {
    Arc::new(RateLimiter::new(Rate::Shared(NonZeroU32::new(calls).expect("not zero"))))
}

/// Makes calls, each with its slot, and leaves them running.
struct Calls {
    client: Arc<Client>,
    limiter: Arc<RateLimiter>,
    url: String,
    running: JoinSet<Option<Class>>,
}

impl Calls {
    fn new(settings: &Settings, limit: u32, url: &str) -> Self {
        let client = Arc::new(Client::new(settings).expect("a client"));
        Calls { client, limiter: limiter(limit), url: url.into(), running: JoinSet::new() }
    }

    /// Starts a call as soon as there is a slot for it.
    async fn start(&mut self) {
        let slot = self.limiter.acquire(Access::Write).await;
        let (client, account) = (Arc::clone(&self.client), account(&self.url));
        self.running.spawn(async move {
            let outcome = rerun_with(&client, &account, &secrets(), slot).await;
            outcome.err().map(|error| error.class())
        });
    }

    async fn end(&mut self) -> Option<Class> {
        self.running.join_next().await.expect("a call runs").expect("no panic")
    }
}

#[tokio::test]
async fn the_endpoint_never_sees_more_than_the_limit_in_any_second() {
    let double = DataWorksDouble::replying([]).await;
    let mut calls = Calls::new(&settings(), 5, &double.url);
    for _ in 0..16 {
        calls.start().await;
    }
    while !calls.running.is_empty() {
        assert_eq!(calls.end().await, None);
    }
    let mut arrivals: Vec<_> = double.received().iter().map(|request| request.at).collect();
    arrivals.sort_unstable();
    assert_eq!(arrivals.len(), 16);
    for six in arrivals.windows(6) {
        assert!(six[5] - six[0] > Duration::from_secs(1), "{six:?}");
    }
}

#[tokio::test]
async fn an_endpoint_that_takes_its_time_does_not_keep_the_slots() {
    let double = DataWorksDouble::replying((0..4).map(|number| match number {
        0 => Reply::success(),
        _ => Reply::Hang,
    }))
    .await;
    let mut calls = Calls::new(&settings(), 3, &double.url);
    // Leaves an idle connection, over which the next call goes; the ones after it make their own.
    calls.start().await;
    assert_eq!(calls.end().await, None);
    for _ in 0..3 {
        calls.start().await;
    }
    double.wait_for(4).await;
    calls.start().await;
    assert_eq!(calls.end().await, None, "the first that ends is the last that was sent");
    assert_eq!(calls.running.len(), 3, "the others still wait");
    let received = double.received();
    assert_eq!(received[1].connection, 0, "the idle connection was used");
    assert!(received[4].at - received[1].at > Duration::from_secs(1));
}

#[tokio::test]
async fn while_a_connection_is_being_made_its_slot_is_kept_and_without_one_it_is_given_back() {
    // Takes connections and never answers, so that TLS never begins.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
    let url = format!("https://{}", listener.local_addr().expect("a bound address"));
    let patient = Settings { connect_timeout: Duration::from_millis(2_500), ..settings() };
    let mut calls = Calls::new(&patient, 1, &url);
    calls.start().await;
    let limiter = Arc::clone(&calls.limiter);
    tokio::select! {
        // The end of the call gives the slot back, so both are ready then.
        biased;
        class = calls.end() => assert_eq!(class, Some(Class::Unreachable)),
        _ = limiter.acquire(Access::Write) => panic!("nothing was written, and nothing has ended"),
    }
    assert!(limiter.try_acquire(Access::Write).is_some(), "nothing was sent");
}

#[tokio::test]
async fn what_cannot_be_sent_gives_its_slot_back() {
    let mut calls = Calls::new(&settings(), 1, "http://dataworks.example.com");
    for _ in 0..3 {
        calls.start().await;
        assert_eq!(calls.end().await, Some(Class::Unsendable));
        assert_eq!(calls.limiter.available_now(Access::Write), 1);
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_keeps_its_slot_for_a_while() {
    let double = DataWorksDouble::replying([Reply::Hang]).await;
    let mut calls = Calls::new(&settings(), 1, &double.url);
    calls.start().await;
    double.wait_for(1).await;
    calls.running.shutdown().await;
    assert_eq!(calls.limiter.available_now(Access::Write), 0);
    calls.start().await;
    assert_eq!(calls.end().await, None);
    let received = double.received();
    assert!(received[1].at - received[0].at > Duration::from_secs(1));
}

/// An endpoint that has no room for a further connection until it accepts one.
struct Crowded {
    listener: TcpListener,
    url: String,
    /// Fills the queue once the first connection was accepted.
    filler: Option<TcpStream>,
}

impl Crowded {
    fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a loopback port");
        // Linux keeps one more connection than it is asked to.
        let listener = socket.listen(0).expect("a listener");
        let url = format!("http://{}", listener.local_addr().expect("a bound address"));
        Crowded { listener, url, filler: None }
    }

    async fn fill(&mut self) {
        let address = self.listener.local_addr().expect("a bound address");
        self.filler = Some(TcpStream::connect(address).await.expect("there is room for one"));
    }

    async fn accept(&self) -> BufReader<TcpStream> {
        BufReader::new(self.listener.accept().await.expect("a connection").0)
    }
}

/// Reads one request with its body.
async fn read_request(stream: &mut BufReader<TcpStream>) {
    let (mut line, mut length) = (String::new(), 0);
    while line != "\r\n" {
        line.clear();
        assert!(stream.read_line(&mut line).await.expect("a line") > 0, "the client is there");
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().expect("a length");
        }
    }
    stream.read_exact(&mut vec![0; length]).await.expect("the body");
}

async fn succeed(stream: &mut BufReader<TcpStream>) {
    let body = r#"{"Success":true}"#;
    let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(response.as_bytes()).await.expect("the client listens");
}

#[tokio::test]
async fn a_request_that_another_connection_took_keeps_its_slot_until_the_response() {
    let mut endpoint = Crowded::new();
    let mut calls = Calls::new(&settings(), 2, &endpoint.url);
    calls.start().await;
    let mut connection = endpoint.accept().await;
    read_request(&mut connection).await;
    endpoint.fill().await;
    // Its own connection finds no room; then the first call ends, and it goes over that connection.
    calls.start().await;
    let busy = tokio::time::timeout(Duration::from_millis(200), calls.end()).await;
    assert!(busy.is_err(), "both calls are on their way");
    succeed(&mut connection).await;
    assert_eq!(calls.end().await, None);
    read_request(&mut connection).await;

    let _first = calls.limiter.acquire(Access::Write).await;
    let limiter = Arc::clone(&calls.limiter);
    let early = tokio::time::timeout(Duration::from_millis(2_500), limiter.acquire(Access::Write)).await;
    assert!(early.is_err(), "nobody knows when the second request was written");
    succeed(&mut connection).await;
    assert_eq!(calls.end().await, None);
    limiter.acquire(Access::Write).await;
}

#[tokio::test]
async fn over_a_connection_that_is_slow_to_be_accepted_the_slot_is_kept_from_when_it_stands() {
    let mut endpoint = Crowded::new();
    endpoint.fill().await;
    let mut calls = Calls::new(&settings(), 1, &endpoint.url);
    calls.start().await;
    let limiter = Arc::clone(&calls.limiter);
    let early = tokio::time::timeout(Duration::from_millis(2_500), limiter.acquire(Access::Write)).await;
    assert!(early.is_err(), "nothing was written yet");
    let _filler = endpoint.accept().await;
    // The kernel asks again, each time later.
    let mut connection = endpoint.accept().await;
    read_request(&mut connection).await;
    let arrived = Instant::now();
    limiter.acquire(Access::Write).await;
    assert!(arrived.elapsed() > Duration::from_secs(1), "{:?}", arrived.elapsed());
    assert_eq!(calls.running.len(), 1, "the endpoint still takes its time");
}
