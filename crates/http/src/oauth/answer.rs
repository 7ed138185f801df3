//! Refusals as RFC 6749, section 5.2, has them.

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use wane_app::{AppError, Class};

/// A refusal on its way out.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    word: &'static str,
    detail: String,
    retry_after: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, word: &'static str, detail: impl Into<String>) -> Self {
        Self { status, word, detail: detail.into(), retry_after: None }
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
    }

    /// Whoever calls is no resource server.
    pub(crate) fn client() -> Self {
        let detail = "send the resource's name and its credential as `Authorization: Basic`";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", detail)
    }

    /// What was to be exchanged is not good; never why.
    pub(crate) fn grant() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_grant", "the subject token is not good, or gives nothing here now")
    }
}

impl From<AppError> for Refusal {
    fn from(error: AppError) -> Self {
        let (detail, class) = (error.to_string(), error.class());
        // What a kind says of its input is named by the field first.
        let about = |field: &str| detail.strip_prefix(field).is_some_and(|rest| rest.starts_with(": "));
        match class {
            Class::Invalid if about("scope") => Self::new(StatusCode::BAD_REQUEST, "invalid_scope", detail),
            Class::Invalid if about("dpop") => Self::new(StatusCode::BAD_REQUEST, "invalid_dpop_proof", detail),
            Class::Invalid if about("within") => Self::grant(),
            Class::Invalid => Self::invalid(detail),
            Class::Missing => Self::new(StatusCode::BAD_REQUEST, "invalid_target", detail),
            Class::Denied if matches!(error, AppError::SignedOut) => Self::grant(),
            Class::Denied => Self::new(StatusCode::BAD_REQUEST, "access_denied", detail),
            Class::Conflict => Self::new(StatusCode::BAD_REQUEST, "invalid_grant", detail),
            Class::Busy => {
                tracing::warn!(error = %detail, "an OAuth call failed");
                let said = "this server cannot answer now; send it again";
                let refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", said);
                Self { retry_after: Some(1), ..refusal }
            }
            Class::Fault => {
                tracing::error!(error = %detail, "an OAuth call failed");
                let said = "something broke inside; the server's log says what it was";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", said)
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.word, "error_description": self.detail });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"wane\""));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
