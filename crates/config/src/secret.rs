//! References to secrets. The secret itself is never part of the settings.

use std::fmt;
use std::path::PathBuf;

/// Where a secret is to be read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// A file; one line feed at its end is not part of the secret.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// Why a secret could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret in `{}`: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The environment variable is not set.
    #[error("the environment variable `{0}` is not set; it is to hold a secret")]
    Unset(String),
    /// There is nothing in it.
    #[error("the secret in {0} is empty")]
    Empty(SecretRef),
}

impl SecretRef {
    /// Reads it, with `env` to look environment variables up. The caller wraps it in a type that forgets.
    ///
    /// # Errors
    /// When it is not there or empty.
    pub fn read(&self, env: impl FnOnce(&str) -> Option<String>) -> Result<String, SecretError> {
        let mut text = match self {
            Self::File(path) => std::fs::read_to_string(path)
                .map_err(|e| SecretError::Unreadable { path: path.clone(), why: e.to_string() })?,
            Self::Env(name) => env(name).ok_or_else(|| SecretError::Unset(name.clone()))?,
        };
        if matches!(self, Self::File(_)) && text.ends_with('\n') {
            text.pop();
        }
        if text.is_empty() { Err(SecretError::Empty(self.clone())) } else { Ok(text) }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file `{}`", path.display()),
            Self::Env(name) => write!(f, "environment variable `{name}`"),
        }
    }
}
