//! Lives of a place and an account in an application, with a kill at every step.

use std::collections::BTreeSet;

use serde_json::json;
use wane_testkit::{ScimApplication, WaneServer, wait_until};

use super::lab::{Lab, Who};
use super::points;
use crate::people::{SOON, text};
use crate::provisioning::Office;

/// What is given, and how it ends.
#[derive(Clone, Copy, Debug)]
enum Life {
    Place,
    /// Somebody takes it past Wane first.
    Taken,
    /// It was there before.
    Standing,
    /// An account by which nobody got in before.
    Asleep,
    /// An account that is made, and deleted.
    Made,
}

struct Bench {
    lab: Lab,
    app: ScimApplication,
    group: String,
    maya: String,
}

impl Bench {
    fn new() -> Self {
        let Office { wane, app, group, maya } =
            Office::with(WaneServer::builder().failpoints().set("engine.inventory_every", "2s"));
        Self { lab: Lab::new(wane), app, group, maya }
    }

    fn is_in(&self) -> bool {
        self.app.members(crate::provisioning::GROUP).unwrap().contains(&self.maya)
    }

    fn taken_up(&mut self, role: &str, time: &str) -> Option<String> {
        let asked = self.lab.say(Who::Maya, &["request", &format!("{role}@shop"), "--for", time]);
        let request = text(&Lab::said(&asked).unwrap_or_else(|| panic!("{asked:?}"))["id"]);
        let grant = self.lab.grant_of(&request);
        let made = self.lab.say(Who::Maya, &["credential", &grant]);
        Lab::said(&made)?;
        Some(grant)
    }

    /// As her account is to be before a life.
    fn before(&mut self, life: Life) {
        match life {
            Life::Place | Life::Taken => {}
            Life::Standing => drop(self.app.add(&self.group, &self.maya)),
            Life::Asleep => self.app.set_active(&self.maya, &json!(false)).unwrap(),
            Life::Made => {
                if let Some(user) = self.app.find_user("maya").unwrap() {
                    self.app.call("DELETE", &format!("Users/{}", text(&user["id"])), None).unwrap();
                }
            }
        }
    }

    fn life(&mut self, life: Life, place: Option<(&str, usize)>) {
        self.before(life);
        let role = match life {
            Life::Place | Life::Taken | Life::Standing => "admins",
            Life::Asleep => "user",
            Life::Made => "guest",
        };
        let grant = self.taken_up(role, "20m");
        if place.is_none() {
            assert!(grant.is_some(), "nothing was made although nobody was killed");
        }
        self.lab.hold(place);
        if matches!(life, Life::Taken) {
            // Whether it is there is what a kill before leaves open.
            let _ = self.app.remove(&self.group, &self.maya);
            let over = |lab: &mut Lab| {
                lab.revive();
                grant.as_ref().is_none_or(|id| {
                    let held = |g: &serde_json::Value| g["id"] == *id && g["phase"] == "active";
                    !lab.ledger().grants.iter().any(held)
                })
            };
            wait_until("it to be seen", SOON, || over(&mut self.lab)).unwrap();
        } else if let Some(grant) = &grant {
            self.lab.say(Who::Maya, &["done", grant]);
        }
        self.lab.settle(place);
        let wrong = self.lab.ledger().complaints(&self.lab.handed);
        assert!(wrong.is_empty(), "{life:?} {place:?}: {wrong:#?}\n{}", self.lab.wane.server.log());
        let log = self.lab.wane.server.log();
        match life {
            Life::Place | Life::Taken => assert!(!self.is_in(), "{place:?}\n{log}"),
            Life::Standing => {
                assert!(self.is_in(), "{place:?}\n{log}");
                self.app.remove(&self.group, &self.maya).unwrap();
            }
            Life::Asleep => {
                assert!(!self.app.is_active("maya").unwrap(), "{place:?}\n{log}");
                self.app.set_active(&self.maya, &json!(true)).unwrap();
            }
            Life::Made => assert_eq!(self.app.find_user("maya").unwrap(), None, "{place:?}\n{log}"),
        }
    }
}

/// Nothing of Wane's stays in an application, and nothing of others is taken, wherever the server dies.
#[test]
fn killed_at_every_step_in_an_application_nothing_is_forgotten_and_nothing_of_others_taken() {
    let mut bench = Bench::new();
    let mut killed = BTreeSet::new();
    // The last takes her account away.
    for life in [Life::Place, Life::Taken, Life::Standing, Life::Asleep, Life::Made] {
        Lab::everywhere(&mut bench, |b| &mut b.lab, &mut killed, |b, place| b.life(life, place));
    }
    points::assert_reached(&bench.lab.reached, points::Family::Application);
}
