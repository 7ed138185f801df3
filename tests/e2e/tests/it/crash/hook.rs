//! Lives of a user at a broker that is reached by declared calls, with a kill at every step.

use std::collections::BTreeSet;

use wane_testkit::WaneServer;

use super::auditor::Handed;
use super::lab::{Lab, Who};
use super::points;
use crate::hooks::Mill;
use crate::people::text;

/// How the access ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Return,
    /// After it was given more time.
    Longer,
    Expire,
}

struct Bench {
    lab: Lab,
    broker: wane_testkit::RabbitMq,
}

impl Bench {
    fn new() -> Self {
        let Mill { wane, broker } = Mill::with(WaneServer::builder().failpoints().set("engine.inventory_every", "2s"));
        Self { lab: Lab::new(wane), broker }
    }

    fn credential(&mut self, grant: &str) -> Option<(String, String)> {
        let made = Lab::said(&self.lab.say(Who::Maya, &["credential", grant]))?;
        let user = text(&made["public"]["user"]);
        self.lab.handed.push(Handed::Account(user.clone()));
        Some((user, text(&made["secret"])))
    }

    fn life(&mut self, end: End, place: Option<(&str, usize)>) {
        let time = if matches!(end, End::Expire) { "8s" } else { "20m" };
        let asked = self.lab.say(Who::Maya, &["request", "publisher@mq", "--for", time]);
        let request = text(&Lab::said(&asked).unwrap_or_else(|| panic!("{asked:?}"))["id"]);
        let grant = self.lab.grant_of(&request);
        let first = self.credential(&grant);
        let held = self.credential(&grant).or(first);
        assert!(place.is_some() || held.is_some(), "nothing was handed out although nobody was killed");
        match end {
            End::Return => drop(self.lab.say(Who::Maya, &["done", &grant])),
            End::Longer => {
                self.lab.say(Who::Maya, &["extend", &grant, "--for", "30m"]);
                self.lab.say(Who::Maya, &["done", &grant]);
            }
            End::Expire => {}
        }
        self.lab.settle(place);
        let wrong = self.lab.ledger().complaints(&self.lab.handed);
        assert!(wrong.is_empty(), "{end:?} {place:?}: {wrong:#?}\n{}", self.lab.wane.server.log());
        let left = self.broker.users().unwrap();
        assert_eq!(left, ["wane"], "{end:?} {place:?}\n{}", self.lab.wane.server.log());
        if let Some((user, secret)) = held {
            assert!(!self.broker.lets_in(&user, &secret).unwrap(), "{end:?} {place:?}: it still works");
        }
    }
}

/// Whatever is made by a declared call is ended, wherever the server dies.
#[test]
fn killed_at_every_step_of_a_declared_target_nothing_is_forgotten() {
    let mut bench = Bench::new();
    let mut killed = BTreeSet::new();
    for end in [End::Return, End::Longer, End::Expire] {
        Lab::everywhere(&mut bench, |b| &mut b.lab, &mut killed, |b, place| b.life(end, place));
    }
    points::assert_reached(&bench.lab.reached, points::Family::Declared);
}
