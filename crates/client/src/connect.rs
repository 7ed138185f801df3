//! The client itself: where the server is, whom to trust there, and who one is.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Url};
use wane_api::SecretText;

use crate::error::ClientError;

/// Makes a fresh idempotency key: unguessable, 1 to 64 printable ASCII characters.
pub type KeySource = Arc<dyn Fn() -> String + Send + Sync>;

/// A bearer token. `Debug` shows nothing; wiped when the last holder drops it.
#[derive(Clone)]
pub struct Bearer(Arc<SecretText>);

impl Bearer {
    /// Takes a token over.
    #[must_use]
    pub fn new(token: SecretText) -> Self {
        Self(Arc::new(token))
    }

    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0.expose())
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

/// What a client needs to begin.
pub struct Connect<'a> {
    /// The server's address: `https://wane.example.org`, or `http://127.0.0.1:8200` on this machine.
    pub server: &'a str,
    /// Who one is; none before signing in.
    pub token: Option<Bearer>,
    /// The only certificate authorities to trust, in PEM; none for those the machine trusts.
    pub ca_pem: Option<&'a [u8]>,
    /// Where idempotency keys come from.
    pub keys: KeySource,
}

impl fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect").field("server", &self.server).finish_non_exhaustive()
    }
}

/// The client. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) base: Url,
    pub(crate) token: Option<Bearer>,
    pub(crate) keys: KeySource,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// Makes a client. Nothing is sent yet.
    ///
    /// # Errors
    /// When the address is no http(s) address, would send a session in the clear, or the PEM is unusable.
    pub fn new(connect: Connect<'_>) -> Result<Self, ClientError> {
        let Connect { server, token, ca_pem, keys } = connect;
        let base = parse_base(server)?;
        // Somebody else in the process may have chosen a provider already; then theirs stays.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .redirect(Policy::none())
            .user_agent(concat!("wane/", env!("CARGO_PKG_VERSION")));
        if is_this_machine(&base) {
            http = http.no_proxy();
        }
        if let Some(pem) = ca_pem {
            let certs = Certificate::from_pem_bundle(pem)
                .map_err(|e| ClientError::Input(format!("the CA file is not usable PEM: {e}")))?;
            if certs.is_empty() {
                return Err(ClientError::Input("the CA file holds no certificate; give one in PEM form".to_owned()));
            }
            http = http.tls_certs_only(certs);
        }
        let http =
            http.build().map_err(|e| ClientError::Input(format!("no client can be made for `{server}`: {e}")))?;
        Ok(Self { http, base, token, keys })
    }

    /// The same client as somebody else.
    #[must_use]
    pub fn with_token(&self, token: Option<Bearer>) -> Self {
        Self { token, ..self.clone() }
    }

    /// The server's address.
    #[must_use]
    pub fn server(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// The address of a route. Segments are escaped, so no name can lead to another route
    /// (held by `a_name_never_leads_to_another_route`).
    pub(crate) fn url(&self, segments: &[&str]) -> Result<Url, ClientError> {
        let mut url = self.base.clone();
        for segment in segments {
            if matches!(*segment, "" | "." | "..") {
                return Err(ClientError::Input(format!("`{segment}` is not a name")));
            }
        }
        match url.path_segments_mut() {
            Ok(mut path) => {
                path.pop_if_empty().extend(segments);
            }
            Err(()) => {
                return Err(ClientError::Input(format!("`{}` is not an address of a server", self.base)));
            }
        }
        Ok(url)
    }
}

fn parse_base(server: &str) -> Result<Url, ClientError> {
    let shown = || server.chars().take(200).collect::<String>();
    let base: Url = server.parse().map_err(|e| {
        ClientError::Input(format!("`{}` is not an address ({e}); write `https://` and a host name", shown()))
    })?;
    let plain =
        base.query().is_none() && base.fragment().is_none() && base.username().is_empty() && base.password().is_none();
    if !plain || !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
        return Err(ClientError::Input(format!(
            "`{}` is not an address of a server; write `https://` and a host name",
            shown()
        )));
    }
    if base.scheme() == "http" && !is_this_machine(&base) {
        return Err(ClientError::Input(format!(
            "`{}` would carry your session in the clear; write `https://`",
            shown()
        )));
    }
    Ok(base)
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(server: &str) -> Result<Client, ClientError> {
        Client::new(Connect { server, token: None, ca_pem: None, keys: Arc::new(|| "k".to_owned()) })
    }

    #[test]
    fn a_session_never_travels_in_the_clear() {
        for good in ["https://wane.example.org", "http://127.0.0.1:8200/", "http://localhost:1", "http://[::1]:1"] {
            assert!(client(good).is_ok(), "{good}");
        }
        for bad in [
            "http://wane.example.org",
            "wane.example.org",
            "ftp://x",
            "https://",
            "https://u:p@x",
            "https://x/?q",
            "http://127.0.0.1.evil.org",
        ] {
            assert!(matches!(client(bad), Err(ClientError::Input(_))), "{bad} was taken");
        }
    }

    #[test]
    fn a_name_never_leads_to_another_route() {
        let client = client("https://h/behind/").unwrap();
        for (name, url) in [
            ("db", "https://h/behind/v1/resources/db"),
            ("a/b?c#d", "https://h/behind/v1/resources/a%2Fb%3Fc%23d"),
            // The URL standard reads an escaped dot segment as a dot segment, so the escape is escaped.
            ("%2e%2e", "https://h/behind/v1/resources/%252e%252e"),
            ("../x", "https://h/behind/v1/resources/..%2Fx"),
        ] {
            assert_eq!(client.url(&["v1", "resources", name]).unwrap().as_str(), url);
        }
        for bad in ["", ".", ".."] {
            assert!(client.url(&["v1", "resources", bad]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn debug_shows_no_token() {
        let token = Bearer::new(SecretText::new("canary".to_owned()));
        let client = client("https://h").unwrap().with_token(Some(token.clone()));
        assert!(!format!("{client:?} {token:?}").contains("canary"));
        assert_eq!(token.header(), "Bearer canary");
    }
}
