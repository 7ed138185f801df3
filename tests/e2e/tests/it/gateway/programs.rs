//! The programs people have on top of `ssh`, and the plain server's answers beside the gateway's.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use wane_testkit::{Ended, Interactive, wait_until};

use super::lab::{ALL, Lab, NOTHING, TERMINAL, Visitor};
use crate::people::SOON;

/// A program with these arguments, given up after a while, with `ssh` as somebody has it.
fn program(visitor: &Visitor, name: &str) -> Command {
    let ssh = ["ssh".to_owned()].into_iter().chain(visitor.options());
    let ssh = ssh.chain(["-T".to_owned(), "-oBatchMode=yes".to_owned(), "-l".to_owned(), visitor.name.clone()]);
    let ssh = ssh.collect::<Vec<_>>().join(" ");
    let mut command = Command::new("timeout");
    command.arg(SOON.as_secs().to_string()).arg(name).env_clear();
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").env("HOME", "/nonexistent");
    command.env("RSYNC_RSH", &ssh).env("GIT_SSH_COMMAND", &ssh).stdin(Stdio::null());
    command
}

pub(super) fn good(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn folders_are_kept_alike_and_branches_pushed() {
    let lab = Lab::new(NOTHING);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let here = tempfile::tempdir().unwrap();
    // The login account has to reach what is in it.
    let there = tempfile::Builder::new().prefix("wane-there-").tempdir_in("/tmp").unwrap();
    let open = |path: &Path| {
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(path, all).unwrap();
    };
    open(there.path());

    // Many files, one of them large and one with a name that every shell would like to read.
    let from = here.path().join("from");
    fs::create_dir_all(from.join("a b/$(c)")).unwrap();
    fs::write(from.join("a b/$(c)/;'\"*.txt"), "named").unwrap();
    fs::write(from.join("large"), vec![7; 3_000_001]).unwrap();
    for n in 0..200 {
        fs::write(from.join(format!("file-{n}")), n.to_string()).unwrap();
    }
    let remote = format!("127.0.0.1:{}/copy", there.path().display());
    good(program(&maya, "rsync").args(["-rltz", &format!("{}/", from.display()), &remote]));
    fs::write(from.join("file-7"), "changed").unwrap();
    fs::remove_file(from.join("file-8")).unwrap();
    let said = good(program(&maya, "rsync").args(["-rlti", "--delete", &format!("{}/", from.display()), &remote]));
    assert!(said.contains("file-7") && said.contains("deleting   file-8") && !said.contains("file-9"), "{said}");
    let back = here.path().join("back");
    good(program(&maya, "rsync").args(["-rlt", &format!("{remote}/"), &back.display().to_string()]));
    good(Command::new("diff").arg("-r").arg(&from).arg(&back));

    // A repository there, of whoever logs in.
    let bare = there.path().join("shared.git");
    assert!(maya.run(&format!("git init -q --bare -b main {}", bare.display())).success());
    let url = format!("ssh://127.0.0.1:{}{}", maya.port, bare.display());
    let git = |words: &[&str]| {
        let mut git = program(&maya, "git");
        git.args(["-c", "user.name=maya", "-c", "user.email=maya@example.org", "-c", "init.defaultBranch=main"]);
        good(git.current_dir(&from).args(words))
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "all of it"]);
    git(&["push", "-q", &url, "main"]);
    let clone = here.path().join("clone");
    git(&["clone", "-q", &url, &clone.display().to_string()]);
    good(Command::new("diff").args(["-r", "-x", ".git"]).arg(&from).arg(&clone));
    let head = git(&["rev-parse", "HEAD"]);
    assert!(git(&["ls-remote", &url, "main"]).starts_with(head.trim()));
}

#[test]
fn one_connection_carries_many_commands_and_all_end_with_it() {
    let lab = Lab::new(NOTHING);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let socket = maya.key.parent().unwrap().join("master");
    let path = format!("ControlPath={}", socket.display());
    let shared = ["-T", "-o", "ControlMaster=no", "-o", &path];
    // What stands first counts.
    let mut master = Command::new("ssh");
    master.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    master.args(["-N", "-o", "ControlMaster=yes", "-o", &path]).args(maya.options());
    let master = Interactive::spawn(master.arg("-l").arg(&maya.name).arg("127.0.0.1")).unwrap();
    wait_until("the shared connection", SOON, || socket.exists()).unwrap();
    let over = |remote: &str| {
        let mut ssh = Command::new("ssh");
        ssh.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").args(shared).args(maya.options());
        Interactive::spawn(ssh.arg("-l").arg(&maya.name).arg("127.0.0.1").arg(remote)).unwrap()
    };
    for n in 0..5 {
        let mut ssh = over(&format!("echo {n}; exit {n}"));
        ssh.close_input();
        let outcome = ssh.wait_exit(SOON).unwrap();
        assert_eq!(
            (outcome.stdout.trim(), outcome.ended),
            (n.to_string().as_str(), Ended::Code(n)),
            "{}",
            outcome.stderr
        );
    }
    let long: Vec<_> = (0..3).map(|_| over("echo there; exec cat")).collect();
    for ssh in &long {
        ssh.wait_for("there", SOON).unwrap();
    }
    assert_eq!(lab.sessions().len(), 1, "one connection is one session");
    lab.wane.ada.json(&["revoke", &maya.grant, "-m", "enough"]).unwrap();
    for ssh in long {
        assert!(!ssh.wait_exit(SOON).unwrap().success());
    }
    assert!(!master.wait_exit(SOON).unwrap().success());
    let tally = lab.tally(&maya.grant);
    assert_eq!(tally["programs"]["exec"], 8, "{tally}");
}

#[test]
fn a_terminal_has_the_size_of_the_persons_and_follows_it() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let note = maya.key.parent().unwrap().join("tty");
    let quoted: Vec<String> = maya.options().iter().map(|word| format!("'{word}'")).collect();
    let line = format!(
        "tty > '{}'; stty rows 40 cols 100; exec ssh {} -tt -l '{}' 127.0.0.1 \
         'stty size; read line; stty size; trap \"echo interrupted; exit 9\" INT; echo waits; sleep 60 & wait'",
        note.display(),
        quoted.join(" "),
        maya.name
    );
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm-256color");
    let mut ssh = Interactive::spawn(&mut script).unwrap();
    ssh.wait_for("40 100", SOON).unwrap();
    let tty = fs::read_to_string(&note).unwrap();
    good(Command::new("stty").args(["-F", tty.trim(), "rows", "50", "cols", "120"]));
    // What is typed after a change of size is heard after it.
    ssh.send_line("go on").unwrap();
    ssh.wait_for("50 120", SOON).unwrap();
    ssh.wait_for("waits", SOON).unwrap();
    // Ctrl-C, which is the other side's to understand.
    ssh.send_line("\u{3}").unwrap();
    ssh.wait_for("interrupted", SOON).unwrap();
    assert_eq!(ssh.wait_exit(SOON).unwrap().ended, Ended::Code(9));
}

/// A display that says one word to whoever shows anything.
fn display() -> (u16, TcpListener) {
    for number in 40..400 {
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", 6000 + number)) {
            return (number, listener);
        }
    }
    panic!("every display is taken");
}

#[test]
fn a_window_is_shown_where_the_role_names_it() {
    let lab = Lab::built(wane_testkit::WaneServer::builder(), ALL, &["X11Forwarding yes"]);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let (number, listener) = display();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(3) {
            let Ok(mut stream) = stream else { continue };
            let mut greeting = [0; 12];
            let heard = stream.read_exact(&mut greeting).is_ok() && greeting[0] == b'l';
            let _ = stream.write_all(if heard { b"window" } else { b"what??" });
        }
    });
    // The greeting of an X client (X11 protocol, "Connection Setup"), with the cookie that ssh left there.
    let remote = r#"exec bash -c '
        cookie=$(xauth list "$DISPLAY" | head -n 1 | sed "s/.* //; s/../\\\\x&/g")
        port=$((6000 + $(echo "$DISPLAY" | sed "s/.*:\([0-9]*\).*/\1/")))
        exec 3<>/dev/tcp/127.0.0.1/$port
        printf "l\0\013\0\0\0\022\0\020\0\0\0MIT-MAGIC-COOKIE-1\0\0$cookie" >&3
        head -c 6 <&3'"#;
    let mut ssh = maya.ssh(&["-T", "-Y", "-o", "XAuthLocation=/usr/bin/xauth"], &[remote]);
    let mut ssh = Interactive::spawn(ssh.env("DISPLAY", format!("127.0.0.1:{number}"))).unwrap();
    ssh.close_input();
    let outcome = ssh.wait_exit(SOON).unwrap();
    assert_eq!(outcome.stdout, "window", "{outcome:?}\n{}", lab.sshd.log());
    let tally = lab.tally(&maya.grant);
    assert_eq!(tally["channels"]["x11"], 1, "{tally:#}");
}

/// What ends up with the person: bytes, complaints, and how it ended.
pub(super) fn answer(ssh: &mut Command, input: &[u8]) -> Output {
    let mut child = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = std::thread::spawn(move || {
        // A program that does not read all it is sent is one of the cases.
        let _ = to.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    output
}

#[test]
fn the_gateway_answers_as_the_plain_server_does() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let known = maya.key.parent().unwrap().join("host-known");
    fs::write(&known, lab.sshd.setup().known_hosts_line().unwrap() + "\n").unwrap();
    let (options, known) = (maya.options(), format!("UserKnownHostsFile={}", known.display()));
    let run = |user: &str, first: &[String], case: &(&str, &[&str], &str, &[u8])| {
        let mut ssh = Command::new("timeout");
        ssh.arg(SOON.as_secs().to_string()).arg("ssh").env_clear();
        ssh.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").env("LANG", "de_DE.UTF-8");
        ssh.args(first).args(&options).args(case.1).args(["-l", user, "127.0.0.1"]);
        if !case.2.is_empty() {
            ssh.arg(case.2);
        }
        answer(&mut ssh, case.3)
    };
    let plain = ["-o".to_owned(), known, "-o".to_owned(), format!("Port={}", lab.sshd.port())];
    let every_byte: Vec<u8> = (0..=255).collect();
    let much = vec![b'x'; 300_000];
    let long = format!("printf %s '{}' | wc -c", "y".repeat(60_000));
    let cases: &[(&str, &[&str], &str, &[u8])] = &[
        ("nothing", &["-T"], "true", b""),
        ("a status", &["-T"], "exit 254", b""),
        ("killed by itself", &["-T"], "kill -TERM $$", b""),
        ("killed for good", &["-T"], "kill -KILL $$", b""),
        ("aborted", &["-T"], "kill -ABRT $$", b""),
        ("no such program", &["-T"], "/nonexistent/program", b""),
        ("a syntax error", &["-T"], "if", b""),
        ("every byte", &["-T"], "cat", &every_byte),
        ("much in, little out", &["-T"], "wc -c", &much),
        ("much that nobody reads", &["-T"], "exec true", &much),
        ("much out", &["-T"], "head -c 3000000 /dev/zero | tr '\\0' z", b""),
        ("both out", &["-T"], "for n in 1 2 3; do echo $n; echo $n >&2; done", b""),
        ("only complaints", &["-T"], "head -c 200000 /dev/zero | tr '\\0' e >&2", b""),
        ("input closed", &["-T", "-n"], "cat; echo end", b"unheard"),
        ("output closed by the program", &["-T"], "exec >&-; echo gone >&2; exit 5", b""),
        ("a child that outlives it", &["-T"], "(sleep 0.2; echo late) & echo soon; wait", b""),
        ("a shell fed commands", &["-T"], "", b"echo one\nexit 6\n"),
        ("a long command", &["-T"], &long, b""),
        ("quotes", &["-T"], r#"printf '%s\n' "a  b" 'c"d' \$e"#, b""),
        ("lines and tabs", &["-T"], "echo a\nprintf 'b\\tc\\n'", b""),
        ("a variable", &["-T", "-o", "SendEnv=LANG"], "echo $LANG", b""),
        ("a variable set", &["-T", "-o", "SetEnv=LC_MINE=mine"], "echo $LC_MINE", b""),
        ("a terminal", &["-tt"], "stty size; exit 3", b""),
        ("a terminal's echo", &["-tt"], "read line; echo said $line", b"word\n"),
        ("an unknown subsystem", &["-T", "-s"], "nonexistent", b""),
    ];
    for case in cases {
        let direct = run(lab.sshd.user().name(), &plain, case);
        let carried = run(&maya.name, &[], case);
        assert_eq!(carried.status, direct.status, "{}: {carried:?}\n{direct:?}", case.0);
        assert!(carried.stdout == direct.stdout, "{}: {carried:?}\n{direct:?}", case.0);
        // The host's own farewell names its own address.
        let words = |said: &[u8]| {
            let said = String::from_utf8_lossy(said).into_owned();
            said.lines().filter(|line| !line.starts_with("Connection to ")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(words(&carried.stderr), words(&direct.stderr), "{}", case.0);
    }
}
