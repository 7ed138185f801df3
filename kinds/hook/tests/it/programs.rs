//! Programs in a confined child: which are run, what they can touch, and that nothing of them stays.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wane_connector::{ConnectError, EndOutcome, Presence};
use wane_domain::time::Span;
use wane_kind_hook::ProgramSettings;

use crate::stage::{Stage, programs_in, real_now};

/// A folder of programs as an operator would make it. Tests of programs run as root, as those that log in over SSH do.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("wane-programs-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn add(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// The settings of a program that can do these.
fn of(program: &str, calls: &[&str], secret: &str, ends_itself: bool) -> Value {
    json!({
        "of": "own", "hands_out": "something", "program": program, "residual": { "logins_secs": 1 },
        "parameters": { "dollar": "$(touch /tmp/evil); `id`" }, "calls": calls, "secret": secret, "ends_itself": ends_itself,
    })
}

fn role() -> Value {
    json!({ "of": "own", "values": { "quote": "'; rm -rf / #", "list": ["a", 1] } })
}

/// The folder that one run of a program may write to, of this user.
fn scratch(user: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    chown(folder.path(), Some(user), Some(user)).unwrap();
    folder
}

/// A stage for a program whose text is this. It can be told everything; nothing is read back.
fn told(folder: &Folder, text: &str) -> Stage {
    folder.add("it", text);
    let settings = of("it", &["create", "revoke"], "none", true);
    Stage::with_programs(&settings, &role(), Some("the target's password"), programs_in(folder.path()))
}

/// What a program of this text shows of itself.
async fn shown(text: &str) -> Value {
    let folder = Folder::new();
    let stage = told(&folder, text);
    stage.make().await.public
}

const REPORT: &str = r#"#!/usr/bin/python3
import json, os, resource, signal, sys
told = json.load(sys.stdin)
seen = {"uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(), "env": sorted(os.environ), "argv": sys.argv[1:]}
seen["cwd_is_empty"] = os.listdir(".") == []
open("mine", "w").write("x")
def tried(what):
    try:
        what()
        return "done"
    except OSError as error:
        return type(error).__name__
seen["reads_other"] = tried(lambda: open(told["parameters"]["other"]).read())
seen["writes_tmp"] = tried(lambda: open("/tmp/wane-evil", "w"))
seen["writes_own_file"] = tried(lambda: open(sys.argv[0], "a"))
seen["reads_proc"] = tried(lambda: open("/proc/1/environ").read())
seen["kills_server"] = tried(lambda: os.kill(int(told["parameters"]["server"]), 0))
def is_open(fd):
    try:
        os.fstat(fd)
        return True
    except OSError:
        return False
seen["open"] = [fd for fd in range(0, 256) if is_open(fd)]
seen["core"] = resource.getrlimit(resource.RLIMIT_CORE)[1]
seen["files"] = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
seen["cpu"] = resource.getrlimit(resource.RLIMIT_CPU)[1]
seen["memory"] = resource.getrlimit(resource.RLIMIT_DATA)[1] > 0
seen["pid"] = os.getpid()
seen["told"] = told["role"]["quote"] + told["parameters"]["dollar"]
seen["end"] = told["end"] > told["at"]
json.dump({"shows": seen}, sys.stdout)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_program_touches_nothing_but_its_own() {
    let folder = Folder::new();
    folder.add("it", REPORT);
    let other = tempfile::tempdir().unwrap();
    fs::set_permissions(other.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let file = other.path().join("of-the-server");
    fs::write(&file, "keys").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    // Open, and not told to close: nothing of it may come through.
    let kept = fs::File::open(&file).unwrap();
    let mut settings = of("it", &["create", "revoke"], "none", true);
    settings["parameters"]["other"] = json!(file);
    settings["parameters"]["server"] = json!(std::process::id());
    let stage = Stage::with_programs(&settings, &role(), Some("pw"), programs_in(folder.path()));
    let seen = stage.make().await.public;
    drop(kept);
    assert_eq!((&seen["uid"], &seen["gid"], &seen["groups"]), (&json!(65534), &json!(65534), &json!([])), "{seen:#}");
    assert_eq!(seen["env"], json!(["HOME", "LANG", "PATH", "TMPDIR"]), "{seen:#}");
    assert_eq!((&seen["argv"], &seen["open"]), (&json!([]), &json!([0, 1, 2])), "{seen:#}");
    assert_eq!(seen["cwd_is_empty"], true, "{seen:#}");
    for what in ["reads_other", "writes_tmp", "writes_own_file", "reads_proc"] {
        assert_eq!(seen[what], "PermissionError", "{what}: {seen:#}");
    }
    assert_ne!(seen["kills_server"], "done", "{seen:#}");
    assert_eq!((&seen["core"], &seen["files"], &seen["cpu"]), (&json!(0), &json!(256), &json!(20)), "{seen:#}");
    assert_eq!(seen["pid"], 1, "it is alone: {seen:#}");
    assert_eq!(seen["told"], "'; rm -rf / #$(touch /tmp/evil); `id`");
    assert_eq!(seen["end"], true);
    assert!(!Path::new("/tmp/evil").exists());
}

/// How many processes with this word among their arguments are there.
fn count(word: &str) -> usize {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(word)).count()
}

fn runs(word: &str) -> bool {
    count(word) > 0
}

async fn gone(word: &str) {
    wane_testkit::eventually("it to be gone", Duration::from_secs(20), async || !runs(word)).await.unwrap();
}

/// A server that is killed closes nothing by itself: whatever its programs were about to make, they make no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_gone_when_its_server_is_killed() {
    let word = format!("98766.{}", std::process::id());
    let folder = Folder::new();
    folder.add("it", &format!("#!/bin/sh\nexec sleep {word}\n"));
    let (own, program) = (scratch(65_534), folder.path().join("it"));
    let (launcher, words) = programs_in(folder.path()).launcher;
    // A shell stands for the server.
    let mut server = Command::new("/bin/sh");
    server.args(["-c", "\"$0\" \"$1\" \"$2\" landlock $$ \"$3\" & wait"]);
    let mut server = server.arg(&launcher).args(&words).arg(own.path()).arg(&program).spawn().unwrap();
    wane_testkit::eventually("it to run", Duration::from_secs(20), async || runs(&word)).await.unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    gone(&word).await;
    // One whose server was gone before it looked is not run.
    folder.add("it", "#!/bin/sh\necho it ran\n");
    let mut late = Command::new(&launcher);
    let late = late.args(&words).arg(own.path()).args(["landlock", "1"]).arg(&program).output().unwrap();
    let said = String::from_utf8_lossy(&late.stderr);
    assert!(late.status.code() == Some(126) && said.contains("whoever started it is gone"), "{late:?}");
}

/// Where the server is not root, its programs are the same user: they read and empty none of its files all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_of_a_server_that_is_not_root_is_confined_as_well() {
    const USER: u32 = 12_345;
    let folder = Folder::new();
    let own = scratch(USER);
    let servers = scratch(USER);
    let file = servers.path().join("keys");
    fs::write(&file, "keys").unwrap();
    chown(&file, Some(USER), Some(USER)).unwrap();
    let text = r#"#!/usr/bin/python3
import os
print(os.getuid())
for what in (lambda: open("FILE").read(), lambda: open("FILE", "w"), lambda: os.truncate("FILE", 0), lambda: os.unlink("FILE")):
    try:
        what()
        print("done")
    except PermissionError:
        print("refused")
open("mine", "w").write("x")
"#;
    folder.add("it", &text.replace("FILE", &file.display().to_string()));
    let (launcher, words) = programs_in(folder.path()).launcher;
    // Where anybody may run it, as the server's own binary is.
    let copy = folder.path().join("launcher");
    fs::copy(launcher, &copy).unwrap();
    set(&copy, 0o755);
    let mut child = Command::new(&copy);
    child.args(words).arg(own.path()).args(["landlock", &std::process::id().to_string()]);
    let done = child.arg(folder.path().join("it")).current_dir(own.path()).uid(USER).gid(USER).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert_eq!(said, "12345\nrefused\nrefused\nrefused\nrefused\n", "{done:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "keys");
    assert!(own.path().join("mine").exists());
}

/// As many makes as may run hang: what is to end ends meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn makes_that_hang_keep_no_end_waiting() {
    let word = format!("98767.{}", std::process::id());
    let folder = Folder::new();
    folder.add(
        "it",
        &format!(
            "#!/bin/sh\ncase \"$(cat)\" in\n*'\"call\":\"create\"'*) exec sleep {word};;\n*verify_absent*) echo '{{\"absent\":true}}';;\n*) echo '{{}}';;\nesac\n"
        ),
    );
    let settings = of("it", &["create", "revoke", "verify_absent"], "none", false);
    let stage = Arc::new(Stage::with_programs(&settings, &role(), None, programs_in(folder.path())));
    let mut makes = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let stage = Arc::clone(&stage);
        makes.spawn(async move { stage.create(&stage.lease()).await.map(drop) });
    }
    wane_testkit::eventually("all to run", Duration::from_secs(9), async || count(&word) == 8).await.unwrap();
    let (granted, begun) = (stage.lease(), real_now());
    assert_eq!(stage.end(&granted).await.unwrap(), EndOutcome::Done);
    assert!(matches!(stage.presence(&granted).await.unwrap(), Presence::Absent { .. }));
    assert_eq!(count(&word), 8, "it waited until one was given up: {:?}", real_now().since(begun));
    makes.abort_all();
    while makes.join_next().await.is_some() {}
    gone(&word).await;
}

/// What it started is gone with it, whether it ended by itself or was ended, and whatever it did to get away.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_gone_with_all_it_started() {
    let word = format!("98765.{}", std::process::id());
    let text = |rest: &str| {
        format!(
            "#!/bin/sh\ncat >/dev/null\nsetsid sleep {word} >/dev/null 2>&1 </dev/null &\nsleep {word} >/dev/null 2>&1 &\n{rest}\n"
        )
    };
    shown(&text("sleep 0.3; echo '{}'")).await;
    gone(&word).await;
    let folder = Folder::new();
    let stage = told(&folder, &text("exec sleep 60"));
    let begun = real_now();
    let met = stage.create(&stage.lease()).await.unwrap_err();
    assert!(matches!(&met, ConnectError::Unreachable { why, .. } if why.contains("was not done within 10 s")), "{met}");
    // Once to make, once to undo.
    assert!(real_now().since(begun) < Span::from_secs(28), "{:?}", real_now().since(begun));
    gone(&word).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_says_is_bounded_and_read_strictly() {
    for (rest, problem) in [
        ("yes", "says more than"),
        ("echo no json", "not what belongs there"),
        ("echo '{\"ok\": true}'", "not what belongs there"),
        ("echo '{\"secret\": \"s\"}'", "a secret where none belongs"),
        ("echo '{\"id\": \"\"}'", "empty or too long"),
        ("echo \"{\\\"id\\\": \\\"$(head -c 600 /dev/zero | tr '\\0' x)\\\"}\"", "empty or too long"),
        ("echo '{\"hunter2\": 1}'", "not what belongs there"),
        ("echo '{\"shows\": \"hunter2\"}'", "not what belongs there"),
        ("echo 'it is late' >&2; exit 75", "not now: it is late"),
        ("echo 'the target'\"'\"'s password is wrong' >&2; exit 77", "its credential is refused"),
        ("echo 'no such table' >&2; exit 3", "ended with 3: no such table"),
        ("head -c 20000000 /dev/zero > big && exit 9", "ended with 153"),
    ] {
        let folder = Folder::new();
        let stage = told(&folder, &format!("#!/bin/sh\ncat >/dev/null\n{rest}\n"));
        let met = stage.create(&stage.lease()).await.unwrap_err().to_string();
        assert!(met.contains(problem), "{rest}: {met}");
        assert!(!met.contains("the target's password") && !met.contains("hunter2"), "{rest}: {met}");
    }
    // Who complains much on the way is heard to the end.
    let seen = shown(
        "#!/bin/sh\ncat >/dev/null\nhead -c 1000000 /dev/zero | tr '\\0' x >&2\necho '{\"shows\": {\"a\": \"b\"}}'\n",
    )
    .await;
    assert_eq!(seen["a"], "b");
}

/// Whoever can change a program runs anything as the server: only root may.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_root_alone_can_change_is_run() {
    let good = "#!/bin/sh\ncat >/dev/null\necho '{}'\n";
    let refused = |change: fn(&Folder)| async move {
        let folder = Folder::new();
        let stage = told(&folder, good);
        change(&folder);
        let met = stage.create(&stage.lease()).await.map(drop);
        met.map_err(|met| met.to_string())
    };
    assert_eq!(refused(|_| {}).await, Ok(()));
    /// What is done to the folder, and what is said of it then.
    type Change = (&'static str, fn(&Folder), &'static str);
    let changes: [Change; 9] = [
        ("a folder others may write to", |f| set(f.path(), 0o777), "nobody else may write to"),
        ("a folder of a group", |f| set(f.path(), 0o775), "nobody else may write to"),
        ("a folder of somebody", |f| chown(f.path(), Some(1234), None).unwrap(), "belongs to root"),
        ("a file others may write to", |f| set(&f.path().join("it"), 0o777), "nobody else may write to it"),
        ("a file of somebody", |f| chown(f.path().join("it"), Some(1234), None).unwrap(), "belong to root"),
        ("a file that is setuid", |f| set(&f.path().join("it"), 0o4755), "setuid"),
        ("a file nobody may run", |f| set(&f.path().join("it"), 0o644), "not executable"),
        ("no file", |f| fs::remove_file(f.path().join("it")).unwrap(), "is not in the folder"),
        (
            "a link",
            |f| {
                fs::rename(f.path().join("it"), f.path().join("real")).unwrap();
                symlink(f.path().join("real"), f.path().join("it")).unwrap();
            },
            "a link is not followed",
        ),
    ];
    for (what, change, word) in changes {
        let met = refused(change).await;
        assert!(met.as_ref().is_err_and(|met| met.contains(word)), "{what}: {met:?}");
    }
    // A server whose operator names no folder runs none, whoever registers what.
    let settings = of("it", &["create", "revoke"], "none", true);
    let stage = Stage::with_programs(&settings, &role(), None, ProgramSettings::none());
    for met in [stage.create(&stage.lease()).await.map(drop), stage.probe().await.map(drop)] {
        assert!(met.unwrap_err().to_string().contains("runs no programs"));
    }
}

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A program that was exchanged makes nothing until somebody looked, and ends what there is all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_was_exchanged_ends_and_makes_nothing() {
    const TEXT: &str = "#!/usr/bin/python3\nimport json, sys\ntold = json.load(sys.stdin)\njson.dump({'create': {}, 'revoke': {}, 'verify_absent': {'absent': True}}[told['call']], sys.stdout)\n";
    let folder = Folder::new();
    folder.add("it", TEXT);
    let sha256 = {
        use sha2::Digest as _;
        data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(TEXT.as_bytes()))
    };
    let mut settings = of("it", &["create", "revoke", "verify_absent"], "none", false);
    settings["sha256"] = json!(sha256);
    let stage = Stage::with_programs(&settings, &role(), None, programs_in(folder.path()));
    stage.probe().await.unwrap();
    let granted = stage.lease();
    folder.add("it", &format!("{TEXT}# exchanged\n"));
    let met = stage.create(&granted).await.unwrap_err().to_string();
    assert!(met.contains("another file than when it was registered"), "{met}");
    assert!(stage.probe().await.is_err());
    assert_eq!(stage.end(&granted).await.unwrap(), EndOutcome::Done);
    assert!(matches!(stage.presence(&granted).await.unwrap(), Presence::Absent { .. }));
}
