//! A second person at somebody's terminal: allowed, seen, written down, and out when the right or the session goes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use wane_testkit::{Interactive, PersonSession, wait_until};

use super::arriving::script;
use super::lab::{Lab, TERMINAL};
use crate::people::{POLICY, SOON, items, text};

/// The tests' policy, under which approvers may join sessions.
fn joinable() -> String {
    let joins = "permit (principal in Group::\"approvers\", action == Action::\"join\", resource);";
    format!("{POLICY}\n@id(\"joins\")\n{joins}\n")
}

fn log(lab: &Lab, event: &str) -> Vec<Value> {
    items(&lab.wane.ada.json(&["log", "--event", event]).unwrap()).clone()
}

/// `wane join` at a terminal.
fn joins(person: &PersonSession, session: &str) -> Command {
    let wane = person.command(&["join", session]);
    let words = std::iter::once(wane.get_program()).chain(wane.get_args());
    let words: Vec<_> = words.map(|word| format!("'{}'", word.display())).collect();
    let mut command = script(&format!("stty rows 30 cols 90; {}", words.join(" ")));
    for (name, value) in wane.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.env("TERM", "xterm");
    command
}

/// A call as the API has it: its status, and what it says.
fn call(person: &PersonSession, method: &str, path: &str, body: &str) -> (u16, String) {
    let authority = person.server().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&authority).unwrap();
    // An answer without an end is one that should not be there: what came of it is enough.
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (token, length) = (person.token().unwrap(), body.len());
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n{body}",
    )
    .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

fn only_session(lab: &Lab) -> String {
    wait_until("the session", SOON, || lab.sessions().len() == 1).unwrap();
    text(&lab.sessions()[0]["id"])
}

#[test]
fn who_joins_sees_types_and_is_seen() {
    let lab = Lab::new(TERMINAL);
    lab.wane.load(&joinable());
    let dan = lab.wane.approver("dan");
    let maya = lab.comes(&lab.wane.maya, "10m");
    let mut hers = maya.open(&["-tt"], &[]);
    hers.send_line("echo her$((40+2))self").unwrap();
    hers.wait_for("her42self", SOON).unwrap();
    let session = only_session(&lab);
    let mut his = Interactive::spawn(&mut joins(&dan, &session)).unwrap();
    // What was there before he came, and that he is there.
    his.wait_for("her42self", SOON).unwrap();
    hers.wait_for("*** Wane: dan joined this session", SOON).unwrap();
    his.send_line("echo his$((40+2))words").unwrap();
    hers.wait_for("his42words", SOON).unwrap();
    his.wait_for("his42words", SOON).unwrap();
    hers.send_line("echo again$((40+3))").unwrap();
    his.wait_for("again43", SOON).unwrap();
    his.send_line("").unwrap();
    his.send_line("~.").unwrap();
    let outcome = his.wait_exit(SOON).unwrap();
    assert!(outcome.success() && outcome.stdout.contains("you have left the session"), "{outcome:?}");
    hers.wait_for("*** Wane: dan left this session", SOON).unwrap();
    hers.send_line("exit").unwrap();
    assert!(hers.wait_exit(SOON).unwrap().success());

    wait_until("that he left to be written down", SOON, || !log(&lab, "session.left").is_empty()).unwrap();
    let (joined, left) = (log(&lab, "session.joined"), log(&lab, "session.left"));
    assert_eq!((joined.len(), left.len()), (1, 1), "{joined:?} {left:?}");
    assert_eq!(joined[0]["detail"]["session"], session.as_str());
    assert!(left[0]["detail"]["bytes"].as_u64().unwrap() > 20, "{left:?}");
    // His part of it is his in the recording.
    wait_until("the recording to be whole", SOON, || {
        let listed = lab.wane.ada.json(&["recordings"]).unwrap();
        listed["items"][0]["state"] == "whole"
    })
    .unwrap();
    let events = lab.wane.ada.run(&["--json", "replay", &session, "--events"]).unwrap();
    let typed: u64 = events
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["what"] == "typed" && line["from"] == "dan")
        .map(|line| text(&line["more"]).parse::<u64>().unwrap())
        .sum();
    assert_eq!(Some(typed), left[0]["detail"]["bytes"].as_u64(), "{events:?}");
    assert!(events.stdout.contains("dan joined this session"), "{events:?}");
}

#[test]
fn nobody_joins_without_the_right_and_the_attempt_is_written_down() {
    let lab = Lab::new(TERMINAL);
    let dan = lab.wane.approver("dan");
    let maya = lab.comes(&lab.wane.maya, "10m");
    let hers = maya.open(&["-tt"], &["echo there; exec cat"]);
    hers.wait_for("there", SOON).unwrap();
    let session = only_session(&lab);
    // To him there is no such session; she and who reads access know there is one.
    for (who, code) in [(&dan, 404), (&lab.wane.maya, 403), (&lab.wane.ada, 403)] {
        let refused = call(who, "GET", &format!("/v1/sessions/{session}/join"), "");
        assert_eq!(refused.0, code, "{refused:?}");
    }
    assert_eq!(log(&lab, "session.join_refused").len(), 3);
    assert!(log(&lab, "session.joined").is_empty());
    // A made-up number types nothing, whoever makes it up.
    lab.wane.load(&joinable());
    let path = format!("/v1/sessions/{session}/join/00000000000000000000000000000000");
    assert_eq!(call(&dan, "POST", &path, "id\r").0, 404);
    assert!(!hers.stdout().contains("uid="));
    // A command without a terminal is not joined, only watched.
    drop(hers);
    wait_until("the session to be closed", SOON, || lab.sessions().is_empty()).unwrap();
    let plain = maya.open(&["-T"], &["echo plain; exec cat"]);
    plain.wait_for("plain", SOON).unwrap();
    let session = only_session(&lab);
    let refused = call(&dan, "GET", &format!("/v1/sessions/{session}/join"), "");
    assert!(refused.0 == 409 && refused.1.contains("no terminal"), "{refused:?}");
}

#[test]
fn whoever_loses_the_right_is_out() {
    let lab = Lab::new(TERMINAL);
    lab.wane.load(&joinable());
    let dan = lab.wane.approver("dan");
    let maya = lab.comes(&lab.wane.maya, "10m");
    let mut hers = maya.open(&["-tt"], &["echo there; exec cat"]);
    hers.wait_for("there", SOON).unwrap();
    let session = only_session(&lab);
    let his = Interactive::spawn(&mut joins(&dan, &session)).unwrap();
    his.wait_for("there", SOON).unwrap();
    lab.wane.load(POLICY);
    let outcome = his.wait_exit(SOON).unwrap();
    assert!(outcome.stdout.contains("you may not be there any more"), "{outcome:?}");
    hers.wait_for("dan left this session", SOON).unwrap();
    hers.send_line("still here").unwrap();
    hers.wait_for("still here", SOON).unwrap();

    // With the session everybody is out.
    lab.wane.load(&joinable());
    let his = Interactive::spawn(&mut joins(&dan, &session)).unwrap();
    his.wait_for("still here", SOON).unwrap();
    lab.wane.ada.json(&["revoke", &maya.grant, "-m", "enough"]).unwrap();
    let outcome = his.wait_exit(SOON).unwrap();
    assert!(outcome.stdout.contains("the session is over"), "{outcome:?}");
    assert!(!hers.wait_exit(SOON).unwrap().success());
    wait_until("both to be written down as left", SOON, || log(&lab, "session.left").len() == 2).unwrap();
}
