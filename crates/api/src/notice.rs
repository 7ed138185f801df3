//! Notices on their way, and the channels they go over.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::value::wire_names;

/// Where a notice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeState {
    /// It is to be sent.
    Waiting,
    /// The other side took it.
    Delivered,
    /// It was tried for as long as it is, or will never be taken.
    GivenUp,
    /// Nobody needs it any more.
    Dropped,
}

wire_names!(NoticeState { Waiting = "waiting", Delivered = "delivered", GivenUp = "given_up", Dropped = "dropped" });

/// One notice to one recipient over one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoticeView {
    /// Its id, by which a receiver knows one that comes twice.
    pub id: String,
    /// Over which channel: `mail`, or `webhook.` and a name.
    pub channel: String,
    /// To whom; none for what is no person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What about: `grant.ended`.
    pub kind: String,
    /// In one line.
    pub text: String,
    /// When it happened.
    pub at: Timestamp,
    /// Where it stands.
    pub state: NoticeState,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// What the last try met, or why it was given up or dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When it is given up.
    pub expires: Timestamp,
    /// The request it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The grant it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
}

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelView {
    /// Its name.
    pub name: String,
    /// Whether the settings have it.
    pub set: bool,
    /// How many notices wait.
    pub waiting: u64,
    /// When the next of them is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// How many were given up, of those that are kept.
    pub given_up: u64,
    /// Why nothing goes over it until it was tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_since: Option<Timestamp>,
}

/// The channels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Channels {
    /// Those of the settings first.
    pub items: Vec<ChannelView>,
}
