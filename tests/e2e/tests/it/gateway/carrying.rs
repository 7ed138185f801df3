//! What passes, and comes out as it does without a gateway; and what does not pass.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use wane_testkit::{Ended, Interactive, ssh_keygen, wait_until};

use super::lab::{ALL, Lab, NOTHING, TERMINAL};
use crate::people::SOON;

#[test]
fn a_command_comes_out_as_it_does_without_a_gateway() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let outcome = maya.run("id -un; echo complaint >&2; exit 17");
    assert_eq!(outcome.ended, Ended::Code(17), "{outcome:?}\n{}", lab.wane.server.log());
    assert_eq!((outcome.stdout.trim(), outcome.stderr.trim()), (lab.sshd.user().name(), "complaint"));

    // Every byte and in order, also after the person has said all they have to say.
    let mut cat = maya.open(&["-T"], &["cat; echo done"]);
    for n in 0..2000 {
        cat.send_line(&format!("line {n}")).unwrap();
    }
    cat.close_input();
    let said = cat.wait_exit(SOON).unwrap().into_stdout().unwrap();
    let expected: String = (0..2000).map(|n| format!("line {n}\n")).collect();
    assert_eq!(said, format!("{expected}done"));

    // A terminal, which has the size of ours: none.
    let outcome = maya.run_with(&["-tt"], "tty && echo $TERM; exit 3");
    assert_eq!(outcome.ended, Ended::Code(3), "{outcome:?}");
    assert!(outcome.stdout.contains("/dev/pts/"), "{outcome:?}");

    // Variables that only say how to show things, and no others, whatever the host would take.
    let mut ssh = maya.ssh(&["-T", "-o", "SendEnv=LC_TIME EVIL"], &["echo $LC_TIME:$EVIL"]);
    let mut ssh = Interactive::spawn(ssh.env("LC_TIME", "de_DE.UTF-8").env("EVIL", "yes")).unwrap();
    ssh.close_input();
    assert_eq!(ssh.wait_exit(SOON).unwrap().into_stdout().unwrap(), "de_DE.UTF-8:");

    let tally = lab.tally(&maya.grant);
    assert_eq!(tally["programs"]["exec"], 1, "{tally}");
    let leases = lab.leases(&maya.grant);
    assert_eq!(leases.len(), 4, "{leases:#?}");
    wait_until("all of them to be gone", SOON, || {
        lab.leases(&maya.grant).iter().all(|lease| lease["basis"]["word"] == "gone" || lease["state"] == "gone")
    })
    .unwrap();
    assert!(lab.sessions().is_empty());
}

#[test]
fn files_arrive_whole_both_ways() {
    let lab = Lab::new(NOTHING);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let here = lab.wane.server.folder().join("big");
    // Not compressible, and no multiple of any block.
    let mut bytes = vec![0; 12_345_677];
    fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    fs::write(&here, &bytes).unwrap();
    let back = lab.wane.server.folder().join("back");
    let there = format!("{}@127.0.0.1:/tmp/wane-gateway-{}", maya.name, maya.port);
    let copy = |args: &[&str]| {
        let outcome = Interactive::spawn(maya.program("scp").args(args)).unwrap().wait_exit(SOON).unwrap();
        assert!(outcome.success(), "{args:?}: {outcome:?}\n{}", lab.wane.server.log());
    };
    // The protocol of today, and the one before it.
    for old in [&["-q"][..], &["-q", "-O"][..]] {
        copy(&[old, &[&here.display().to_string(), &there]].concat());
        copy(&[old, &[&there, &back.display().to_string()]].concat());
        assert!(fs::read(&back).unwrap() == bytes, "{old:?}");
    }
    assert!(maya.run(&format!("rm /tmp/wane-gateway-{}", maya.port)).success());
    // Both ways at once, more than either side holds in memory.
    let mut cat = maya.ssh(&["-T"], &["cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, sent) = (cat.stdin.take().unwrap(), bytes.clone());
    let writing = std::thread::spawn(move || input.write_all(&sent));
    let mut heard = Vec::new();
    cat.stdout.take().unwrap().read_to_end(&mut heard).unwrap();
    writing.join().unwrap().unwrap();
    assert!(cat.wait().unwrap().success());
    assert!(heard == bytes, "{} bytes came back of {}", heard.len(), bytes.len());
}

/// Answers everybody who connects with one word.
fn echo_word() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(100) {
            let _ = stream.and_then(|mut stream| stream.write_all(b"behind"));
        }
    });
    port
}

/// What is heard at a port of this machine, if anything is.
fn heard_at(port: u16) -> String {
    let mut heard = String::new();
    if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
        let _ = stream.set_read_timeout(Some(std::time::Duration::from_secs(5)));
        let _ = stream.read_to_string(&mut heard);
    }
    heard
}

#[test]
fn forwards_pass_where_the_role_names_them() {
    let lab = Lab::new(ALL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let (behind, near, far) = (echo_word(), wane_testkit::free_port().unwrap(), wane_testkit::free_port().unwrap());
    let (local, remote) = (format!("{near}:127.0.0.1:{behind}"), format!("{far}:127.0.0.1:{behind}"));
    let _open = maya.open(&["-N", "-o", "ExitOnForwardFailure=yes", "-L", &local, "-R", &remote], &[]);
    wait_until("a local forward to answer", SOON, || heard_at(near) == "behind").unwrap();
    wait_until("a remote forward to answer", SOON, || heard_at(far) == "behind").unwrap();

    // An agent with one key, seen from the other side.
    let folder = maya.key.parent().unwrap();
    let socket = folder.join("agent");
    let mut agent = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
    wait_until("the agent to listen", SOON, || UnixStream::connect(&socket).is_ok()).unwrap();
    let added = Command::new("ssh-add").arg("-q").arg(&maya.key).env("SSH_AUTH_SOCK", &socket).status().unwrap();
    assert!(added.success());
    let mut ssh = maya.ssh(&["-T", "-A"], &["ssh-add -l"]);
    let mut ssh = Interactive::spawn(ssh.env("SSH_AUTH_SOCK", &socket)).unwrap();
    ssh.close_input();
    let outcome = ssh.wait_exit(SOON).unwrap();
    agent.kill().unwrap();
    agent.wait().unwrap();
    let fingerprint = ssh_keygen(["-lf", &maya.key.display().to_string()]).unwrap().into_stdout().unwrap();
    assert!(outcome.stdout.contains(fingerprint.split(' ').nth(1).unwrap()), "{outcome:?}");
}

#[test]
fn what_the_role_does_not_name_is_refused() {
    let lab = Lab::new(NOTHING);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let behind = echo_word();
    let (near, far) = (wane_testkit::free_port().unwrap(), wane_testkit::free_port().unwrap());
    let (local, remote) = (format!("{near}:127.0.0.1:{behind}"), format!("{far}:127.0.0.1:{behind}"));
    let mut open = maya.open(&["-T", "-L", &local, "-R", &remote], &["cat"]);
    open.send_line("there").unwrap();
    open.wait_for("there", SOON).unwrap();
    assert_eq!((heard_at(near), heard_at(far)), (String::new(), String::new()));
    open.close_input();
    assert!(open.wait_exit(SOON).unwrap().success());
    let tally = lab.tally(&maya.grant);
    for refused in [format!("direct-tcpip 127.0.0.1:{behind}"), format!("tcpip-forward localhost:{far}")] {
        assert_eq!(tally["refused"][&refused], 1, "{tally:#}");
    }
    assert_eq!(tally["channels"]["session"], 1, "{tally:#}");
    assert!(tally["channels"]["direct-tcpip"].is_null(), "{tally:#}");

    let outcome = maya.run_with(&["-tt"], "tty");
    let failed = outcome.stderr.contains("PTY allocation request failed");
    assert!(failed && !outcome.stdout.contains("/dev/pts"), "{outcome:?}");
    let outcome = maya.run("echo $SSH_AUTH_SOCK:$DISPLAY");
    assert_eq!(outcome.stdout.trim(), ":", "{outcome:?}");
    let mut other = maya.ssh(&["-s"], &["netconf"]);
    let outcome = Interactive::spawn(&mut other).unwrap().wait_exit(SOON).unwrap();
    assert!(outcome.stderr.contains("subsystem request failed"), "{outcome:?}");
    // At the host, nothing was opened but what was let through.
    assert!(!lab.sshd.log().contains("forward"), "{}", lab.sshd.log());
}
