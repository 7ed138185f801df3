//! Forms as OAuth has them: each parameter once, one without a value left out, one that is unknown ignored (RFC 6749,
//! section 3.2).

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;

use super::answer::Refusal;

const MOST: usize = 32;

/// What was sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    pub(crate) fn read(body: &[u8]) -> Result<Self, &'static str> {
        let mut read = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err("the form is not UTF-8");
            }
            if read.len() >= MOST {
                return Err("the form has too many parameters");
            }
            if read.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err("a parameter is sent twice; send each once");
            }
        }
        read.retain(|_, value| !value.is_empty());
        Ok(Self(read))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn need(&self, name: &'static str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::invalid(format!("send `{name}`")))
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Refusal::invalid("send `Content-Type: application/x-www-form-urlencoded`"));
        }
        // A token in an address stands in every log on the way.
        if request.uri().query().is_some_and(|query| !query.is_empty()) {
            return Err(Refusal::invalid("send parameters in the body, and none in the address"));
        }
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|_| Refusal::invalid("the body is longer than is taken, or broke off"))?;
        Self::read(&body).map_err(Refusal::invalid)
    }
}

/// A form, read for a fuzz target: its parameters.
#[must_use]
pub fn fuzzed(body: &[u8]) -> Option<BTreeMap<String, String>> {
    Form::read(body).ok().map(|form| form.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parameter_is_sent_once() {
        let read = |body: &str| Form::read(body.as_bytes());
        let form = read("token=a%2Eb&empty=&unknown=x+y").unwrap();
        assert_eq!((form.get("token"), form.get("empty"), form.get("unknown")), (Some("a.b"), None, Some("x y")));
        for bad in ["token=a&token=b", "token=a&token=a", "token=&token=a", "t=%ff", "%ff=t"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let many: String = (0..=MOST).map(|n| format!("p{n}=1&")).collect();
        assert!(read(&many).is_err());
    }
}
