//! A bucket of an object store that speaks the S3 API, where recordings lie once their sessions are over.
//!
//! Owns: what an object is called, that an object is never put over another, that what was put is read back,
//! reading it piece by piece, that it is gone once it was removed, and what an upload that was cut off left behind.
//! Refuses to know: which recordings go there and when, what is in them, whether they are as they were written:
//! whoever holds them against the log finds that out, whatever a store says.

mod http;
mod object;
mod put;
mod sweep;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStoreExt as _, RetryConfig};
use tokio::sync::Semaphore;
use wane_domain::canonical::Digest;
use wane_domain::id::{OrgId, SessionId};
use wane_failpoint::{around, point};

use http::{Answered, Why};

pub use http::{KeyPair, Keys};
pub use object::Object;

/// Objects that are read at once at most: each has a piece in memory, and a thread while it waits.
const MOST_READ: usize = 48;
/// What objects are called, after their session.
const SUFFIX: &str = "wane-recording";

/// How a bucket is reached.
#[derive(Clone, Debug)]
pub struct Reach {
    /// The URL of the store, without bucket and without a slash at the end.
    pub endpoint: String,
    /// The bucket.
    pub bucket: String,
    /// What names of objects begin with.
    pub prefix: String,
    /// The region requests are signed for.
    pub region: String,
    /// Where in a URL the bucket stands.
    pub addressing: Addressing,
    /// The authorities that are trusted, PEM; none for those of the system.
    pub ca: Option<Vec<u8>>,
    /// Whose recordings these are.
    pub org: OrgId,
}

/// Where in a URL the bucket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// First in the path.
    Path,
    /// In front of the host's name.
    Host,
}

/// What there is of a recording in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// How long it is.
    pub bytes: u64,
    /// SHA-256 of all of it, as it was read back.
    pub sha256: Digest,
}

/// Why something could not be done in a bucket.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    #[error("the object store cannot be reached, or does not answer: {0}")]
    Away(String),
    #[error(
        "the object store does not let this server in ({0}); look at `recording.store.access_key_id` and \
         `recording.store.secret_access_key`, and at what that key may do in the bucket"
    )]
    Denied(String),
    #[error("the object store has no bucket `{0}`; make it, or change `recording.store.bucket`")]
    NoBucket(String),
    #[error("the key to the object store cannot be read: {0}")]
    Keys(String),
    #[error("the object store cannot be used as it is set: {0}")]
    Settings(String),
    #[error("too many recordings are being read from the object store; try again in a moment")]
    Crowded,
    #[error(
        "the object `{0}` is in the bucket already and is not this recording; it is left as it is, and so is the file: \
         look who writes there, and move it away"
    )]
    Taken(String),
    #[error("the object `{0}` is still there after it was removed")]
    StillThere(String),
    #[error("the file of the recording cannot be read: {0}")]
    File(#[from] std::io::Error),
    #[error("the object store refused: {0}")]
    Refused(String),
}

impl BucketError {
    /// Whether the next object would meet the same.
    #[must_use]
    pub const fn is_about_all(&self) -> bool {
        match self {
            Self::Away(_) | Self::Denied(_) | Self::NoBucket(_) | Self::Keys(_) | Self::Settings(_) => true,
            Self::Crowded | Self::Taken(_) | Self::StillThere(_) | Self::File(_) | Self::Refused(_) => false,
        }
    }
}

/// The bucket.
pub struct Bucket {
    s3: Arc<AmazonS3>,
    http: reqwest::Client,
    name: String,
    prefix: String,
    reading: Arc<Semaphore>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("name", &self.name).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Bucket {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// When no request could be made this way.
    pub fn at(reach: &Reach, keys: Keys) -> Result<Self, BucketError> {
        let client = http::client(reach.ca.as_deref())?;
        let endpoint = match (reach.addressing, reach.endpoint.split_once("://")) {
            (Addressing::Host, Some((scheme, host))) => format!("{scheme}://{}.{host}", reach.bucket),
            (Addressing::Host | Addressing::Path, _) => reach.endpoint.clone(),
        };
        let s3 = AmazonS3Builder::new()
            .with_endpoint(endpoint)
            .with_virtual_hosted_style_request(reach.addressing == Addressing::Host)
            .with_bucket_name(&reach.bucket)
            .with_region(&reach.region)
            .with_credentials(Arc::new(http::Provider::new(keys)))
            // What must not be plain was refused where it was set.
            .with_client_options(ClientOptions::new().with_allow_http(true))
            .with_http_connector(http::Connector::new(client.clone()))
            .with_retry(RetryConfig {
                backoff: BackoffConfig { init_backoff: Duration::from_millis(100), ..BackoffConfig::default() },
                max_retries: 3,
                retry_timeout: Duration::from_secs(5),
            })
            .build()
            .map_err(|e| BucketError::Settings(e.to_string()))?;
        Ok(Self {
            s3: Arc::new(s3),
            http: client,
            name: reach.bucket.clone(),
            prefix: format!("{}/{}", reach.prefix, reach.org),
            reading: Arc::new(Semaphore::new(MOST_READ)),
        })
    }

    /// What the object of a session's recording is called: made of ids of ours alone, and always the same.
    #[must_use]
    pub fn name_of(&self, session: SessionId) -> String {
        format!("{}/{session}.{SUFFIX}", self.prefix)
    }

    /// Removes an object, and looks whether it is gone. One that is not there is gone.
    ///
    /// # Errors
    /// When it cannot be removed, or is still there.
    pub async fn remove(&self, name: &str) -> Result<(), BucketError> {
        let path = Path::from(name);
        match around(point!("archive.bucket.remove"), self.s3.delete(&path)).await {
            Ok(()) => {}
            Err(error) => self.absent(error)?,
        }
        match self.first(&path, 1).await? {
            None => Ok(()),
            Some(_) => Err(BucketError::StillThere(name.to_owned())),
        }
    }

    /// Takes it that an object is not there; every other error stays one.
    fn absent(&self, error: object_store::Error) -> Result<(), BucketError> {
        match self.told(error) {
            Told::Missing => Ok(()),
            Told::Exists => Err(BucketError::Refused("it says that something exists".to_owned())),
            Told::Failed(error) => Err(error),
        }
    }

    fn failed(&self, error: object_store::Error) -> BucketError {
        match self.told(error) {
            Told::Missing => BucketError::Refused("it says that there is no such object".to_owned()),
            Told::Exists => BucketError::Refused("it says that something exists".to_owned()),
            Told::Failed(error) => error,
        }
    }

    /// What a store meant. A bucket that is gone must never pass for an object that is.
    fn told(&self, error: object_store::Error) -> Told {
        let failed = |error| Told::Failed(error);
        let Answered { status, code, text } = match http::why(&error) {
            Why::Answered(answered) => answered,
            Why::NoKeys(why) => return failed(BucketError::Keys(why)),
            Why::NoAnswer(why) => return failed(BucketError::Away(why)),
        };
        match (status, code.as_str()) {
            (404, "NoSuchKey" | "NoSuchUpload") => Told::Missing,
            (409 | 412, _) => Told::Exists,
            _ => failed(self.refused(status, &code, text)),
        }
    }

    fn refused(&self, status: u16, code: &str, text: String) -> BucketError {
        match (status, code) {
            (_, "NoSuchBucket") => BucketError::NoBucket(self.name.clone()),
            (401 | 403, _) | (400, "ExpiredToken" | "InvalidToken") => BucketError::Denied(text),
            (300..=399, _) | (400, "AuthorizationHeaderMalformed") => BucketError::Settings(format!(
                "{text}; look at `recording.store.region` and `recording.store.endpoint`"
            )),
            (408 | 429 | 500 | 502..=599, _) => BucketError::Away(text),
            _ => BucketError::Refused(text),
        }
    }
}

enum Told {
    Missing,
    Exists,
    Failed(BucketError),
}

/// The most that is repeated of what a store says.
const MOST_SAID: usize = 300;

/// What is at the bottom of an error: the rest is about the way there.
fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    bounded(&deepest.to_string())
}

fn bounded(text: &str) -> String {
    text.chars().take(MOST_SAID).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
