//! The mail server that the tests of notices send to.

use anyhow::Result;

use crate::{command, python};

/// The version that is installed from PyPI.
const VERSION: &str = "1.4.6";

/// Has it where the tests look for it.
pub(crate) fn install() -> Result<()> {
    python::environment("aiosmtpd", VERSION, &command::root().join("target/aiosmtpd")).map(drop)
}
