//! Webhooks: one POST, no redirect, a bounded answer, and only 2xx is taken to be taken.

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};
use wane_egress::{HookSecret, Reach, ReachError, SecretShape, signatures, told};

use crate::Refused;

/// The most that is read of an answer.
const MOST_ANSWER: usize = 64 * 1024;
/// The most secrets that sign at once.
const MOST_SECRETS: usize = 4;

/// A webhook, as somebody who runs this server enters it.
#[derive(Debug)]
pub struct HookSettings {
    /// Where to.
    pub url: String,
    /// What signs; several while they are exchanged.
    pub secrets: Vec<Secret>,
    /// Whether it may be in a private network.
    pub private: bool,
    /// PEM of the only authorities it is trusted by.
    pub ca_pem: Option<Vec<u8>>,
}

/// Why there is no webhook.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// Its address.
    #[error(
        "`{0}` is not called: it has to be `https` on another machine (or on this one), outside of private networks unless `private = true`, with no user in it"
    )]
    Url(String),
    /// A secret.
    #[error(transparent)]
    Secret(#[from] SecretShape),
    /// None, or too many.
    #[error("a webhook has 1 to {MOST_SECRETS} secrets")]
    Secrets,
    /// Something else.
    #[error(transparent)]
    Reach(#[from] ReachError),
}

/// A webhook.
#[derive(Debug)]
pub struct Hook {
    http: Client,
    url: Url,
    secrets: Vec<HookSecret>,
}

impl Hook {
    /// A webhook; nothing is sent yet.
    ///
    /// # Errors
    /// When its settings cannot be used.
    pub fn new(settings: &HookSettings) -> Result<Self, HookError> {
        let wrong = || HookError::Url(settings.url.chars().take(128).collect());
        let url: Url = settings.url.parse().map_err(|_| wrong())?;
        let reach = Reach::of(&url, if settings.private { Reach::Away } else { Reach::Public });
        if !reach.allows(&url) {
            return Err(wrong());
        }
        if !(1..=MOST_SECRETS).contains(&settings.secrets.len()) {
            return Err(HookError::Secrets);
        }
        let secrets = settings.secrets.iter().map(HookSecret::read).collect::<Result<_, _>>()?;
        Ok(Self { http: reach.client(settings.ca_pem.as_deref())?, url, secrets })
    }

    /// Sends a body under an id, at a moment.
    ///
    /// # Errors
    /// When the other side did not take it.
    pub async fn send(&self, id: &str, now: Time, body: String) -> Result<(), Refused> {
        let moment = now.seconds();
        let request = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", moment.to_string())
            .header("webhook-signature", signatures(&self.secrets, id, moment, body.as_bytes()))
            .body(body);
        let away = |e: &reqwest::Error| Refused::Away { why: told(e), after: None };
        let answer = request.send().await.map_err(|e| away(&e))?;
        let (status, after) = (answer.status(), retry_after(&answer));
        // Read to its end where it is short, so that what answered is not cut off; of what is long nothing is wanted.
        drain(answer).await.map_err(|e| away(&e))?;
        taken(status, after)
    }
}

/// What a status means.
fn taken(status: StatusCode, after: Option<Span>) -> Result<(), Refused> {
    let why = format!("it answers with status {}", status.as_u16());
    match status.as_u16() {
        200..=299 => Ok(()),
        // Nobody is led elsewhere: where notices go is what the settings say.
        300..=399 => Err(Refused::NotNow { why: format!("{why}: redirects are not followed"), after }),
        410 => Err(Refused::Closed("it answers with status 410: it wants no more".to_owned())),
        429 | 502..=504 => Err(Refused::Away { why, after }),
        _ => Err(Refused::NotNow { why, after }),
    }
}

/// How long the other side asks us to wait (RFC 9110 section 10.2.3), in seconds; a date is not read.
fn retry_after(answer: &Response) -> Option<Span> {
    let said = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    said.trim().parse().ok().map(Span::from_secs)
}

async fn drain(mut answer: Response) -> Result<(), reqwest::Error> {
    let mut read = 0_usize;
    while let Some(chunk) = answer.chunk().await? {
        read = read.saturating_add(chunk.len());
        if read > MOST_ANSWER {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_taken_and_410_closes() {
        let of = |status: u16| taken(StatusCode::from_u16(status).unwrap(), Some(Span::from_secs(7)));
        assert_eq!((of(200), of(204), of(299)), (Ok(()), Ok(()), Ok(())));
        for status in [300, 302, 308, 400, 404, 500] {
            assert!(matches!(of(status), Err(Refused::NotNow { after: Some(_), .. })), "{status}");
        }
        for status in [429, 502, 503, 504] {
            assert!(matches!(of(status), Err(Refused::Away { after: Some(_), .. })), "{status}");
        }
        assert!(matches!(of(410), Err(Refused::Closed(_))));
    }

    #[test]
    fn a_webhook_goes_nowhere_it_should_not() {
        let secret = || vec![Secret::new(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_vec())];
        let made = |url: &str, private| {
            Hook::new(&HookSettings { url: url.to_owned(), secrets: secret(), private, ca_pem: None }).is_ok()
        };
        for (url, public, private) in [
            ("https://hooks.example.org/x", true, true),
            ("https://10.0.0.7/x", false, true),
            ("https://[fd00::7]/x", false, true),
            ("http://hooks.example.org/x", false, false),
            ("https://169.254.169.254/latest/meta-data", false, false),
            ("https://[64:ff9b::a9fe:a9fe]/latest", false, false),
            ("https://[::ffff:169.254.169.254]/latest", false, false),
            ("https://a:b@hooks.example.org/x", false, false),
            ("http://127.0.0.1:9/x", true, true),
        ] {
            assert_eq!((made(url, false), made(url, true)), (public, private), "{url}");
        }
        let none =
            HookSettings { url: "https://a.example/".to_owned(), secrets: Vec::new(), private: false, ca_pem: None };
        assert_eq!(Hook::new(&none).unwrap_err(), HookError::Secrets);
    }
}
