//! Settings from text: what is read, what is refused, and how it says so.

#![expect(clippy::expect_used, reason = "tests")]

mod absent;
mod bad;
mod good;
mod left_out;
mod notices;
mod providers;

use std::path::Path;

use wane_config::{Loaded, Settings};

/// Loads this text as `wane.toml`, these variables and these flags; errors as text, without the folder.
fn load(toml: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("wane.toml");
    std::fs::write(&path, toml).expect("it is written");
    let owned =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
    let strip = |text: String, folder: &Path| text.replace(&format!("{}/", folder.display()), "");
    Settings::load(Some(&path), owned(env).into_iter(), &owned(flags)).map_err(|e| strip(e.to_string(), folder.path()))
}
