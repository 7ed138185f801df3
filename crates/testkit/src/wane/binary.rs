//! Where the built binary is.

use std::path::PathBuf;

use anyhow::{Context, Result};

/// The variable that names another binary.
const NAMED: &str = "WANE_BIN";

/// `$WANE_BIN`, or the `wane` that cargo put beside the running test or chore.
pub(super) fn find() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(NAMED) {
        return std::path::absolute(&named).with_context(|| format!("`{}` is no path", named.display()));
    }
    let own = std::env::current_exe()?;
    // Tests lie in `deps`, one folder below the binaries.
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join("wane")).find(|path| path.is_file());
    found.with_context(|| {
        format!("there is no `wane` beside `{}`; run `cargo build -p wane`, or set {NAMED}", own.display())
    })
}
