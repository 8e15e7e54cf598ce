//! The front of the embedded broker: TLS, the log-in, then bytes both ways.
//!
//! One connection of a client is one connection to the mock broker behind. Before the log-in nothing but
//! the log-in is served. Afterwards requests outside of the versions that were told close the connection,
//! and responses that name the broker's port get the front's. Frames, connections and the time for a
//! log-in are bounded; whoever breaks the protocol is disconnected and disturbs nobody else. All this
//! holds for the front's port; the mock broker's own is open to the whole machine.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::certificate::Issued;
use super::protocol::{self, Request, Unanswered};

/// Connections at once; a further one waits.
const CONNECTIONS_MAX: usize = 64;

/// The TLS handshake and the log-in take no longer: silent clients hold up a client's log-in for so long.
const LOGIN_WITHIN: Duration = Duration::from_secs(2);

/// A request of the log-in is no larger.
const LOGIN_BYTES_MAX: usize = 8 * 1024;

/// Nor is any other request.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// Nor a response: more than a client of ours ever fetches at once.
const RESPONSE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What all connections share.
pub(super) struct Front {
    pub(super) tls: TlsAcceptor,
    pub(super) username: String,
    pub(super) password: SecretString,
    /// The mock broker.
    pub(super) broker: SocketAddr,
    /// Ours, as clients are told.
    pub(super) port: u16,
}

/// TLS by the issued certificate.
pub(super) fn acceptor(issued: Issued) -> Result<TlsAcceptor, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.key));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(issued.certificate)], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Accepts connections until it is aborted, which ends them all.
pub(super) async fn accept(listener: TcpListener, front: Arc<Front>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let (stream, client) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Mostly too many open files: whoever connects tries again, and so do we.
                tracing::warn!(%error, "the embedded broker cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let front = Arc::clone(&front);
        connections.spawn(async move {
            if let Err(error) = serve(stream, &front).await {
                tracing::debug!(%client, %error, "the embedded broker closed a connection");
            }
            drop(place);
        });
    }
}

/// One connection, from the handshake to its end.
async fn serve(stream: TcpStream, front: &Front) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let logged_in = async {
        let mut stream = front.tls.accept(stream).await?;
        log_in(&mut stream, front).await?;
        Ok::<_, io::Error>(stream)
    };
    let client = timeout(LOGIN_WITHIN, logged_in).await??;
    let broker = TcpStream::connect(front.broker).await?;
    broker.set_nodelay(true)?;
    relay(client, broker, front.port).await
}

/// Serves the log-in; its end is that the client is known.
async fn log_in(stream: &mut TlsStream<TcpStream>, front: &Front) -> io::Result<()> {
    let mut agreed = false;
    loop {
        let frame = read_frame(stream, LOGIN_BYTES_MAX).await?;
        let request = Request::of(&frame).ok_or_else(|| broken("a request without a header"))?;
        match (request.key, request.version) {
            (protocol::API_VERSIONS, _) => write_frame(stream, &protocol::api_versions(request)).await?,
            (protocol::SASL_HANDSHAKE, version) => {
                let error = match (version, protocol::mechanism(&frame)) {
                    (1, Some("PLAIN")) => 0,
                    (1, _) => protocol::UNSUPPORTED_SASL_MECHANISM,
                    _ => protocol::UNSUPPORTED_VERSION,
                };
                write_frame(stream, &protocol::handshake(request, error)).await?;
                if error != 0 {
                    return Err(broken("a handshake for something else than PLAIN"));
                }
                agreed = true;
            }
            (protocol::SASL_AUTHENTICATE, 0 | 1) => {
                let refusal = refusal(agreed, protocol::plain(&frame), front);
                write_frame(stream, &protocol::authenticated(request, refusal)).await?;
                return match refusal {
                    None => Ok(()),
                    Some((_, reason)) => Err(broken(reason)),
                };
            }
            _ => return Err(broken("a request before the log-in")),
        }
    }
}

/// Why a log-in is refused; `None` if it is not.
fn refusal(agreed: bool, given: Option<(&str, &str)>, front: &Front) -> Option<(i16, &'static str)> {
    if !agreed {
        return Some((protocol::ILLEGAL_SASL_STATE, "a log-in without a handshake"));
    }
    let same = |given: &str, known: &str| {
        given.len() == known.len() && openssl::memcmp::eq(given.as_bytes(), known.as_bytes())
    };
    let is_known = given.is_some_and(|(user, password)| {
        same(user, &front.username) & same(password, front.password.expose_secret())
    });
    let wrong = "Authentication failed: Invalid username or password";
    (!is_known).then_some((protocol::SASL_AUTHENTICATION_FAILED, wrong))
}

/// Copies requests and responses until either side ends.
async fn relay(client: TlsStream<TcpStream>, broker: TcpStream, port: u16) -> io::Result<()> {
    let (from_client, to_client) = tokio::io::split(client);
    let (from_broker, to_broker) = broker.into_split();
    let to_client = tokio::sync::Mutex::new(to_client);
    let unanswered = Mutex::new(Unanswered::default());
    tokio::select! {
        ended = requests(from_client, to_broker, &to_client, &unanswered) => ended,
        ended = responses(from_broker, &to_client, &unanswered, port) => ended,
    }
}

async fn requests(
    mut from_client: impl AsyncRead + Unpin,
    mut to_broker: impl AsyncWrite + Unpin,
    to_client: &tokio::sync::Mutex<impl AsyncWrite + Unpin>,
    unanswered: &Mutex<Unanswered>,
) -> io::Result<()> {
    loop {
        let frame = read_frame(&mut from_client, REQUEST_BYTES_MAX).await?;
        let request = Request::of(&frame).ok_or_else(|| broken("a request without a header"))?;
        if request.key == protocol::API_VERSIONS {
            // Some clients ask once more after the log-in, and must not see what the mock can do.
            write_frame(&mut *to_client.lock().await, &protocol::api_versions(request)).await?;
            continue;
        }
        if !request.is_supported() {
            return Err(broken("a request of an unknown kind or version"));
        }
        let noted = unanswered.lock().unwrap_or_else(PoisonError::into_inner).note(request);
        noted.ok_or_else(|| broken("too many requests at once"))?;
        write_frame(&mut to_broker, &frame).await?;
    }
}

async fn responses(
    mut from_broker: impl AsyncRead + Unpin,
    to_client: &tokio::sync::Mutex<impl AsyncWrite + Unpin>,
    unanswered: &Mutex<Unanswered>,
    port: u16,
) -> io::Result<()> {
    loop {
        let mut frame = read_frame(&mut from_broker, RESPONSE_BYTES_MAX).await?;
        let patched = unanswered.lock().unwrap_or_else(PoisonError::into_inner).patch(&mut frame, port);
        patched.ok_or_else(|| broken("a response that cannot be read"))?;
        write_frame(&mut *to_client.lock().await, &frame).await?;
    }
}

/// The next frame, without its length. Memory is taken as the bytes come, not as they are promised.
async fn read_frame(stream: &mut (impl AsyncRead + Unpin), bytes_max: usize) -> io::Result<Vec<u8>> {
    let length = stream.read_i32().await?;
    let length = usize::try_from(length).ok().filter(|length| *length <= bytes_max);
    let length = length.ok_or_else(|| broken("a frame of a forbidden length"))?;
    let mut frame = Vec::new();
    let limit = u64::try_from(length).unwrap_or(u64::MAX);
    if stream.take(limit).read_to_end(&mut frame).await? < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(frame)
}

async fn write_frame(stream: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    let length = i32::try_from(frame.len()).map_err(|_| broken("a frame that is too long"))?;
    stream.write_all(&[&length.to_be_bytes(), frame].concat()).await?;
    stream.flush().await
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
