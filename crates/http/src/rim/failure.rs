//! An error on its way out: always problem+json.

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use wane_api::problem::PROBLEM_JSON;
use wane_api::{Class, Problem};

/// An error on its way out.
#[derive(Debug)]
pub(crate) struct Failure {
    problem: Box<Problem>,
    /// Whole seconds after which trying again makes sense.
    retry_after: Option<u64>,
}

/// What a route gives back.
pub(crate) type Answer<T> = Result<T, Failure>;

impl Failure {
    /// A problem of a class.
    pub(crate) fn new(class: Class, code: &str, detail: impl Into<String>) -> Self {
        Problem::new(class, code, detail).into()
    }

    /// A problem with a more precise status.
    pub(crate) fn status(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Problem::with_status(status.as_u16(), code, detail).into()
    }

    /// One field of the input that is wrong.
    pub(crate) fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        let (field, problem) = (field.into(), problem.into());
        let detail = if field.is_empty() { problem.clone() } else { format!("`{field}` is off: {problem}") };
        Problem::new(Class::Invalid, "invalid", detail).field(field, problem).into()
    }

    /// With a wait after which trying again makes sense.
    pub(crate) fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl From<Failure> for Box<Problem> {
    fn from(failure: Failure) -> Self {
        failure.problem
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), retry_after: None }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(*self.problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
