//! Somebody with nothing but `ssh`: the link, the code, the page, the request that waits.

use std::process::Command;

use serde_json::Value;
use wane_testkit::{Ended, Interactive, Outcome, PersonSession, WaneServer, wait_until};

use super::browser::Browser;
use super::lab::{Lab, NOTHING, TERMINAL};
use crate::people::{SOON, approve, granted, items, text};

/// A machine with neither Wane nor a key, and a terminal in front of it.
pub(super) struct Bare {
    pub(super) ssh: Interactive,
    pub(super) path: String,
    pub(super) code: String,
}

impl Bare {
    /// Logs in and reads what the gateway says.
    fn comes(lab: &Lab, remote: &str) -> Self {
        Self::reads(lab, Interactive::spawn(&mut terminal(lab, &lab.name(), remote)).unwrap())
    }

    /// Reads what the gateway says to somebody who logs in.
    pub(super) fn reads(lab: &Lab, ssh: Interactive) -> Self {
        ssh.wait_for("Nobody but you needs this code.", SOON).unwrap();
        let said = ssh.stdout();
        let line = |with: &str| said.lines().map(str::trim).find(|line| line.contains(with)).unwrap_or_default();
        let link = line("http://");
        let path = link.trim_start_matches(&lab.wane.server.url()).to_owned();
        assert!(path.starts_with("/login/"), "{said}");
        let code = said
            .lines()
            .map(str::trim)
            .find(|line| line.len() == 9 && line.as_bytes()[4] == b'-')
            .unwrap_or_else(|| panic!("no code: {said}"));
        assert!(!link.contains(code), "the link alone is not enough");
        Self { code: code.to_owned(), path, ssh }
    }

    fn ends(self) -> Outcome {
        let outcome = self.ssh.wait_exit(SOON).unwrap();
        assert!(matches!(outcome.ended, Ended::Code(_)), "it waits for something: {outcome:?}");
        outcome
    }
}

/// `ssh` on a terminal, with no key at all.
fn terminal(lab: &Lab, name: &str, remote: &str) -> Command {
    let known = lab.known_gateway();
    let ssh = format!(
        "ssh -F /dev/null -o IdentityFile=none -o IdentityAgent=none -o UserKnownHostsFile={} \
         -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes -o ControlPath=none -p {} -l {name} 127.0.0.1 '{remote}'",
        known.display(),
        lab.port
    );
    script(&ssh)
}

/// Something on a terminal of its own.
pub(super) fn script(line: &str) -> Command {
    let mut command = Command::new("script");
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").env("TERM", "dumb");
    command.args(["-qfec", line, "/dev/null"]);
    command
}

/// What the log says about logins without a credential, oldest first.
fn arrivals(lab: &Lab) -> Vec<(String, Value)> {
    let page = lab.wane.ada.json(&["log", "--event", "arrival.", "--all"]).unwrap();
    let line = |record: &Value| (text(&record["event"]), record.clone());
    items(&page).iter().rev().map(line).collect()
}

fn events(lab: &Lab) -> Vec<String> {
    arrivals(lab).into_iter().map(|(event, _)| event).collect()
}

/// The requests of a person, newest first.
fn requests(person: &PersonSession) -> Vec<Value> {
    items(&person.json(&["requests"]).unwrap()).clone()
}

#[test]
fn a_link_and_a_code_let_one_person_into_one_session() {
    let lab = Lab::new(NOTHING);
    let (maya, dan) = (&lab.wane.maya, lab.wane.approver("dan"));
    let grant = granted(maya, "deploy@web", "10m");
    let here = Bare::comes(&lab, "id -un");
    let (browser, other) = (Browser::of(maya), Browser::of(&dan));

    // Whoever is not signed in learns nothing of what it is about, and neither does a made-up link.
    let stranger = Browser::empty(&lab.wane.server).open(&here.path);
    assert_eq!(stranger.status, 200);
    assert!(stranger.text.contains("Sign in to Wane") && !stranger.text.contains("web"), "{stranger:?}");
    assert_eq!(browser.open("/login/0123456789abcdef0123456789abcdef").status, 404);

    let page = browser.open(&here.path);
    let user = lab.sshd.user().name();
    for shown in ["127.0.0.1", "SSH-2.0-OpenSSH", "web", user, "maya"] {
        assert!(page.text.contains(shown), "{shown}: {page:?}");
    }
    assert!(!page.text.contains(&here.code), "the page does not give the code away");
    assert!(page.head.contains("frame-ancestors 'none'") && page.head.contains("form-action 'self'"), "{page:?}");

    assert_eq!(browser.answer(&here.path, "BBBB-BBBB", "yes").status, 422);
    assert_eq!(browser.post(&here.path, &format!("code={}&answer=yes", here.code)).status, 403, "no token");
    let (own, token) = (browser.token(&here.path), other.token(&here.path));
    assert_ne!(own, token);
    let stolen = browser.post(&here.path, &format!("token={token}&code={}&answer=yes", here.code));
    assert_eq!(stolen.status, 403, "another person's form: {stolen:?}");
    assert!(lab.sessions().is_empty() && !lab.sshd.log().contains("Connection from"));

    let typed = here.code.to_lowercase().replace('-', "+");
    let confirmed = browser.answer(&here.path, &typed, "yes");
    assert_eq!(confirmed.status, 200, "{confirmed:?}");
    // It was answered, or is over already.
    for (who, token, answer) in [(&browser, &own, "yes"), (&browser, &own, "no"), (&other, &token, "yes")] {
        let again = who.post(&here.path, &format!("token={token}&code={}&answer={answer}", here.code));
        assert!([404, 409].contains(&again.status), "{again:?}");
    }
    let path = here.path.clone();
    let outcome = here.ends();
    assert!(outcome.success(), "{outcome:?}\n{}", lab.wane.server.log());
    assert!(outcome.stdout.contains("confirmed by maya") && outcome.stdout.contains(user), "{outcome:?}");
    assert_eq!(browser.open(&path).status, 404, "nothing is left of it");

    assert_eq!(events(&lab), ["arrival.asked", "arrival.mistaken", "arrival.confirmed"]);
    let log = arrivals(&lab);
    assert_eq!(log[2].1["detail"]["peer"], "127.0.0.1", "{log:?}");
    let opened = lab.wane.ada.json(&["log", "--grant", &grant, "--event", "session.opened"]).unwrap();
    assert_eq!(items(&opened)[0]["detail"]["by"]["arrival"], log[2].1["detail"]["arrival"], "{opened}");
    // The person who confirmed is who came in, and only with what they hold.
    let theirs = Bare::comes(&lab, "id -un");
    assert_eq!(other.answer(&theirs.path, &theirs.code, "yes").status, 200);
    let outcome = theirs.ends();
    assert!(!outcome.success() && outcome.stdout.contains("there is no access"), "{outcome:?}");
}

#[test]
fn who_is_refused_or_never_confirmed_stays_out_and_leaves_nothing() {
    let lab = Lab::built(WaneServer::builder().with_clock(), NOTHING, &[]);
    granted(&lab.wane.maya, "deploy@web", "1h");
    let browser = Browser::of(&lab.wane.maya);

    let refused = Bare::comes(&lab, "id -un");
    assert_eq!(browser.answer(&refused.path, "", "no").status, 200);
    let outcome = refused.ends();
    assert!(!outcome.success() && outcome.stdout.contains("it was refused in the browser"), "{outcome:?}");

    let guessed = Bare::comes(&lab, "id -un");
    let tries: Vec<u16> = (0..5).map(|_| browser.answer(&guessed.path, "BBBB-BBBB", "yes").status).collect();
    assert_eq!(tries, [422, 422, 422, 422, 409]);
    let outcome = guessed.ends();
    assert!(!outcome.success() && outcome.stdout.contains("a wrong code was entered too often"), "{outcome:?}");

    // Nobody comes by. More than the time of a login passes, and less than that of a confirmation.
    let late = Bare::comes(&lab, "id -un");
    let token = browser.token(&late.path);
    lab.wane.server.set_clock(200).unwrap();
    assert_eq!(browser.open(&late.path).status, 200, "there is time yet");
    lab.wane.server.set_clock(310).unwrap();
    let too_late = browser.post(&late.path, &format!("token={token}&code={}&answer=yes", late.code));
    assert_eq!(too_late.status, 404, "its time is over");
    let outcome = late.ends();
    assert!(!outcome.success() && outcome.stdout.contains("nobody confirmed this login in time"), "{outcome:?}");

    // The server dies and comes back: what waited is over, and its link is dead.
    let mut lab = lab;
    let waits = Bare::comes(&lab, "id -un");
    lab.wane.server.kill_9().unwrap();
    lab.wane.server.restart().unwrap();
    let path = waits.path.clone();
    assert!(!waits.ends().success());
    assert_eq!(browser.open(&path).status, 404);

    assert!(lab.sessions().is_empty());
    assert!(!lab.sshd.log().contains("Connection from"), "the host was asked nothing");
    let seen = events(&lab);
    for event in ["arrival.refused", "arrival.mistaken", "arrival.lapsed"] {
        assert!(seen.contains(&event.to_owned()), "{event}: {seen:?}");
    }
    assert!(!seen.contains(&"arrival.confirmed".to_owned()), "{seen:?}");
}

#[test]
fn whoever_has_no_access_asks_for_it_while_logging_in() {
    let lab = Lab::new(TERMINAL);
    let terms = "@id(\"open\")\n@justification(\"required\")\n@approve(\"1 of group:approvers\")";
    lab.wane.load(&crate::people::POLICY.replace("@id(\"open\")", terms));
    let (maya, dan) = (&lab.wane.maya, lab.wane.approver("dan"));
    let browser = Browser::of(maya);
    let waits = |remote: &str, reason: &str| {
        let mut here = Bare::comes(&lab, remote);
        assert_eq!(browser.answer(&here.path, &here.code, "yes").status, 200);
        here.ssh.wait_for("Why do you need it?", SOON).unwrap();
        here.ssh.send_line(reason).unwrap();
        here.ssh.wait_for("waits for 1 more approval: dan", SOON).unwrap();
        let request = requests(maya).remove(0);
        assert_eq!((&request["state"], &request["reason"]), (&"waiting".into(), &reason.into()), "{request}");
        (here, text(&request["id"]))
    };

    let (here, request) = waits("id -un", "the disk is full");
    assert!(!lab.sshd.log().contains("Connection from"), "nothing is opened before somebody approved");
    approve(&dan, &request);
    let outcome = here.ends();
    assert!(outcome.success() && outcome.stdout.contains(lab.sshd.user().name()), "{outcome:?}");
    let grant = text(&requests(maya)[0]["items"][0]["grant"]);
    maya.json(&["done", &grant]).unwrap();

    let (here, request) = waits("id -un", "again");
    dan.json(&["deny", &request, "--reason", "not today"]).unwrap();
    let outcome = here.ends();
    assert!(!outcome.success() && outcome.stdout.contains("`dan` refused it: not today"), "{outcome:?}");

    // Whoever goes away asks for nothing any more.
    let (here, request) = waits("id -un", "and again");
    drop(here);
    let state = || text(&requests(maya)[0]["state"]);
    wait_until("the request to be taken back", SOON, || state() == "withdrawn").unwrap();
    assert_eq!(text(&requests(maya)[0]["id"]), request);
}

#[test]
fn the_conditions_of_a_role_hold_for_whoever_comes_by_a_link() {
    let lab = Lab::new(NOTHING);
    let (maya, browser) = (&lab.wane.maya, Browser::of(&lab.wane.maya));
    let principals = format!("principals={}", serde_json::json!([lab.sshd.user().name()]));
    let comes = |role: &str, conditions: &[&str]| {
        let words = ["role", "add", role, "--set", &principals];
        lab.wane.ada.json(&[&words[..], conditions].concat()).unwrap();
        let grant = granted(maya, &format!("{}@web", role.trim_start_matches("ssh/")), "10m");
        let here = Bare::comes(&lab, "echo free");
        assert_eq!(browser.answer(&here.path, &here.code, "yes").status, 200);
        let outcome = here.ends();
        maya.json(&["done", &grant]).unwrap();
        outcome
    };
    let near = r#"source_address=["127.0.0.0/8"]"#;
    let forced = comes("ssh/forced", &["--set", "force_command=echo forced", "--set", near]);
    assert!(forced.success() && forced.stdout.contains("forced"), "{forced:?}");
    assert!(!forced.stdout.contains("free"), "{forced:?}");
    let asked = lab.sshd.log().matches("Connection from").count();
    let away = comes("ssh/away", &["--set", r#"source_address=["192.0.2.0/24"]"#]);
    assert!(!away.success() && away.stdout.contains("may not be used from 127.0.0.1"), "{away:?}");
    assert_eq!(lab.sshd.log().matches("Connection from").count(), asked, "the host was asked nothing");
}

#[test]
fn what_a_login_asked_for_is_taken_back_after_a_crash() {
    let mut lab = Lab::new(TERMINAL);
    let terms = "@id(\"open\")\n@justification(\"required\")\n@approve(\"1 of group:approvers\")";
    lab.wane.load(&crate::people::POLICY.replace("@id(\"open\")", terms));
    let dan = lab.wane.approver("dan");
    let mut here = Bare::comes(&lab, "id -un");
    assert_eq!(Browser::of(&lab.wane.maya).answer(&here.path, &here.code, "yes").status, 200);
    here.ssh.wait_for("Why do you need it?", SOON).unwrap();
    here.ssh.send_line("the disk is full").unwrap();
    here.ssh.wait_for("waits for 1 more approval: dan", SOON).unwrap();
    // One that was made by hand, and is none of the gateway's.
    crate::people::ask_coming_out(&lab.wane.maya, &["deploy@web", "--for", "20m", "--reason", "by hand"], 6);
    lab.wane.server.kill_9().unwrap();
    assert!(!here.ends().success());
    lab.wane.server.restart().unwrap();
    let seen: Vec<_> = requests(&lab.wane.maya).iter().map(|r| (text(&r["reason"]), text(&r["state"]))).collect();
    let expected = [("by hand", "waiting"), ("the disk is full", "withdrawn")];
    assert_eq!(seen, expected.map(|(reason, state)| (reason.to_owned(), state.to_owned())));
    let log = arrivals(&lab);
    let lapsed = &log.iter().rfind(|(event, _)| event == "arrival.lapsed").unwrap().1;
    assert_eq!(lapsed["detail"]["why"], "the server stopped while this login waited", "{lapsed}");
    // It can be asked for anew, and nobody approves what nobody waits for.
    let request = text(&requests(&lab.wane.maya)[1]["id"]);
    assert!(!dan.run(&["approve", &request]).unwrap().success());
}

#[test]
fn who_fails_too_often_waits_whatever_they_show() {
    let lab = Lab::built(WaneServer::builder().with_clock(), NOTHING, &[]);
    let (maya, dan) = (&lab.wane.maya, lab.wane.approver("dan"));
    granted(maya, "deploy@web", "1h");
    let browser = Browser::of(maya);
    let user = lab.sshd.user().name();
    // As the host is spelt in one way and in the other: it is the same person who guesses.
    let comes = |name: &str| Bare::reads(&lab, Interactive::spawn(&mut terminal(&lab, name, "id -un")).unwrap());
    for n in 0..4 {
        let here = comes(&if n % 2 == 0 { format!("{user}%web") } else { format!("{user}@web") });
        let tries: Vec<u16> = (0..5).map(|_| browser.answer(&here.path, "BBBB-BBBB", "yes").status).collect();
        assert_eq!(tries, [422, 422, 422, 422, 409]);
        assert!(!here.ends().success());
    }
    let here = comes(&lab.name());
    let refused = browser.answer(&here.path, &here.code, "yes");
    assert!(refused.status == 503 && refused.text.contains("oo many failed attempts"), "{refused:?}");
    let shut = lab.wane.ada.json(&["log", "--event", "gateway.shut_out"]).unwrap();
    assert_eq!(items(&shut).len(), 1, "{shut}");
    // Which is nobody else's trouble, and over after a while.
    assert_eq!(Browser::of(&dan).answer(&here.path, &here.code, "yes").status, 200);
    assert!(!here.ends().success(), "dan holds nothing there");
    lab.wane.server.set_clock(601).unwrap();
    let here = comes(&lab.name());
    assert_eq!(browser.answer(&here.path, &here.code, "yes").status, 200);
    // The host has a clock of its own, and what comes after is its to judge.
    assert!(here.ends().stdout.contains("confirmed by maya"));
}
