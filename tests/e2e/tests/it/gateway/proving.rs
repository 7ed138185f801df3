//! Identity that has to be proved again while a session lasts.

use serde_json::Value;
use wane_testkit::{Outcome, PersonSession, WaneServer, wait_until};

use super::lab::{Lab, TERMINAL};
use crate::people::{POLICY, SOON, text};

/// How old the proof may become, in policy; a code of the authenticator comes every half minute.
const EVERY: &str = "20s";

fn lab() -> Lab {
    let lab = Lab::built(WaneServer::builder().set("login.reproof_grace", "45s"), TERMINAL, &[]);
    let proved = format!("@id(\"open\")\n@mode(\"brokered\") @reproof(\"{EVERY}\")");
    lab.wane.load(&POLICY.replace("@id(\"open\")", &proved));
    lab
}

fn turns(lab: &Lab, grant: &str) -> Vec<String> {
    let events = lab.wane.events(grant);
    events.into_iter().filter(|event| event == "session.paused" || event == "session.resumed").collect()
}

/// The first turns are these; while they are looked up, the next may come.
fn wait_for_turns(lab: &Lab, grant: &str, expected: &[&str]) {
    let so_far = || turns(lab, grant).get(..expected.len()).is_some_and(|first| first == expected);
    wait_until("the log to say so", SOON, so_far)
        .unwrap_or_else(|error| panic!("{error}: {:?}, not {expected:?}", turns(lab, grant)));
}

/// Signs in once more, as somebody does who is asked to prove who they are.
fn prove(person: &mut PersonSession) {
    person.sign_in().unwrap();
}

fn refused(outcome: &Outcome, why: &str) {
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(!outcome.success() && said.contains(why), "{why}: {outcome:?}");
}

#[test]
fn a_session_pauses_until_identity_is_proved_and_is_cut_if_it_is_not() {
    let lab = lab();
    let mut dan = lab.wane.server.newcomer(&lab.wane.ada, "dan", &["engineers"]).unwrap();
    let visitor = lab.comes(&dan, "10m");
    let mut fed = visitor.open(&["-T"], &["cat"]);
    let mut shell = visitor.open(&["-tt"], &["cat"]);
    fed.send_line("one").unwrap();
    fed.wait_for("one", SOON).unwrap();
    shell.send_line("one").unwrap();
    shell.wait_for("one", SOON).unwrap();
    let prove_by = |session: &Value| text(&session["prove_by"]);
    let first = prove_by(&lab.sessions()[0]);

    // Paused: both directions are held, the person is told, and nothing new begins.
    shell.wait_for("*** Wane: this session is paused until you prove who you are", SOON).unwrap();
    assert!(shell.stdout().contains("prove who you are within"), "{}", shell.stdout());
    wait_for_turns(&lab, &visitor.grant, &["session.paused", "session.paused"]);
    let board = lab.wane.ada.run(&["sessions"]).unwrap();
    assert!(board.stdout.contains("paused"), "{board:?}");
    fed.send_line("held").unwrap();
    shell.send_line("held").unwrap();
    refused(&visitor.run("id"), "Permission denied");
    assert!(!fed.stdout().contains("held") && !shell.stdout().contains("held"), "it passed while paused");

    // Proved: what was held arrives, and the time runs anew.
    prove(&mut dan);
    let events = || format!("{:?}\n{}", lab.wane.events(&visitor.grant), lab.wane.server.log());
    fed.wait_for("held", SOON).unwrap_or_else(|error| panic!("{error}: {}", events()));
    shell.wait_for("held", SOON).unwrap();
    shell.wait_for("goes on", SOON).unwrap();
    let paused = ["session.paused", "session.paused"];
    wait_for_turns(&lab, &visitor.grant, &[paused[0], paused[1], "session.resumed", "session.resumed"]);
    assert!(prove_by(&lab.sessions()[0]) > first);

    // Not proved: cut, and its grant stays for who proves it.
    for session in [fed, shell] {
        refused(&session.wait_exit(SOON).unwrap(), "identity was not proved again in time");
    }
    lab.tally(&visitor.grant);
    assert_eq!(lab.wane.grant(&visitor.grant)["state"], "active");
}

/// A session that began under a policy that asked for no proof is asked for one by the policy that comes after.
#[test]
fn what_policy_comes_to_ask_for_pauses_a_session_that_is_open() {
    let lab = Lab::built(WaneServer::builder().set("login.reproof_grace", "60s"), TERMINAL, &[]);
    let brokered = "@id(\"open\")\n@mode(\"brokered\")";
    lab.wane.load(&POLICY.replace("@id(\"open\")", brokered));
    let mut dan = lab.wane.server.newcomer(&lab.wane.ada, "dan", &["engineers"]).unwrap();
    let visitor = lab.comes(&dan, "10m");
    let mut shell = visitor.open(&["-tt"], &["cat"]);
    shell.send_line("one").unwrap();
    shell.wait_for("one", SOON).unwrap();
    assert_eq!(lab.sessions()[0]["prove_by"], Value::Null);

    lab.wane.load(&POLICY.replace("@id(\"open\")", &format!("{brokered} @reproof(\"{EVERY}\")")));
    shell.wait_for("*** Wane: this session is paused until you prove who you are", SOON).unwrap();
    shell.send_line("held").unwrap();
    wait_for_turns(&lab, &visitor.grant, &["session.paused"]);
    assert!(!shell.stdout().contains("held"), "it passed while paused");
    prove(&mut dan);
    shell.wait_for("held", SOON).unwrap();
    wait_for_turns(&lab, &visitor.grant, &["session.paused", "session.resumed"]);
    // Asked for less again, it goes on as it was told.
    let before = text(&lab.sessions()[0]["prove_by"]);
    lab.wane.load(&POLICY.replace("@id(\"open\")", brokered));
    assert_eq!(text(&lab.sessions()[0]["prove_by"]), before);
}
