//! Answers in `application/scim+json`, and refusals as RFC 7644 section 3.12 has them.

use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use wane_app::AppError;
use wane_scim::{Refused, body};

const SCIM_JSON: &str = "application/scim+json";

/// A refusal on its way out.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    word: Option<&'static str>,
    pub(crate) detail: String,
    retry_after: Option<u64>,
}

impl Refusal {
    pub(crate) fn status(status: u16, detail: impl Into<String>) -> Self {
        Self { status, word: None, detail: detail.into(), retry_after: None }
    }

    pub(crate) fn body(&self) -> Value {
        body(self.status, self.word, &self.detail)
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let kind = refused.kind;
        Self { status: kind.status(), word: kind.word(), detail: refused.detail, retry_after: None }
    }
}

impl From<AppError> for Refusal {
    fn from(error: AppError) -> Self {
        let (detail, class) = (error.to_string(), error.class());
        match error {
            AppError::Scim(refused) => refused.into(),
            AppError::SignedOut => Self::status(401, "send `Authorization: Bearer` with the directory's token"),
            AppError::Closed { wait, .. } => {
                Self { retry_after: Some(wait.secs().max(1)), ..Self::status(429, "too many calls at once; go slower") }
            }
            AppError::Crowded => {
                Self { retry_after: Some(1), ..Self::status(429, "too many pushes wait for their turn; go slower") }
            }
            AppError::Taken(_) => Self { word: Some("uniqueness"), ..Self::status(409, detail) },
            AppError::Invalid { .. } => Self { word: Some("invalidValue"), ..Self::status(400, detail) },
            // What broke inside is for the server's own log; it may name things that callers may not know.
            AppError::Store(_) => {
                tracing::error!(error = %detail, "a directory's call failed");
                let said = "the store cannot be read or written now; send it again";
                Self { retry_after: Some(30), ..Self::status(503, said) }
            }
            _ => match class {
                wane_app::Class::Denied => Self::status(403, detail),
                wane_app::Class::Missing => Self::status(404, detail),
                wane_app::Class::Conflict => Self { retry_after: Some(1), ..Self::status(409, detail) },
                wane_app::Class::Busy => Self { retry_after: Some(1), ..Self::status(503, detail) },
                wane_app::Class::Invalid => Self::status(400, detail),
                wane_app::Class::Fault => {
                    tracing::error!(error = %detail, "a directory's call failed");
                    Self::status(500, "something broke inside; the server's log says what it was")
                }
            },
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = answer(self.status, &self.body());
        let headers = response.headers_mut();
        if self.status == 401 {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// An answer with a body.
pub(crate) fn answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(CONTENT_TYPE, HeaderValue::from_static(SCIM_JSON))], body.to_string()).into_response()
}

/// With the state it is in, and where it is.
pub(crate) fn at(mut response: Response, version: &str, location: Option<&str>) -> Response {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(version) {
        headers.insert(ETAG, value);
    }
    if let Some(value) = location.and_then(|location| HeaderValue::from_str(location).ok()) {
        headers.insert(LOCATION, value);
    }
    response
}
