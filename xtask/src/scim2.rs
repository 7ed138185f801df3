//! `scim2-tester`, with the command that runs it: a test holds what directories push to against the standard with it. And
//! `scim2-server`, which is an application that Wane gives places and accounts in.

use anyhow::Result;

use crate::{command, python};

/// The version of the command that is installed from PyPI; it names the version of the tester.
const VERSION: &str = "0.6.0";

/// The version of the application.
const SERVER_VERSION: &str = "0.8.3";

/// Has them where the tests look for them.
pub(crate) fn install() -> Result<()> {
    python::environment("scim2-server", SERVER_VERSION, &command::root().join("target/scim2-server"))?;
    python::environment("scim2-cli", VERSION, &command::root().join("target/scim2")).map(drop)
}
