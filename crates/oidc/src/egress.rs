//! What leaves this machine towards a provider: where to, for how long, and how much comes back.
//!
//! INVARIANT: nothing is followed, nothing but `https` is spoken unless the provider is on this machine, and
//! no name leads to an address that is no provider's: this machine, its link, its metadata service (held by
//! `a_name_leads_to_no_address_of_this_machine` and the tests of `tests/it/egress.rs`).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Certificate, RequestBuilder, Url};
use wane_domain::secret::Secret;

use crate::members::Members;
use crate::settings::SettingsError;

/// The longest a call takes, whole.
const LONGEST: Duration = Duration::from_secs(10);
/// The most that is read of an answer.
const MOST: usize = 1024 * 1024;

/// Why a provider did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// Not an address that may be asked.
    #[error("`{0}` is not asked: it has to be `https`, and no address of this machine or its link")]
    Forbidden(String),
    /// It did not answer, or not in time.
    #[error("`{host}` does not answer: {why}")]
    Unreachable {
        /// Whom was asked.
        host: String,
        /// What came of it.
        why: String,
    },
    /// It answered something else.
    #[error("`{host}` answers with status {status}{}", said.as_ref().map(|s| format!(" and `{s}`")).unwrap_or_default())]
    Status {
        /// Whom was asked.
        host: String,
        /// The status.
        status: u16,
        /// Its `error` (RFC 6749 section 5.2).
        said: Option<String>,
    },
    /// It answered too much.
    #[error("`{0}` answers with more than 1 MiB")]
    TooMuch(String),
    /// It answered no JSON object.
    #[error("`{0}` answers with something that is no JSON object")]
    NotJson(String),
}

/// Speaks to one provider.
#[derive(Debug)]
pub(crate) struct Egress {
    http: reqwest::Client,
    here: Here,
}

/// Whether a provider is on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Here {
    Yes,
    No,
}

impl Egress {
    /// To a provider of this issuer.
    pub(crate) fn new(issuer: &Url, ca_pem: Option<&[u8]>) -> Result<Self, SettingsError> {
        // Somebody else in the process may have chosen a provider of cryptography already; then theirs stays.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let here = if is_loopback(issuer) { Here::Yes } else { Here::No };
        let mut http = reqwest::Client::builder()
            .connect_timeout(LONGEST)
            .timeout(LONGEST)
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("wane/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(Guarded(here)));
        if let Some(pem) = ca_pem {
            let certs = Certificate::from_pem_bundle(pem).map_err(|e| SettingsError::Ca(e.to_string()))?;
            if certs.is_empty() {
                return Err(SettingsError::Ca("it holds no certificate".to_owned()));
            }
            http = http.tls_certs_only(certs);
        }
        let http = http.build().map_err(|e| SettingsError::Client(e.to_string()))?;
        Ok(Self { http, here })
    }

    /// An address that may be asked or shown.
    pub(crate) fn address(&self, text: &str) -> Result<Url, EgressError> {
        let wrong = || EgressError::Forbidden(text.chars().take(128).collect());
        let url: Url = text.parse().map_err(|_| wrong())?;
        let allowed = match (url.scheme(), self.here) {
            ("https", Here::No) => literal(&url).is_none_or(|address| may_be_asked(address, Here::No)),
            ("https" | "http", Here::Yes) => is_loopback(&url),
            (_, Here::Yes | Here::No) => false,
        };
        let bare = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        if allowed && bare && url.host().is_some() { Ok(url) } else { Err(wrong()) }
    }

    /// Reads an object.
    pub(crate) async fn get(&self, url: &str, bearer: Option<&str>) -> Result<Members, EgressError> {
        let url = self.address(url)?;
        let mut request = self.http.get(url.clone()).header(ACCEPT, "application/json");
        if let Some(token) = bearer {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        self.read(&url, request).await
    }

    /// Sends a form and reads an object.
    pub(crate) async fn post(
        &self,
        url: &str,
        form: String,
        basic: Option<(&str, &Secret)>,
    ) -> Result<Members, EgressError> {
        let url = self.address(url)?;
        let mut request = self
            .http
            .post(url.clone())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        if let Some((id, secret)) = basic {
            request = request.basic_auth(id, secret.expose_str());
        }
        self.read(&url, request).await
    }

    async fn read(&self, url: &Url, request: RequestBuilder) -> Result<Members, EgressError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let gone = |e: reqwest::Error| EgressError::Unreachable { host: host.clone(), why: plainly(&e) };
        let mut response = request.send().await.map_err(gone)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(gone)? {
            if body.len().saturating_add(chunk.len()) > MOST {
                return Err(EgressError::TooMuch(host));
            }
            body.extend_from_slice(&chunk);
        }
        let members = Members::read(&body);
        if status != 200 {
            let said = members.ok().and_then(|m| m.get("error")?.as_str().map(word));
            return Err(EgressError::Status { host, status, said });
        }
        members.map_err(|_| EgressError::NotJson(host))
    }
}

/// As much of a word from outside as is repeated.
pub(crate) fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "_-. ".contains(*c)).take(64).collect()
}

/// An error without the address it is about, which may carry secrets in its query.
fn plainly(error: &reqwest::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    if error.is_timeout() { "it takes too long".to_owned() } else { deepest.to_string() }
}

/// Whether an address names this machine itself, whatever is looked up.
pub(crate) fn is_loopback(url: &Url) -> bool {
    url.host_str() == Some("localhost") || literal(url).is_some_and(|address| address.to_canonical().is_loopback())
}

fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Whether something at an address can be a provider.
fn may_be_asked(address: IpAddr, here: Here) -> bool {
    let address = address.to_canonical();
    let loopback = address.is_loopback();
    match here {
        Here::Yes => loopback,
        Here::No => {
            let link = match address {
                IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast() || v4.octets().first() == Some(&0),
                // fe80::/10, and the address of cloud metadata services in fd00:ec2::/32.
                IpAddr::V6(v6) => {
                    let head = v6.segments();
                    head.first().is_some_and(|first| first & 0xffc0 == 0xfe80) || head.starts_with(&[0xfd00, 0x0ec2])
                }
            };
            !loopback && !link && !address.is_unspecified() && !address.is_multicast()
        }
    }
}

/// Looks names up and keeps the addresses that can be a provider's: the ones that are then connected to.
#[derive(Debug)]
struct Guarded(Here);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let here = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let kept: Vec<_> = found.into_iter().filter(|address| may_be_asked(address.ip(), here)).collect();
            if kept.is_empty() {
                return Err("its name leads to no address that may be asked".into());
            }
            Ok(Box::new(kept.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_no_address_of_this_machine() {
        for (text, away, here) in [
            ("192.0.2.7", true, false),
            ("10.1.2.3", true, false),
            ("2001:db8::7", true, false),
            ("127.0.0.1", false, true),
            ("::1", false, true),
            ("::ffff:127.0.0.1", false, true),
            ("169.254.169.254", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("fe80::1", false, false),
            ("fd00:ec2::254", false, false),
            ("0.0.0.0", false, false),
            ("0.1.2.3", false, false),
            ("::", false, false),
            ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
        ] {
            let address = text.parse().unwrap();
            assert_eq!((may_be_asked(address, Here::No), may_be_asked(address, Here::Yes)), (away, here), "{text}");
        }
    }

    #[test]
    fn an_address_is_asked_safely_or_not_at_all() {
        let egress = |issuer: &str| Egress::new(&issuer.parse().unwrap(), None).unwrap();
        let (away, here) = (egress("https://login.example.org"), egress("http://127.0.0.1:1"));
        for (text, by_away, by_here) in [
            ("https://login.example.org/token", true, false),
            ("https://elsewhere.example/token", true, false),
            ("http://login.example.org/token", false, false),
            ("https://127.0.0.1/token", false, true),
            ("https://169.254.169.254/latest", false, false),
            ("https://[::1]/token", false, true),
            ("http://localhost:1/token", false, true),
            ("https://user:word@login.example.org/", false, false),
            ("https://login.example.org/#part", false, false),
            ("file:///etc/passwd", false, false),
            ("javascript:alert(1)", false, false),
        ] {
            assert_eq!((away.address(text).is_ok(), here.address(text).is_ok()), (by_away, by_here), "{text}");
        }
    }
}
