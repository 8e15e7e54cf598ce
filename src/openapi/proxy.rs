//! The proxy through which calls go, if any.

use reqwest::{NoProxy, Proxy};

use super::call::ClientError;

/// What is never called through a proxy.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// The proxy of the settings, else of the environment; never for loopback addresses, nor for what
/// `NO_PROXY` names.
pub(super) fn proxy(
    setting: Option<&str>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, ClientError> {
    let first = |names: [&'static str; 2]| {
        names.into_iter().find_map(|name| Some((name, environment(name).filter(|value| !value.is_empty())?)))
    };
    let (origin, url) = match setting {
        Some(url) => ("the setting `proxy`", url.to_owned()),
        None => match first(["HTTPS_PROXY", "https_proxy"]) {
            Some(found) => found,
            None => return Ok(None),
        },
    };
    let exceptions = match first(["NO_PROXY", "no_proxy"]) {
        Some((_, list)) => format!("{LOOPBACK},{list}"),
        None => LOOPBACK.to_owned(),
    };
    // Plain text goes to loopback addresses only, so HTTPS is all that a proxy ever sees.
    let proxy = Proxy::https(url).map_err(|_| ClientError::Proxy { origin })?;
    Ok(Some(proxy.no_proxy(NoProxy::from_string(&exceptions))))
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _};
    use std::net::TcpListener;
    use std::time::Duration;

    use super::*;

    /// Whether a client with this environment asks the proxy for a host that nobody serves.
    async fn asks_the_proxy(no_proxy: Option<&'static str>) -> bool {
        let proxy_listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        proxy_listener.set_nonblocking(true).expect("a socket option");
        let url = format!("http://{}", proxy_listener.local_addr().expect("a bound address"));
        let environment = |name: &str| match name {
            "https_proxy" => Some(url.clone()),
            "NO_PROXY" => no_proxy.map(str::to_owned),
            _ => None,
        };
        let proxy = proxy(None, environment).expect("a proxy URL").expect("the environment names one");
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().proxy(proxy).timeout(Duration::from_millis(300));
        // This address is our own machine's, yet no loopback address; nobody listens on the port.
        let sent = http.build().expect("a client").get("https://0.0.0.0:9/?secret").send().await;
        assert!(sent.is_err());
        match proxy_listener.accept() {
            Ok((mut connection, _)) => {
                let mut asked = Vec::new();
                connection.read_to_end(&mut asked).expect("the client has given up");
                assert!(asked.starts_with(b"CONNECT 0.0.0.0:9 HTTP/1.1\r\n"), "it sees the host alone");
                assert!(!asked.windows(6).any(|part| part == b"secret"), "and nothing of the request");
                true
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        }
    }

    #[tokio::test]
    async fn the_environment_names_the_proxy_and_its_exceptions() {
        assert!(asks_the_proxy(None).await);
        assert!(asks_the_proxy(Some("192.0.2.1,example.com")).await);
        assert!(!asks_the_proxy(Some("example.com,0.0.0.0/8")).await);
    }

    #[test]
    fn the_setting_wins_over_the_environment_and_an_empty_variable_is_none() {
        let broken = |name: &str| (name == "HTTPS_PROXY").then(|| "ho st".to_owned());
        assert!(proxy(Some("http://127.0.0.1:3128"), broken).is_ok_and(|proxy| proxy.is_some()));
        let error = proxy(None, broken).expect_err("no URL");
        assert_eq!(error.to_string(), "HTTPS_PROXY is no proxy URL: expected `http://HOST:PORT`");
        assert!(proxy(None, |_| Some(String::new())).is_ok_and(|proxy| proxy.is_none()));
    }
}
