//! A use-case's refusal as the error people and programs get: the one place where the two meet.

use wane_api::{Class, Problem};
use wane_app::AppError;
use wane_connector::{ConnectError, SignError};

use crate::rim::Failure;

/// Whole seconds to wait where the server is busy with itself.
const SOON: u64 = 1;
/// Whole seconds to wait where a person has to do something first.
const LATER: u64 = 30;

/// The contract's class for a use-case's.
const fn class(class: wane_app::Class) -> Class {
    match class {
        wane_app::Class::Denied => Class::Denied,
        wane_app::Class::Invalid => Class::Invalid,
        wane_app::Class::Missing => Class::Missing,
        wane_app::Class::Conflict => Class::Conflict,
        wane_app::Class::Busy => Class::Busy,
        wane_app::Class::Fault => Class::Fault,
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        let (class, code) = (class(error.class()), error.code());
        match error {
            AppError::SignedOut | AppError::BadSignIn | AppError::NotSignedIn(_) => {
                Problem::with_status(401, code, error.to_string()).into()
            }
            AppError::Closed { wait, .. } | AppError::TooOften { wait } => {
                let again = wait.secs().saturating_add(1);
                Self::from(Problem::with_status(429, code, error.to_string())).after(again)
            }
            AppError::TooMany { .. } | AppError::TooManyLeases { .. } => {
                Problem::with_status(429, code, error.to_string()).into()
            }
            AppError::Crowded | AppError::ClockBehind { .. } => Self::new(class, code, error.to_string()).after(SOON),
            AppError::EndedUnread | AppError::Afar | AppError::Unheard { .. } => {
                Self::new(class, code, error.to_string()).after(LATER)
            }
            AppError::Refused { reasons } => {
                let reasons = reasons.iter().map(ToString::to_string).collect::<Vec<_>>();
                let first = reasons.first().cloned().unwrap_or_else(|| "policy does not allow it".to_owned());
                Problem::new(class, code, first).because(reasons).into()
            }
            AppError::Policy { problems } => {
                let reasons = problems.iter().map(ToString::to_string).collect::<Vec<_>>();
                let detail = "the policy does not validate; nothing was changed";
                Problem::new(class, code, detail).because(reasons).into()
            }
            AppError::Invalid { field, why } => {
                let detail = format!("`{field}` is off: {why}");
                Problem::new(class, code, detail).field(field, why).into()
            }
            // What broke inside is for the server's own log; it may name things that callers may not know.
            AppError::Store(_) => {
                tracing::error!(code, error = %error, "a call failed");
                let detail = "the store cannot be read or written now, so nothing begins and nothing was handed out; what must end still ends, and the server's log says what is the matter";
                Self::new(class, code, detail).after(LATER)
            }
            AppError::Target(ConnectError::Sign(SignError::Away(why))) | AppError::Sign(SignError::Away(why)) => {
                tracing::error!(code, error = %why, "the signer cannot be asked");
                let detail = "the signer does not answer, so nothing that it signs is handed out; what must end still ends. See that `wane signer serve` runs; the server's log says what is the matter";
                Self::new(class, code, detail).after(LATER)
            }
            AppError::Target(ConnectError::Sign(SignError::TooMany { purpose, wait }))
            | AppError::Sign(SignError::TooMany { purpose, wait }) => {
                tracing::error!(code, purpose, "THE SIGNER SIGNS NO MORE WITH THIS KEY FOR NOW");
                let detail = "the signer has signed as often as it may in a minute, so nothing that it signs is handed out for now; what must end still ends. If nobody is in such a hurry, see the log: who asks?";
                Self::new(class, code, detail).after(wait.secs().saturating_add(1))
            }
            AppError::Unrecorded(why) => {
                tracing::error!(code, error = %why, "recordings cannot be used");
                let detail = "recordings cannot be written or read now; the server's log says why";
                Self::new(class, code, detail).after(LATER)
            }
            AppError::Seal(_) | AppError::Fault(_) => {
                tracing::error!(code, error = %error, "a call failed");
                let detail = "something broke inside; nothing was handed out, and the server's log says what it was";
                Self::new(class, code, detail)
            }
            AppError::NotAllowed { .. }
            | AppError::Missing { .. }
            | AppError::Scim(_)
            | AppError::Illegal(_)
            | AppError::Taken(_)
            | AppError::UsedUp(_)
            | AppError::Contended
            | AppError::HandedOut
            | AppError::AnswerLost
            | AppError::Target(_)
            | AppError::Sign(_) => Self::new(class, code, error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::response::IntoResponse;
    use wane_domain::decision::Why;
    use wane_domain::time::{Span, Time};

    use super::*;

    #[tokio::test]
    async fn each_refusal_has_its_status() {
        let canary = || "canary".to_owned();
        for (error, status, code) in [
            (AppError::SignedOut, 401, "signed-out"),
            (AppError::BadSignIn, 401, "bad-sign-in"),
            (AppError::Closed { until: Time::from_micros(0), wait: Span::from_secs(4) }, 429, "closed-for-now"),
            (AppError::Crowded, 503, "crowded"),
            (AppError::NotAllowed { what: "revoke" }, 403, "not-allowed"),
            (AppError::Refused { reasons: vec![Why::NoPath, Why::TicketNeeded] }, 403, "refused"),
            (AppError::missing("grant", "x"), 404, "missing"),
            (AppError::invalid("duration", "too long"), 422, "invalid"),
            (AppError::Policy { problems: Vec::new() }, 422, "policy-invalid"),
            (AppError::Taken("there".to_owned()), 409, "taken"),
            (AppError::Contended, 409, "contended"),
            (AppError::HandedOut, 409, "handed-out"),
            (AppError::AnswerLost, 409, "answer-lost"),
            (AppError::TooMany { have: 1, most: 1 }, 429, "too-many"),
            (AppError::TooManyLeases { have: 1, most: 1 }, 429, "too-many"),
            (AppError::TooOften { wait: Span::from_secs(4) }, 429, "too-often"),
            (AppError::Store(canary()), 503, "store"),
            (AppError::EndedUnread, 503, "ended-unread"),
            (AppError::Seal(canary()), 500, "seal"),
            (AppError::Fault(canary()), 500, "fault"),
        ] {
            let response = Failure::from(error).into_response();
            assert_eq!(response.status().as_u16(), status, "{code}");
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            assert_eq!(response.headers().contains_key("www-authenticate"), status == 401);
            assert_eq!(
                response.headers().contains_key("retry-after"),
                ["closed-for-now", "too-often", "crowded", "store", "ended-unread"].contains(&code),
                "{code}"
            );
            let body = to_bytes(response.into_body(), 65536).await.unwrap();
            let problem: Problem = serde_json::from_slice(&body).unwrap();
            assert_eq!((problem.status, problem.code.as_str()), (status, code));
            assert!(!problem.to_string().contains("canary"), "{code} tells what broke inside");
            assert_eq!(problem.reasons.len(), if code == "refused" { 2 } else { 0 });
        }
    }
}
