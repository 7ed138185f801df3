//! certbot, with the libraries it brings: a real client of ACME for the tests, and what they sign calls with.

use anyhow::Result;

use crate::{command, python};

/// The version that is installed from PyPI.
const VERSION: &str = "5.8.0";

/// Has it where the tests look for it.
pub(crate) fn install() -> Result<()> {
    python::environment("certbot", VERSION, &command::root().join("target/certbot")).map(drop)
}
