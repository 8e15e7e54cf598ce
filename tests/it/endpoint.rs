//! A loopback stand-in for the DataWorks endpoint.
//!
//! Speaks real HTTP/1.1 over TCP, records every request with its arrival, verifies the signature by
//! code of its own (nothing of the crate is used here), and answers from a script. A request with a
//! wrong signature gets what the real endpoint says, the string to sign included.

#![expect(clippy::expect_used, reason = "a test that cannot set up its stand-in has failed")]

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Digest as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// The key pair that the stand-in accepts.
pub(crate) const ACCESS_KEY_ID: &str = "testAccessKeyId";
pub(crate) const ACCESS_KEY_SECRET: &str = "testAccessKeySecret";

/// One answer of the script.
#[allow(dead_code, reason = "each test binary that includes this uses a part of it")]
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// This status, these further headers and this body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// These bytes, then close the connection.
    Raw(Vec<u8>),
    /// Close the connection without a byte.
    Close,
    /// Say nothing until the client goes away.
    Hang,
    /// Promise more of the body than is sent, then close.
    Truncated(String),
    #[allow(dead_code, reason = "for the tests of the whole daemon, which share this stand-in")]
    /// This after so long, unless the client goes away before.
    Late(Duration, Box<Reply>),
}

impl Reply {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Reply::Answer(status, vec![("Content-Type", "application/json;charset=utf-8".into())], body.into())
    }

    pub(crate) fn success() -> Self {
        Reply::json(200, r#"{"RequestId":"R-1","Success":true}"#)
    }

    pub(crate) fn failure(code: &str) -> Self {
        let body = format!(
            r#"{{"RequestId":"R-1","Success":false,"ErrorCode":"{code}","ErrorMessage":"no","HttpStatusCode":200}}"#
        );
        Reply::json(200, &body)
    }

    pub(crate) fn refusal(status: u16, code: &str) -> Self {
        let body = format!(r#"{{"RequestId":"R-1","HostId":"double","Code":"{code}","Message":"because"}}"#);
        Reply::json(status, &body)
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Reply::Answer(302, vec![("Location", to.into())], String::new())
    }
}

/// Whether the signature of a request was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signature {
    /// By this scheme: `v1` or `acs3`.
    Valid(&'static str),
    /// What the real endpoint would echo.
    Wrong {
        string_to_sign: String,
    },
    Missing,
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) at: Instant,
    /// Connections are numbered from 0.
    pub(crate) connection: usize,
    pub(crate) method: String,
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) form: BTreeMap<String, String>,
    pub(crate) signature: Signature,
}

/// The stand-in. Dropping it closes everything.
pub(crate) struct DataWorksDouble {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Received>>>,
    count: watch::Receiver<usize>,
    accepting: JoinHandle<()>,
}

type Script = Arc<Mutex<dyn FnMut(&Received) -> Reply + Send>>;

impl DataWorksDouble {
    /// Answers with these replies in turn, and with success from then on.
    pub(crate) async fn replying(replies: impl IntoIterator<Item = Reply>) -> Self {
        let mut replies: VecDeque<Reply> = replies.into_iter().collect();
        Self::start(move |_| replies.pop_front().unwrap_or_else(Reply::success)).await
    }

    /// Answers with what `script` makes of each request.
    pub(crate) async fn start(script: impl FnMut(&Received) -> Reply + Send + 'static) -> Self {
        Self::listening(TcpListener::bind("127.0.0.1:0").await.expect("a loopback port"), script)
    }

    /// The same behind this listener.
    #[allow(dead_code, reason = "each test binary that includes this uses a part of it")]
    pub(crate) fn listening(
        listener: TcpListener,
        script: impl FnMut(&Received) -> Reply + Send + 'static,
    ) -> Self {
        let url = format!("http://{}", listener.local_addr().expect("a bound address"));
        let received = Arc::new(Mutex::new(Vec::new()));
        let (announce, count) = watch::channel(0);
        let script: Script = Arc::new(Mutex::new(script));
        let log = Arc::clone(&received);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            for number in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                connections.spawn(serve(
                    stream,
                    number,
                    Arc::clone(&script),
                    Arc::clone(&log),
                    announce.clone(),
                ));
            }
        });
        DataWorksDouble { url, received, count, accepting }
    }

    /// What arrived so far, in order.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("nobody panics with it").clone()
    }

    /// Waits until `count` requests have arrived.
    pub(crate) async fn wait_for(&self, count: usize) {
        self.count.clone().wait_for(|arrived| *arrived >= count).await.expect("the stand-in runs");
    }
}

impl Drop for DataWorksDouble {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    stream: TcpStream,
    connection: usize,
    script: Script,
    log: Arc<Mutex<Vec<Received>>>,
    announce: watch::Sender<usize>,
) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read_request(&mut stream, connection).await {
        let reply = match &request.signature {
            Signature::Wrong { string_to_sign } => mismatch(string_to_sign),
            Signature::Valid(_) | Signature::Missing => {
                let mut script = script.lock().expect("nobody panics with it");
                (*script)(&request)
            }
        };
        log.lock().expect("nobody panics with it").push(request);
        announce.send_modify(|count| *count += 1);
        let reply = match reply {
            Reply::Late(delay, reply) => match tokio::time::timeout(delay, stream.fill_buf()).await {
                Ok(_gone) => return,
                Err(_elapsed) => *reply,
            },
            reply => reply,
        };
        match reply {
            Reply::Answer(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} Reply\r\n");
                if !headers.iter().any(|(name, _)| *name == "Date") {
                    head.push_str("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
                }
                for (name, value) in headers {
                    let _ = write!(head, "{name}: {value}\r\n");
                }
                let whole = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
                if stream.write_all(whole.as_bytes()).await.is_err() {
                    return;
                }
            }
            Reply::Truncated(body) => {
                let length = body.len() + 1_000;
                let part = format!("HTTP/1.1 200 Reply\r\nContent-Length: {length}\r\n\r\n{body}");
                let _ = stream.write_all(part.as_bytes()).await;
                return;
            }
            Reply::Raw(bytes) => {
                let _ = stream.write_all(&bytes).await;
                return;
            }
            Reply::Close | Reply::Late(..) => return,
            Reply::Hang => {
                let _ = stream.read_to_end(&mut Vec::new()).await;
                return;
            }
        }
    }
}

/// The next request of a connection; `None` when the client has closed it.
async fn read_request(stream: &mut BufReader<TcpStream>, connection: usize) -> Option<Received> {
    let first = read_line(stream).await?;
    let at = Instant::now();
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let line = read_line(stream).await?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |text| text.parse().expect("a length"));
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let body = String::from_utf8(body).expect("forms are UTF-8");
    let query = decode_pairs(target.split_once('?').map_or("", |(_, query)| query));
    let form = decode_pairs(&body);
    let signature = match headers.get("authorization") {
        Some(authorization) => verify_acs3(&method, &target, &headers, &body, authorization),
        None => verify_v1(&method, &query, &form),
    };
    Some(Received { at, connection, method, target, headers, body, query, form, signature })
}

async fn read_line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    match stream.read_line(&mut line).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(line.trim_end().to_owned()),
    }
}

fn mismatch(string_to_sign: &str) -> Reply {
    let body = serde_json::json!({
        "RequestId": "R-1",
        "HostId": "double",
        "Code": "SignatureDoesNotMatch",
        "Message": format!("Specified signature is not matched with our calculation. server string to sign is:{string_to_sign}"),
        "Recommend": "https://example.com/troubleshoot",
    });
    Reply::json(400, &body.to_string())
}

fn verify_v1(method: &str, query: &BTreeMap<String, String>, form: &BTreeMap<String, String>) -> Signature {
    let Some(sent) = query.get("Signature").or_else(|| form.get("Signature")) else {
        return Signature::Missing;
    };
    let all: BTreeMap<&String, &String> =
        query.iter().chain(form).filter(|(name, _)| *name != "Signature").collect();
    let canonical: Vec<String> =
        all.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let string_to_sign = format!("{method}&%2F&{}", encode(&canonical.join("&")));
    let key = format!("{ACCESS_KEY_SECRET}&");
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(key.as_bytes()).expect("any length");
    mac.update(string_to_sign.as_bytes());
    let expected = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    if *sent == expected { Signature::Valid("v1") } else { Signature::Wrong { string_to_sign } }
}

/// Verifies the signature over exactly the headers that the request names, which must be all that the
/// scheme demands, and over the bytes of the body.
fn verify_acs3(
    method: &str,
    target: &str,
    headers: &BTreeMap<String, String>,
    body: &str,
    authorization: &str,
) -> Signature {
    let part = |name: &str| {
        let mut parts = authorization.split([' ', ',']).filter_map(|part| part.split_once('='));
        parts.find(|(found, _)| *found == name).expect("the header has all its parts").1
    };
    let names: Vec<&str> = part("SignedHeaders").split(';').collect();
    let must =
        |name: &&String| name.starts_with("x-acs-") || ["host", "content-type"].contains(&name.as_str());
    let unsigned: Vec<&String> =
        headers.keys().filter(must).filter(|name| !names.contains(&name.as_str())).collect();
    assert!(unsigned.is_empty() && names.is_sorted(), "{unsigned:?} in {names:?}");
    assert_eq!(headers.contains_key("content-type"), !body.is_empty());

    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut pairs: Vec<(String, String)> = decode_pairs(query).into_iter().collect();
    pairs.sort();
    let query: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let lines: Vec<String> = names.iter().map(|name| format!("{name}:{}\n", headers[*name])).collect();
    let lines = lines.concat();
    let hash = sha256(body.as_bytes());
    let request = format!("{method}\n{path}\n{}\n{lines}\n{}\n{hash}", query.join("&"), names.join(";"));
    let string_to_sign = format!("ACS3-HMAC-SHA256\n{}", sha256(request.as_bytes()));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(ACCESS_KEY_SECRET.as_bytes()).expect("any length");
    mac.update(string_to_sign.as_bytes());
    let expected = hex(&mac.finalize().into_bytes());
    let is_ours = authorization.starts_with("ACS3-HMAC-SHA256 ")
        && part("Credential") == ACCESS_KEY_ID
        && headers["x-acs-content-sha256"] == hash
        && part("Signature") == expected;
    if is_ours { Signature::Valid("acs3") } else { Signature::Wrong { string_to_sign: request } }
}

fn sha256(bytes: &[u8]) -> String {
    hex(&sha2::Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn decode_pairs(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').expect("a pair")).map(|(n, v)| (decode(n), decode(v))).collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex = [rest.next().expect("a digit"), rest.next().expect("a digit")];
                u8::from_str_radix(std::str::from_utf8(&hex).expect("ASCII"), 16).expect("hex digits")
            }
            other => other,
        });
    }
    String::from_utf8(bytes).expect("UTF-8")
}
