//! What is remembered between commands: the server and the session's token, in one file.
//!
//! INVARIANT: the file holds a session's token and never a credential for a target; nobody else can
//! read it, and its token goes to no server but its own (held by `the_file_is_private`,
//! `a_token_goes_to_its_own_server_only`).

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wane_api::SecretText;

use crate::exit::Stop;

/// What is remembered.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SignedInFile {
    /// The server it is for.
    pub(crate) server: String,
    /// The CA file that server is trusted by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) person: Option<String>,
    /// The session's token; none after signing out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<SecretText>,
    /// When the session ends at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<Timestamp>,
}

fn path(dir: &Path) -> PathBuf {
    dir.join("session.json")
}

/// Reads it; none if there is none.
pub(crate) fn read(dir: &Path) -> Result<Option<SignedInFile>, Stop> {
    let path = path(dir);
    let broken = |why: String| {
        Stop::failed(format!("`{}` is not usable: {why}", path.display())).todo("sign in again with `wane login`")
    };
    let meta = match fs::metadata(&path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(broken(e.to_string())),
    };
    if meta.mode() & 0o077 != 0 {
        return Err(Stop::failed(format!(
            "`{}` can be read by others, so its session may be known to them",
            path.display()
        ))
        .todo("delete it and sign in again with `wane login`"));
    }
    let text = fs::read(&path).map_err(|e| broken(e.to_string()))?;
    serde_json::from_slice(&text).map(Some).map_err(|e| broken(e.to_string()))
}

/// Writes it, in place of the one before.
pub(crate) fn write(dir: &Path, file: &SignedInFile) -> Result<(), Stop> {
    let path = path(dir);
    let attempt = || -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        fs::set_permissions(dir, Permissions::from_mode(0o700))?;
        let text = serde_json::to_vec_pretty(file)?;
        let fresh = dir.join(format!(".session.{}", std::process::id()));
        let _ = fs::remove_file(&fresh);
        let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        to.write_all(&text)?;
        to.sync_all()?;
        fs::rename(&fresh, &path)
    };
    attempt().map_err(|e| {
        Stop::failed(format!("`{}` cannot be written: {e}", path.display()))
            .todo("make the folder writable, or set XDG_CONFIG_HOME")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> SignedInFile {
        SignedInFile {
            server: "https://h".to_owned(),
            ca: None,
            person: Some("maya".to_owned()),
            token: Some(SecretText::new("canary".to_owned())),
            expires: None,
        }
    }

    #[test]
    fn the_file_is_private() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("a/wane");
        assert!(read(&dir).unwrap().is_none());
        write(&dir, &file()).unwrap();
        write(&dir, &file()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&path(&dir))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing is left beside it");
        let back = read(&dir).unwrap().unwrap();
        assert_eq!(back.token.unwrap().expose(), "canary");
        assert!(!format!("{:?}", file()).contains("canary"));
    }

    #[test]
    fn a_file_others_can_read_is_refused() {
        let home = tempfile::tempdir().unwrap();
        write(home.path(), &file()).unwrap();
        fs::set_permissions(path(home.path()), Permissions::from_mode(0o640)).unwrap();
        let stop = read(home.path()).unwrap_err();
        assert!(stop.message.contains("can be read by others"), "{stop}");
    }

    #[test]
    fn a_wide_folder_is_narrowed() {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
        write(home.path(), &file()).unwrap();
        assert_eq!(fs::metadata(home.path()).unwrap().mode() & 0o777, 0o700);
    }
}
