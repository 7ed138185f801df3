//! One broken rule at one place.

use std::fmt;

/// Shown as `place: what is wrong and what to do (rule)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) rule: &'static str,
    pub(super) place: String,
    pub(super) message: String,
}

impl Finding {
    pub(super) fn new(rule: &'static str, place: impl Into<String>, message: String) -> Self {
        Self { rule, place: place.into(), message }
    }

    /// At a line of a file, counted from 1.
    pub(super) fn at(rule: &'static str, file: &str, line: usize, message: String) -> Self {
        Self::new(rule, format!("{file}:{line}"), message)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.place, self.message, self.rule)
    }
}
