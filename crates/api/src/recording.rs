//! Recordings of sessions: which there are, what they say, whether they are whole.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A recording, and nothing of what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordingView {
    /// The session.
    pub session: String,
    /// The grant it hung under.
    pub grant: String,
    /// Whose it was.
    pub person: String,
    /// On what.
    pub resource: String,
    /// As what.
    pub role: String,
    /// The login name there.
    pub login: String,
    /// Since when.
    pub began: Timestamp,
    /// Until when; none while it goes on.
    pub ended: Option<Timestamp>,
    /// `recording`, `whole`, `cut`, `lost`, or `deleted`.
    pub state: String,
    /// Why it is not whole.
    pub why: Option<String>,
    /// How long it is, in bytes.
    pub bytes: u64,
    /// What its chain of chunks says at the end, as the log has it.
    pub root: Option<String>,
    /// Where it lies: `local` in the server's folder, `store` in the object store, `both`, or `gone`.
    #[serde(rename = "where", default = "local")]
    pub place: String,
    /// Whether the session stayed inside what its role names: `inside`, `outside`, or `unknown`; none while it goes
    /// on, and where it is not known.
    pub verdict: Option<String>,
    /// What the gateway had to say about the session: how much passed, what ran, what was refused and found, and
    /// what the verdict rests on.
    pub facts: serde_json::Value,
}

fn local() -> String {
    "local".to_owned()
}

/// One line of a recording that is played: an event, a part that is damaged, or the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventLine {
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What: `data`, `command` (that was sent to be run), `typed` (a command in a shell), `done`, `file`, `tried`,
    /// `transferred`, `unclear`, `finding`, `terminal`, …; `began`, `damaged` and `end` are about the recording itself.
    pub what: String,
    /// On which channel, if on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<u32>,
    /// Whose, of data: `client`, `target`, `target_error` or `wane`; of what was typed, how sure it is: `sent`,
    /// `marked` or `echoed`; of a file, what was done; of a finding, the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The text; of data, where it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Data that is no text, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// Columns and rows, of a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<(u32, u32)>,
    /// What more there is to say: of a file where it went, of a program or a command its exit status, of a finding
    /// what followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<String>,
    /// Of a damaged part: from which byte to which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<(u64, u64)>,
}

/// Whether a recording is all of what was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verification {
    /// Which copy was looked at last, `local` or `store`: the one that is not as it should be, if one is not.
    #[serde(rename = "where", default = "local")]
    pub place: String,
    /// Whether it is.
    pub whole: bool,
    /// What the log says that its chain says at the end; none while the session goes on.
    pub expected: Option<String>,
    /// What it does say.
    pub root: Option<String>,
    /// Chunks that are as they were written.
    pub chunks: u64,
    /// Whether its last chunk is there.
    pub has_end: bool,
    /// Parts of the file that are not as they were written.
    pub damage: Vec<DamageView>,
    /// Why it cannot be read at all.
    pub unreadable: Option<String>,
}

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DamageView {
    /// The first byte.
    pub from: u64,
    /// The byte after the last.
    pub to: u64,
}

/// What a search came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SearchView {
    /// Where it was found, the newest session first.
    pub found: Vec<FoundView>,
    /// How many recordings were read.
    pub read: u32,
    /// Of these, the sessions of those that could not be read whole: what is sought may stand there.
    pub unread: Vec<String>,
    /// Whether there are more than were read; ask for less time.
    pub more: bool,
}

/// A recording in which something was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundView {
    /// Which.
    pub recording: RecordingView,
    /// The first few places.
    pub places: Vec<PlaceView>,
}

/// A place in a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlaceView {
    /// When.
    pub at: Timestamp,
    /// In what: `command`, `file`, `output`, `input`, `event`.
    pub what: String,
    /// On which channel, if on one.
    pub channel: Option<u32>,
    /// What stands around it.
    pub text: String,
}
