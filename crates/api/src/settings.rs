//! Settings of the running server, as it was started with them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Every setting there is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SettingsView {
    /// Each, in the order of the reference.
    pub items: Vec<SettingView>,
}

/// One setting as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettingView {
    /// Its dotted name: `server.listen`.
    pub key: String,
    /// Its value as text; empty when it is not set. Never a secret: of those it is only said where each is read from.
    pub value: String,
    /// Where the value came from: `default`, a line of the file, an environment variable, a flag.
    pub origin: String,
    /// What it is for.
    pub doc: String,
}
