//! The libraries by which the tests of access tokens check them as resource servers do.

use anyhow::Result;

use crate::{command, python};

/// What is installed from PyPI, at which version, and where the tests look for it.
const LIBRARIES: [(&str, &str, &str); 2] =
    [("pyjwt[crypto]", "2.15.1", "target/pyjwt"), ("authlib", "1.9.10", "target/authlib")];

/// Has them where the tests look for them.
pub(crate) fn install() -> Result<()> {
    for (package, version, folder) in LIBRARIES {
        python::environment(package, version, &command::root().join(folder))?;
    }
    Ok(())
}
