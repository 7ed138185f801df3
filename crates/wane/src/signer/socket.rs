//! The socket of a signer: in a folder that nobody else writes, open to nobody but who may be there.

use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// Why a signer does not listen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    #[error("`{path}` cannot be listened on: {why}; set `signer.socket` to a path in a folder of the signer's own")]
    Bind { path: PathBuf, why: std::io::Error },
    #[error(
        "`{folder}` lets others put a socket in the place of the signer's (mode {mode:04o}, owner {owner}); \
         have it and all above it belong to the signer or to root, and run `chmod go-w {folder}`"
    )]
    OpenToOthers { folder: PathBuf, mode: u32, owner: u32 },
    #[error("`{0}` is there and is no socket; set `signer.socket` to another path")]
    NoSocket(PathBuf),
}

/// Listens at a path. Whoever holds the signer's folder is the only one there, so that a socket that is left is stale.
pub(super) fn bind(path: &Path) -> Result<UnixListener, SocketError> {
    let failed = |why| SocketError::Bind { path: path.to_owned(), why };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o750).create(folder).map_err(failed)?;
    closed(&folder.canonicalize().map_err(failed)?, nix::unistd::geteuid().as_raw())?;
    match fs::symlink_metadata(path) {
        Ok(met) if met.file_type().is_socket() => fs::remove_file(path).map_err(failed)?,
        Ok(_) => return Err(SocketError::NoSocket(path.to_owned())),
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(failed(e)),
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, Permissions::from_mode(0o660)).map_err(failed)?;
    Ok(listener)
}

/// INVARIANT: nobody but the signer and root can put another socket in its place (held by
/// `a_folder_that_others_write_is_refused`).
fn closed(folder: &Path, us: u32) -> Result<(), SocketError> {
    for (above, part) in folder.ancestors().enumerate() {
        let met = part.metadata().map_err(|why| SocketError::Bind { path: part.to_owned(), why })?;
        let (mode, owner) = (met.mode() & 0o7777, met.uid());
        let written = mode & 0o022 != 0;
        // In a sticky folder nobody moves what is not theirs; but the socket's own is written by nobody else.
        let kept = above > 0 && mode & 0o1000 != 0;
        if (owner != us && owner != 0) || (written && !kept) {
            return Err(SocketError::OpenToOthers { folder: part.to_owned(), mode, owner });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_that_others_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("above/run");
        let path = run.join("signer.sock");
        drop(bind(&path).unwrap());
        assert_eq!(run.metadata().unwrap().mode() & 0o777, 0o750);
        assert_eq!(path.symlink_metadata().unwrap().mode() & 0o777, 0o660);
        // One that was left is stale.
        drop(bind(&path).unwrap());
        for (part, mode, good) in [
            (&run, 0o755, true),
            (&run, 0o770, false),
            (&run, 0o757, false),
            (&run, 0o1777, false),
            (&run, 0o700, true),
            (&folder.path().join("above"), 0o777, false),
            (&folder.path().join("above"), 0o1777, true),
        ] {
            fs::set_permissions(part, Permissions::from_mode(mode)).unwrap();
            assert_eq!(bind(&path).is_ok(), good, "{} {mode:o}", part.display());
            fs::set_permissions(part, Permissions::from_mode(0o755)).unwrap();
        }
        let us = nix::unistd::geteuid().as_raw();
        assert!(closed(&run, us).is_ok());
        assert!(us == 0 || closed(&run, us + 1).is_err());
        let file = run.join("file");
        fs::write(&file, "kept").unwrap();
        assert!(matches!(bind(&file), Err(SocketError::NoSocket(_))));
    }
}
