//! How sessions end: at once, on every channel, whatever ended them; and that it is proved.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use wane_testkit::{Interactive, WaneServer, wait_until};

use super::lab::{Lab, TERMINAL, Visitor};
use crate::people::{SOON, approve, ask_and_wait};

/// Says the time again and again, and what it is asked to say.
const TICKS: &str = "while :; do date +%s.%N; sleep 0.02; done";
/// Longer after the end than this, no byte passes.
pub(super) const SECOND: f64 = 1.0;

pub(super) fn now() -> f64 {
    #[expect(clippy::disallowed_methods, reason = "held against what `date` says on the same machine")]
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// The last moment that came through.
pub(super) fn last_tick(said: &str) -> f64 {
    said.lines().rev().find_map(|line| line.trim().parse().ok()).unwrap_or_else(|| panic!("no tick in: {said}"))
}

/// A terminal that ticks, and a command that is fed.
fn two_sessions(maya: &Visitor) -> [Interactive; 2] {
    let ticking = maya.open(&["-tt"], &[TICKS]);
    let mut fed = maya.open(&["-T"], &["cat"]);
    fed.send_line("fed").unwrap();
    fed.wait_for("fed", SOON).unwrap();
    wait_until("the terminal to tick", SOON, || ticking.stdout().lines().count() > 3).unwrap();
    [ticking, fed]
}

/// Both end, say why, and nothing passed long after; returns when the last byte did.
fn both_end(sessions: [Interactive; 2], why: &str) -> f64 {
    let [ticking, fed] = sessions;
    let (ticking, fed) = (ticking.wait_exit(SOON).unwrap(), fed.wait_exit(SOON).unwrap());
    for outcome in [&ticking, &fed] {
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!outcome.success() && said.contains(why), "{why}: {outcome:?}");
        assert!(said.contains("To ask again: wane request "), "nothing says how to ask again: {outcome:?}");
    }
    assert!(ticking.stdout.contains("*** Wane: this session is over"), "{ticking:?}");
    last_tick(&ticking.stdout)
}

fn all_gone(lab: &Lab, maya: &Visitor) {
    wait_until("the sessions to be proved gone", SOON, || {
        let leases = lab.leases(&maya.grant);
        leases.len() >= 2 && leases.iter().all(|lease| lease["state"] == "gone")
    })
    .unwrap();
    let proof = lab.leases(&maya.grant)[0]["basis"].to_string();
    assert!(proof.contains("connections are closed"), "{proof}");
    wait_until("nothing to run at the host", SOON, || {
        !processes().iter().any(|(uid, line)| *uid == lab.sshd.user().uid() && line.contains("date"))
    })
    .unwrap();
}

/// The account and the command line of everything that runs.
pub(super) fn processes() -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let uid = std::os::unix::fs::MetadataExt::uid(&match entry.metadata() {
            Ok(metadata) => metadata,
            Err(_) => continue,
        });
        if let Ok(line) = std::fs::read(entry.path().join("cmdline")) {
            found.push((uid, String::from_utf8_lossy(&line).replace('\0', " ")));
        }
    }
    found
}

#[test]
fn no_byte_passes_after_the_end() {
    let lab = Lab::new(TERMINAL);
    let end = |what: &dyn Fn(&Visitor), why: &str| {
        let maya = lab.comes(&lab.wane.maya, "10m");
        let sessions = two_sessions(&maya);
        what(&maya);
        let ended = now();
        let last = both_end(sessions, why);
        assert!(last < ended + SECOND, "{why}: a byte passed {} s after it was over", last - ended);
        all_gone(&lab, &maya);
        let refused = maya.run("id");
        assert!(!refused.success() && refused.stdout.is_empty(), "{refused:?}");
    };
    let ada = &lab.wane.ada;
    end(&|maya| drop(ada.json(&["revoke", &maya.grant, "--reason", "incident"]).unwrap()), "it was revoked: incident");
    end(&|maya| drop(lab.wane.maya.json(&["done", &maya.grant]).unwrap()), "it was given back");
    end(
        &|_| {
            let lock = ada.json(&["lock", "add", "--resource", "web", "--reason", "incident"]).unwrap();
            ada.json(&["lock", "lift", lock["id"].as_str().unwrap()]).unwrap();
        },
        "a lock covers it",
    );
    end(
        &|maya| {
            lab.wane.load(&crate::people::POLICY.replace("gate=open", "gate=shut"));
            // What is held is judged again a moment after.
            wait_until("it to be judged again", SOON, || lab.wane.grant(&maya.grant)["state"] != "active").unwrap();
        },
        "policy no longer allows it",
    );
}

#[test]
fn a_session_ends_at_its_deadline_and_an_extension_moves_that() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "30s");
    let end = |maya: &Visitor| -> f64 {
        let end: String = lab.wane.grant(&maya.grant)["end"].as_str().unwrap().to_owned();
        let said = std::process::Command::new("date").args(["-d", &end, "+%s.%N"]).output().unwrap();
        String::from_utf8_lossy(&said.stdout).trim().parse().unwrap()
    };
    let sessions = two_sessions(&maya);
    let due = end(&maya);
    let last = both_end(sessions, "its time is up");
    assert!(last < due + SECOND, "the last byte passed {} s after the end", last - due);
    all_gone(&lab, &maya);

    let maya = lab.comes(&lab.wane.maya, "30s");
    let sessions = two_sessions(&maya);
    let first = end(&maya);
    lab.wane.maya.json(&["extend", &maya.grant, "--for", "10m"]).unwrap();
    wait_until("the first end to be over", SOON, || now() > first + SECOND).unwrap();
    let [ticking, mut fed] = sessions;
    fed.send_line("still here").unwrap();
    fed.wait_for("still here", SOON).unwrap();
    wait_until("the terminal to tick on", SOON, || last_tick(&ticking.stdout()) > first).unwrap();
    lab.wane.ada.json(&["revoke", &maya.grant, "--reason", "enough"]).unwrap();
    both_end([ticking, fed], "it was revoked: enough");
}

#[test]
fn one_session_is_killed_and_its_grant_goes_on() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let [ticking, mut fed] = two_sessions(&maya);
    let sessions = lab.sessions();
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    let own: Vec<Value> = lab.wane.maya.json(&["sessions"]).unwrap()["items"].as_array().unwrap().clone();
    assert_eq!(own.len(), 2);
    // Both logged in at once: the one that was fed is the one to which something went.
    let first = sessions.iter().find(|session| session["bytes_up"] == 0).unwrap();
    assert_eq!((&first["person"], &first["resource"]), (&Value::from("maya"), &Value::from("web")));
    assert!(first["client"].as_str().unwrap().starts_with("SSH-2.0-OpenSSH"), "{first}");
    let id = first["id"].as_str().unwrap();
    let dan = lab.wane.approver("dan");
    assert_eq!(dan.json(&["sessions"]).unwrap()["items"], serde_json::json!([]));
    assert!(!dan.run(&["kill", id, "-m", "not mine"]).unwrap().success());
    lab.wane.ada.json(&["kill", id, "-m", "too loud"]).unwrap();
    let outcome = ticking.wait_exit(SOON).unwrap();
    assert!(outcome.stdout.contains("`ada` ended it: too loud"), "{outcome:?}");
    fed.send_line("other").unwrap();
    fed.wait_for("other", SOON).unwrap();
    assert!(maya.run("true").success());
    assert_eq!(lab.wane.grant(&maya.grant)["state"], "active");
    assert!(lab.wane.events(&maya.grant).contains(&"session.killed".to_owned()));
}

#[test]
fn a_session_of_a_server_that_died_is_settled_at_the_next_start() {
    let mut lab = Lab::built(WaneServer::builder(), TERMINAL, &[]);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let [ticking, fed] = two_sessions(&maya);
    lab.wane.server.kill_9().unwrap();
    assert!(!ticking.wait_exit(SOON).unwrap().success() && !fed.wait_exit(SOON).unwrap().success());
    lab.wane.server.start().unwrap();
    wait_until("the sessions to be settled", SOON, || {
        let leases = lab.leases(&maya.grant);
        leases.len() == 2 && leases.iter().all(|lease| lease["state"] == "gone")
    })
    .unwrap();
    assert!(lab.leases(&maya.grant)[0]["basis"].to_string().contains("no gateway carries it"));
    assert!(maya.run("true").success());
    // Asked for, approved, used, ended: the closure counts its sessions.
    lab.wane.ada.json(&["revoke", &maya.grant, "--reason", "over"]).unwrap();
    assert!(!maya.run("true").success());
}

#[test]
fn nothing_is_open_before_somebody_approved() {
    let lab = Lab::new(TERMINAL);
    lab.wane.load(&crate::people::POLICY.replace("@id(\"open\")", "@id(\"open\")\n@approve(\"1 of group:approvers\")"));
    let dan = lab.wane.approver("dan");
    let request = ask_and_wait(&lab.wane.maya, "deploy@web", "10m");
    let grant = lab.wane.maya.json(&["requests"]).unwrap();
    assert!(!lab.sshd.log().contains("Connection from"), "{grant}");
    assert!(lab.sessions().is_empty());
    let approved = approve(&dan, &request);
    let grant = approved["items"][0]["grant"].as_str().unwrap().to_owned();
    let maya = lab.visits(&lab.wane.maya, grant);
    assert!(maya.run("true").success(), "{}", lab.wane.server.log());
}
