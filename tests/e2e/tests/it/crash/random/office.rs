//! The administrator: locks and lifts, redefines, hires and lets go, while others work.

use std::fs;

use wane_testkit::{Outcome, PersonSession, WaneServer};

use super::chance::Chance;
use super::field::Field;
use super::work::said;
use crate::people::text;

#[derive(Clone, Copy)]
enum Step {
    Lock,
    Describe,
    Role,
    Join,
    Hire,
    Guess,
    Resource,
    Lift,
}

pub(super) struct Office<'f> {
    field: &'f Field,
    chance: Chance,
    /// Counts what gets a name of its own.
    next: usize,
    /// Where new people live.
    homes: Vec<PersonSession>,
}

impl<'f> Office<'f> {
    /// With a home for each who may be hired.
    pub(super) fn new(field: &'f Field, server: &WaneServer, chance: Chance) -> Self {
        let homes = (0..200).map(|n| server.person(&format!("new{n}")).unwrap()).collect();
        Self { field, chance, next: 0, homes }
    }

    pub(super) fn work(mut self) {
        while !self.field.is_over() {
            let steps = [
                (1, Step::Lock),
                (2, Step::Describe),
                (1, Step::Role),
                (2, Step::Join),
                (2, Step::Hire),
                (1, Step::Guess),
                (1, Step::Resource),
                (2, Step::Lift),
            ];
            match self.chance.weighed(&steps) {
                Step::Lock => self.lock(),
                Step::Describe => self.describe(),
                Step::Role => self.role(),
                Step::Join => self.join(),
                Step::Hire => self.hire(),
                Step::Guess => self.guess(),
                Step::Resource => self.resource(),
                Step::Lift => self.lift(),
            }
        }
    }

    fn say(&self, words: &[&str]) -> Option<Outcome> {
        self.field.say(&self.field.ada, words)
    }

    /// Says what makes something so: it may be so from then on, and is once it was answered.
    fn make(&self, words: &[&str], what: &str, value: &str) -> bool {
        // Before: whoever audits a server that died over it comes by before we hear of it.
        self.field.memory().may_be(what, value);
        let outcome = self.say(words);
        let answered = outcome.as_ref().is_some_and(Outcome::success);
        if answered {
            self.field.memory().is(what, value);
        }
        answered
    }

    fn lock(&mut self) {
        let what = self.chance.weighed(&[
            (2, ["--person", "noor"]),
            (1, ["--resource", "stock"]),
            (1, ["--role", "ssh/deploy"]),
        ]);
        let outcome = self.say(&["lock", "add", what[0], what[1], "-m", "test"]);
        if let Some(lock) = outcome.as_ref().filter(|o| o.success()).and_then(said) {
            let id = lock["id"]
                .as_str()
                .or_else(|| lock["lock"]["id"].as_str())
                .unwrap_or_else(|| panic!("no lock: {lock}"));
            self.field.memory().is(&format!("lock {id}"), "holds");
        }
        self.lift();
    }

    /// Also those of which nobody heard.
    fn lift(&self) {
        let Some(list) = self.say(&["lock", "list"]) else { return };
        for lock in said(&list).iter().flat_map(|page| page["items"].as_array()).flatten() {
            let id = text(&lock["id"]);
            let what = format!("lock {id}");
            // Whoever was not told that it was imposed is told here that it holds.
            self.field.memory().is(&what, "holds");
            self.make(&["lock", "lift", &id], &what, "lifted");
        }
    }

    fn describe(&mut self) {
        self.next += 1;
        let to = format!("the {}th", self.next);
        self.make(&["role", "change", "postgres/readonly", "--description", &to], "role readonly", &to);
    }

    fn role(&mut self) {
        self.next += 1;
        let (name, what) = (format!("ssh/r{}", self.next), format!("role r{}", self.next));
        let words = ["role", "add", &name, "--description", "short-lived", "--set", r#"principals=["nobody"]"#];
        if self.make(&words, &what, "short-lived") {
            self.make(&["role", "remove", &name], &what, "");
        }
    }

    fn resource(&mut self) {
        self.next += 1;
        let (name, what) = (format!("x{}", self.next), format!("resource x{}", self.next));
        let words = ["host", "add", &name, "--label", "gate=two", "--address", "127.0.0.1:9", "--read-back", "none"];
        if self.make(&words, &what, "there") {
            self.make(&["resource", "remove", &name], &what, "");
        }
    }

    fn join(&mut self) {
        if self.chance.one_in(2) {
            self.make(&["group", "join", "dba", "maya"], "member dba maya", "in");
        } else {
            self.make(&["group", "leave", "dba", "maya"], "member dba maya", "");
        }
    }

    /// Somebody new, up to their first sign-in and out again.
    fn hire(&mut self) {
        let Some(mut person) = self.homes.pop() else { return };
        let name = person.name().to_owned();
        if !self.make(&["person", "add", &name], &format!("person {name}"), "there") {
            return;
        }
        let code = self.say(&["person", "enrol", &name]);
        let Some(code) = code.as_ref().filter(|o| o.success()).and_then(said) else { return };
        person.choose_password().unwrap();
        let file = person.password_file().display().to_string();
        let enrolled = self.field.say(&person, &["enrol", &text(&code["code"]), "--password-file", &file]);
        let Some(enrolled) = enrolled.as_ref().filter(|o| o.success()).and_then(said) else { return };
        self.field.memory().is(&format!("login {name}"), "there");
        person.keep_otpauth(&text(&enrolled["otpauth_url"])).unwrap();
        let totp = person.totp().unwrap();
        let words = ["login", "--person", &name, "--password-file", &file, "--totp", &totp];
        if self.field.say(&person, &words).is_none_or(|outcome| !outcome.success()) {
            return;
        }
        // A session that was answered is one, whatever died since.
        if let Some(me) = self.field.say(&person, &["me"])
            && !me.success()
        {
            self.field.memory().wrong.push(format!("{name} was signed in, and is not: {me:?}"));
        }
        if self.field.say(&person, &["logout"]).is_some_and(|outcome| outcome.success())
            && self.field.say(&person, &["me"]).is_some_and(|me| me.success())
        {
            self.field.memory().wrong.push(format!("{name} was signed out, and is not"));
        }
    }

    /// Somebody who is not noor.
    fn guess(&mut self) {
        let file = self.field.omar.home().join("guess");
        fs::write(&file, "not the password").unwrap();
        let file = file.display().to_string();
        let words = ["login", "--person", "noor", "--password-file", &file, "--totp", "000000"];
        if self.field.say(&self.field.omar, &words).is_some_and(|outcome| outcome.success()) {
            self.field.memory().wrong.push("a wrong password was accepted".to_owned());
        }
    }
}
