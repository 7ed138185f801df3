//! One call: sent, bounded, its answer read.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wane_api::problem::PROBLEM_JSON;
use wane_api::{IDEMPOTENCY_KEY, Problem};

use crate::connect::{Bearer, Client};
use crate::error::ClientError;

/// The most an answer may weigh.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;
/// How long a call may take, answer included; the server gives up after 30 s.
pub(crate) const LONGEST_CALL: Duration = Duration::from_secs(45);

impl Client {
    /// Reads. `query` is `&()` where there is nothing to say.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &(impl Serialize + Sync),
    ) -> Result<T, ClientError> {
        let request = self.http.get(self.url(path)?).query(query);
        self.decode(&self.call_bytes(request.timeout(LONGEST_CALL), self.token.as_ref()).await?)
    }

    /// Asks with a body. Nothing changes by it, so there is no key under which it would be done once.
    pub(crate) async fn question<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &(impl Serialize + Sync),
    ) -> Result<T, ClientError> {
        let request = self.http.post(self.url(path)?).header(CONTENT_TYPE, "application/json").body(encode(body)?);
        self.decode(&self.call_bytes(request.timeout(LONGEST_CALL), self.token.as_ref()).await?)
    }

    /// Writes, and reads what came of it.
    pub(crate) async fn write<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: &(impl Serialize + Sync),
    ) -> Result<T, ClientError> {
        let bytes = self.write_bytes(method, self.url(path)?, Some(encode(body)?), self.token.as_ref()).await?;
        self.decode(&bytes)
    }

    /// Writes where nothing is answered but that it was done.
    pub(crate) async fn write_only(
        &self,
        method: Method,
        path: &[&str],
        body: Option<Vec<u8>>,
    ) -> Result<(), ClientError> {
        self.write_bytes(method, self.url(path)?, body, self.token.as_ref()).await.map(drop)
    }

    /// One call that no method here stands for: `path` is as in the contract (`/v1/…`), the bearer in
    /// place of one's own if given. An empty answer reads `null`.
    ///
    /// # Errors
    /// As every call.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        bearer: Option<&Bearer>,
        body: Option<&serde_json::Value>,
    ) -> Result<serde_json::Value, ClientError> {
        let segments = path.strip_prefix('/').unwrap_or(path).split('/').collect::<Vec<_>>();
        let url = self.url(&segments)?;
        let bearer = bearer.or(self.token.as_ref());
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| ClientError::Input(format!("`{method}` is no HTTP method")))?;
        let bytes = if method == Method::GET {
            self.call_bytes(self.http.get(url).timeout(LONGEST_CALL), bearer).await?
        } else {
            self.write_bytes(method, url, body.map(encode).transpose()?, bearer).await?
        };
        if bytes.is_empty() { Ok(serde_json::Value::Null) } else { self.decode(&bytes) }
    }

    async fn write_bytes(
        &self,
        method: Method,
        url: Url,
        body: Option<Vec<u8>>,
        bearer: Option<&Bearer>,
    ) -> Result<Vec<u8>, ClientError> {
        let mut request = self.http.request(method, url).header(IDEMPOTENCY_KEY, (self.keys)()).timeout(LONGEST_CALL);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        // A connection that broke off says nothing about whether the write was done. The key makes
        // asking again safe: the server answers what it answered, or refuses to hand out a secret twice.
        let again = request.try_clone();
        match (self.call_bytes(request, bearer).await, again) {
            (Err(ClientError::Transport { what: "broke off", .. }), Some(again)) => {
                self.call_bytes(again, bearer).await
            }
            (answer, _) => answer,
        }
    }

    async fn call_bytes(&self, request: RequestBuilder, bearer: Option<&Bearer>) -> Result<Vec<u8>, ClientError> {
        let response = self.open(request.header(ACCEPT, "application/json"), bearer).await?;
        self.read(response).await
    }

    /// Sends and returns a response that is a success.
    pub(crate) async fn open(
        &self,
        mut request: RequestBuilder,
        bearer: Option<&Bearer>,
    ) -> Result<Response, ClientError> {
        if let Some(bearer) = bearer {
            let mut value = HeaderValue::from_str(&bearer.header())
                .map_err(|_| ClientError::Input("the session is not usable; sign in again".to_owned()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let response = request.send().await.map_err(|e| ClientError::transport(self.server(), &e))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let is_problem =
            response.headers().get(CONTENT_TYPE).is_some_and(|v| v.as_bytes().starts_with(PROBLEM_JSON.as_bytes()));
        let body = self.read(response).await?;
        let problem = is_problem.then(|| serde_json::from_slice::<Problem>(&body).ok()).flatten();
        Err(ClientError::Problem(Box::new(problem.unwrap_or_else(|| {
            let detail =
                format!("`{}` answered {status}, which is not an answer of Wane; check the address", self.server());
            Problem::with_status(status.as_u16(), "not-wane", detail)
        }))))
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| ClientError::transport(self.server(), &e))? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(ClientError::decode(self.server(), "it is longer than 16 MiB"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// What an answer says that is a success.
    pub(crate) async fn answer<T: DeserializeOwned>(&self, response: Response) -> Result<T, ClientError> {
        self.decode(&self.read(response).await?)
    }

    fn decode<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(body).map_err(|e| ClientError::decode(self.server(), e))
    }
}

pub(crate) fn encode(body: &impl Serialize) -> Result<Vec<u8>, ClientError> {
    serde_json::to_vec(body).map_err(|e| ClientError::Input(format!("the input has no JSON form: {e}")))
}
