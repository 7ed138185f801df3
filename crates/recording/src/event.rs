//! What can happen in a session, as it is recorded.
//!
//! New kinds of events are added at the end: the number of a variant is its place in this list, and
//! what was recorded stays readable.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The person's side.
    Client,
    /// The target's ordinary output.
    Target,
    /// The target's errors.
    TargetError,
    /// Wane itself: a warning before the end, the word at it.
    Wane,
}

/// A terminal's size, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    pub columns: u32,
    pub rows: u32,
}

/// What runs in a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Program<'a> {
    /// The login shell.
    Shell,
    /// One command line.
    Command(#[serde(borrow)] Cow<'a, str>),
    /// A subsystem, by its name.
    Subsystem(#[serde(borrow)] Cow<'a, str>),
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit<'a> {
    Status(u32),
    /// By a signal, named as in RFC 4254, 6.10.
    Signal(#[serde(borrow)] Cow<'a, str>),
}

/// What was done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileDeed {
    Read,
    Write,
    Rename,
    Remove,
    MakeFolder,
    RemoveFolder,
    List,
    Link,
    Change,
}

/// One event. Channels are numbered by the session, from 0, and no number is used twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event<'a> {
    /// A channel was opened: of which type, and for what (the address of a forward).
    Opened {
        channel: u32,
        #[serde(borrow)]
        kind: Cow<'a, str>,
        #[serde(borrow)]
        about: Cow<'a, str>,
    },
    /// Something was asked for and refused.
    Refused {
        /// On which channel, if on one.
        channel: Option<u32>,
        #[serde(borrow)]
        what: Cow<'a, str>,
    },
    /// The channel has a terminal.
    Terminal {
        channel: u32,
        size: Size,
        #[serde(borrow)]
        name: Cow<'a, str>,
    },
    Resized {
        channel: u32,
        size: Size,
    },
    Environment {
        channel: u32,
        #[serde(borrow)]
        name: Cow<'a, str>,
        #[serde(borrow)]
        value: Cow<'a, str>,
    },
    Started {
        channel: u32,
        #[serde(borrow)]
        program: Program<'a>,
    },
    Data {
        channel: u32,
        from: Side,
        #[serde(borrow, with = "serde_bytes")]
        bytes: Cow<'a, [u8]>,
    },
    /// No more comes from this side.
    Eof {
        channel: u32,
        from: Side,
    },
    Signal {
        channel: u32,
        #[serde(borrow)]
        name: Cow<'a, str>,
    },
    Exited {
        channel: u32,
        #[serde(borrow)]
        exit: Exit<'a>,
    },
    /// A file was touched through a file-transfer channel.
    File {
        channel: u32,
        deed: FileDeed,
        #[serde(borrow)]
        path: Cow<'a, str>,
        /// Where it went: of a rename or a link.
        #[serde(borrow)]
        to: Option<Cow<'a, str>>,
    },
    Closed {
        channel: u32,
    },
    /// Bytes passed that are not in this recording, or cannot be read (an encrypted forward).
    Gap {
        channel: u32,
        bytes: u64,
        #[serde(borrow)]
        why: Cow<'a, str>,
    },
    /// The session is over, and why.
    Over {
        #[serde(borrow)]
        why: Cow<'a, str>,
    },
    /// Something else that was asked for and let through: the agent, a forward from the host's side.
    Allowed {
        /// On which channel, if on one.
        channel: Option<u32>,
        #[serde(borrow)]
        what: Cow<'a, str>,
    },
    /// Somebody who joined the session typed at its terminal: how much, as of what its person types.
    Typed {
        channel: u32,
        /// Their name.
        #[serde(borrow)]
        who: Cow<'a, str>,
        bytes: u64,
    },
}

impl Event<'_> {
    /// The channel it belongs to, if it belongs to one.
    #[must_use]
    pub fn channel(&self) -> Option<u32> {
        match self {
            Self::Opened { channel, .. }
            | Self::Terminal { channel, .. }
            | Self::Resized { channel, .. }
            | Self::Environment { channel, .. }
            | Self::Started { channel, .. }
            | Self::Data { channel, .. }
            | Self::Eof { channel, .. }
            | Self::Signal { channel, .. }
            | Self::Exited { channel, .. }
            | Self::File { channel, .. }
            | Self::Closed { channel }
            | Self::Gap { channel, .. }
            | Self::Typed { channel, .. } => Some(*channel),
            Self::Refused { channel, .. } | Self::Allowed { channel, .. } => *channel,
            Self::Over { .. } => None,
        }
    }
}
