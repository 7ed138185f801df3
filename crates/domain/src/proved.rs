//! How somebody proved who they are, and how much that is worth.

use serde::{Deserialize, Serialize};

/// How somebody proved who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProvedBy {
    /// A password and a six-digit code, to us.
    PasswordAndCode,
    /// A passkey of theirs, unlocked by them.
    Passkey,
    /// One of the codes they kept for the day they lose the rest.
    RecoveryCode,
    /// A provider says so.
    Provider {
        /// Which: its issuer identifier.
        issuer: String,
        /// Who they are there.
        subject: String,
        /// The provider's session, if it named one: when that ends, so does ours.
        session: Option<String>,
        /// What of it the provider vouches for.
        strength: Strength,
    },
    /// An issuer says of the job of a workload what it is.
    Job,
}

/// What a provider vouches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// That it was them.
    Plain,
    /// That they showed several things.
    SeveralFactors,
    /// That nothing they showed can be shown to somebody else by mistake.
    PhishingResistant,
}

impl ProvedBy {
    /// The word policies read: `context.proof`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::PasswordAndCode => "password+totp",
            Self::Passkey => "passkey",
            Self::RecoveryCode => "recovery-code",
            Self::Provider { strength: Strength::Plain, .. } => "oidc",
            Self::Provider { strength: Strength::SeveralFactors, .. } => "oidc+mfa",
            Self::Provider { strength: Strength::PhishingResistant, .. } => "oidc+phishing-resistant",
            Self::Job => "workload",
        }
    }
}

/// Whether a word says that nothing that was shown can be phished.
///
/// INVARIANT: a word that is not known is not (held by `only_these_cannot_be_phished`).
#[must_use]
pub fn is_phishing_resistant(word: &str) -> bool {
    matches!(word, "passkey" | "oidc+phishing-resistant")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_these_cannot_be_phished() {
        let provider = |strength| ProvedBy::Provider {
            issuer: "https://login.example.org".to_owned(),
            subject: "1".to_owned(),
            session: None,
            strength,
        };
        for (by, word, resists) in [
            (ProvedBy::PasswordAndCode, "password+totp", false),
            (ProvedBy::RecoveryCode, "recovery-code", false),
            (ProvedBy::Passkey, "passkey", true),
            (ProvedBy::Job, "workload", false),
            (provider(Strength::Plain), "oidc", false),
            (provider(Strength::SeveralFactors), "oidc+mfa", false),
            (provider(Strength::PhishingResistant), "oidc+phishing-resistant", true),
        ] {
            assert_eq!((by.word(), is_phishing_resistant(by.word())), (word, resists));
        }
        for word in ["", "frozen", "none", "Passkey", "passkey ", "oidc+phishing-resistant2"] {
            assert!(!is_phishing_resistant(word), "{word}");
        }
    }
}
