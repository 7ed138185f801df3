//! Carrying notices: mail over SMTP, signed webhooks over HTTPS.
//!
//! Owns: what goes over the wire and in which bounds, and what an answer means. Refuses to know: who is told what, when
//! anything is tried again, the store.

mod hook;
mod mail;

pub use hook::{Hook, HookError, HookSettings};
pub use mail::{Mail, MailError, MailSettings, Security, SmtpLogin};

use wane_domain::time::Span;

/// Why the other side did not take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It takes nothing now.
    Away {
        /// What was met.
        why: String,
        /// Not again before so long.
        after: Option<Span>,
    },
    /// It does not take this one now.
    NotNow {
        /// What was met.
        why: String,
        /// Not again before so long.
        after: Option<Span>,
    },
    /// It will never take this one.
    Never(String),
    /// It wants nothing any more.
    Closed(String),
}
