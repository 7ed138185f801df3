//! `wane ssh` with the plain ssh against a real sshd.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

use data_encoding::HEXLOWER;
use serde_json::json;
use wane_connector::verb::{Verb as _, VerbError};
use wane_kind_ssh::verbs::Ssh;
use wane_testkit::eventually;

use crate::port::TestPort;
use crate::world::{Host, World};

const PATIENCE: Duration = Duration::from_secs(60);

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The folder of the verb that was last run through this port.
fn folder(port: &TestPort<'_>) -> Option<PathBuf> {
    let entropy = port.entropy.lock().unwrap();
    let name = entropy.iter().rev().find(|bytes| bytes.len() == 8)?;
    Some(std::env::temp_dir().join(format!("wane-ssh-{}", HEXLOWER.encode(name))))
}

/// A remote command that stays until this file is there, and tells that it has begun.
fn waiting(host: &Host) -> (String, PathBuf, PathBuf) {
    let home = host.sshd.user().home();
    (
        "touch begun; while [ ! -e leave ]; do sleep 0.05; done; exit 7".to_owned(),
        home.join("begun"),
        home.join("leave"),
    )
}

#[tokio::test]
async fn it_runs_ssh_with_a_certificate_in_memory_and_leaves_nothing() {
    let world = World::new(41);
    let host = Host::start(&world, &[]);
    let port = TestPort::new(&world, &host.resource, &json!({ "principals": [host.user(), "other"] }));
    let (remote, begun, leave) = waiting(&host);
    let args =
        words(&["web1", "--role", "deploy", "--for", "1h", "--reason", "look", "--ticket", "T-1", "--", &remote]);
    let run = Ssh.run(&args, &port);
    let watch = async {
        eventually("the remote command", PATIENCE, async || begun.exists()).await.unwrap();
        let folder = folder(&port).unwrap();
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let mut names: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["agent", "known_hosts"]);
        // The agent serves the certificate and takes no keys; asked from a thread, since the verb runs on this one.
        let socket = folder.join("agent");
        let ask = move |args: &'static [&'static str]| {
            let mut command = tokio::process::Command::new("ssh-add");
            command.env("SSH_AUTH_SOCK", &socket).args(args);
            async move { command.output().await.unwrap() }
        };
        let listed = String::from_utf8(ask(&["-L"]).await.stdout).unwrap();
        assert!(listed.starts_with("ssh-ed25519-cert-v01@openssh.com ") && listed.lines().count() == 1, "{listed}");
        assert!(!ask(&["-D"]).await.status.success());
        std::fs::write(&leave, "").unwrap();
    };
    let (code, ()) = tokio::join!(run, watch);
    assert_eq!(code.unwrap(), 7, "{}", port.said());
    assert!(!folder(&port).unwrap().exists());
    let wants = port.wants.lock().unwrap();
    assert_eq!(
        (wants[0].resource.as_str(), wants[0].role.as_deref(), wants[0].duration.as_deref()),
        ("web1", Some("deploy"), Some("1h"))
    );
    assert_eq!((wants[0].reason.as_deref(), wants[0].ticket.as_deref()), (Some("look"), Some("T-1")));
}

#[tokio::test]
async fn it_renews_while_the_grant_lives_and_says_when_it_ends() {
    let world = World::new(42);
    let host = Host::start(&world, &[]);
    let port = TestPort::new(&world, &host.resource, &json!({ "principals": [host.user()] }));
    let (remote, begun, leave) = waiting(&host);
    let args = words(&["web1", &remote]);
    let watch = async {
        eventually("the remote command", PATIENCE, async || begun.exists()).await.unwrap();
        assert_eq!(port.issues.load(Ordering::SeqCst), 1);
        port.ahead.store(9 * 60, Ordering::SeqCst);
        assert_eq!(port.issues.load(Ordering::SeqCst), 1, "nine of fifteen minutes are not two thirds");
        port.ahead.store(11 * 60, Ordering::SeqCst);
        eventually("a second certificate", PATIENCE, async || port.issues.load(Ordering::SeqCst) == 2).await.unwrap();
        *port.standing.lock().unwrap() = Err(VerbError::Denied("revoked by ada".to_owned()));
        eventually("word of the end", PATIENCE, async || port.said().contains("revoked by ada")).await.unwrap();
        assert!(port.said().contains("ends logins, not open sessions"), "{}", port.said());
        std::fs::write(&leave, "").unwrap();
    };
    let (code, ()) = tokio::join!(Ssh.run(&args, &port), watch);
    assert_eq!(code.unwrap(), 7, "the open session went on: {}", port.said());
}

#[tokio::test]
async fn a_signal_ends_ssh_and_leaves_nothing() {
    let world = World::new(43);
    let host = Host::start(&world, &[]);
    let port = TestPort::new(&world, &host.resource, &json!({ "principals": [host.user()] }));
    let (remote, begun, _) = waiting(&host);
    let args = words(&["web1", &remote]);
    let watch = async {
        eventually("the remote command", PATIENCE, async || begun.exists()).await.unwrap();
        assert!(Command::new("kill").args(["-TERM", &std::process::id().to_string()]).status().unwrap().success());
    };
    let (code, ()) = tokio::join!(Ssh.run(&args, &port), watch);
    assert!([128 + 15, 255].contains(&code.unwrap()), "{}", port.said());
    assert!(!folder(&port).unwrap().exists());
}

#[tokio::test]
async fn an_unproven_host_gets_no_login() {
    let world = World::new(44);
    let other = World::new(45);
    // The host was set up by another deployment; ours does not believe it.
    let host = Host::start(&other, &[]);
    let port = TestPort::new(&world, &host.resource, &json!({ "principals": [host.user()] }));
    assert_eq!(Ssh.run(&words(&["web1", "true"]), &port).await.unwrap(), 255);
    assert!(!host.sshd.log().contains("publickey"), "{}", host.sshd.log());
    assert!(!folder(&port).unwrap().exists());
}

#[tokio::test]
async fn words_that_are_off_are_usage_errors() {
    let world = World::new(46);
    let resource = world.resource(&json!({ "address": "127.0.0.1:9" }));
    let port = TestPort::new(&world, &resource, &json!({ "principals": ["deploy"] }));
    for bad in [&["--rolle", "x", "web1"][..], &[], &["root@web1"]] {
        assert!(matches!(Ssh.run(&words(bad), &port).await, Err(VerbError::Usage(_))), "{bad:?}");
    }
    assert_eq!(Ssh.run(&words(&["--help"]), &port).await.unwrap(), 0);
    assert!(port.said().contains("Usage: wane ssh"), "{}", port.said());
}
