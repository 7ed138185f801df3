//! The servers and the people of a run, and what its threads share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use wane_testkit::{
    Ended, Interactive, Outcome, PersonSession, Postgres, SshClient, SshKey, Sshd, WaneServer, wait_until,
};

use super::memory::Memory;
use crate::database::{furnished, register};
use crate::people::{Deployment, SOON, text};

/// LIV-4: an approved request is issued or refused with a reason within 30 s; the rest is for a busy machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30 + 20);

/// What is asked for at each place: the role and the resource.
pub(super) const SHOPS: [&str; 2] = ["readonly@shop", "readonly@stock"];

pub(super) struct Field {
    // First: it asks the server.
    _puller: Interactive,
    pub(super) ada: PersonSession,
    pub(super) omar: PersonSession,
    pub(super) engineers: [PersonSession; 2],
    pub(super) shops: [Mutex<Postgres>; 2],
    pub(super) sshd: Sshd,
    pub(super) key: SshKey,
    pub(super) memory: Mutex<Memory>,
    pub(super) up: AtomicBool,
    /// How often the server died.
    pub(super) deaths: AtomicUsize,
    /// How often somebody was answered.
    pub(super) answers: AtomicUsize,
    /// No more work.
    pub(super) over: AtomicBool,
}

impl Field {
    pub(super) fn prepare() -> (WaneServer, Self) {
        let wane = Deployment::with(WaneServer::builder().failpoints().set("engine.inventory_every", "2s"));
        let omar = wane.approver("omar");
        let noor = wane.server.newcomer(&wane.ada, "noor", &["engineers"]).unwrap();
        let shops = [furnished(Postgres::launch().unwrap()), furnished(Postgres::launch().unwrap())];
        for (postgres, (name, gate)) in shops.iter().zip([("shop", "one"), ("stock", "open")]) {
            register(&wane, postgres, name, gate);
        }
        wane.ada.json(&["role", "add", "postgres/readonly", "--set", r#"member_of=["app_read"]"#]).unwrap();
        wane.paper_host("brief", "gate=brief");
        let (sshd, puller) = host(&wane);
        let key = SshKey::generate(wane.maya.home(), "id").unwrap();
        let Deployment { server, ada, maya } = wane;
        let field = Self {
            _puller: puller,
            ada,
            omar,
            engineers: [maya, noor],
            shops: shops.map(Mutex::new),
            sshd,
            key,
            memory: Mutex::default(),
            up: AtomicBool::new(true),
            deaths: AtomicUsize::new(0),
            answers: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        };
        (server, field)
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn shop(&self, at: usize) -> MutexGuard<'_, Postgres> {
        self.shops[at].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Says something once. None if nobody answered; then the server is waited for.
    #[expect(clippy::disallowed_methods, reason = "how long an answer took is what is judged")]
    pub(super) fn say(&self, person: &PersonSession, words: &[&str]) -> Option<Outcome> {
        let (began, deaths) = (Instant::now(), self.deaths.load(Ordering::SeqCst));
        let outcome = person.run(&[&["--json"], words].concat()).unwrap();
        let took = began.elapsed();
        {
            let mut memory = self.memory();
            *memory.tally.entry(format!("{} {:?}", words[0], outcome.ended)).or_default() += 1;
            let undisturbed = deaths == self.deaths.load(Ordering::SeqCst) && self.up.load(Ordering::SeqCst);
            if undisturbed && took > ANSWERED_WITHIN {
                memory.wrong.push(format!("`wane {}` took {took:?}: {outcome:?}", words.join(" ")));
            }
            // A fault of the server's own; a program that was killed by nobody.
            if !matches!(outcome.ended, Ended::Code(0 | 3..=8)) {
                memory.wrong.push(format!("`wane {}` came out as {outcome:?}", words.join(" ")));
            }
            // A refusal says why.
            if !matches!(outcome.ended, Ended::Code(0 | 6)) && outcome.stderr.trim().is_empty() {
                memory.wrong.push(format!("`wane {}` was refused without a word: {outcome:?}", words.join(" ")));
            }
        }
        if outcome.ended != Ended::Code(7) {
            self.answers.fetch_add(1, Ordering::SeqCst);
            return Some(outcome);
        }
        // If it does not come up, whoever starts it says so.
        let _ = wait_until("the server", SOON, || self.up.load(Ordering::SeqCst) || self.is_over());
        None
    }

    /// An ssh client with a certificate.
    pub(super) fn ssh(&self, certificate: &std::path::Path) -> SshClient {
        SshClient::new(self.sshd.user().name(), self.sshd.port())
            .known_hosts(&self.engineers[0].home().join("known_hosts"))
            .identity(self.key.private_path())
            .certificate(certificate)
    }
}

fn host(wane: &Deployment) -> (Sshd, Interactive) {
    let sshd = Sshd::builder().prepare().unwrap();
    let address = format!("127.0.0.1:{}", sshd.port());
    wane.ada.json(&["host", "add", "web", "--label", "gate=open", "--address", &address, "--pull-secs", "1"]).unwrap();
    let principals = format!("principals={}", json!([sshd.user().name()]));
    wane.ada.json(&["role", "add", "ssh/deploy", "--set", &principals]).unwrap();
    let code = text(&wane.ada.json(&["host", "join-code", "web"]).unwrap()["code"]);
    let root = wane.server.person("root").unwrap();
    let (config, dir) = (sshd.config_path().display().to_string(), sshd.folder().join("wane").display().to_string());
    let outcome =
        root.run(&["host", "setup", "--server-code", &code, "--sshd-config", &config, "--dir", &dir]).unwrap();
    assert!(outcome.success(), "{outcome:?}");
    let sshd = sshd.start().unwrap();
    let puller = root.interactive(&["host", "pull", "--dir", &dir, "--every", "1s"]).unwrap();
    (sshd, puller)
}
