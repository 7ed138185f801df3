//! Lives of a place in a group, with a kill at every step.

use std::collections::BTreeSet;

use wane_testkit::{WaneServer, wait_until};

use super::lab::{Lab, Who};
use super::points;
use crate::memberships::{ADMINS, MAYA, Office};
use crate::people::{SOON, text};

/// How the access ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Return,
    /// With another grant that gives the same.
    Both,
    /// Somebody takes it past Wane first.
    Taken,
    /// It was there before.
    Standing,
}

struct Bench {
    lab: Lab,
    slapd: wane_testkit::Slapd,
}

impl Bench {
    fn new() -> Self {
        let Office { wane, slapd } =
            Office::with(WaneServer::builder().failpoints().set("engine.inventory_every", "2s"));
        Self { lab: Lab::new(wane), slapd }
    }

    fn past_wane(&self, how: &str) {
        // Whether it is there already is what a kill before leaves open.
        let _ = self.slapd.modify(&format!("dn: {ADMINS}\nchangetype: modify\n{how}: member\nmember: {MAYA}\n"));
    }

    fn is_in(&self) -> bool {
        self.slapd.values(ADMINS, "member").unwrap().contains(&MAYA.to_owned())
    }

    fn joined(&mut self, item: &str, time: &str) -> Option<String> {
        let asked = self.lab.say(Who::Maya, &["request", item, "--for", time]);
        let request = text(&Lab::said(&asked).unwrap_or_else(|| panic!("{asked:?}"))["id"]);
        let grant = self.lab.grant_of(&request);
        let made = self.lab.say(Who::Maya, &["credential", &grant]);
        Lab::said(&made)?;
        Some(grant)
    }

    fn life(&mut self, end: End, place: Option<(&str, usize)>) {
        if matches!(end, End::Standing) {
            self.past_wane("add");
        }
        let first = self.joined("admins@corp", "20m");
        if place.is_none() {
            assert!(first.is_some() && self.is_in(), "nothing was made although nobody was killed");
        }
        self.lab.hold(place);
        match end {
            End::Return | End::Standing => {}
            End::Both => drop(self.joined("operators@corp", "21m")),
            End::Taken => {
                self.past_wane("delete");
                let over = |lab: &mut Lab| {
                    lab.revive();
                    first.as_ref().is_none_or(|id| {
                        let held = |g: &serde_json::Value| g["id"] == *id && g["phase"] == "active";
                        !lab.ledger().grants.iter().any(held)
                    })
                };
                wait_until("it to be seen", SOON, || over(&mut self.lab)).unwrap();
            }
        }
        if let Some(grant) = &first
            && !matches!(end, End::Taken)
        {
            self.lab.say(Who::Maya, &["done", grant]);
        }
        self.lab.settle(place);
        let wrong = self.lab.ledger().complaints(&self.lab.handed);
        assert!(wrong.is_empty(), "{end:?} {place:?}: {wrong:#?}\n{}", self.lab.wane.server.log());
        let stays = matches!(end, End::Standing);
        assert_eq!(self.is_in(), stays, "{end:?} {place:?}\n{}", self.lab.wane.server.log());
        if stays {
            self.past_wane("delete");
        }
    }
}

/// Nothing of Wane's stays in a group, and nothing of others is taken, wherever the server dies.
#[test]
fn killed_at_every_step_of_a_membership_nothing_is_forgotten_and_nothing_of_others_taken() {
    let mut bench = Bench::new();
    let mut killed = BTreeSet::new();
    for end in [End::Return, End::Both, End::Taken, End::Standing] {
        Lab::everywhere(&mut bench, |b| &mut b.lab, &mut killed, |b, place| b.life(end, place));
    }
    points::assert_reached(&bench.lab.reached, points::Family::Membership);
}
