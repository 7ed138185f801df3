//! Administration, signing in and joining: each step is one commit, and is there or not whenever the
//! server dies over it. Said again, it is there.

use std::fs;

use wane_testkit::{Ended, PersonSession, Sshd, wait_until};

use super::database::Bench;
use super::lab::{Lab, Who};
use super::points;
use super::random::facts;
use crate::people::{POLICY, SOON, items, text};

const SIDES: [&str; 2] = ["before", "after"];

struct Steps {
    bench: Bench,
}

impl Steps {
    /// The administrator says something over which the server dies, on each side; `{n}` in it is 0, then 1.
    /// What `what` is then is `value`.
    fn step(&mut self, point: &str, words: &[&str], what: &str, value: &str) {
        for (n, side) in SIDES.iter().enumerate() {
            let numbered = |text: &str| text.replace("{n}", &n.to_string());
            let words: Vec<String> = words.iter().map(|word| numbered(word)).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let outcome = self.bench.lab.die_over(&format!("{point}:{side}"), Who::Ada, &words);
            // Said twice, it may be there already, or be gone.
            let fits = outcome.success() || (*side == "after" && matches!(outcome.ended, Ended::Code(4 | 5)));
            assert!(fits, "{point}:{side}: {outcome:?}");
            self.assert_is(&numbered(what), &numbered(value));
        }
    }

    fn assert_is(&self, what: &str, value: &str) {
        let facts = facts(&self.bench.lab.wane.server.data().join("wane.db"));
        assert_eq!(facts.get(what).map_or("", String::as_str), value, "{what}");
    }

    fn directory(&mut self) {
        self.step("app.person_add.commit", &["person", "add", "p{n}"], "person p{n}", "there");
        self.step(
            "app.person_change.commit",
            &["person", "change", "p{n}", "--display", "Person {n}"],
            "person p{n}",
            "there",
        );
        self.step("app.group_new.commit", &["group", "add", "g{n}"], "group g{n}", "there");
        self.step("app.group.commit", &["group", "join", "g{n}", "p0"], "member g{n} p0", "in");
        // Whichever side it dies on, said again it is whole: out of every group.
        self.step("app.leave.commit", &["offboard", "p{n}"], "member g{n} p0", "");
        self.assert_is("left p0", "out");
        self.assert_is("left p1", "out");
    }

    fn catalogue(&mut self) {
        let file = self.bench.lab.wane.server.folder().join("policy.cedar");
        fs::write(&file, POLICY).unwrap();
        self.step("app.policy.commit", &["policy", "load", &file.display().to_string()], "resource shop", "there");
        let reads = r#"member_of=["app_read"]"#;
        self.step(
            "app.role_add.commit",
            &["role", "add", "postgres/r{n}", "--description", "new", "--set", reads],
            "role r{n}",
            "new",
        );
        self.step(
            "app.role.probe",
            &["role", "add", "postgres/s{n}", "--description", "new", "--set", reads],
            "role s{n}",
            "new",
        );
        let describe = ["role", "change", "postgres/r{n}", "--description", "the {n}th"];
        self.step("app.role_change.commit", &describe, "role r{n}", "the {n}th");
        self.step("app.role_remove.commit", &["role", "remove", "postgres/r{n}"], "role r{n}", "");
        let host = ["host", "add", "h{n}", "--label", "gate=two", "--address", "127.0.0.1:9", "--read-back", "none"];
        self.step("app.resource_add.commit", &host, "resource h{n}", "there");
        let label = ["resource", "change", "h{n}", "--label", "gate=one"];
        self.step("app.resource_change.commit", &label, "resource h{n}", "there");
        self.step("app.resource_remove.commit", &["resource", "remove", "h{n}"], "resource h{n}", "");
        self.step("app.probe", &["resource", "probe", "shop"], "resource shop", "there");
        self.connector();
        self.packages();
    }

    /// A package is entered, given by nobody's doing, and taken out.
    fn packages(&mut self) {
        let words = ["package", "add", "k{n}", "readonly@shop", "--group", "approvers"];
        self.step("app.package_add.commit", &words, "package k{n}", "there");
        self.step("app.package_remove.commit", &["package", "remove", "k{n}"], "package k{n}", "");
        let lab = &mut self.bench.lab;
        for side in SIDES {
            let (place, name) = (format!("app.package_give.commit:{side}"), format!("given-{side}"));
            let before = lab.deaths;
            lab.wane.server.plan(&format!("{place}=kill")).unwrap();
            lab.say(Who::Ada, &["package", "add", &name, "readonly@shop", "--group", "engineers"]);
            wait_until("the server to die over what nobody asked for", SOON, || {
                lab.revive();
                lab.deaths > before
            })
            .unwrap_or_else(|e| panic!("{place}: {e}\n{}", lab.wane.server.log()));
            lab.wane.server.plan("").unwrap();
            lab.reached.insert(place);
            let asked = |lab: &Lab| {
                let page = lab.wane.ada.json(&["requests", "--person", "maya", "--all"]).unwrap();
                items(&page).iter().filter(|request| request["package"] == name.as_str()).count()
            };
            wait_until("it to be asked for", SOON, || asked(lab) > 0).unwrap();
            assert_eq!(asked(lab), 1, "asked for twice");
            let removed = lab.say(Who::Ada, &["package", "remove", &name]);
            assert!(removed.success(), "{removed:?}");
        }
    }

    /// The connector's own credential at a target.
    fn connector(&mut self) {
        let file = self.bench.lab.wane.server.person("connector").unwrap().password_file().display().to_string();
        let own = ["resource", "credential", "shop", "--credential-file", &file];
        self.step("app.connector.probe", &own, "resource shop", "there");
        self.step("app.connector.commit", &own, "resource shop", "there");
        let shop = self.bench.lab.wane.ada.json(&["resource", "show", "shop"]).unwrap();
        let settings = shop["settings"].to_string();
        let words =
            ["resource", "add", "again{n}", "--kind", "postgres", "--settings", &settings, "--credential-file", &file];
        self.step("app.resource_add.probe", &words, "resource again{n}", "there");
    }

    /// A new person, entered and with a code.
    fn newcomer(&mut self, name: &str, side: Option<&str>) -> (PersonSession, String) {
        let lab = &mut self.bench.lab;
        lab.wane.ada.json(&["person", "add", name]).unwrap();
        let enrol = ["person", "enrol", name];
        let coded = match side {
            Some(side) => lab.die_over(&format!("app.token.commit:{side}"), Who::Ada, &enrol),
            None => lab.say(Who::Ada, &enrol),
        };
        let code = text(&Lab::said(&coded).unwrap_or_else(|| panic!("{coded:?}"))["code"]);
        let person = lab.wane.server.person(name).unwrap();
        person.choose_password().unwrap();
        (person, code)
    }

    /// Enrolling, signing in and out. Each code of an authenticator is good once, so each death has a
    /// person of its own.
    fn sessions(&mut self) {
        for side in SIDES {
            let (mut person, code) = self.newcomer(&format!("enrols-{side}"), Some(side));
            let file = person.password_file().display().to_string();
            let words = ["enrol", &code, "--password-file", &file];
            let place = format!("app.enrol.commit:{side}");
            let enrolled = self.bench.lab.die_over_as(&place, &person, &words);
            // Spent is spent, whoever heard of it.
            assert_eq!(enrolled.success(), side == "before", "{place}: {enrolled:?}");
            self.assert_is(&format!("login enrols-{side}"), "there");
            if side == "before" {
                person.keep_otpauth(&text(&Lab::said(&enrolled).unwrap()["otpauth_url"])).unwrap();
                self.sign_in(&mut person, Some("app.prove.commit:before"), true);
                let out = self.bench.lab.die_over_as("app.sign_out.commit:before", &person, &["logout"]);
                assert!(out.success(), "{out:?}");
            }
        }
        for place in ["app.prove.commit:after", "app.session.commit:before", "app.session.commit:after"] {
            let mut person = self.enrolled(&place.replace(['.', ':', '_'], "-"));
            // The code was used, and none is good twice.
            self.sign_in(&mut person, Some(place), false);
        }
        let mut person = self.enrolled("leaves");
        self.sign_in(&mut person, None, true);
        self.bench.lab.die_over_as("app.sign_out.commit:after", &person, &["logout"]);
        assert!(!person.run(&["me"]).unwrap().success(), "who was signed out still is signed in");
        let file = person.home().join("guess");
        fs::write(&file, "not the password").unwrap();
        let guess = ["login", "--person", "leaves", "--password-file", &file.display().to_string(), "--totp", "000000"];
        for side in SIDES {
            let refused = self.bench.lab.die_over_as(&format!("app.sign_in_failed.commit:{side}"), &person, &guess);
            assert!(!refused.success(), "{refused:?}");
        }
    }

    fn enrolled(&mut self, name: &str) -> PersonSession {
        let (mut person, code) = self.newcomer(name, None);
        person.enrol(&code).unwrap();
        person
    }

    fn sign_in(&mut self, person: &mut PersonSession, place: Option<&str>, works: bool) {
        let (totp, file) = (person.totp().unwrap(), person.password_file().display().to_string());
        let words = ["login", "--person", person.name(), "--password-file", &file, "--totp", &totp];
        let outcome = match place {
            Some(place) => self.bench.lab.die_over_as(place, person, &words),
            None => person.run(&[&["--json"], &words[..]].concat()).unwrap(),
        };
        assert_eq!(outcome.success(), works, "{place:?}: {outcome:?}");
        assert_eq!(person.run(&["me"]).unwrap().success(), works, "{place:?}");
    }

    /// A host joins with a code; one over which the server died after it was spent needs another.
    fn joining(&mut self) {
        let sshd = Sshd::builder().prepare().unwrap();
        let address = format!("127.0.0.1:{}", sshd.port());
        self.bench.lab.wane.ada.json(&["host", "add", "web", "--address", &address]).unwrap();
        let root = self.bench.lab.wane.server.person("root").unwrap();
        let (config, dir) =
            (sshd.config_path().display().to_string(), sshd.folder().join("wane").display().to_string());
        for (place, joins) in [
            ("app.join.sign:before", true),
            ("ssh.host.sign:before", true),
            ("app.join.commit:before", true),
            ("app.join.commit:after", false),
            ("http.join.leaves", false),
        ] {
            let code = text(&self.bench.lab.wane.ada.json(&["host", "join-code", "web"]).unwrap()["code"]);
            let words = ["host", "setup", "--server-code", &code, "--sshd-config", &config, "--dir", &dir];
            let outcome = self.bench.lab.die_over_as(place, &root, &words);
            assert_eq!(outcome.success(), joins, "{place}: {outcome:?}");
        }
    }
}

/// INV-8, INV-11, INV-13, FLT-1.
#[test]
fn killed_over_every_step_of_administration_it_is_there_or_not() {
    let mut steps = Steps { bench: Bench::new() };
    steps.directory();
    steps.catalogue();
    steps.sessions();
    steps.joining();
    let wrong = steps.bench.complaints();
    assert!(wrong.is_empty(), "{wrong:#?}");
    points::assert_killed(&steps.bench.lab.reached, points::STEPS);
}
