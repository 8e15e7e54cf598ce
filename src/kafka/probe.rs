//! A look at a server of its own: resolves, connects, and speaks TLS with the same authorities.
//!
//! The client gives one text for a wrong authority, a missing one and a wrong host name, and none at all
//! for a plaintext connection to a TLS port. The probe tells them apart. It sends nothing but a TLS
//! handshake, never a user or password, and it verifies certificates as the client does.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::ssl::{HandshakeError, SslConnector, SslMethod};
use openssl::x509::{X509, X509VerifyResult};

use super::fault::{Fault, FaultKind};
use super::{EndpointIdentification, SecurityProtocol, Settings};

/// No answer within this time is no connection.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What to speak, and whom to trust.
#[derive(Debug, Clone)]
pub(super) struct Target {
    tls: Tls,
    authorities: Option<PathBuf>,
    identification: EndpointIdentification,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tls {
    Expected,
    NotExpected,
}

impl Target {
    pub(super) fn of(settings: &Settings) -> Self {
        let tls = match settings.protocol {
            SecurityProtocol::Plaintext | SecurityProtocol::SaslPlaintext => Tls::NotExpected,
            SecurityProtocol::Ssl | SecurityProtocol::SaslSsl => Tls::Expected,
        };
        Target {
            tls,
            authorities: settings.ssl_ca_location.clone(),
            identification: settings.ssl_endpoint_identification,
        }
    }

    /// What is wrong with `server` (`host:port`) up to and including TLS; `None` if nothing is.
    pub(super) fn examine(&self, server: &str) -> Option<Fault> {
        let addresses: Vec<SocketAddr> = match server.to_socket_addrs() {
            Ok(found) => found.collect(),
            Err(error) => return Some(unresolved(server, &error.to_string())),
        };
        if let Err(error) = connect(&addresses) {
            return Some(unreachable(server, &error));
        }
        let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match (self.tls, self.handshake(&addresses, host, HostName::Ignored)) {
            (Tls::NotExpected, Ok(Answer::NotTls) | Err(_)) | (Tls::Expected, Err(_)) => None,
            (Tls::NotExpected, Ok(_)) => Some(fault(
                FaultKind::PlaintextToTls,
                server,
                "the server expects TLS on this port and the connection is set to plaintext",
                "set `security_protocol` to SASL_SSL (or SSL), or use the server's plaintext port",
            )),
            (Tls::Expected, Ok(Answer::NotTls)) => Some(fault(
                FaultKind::TlsToPlaintext,
                server,
                "the server does not speak TLS on this port and the connection is set to TLS",
                "use the server's TLS port, or set `security_protocol` to SASL_PLAINTEXT or PLAINTEXT",
            )),
            (Tls::Expected, Ok(Answer::Refused { verification, reason })) => {
                Some(self.refused(server, verification, &reason))
            }
            (Tls::Expected, Ok(Answer::Trusted { certificate })) => {
                self.host_name(server, host, &addresses, certificate.as_ref())
            }
        }
    }

    fn refused(&self, server: &str, verification: X509VerifyResult, reason: &str) -> Fault {
        let trusted = match &self.authorities {
            Some(path) => format!("the authorities in {}", path.display()),
            None => "the system's authorities".to_owned(),
        };
        // Codes of OpenSSL's X509_V_ERR_*: 9 to 12 are the validity dates.
        match verification.as_raw() {
            0 => fault(
                FaultKind::Tls,
                server,
                &format!("the TLS handshake failed: {reason}"),
                "check which TLS versions, ciphers and client certificates the server asks for",
            ),
            9..=12 => fault(
                FaultKind::Tls,
                server,
                &format!("the server's certificate was refused: {}", verification.error_string()),
                "check this machine's clock and renew the server's certificate",
            ),
            _ => fault(
                FaultKind::TlsUntrusted,
                server,
                &format!("the server's certificate is not from {trusted}: {}", verification.error_string()),
                "set `ssl_ca_location` to the root certificate that the server's operator gives out, as PEM \
                 (for DataWorks the one downloaded with the Kafka user)",
            ),
        }
    }

    fn host_name(
        &self,
        server: &str,
        host: &str,
        addresses: &[SocketAddr],
        certificate: Option<&X509>,
    ) -> Option<Fault> {
        if self.identification == EndpointIdentification::None {
            return None;
        }
        match self.handshake(addresses, host, HostName::Checked) {
            Ok(Answer::Refused { .. }) => Some(fault(
                FaultKind::TlsHostName,
                server,
                &format!("the server's certificate is trusted but {}", names(certificate)),
                "connect by a name that the certificate holds; where it holds none, as on ApsaraMQ and \
                 DataWorks, set `ssl_endpoint_identification = \"none\"` (the authority is still verified)",
            )),
            _ => None,
        }
    }

    fn handshake(&self, addresses: &[SocketAddr], host: &str, name: HostName) -> Result<Answer, ProbeError> {
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        if let Some(path) = &self.authorities {
            builder.set_ca_file(path)?;
        }
        let verify = name == HostName::Checked;
        let configured = builder.build().configure()?.verify_hostname(verify);
        match configured.connect(host, connect(addresses)?) {
            Ok(stream) => Ok(Answer::Trusted { certificate: stream.ssl().peer_certificate() }),
            Err(HandshakeError::SetupFailure(error)) => Err(error.into()),
            Err(HandshakeError::Failure(broken) | HandshakeError::WouldBlock(broken)) => {
                let verification = broken.ssl().verify_result();
                // Without a certificate from the server and without an alert there was no TLS at all.
                if verification == X509VerifyResult::OK && !is_alert(broken.error()) {
                    return Ok(Answer::NotTls);
                }
                Ok(Answer::Refused { verification, reason: broken.error().to_string() })
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HostName {
    Checked,
    Ignored,
}

enum Answer {
    Trusted { certificate: Option<X509> },
    Refused { verification: X509VerifyResult, reason: String },
    NotTls,
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
enum ProbeError {
    #[error("cannot set up TLS")]
    Setup(#[from] ErrorStack),
    #[error("cannot connect")]
    Connect(#[from] io::Error),
}

/// Whether the peer answered in TLS, even if only to refuse.
fn is_alert(error: &openssl::ssl::Error) -> bool {
    error.ssl_error().is_some_and(|stack| {
        stack.errors().iter().any(|e| e.reason().is_some_and(|reason| reason.contains("alert")))
    })
}

fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(address, TIMEOUT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(TIMEOUT))?;
                stream.set_write_timeout(Some(TIMEOUT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Which hosts the certificate names, for people.
fn names(certificate: Option<&X509>) -> String {
    let listed: Vec<String> = certificate
        .and_then(|certificate| certificate.subject_alt_names())
        .map(|names| {
            names
                .iter()
                .filter_map(|name| match (name.dnsname(), name.ipaddress()) {
                    (Some(dns), _) => Some(dns.to_owned()),
                    (None, Some(ip)) => Some(address_text(ip)),
                    (None, None) => None,
                })
                .collect()
        })
        .unwrap_or_default();
    if listed.is_empty() {
        "names no host".to_owned()
    } else {
        format!("is for other hosts: {}", listed.join(", "))
    }
}

fn address_text(bytes: &[u8]) -> String {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return std::net::Ipv4Addr::from(v4).to_string();
    }
    <[u8; 16]>::try_from(bytes).map_or_else(|_| "?".to_owned(), |v6| std::net::Ipv6Addr::from(v6).to_string())
}

pub(super) fn unresolved(server: &str, reason: &str) -> Fault {
    fault(
        FaultKind::Dns,
        server,
        &format!("the host name does not resolve: {reason}"),
        "check `bootstrap_servers` for a typing error, and this machine's DNS; an endpoint for a VPC \
         resolves only inside of it",
    )
}

fn unreachable(server: &str, error: &io::Error) -> Fault {
    let message = match error.kind() {
        io::ErrorKind::ConnectionRefused => "the connection is refused: nothing listens there".to_owned(),
        io::ErrorKind::TimedOut => "no answer to the connection: a firewall or a wrong address".to_owned(),
        _ => format!("cannot connect: {error}"),
    };
    fault(
        FaultKind::Unreachable,
        server,
        &message,
        "check that the broker runs, host and port of `bootstrap_servers`, and the allow-list or security \
         group between here and there",
    )
}

fn fault(kind: FaultKind, subject: &str, message: &str, fix: &str) -> Fault {
    Fault { kind, subject: subject.to_owned(), message: message.to_owned(), fix: fix.to_owned() }
}
