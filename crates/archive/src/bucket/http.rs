//! How requests leave: one HTTP client with our TLS and our patience, and keys that are read when they are needed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use object_store::ClientOptions;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use reqwest::Method;
use reqwest::header::{HeaderValue, IF_NONE_MATCH};
use reqwest::redirect::Policy;
use zeroize::Zeroizing;

use super::{BucketError, bounded, deepest, sweep};

/// For a connection; for each piece of an answer; for all of a request.
const CONNECT: Duration = Duration::from_secs(5);
const READ: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(300);

/// The most that is read of a refusal.
const MOST_LOOKED_AT: usize = 16 * 1024;

/// The id of an access key, and its secret.
pub struct KeyPair {
    /// Which key.
    pub id: String,
    /// Its secret.
    pub secret: Zeroizing<String>,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Where the access key is read; asked for each request, so that a new one is taken up by itself.
pub type Keys = Arc<dyn Fn() -> Result<KeyPair, String> + Send + Sync>;

pub(super) fn client(ca: Option<&[u8]>) -> Result<reqwest::Client, BucketError> {
    let mut builder = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .read_timeout(READ)
        .timeout(WHOLE)
        // A store that sends elsewhere would get the keys' signature and the recording there.
        .redirect(Policy::none())
        .no_proxy()
        .user_agent(concat!("wane/", env!("CARGO_PKG_VERSION")));
    if let Some(pem) = ca {
        let unusable = |why: String| BucketError::Settings(format!("`recording.store.ca` {why}"));
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|e| unusable(e.to_string()))?;
        if certificates.is_empty() {
            return Err(unusable("holds no certificate; give one in PEM form".to_owned()));
        }
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(|e| BucketError::Settings(deepest(&e)))
}

/// Reads the key for each request.
pub(super) struct Provider(Keys);

impl Provider {
    pub(super) fn new(keys: Keys) -> Self {
        Self(keys)
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Provider")
    }
}

/// The key could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NoKeys(String);

/// An answer that is a refusal: status, the word of the S3 API, and both with its message.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) text: String,
}

impl Answered {
    /// Out of what was sent, which is XML if it comes from such a store.
    pub(super) fn read(status: u16, body: &str) -> Self {
        let code = sweep::field(body, "Code").unwrap_or_default();
        let text = match (code.as_str(), sweep::field(body, "Message")) {
            ("", _) => format!("status {status}"),
            (code, None) => format!("status {status}, {code}"),
            (code, Some(message)) => format!("status {status}, {code}: {message}"),
        };
        Self { status, code: bounded(&code), text: bounded(&text) }
    }
}

/// Why a request came to nothing.
pub(super) enum Why {
    Answered(Answered),
    NoKeys(String),
    NoAnswer(String),
}

pub(super) fn why(error: &object_store::Error) -> Why {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(answered) = error.downcast_ref::<Answered>() {
            return Why::Answered(answered.clone());
        }
        if let Some(NoKeys(why)) = error.downcast_ref::<NoKeys>() {
            return Why::NoKeys(bounded(why));
        }
        next = error.source();
    }
    Why::NoAnswer(deepest(error))
}

#[async_trait]
impl CredentialProvider for Provider {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let KeyPair { id, secret } =
            (self.0)().map_err(|why| object_store::Error::Generic { store: "S3", source: Box::new(NoKeys(why)) })?;
        Ok(Arc::new(AwsCredential { key_id: id, secret_key: secret.as_str().to_owned(), token: None }))
    }
}

/// Hands out the one client.
#[derive(Debug)]
pub(super) struct Connector(reqwest::Client);

impl Connector {
    pub(super) fn new(client: reqwest::Client) -> Self {
        Self(client)
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(NeverOver(self.0.clone())))
    }
}

/// Completes no upload over an object that is there already, and says what a refusal says: the library keeps that to
/// itself.
///
/// INVARIANT: no request of ours replaces an object: one put carries `If-None-Match` from the library, and what
/// completes an upload in parts gets it here, for the library has no word for it (held by
/// `nothing_is_ever_put_over_an_object`). The header need not be signed.
#[derive(Debug)]
struct NeverOver(reqwest::Client);

#[async_trait]
impl HttpService for NeverOver {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let query = request.uri().query().unwrap_or_default();
        let completes = query.split('&').any(|part| part.starts_with("uploadId="));
        if completes && request.method() == Method::POST {
            request.headers_mut().insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        let answer = self.0.call(request).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status().as_u16();
        // What was not done may be asked for again at once.
        let kind =
            if matches!(status, 408 | 429 | 500 | 502..=599) { HttpErrorKind::Request } else { HttpErrorKind::Unknown };
        Err(HttpError::new(kind, Answered::read(status, &beginning(answer).await)))
    }
}

/// As much of an answer as is looked at.
async fn beginning(answer: HttpResponse) -> String {
    let mut stream = answer.into_body().bytes_stream();
    let mut bytes = Vec::new();
    while let Some(Ok(piece)) = stream.next().await {
        bytes.extend_from_slice(&piece);
        if bytes.len() > MOST_LOOKED_AT {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
