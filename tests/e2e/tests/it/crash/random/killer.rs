//! Kills the server, and now and then a target, and starts them again; audits what is left each time.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use wane_testkit::{WaneServer, wait_until};

use super::chance::Chance;
use super::field::Field;
use super::memory::facts;
use crate::crash::auditor::{Ledger, standing};
use crate::people::SOON;

/// How many answers a place is waited for before the server is killed where it stands, and how long
/// for these if they do not come: a target may be out of reach.
const MOST_ANSWERS: usize = 15;
const PATIENCE: Duration = Duration::from_secs(8);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Paused(usize),
    Down(usize),
}

pub(super) struct Killer<'f> {
    pub(super) server: &'f mut WaneServer,
    field: &'f Field,
    chance: Chance,
    /// Every place that was hit, and how often.
    places: BTreeMap<String, u64>,
    /// What is the matter with a target.
    trouble: Option<Trouble>,
    pub(super) kills: usize,
    pub(super) at_places: usize,
    pub(super) troubles: usize,
    /// What happened, for whoever has to understand a failure.
    pub(super) story: Vec<String>,
}

impl<'f> Killer<'f> {
    pub(super) fn new(server: &'f mut WaneServer, field: &'f Field, chance: Chance) -> Self {
        let (places, story) = (BTreeMap::new(), Vec::new());
        Self { server, field, chance, places, trouble: None, kills: 0, at_places: 0, troubles: 0, story }
    }

    /// One kill, an audit of what lies there, a start. What is wrong.
    pub(super) fn kill(&mut self) -> Vec<String> {
        for place in self.server.trace().unwrap() {
            *self.places.entry(place).or_default() += 1;
        }
        self.disturb();
        let plan = self.plan();
        self.server.plan(&plan).unwrap();
        let mut died = None;
        let answers = || self.field.answers.load(Ordering::SeqCst);
        let most = if plan.is_empty() { self.chance.below(10) as usize } else { MOST_ANSWERS };
        let enough = answers() + most;
        // Not to be hit is no failure: the server is killed where it stands instead.
        let _ = wait_until("a death", PATIENCE, || {
            died = self.server.died();
            died.is_some() || answers() > enough
        });
        if died.is_none() {
            // Anywhere in what comes next.
            let _ = wait_until("a moment", Duration::from_millis(self.chance.below(120)), || {
                died = self.server.died();
                died.is_some()
            });
        }
        self.field.up.store(false, Ordering::SeqCst);
        self.story.push(format!("{} {plan:?} {:?} hit: {}", self.kills, self.trouble, died.is_some()));
        match died {
            Some(status) => {
                self.at_places += 1;
                assert_eq!(status.signal(), Some(9), "the server ended by itself: {}", self.server.log());
            }
            None => self.server.kill_9().unwrap(),
        }
        self.kills += 1;
        self.field.deaths.fetch_add(1, Ordering::SeqCst);
        let wrong = self.audit_at_rest();
        // Now and then it dies over what it does first.
        let plan = if self.chance.one_in(5) { self.plan() } else { String::new() };
        self.start(&plan);
        wrong
    }

    /// A place and a hit of it, rare places as often as others; or none, for any moment.
    fn plan(&mut self) -> String {
        if self.places.is_empty() || self.chance.one_in(3) {
            return String::new();
        }
        let all: Vec<(&String, &u64)> = self.places.iter().collect();
        let (place, hits) = *self.chance.pick(&all);
        let nth = 1 + if self.chance.one_in(2) { self.chance.below((*hits).min(6)) } else { 0 };
        format!("{place}=kill@{nth}")
    }

    fn start(&mut self, plan: &str) {
        self.server.plan(plan).unwrap();
        if let Err(error) = self.server.start() {
            // It was to die, and did: not for another reason, and not again.
            let told = !plan.is_empty() && format!("{error:#}").contains("signal: 9");
            assert!(told, "the server does not start: {error:#}");
            self.story.push(format!("{} died at its start: {plan}", self.kills));
            self.kills += 1;
            self.at_places += 1;
            self.server.plan("").unwrap();
            self.server.start().unwrap();
        }
        self.field.up.store(true, Ordering::SeqCst);
    }

    /// Something happens to a target, or what happened is over.
    fn disturb(&mut self) {
        match self.trouble.take() {
            Some(Trouble::Paused(shop)) => self.field.shop(shop).resume(),
            Some(Trouble::Down(shop)) => self.field.shop(shop).start().unwrap(),
            None if self.chance.one_in(4) => {
                let shop = self.chance.below(2) as usize;
                let trouble = if self.chance.one_in(2) { Trouble::Paused(shop) } else { Trouble::Down(shop) };
                match trouble {
                    Trouble::Paused(_) => self.field.shop(shop).pause(),
                    Trouble::Down(_) => self.field.shop(shop).crash().unwrap(),
                }
                self.troubles += 1;
                self.trouble = Some(trouble);
            }
            None => {}
        }
    }

    /// The server is dead: what lies on its disk against what was answered and what stands at the targets.
    fn audit_at_rest(&self) -> Vec<String> {
        let db = self.database();
        let ledger = Ledger::at_rest(&db, self.server.folder());
        let facts = facts(&self.server.folder().join("ledger.db"));
        let mut wrong = self.field.memory().complaints(&ledger, &facts);
        for (n, _) in self.field.shops.iter().enumerate() {
            if self.trouble.is_none_or(|trouble| trouble != Trouble::Paused(n) && trouble != Trouble::Down(n)) {
                wrong.extend(ledger.against(&standing(&self.field.shop(n))));
            }
        }
        wrong
    }

    pub(super) fn database(&self) -> PathBuf {
        self.server.data().join("wane.db")
    }

    /// No more kills, and everything that stood in the way of an end is out of it.
    pub(super) fn calm(&mut self) {
        self.server.plan("").unwrap();
        if self.trouble.is_some() {
            self.disturb();
        }
        // A plan that was still armed may have been followed a moment ago: who is answered now knows that it was not.
        if self.field.say(&self.field.ada, &["me"]).is_none() {
            let mut died = None;
            wait_until("the server to be seen dead", SOON, || {
                died = self.server.died();
                died.is_some()
            })
            .unwrap();
            let signal = died.and_then(|status| status.signal());
            assert_eq!(signal, Some(9), "the server ended by itself: {}", self.server.log());
            self.field.up.store(false, Ordering::SeqCst);
            self.start("");
        }
    }

    /// Ends what lives and waits until nothing is owed. What is wrong.
    #[expect(clippy::disallowed_methods, reason = "how long it took is told")]
    pub(super) fn settle(&mut self) -> Vec<String> {
        let began = Instant::now();
        let ledger = Ledger::read(&self.database());
        for grant in ledger.grants.iter().filter(|g| g["phase"] == "active" || g["phase"] == "scheduled") {
            let id = grant["id"].as_str().unwrap();
            let said = self.field.say(&self.field.ada, &["revoke", id, "-m", "the end of the run"]);
            if said.is_none_or(|outcome| !outcome.success()) {
                return vec![format!("{id} could not be ended")];
            }
            self.field.memory().ended(id);
        }
        let settled = wait_until("everything to be over", SOON, || Ledger::read(&self.database()).is_settled());
        self.story.push(format!("settled after {:?}", began.elapsed()));
        match settled {
            Ok(()) => Vec::new(),
            Err(e) => vec![format!("{e}: {:#?}", Ledger::read(&self.database()).owed())],
        }
    }
}
