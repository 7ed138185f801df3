//! The job that a command is run in: begun with a token of its issuer, kept up while the command runs, and over with it.
//!
//! Nothing is kept that another could begin with: the token is good for one job, and what the server answers with is in
//! memory only.

use std::convert::Infallible;
use std::future::pending;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use wane_api::SecretText;
use wane_api::workload::NewJob;
use wane_client::{Bearer, Client, runner_token};

use crate::access::Session;
use crate::exit::{Exit, Stop};

/// The most a token may weigh.
const LONGEST_TOKEN: usize = 64 * 1024;

/// Where the token of a job comes from.
pub(super) enum Source {
    /// A file, as a cluster puts it into a pod; it is read when it is needed.
    File(PathBuf),
    /// A variable, as GitLab sets it.
    Said(SecretText),
    /// A runner of GitHub Actions, which makes one when asked.
    Runner { at: String, bearer: SecretText },
}

impl Source {
    /// The one there is, if this runs in a job. A session that was said has the first word.
    pub(super) fn find(s: &Session) -> Option<Self> {
        if s.is_told_token() {
            return None;
        }
        if let Some(path) = s.var("WANE_ID_TOKEN_FILE") {
            return Some(Self::File(path.into()));
        }
        if let Some(token) = s.var("WANE_ID_TOKEN") {
            return Some(Self::Said(SecretText::new(token)));
        }
        let (at, bearer) = (s.var("ACTIONS_ID_TOKEN_REQUEST_URL")?, s.var("ACTIONS_ID_TOKEN_REQUEST_TOKEN")?);
        Some(Self::Runner { at, bearer: SecretText::new(bearer) })
    }

    async fn token(self, s: &Session, audience: &str) -> Result<SecretText, Stop> {
        let text = match self {
            Self::File(path) => String::from_utf8(s.read(&path)?)
                .map_err(|_| Stop::usage(format!("`{}` holds no token", path.display())))?,
            Self::Said(token) => return Ok(token),
            Self::Runner { at, bearer } => {
                let asked = runner_token(&at, Bearer::new(bearer), audience);
                return Ok(s.out.busy("the runner is asked for a token", asked).await?);
            }
        };
        let text = text.trim();
        if text.is_empty() || text.len() > LONGEST_TOKEN {
            return Err(Stop::usage("the file of WANE_ID_TOKEN_FILE holds no token"));
        }
        Ok(SecretText::new(text.to_owned()))
    }
}

/// A job that goes on.
pub(super) struct Job {
    client: Client,
    silence: Duration,
    until: Timestamp,
}

impl Job {
    /// Begins one; from now on the session speaks as it.
    pub(super) async fn begin(source: Source, workload: Option<String>, s: &Session) -> Result<Self, Stop> {
        let nobody = s.nobody()?;
        let audience = s.var("WANE_AUDIENCE").unwrap_or_else(|| nobody.server().to_owned());
        let token = source.token(s, &audience).await?;
        let begun = s.out.busy("the job begins", nobody.begin_job(&NewJob { token, workload })).await?;
        let client = nobody.with_token(Some(Bearer::new(begun.token)));
        s.speak_as(client.clone())?;
        s.say(&format!("{} of {} began", begun.job, begun.workload));
        Ok(Self { client, silence: Duration::from_secs(begun.silence.secs), until: begun.until })
    }

    /// Says again and again that the job goes on. That it does not is told through `over`, once.
    pub(super) async fn beat(&self, s: &Session, over: &watch::Sender<Option<String>>) -> Infallible {
        let mut troubled = false;
        loop {
            tokio::time::sleep(self.silence / 4).await;
            let why = match self.client.beat().await.map_err(Stop::from) {
                Ok(_) => {
                    troubled = false;
                    continue;
                }
                Err(stop) if stop.exit == Exit::Refused => stop.message,
                Err(_) if s.now() >= self.until => "its time is up".to_owned(),
                Err(stop) => {
                    if !troubled {
                        s.say(&format!("the server cannot be told that the job goes on: {}", stop.message));
                    }
                    troubled = true;
                    continue;
                }
            };
            over.send_replace(Some(format!("the job is over: {why}")));
            return pending().await;
        }
    }

    /// Says that the job is over: everything that it holds ends. That it could not be said is no reason to fail: the
    /// server ends what nothing more is heard of.
    pub(super) async fn end(self, s: &Session) {
        match s.out.busy("the job ends", self.client.end_job()).await {
            Ok(over) if over.grants.is_empty() => s.say("the job is over; it held nothing any more"),
            Ok(over) => s.say(&format!("the job is over, and what it held ends: {}", over.grants.join(", "))),
            Err(error) => s.say(&format!(
                "the server could not be told that the job is over; what it holds ends once nothing is heard of it for {} s: {}",
                self.silence.as_secs(),
                Stop::from(error).message
            )),
        }
    }
}
