//! `scim2-tester`, with the command that runs it: a test holds what directories push to against the standard with it.

use anyhow::Result;

use crate::{command, python};

/// The version of the command that is installed from PyPI; it names the version of the tester.
const VERSION: &str = "0.6.0";

/// Has it where the test looks for it.
pub(crate) fn install() -> Result<()> {
    python::environment("scim2-cli", VERSION, &command::root().join("target/scim2")).map(drop)
}
