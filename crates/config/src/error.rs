//! What can be wrong with settings. All of it is told at once.

use std::fmt;
use std::path::PathBuf;

use crate::layer::Origin;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The file is no TOML.
    #[error("{origin}: {why}")]
    Syntax {
        /// Where.
        origin: Origin,
        /// What the parser said.
        why: String,
    },
    /// No such setting.
    #[error("{origin}: there is no setting `{key}`{}", nearest.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    Unknown {
        /// Where.
        origin: Origin,
        /// The name.
        key: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
    /// A value where a section belongs.
    #[error("{origin}: `{key}` is a section; write its settings as `{key}.…`")]
    NotASection {
        /// Where.
        origin: Origin,
        /// The section.
        key: String,
    },
    /// A table or list where one value belongs.
    #[error("{origin}: `{key}` is one value, not {got}")]
    Shape {
        /// Where.
        origin: Origin,
        /// The setting.
        key: String,
        /// What was there.
        got: &'static str,
    },
    /// A secret itself, where a reference to it belongs.
    #[error(
        "{origin}: `{key}` is a secret and is never written in settings; refer to it with `{{ file = \"…\" }}` or `{{ env = \"…\" }}`"
    )]
    InlineSecret {
        /// Where.
        origin: Origin,
        /// The setting.
        key: String,
    },
    /// A value that is none.
    #[error("{origin}: `{key}` is `{got}`; {want}")]
    Invalid {
        /// Where.
        origin: Origin,
        /// The setting.
        key: &'static str,
        /// What was there.
        got: String,
        /// What to write.
        want: String,
    },
    /// Settings that do not go together.
    #[error("{origin}: {why}")]
    Together {
        /// Where one of them came from.
        origin: Origin,
        /// Why not, and what to do.
        why: String,
    },
}

/// Everything that is wrong; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    /// One line each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if n == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
