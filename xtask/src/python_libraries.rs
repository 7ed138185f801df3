//! Libraries from PyPI that the tests run Wane against: what checks access tokens as resource servers do, what applications
//! behind the gateway are made of, what reads credentials as clients do.

use anyhow::Result;

use crate::{command, python};

/// What is installed from PyPI, at which version, and where the tests look for it.
const LIBRARIES: [(&str, &str, &str); 6] = [
    ("pyjwt[crypto]", "2.15.1", "target/pyjwt"),
    ("authlib", "1.9.10", "target/authlib"),
    ("aiohttp", "3.14.5", "target/aiohttp"),
    ("grpcio", "1.85.1", "target/grpcio"),
    ("docker", "7.2.0", "target/docker"),
    ("moto[server]", "5.2.5", "target/moto"),
];

/// Has them where the tests look for them.
pub(crate) fn install() -> Result<()> {
    for (package, version, folder) in LIBRARIES {
        python::environment(package, version, &command::root().join(folder))?;
    }
    Ok(())
}
