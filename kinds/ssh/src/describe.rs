//! What a direct certificate can and cannot end, in words for approvers.

use wane_connector::Describe;

use crate::certificate::LONGEST;
use crate::settings::Settings;

/// What comes on top of the interval at which a host pulls: one slow pull, one slow connection.
const MARGIN_SECS: u64 = 15;

/// Describes a host with these settings.
pub(crate) fn of(settings: &Settings) -> Describe {
    with_pull(settings.pull_secs)
}

/// The worst case, for settings that cannot be read.
pub(crate) fn worst() -> Describe {
    with_pull(LONGEST.secs())
}

fn with_pull(pull_secs: u64) -> Describe {
    // A host that pulls no list still refuses the certificate once it has run out.
    let residual_logins_secs = pull_secs.saturating_add(MARGIN_SECS).min(LONGEST.secs());
    Describe {
        hands_out: "OpenSSH certificate".to_owned(),
        revokes_logins: true,
        kills_sessions: false,
        residual_logins_secs,
        residual_sessions_secs: None,
        survives: "ends logins, not open sessions: a session that is open goes on, and so do new channels and forwards on it, \
                   until it ends or sshd is told to end it"
            .to_owned(),
    }
}
