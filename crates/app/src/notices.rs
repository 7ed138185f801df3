//! Notices: made of the trail, kept until they are delivered, and who may see them.
//!
//! Owns: that each record is looked at once and what follows is written down with how far was read; what becomes of a
//! delivery that was tried. Refuses to know: how mail or a webhook is sent (a [`Courier`]), and when anything is tried
//! (that is `reconcile`). Nothing here is waited for by a use-case: an answer and an end never depend on a notice.

mod made;
mod sent;
mod shown;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use wane_domain::id::OrgId;
use wane_domain::time::{Span, Time};
use wane_notice::{Delivery, Kind};

use crate::App;

pub use made::Read;
pub use sent::Sent;
pub use shown::{ChannelShown, NoticeShown};

/// Somebody who carries a delivery to its recipient.
#[async_trait]
pub trait Courier: Send + Sync {
    /// Carries it; comes back when the other side took it. May be called again for the same one, which the other side
    /// knows by its id.
    async fn carry(&self, parcel: &Parcel<'_>) -> Result<(), NotCarried>;
}

/// What is carried.
#[derive(Clone, Copy, Debug)]
pub struct Parcel<'a> {
    /// What.
    pub delivery: &'a Delivery,
    /// Where to, if it is a person.
    pub address: Option<&'a str>,
    /// Whose deployment it comes from.
    pub org: OrgId,
    /// Where people open this server's pages.
    pub server: &'a str,
    /// The present moment.
    pub now: Time,
}

/// Why the other side did not take it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCarried {
    /// Nothing is taken over this channel now.
    #[error("{why}")]
    Away {
        /// What was met.
        why: String,
        /// Not again before so long.
        after: Option<Span>,
    },
    /// This one was not taken; another may be.
    #[error("{why}")]
    NotNow {
        /// What was met.
        why: String,
        /// Not again before so long.
        after: Option<Span>,
    },
    /// This one will never be taken.
    #[error("{0}")]
    Never(String),
    /// The other side wants nothing any more.
    #[error("{0}")]
    Closed(String),
}

/// What goes over a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carries {
    /// Mail to each person a notice concerns.
    ToPeople,
    /// One message for each notice of these kinds; of all, where none is named.
    Messages(BTreeSet<Kind>),
}

/// A channel. What is to come (chat, push) is one more of these with a courier of its own.
#[derive(Clone)]
pub struct Channel {
    /// Its name: `mail`, `webhook.ops`.
    pub name: String,
    /// What goes over it.
    pub carries: Carries,
    /// How many are carried at once.
    pub at_once: usize,
    /// Who carries.
    pub courier: Arc<dyn Courier>,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").field("name", &self.name).field("carries", &self.carries).finish_non_exhaustive()
    }
}

/// How notices go.
#[derive(Clone, Debug)]
pub struct Notices {
    /// Over which channels.
    pub channels: Vec<Channel>,
    /// How long a delivery is tried.
    pub try_for: Span,
    /// How long one that is done is kept.
    pub keep: Span,
}

/// How many deliveries over one channel may wait; what comes after is not made, which is told.
pub const MOST_WAITING: u64 = 10_000;

impl App {
    /// Has notices go over these channels. Said once, before anything runs.
    pub fn notify_over(&self, notices: Notices) {
        let _ = self.notices.set(notices);
    }

    /// The channels of this deployment.
    #[must_use]
    pub fn channels(&self) -> &[Channel] {
        self.notices.get().map_or(&[], |notices| &notices.channels)
    }

    fn channel(&self, name: &str) -> Option<&Channel> {
        self.channels().iter().find(|channel| channel.name == name)
    }
}
