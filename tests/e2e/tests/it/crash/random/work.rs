//! An engineer: asks, has credentials made, uses them, asks for more time, gives back or forgets.

use std::fs;

use serde_json::{Value, json};
use wane_testkit::{Ended, Interactive, Outcome, PersonSession, ssh_keygen};

use super::chance::Chance;
use super::field::{Field, SHOPS};
use super::memory::Password;
use crate::crash::auditor::Handed;
use crate::people::text;

/// What one engineer holds open at most.
const MOST_HELD: usize = 3;
/// How many sessions an engineer leaves open at most.
const MOST_OPEN: usize = 6;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Shop(usize),
    Host,
}

struct Held {
    grant: String,
    place: Place,
}

#[derive(Clone, Copy)]
enum Step {
    Ask,
    Credential,
    Use,
    Extend,
    End,
    Forget,
}

#[derive(Clone, Copy)]
enum Decision {
    Approve,
    Deny,
    Withdraw,
    Leave,
}

#[derive(Clone, Copy)]
enum End {
    Return,
    Revoke,
    Deny,
}

pub(super) struct Engineer<'f> {
    field: &'f Field,
    me: &'f PersonSession,
    chance: Chance,
    held: Vec<Held>,
    /// Sessions that were opened and left open: the end has to cut them.
    pub(super) open: Vec<Interactive>,
    certificates: usize,
}

impl<'f> Engineer<'f> {
    pub(super) fn new(field: &'f Field, number: usize, chance: Chance) -> Self {
        let me = &field.engineers[number];
        Self { field, me, chance, held: Vec::new(), open: Vec::new(), certificates: 0 }
    }

    /// Works until it is over; what was left open.
    pub(super) fn work(mut self) -> Vec<Interactive> {
        while !self.field.is_over() {
            self.step();
        }
        self.open
    }

    fn step(&mut self) {
        let steps = [
            (4, Step::Ask),
            (5, Step::Credential),
            (2, Step::Use),
            (1, Step::Extend),
            (2, Step::End),
            (1, Step::Forget),
        ];
        let step = self.chance.weighed(&steps);
        if self.held.is_empty() || (matches!(step, Step::Ask) && self.held.len() < MOST_HELD) {
            return self.ask();
        }
        let at = self.chance.below(self.held.len() as u64) as usize;
        match step {
            Step::Ask | Step::Credential => self.credential(at),
            Step::Use => self.use_it(),
            Step::Extend => self.extend(at),
            Step::End => self.end(at),
            // It ends by itself.
            Step::Forget => drop(self.held.swap_remove(at)),
        }
    }

    fn ask(&mut self) {
        let (item, place) = match self.chance.below(8) {
            0..3 => (SHOPS[0], Some(Place::Shop(0))),
            3..5 => (SHOPS[1], Some(Place::Shop(1))),
            5..7 => ("deploy@web", Some(Place::Host)),
            _ => ("deploy@brief", None),
        };
        // What was never seen accepted is owed until it ends by itself, so none lasts long.
        let time = match place {
            Some(Place::Host) => format!("{}s", 5 + self.chance.below(8)),
            _ if self.chance.one_in(2) => format!("{}s", 3 + self.chance.below(10)),
            _ => "20m".to_owned(),
        };
        let Some(outcome) = self.field.say(self.me, &["request", item, "--for", &time]) else { return };
        let Some(request) = said(&outcome) else { return };
        self.field.memory().asked(&request);
        let granted = match outcome.ended {
            Ended::Code(6) => self.decide(&text(&request["id"])),
            _ => Some(request),
        };
        let grant = granted.as_ref().and_then(|r| r["items"][0]["grant"].as_str());
        if let (Some(grant), Some(place)) = (grant, place) {
            self.held.push(Held { grant: grant.to_owned(), place });
        }
    }

    /// What becomes of what waits; the request, if it was approved.
    fn decide(&mut self, request: &str) -> Option<Value> {
        let decisions = [(7, Decision::Approve), (1, Decision::Deny), (1, Decision::Withdraw), (1, Decision::Leave)];
        let field = self.field;
        match self.chance.weighed(&decisions) {
            Decision::Approve => {
                let outcome = field.say(&field.omar, &["approve", request])?;
                let approved = done(&outcome)?;
                let mut memory = field.memory();
                memory.asked(&approved);
                memory.approved(request);
                Some(approved)
            }
            Decision::Deny => {
                let outcome = field.say(&field.omar, &["deny", request, "-m", "no"])?;
                outcome.success().then(|| field.memory().declined(request));
                None
            }
            Decision::Withdraw => {
                let outcome = field.say(self.me, &["withdraw", request])?;
                outcome.success().then(|| field.memory().declined(request));
                None
            }
            Decision::Leave => None,
        }
    }

    fn credential(&mut self, at: usize) {
        let Held { grant, place } = &self.held[at];
        let (grant, place) = (grant.clone(), *place);
        let input = json!({ "public_key": self.field.key.public_line().unwrap() }).to_string();
        let words = match place {
            Place::Shop(_) => vec!["credential", &grant],
            Place::Host => vec!["credential", &grant, "--input", &input],
        };
        let Some(outcome) = self.field.say(self.me, &words) else { return };
        let Some(made) = done(&outcome) else {
            // Over, or locked: of a target that could not be reached more can be asked.
            if outcome.ended != Ended::Code(8) {
                self.held.swap_remove(at);
            }
            return;
        };
        match place {
            Place::Shop(shop) => {
                let (user, password) = (text(&made["public"]["user"]), text(&made["secret"]));
                let mut memory = self.field.memory();
                memory.handed.push(Handed::Account(user.clone()));
                memory.passwords.push(Password { shop, user, password });
            }
            Place::Host => self.keep_certificate(&made),
        }
    }

    fn keep_certificate(&mut self, made: &Value) {
        self.certificates += 1;
        let path = self.me.home().join(format!("{}-cert.pub", self.certificates));
        fs::write(&path, text(&made["public"]["certificate"]) + "\n").unwrap();
        let hosts = self.field.engineers[0].home().join("known_hosts");
        fs::write(hosts, text(&made["public"]["host_ca"]) + "\n").unwrap();
        let serial = serial(&path);
        let mut memory = self.field.memory();
        memory.handed.push(Handed::Certificate(serial));
        memory.certificates.push(path);
    }

    /// Logs in with what was handed out last, which may be over, and stays.
    fn use_it(&mut self) {
        let password = self.field.memory().passwords.last().cloned();
        let Some(Password { shop, user, password }) = password else { return };
        let client = self.field.shop(shop).client(&user, &password, "shop");
        let mut session = client.open().unwrap();
        // Where nobody listens it is over already.
        let _ = session.send_line("SELECT 1;");
        if self.open.len() == MOST_OPEN {
            self.open.remove(0);
        }
        self.open.push(session);
    }

    fn extend(&mut self, at: usize) {
        let grant = self.held[at].grant.clone();
        let Some(outcome) = self.field.say(self.me, &["extend", &grant, "--for", "4s"]) else { return };
        let Some(request) = said(&outcome) else { return };
        match outcome.ended {
            Ended::Code(0) => self.field.memory().extended(&grant),
            Ended::Code(6) => {
                let words = ["approve", &text(&request["id"])];
                let approved = self.field.say(&self.field.omar, &words).and_then(|outcome| done(&outcome));
                // Approved and yet judged "no", by what was locked or redefined meanwhile, gives no time.
                if approved.is_some_and(|request| request["items"][0]["state"] == "approved") {
                    self.field.memory().extended(&grant);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, at: usize) {
        let grant = self.held[at].grant.clone();
        let field = self.field;
        let outcome = match self.chance.weighed(&[(3, End::Return), (2, End::Revoke), (1, End::Deny)]) {
            End::Return => field.say(self.me, &["done", &grant]),
            End::Revoke => field.say(&field.ada, &["revoke", &grant, "-m", "over"]),
            End::Deny => field.say(&field.omar, &["deny", &grant, "-m", "no more"]),
        };
        if outcome.is_some_and(|outcome| outcome.success()) {
            field.memory().ended(&grant);
            self.held.swap_remove(at);
        }
    }
}

/// What was said on standard output by what succeeded.
fn done(outcome: &Outcome) -> Option<Value> {
    said(outcome).filter(|_| outcome.success())
}

/// What was said on standard output, if something was.
pub(super) fn said(outcome: &Outcome) -> Option<Value> {
    serde_json::from_str(&outcome.stdout).ok()
}

/// The serial number, as `ssh-keygen` reads it.
fn serial(certificate: &std::path::Path) -> u64 {
    let shown = ssh_keygen(["-L".as_ref(), "-f".as_ref(), certificate.as_os_str()]).unwrap().into_stdout().unwrap();
    let line = shown.lines().find_map(|line| line.trim().strip_prefix("Serial: ")).unwrap();
    line.trim().parse().unwrap()
}
