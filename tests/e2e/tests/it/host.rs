//! A real sshd that joined, and what is refused there.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use wane_testkit::{Interactive, PersonSession, SshClient, SshKey, Sshd, wait_until};

use crate::people::{Deployment, SOON, granted, text};

/// A deployment with the host `web`, whose sshd pulls every second.
struct Web {
    // First: it asks the server.
    _puller: Interactive,
    wane: Deployment,
    sshd: Sshd,
}

impl Web {
    fn new() -> Self {
        let wane = Deployment::new();
        let sshd = Sshd::builder().prepare().unwrap();
        let address = format!("127.0.0.1:{}", sshd.port());
        wane.ada
            .json(&["host", "add", "web", "--label", "gate=open", "--address", &address, "--pull-secs", "1"])
            .unwrap();
        let principals = format!("principals={}", json!([sshd.user().name()]));
        wane.ada.json(&["role", "add", "ssh/deploy", "--set", &principals]).unwrap();
        let code = text(&wane.ada.json(&["host", "join-code", "web"]).unwrap()["code"]);
        let root = wane.server.person("root").unwrap();
        let (config, dir) =
            (sshd.config_path().display().to_string(), sshd.folder().join("wane").display().to_string());
        let words = ["host", "setup", "--server-code", &code, "--sshd-config", &config, "--dir", &dir];
        let outcome = root.run(&words).unwrap();
        assert!(outcome.success(), "{outcome:?}");
        // The code was good once.
        assert!(!root.run(&words).unwrap().success());
        let sshd = sshd.start().unwrap();
        let puller = root.interactive(&["host", "pull", "--dir", &dir, "--every", "1s"]).unwrap();
        Self { _puller: puller, wane, sshd }
    }

    /// A client with a key certified under a grant.
    fn client(&self, person: &PersonSession, grant: &str) -> SshClient {
        let folder = person.home();
        let key = match SshKey::generate(folder, &format!("id-{grant}")) {
            Ok(key) => key,
            Err(error) => panic!("{error:#}"),
        };
        let input = json!({ "public_key": key.public_line().unwrap() }).to_string();
        let made = person.json(&["credential", grant, "--input", &input]).unwrap();
        let put = |name: &str, value: &Value| -> PathBuf {
            let path = folder.join(name);
            fs::write(&path, text(value) + "\n").unwrap();
            path
        };
        let certificate = put(&format!("id-{grant}-cert.pub"), &made["public"]["certificate"]);
        let known = put("known_hosts", &made["public"]["host_ca"]);
        SshClient::new(self.sshd.user().name(), self.sshd.port())
            .known_hosts(&known)
            .identity(key.private_path())
            .certificate(&certificate)
    }
}

#[test]
fn a_certificate_given_back_is_refused_and_an_open_session_is_said_to_go_on() {
    let web = Web::new();
    let maya = &web.wane.maya;
    let grant = granted(maya, "deploy@web", "10m");
    let client = web.client(maya, &grant);
    assert_eq!(client.run("id -un").unwrap().into_stdout().unwrap(), web.sshd.user().name());
    let mut open = client.open("cat").unwrap();
    open.send_line("before").unwrap();
    open.wait_for("before", SOON).unwrap();
    // Wane has to have seen it accepted, so that the refusal means something.
    wait_until("the certificate to be seen accepted", SOON, || {
        web.wane.grant(&grant)["leases"][0]["confirmed"].is_string()
    })
    .unwrap();

    maya.json(&["done", &grant]).unwrap();
    let closed = web.wane.wait_closed(&grant);
    assert_eq!(closed["closure"]["word"], "login refused", "{closed:#}");
    let outcome = client.run("id -un").unwrap();
    assert!(!outcome.success() && outcome.stderr.contains("Permission denied"), "{outcome:?}");
    assert!(web.sshd.log().contains("revoked"), "{}", web.sshd.log());
    assert_eq!(closed["residual"]["kills_sessions"], false, "{closed:#}");
    open.send_line("after").unwrap();
    open.wait_for("after", SOON).unwrap();
}

#[test]
fn wane_ssh_leaves_nothing_on_disk() {
    let web = Web::new();
    let maya = &web.wane.maya;
    let before = everything_below(maya.home());
    let mut open = maya.interactive(&["ssh", "--for", "5m", "web", "--", "cat"]).unwrap();
    open.send_line("hello").unwrap();
    open.wait_for("hello", SOON).unwrap();
    // While it runs: a socket, and whom to believe; no key.
    for file in everything_below(maya.home()).iter().filter(|file| !before.contains(file) && file.is_file()) {
        let bytes = fs::read(file).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("PRIVATE KEY"), "{}", file.display());
    }
    open.close_input();
    assert!(open.wait_exit(SOON).unwrap().success());
    assert_eq!(everything_below(maya.home()), before);
    let grants = web.wane.ada.json(&["grants"]).unwrap();
    assert_eq!(grants["items"][0]["role"], "deploy", "{grants}");
}

#[test]
fn wane_ssh_comes_out_as_the_remote_command() {
    let web = Web::new();
    let outcome = web.wane.maya.run(&["ssh", "--for", "5m", "web", "--", "exit 17"]).unwrap();
    assert_eq!(outcome.ended, wane_testkit::Ended::Code(17), "{outcome:?}");
}

fn everything_below(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything_below(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}
