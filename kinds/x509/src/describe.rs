//! What a certificate can and cannot end, in words for approvers.

use wane_connector::Describe;

use crate::certificate::LONGEST;
use crate::settings::Settings;

/// What comes on top of the interval at which a service reads the list: one slow fetch, one slow reload.
const MARGIN_SECS: u64 = 15;

/// Describes a service with these settings.
pub(crate) fn of(settings: &Settings) -> Describe {
    with_pull(settings.crl_pull_secs)
}

/// The worst case, for settings that cannot be read.
pub(crate) fn worst() -> Describe {
    with_pull(None)
}

fn with_pull(pull_secs: Option<u64>) -> Describe {
    let longest = LONGEST.secs();
    let logins = pull_secs.map_or(longest, |secs| secs.saturating_add(MARGIN_SECS).min(longest));
    let survives = if pull_secs.is_some() {
        "connections that are open go on, and so do TLS sessions that the service resumes, until they end"
    } else {
        "the service reads no revocation list: the certificate works until it runs out, an hour after its issue at the \
         latest; connections that are open go on"
    };
    Describe {
        hands_out: "X.509 certificate".to_owned(),
        revokes_logins: pull_secs.is_some(),
        kills_sessions: false,
        residual_logins_secs: logins,
        residual_sessions_secs: None,
        survives: survives.to_owned(),
    }
}
