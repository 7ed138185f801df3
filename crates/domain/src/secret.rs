//! A secret handed over exactly once.

use std::fmt;

use zeroize::Zeroizing;

/// A secret on its way to its holder: no `Clone`, no `Serialize`, no comparison, `Debug` shows
/// nothing, wiped when dropped. Reading it consumes it.
///
/// ```compile_fail
/// let secret = wane_domain::secret::SecretOnce::new("s".to_owned());
/// let copy = secret.clone();
/// ```
/// ```compile_fail
/// let secret = wane_domain::secret::SecretOnce::new("s".to_owned());
/// serde_json::to_string(&secret).unwrap();
/// ```
/// ```compile_fail
/// let secret = wane_domain::secret::SecretOnce::new("s".to_owned());
/// secret.reveal(); secret.reveal();
/// ```
pub struct SecretOnce(Zeroizing<String>);

impl SecretOnce {
    /// Takes a secret over.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// Hands the secret over. There is no second time.
    #[must_use]
    pub fn reveal(self) -> Zeroizing<String> {
        self.0
    }
}

impl fmt::Debug for SecretOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretOnce(…)")
    }
}

/// A secret Wane itself needs again and again, such as a connector's own credential: not
/// `Clone`, not `Serialize`, `Debug` shows nothing, wiped when dropped.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes a secret over.
    #[must_use]
    pub fn new(secret: Vec<u8>) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The bytes, for the one call that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The secret as text, if it is UTF-8.
    #[must_use]
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let shown = format!("{:?} {:?}", SecretOnce::new("canary".into()), Secret::new(b"canary".to_vec()));
        assert!(!shown.contains("canary"));
    }
}
