//! Files that hold or lead to a key: private, whole, and never replaced by accident.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use wane_domain::ambient::Ambient;
use zeroize::Zeroizing;

use super::SealError;

/// No file of ours is longer; a peer cannot make us read more.
const MOST: u64 = 16 * 1024;
const ROOT: u32 = 0;

/// Reads a private file, or makes it with what `fresh` yields. Of several processes that make it
/// at once one wins, and all read the winner's.
pub(super) fn read_or_create<F>(path: &Path, ambient: &Ambient, fresh: F) -> Result<Zeroizing<Vec<u8>>, SealError>
where
    F: FnOnce() -> Result<Zeroizing<Vec<u8>>, SealError>,
{
    let folder = folder_of(path)?;
    if let Some(found) = read(path)? {
        return Ok(found);
    }
    create(path, &folder, ambient, &fresh()?)?;
    read(path)?.ok_or_else(|| io("read", path, ErrorKind::NotFound.into()))
}

fn folder_of(path: &Path) -> Result<PathBuf, SealError> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|e| io("create", &folder, e))?;
    let met = folder.metadata().map_err(|e| io("read", &folder, e))?;
    judge(&folder, Rule::FOLDER, met.mode(), met.uid(), us())?;
    Ok(folder)
}

fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, SealError> {
    // Not through a link, and not waiting for the writer of a pipe; the checks are on the opened
    // file, so nobody can swap it between check and use.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) if e.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32) => {
            return Err(SealError::NotAFile { path: path.to_owned() });
        }
        Err(e) => return Err(io("read", path, e)),
    };
    let met: Metadata = file.metadata().map_err(|e| io("read", path, e))?;
    if !met.is_file() {
        return Err(SealError::NotAFile { path: path.to_owned() });
    }
    judge(path, Rule::FILE, met.mode(), met.uid(), us())?;
    // Room for all of it from the start: a buffer that grows leaves copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(met.len().min(MOST)).unwrap_or(0) + 1));
    file.take(MOST).read_to_end(&mut content).map_err(|e| io("read", path, e))?;
    Ok(Some(content))
}

/// Writes beside the name, then links to it: a crash leaves no half file, and what is there stays.
fn create(path: &Path, folder: &Path, ambient: &Ambient, content: &[u8]) -> Result<(), SealError> {
    let mark = data_encoding::HEXLOWER.encode(&ambient.bytes::<8>());
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".new-{mark}"));
    let beside = PathBuf::from(beside);
    let written = write_new(&beside, content).and_then(|()| match std::fs::hard_link(&beside, path) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    let removed = match std::fs::remove_file(&beside) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    };
    written.and(removed).map_err(|e| io("create", path, e))?;
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| io("create", folder, e))
}

fn write_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// What permissions and which owners are accepted.
struct Rule {
    forbidden: u32,
    wanted: &'static str,
    root_may_own: bool,
}

impl Rule {
    const FILE: Self = Self { forbidden: 0o077, wanted: "600", root_may_own: false };
    /// Others may look at the folder's listing; nobody else may put a file in it.
    const FOLDER: Self = Self { forbidden: 0o022, wanted: "go-w", root_may_own: true };
}

fn judge(path: &Path, rule: Rule, mode: u32, owner: u32, us: u32) -> Result<(), SealError> {
    if owner != us && !(rule.root_may_own && owner == ROOT) {
        return Err(SealError::ForeignOwner { path: path.to_owned(), owner, us });
    }
    if mode & rule.forbidden != 0 {
        return Err(SealError::OpenToOthers { path: path.to_owned(), mode: mode & 0o7777, wanted: rule.wanted });
    }
    Ok(())
}

fn us() -> u32 {
    nix::unistd::geteuid().as_raw()
}

fn io(doing: &'static str, path: &Path, source: std::io::Error) -> SealError {
    SealError::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_private_things_of_our_own_pass() {
        let us = 1000;
        let check = |rule: Rule, mode: u32, owner: u32, passes: bool| {
            assert_eq!(judge(Path::new("k"), rule, mode, owner, us).is_ok(), passes, "{mode:o} {owner}");
        };
        check(Rule::FILE, 0o100_600, us, true);
        check(Rule::FILE, 0o100_400, us, true);
        for bit in 0..6 {
            check(Rule::FILE, 0o100_600 | 1 << bit, us, false);
        }
        check(Rule::FILE, 0o100_600, ROOT, false);
        check(Rule::FILE, 0o100_600, 1001, false);
        check(Rule::FOLDER, 0o040_755, us, true);
        check(Rule::FOLDER, 0o040_755, ROOT, true);
        check(Rule::FOLDER, 0o040_775, us, false);
        check(Rule::FOLDER, 0o041_777, ROOT, false);
        check(Rule::FOLDER, 0o040_755, 1001, false);
    }
}
