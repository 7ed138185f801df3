//! Running a program of the operator's in a confined child: told on its standard input, heard on its standard output.
//!
//! Owns: which file is run and which never, the child's bounds, and that it is gone afterwards with all it started. Refuses to
//! know: what it is told. What confines the child from inside is in [`confine`](crate::confine).

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, geteuid};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::confine::{NOBODY, REFUSED};
use crate::fail::{Fail, told_without};

/// The longest it runs.
pub(crate) const LONGEST: Duration = Duration::from_secs(10);
/// The most it may say.
const MOST_SAID: usize = 4 * 1024 * 1024;
/// The most of what it says on standard error that is read.
const MOST_COMPLAINT: usize = 4 * 1024;
/// How many run at once, of those that make and of those that end.
const AT_ONCE: usize = 8;
/// The largest file whose digest is taken.
const LARGEST_FILE: u64 = 256 * 1024 * 1024;

/// The exit status of a program that cannot reach its target now (`EX_UNAVAILABLE`, `EX_TEMPFAIL` of sysexits).
const NOT_NOW: [i32; 2] = [69, 75];
/// Of one whose credential is refused (`EX_NOPERM`).
const NOT_LET: i32 = 77;

/// How programs are run, as the operator set it.
#[derive(Clone, Debug)]
pub struct ProgramSettings {
    /// The folder they are in; without one none is run.
    pub folder: Option<PathBuf>,
    /// What confines a child, and the words before its own: this very binary.
    pub launcher: (PathBuf, Vec<String>),
    /// Whether a kernel without Landlock will do.
    pub without_landlock: bool,
}

impl ProgramSettings {
    /// No program is run.
    #[must_use]
    pub fn none() -> Self {
        Self { folder: None, launcher: (PathBuf::new(), Vec::new()), without_landlock: false }
    }
}

/// Runs programs.
#[derive(Debug)]
pub(crate) struct Programs {
    settings: ProgramSettings,
    making: Semaphore,
    ending: Semaphore,
}

/// What a program is run for: an end waits for no make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Making,
    /// And looking whether something is there.
    Ending,
}

impl Programs {
    pub(crate) fn new(settings: ProgramSettings) -> Self {
        Self { settings, making: Semaphore::new(AT_ONCE), ending: Semaphore::new(AT_ONCE) }
    }

    /// The file of a program that may be run.
    pub(crate) fn find(&self, file: &str, sha256: Option<&str>) -> Result<PathBuf, Fail> {
        let folder = self.settings.folder.as_deref().ok_or_else(|| {
            Fail::refused("this server runs no programs; its operator would set `hooks.programs` to a folder of them")
        })?;
        allowed_folder(folder).map_err(Fail::Refused)?;
        let path = folder.join(file);
        allowed_file(&path).map_err(Fail::Refused)?;
        if let Some(wanted) = sha256 {
            let met = digest(&path).map_err(Fail::Refused)?;
            if met != wanted {
                return Err(Fail::refused(format!(
                    "`{file}` is another file than when it was registered: its SHA-256 is `{met}`"
                )));
            }
        }
        Ok(path)
    }

    /// Runs it once: what it said, if it ended well.
    pub(crate) async fn run(
        &self,
        (file, sha256): (&str, Option<&str>),
        lane: Lane,
        input: &[u8],
        secrets: &[&str],
    ) -> Result<Zeroizing<Vec<u8>>, Fail> {
        let path = self.find(file, sha256)?;
        let places = match lane {
            Lane::Making => &self.making,
            Lane::Ending => &self.ending,
        };
        let _place = places.acquire().await.map_err(|e| Fail::Unreachable(e.to_string()))?;
        let folder = scratch().map_err(|e| Fail::Unreachable(format!("no folder for it: {e}")))?;
        let mut child = self.spawn(&path, folder.path())?;
        let group = Group(child.id().and_then(|id| i32::try_from(id).ok()));
        let ran = tokio::time::timeout(LONGEST, talk(&mut child, input)).await;
        // Whatever it started goes with it, also when it ended by itself.
        drop(group);
        let late = || Fail::Unreachable(format!("`{file}` was not done within {} s and was ended", LONGEST.as_secs()));
        let (code, said, complaint) = ran.map_err(|_| late())??;
        if code == Some(0) {
            return Ok(said);
        }
        let complaint = String::from_utf8_lossy(&complaint);
        let words = told_without(&complaint, secrets).map(|words| format!(": {words}")).unwrap_or_default();
        Err(match code {
            Some(code) if NOT_NOW.contains(&code) => Fail::Unreachable(format!("`{file}` says not now{words}")),
            Some(NOT_LET) => Fail::Trust(format!("`{file}` says that its credential is refused{words}")),
            Some(REFUSED) => Fail::Refused(format!("`{file}` was not run{words}")),
            Some(code) => Fail::Refused(format!("`{file}` ended with {code}{words}")),
            None => Fail::Refused(format!("`{file}` was ended by a signal, most likely for passing a limit{words}")),
        })
    }

    fn spawn(&self, program: &Path, folder: &Path) -> Result<Child, Fail> {
        let (launcher, words) = &self.settings.launcher;
        let mut command = Command::new(launcher);
        command
            .args(words)
            .arg(folder)
            .arg(if self.settings.without_landlock { "any" } else { "landlock" })
            .arg(std::process::id().to_string())
            .arg(program);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LANG", "C.UTF-8");
        command.env("HOME", folder).env("TMPDIR", folder).current_dir(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0);
        command.spawn().map_err(|e| Fail::Refused(format!("it cannot be started: {e}")))
    }
}

/// A process group that ends with this value.
struct Group(Option<i32>);

impl Drop for Group {
    fn drop(&mut self) {
        // INVARIANT: nothing that was started goes on (held by `a_program_is_gone_with_all_it_started`).
        if let Some(id) = self.0.filter(|id| *id > 1) {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
    }
}

type Ran = (Option<i32>, Zeroizing<Vec<u8>>, Vec<u8>);

/// Tells it, hears it, and waits for its end.
async fn talk(child: &mut Child, input: &[u8]) -> Result<Ran, Fail> {
    let failed = |e: std::io::Error| Fail::Unreachable(format!("it cannot be spoken with: {e}"));
    let (mut stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let tell = async {
        if let Some(stdin) = &mut stdin {
            // One that ends before it was told everything says so by how it ends.
            let _ = stdin.write_all(input).await;
        }
        drop(stdin.take());
    };
    let hear = async {
        let mut said = Zeroizing::new(Vec::new());
        match stdout {
            Some(stdout) => bounded(stdout, &mut said, MOST_SAID).await.map(|whole| (said, whole)),
            None => Ok((said, true)),
        }
    };
    let complain = async {
        let mut said = Vec::new();
        if let Some(mut stderr) = stderr {
            bounded(&mut stderr, &mut said, MOST_COMPLAINT).await?;
            // Who complains much is heard to the end, so that it is not that which ends it.
            tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await?;
        }
        Ok::<_, std::io::Error>(said)
    };
    let ((), heard, complaint) = tokio::join!(tell, hear, complain);
    let (said, whole) = heard.map_err(failed)?;
    if !whole {
        return Err(Fail::refused(format!("it says more than {MOST_SAID} bytes")));
    }
    let complaint = complaint.map_err(failed)?;
    let status = child.wait().await.map_err(failed)?;
    Ok((status.code(), said, complaint))
}

/// Reads to the end or the bound, and whether that was all; what is beyond it is not read.
async fn bounded(from: impl AsyncRead + Unpin, to: &mut Vec<u8>, most: usize) -> std::io::Result<bool> {
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    from.take(limit).read_to_end(to).await?;
    let whole = to.len() <= most;
    to.truncate(most);
    Ok(whole)
}

/// An empty folder for one run, which the child may write to.
fn scratch() -> std::io::Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix("wane-hook-").tempdir()?;
    if geteuid().is_root() {
        chown(folder.path(), Some(NOBODY), Some(NOBODY))?;
    }
    Ok(folder)
}

/// Whether nobody but root can change what stands at a path.
fn only_roots(at: &Metadata) -> bool {
    at.uid() == 0 && at.permissions().mode() & 0o022 == 0
}

/// Why programs of this folder are not run.
pub(crate) fn allowed_folder(folder: &Path) -> Result<(), String> {
    let shown = folder.display();
    let plain = folder.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if !folder.is_absolute() || !plain {
        return Err(format!("`hooks.programs` is `{shown}`; write the whole path of a folder"));
    }
    for (level, part) in folder.ancestors().enumerate() {
        let at = fs::symlink_metadata(part).map_err(|e| format!("`{}` cannot be looked at: {e}", part.display()))?;
        // In a folder where everybody may make things, as `/tmp`, nobody may rename what is another's.
        let shared = level > 0 && at.uid() == 0 && at.permissions().mode() & 0o1000 != 0;
        if !at.is_dir() || !(only_roots(&at) || shared) {
            return Err(format!(
                "`{}` has to be a folder that belongs to root and that nobody else may write to: whoever can change it can run anything as this server",
                part.display()
            ));
        }
    }
    Ok(())
}

/// Why this file is not run.
fn allowed_file(path: &Path) -> Result<(), String> {
    let shown = path.file_name().unwrap_or_default().display().to_string();
    let at =
        fs::symlink_metadata(path).map_err(|e| format!("`{shown}` is not in the folder of `hooks.programs`: {e}"))?;
    if !at.is_file() {
        return Err(format!("`{shown}` is no file; a link is not followed"));
    }
    if !only_roots(&at) {
        return Err(format!("`{shown}` has to belong to root, and nobody else may write to it"));
    }
    if at.permissions().mode() & 0o111 == 0 {
        return Err(format!("`{shown}` is not executable"));
    }
    if at.permissions().mode() & 0o6000 != 0 {
        return Err(format!("`{shown}` runs as somebody else (setuid or setgid)"));
    }
    Ok(())
}

/// The SHA-256 of a file, in hexadecimal digits.
pub(crate) fn digest(path: &Path) -> Result<String, String> {
    let failed = |e: std::io::Error| format!("it cannot be read: {e}");
    let mut file = fs::File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() > LARGEST_FILE {
        return Err("it is too large for its digest to be taken".to_owned());
    }
    let mut digest = Sha256::new();
    let mut buffer = vec![0_u8; 64 * 1024];
    loop {
        let read = std::io::Read::read(&mut file, &mut buffer).map_err(failed)?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { break };
        digest.update(part);
    }
    Ok(data_encoding::HEXLOWER.encode(&digest.finalize()))
}
