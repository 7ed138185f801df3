//! The inside of a confined child: this binary started once more, which takes everything from itself that the program does
//! not need and then becomes the program.
//!
//! Owns: the order in which that happens. Refuses to know: what is run and why; it reads nothing but its own arguments.
//!
//! It runs twice. The first is the leader of a process group, makes a namespace of process ids where the system lets it, and
//! starts the second as the first process of that; the second drops its rights and becomes the program. When the second
//! ends, so does everything else in its namespace, whatever it did to get away. Each ends with whoever started it: the kernel
//! sees to that also where the server is killed.

use std::ffi::OsString;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use nix::sys::resource::{Resource, setrlimit};

/// The exit status that says that the program was not run (as `command not executable` of a shell).
pub(crate) const REFUSED: i32 = 126;
/// Who a program is where the server is root: `nobody`, by number.
pub(crate) const NOBODY: u32 = 65_534;

/// Seconds of processor, more than it is given of time.
const CPU_SECS: u64 = 20;
const MOST_MEMORY: u64 = 2 << 30;
const MOST_FILE: u64 = 16 << 20;
const MOST_FILES: u64 = 256;
const MOST_PROCESSES: u64 = 512;

/// What of the system's own may be read, and run: programs, libraries, certificates, names.
const READABLE: &[&str] = &[
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/usr",
    "/opt",
    "/nix/store",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/alternatives",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/localtime",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/passwd",
    "/etc/group",
    "/dev/zero",
    "/dev/urandom",
    "/dev/random",
];
const WRITABLE: &[&str] = &["/dev/null"];

/// The word by which a binary knows that it is to confine itself; what follows are the folder it may write to, whether there
/// has to be Landlock, the process that starts it, and the program.
pub const WORD: &str = "hook-child";
const INNER: &str = "hook-child-inner";

/// Confines this process and becomes the program, if that is what the arguments say; nothing otherwise. To be called before
/// anything else: there must be one thread.
#[must_use]
pub fn confined(args: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let args: Vec<OsString> = args.skip(1).collect();
    let word = args.first()?.to_str()?;
    if word != WORD && word != INNER {
        return None;
    }
    let why = match (word, args.get(1..).unwrap_or_default()) {
        (WORD, [folder, how, starter, program]) => match outer(folder, how, starter, program) {
            Ok(code) => return Some(code),
            Err(why) => why,
        },
        (INNER, [folder, how, program]) => {
            inner(Path::new(folder), Needed::of(how), &PathBuf::from(program)).unwrap_or_else(|why| why)
        }
        _ => "it is not told what to run".to_owned(),
    };
    complain(&why);
    Some(ExitCode::from(u8::try_from(REFUSED).unwrap_or(1)))
}

#[expect(clippy::print_stderr, reason = "the one who started it reads what it says there, and nothing else is set up")]
fn complain(why: &str) {
    eprintln!("{why}");
}

/// Starts the second, alone in a namespace if there can be one, and waits for it.
fn outer(folder: &OsString, how: &OsString, starter: &OsString, program: &OsString) -> Result<ExitCode, String> {
    apart();
    // A new namespace forgets whose end is ours, so this comes after it. The kernel goes by the thread that started us: one
    // that ends before its server ends us early, and what was owed stays owed.
    with_its_starter()?;
    // INVARIANT: no program goes on without the server that started it (held by
    // `a_program_is_gone_when_its_server_is_killed`). Whoever was gone before that is nobody's parent any more.
    let parent = nix::unistd::getppid().to_string();
    if starter.to_str() != Some(parent.as_str()) {
        return Err("whoever started it is gone".to_owned());
    }
    // Ourselves once more, whatever has become of the file since.
    let mut command = Command::new("/proc/self/exe");
    command.arg(INNER).arg(folder).arg(how).arg(program);
    let status = command.status().map_err(|e| format!("it cannot be started: {e}"))?;
    match (status.code(), status.signal()) {
        (Some(code), _) => Ok(ExitCode::from(u8::try_from(code).unwrap_or(1))),
        (None, signal) => {
            // As a shell says it.
            let signal = signal.and_then(|signal| u8::try_from(signal).ok()).unwrap_or_default();
            Ok(ExitCode::from(128_u8.saturating_add(signal)))
        }
    }
}

/// A namespace of process ids, where the system lets us have one. Without it a child that leaves its group can outlive it.
#[cfg(target_os = "linux")]
fn apart() {
    use nix::sched::{CloneFlags, unshare};
    use nix::unistd::{getegid, geteuid};
    let (user, group) = (geteuid(), getegid());
    if user.is_root() {
        let _ = unshare(CloneFlags::CLONE_NEWPID);
        return;
    }
    if unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID).is_ok() {
        // Whoever we are, we stay, and nobody else is there.
        let _ = std::fs::write("/proc/self/setgroups", "deny");
        let _ = std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"));
        let _ = std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"));
    }
}

#[cfg(not(target_os = "linux"))]
fn apart() {}

/// Takes everything away that the program does not need, and becomes it. Comes back only if that failed.
fn inner(folder: &Path, needed: Needed, program: &Path) -> Result<String, String> {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    with_its_starter()?;
    for (resource, most) in [
        (Resource::RLIMIT_CPU, CPU_SECS),
        (Resource::RLIMIT_DATA, MOST_MEMORY),
        (Resource::RLIMIT_FSIZE, MOST_FILE),
        (Resource::RLIMIT_NOFILE, MOST_FILES),
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_NPROC, MOST_PROCESSES),
    ] {
        setrlimit(resource, most, most).map_err(|e| format!("it cannot be bounded: {e}"))?;
    }
    close_the_rest()?;
    become_nobody()?;
    confine_the_disk(folder, program, needed)?;
    let failed = Command::new(program).exec();
    Ok(format!("it cannot be run: {failed}"))
}

/// It ends when whoever started it does, and is never more than it is now.
#[cfg(target_os = "linux")]
fn with_its_starter() -> Result<(), String> {
    use nix::sys::prctl::{set_no_new_privs, set_pdeathsig};
    use nix::sys::signal::Signal;
    set_pdeathsig(Signal::SIGKILL).map_err(|e| format!("it would outlive its end: {e}"))?;
    set_no_new_privs().map_err(|e| format!("it could become more than it is: {e}"))
}

#[cfg(not(target_os = "linux"))]
fn with_its_starter() -> Result<(), String> {
    Err("programs are run on Linux only".to_owned())
}

/// Nothing is inherited but the three streams.
fn close_the_rest() -> Result<(), String> {
    let failed = |e: std::io::Error| format!("what it inherited cannot be looked at: {e}");
    let mut open = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd").map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        open.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()).filter(|fd| *fd > 2));
    }
    for fd in open {
        // One of them was the listing itself, which is closed already.
        let _ = nix::unistd::close(fd);
    }
    Ok(())
}

/// Root becomes nobody; anybody else stays who they are.
#[cfg(target_os = "linux")]
fn become_nobody() -> Result<(), String> {
    use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};
    if !geteuid().is_root() {
        return Ok(());
    }
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    let failed = |e: nix::Error| format!("it would run as root: {e}");
    setgroups(&[]).map_err(failed)?;
    setresgid(group, group, group).map_err(failed)?;
    setresuid(user, user, user).map_err(failed)?;
    // Becoming somebody else forgets whose end is ours.
    with_its_starter()
}

#[cfg(not(target_os = "linux"))]
fn become_nobody() -> Result<(), String> {
    Ok(())
}

/// What there has to be of Landlock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needed {
    /// The operator wants the program run all the same.
    Nothing,
    /// The program becomes nobody, who may write to little anyway.
    Any,
    /// It stays who the server is: without this (Linux 6.2) it could empty the server's files.
    Truncation,
}

impl Needed {
    /// Before it becomes nobody.
    fn of(how: &OsString) -> Self {
        match (how.to_str(), nix::unistd::geteuid().is_root()) {
            (Some("any"), _) => Self::Nothing,
            (_, true) => Self::Any,
            (_, false) => Self::Truncation,
        }
    }
}

/// Of the disk it may read what is the system's and its own folder, write to its own folder, and run the first. Where the kernel
/// can tell (Linux 7.1), it speaks to no socket of the disk but those of its own folder.
#[cfg(target_os = "linux")]
fn confine_the_disk(folder: &Path, program: &Path, needed: Needed) -> Result<(), String> {
    use landlock::{
        ABI, Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
        RulesetStatus, Scope, path_beneath_rules,
    };
    const NEWEST: ABI = ABI::V9;
    const SETTING: &str = "set `hooks.without_landlock` if that is meant";
    let failed = |e: landlock::RulesetError| format!("what it may touch cannot be bounded: {e}");
    let read = AccessFs::from_read(NEWEST);
    let own = AccessFs::from_all(NEWEST);
    let write = AccessFs::ReadFile | AccessFs::WriteFile;
    let programs = program.parent().unwrap_or(program);
    let ruleset = Ruleset::default();
    let ruleset = if needed == Needed::Truncation {
        let strict = ruleset.set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::from_all(ABI::V3));
        strict.map_err(|_| {
            format!("Landlock of Linux 6.2 is needed where the server is not root, for the program is the same user; {SETTING}")
        })?
    } else {
        ruleset
    };
    let ruleset = ruleset.set_compatibility(CompatLevel::BestEffort);
    let ruleset = ruleset.handle_access(own).map_err(failed)?.scope(Scope::from_all(NEWEST)).map_err(failed)?;
    let status = ruleset
        .create()
        .map_err(failed)?
        .add_rules(path_beneath_rules(READABLE, read))
        .map_err(failed)?
        .add_rules(path_beneath_rules([programs], read))
        .map_err(failed)?
        .add_rules(path_beneath_rules(WRITABLE, write))
        .map_err(failed)?
        .add_rules(path_beneath_rules([folder], own))
        .map_err(failed)?
        .restrict_self()
        .map_err(failed)?;
    match status.ruleset {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced if needed == Needed::Nothing => Ok(()),
        RulesetStatus::NotEnforced => {
            Err(format!("this kernel has no Landlock, so it could read what the server reads; {SETTING}"))
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn confine_the_disk(_folder: &Path, _program: &Path, _needed: Needed) -> Result<(), String> {
    Err("programs are run on Linux only".to_owned())
}
