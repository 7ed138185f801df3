//! How a command can come out, as published exit codes, and why one stopped short.

use std::fmt::Write as _;

use wane_api::{Class, Problem};
use wane_client::ClientError;

/// How a command came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Failed, here or on the server.
    Failed,
    /// The command line, or what was sent, is off.
    Usage,
    /// Denied, not allowed, not signed in, or the access ended.
    Refused,
    /// Not there, or not for this person to know about.
    Missing,
    /// It does not fit how things stand.
    Conflict,
    /// The request waits for approval.
    Waiting,
    /// The server was not reached, or is too busy.
    Unreachable,
    /// The server was reached, the resource was not.
    TargetUnreachable,
    /// Somebody has left, and not all that they held is over yet.
    Owed,
    /// Interrupted.
    Interrupted,
    /// What the command that was run came out as: its own exit code, or 128 and its signal.
    Child(u8),
}

/// Every exit code of our own, its word and what it means; the table of the reference.
pub(crate) const CODES: [(Exit, &str); 11] = [
    (Exit::Done, "done"),
    (Exit::Failed, "failed, here or on the server"),
    (Exit::Usage, "the command line, or what was sent, is off"),
    (Exit::Refused, "refused: denied, not allowed, not signed in, or the access has ended"),
    (Exit::Missing, "not found, or not for you to know about"),
    (Exit::Conflict, "does not fit how things stand: already decided, already ended, name taken"),
    (Exit::Waiting, "the request stands and waits for approval, also after waiting for as long as was said"),
    (Exit::Unreachable, "the server was not reached, or is too busy"),
    (Exit::TargetUnreachable, "the server was reached, the resource was not"),
    (Exit::Owed, "somebody has left, and an end of something that they held is still owed"),
    (Exit::Interrupted, "interrupted (Ctrl-C)"),
];

impl Exit {
    /// The exit code of the process.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Missing => 4,
            Self::Conflict => 5,
            Self::Waiting => 6,
            Self::Unreachable => 7,
            Self::TargetUnreachable => 8,
            Self::Owed => 9,
            Self::Interrupted => 130,
            Self::Child(code) => code as i32,
        }
    }

    fn of_problem(problem: &Problem) -> Self {
        match problem.code.as_str() {
            "target-unreachable" | "target-busy" => return Self::TargetUnreachable,
            _ => {}
        }
        match problem.class() {
            Class::Denied => Self::Refused,
            Class::Invalid => Self::Usage,
            Class::Missing => Self::Missing,
            Class::Conflict => Self::Conflict,
            Class::Busy => Self::Unreachable,
            Class::Fault => Self::Failed,
        }
    }
}

/// The table of exit codes as text.
pub(crate) fn table_of_codes() -> String {
    let mut text = String::new();
    for (exit, meaning) in CODES {
        let _ = writeln!(text, "  {:>3}  {meaning}", exit.code());
    }
    text.push_str("\n`wane exec`, `wane ssh` and their like come out as the command they ran did.\n");
    text
}

/// Why a command stopped short: what to say, what to do about it, and the exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Stop {
    /// How the command comes out.
    pub exit: Exit,
    /// What is the matter. May hold text from elsewhere; it is escaped when shown.
    pub message: String,
    /// What to do next, where the message does not say.
    pub todo: Option<String>,
    /// The server's own words, for `--json`.
    pub problem: Option<Box<Problem>>,
}

impl Stop {
    /// Stops with a message.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), todo: None, problem: None }
    }

    /// The command line is off.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Something failed.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Says what to do next.
    #[must_use]
    pub fn todo(mut self, todo: impl Into<String>) -> Self {
        self.todo = Some(todo.into());
        self
    }
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Problem(problem) => {
                let stop = Self::new(Exit::of_problem(&problem), problem.to_string());
                let todo = advice(&problem);
                Self { todo: todo.map(str::to_owned), problem: Some(problem), ..stop }
            }
            ClientError::Transport { server, what, why, todo } => {
                Self::new(Exit::Unreachable, format!("`{server}` {what}: {why}")).todo(todo)
            }
            error @ ClientError::Decode { .. } => Self::failed(error.to_string()),
            error @ ClientError::Input(_) => Self::usage(error.to_string()),
        }
    }
}

/// What to do about a problem where its own words are the same for every client.
fn advice(problem: &Problem) -> Option<&'static str> {
    match (problem.status, problem.class()) {
        (401, _) => Some("sign in with `wane login`"),
        (_, Class::Denied) => Some("`wane why ROLE@RESOURCE` says what is missing; `wane me` says who you are"),
        (_, Class::Missing) => Some("check the spelling; a listing shows what you may see"),
        (_, Class::Conflict) => Some("look at how it stands now, then try again"),
        (_, Class::Busy) => Some("try again in a moment"),
        (_, Class::Fault) => Some("the server's log says more"),
        (_, Class::Invalid) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_error_has_its_exit_code() {
        let problem =
            |status, code: &str| ClientError::Problem(Box::new(Problem::with_status(status, code, "it is off")));
        for (error, code) in [
            (problem(401, "not-signed-in"), 3),
            (problem(403, "not-allowed"), 3),
            (problem(404, "no-such-grant"), 4),
            (problem(410, "gone"), 4),
            (problem(409, "already-decided"), 5),
            (problem(412, "stale"), 5),
            (problem(400, "bad-json"), 2),
            (problem(422, "bad-input"), 2),
            (problem(429, "too-many"), 7),
            (problem(503, "busy"), 7),
            (problem(503, "target-unreachable"), 8),
            (problem(502, "target-unreachable"), 8),
            (problem(500, "fault"), 1),
            (
                ClientError::Transport {
                    server: "https://h".to_owned(),
                    what: "is not reachable",
                    why: "connection refused".to_owned(),
                    todo: "check the address",
                },
                7,
            ),
            (ClientError::Decode { server: "https://h".to_owned(), why: "x".to_owned() }, 1),
            (ClientError::Input("x".to_owned()), 2),
        ] {
            let said = error.to_string();
            assert_eq!(Stop::from(error).exit.code(), code, "{said}");
        }
    }

    #[test]
    fn codes_are_told_apart() {
        let codes = CODES.map(|(exit, _)| exit.code());
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130]);
        assert_eq!(Exit::Child(255).code(), 255);
    }
}
