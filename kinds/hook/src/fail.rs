//! Why something at a target was not done.

use wane_connector::{ConnectError, Target};

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fail {
    /// It does not answer, not in time, or not now: whether it was done is unknown.
    #[error("{0}")]
    Unreachable(String),
    /// It refuses our own credential, or is not who it should be.
    #[error("{0}")]
    Trust(String),
    /// It refuses what was asked of it, or answers something that cannot be understood.
    #[error("{0}")]
    Refused(String),
}

impl Fail {
    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }

    /// The same, said in other words.
    pub(crate) fn reworded(self, words: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Unreachable(why) => Self::Unreachable(words(why)),
            Self::Trust(why) => Self::Trust(words(why)),
            Self::Refused(why) => Self::Refused(words(why)),
        }
    }

    /// The same, as the contract has it.
    pub(crate) fn at(self, target: &Target<'_>) -> ConnectError {
        let target = target.resource.name.to_string();
        match self {
            Self::Unreachable(why) => ConnectError::Unreachable { target, why },
            Self::Trust(why) => ConnectError::Trust { target, why },
            Self::Refused(why) => ConnectError::Refused { target, why },
        }
    }
}

/// A text of somebody else's, short enough and plain enough to be told; nothing if there is nothing of it.
pub(crate) fn told(text: &str) -> Option<String> {
    const MOST: usize = 200;
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let short: String = text.trim().chars().take(MOST).map(plain).collect();
    (!short.is_empty()).then_some(short)
}

/// The same, unless a secret shows in it: then nobody is told.
pub(crate) fn told_without(text: &str, secrets: &[&str]) -> Option<String> {
    if secrets.iter().any(|secret| !secret.is_empty() && text.contains(secret)) {
        return None;
    }
    told(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_says_is_one_short_line_without_secrets() {
        assert_eq!(told("  "), None);
        assert_eq!(told("a\u{1b}[2Jb\nc").as_deref(), Some("a [2Jb c"));
        assert_eq!(told(&"x".repeat(5000)).unwrap().len(), 200);
        assert_eq!(told_without("the password s3cret is too short", &["s3cret"]), None);
        assert_eq!(told_without("too short", &["s3cret", ""]).as_deref(), Some("too short"));
    }
}
