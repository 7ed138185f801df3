//! The end: nothing passes after it, on whatever it was passing, and people and programs are told why.

use serde_json::json;
use wane_testkit::{Ended, Interactive, WaneServer, wait_until};

use super::lab::{Guest, Lab};
use crate::people::{SOON, text};

/// A websocket that has carried something both ways.
fn websocket(lab: &Lab, guest: &Guest<'_>, path: &str) -> Interactive {
    let mut socket = lab.open_raw();
    let (host, cookie) = (guest.origin.trim_start_matches("https://"), guest.cookie());
    for line in [
        format!("GET {path} HTTP/1.1\r"),
        format!("Host: {host}\r"),
        format!("Cookie: {cookie}\r"),
        format!("Origin: {}\r", guest.origin),
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r".to_owned(),
    ] {
        socket.send_line(&line).unwrap();
    }
    socket.wait_for("101 Switching Protocols", SOON).unwrap();
    // The answer to that key, by RFC 6455 section 1.3.
    socket.wait_for("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", SOON).unwrap();
    socket.send_line("there and back").unwrap();
    socket.wait_for("there and back", SOON).unwrap();
    socket
}

/// Something that ends access.
type End<'l> = Box<dyn Fn(&Guest<'_>) + 'l>;

fn role(lab: &Lab) {
    lab.role("all", &json!({ "allow": [{ "methods": ["*"], "paths": ["/**"] }], "websocket": true }));
}

/// Whatever is said to somebody who waited, or who comes later.
fn says_why(guest: &Guest<'_>, why: &str) {
    let program = guest.get("/echo");
    assert_eq!((program.status, program.header("content-type").as_deref()), (403, Some("application/problem+json")));
    let said = program.json();
    assert!(said["detail"].as_str().unwrap().contains(why), "{said}");
    assert_eq!(said["ask"], json!(format!("wane request all@app --for {}", "10m")), "{said}");
    let person = guest.send(&["-H", "Accept: text/html"], "/page");
    assert_eq!(person.status, 403);
    for words in [why, "Ask again", "wane request all@app --for 10m"] {
        assert!(person.body.contains(words), "{words}: {}", person.body);
    }
}

#[test]
fn open_streams_are_cut_at_the_end() {
    let lab = Lab::new();
    role(&lab);
    let guest = lab.enters(&lab.wane.maya, "all@app", "10m");
    let ticks = guest.streams(&["--http1.1"], "/ticks?1");
    let ticks2 = guest.streams(&["--http2"], "/ticks?2");
    for stream in [&ticks, &ticks2] {
        stream.wait_for("tick", SOON).unwrap();
    }
    // Read so slowly that every buffer on the way is full.
    let slow = guest.streams(&["--http1.1", "--limit-rate", "20k", "-o", "/dev/null"], "/flood?1");
    let slow2 = guest.streams(&["--http2", "--limit-rate", "20k", "-o", "/dev/null"], "/flood?2");
    let waits = guest.streams(&["--http1.1", "-H", "Accept: text/html"], "/silence");
    let socket = websocket(&lab, &guest, "/socket");
    wait_until("all of it to have arrived", SOON, || lab.asked().len() >= 6).unwrap();
    lab.wane.maya.json(&["done", &guest.grant]).unwrap();
    // Each is cut, none is let run out; whoever waited for an answer is told.
    let closed = lab.wane.wait_closed(&guest.grant);
    for (name, stream) in [("ticks", ticks), ("ticks2", ticks2), ("slow", slow), ("slow2", slow2)] {
        let outcome = stream.wait_exit(SOON).unwrap();
        assert!(matches!(outcome.ended, Ended::Code(code) if code != 0), "{name} ran out: {outcome:?}");
    }
    let told = waits.wait_exit(SOON).unwrap();
    assert!(told.stdout.contains("This session is over"), "{told:?}");
    let ended = socket.wait_exit(SOON).unwrap();
    assert!(!ended.stdout.contains("after"), "{ended:?}");
    for url in ["/ticks?1", "/ticks?2", "/flood?1", "/flood?2", "/silence", "/socket"] {
        lab.wait_gone(url);
    }
    // All of it before the session counted as gone.
    let session = closed["leases"].as_array().unwrap().iter().find(|lease| lease["what"] == "session").unwrap();
    assert!(session.to_string().contains("all its connections are closed"), "{session}");
    let before = lab.asked().len();
    says_why(&guest, "over");
    assert_eq!(lab.asked().len(), before, "something was asked after the end");
}

#[test]
fn every_end_ends_what_is_open() {
    let lab = Lab::new();
    role(&lab);
    let ends: [(&str, End<'_>); 4] = [
        (
            "a killed session",
            Box::new(|_| {
                let sessions = lab.wane.ada.json(&["sessions"]).unwrap();
                let id = text(&sessions["items"][0]["id"]);
                lab.wane.ada.json(&["kill", &id, "-m", "look"]).unwrap();
            }),
        ),
        ("policy", Box::new(|_| lab.wane.load(&crate::people::POLICY.replace("gate=open", "gate=never")))),
        ("a revoke", Box::new(|guest| drop(lab.wane.ada.json(&["revoke", &guest.grant, "-m", "enough"]).unwrap()))),
        ("a lock", Box::new(|_| drop(lab.wane.ada.json(&["lock", "add", "--person", "maya", "-m", "lost"]).unwrap()))),
    ];
    for (what, end) in &ends {
        let guest = lab.enters(&lab.wane.maya, "all@app", "10m");
        let ticks = guest.streams(&[], &format!("/ticks?{}", what.replace(' ', "-")));
        ticks.wait_for("tick", SOON).unwrap();
        let socket = websocket(&lab, &guest, "/socket");
        end(&guest);
        ticks.wait_exit(SOON).unwrap_or_else(|e| panic!("{what}: {e}"));
        socket.wait_exit(SOON).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_ne!(guest.get("/echo").status, 200, "{what}");
        if *what == "policy" {
            lab.wane.load(crate::people::POLICY);
        }
    }
}

#[test]
fn a_session_ends_by_the_gateways_own_clock() {
    let mut lab = Lab::with(WaneServer::builder().with_clock());
    role(&lab);
    let grant = {
        let guest = lab.enters(&lab.wane.maya, "all@app", "10m");
        let ticks = guest.streams(&[], "/ticks");
        ticks.wait_for("tick", SOON).unwrap();
        lab.wane.server.set_clock(601).unwrap();
        let before = lab.asked().len();
        // No timer has fired, and the time is up.
        assert_eq!(guest.get("/echo").status, 403);
        assert_eq!(lab.asked().len(), before);
        ticks.wait_exit(SOON).unwrap();
        guest.grant
    };
    // What a browser kept of an earlier process is nothing.
    lab.wane.server.restart().unwrap();
    let guest = lab.guest("app", &format!("jar-{grant}"), grant);
    assert_ne!(guest.get("/echo").status, 200);
}
