//! One notice on its way to one recipient over one channel.

use serde::{Deserialize, Serialize};
use wane_domain::id::{DeliveryId, GrantId, PersonId, RequestId};
use wane_domain::time::{Span, Time};

use crate::notice::Notice;

/// The channel of mail.
pub const MAIL: &str = "mail";

/// The channel of the webhook of this name.
#[must_use]
pub fn hook_channel(name: &str) -> String {
    format!("webhook.{name}")
}

/// The first wait after a try that failed …
const FIRST_WAIT: Span = Span::from_secs(5);
/// … doubled each time, up to this.
const LONGEST_WAIT: Span = Span::from_mins(15);

/// How long it waits after so many tries that failed.
#[must_use]
pub fn wait(tries: u32) -> Span {
    let doubled = FIRST_WAIT.micros().saturating_mul(1_u64.checked_shl(tries.saturating_sub(1)).unwrap_or(u64::MAX));
    Span::from_micros(doubled).min(LONGEST_WAIT)
}

/// What must still be so when it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Only {
    /// This grant is active and ends at this moment.
    Ends(GrantId, Time),
    /// This request waits, and for whom it is to be told.
    Waits(RequestId),
}

/// When a delivery that waits is tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitsFor {
    /// Not before.
    pub next: Time,
    /// What the last try met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
}

/// Where a delivery stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum DeliveryState {
    /// It is to be sent.
    Waiting(WaitsFor),
    /// The other side took it.
    Delivered {
        /// When.
        at: Time,
    },
    /// It was tried for as long as it is, or will never be taken.
    GivenUp {
        /// When.
        at: Time,
        /// What was met.
        why: String,
    },
    /// Nobody needs it any more, or nobody is there to get it.
    Dropped {
        /// When.
        at: Time,
        /// Why.
        why: String,
    },
}

impl DeliveryState {
    /// The state's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Waiting(_) => "waiting",
            Self::Delivered { .. } => "delivered",
            Self::GivenUp { .. } => "given_up",
            Self::Dropped { .. } => "dropped",
        }
    }

    /// When it came to its end, if it has.
    #[must_use]
    pub const fn done(&self) -> Option<Time> {
        match self {
            Self::Waiting(_) => None,
            Self::Delivered { at } | Self::GivenUp { at, .. } | Self::Dropped { at, .. } => Some(*at),
        }
    }
}

/// One notice on its way to one recipient over one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id, by which a receiver knows one that comes twice.
    pub id: DeliveryId,
    /// Over which channel: `mail`, or `webhook.` and a name.
    pub channel: String,
    /// To whom; none for what is no person.
    pub to: Option<PersonId>,
    /// What it says.
    pub notice: Notice,
    /// When it was made.
    pub made: Time,
    /// Nobody needs it after.
    pub expires: Time,
    /// What must still be so when it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Only>,
    /// How often it was tried.
    pub tries: u32,
    /// Where it stands.
    pub state: DeliveryState,
}

impl Delivery {
    /// When it is tried next.
    #[must_use]
    pub fn due(&self) -> Option<Time> {
        match &self.state {
            DeliveryState::Waiting(waits) => Some(waits.next),
            DeliveryState::Delivered { .. } | DeliveryState::GivenUp { .. } | DeliveryState::Dropped { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_cap() {
        let waits: Vec<u64> = (1..=10).map(|tries| wait(tries).secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert_eq!(wait(u32::MAX), LONGEST_WAIT);
    }
}
