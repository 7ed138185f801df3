//! What the end of a grant does to a token, in words for approvers.

use wane_connector::Describe;

use crate::LONGEST;
use crate::settings::{Hears, Settings};

/// One slow answer, one slow request behind it.
const MARGIN_SECS: u64 = 5;
/// A feed that broke off is noticed by its silence, and taken up again.
const FEED_SECS: u64 = 30;

/// Describes a resource server with these settings.
pub(crate) fn of(settings: &Settings) -> Describe {
    with(settings.hears)
}

/// The worst case, for settings that cannot be read.
pub(crate) fn worst() -> Describe {
    with(Hears::Nothing)
}

fn with(hears: Hears) -> Describe {
    let (revokes_logins, secs, survives) = match hears {
        Hears::Nothing => (
            false,
            LONGEST.secs(),
            "the server does not ask whether a token is over: it works until it runs out, an hour after its issue at the latest"
                .to_owned(),
        ),
        Hears::Introspection { cache_secs: 0 } => {
            (true, MARGIN_SECS, "a request that the server has begun to answer is answered".to_owned())
        }
        Hears::Introspection { cache_secs } => (
            true,
            cache_secs.saturating_add(MARGIN_SECS),
            format!(
                "the server keeps an answer for {cache_secs} s, and so takes a token that is over for as long; a request that it has begun to answer is answered"
            ),
        ),
        Hears::Feed => (
            true,
            FEED_SECS,
            "the server is told as it happens; while it cannot be reached it takes a token until that runs out, and a request that it has begun to answer is answered"
                .to_owned(),
        ),
    };
    Describe {
        hands_out: "OAuth access token".to_owned(),
        revokes_logins,
        kills_sessions: false,
        residual_logins_secs: secs,
        residual_sessions_secs: None,
        survives,
    }
}
