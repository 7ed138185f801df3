//! A terminal in a page, over a WebSocket: what is typed and shown are binary messages, everything else is JSON in text
//! messages.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The WebSocket's subprotocol.
pub const TERMINAL: &str = "wane.terminal.v1";

/// Before the word of a page of this server, as one more subprotocol: a browser sends no headers of its own with these.
pub const TERMINAL_PAGE: &str = "wane.page.";

/// Which terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TerminalQuery {
    /// Characters across.
    #[param(minimum = 1, maximum = 1000)]
    pub columns: u16,
    /// Lines.
    #[param(minimum = 1, maximum = 1000)]
    pub rows: u16,
    /// The login name at the target; the role's first if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 64)]
    pub login: Option<String>,
}

/// What a page says besides what is typed: the terminal is of another size now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TerminalSize {
    /// Characters across, 1 to 1000.
    pub columns: u16,
    /// Lines, 1 to 1000.
    pub rows: u16,
}

/// What the server says besides what is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TerminalSaid {
    /// What: `open` once something runs; `refused` if nothing will; `over` once nothing runs any more, for which the
    /// terminal says why, if it was cut; `left` if the server let go of this page.
    pub what: String,
    /// The exit status of what ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u32>,
    /// The signal that it ended by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Why nothing runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<crate::Problem>,
    /// Why the server let go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
