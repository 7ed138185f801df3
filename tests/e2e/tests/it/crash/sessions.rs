//! Sessions through the gateway, with a kill at every step: of the gateway's own identity, of a session and its
//! recording, of its end by an operator, of reading what was recorded, of a recording that is deleted.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use wane_testkit::{Interactive, SshClient, SshKey, Sshd, WaneServer, free_port, wait_until};

use super::auditor::{Handed, sqlite};
use super::book::{Alive, Book};
use super::host::serial;
use super::lab::{Lab, Who};
use super::points;
use crate::gateway::browser::Browser;
use crate::people::{Deployment, SOON, text};

/// A deployment whose gateway leads to a real sshd.
pub(crate) struct Bench {
    pub(crate) lab: Lab,
    pub(crate) sshd: Sshd,
    pub(crate) port: u16,
    key: SshKey,
    pub(crate) known: PathBuf,
    certificate: PathBuf,
    pub(crate) grant: String,
}

impl Bench {
    /// `identity` is what happens before the gateway is there for the first time.
    pub(crate) fn new(identity: impl FnOnce(&mut Lab)) -> Self {
        let server = WaneServer::builder().failpoints().with_clock();
        let server = server.set("engine.inventory_every", "2s").set("recording.keep", "1h");
        let mut lab = Lab::new(Deployment::with(server));
        let port = free_port().unwrap();
        lab.wane.server.stop().unwrap();
        lab.wane.server.set("gateway.ssh.listen", &format!("127.0.0.1:{port}"));
        identity(&mut lab);
        lab.start();
        let sshd = Sshd::builder().prepare().unwrap();
        let address = format!("127.0.0.1:{}", sshd.port());
        let ada = &lab.wane.ada;
        let words = ["host", "add", "web", "--label", "gate=open", "--address", &address, "--read-back", "none"];
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
        let known = lab.wane.server.folder().join("gateway-known");
        let said = Browser::empty(&lab.wane.server).open("/v1/gateways").text;
        let gateways: Value = serde_json::from_str(&said).unwrap();
        fs::write(&known, text(&gateways["items"][0]["known_by"]) + "\n").unwrap();
        let key = SshKey::generate(lab.wane.maya.home(), "id").unwrap();
        let certificate = lab.wane.maya.home().join("id-cert.pub");
        let mut bench = Self { lab, sshd: sshd.start().unwrap(), port, key, known, certificate, grant: String::new() };
        bench.certify();
        bench
    }

    /// A grant, and a certificate of it.
    fn certify(&mut self) {
        let asked = self.lab.say(Who::Maya, &["request", "deploy@web", "--for", "50m"]);
        self.grant = text(&Lab::said(&asked).unwrap_or_else(|| panic!("{asked:?}"))["items"][0]["grant"]);
        let input = json!({ "public_key": self.key.public_line().unwrap() }).to_string();
        let made = Lab::said(&self.lab.say(Who::Maya, &["credential", &self.grant, "--input", &input])).unwrap();
        fs::write(&self.certificate, text(&made["public"]["certificate"]) + "\n").unwrap();
        self.lab.handed.push(Handed::Certificate(serial(&self.certificate)));
    }

    fn client(&self) -> SshClient {
        SshClient::new(&format!("{}%web", self.sshd.user().name()), self.port)
            .known_hosts(&self.known)
            .identity(self.key.private_path())
            .certificate(&self.certificate)
    }

    pub(crate) fn book(&self) -> Book {
        Book::read(&self.lab.wane.server.data().join("wane.db"))
    }

    fn recordings(&self) -> PathBuf {
        self.lab.wane.server.data().join("recordings")
    }

    /// The server has died: at once the host hears no more of it, and once it is back all is accounted for.
    pub(crate) fn assert_settled(&mut self, place: &str) {
        let (port, uid) = (self.sshd.port(), self.sshd.user().uid());
        wait_until("the host to be left alone", SOON, || Alive::at(port, uid) == Alive::NOTHING)
            .unwrap_or_else(|e| panic!("{place}: {e}: {:?}", Alive::at(port, uid)));
        self.lab.start();
        wait_until("the sessions to be settled", SOON, || self.book().is_settled())
            .unwrap_or_else(|e| panic!("{place}: {e}\n{}", self.lab.wane.server.log()));
        self.assert_sound(place);
    }

    fn assert_sound(&self, place: &str) {
        let wrong = self.book().complaints(&self.recordings());
        assert!(wrong.is_empty(), "{place}: {wrong:#?}\n{}", self.lab.wane.server.log());
        let wrong = self.lab.ledger().complaints(&self.lab.handed);
        assert!(wrong.is_empty(), "{place}: {wrong:#?}\n{}", self.lab.wane.server.log());
    }

    /// Waits until the server is dead, which somebody has caused.
    pub(crate) fn assert_dead(&mut self, place: &str) {
        let server = &mut self.lab.wane.server;
        let mut status = None;
        wait_until(place, SOON, || {
            status = server.died();
            status.is_some()
        })
        .unwrap_or_else(|e| panic!("{e}\n{}", server.log()));
        let signal = status.and_then(|status| std::os::unix::process::ExitStatusExt::signal(&status));
        assert_eq!(signal, Some(9), "{place}: the server ended by itself: {}", server.log());
        server.plan("").unwrap();
        self.lab.deaths += 1;
        self.lab.reached.insert(place.split('=').next().unwrap().to_owned());
    }

    /// Somebody works until the server dies over it: a program starts, hears a line, and ends.
    fn works(&mut self, plan: &str) {
        self.lab.wane.server.plan(plan).unwrap();
        let mut ssh = self.client().open("echo here; cat; date").unwrap();
        let mut fed = false;
        wait_until("the program to end, or the connection", SOON, || {
            if !fed && ssh.stdout().contains("here") {
                fed = true;
                let _ = ssh.send_line("heard");
                ssh.close_input();
            }
            !ssh.is_running()
        })
        .unwrap_or_else(|e| panic!("{plan}: {e}\n{}", self.lab.wane.server.log()));
        self.assert_dead(plan);
        let outcome = ssh.wait_exit(SOON).unwrap();
        assert!(!outcome.stdout.contains("heard") || fed, "{plan}: {outcome:?}");
        self.assert_settled(plan);
    }

    /// More than a journal holds: its files have to be on disk before it can forget.
    fn works_much(&mut self, plan: &str) {
        self.lab.wane.server.plan(plan).unwrap();
        let mut ssh = Command::new("ssh");
        let name = format!("{}%web@127.0.0.1", self.sshd.user().name());
        ssh.env_clear().env("PATH", "/usr/bin:/bin").args(["-F", "/dev/null", "-T", "-p", &self.port.to_string()]);
        for (option, path) in [
            ("UserKnownHostsFile", self.known.as_path()),
            ("IdentityFile", self.key.private_path()),
            ("CertificateFile", &self.certificate),
        ] {
            ssh.arg("-o").arg(format!("{option}={}", path.display()));
        }
        ssh.args(["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", &name]);
        ssh.arg("head -c 40000000 /dev/urandom").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut ssh = ssh.spawn().unwrap();
        self.assert_dead(plan);
        assert!(!ssh.wait().unwrap().success(), "{plan}");
        self.assert_settled(plan);
    }

    /// An operator ends a session, and the server dies over that.
    fn is_killed(&mut self, place: &str) {
        let ssh = self.opened();
        let listed = self.lab.wane.ada.json(&["sessions"]).unwrap();
        let session = text(&listed["items"][0]["id"]);
        self.lab.wane.server.plan(&format!("{place}=kill")).unwrap();
        let unheard = self.lab.wane.ada.run(&["kill", &session, "-m", "enough"]).unwrap();
        assert!(!unheard.success(), "{place}: {unheard:?}");
        self.assert_dead(place);
        assert!(!ssh.wait_exit(SOON).unwrap().success(), "{place}");
        self.assert_settled(place);
        let again = self.lab.wane.ada.run(&["kill", &session, "-m", "enough"]).unwrap();
        assert!(!again.success(), "{place}: it was over: {again:?}");
    }

    /// A session in which something was said already.
    fn opened(&self) -> Interactive {
        let ssh = self.client().open("echo here; exec cat").unwrap();
        ssh.wait_for("here", SOON).unwrap_or_else(|e| panic!("{e}\n{}", self.lab.wane.server.log()));
        ssh
    }

    /// A session nobody carries any more, whose recording is given its end before it is.
    fn is_cut_off(&mut self, place: &str) {
        let ssh = self.opened();
        self.lab.wane.server.kill_9().unwrap();
        assert!(!ssh.wait_exit(SOON).unwrap().success());
        // The other road to the same end waits, so that this one is taken.
        self.lab.wane.server.plan(&format!("{place}=kill;app.brokered.closed.commit:before=delay:60000")).unwrap();
        let died = self.lab.wane.server.start().is_err();
        if !died {
            self.assert_dead(place);
        }
        self.lab.wane.server.plan("").unwrap();
        self.lab.reached.insert(place.to_owned());
        self.assert_settled(place);
    }

    /// Reading, searching, verifying and being refused: each is written down before it is answered.
    fn is_read(&mut self) {
        let (session, _) = self.book().recorded().into_iter().find(|(_, whole)| *whole).unwrap();
        let words: [(&str, Who, &[&str]); 4] = [
            ("app.recording.read.commit", Who::Ada, &["replay", &session, "--events"]),
            ("app.recording.verified.commit", Who::Ada, &["recording", "verify", &session]),
            ("app.recording.searched.commit", Who::Ada, &["recordings", "--text", "heard"]),
            ("app.recording.refused.commit", Who::Maya, &["replay", &session, "--events"]),
        ];
        let events = ["recording.replayed", "recording.verified", "recording.searched", "recording.refused"];
        for ((point, who, words), event) in words.into_iter().zip(events) {
            let mut each = 0;
            for side in ["before", "after"] {
                let noted = |bench: &Self| bench.trail(event);
                let before = noted(self);
                let place = format!("{point}:{side}");
                let outcome = self.lab.die_over(&place, who, words);
                assert_eq!(outcome.success(), !point.contains("refused"), "{place}: {outcome:?}");
                // Said once more; and what was done before the death was written down before it was. A search says so
                // of each recording.
                let new = noted(self) - before;
                match side {
                    "before" => each = new,
                    _ => assert_eq!(new, each * 2, "{place}: {event}"),
                }
                assert!(new > 0, "{place}: {event}");
            }
        }
        self.assert_sound("reading");
    }

    /// How often something is in the trail.
    fn trail(&self, event: &str) -> usize {
        let db = self.lab.wane.server.data().join("wane.db");
        let rows =
            sqlite(&db, &format!("SELECT count(*) AS n FROM trail WHERE json_extract(body, '$.event') = '{event}'"));
        usize::try_from(rows[0]["n"].as_u64().unwrap()).unwrap()
    }

    /// Every recording says of itself what the ledger says of it.
    fn is_verified(&self) {
        let mut seen = BTreeMap::new();
        for (session, whole) in self.book().recorded() {
            let outcome = self.lab.wane.ada.run(&["--json", "recording", "verify", &session]).unwrap();
            // Of one whose first bytes were never written there is nothing to be read.
            let Ok(said) = serde_json::from_str::<Value>(&outcome.stdout) else {
                assert!(!whole, "{session}: {outcome:?}");
                continue;
            };
            // One whose end is on disk and was not written down yet is called cut all the same.
            assert!(!whole || said["has_end"] == true, "{session}: {said:#}");
            assert_eq!(said["damage"], json!([]), "what is there is undamaged: {session}: {said:#}");
            assert!(!whole || said["whole"] == true, "{session}: {said:#}");
            *seen.entry(whole).or_insert(0) += 1;
        }
        assert!(seen.contains_key(&true) && seen.contains_key(&false), "neither sort is missing: {seen:?}");
    }

    /// Recordings whose time is up go; the server dies over that.
    fn is_deleted(&mut self) {
        self.lab.wane.server.stop().unwrap();
        self.lab.wane.server.set_clock(2 * 3600).unwrap();
        for place in ["app.recording.delete.commit:before", "app.recording.delete.commit:after"] {
            self.lab.die_at(place);
        }
        self.lab.start();
        let folder = self.recordings();
        let left = || fs::read_dir(&folder).unwrap().flatten().filter(|e| e.path().extension().is_some()).count();
        wait_until("the recordings to be gone", SOON, || left() == 0)
            .unwrap_or_else(|e| panic!("{e}: {}\n{}", left(), self.lab.wane.server.log()));
        assert!(self.book().recorded().is_empty());
    }
}

/// INV-9, INV-13, INV-14, INV-15, BUG-65, BUG-83, FLT-1.
#[test]
fn killed_at_every_step_of_a_session_nothing_of_it_is_left_open() {
    let mut bench = Bench::new(|lab| {
        for point in ["gateway.key.commit", "app.front.sign", "ssh.gateway.sign", "app.front.commit"] {
            for side in ["before", "after"] {
                lab.die_at(&format!("{point}:{side}"));
            }
        }
    });
    for point in [
        "app.brokered.sign",
        "ssh.session.sign",
        "app.brokered.open.commit",
        "archive.journal",
        "app.brokered.begun.commit",
        "archive.seal",
        "app.brokered.closed.commit",
    ] {
        for side in ["before", "after"] {
            bench.works(&format!("{point}:{side}=kill"));
        }
    }
    // In the middle: its head is on the tape, and of what passed some is.
    bench.works("archive.journal:before=kill@2");
    bench.works("archive.journal:after=kill@2");
    for side in ["before", "after"] {
        bench.is_killed(&format!("app.brokered.kill.commit:{side}"));
        bench.works_much(&format!("archive.direct:{side}=kill"));
        bench.is_cut_off(&format!("app.recording.settle.commit:{side}"));
    }
    // After all of that one comes in as if nothing had been.
    let ssh = bench.client().run("cat").unwrap();
    assert!(ssh.success(), "{ssh:?}\n{}", bench.lab.wane.server.log());
    wait_until("it to be closed", SOON, || bench.book().is_settled()).unwrap();
    bench.is_read();
    bench.is_verified();
    sees_what_is_planted(&bench);
    bench.is_deleted();
    bench.assert_sound("the end");
    points::assert_killed(&bench.lab.reached, points::SESSIONS);
}

/// The book can see: what is planted is complained about.
fn sees_what_is_planted(bench: &Bench) {
    assert_eq!(bench.book().complaints(&bench.recordings()), Vec::<String>::new());
    let own = bench.lab.wane.server.data().join("wane.db");
    for (name, change, expected) in [
        ("unclosed", "DELETE FROM trail WHERE json_extract(body, '$.event') = 'session.closed'", "closed 0 times"),
        ("unopened", "DELETE FROM leases WHERE json_extract(doc, '$.what') = 'session'", "there is no lease of"),
        ("ungapped", "DELETE FROM trail WHERE json_extract(body, '$.event') = 'recording.gap'", "0 findings say so"),
        ("unrecorded", "DELETE FROM recordings", "nothing is known of it"),
        ("unissued", "DELETE FROM issuances", "showed 0 credentials"),
    ] {
        let copy = bench.lab.wane.server.folder().join(name);
        sqlite(&own, &format!("VACUUM INTO '{}'", copy.display()));
        sqlite(&copy, "DROP TRIGGER trail_keeps_what_it_has");
        sqlite(&copy, change);
        let wrong = Book::read(&copy).complaints(&bench.recordings());
        assert!(wrong.concat().contains(expected), "{name}: {wrong:?}");
    }
}
