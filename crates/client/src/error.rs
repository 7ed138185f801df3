//! Why a call came to nothing, and what to do.

use std::error::Error;

use wane_api::{Class, Problem};

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server answered with an error.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// The server was not reached, or stopped answering.
    #[error("`{server}` {what}: {why}; {todo}")]
    Transport {
        /// Where it should be.
        server: String,
        /// What it did.
        what: &'static str,
        /// What was met.
        why: String,
        /// What to do next.
        todo: &'static str,
    },
    /// The answer is not what the contract says.
    #[error("`{server}` gave an answer this client does not read: {why}; check that both are of one version")]
    Decode {
        /// Who answered.
        server: String,
        /// What was met.
        why: String,
    },
    /// What the caller gave cannot be sent.
    #[error("{0}")]
    Input(String),
}

impl ClientError {
    /// The class of the error, for exit codes.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Problem(problem) => problem.class(),
            Self::Transport { .. } => Class::Busy,
            Self::Decode { .. } => Class::Fault,
            Self::Input(_) => Class::Invalid,
        }
    }

    /// The server's error, if that is what it is.
    #[must_use]
    pub const fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            Self::Transport { .. } | Self::Decode { .. } | Self::Input(_) => None,
        }
    }

    pub(crate) fn transport(server: &str, error: &reqwest::Error) -> Self {
        let why = root_of(error);
        let (what, todo) = if error.is_timeout() {
            ("did not answer in time", "try again, or check the server's log")
        } else if why.contains("certificate") {
            ("cannot be trusted", "give its CA certificate, or check that the address is right")
        } else if error.is_connect() {
            ("is not reachable", "check the address and that the server runs there")
        } else {
            ("broke off", "try again, or check the server's log")
        };
        Self::Transport { server: server.to_owned(), what, why, todo }
    }

    pub(crate) fn decode(server: &str, why: impl ToString) -> Self {
        Self::Decode { server: server.to_owned(), why: why.to_string() }
    }
}

/// The innermost cause: the outer ones only repeat the address.
fn root_of(error: &reqwest::Error) -> String {
    let mut at: &dyn Error = error;
    while let Some(inner) = at.source() {
        at = inner;
    }
    at.to_string()
}
