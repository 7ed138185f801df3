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

impl FileDeed {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::Write,
        Self::Rename,
        Self::Remove,
        Self::MakeFolder,
        Self::RemoveFolder,
        Self::List,
        Self::Link,
        Self::Change,
    ];

    /// In one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::MakeFolder => "make_folder",
            Self::RemoveFolder => "remove_folder",
            Self::List => "list",
            Self::Link => "link",
            Self::Change => "change",
        }
    }
}

/// By what it is known that something was a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// The client sent it as a line to a program that reads lines, with no terminal in between.
    Sent,
    /// The shell said so, with marks in its output. They are the host's word.
    Marked,
    /// It stood in the line that was on the terminal when Enter was pressed. What reads it may be a program.
    Echoed,
}

impl Confidence {
    /// In one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Marked => "marked",
            Self::Echoed => "echoed",
        }
    }
}

/// What follows when a rule finds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// It is written down.
    Notify,
    /// It is written down, and the session is over.
    Cut,
}

impl Then {
    /// In one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Cut => "cut",
        }
    }
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
    /// Something was done to a file through a channel that carries files, named as the client named it.
    File {
        channel: u32,
        deed: FileDeed,
        #[serde(borrow)]
        path: Cow<'a, str>,
        /// Where it went, of a rename; where it points, of a link; under which name it was sent, of a copy.
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
    /// A command was given to a shell.
    Command {
        channel: u32,
        #[serde(borrow)]
        text: Cow<'a, str>,
        confidence: Confidence,
    },
    /// The command that was marked last is done, and with which status if its shell said so.
    Done {
        channel: u32,
        status: Option<u32>,
    },
    /// A file that was open was closed, and how much of it passed meanwhile.
    Transferred {
        channel: u32,
        #[serde(borrow)]
        path: Cow<'a, str>,
        /// Bytes from the target.
        read: u64,
        /// Bytes to the target.
        written: u64,
    },
    /// Something was to be done to a file, and the target did not do it.
    Tried {
        channel: u32,
        deed: FileDeed,
        #[serde(borrow)]
        path: Cow<'a, str>,
    },
    /// From here on nobody on this side can tell what is done in this channel.
    Unclear {
        channel: u32,
        #[serde(borrow)]
        why: Cow<'a, str>,
    },
    /// A rule of the deployment, or of the role, found what it looks for.
    Finding {
        channel: Option<u32>,
        #[serde(borrow)]
        rule: Cow<'a, str>,
        /// In what.
        #[serde(borrow)]
        what: Cow<'a, str>,
        then: Then,
    },
    /// Contents of files passed, which this recording keeps by name only.
    Withheld {
        channel: u32,
        from: Side,
        bytes: u64,
    },
    /// Somebody who joined the session typed at its terminal: how much, as of what its person types.
    Typed {
        channel: u32,
        /// Their name.
        #[serde(borrow)]
        who: Cow<'a, str>,
        bytes: u64,
    },
    /// A request was let through to an application; a channel of its own.
    Request {
        channel: u32,
        #[serde(borrow)]
        method: Cow<'a, str>,
        /// Its address, with the query where bodies are recorded too.
        #[serde(borrow)]
        target: Cow<'a, str>,
        /// Those that say nothing secret.
        headers: Vec<(String, String)>,
    },
    /// The head of its answer.
    Answer {
        channel: u32,
        status: u16,
        /// Those that say nothing secret.
        headers: Vec<(String, String)>,
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
            | Self::Command { channel, .. }
            | Self::Done { channel, .. }
            | Self::Transferred { channel, .. }
            | Self::Tried { channel, .. }
            | Self::Unclear { channel, .. }
            | Self::Withheld { channel, .. }
            | Self::Typed { channel, .. }
            | Self::Request { channel, .. }
            | Self::Answer { channel, .. } => Some(*channel),
            Self::Refused { channel, .. } | Self::Allowed { channel, .. } | Self::Finding { channel, .. } => *channel,
            Self::Over { .. } => None,
        }
    }
}
