//! Lives of a certificate at a real sshd that pulls its revocations, with a kill at every step.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use wane_testkit::{Interactive, SshClient, SshKey, Sshd, WaneServer, ssh_keygen, wait_until};

use super::auditor::Handed;
use super::lab::{Lab, Who};
use super::points;
use crate::people::{Deployment, SOON, text};

struct Bench {
    // First: it asks the server.
    _puller: Interactive,
    lab: Lab,
    sshd: Sshd,
    key: SshKey,
    lives: usize,
}

impl Bench {
    fn new() -> Self {
        let lab = Lab::new(Deployment::with(WaneServer::builder().failpoints().set("engine.inventory_every", "2s")));
        let sshd = Sshd::builder().prepare().unwrap();
        let address = format!("127.0.0.1:{}", sshd.port());
        let ada = &lab.wane.ada;
        let words = ["host", "add", "web", "--label", "gate=open", "--address", &address, "--pull-secs", "1"];
        ada.json(&words).unwrap();
        let principals = format!("principals={}", json!([sshd.user().name()]));
        ada.json(&["role", "add", "ssh/deploy", "--set", &principals]).unwrap();
        let code = text(&ada.json(&["host", "join-code", "web"]).unwrap()["code"]);
        let root = lab.wane.server.person("root").unwrap();
        let (config, dir) =
            (sshd.config_path().display().to_string(), sshd.folder().join("wane").display().to_string());
        let outcome =
            root.run(&["host", "setup", "--server-code", &code, "--sshd-config", &config, "--dir", &dir]).unwrap();
        assert!(outcome.success(), "{outcome:?}");
        let sshd = sshd.start().unwrap();
        let puller = root.interactive(&["host", "pull", "--dir", &dir, "--every", "1s"]).unwrap();
        let key = SshKey::generate(lab.wane.maya.home(), "id").unwrap();
        Self { _puller: puller, lab, sshd, key, lives: 0 }
    }

    /// Has a certificate issued; where it was put.
    fn certificate(&mut self, grant: &str, name: &str) -> Option<PathBuf> {
        let input = json!({ "public_key": self.key.public_line().unwrap() }).to_string();
        let made = Lab::said(&self.lab.say(Who::Maya, &["credential", grant, "--input", &input]))?;
        let folder = self.lab.wane.maya.home();
        let path = folder.join(format!("{name}-{}-cert.pub", self.lives));
        fs::write(&path, text(&made["public"]["certificate"]) + "\n").unwrap();
        fs::write(folder.join("known_hosts"), text(&made["public"]["host_ca"]) + "\n").unwrap();
        self.lab.handed.push(Handed::Certificate(serial(&path)));
        Some(path)
    }

    fn login(&self, certificate: &Path) -> bool {
        let client = SshClient::new(self.sshd.user().name(), self.sshd.port())
            .known_hosts(&self.lab.wane.maya.home().join("known_hosts"))
            .identity(self.key.private_path())
            .certificate(certificate);
        client.run("id -un").unwrap().success()
    }

    /// The list that the host holds names what is over, as `ssh-keygen` reads it, and it still runs.
    fn assert_listed(&self, held: &[PathBuf], place: Option<(&str, usize)>) {
        let list = self.sshd.folder().join("wane/krl");
        for certificate in held {
            let words = ["-Q".as_ref(), "-f".as_ref(), list.as_os_str(), certificate.as_os_str()];
            let answer = ssh_keygen(words).unwrap();
            // It comes out as 1 for what is revoked.
            assert!(answer.stdout.contains("REVOKED"), "{place:?}: {answer:?}");
        }
    }

    /// Ask, have one issued, have another, be seen, give back.
    fn life(&mut self, place: Option<(&str, usize)>) {
        self.lives += 1;
        let asked = self.lab.say(Who::Maya, &["request", "deploy@web", "--for", "10m"]);
        let asked = Lab::said(&asked).unwrap_or_else(|| panic!("{asked:?}"));
        let grant = text(&asked["items"][0]["grant"]);
        let mut held = Vec::new();
        held.extend(self.certificate(&grant, "first"));
        held.extend(self.certificate(&grant, "second"));
        assert!(!held.is_empty(), "{place:?}: no certificate was issued\n{}", self.lab.wane.server.log());
        assert!(held.iter().all(|certificate| self.login(certificate)), "{place:?}: sshd refuses what is live");
        // Its refusal means something only once it was seen accepted.
        wait_until("the certificate to be seen accepted", SOON, || {
            self.lab.revive();
            self.lab.ledger().is_confirmed(&grant)
        })
        .unwrap_or_else(|e| panic!("{place:?}: {e}\n{}", self.lab.wane.server.log()));
        self.lab.say(Who::Maya, &["done", &grant]);
        self.lab.settle(place);
        let wrong = self.lab.ledger().complaints(&self.lab.handed);
        assert!(wrong.is_empty(), "{place:?}: {wrong:#?}\n{}", self.lab.wane.server.log());
        for certificate in &held {
            assert!(!self.login(certificate), "{place:?}: a certificate of what is over still works");
        }
        self.assert_listed(&held, place);
    }
}

/// The serial number, as `ssh-keygen` reads it.
pub(super) fn serial(certificate: &Path) -> u64 {
    let output = Command::new("ssh-keygen").arg("-L").arg("-f").arg(certificate).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("Serial: ")).unwrap();
    line.trim().parse().unwrap()
}

/// BUG-65, INV-9, INV-11, INV-13, LIV-4, FLT-1.
#[test]
fn killed_at_every_step_of_a_certificate_nothing_is_forgotten() {
    let mut bench = Bench::new();
    let mut killed = BTreeSet::new();
    Lab::everywhere(&mut bench, |b| &mut b.lab, &mut killed, Bench::life);
    points::assert_reached(&bench.lab.reached, points::Family::Certificate);
}
