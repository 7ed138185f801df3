//! A server that is killed and started again, and people who go on as people do.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;

use serde_json::Value;
use wane_testkit::{Ended, Outcome, PersonSession, wait_until};

use super::auditor::{Handed, Ledger};
use super::points;
use crate::people::{Deployment, SOON};

/// Somebody's machine.
#[derive(Clone, Copy)]
pub(crate) enum Who {
    Ada,
    Maya,
    Omar,
}

pub(crate) struct Lab {
    pub(crate) wane: Deployment,
    pub(crate) omar: PersonSession,
    /// What was handed out since the beginning.
    pub(crate) handed: Vec<Handed>,
    /// How often the server died.
    pub(crate) deaths: usize,
    /// Every point that was ever hit.
    pub(crate) reached: BTreeSet<String>,
}

impl Lab {
    pub(crate) fn new(wane: Deployment) -> Self {
        let omar = wane.approver("omar");
        Self { wane, omar, handed: Vec::new(), deaths: 0, reached: BTreeSet::new() }
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::read(&self.wane.server.data().join("wane.db"))
    }

    /// Starts the server again if it died; says whether it had. It is killed once for each plan.
    pub(crate) fn revive(&mut self) -> bool {
        let Some(status) = self.wane.server.died() else { return false };
        assert_eq!(status.signal(), Some(9), "the server ended by itself: {}", self.wane.server.log());
        self.deaths += 1;
        self.wane.server.plan("").unwrap();
        self.wane.server.start().unwrap();
        true
    }

    /// Has the server die at a place it comes by without being asked, starting it first if it is dead.
    pub(crate) fn die_at(&mut self, place: &str) {
        let server = &mut self.wane.server;
        server.plan(&format!("{place}=kill")).unwrap();
        let died = server.pid().is_err() && server.start().is_err_and(|e| format!("{e:#}").contains("signal: 9"));
        if !died {
            let mut status = None;
            wait_until(place, SOON, || {
                status = server.died();
                status.is_some()
            })
            .unwrap_or_else(|e| panic!("{e}\n{}", server.log()));
            assert_eq!(status.and_then(|s| s.signal()), Some(9), "the server ended by itself: {}", server.log());
        }
        self.deaths += 1;
        self.reached.insert(place.to_owned());
    }

    /// Starts the server after [`die_at`](Self::die_at).
    pub(crate) fn start(&mut self) {
        self.wane.server.plan("").unwrap();
        self.wane.server.start().unwrap();
    }

    /// Says something over which the server dies at a place, and says it again.
    pub(crate) fn die_over(&mut self, place: &str, who: Who, words: &[&str]) -> Outcome {
        let person = self.person(who).clone();
        self.die_over_as(place, &person, words)
    }

    /// As [`die_over`](Self::die_over), for anybody.
    pub(crate) fn die_over_as(&mut self, place: &str, person: &PersonSession, words: &[&str]) -> Outcome {
        let before = self.deaths;
        self.wane.server.plan(&format!("{place}=kill")).unwrap();
        let outcome = self.say_as(person, words);
        self.wane.server.plan("").unwrap();
        assert_eq!(self.deaths, before + 1, "{place}: {outcome:?}");
        self.reached.insert(place.to_owned());
        outcome
    }

    /// Says something as a person would: once more if the server died over it.
    pub(crate) fn say(&mut self, who: Who, words: &[&str]) -> Outcome {
        let person = self.person(who).clone();
        self.say_as(&person, words)
    }

    fn say_as(&mut self, person: &PersonSession, words: &[&str]) -> Outcome {
        for _ in 0..3 {
            let outcome = person.run(&[&["--json"], words].concat()).unwrap();
            let unheard = outcome.ended == Ended::Code(7);
            if unheard {
                wait_until("the server to be seen dead", SOON, || self.revive()).unwrap();
            } else {
                return outcome;
            }
        }
        panic!("`wane {}` was never heard", words.join(" "));
    }

    fn person(&self, who: Who) -> &PersonSession {
        match who {
            Who::Ada => &self.wane.ada,
            Who::Maya => &self.wane.maya,
            Who::Omar => &self.omar,
        }
    }

    /// What was said on standard output, if it was done.
    pub(crate) fn said(outcome: &Outcome) -> Option<Value> {
        serde_json::from_str(&outcome.stdout).ok()
    }

    /// The grant that came of a request.
    pub(crate) fn grant_of(&self, request: &str) -> String {
        let ledger = self.ledger();
        let found = ledger.grants.iter().find(|g| g["request"] == request);
        found.unwrap_or_else(|| panic!("nothing was granted for {request}"))["id"].as_str().unwrap().to_owned()
    }

    /// Waits until the place of the plan was hit.
    fn wait_hit(&mut self, (place, before): (&str, usize)) {
        wait_until(place, SOON, || {
            self.revive();
            self.deaths > before
        })
        .unwrap_or_else(|e| panic!("{e}: the place was hit once and not again\n{}", self.wane.server.log()));
    }

    /// Goes on holding until what is held was looked at, if that is the place of the plan: it is looked at now and then,
    /// and not once it is given back.
    pub(crate) fn hold(&mut self, place: Option<(&str, usize)>) {
        if let Some(look) = place.filter(|(place, _)| place.starts_with("app.memberships.look:")) {
            self.wait_hit(look);
        }
    }

    /// Waits until the place of the plan was hit, then until everything is over, giving back what is
    /// still held (LIV-3, LIV-4).
    pub(crate) fn settle(&mut self, place: Option<(&str, usize)>) {
        if let Some(place) = place {
            self.wait_hit(place);
        }
        let open: Vec<String> = self
            .ledger()
            .grants
            .iter()
            .filter(|g| g["phase"] == "active" || g["phase"] == "scheduled")
            .map(|g| g["id"].as_str().unwrap().to_owned())
            .collect();
        for grant in open {
            self.say(Who::Maya, &["done", &grant]);
        }
        wait_until("everything to be over", SOON, || {
            self.revive();
            self.ledger().is_settled()
        })
        .unwrap_or_else(|e| panic!("{place:?}: {e}: {:#?}\n{}", self.ledger().owed(), self.wane.server.log()));
    }

    /// Lives a life once to see which places it hits, then once for each place that was not killed
    /// before, with a kill exactly there.
    pub(crate) fn everywhere<L>(
        lab: &mut L,
        own: impl Fn(&mut L) -> &mut Self,
        killed: &mut BTreeSet<String>,
        life: impl Fn(&mut L, Option<(&str, usize)>),
    ) {
        own(lab).wane.server.trace().unwrap();
        life(lab, None);
        let mut places = Vec::new();
        for place in own(lab).wane.server.trace().unwrap() {
            let point = place.trim_end_matches(":before").trim_end_matches(":after");
            own(lab).reached.insert(point.to_owned());
            if !points::is_elsewhere(point) && killed.insert(place.clone()) {
                places.push(place);
            }
        }
        for place in places {
            let before = own(lab).deaths;
            own(lab).wane.server.plan(&format!("{place}=kill")).unwrap();
            life(lab, Some((&place, before)));
            own(lab).wane.server.plan("").unwrap();
            assert_eq!(own(lab).deaths, before + 1, "{place}");
        }
    }
}
