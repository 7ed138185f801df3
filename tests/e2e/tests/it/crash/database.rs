//! Lives of a database account, with a kill at every step.

use std::collections::BTreeSet;

use wane_testkit::{Postgres, WaneServer};

use super::auditor::{Handed, standing};
use super::lab::{Lab, Who};
use super::points;
use crate::database::{Shop, register};
use crate::people::text;

/// How the access ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Return,
    Revoke,
    Deny,
    Expire,
    /// With others at the same database, all at once.
    Together,
}

pub(crate) struct Bench {
    pub(crate) lab: Lab,
    pub(crate) postgres: Postgres,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let Shop { wane, postgres } =
            Shop::with(WaneServer::builder().failpoints().set("engine.inventory_every", "2s"), "one");
        Self { lab: Lab::new(wane), postgres }
    }

    /// Registers the database once more under another name.
    pub(crate) fn register(&self, name: &str, gate: &str) {
        register(&self.lab.wane, &self.postgres, name, gate);
    }

    /// What the auditor has to say now.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let ledger = self.lab.ledger();
        [ledger.complaints(&self.lab.handed), ledger.against(&standing(&self.postgres))].concat()
    }

    /// Has an account made; whether it was.
    pub(crate) fn credential_for(&mut self, grant: &str) -> bool {
        self.credential(grant).is_some()
    }

    pub(crate) fn credential(&mut self, grant: &str) -> Option<(String, String)> {
        let made = self.lab.say(Who::Maya, &["credential", grant]);
        let made = Lab::said(&made)?;
        let user = text(&made["public"]["user"]);
        self.lab.handed.push(Handed::Account(user.clone()));
        Some((user, text(&made["secret"])))
    }

    /// Ask and approve.
    fn granted(&mut self, time: &str) -> String {
        let asked = self.lab.say(Who::Maya, &["request", "readonly@shop", "--for", time]);
        let request = text(&Lab::said(&asked).unwrap_or_else(|| panic!("{asked:?}"))["id"]);
        // Said twice because the server died over it, it may be approved already.
        self.lab.say(Who::Omar, &["approve", &request]);
        self.lab.grant_of(&request)
    }

    /// Ask, approve, make, make again, end; whatever dies in between.
    fn life(&mut self, end: End, place: Option<(&str, usize)>) {
        let grant = self.granted(if matches!(end, End::Expire) { "8s" } else { "20m" });
        let first = self.credential(&grant);
        let second = self.credential(&grant).or(first);
        if place.is_none() {
            assert!(second.is_some(), "nothing was handed out although nobody was killed");
        }
        match end {
            End::Return => drop(self.lab.say(Who::Maya, &["done", &grant])),
            End::Revoke => drop(self.lab.say(Who::Ada, &["revoke", &grant, "--reason", "test"])),
            End::Deny => drop(self.lab.say(Who::Omar, &["deny", &grant, "--reason", "test"])),
            End::Together => {
                for time in ["21m", "22m"] {
                    let another = self.granted(time);
                    self.credential(&another);
                }
                self.lab.say(Who::Ada, &["revoke", "--resource", "shop", "--reason", "test"]);
            }
            End::Expire => {}
        }
        self.lab.settle(place);
        let wrong = self.complaints();
        assert!(wrong.is_empty(), "{end:?} {place:?}: {wrong:#?}\n{}", self.lab.wane.server.log());
        let left = standing(&self.postgres);
        assert!(left.is_bare(), "{end:?} {place:?}: {left:?}");
        if let Some((user, password)) = second {
            let login = self.postgres.psql_as(&user, &password, "shop", "SELECT 1").unwrap();
            assert!(!login.success(), "{end:?} {place:?}: a password of what is over still works");
        }
    }
}

/// BUG-47, BUG-65, INV-2, INV-8, INV-9, INV-11, INV-13, LIV-3, LIV-4, FLT-1.
#[test]
fn killed_at_every_step_of_an_account_nothing_is_forgotten() {
    let mut bench = Bench::new();
    let mut killed = BTreeSet::new();
    for end in [End::Return, End::Revoke, End::Deny, End::Expire, End::Together] {
        Lab::everywhere(&mut bench, |b| &mut b.lab, &mut killed, |b, place| b.life(end, place));
    }
    points::assert_reached(&bench.lab.reached, points::Family::Account);
}
