//! One call over HTTP and its answer: how our credential goes with it, in which bounds it is read, and what its status says
//! about us rather than about what was asked for.
//!
//! Owns: sending by the guarded client of `wane-egress`, which looks a name up once, checks it, follows nothing. Refuses to
//! know: what is asked for.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Client, Method, RequestBuilder, Response, Url};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use wane_domain::secret::Secret;
use wane_egress::{Reach, told};
use zeroize::{Zeroize as _, Zeroizing};

use crate::auth::{Auth, headers_of};
use crate::call::Filled;
use crate::fail::{Fail, told_without};
use crate::settings::Place;
use crate::text::Values;

/// The most that is read of one answer.
pub(crate) const MOST_ANSWER: usize = 4 * 1024 * 1024;
/// How many clients are kept: one for each place with its authorities.
const MOST_CLIENTS: usize = 64;

/// The clients, each with its connections.
#[derive(Debug, Default)]
pub(crate) struct Clients(Mutex<HashMap<[u8; 32], Client>>);

impl Clients {
    /// The client of a place.
    pub(crate) fn of(&self, place: &Place) -> Result<Client, Fail> {
        let mut digest = Sha256::new();
        digest.update(place.url.origin().ascii_serialization());
        digest.update([0]);
        digest.update(place.ca_pem.as_deref().unwrap_or_default());
        let key: [u8; 32] = digest.finalize().into();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = kept.get(&key) {
            return Ok(client.clone());
        }
        let reach = Reach::of(&place.url, Reach::Away);
        // INVARIANT: nothing is called that may not be (held by `nothing_is_called_that_may_not_be`).
        if !reach.allows(&place.url) {
            return Err(Fail::refused("its `url` may not be called"));
        }
        let client = reach.client(place.ca_pem.as_deref().map(str::as_bytes));
        let client = client.map_err(|e| Fail::refused(e.to_string()))?;
        if kept.len() >= MOST_CLIENTS {
            kept.clear();
        }
        kept.insert(key, client.clone());
        Ok(client)
    }
}

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    media: String,
    location: Option<String>,
    body: Zeroizing<Vec<u8>>,
}

/// The headers that show our credential.
pub(crate) fn credentials(
    auth: Option<&Auth>,
    credential: Option<&Secret>,
    parameters: &Map<String, Value>,
) -> Result<HeaderMap, Fail> {
    let mut out = HeaderMap::new();
    let (Some(auth), Some(credential)) = (auth, credential) else { return Ok(out) };
    let text = credential.expose_str().ok_or_else(|| Fail::Trust("our credential is no text".to_owned()))?;
    let mut put = |name: HeaderName, value: &str| -> Result<(), Fail> {
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| Fail::Trust("our credential cannot stand in a header".to_owned()))?;
        value.set_sensitive(true);
        out.insert(name, value);
        Ok(())
    };
    let named = |name: &str| HeaderName::from_bytes(name.as_bytes()).map_err(|e| Fail::refused(e.to_string()));
    match auth {
        Auth::Header { name, prefix } => put(named(name)?, &Zeroizing::new(format!("{prefix}{text}")))?,
        Auth::Basic { user } => {
            let pair = match user {
                Some(user) => Zeroizing::new(format!("{}:{text}", user.plain(&Values::of(parameters))?)),
                None => Zeroizing::new(text.to_owned()),
            };
            let encoded = Zeroizing::new(data_encoding::BASE64.encode(pair.as_bytes()));
            put(AUTHORIZATION, &Zeroizing::new(format!("Basic {}", encoded.as_str())))?;
        }
        Auth::Headers { names } => {
            for (name, mut value) in headers_of(names, text).map_err(Fail::Trust)? {
                put(named(&name)?, &value)?;
                value.zeroize();
            }
        }
    }
    Ok(out)
}

/// Sends a filled call.
pub(crate) async fn send(http: &Client, filled: Filled, credential: HeaderMap) -> Result<Answer, Fail> {
    let Filled { method, url, headers, body } = filled;
    let mut request = http.request(method, url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request = request.headers(credential);
    if let Some((media, bytes)) = body {
        request = request.header(CONTENT_TYPE, media).body(bytes.to_vec());
    }
    answer(request).await
}

/// Sends a JSON document by POST.
pub(crate) async fn post(http: &Client, url: &Url, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, Fail> {
    let request = http.request(Method::POST, url.clone()).headers(headers);
    answer(request.header(CONTENT_TYPE, "application/json").body(body)).await
}

async fn answer(request: RequestBuilder) -> Result<Answer, Fail> {
    let away = |e: &reqwest::Error| Fail::Unreachable(told(e));
    let met = request.header("accept", "application/json").send().await.map_err(|e| away(&e))?;
    let text = |name| met.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (status, media, location) = (met.status().as_u16(), text(CONTENT_TYPE).unwrap_or_default(), text(LOCATION));
    Ok(Answer { status, media, location, body: read(met).await? })
}

async fn read(mut met: Response) -> Result<Zeroizing<Vec<u8>>, Fail> {
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = met.chunk().await.map_err(|e| Fail::Unreachable(told(&e)))? {
        if body.len().saturating_add(chunk.len()) > MOST_ANSWER {
            return Err(Fail::Unreachable(format!("its answer is larger than {MOST_ANSWER} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl Answer {
    fn media(&self) -> String {
        self.media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    fn is_json(&self) -> bool {
        let media = self.media();
        media == "application/json" || media.ends_with("+json")
    }

    /// Whether it is a page, of whoever stands in front: an API says nothing, or JSON.
    pub(crate) fn is_a_page(&self) -> bool {
        !self.media().is_empty() && !self.is_json()
    }

    /// The document.
    pub(crate) fn json(&self) -> Result<Value, Fail> {
        if !self.is_json() {
            let media = self.media();
            let media = if media.is_empty() {
                "no media type".to_owned()
            } else {
                format!("`{}`", crate::settings::short(&media))
            };
            return Err(Fail::refused(format!(
                "it answers with status {} and {media}, and not with JSON",
                self.status
            )));
        }
        serde_json::from_slice(&self.body)
            .map_err(|e| Fail::refused(format!("it answers with status {} and what is no JSON: {e}", self.status)))
    }

    /// The last part of the path in `Location`.
    pub(crate) fn located(&self) -> Option<String> {
        let path = self.location.as_deref()?.split(['?', '#']).next()?;
        let last = path.trim_end_matches('/').rsplit('/').next()?;
        let decoded = percent_encoding::percent_decode_str(last).decode_utf8().ok()?;
        (!decoded.is_empty()).then(|| decoded.into_owned())
    }

    /// What a status means that the declaration gives no meaning.
    pub(crate) fn refusal(&self, secrets: &[&str]) -> Fail {
        let words = self.words(secrets).map(|words| format!(", saying: {words}")).unwrap_or_default();
        let page = if self.is_a_page() { " and a page that is no JSON" } else { "" };
        let why = format!("it answers with status {}{page}{words}", self.status);
        match self.status {
            401 | 403 | 407 => Fail::Trust(why),
            300..=399 => Fail::Refused(format!("{why}; redirects are not followed")),
            408 | 425 | 429 | 502..=504 => Fail::Unreachable(why),
            _ => Fail::Refused(why),
        }
    }

    /// What it says about why, where one usually does.
    fn words(&self, secrets: &[&str]) -> Option<String> {
        const PLACES: [&str; 8] =
            ["/message", "/error", "/error/message", "/reason", "/detail", "/errors/0/message", "/errors/0", "/msg"];
        let document: Value = serde_json::from_slice(&self.body).ok()?;
        let words = PLACES.iter().find_map(|place| document.pointer(place).and_then(Value::as_str))?;
        told_without(words, secrets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, media: &str, body: &str) -> Answer {
        let body = Zeroizing::new(body.as_bytes().to_vec());
        Answer { status, media: media.to_owned(), location: None, body }
    }

    #[test]
    fn nothing_is_called_that_may_not_be() {
        let clients = Clients::default();
        for url in
            ["http://tickets.example.org/", "https://169.254.169.254/", "https://u:p@a.example/", "ftp://a.example/"]
        {
            let place = Place { url: url.parse().unwrap(), ca_pem: None };
            assert!(clients.of(&place).is_err(), "{url}");
        }
    }

    #[test]
    fn only_json_is_read() {
        for (media, body, good) in [
            ("application/json", "{}", true),
            ("application/json; charset=utf-8", "[1]", true),
            ("application/problem+json", "{}", true),
            ("text/html", "{}", false),
            ("", "{}", false),
            ("application/json", "<html>", false),
            ("application/json", "", false),
            ("application/jsonx", "{}", false),
        ] {
            assert_eq!(answered(200, media, body).json().is_ok(), good, "{media} {body}");
        }
        let deep = "[".repeat(100_000);
        assert!(answered(200, "application/json", &deep).json().is_err());
    }

    #[test]
    fn what_an_api_says_is_json_or_nothing_and_all_else_is_a_page() {
        for (media, page) in [
            ("text/html", true),
            ("text/plain; charset=utf-8", true),
            ("application/jsonx", true),
            ("", false),
            (" ; charset=utf-8", false),
            ("Application/JSON; charset=utf-8", false),
            ("application/problem+json", false),
        ] {
            assert_eq!(answered(404, media, "").is_a_page(), page, "{media}");
        }
        assert!(answered(404, "text/html", "").refusal(&[]).to_string().contains("404 and a page"));
    }

    #[test]
    fn a_status_says_whose_trouble_it_is_and_tells_no_secret() {
        let of = |status, body: &str| answered(status, "application/json", body).refusal(&["s3cret"]);
        assert!(matches!(of(401, "{}"), Fail::Trust(_)) && matches!(of(403, "{}"), Fail::Trust(_)));
        assert!(matches!(of(503, "{}"), Fail::Unreachable(_)) && matches!(of(429, "{}"), Fail::Unreachable(_)));
        assert!(matches!(of(500, "{}"), Fail::Refused(_)) && matches!(of(422, "{}"), Fail::Refused(_)));
        assert!(of(302, "{}").to_string().contains("not followed"));
        assert!(of(422, r#"{"message":"too short"}"#).to_string().contains("too short"));
        assert!(!of(422, r#"{"message":"s3cret is too short"}"#).to_string().contains("s3cret"));
    }

    #[test]
    fn an_id_in_a_location_is_its_last_part() {
        let of = |location: &str| {
            let mut answer = answered(201, "", "");
            answer.location = Some(location.to_owned());
            answer.located()
        };
        assert_eq!(of("https://a.example/users/7f%2F3?x=1").as_deref(), Some("7f/3"));
        assert_eq!(of("/users/9/").as_deref(), Some("9"));
        assert_eq!(of(""), None);
    }
}
