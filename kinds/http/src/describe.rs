//! What the end of access to an application means, in words for approvers.

use wane_connector::Describe;

/// Describes any application: nothing reaches it but through the gateway.
pub(crate) fn it() -> Describe {
    Describe {
        hands_out: "sessions in the browser, through the gateway".to_owned(),
        revokes_logins: true,
        kills_sessions: true,
        residual_logins_secs: 1,
        residual_sessions_secs: Some(1),
        survives: "what the application gave while it was open: pages and files that were fetched, and whatever it remembers \
                   of what was done; cookies of its own open nothing without the gateway, unless it can be reached around it"
            .to_owned(),
    }
}
