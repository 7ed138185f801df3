//! What leaves this machine towards a provider: where to is `wane-egress`'s to say; how much comes back, and as what, is
//! said here.

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{RequestBuilder, Url};
use wane_domain::secret::Secret;
use wane_egress::{Reach, ReachError, told};

use crate::members::Members;
use crate::settings::SettingsError;

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
    reach: Reach,
}

impl From<ReachError> for SettingsError {
    fn from(error: ReachError) -> Self {
        match error {
            ReachError::Ca(why) => Self::Ca(why),
            ReachError::Client(why) => Self::Client(why),
        }
    }
}

impl Egress {
    /// To a provider of this issuer; one inside a company is in its private network.
    pub(crate) fn new(issuer: &Url, ca_pem: Option<&[u8]>) -> Result<Self, SettingsError> {
        let reach = Reach::of(issuer, Reach::Away);
        Ok(Self { http: reach.client(ca_pem)?, reach })
    }

    /// An address that may be asked or shown.
    pub(crate) fn address(&self, text: &str) -> Result<Url, EgressError> {
        let wrong = || EgressError::Forbidden(text.chars().take(128).collect());
        let url: Url = text.parse().map_err(|_| wrong())?;
        if self.reach.allows(&url) { Ok(url) } else { Err(wrong()) }
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
        let gone = |e: reqwest::Error| EgressError::Unreachable { host: host.clone(), why: told(&e) };
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

#[cfg(test)]
mod tests {
    use super::*;

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
