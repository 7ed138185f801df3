//! Every setting with its value and where it came from, for `config explain`.

use std::fmt;

use crate::layer::Origin;

/// One setting as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Its dotted name.
    pub key: &'static str,
    /// Its value as text; empty when it is not set. Never a secret: those are only referred to.
    pub value: String,
    /// Where the value came from.
    pub origin: Origin,
    /// What it is for.
    pub doc: &'static str,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.value.is_empty() { "(not set)" } else { &self.value };
        write!(f, "{} = {value}  ({})\n    {}", self.key, self.origin, self.doc)
    }
}

/// All of them as text, two lines each.
pub(crate) fn render(all: &[Explained]) -> String {
    all.iter().map(|e| format!("{e}\n")).collect()
}
