//! Ansible, which a test runs through the gateway by the settings that `wane ssh-config` prints.

use anyhow::Result;

use crate::{command, python};

/// The version that is installed from PyPI.
const VERSION: &str = "2.19.14";

/// Has it where the test looks for it.
pub(crate) fn install() -> Result<()> {
    python::environment("ansible-core", VERSION, &command::root().join("target/ansible")).map(drop)
}
