//! From a wish to access: asking, waiting, being refused; what a credential shows.

use serde_json::{Value, json};

use crate::desk::Desk;
use crate::stand_in::{Answer, StandIn};
use crate::views;

fn askable(role: &str, outcome: &str) -> Value {
    json!({ "resource": "db", "kind": "postgres", "role": role, "description": "", "outcome": outcome, "asks": [],
            "max_ttl": { "text": "30m", "secs": 1800 } })
}

#[test]
fn a_request_comes_out_as_it_stands() {
    for (answer, code, said) in [
        (views::approved("req_1", "grt_1"), 0, "grt_1"),
        (views::waiting("req_1"), 6, "1 of group:dba (ada, joe)"),
        (views::denied("req_1"), 3, "a ticket is needed"),
    ] {
        let server = StandIn::new(move |call, _| match call.line.as_str() {
            "POST /v1/requests" => Answer::Json(answer.clone()),
            "POST /v1/why" => Answer::Json(views::why()),
            line => panic!("{line}"),
        });
        let ran = Desk::at(&server.url).run(&["request", "readonly@db", "--for", "2h", "-m", "look", "--from", "+30m"]);
        assert_eq!(ran.code, code, "{}", ran.err);
        assert!(ran.out.contains(said), "{}", ran.out);
        assert_eq!(
            server.calls()[0].body,
            json!({ "items": [{ "resource": "db", "role": "readonly" }], "duration": "2h",
                    "start": "2026-11-21T12:34:00Z", "reason": "look" })
        );
        if code == 3 {
            assert!(
                ran.err.contains("what to do: give a ticket, or `wane request peek@db` would be granted"),
                "{}",
                ran.err
            );
        }
    }
}

#[test]
fn waiting_ends_with_the_decision() {
    for (last, code) in [(views::approved("req_1", "grt_1"), 0), (views::denied("req_1"), 3)] {
        let server = StandIn::new(move |call, before| match (call.line.as_str(), before) {
            ("POST /v1/requests", _) | ("GET /v1/requests/req_1", 0) => Answer::Json(views::waiting("req_1")),
            ("GET /v1/requests/req_1", _) => Answer::Json(last.clone()),
            ("GET /v1/events", _) => Answer::Events(vec![
                json!({ "seq": 1, "id": "r1", "at": "2026-11-21T12:04:00Z", "who": "ada", "event": "x", "outcome": "done", "request": "req_9" }),
                json!({ "seq": 2, "id": "r2", "at": "2026-11-21T12:04:00Z", "who": "ada", "event": "x", "outcome": "done", "request": "req_1" }),
            ]),
            ("POST /v1/why", _) => Answer::Json(views::why()),
            (line, _) => panic!("{line}"),
        });
        let ran = Desk::at(&server.url).run(&["request", "readonly@db", "--wait"]);
        assert_eq!(ran.code, code, "{}", ran.err);
        assert!(ran.err.contains("readonly on db waits for 1 of group:dba (ada, joe)"), "{}", ran.err);
    }
}

#[test]
fn waiting_ends_with_patience() {
    let server = StandIn::new(|call, _| match call.line.as_str() {
        "GET /v1/events" => Answer::Problem(403, "not-allowed", "not for you"),
        _ => Answer::Json(views::waiting("req_1")),
    });
    let ran = Desk::at(&server.url).run(&["request", "readonly@db", "--wait=100ms"]);
    assert_eq!(ran.code, 6, "{}", ran.err);
    let ran = Desk::at(&server.url).run(&["request", "readonly@db", "--wait=soon"]);
    assert_eq!((ran.code, ran.err.contains("`soon` is not a time to wait")), (2, true), "{}", ran.err);
}

#[test]
fn an_approval_that_narrows_is_followed() {
    let server = StandIn::new(|call, _| match call.line.as_str() {
        "POST /v1/requests" => {
            let mut item = views::item("db", "readonly", "narrowed");
            item["child"] = json!("req_2");
            Answer::Json(views::request("req_1", vec![item]))
        }
        "GET /v1/requests/req_2" => Answer::Json(views::approved("req_2", "grt_2")),
        line => panic!("{line}"),
    });
    let ran = Desk::at(&server.url).run(&["request", "readonly@db"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("approved narrower: req_2"), "{}", ran.err);
}

#[test]
fn a_role_left_out_is_the_only_one() {
    for (roles, code, said) in [
        (vec![askable("readonly", "approval"), askable("admin", "denied")], 0, ""),
        (
            vec![askable("readonly", "granted"), askable("peek", "granted")],
            2,
            "you may ask for several roles on `db`: peek, readonly",
        ),
        (vec![askable("admin", "denied")], 3, "there is no role you may ask for on `db`"),
    ] {
        let server = StandIn::new(move |call, _| match call.line.split('?').next().unwrap() {
            "GET /v1/askable" => Answer::Json(views::page(roles.clone())),
            "POST /v1/requests" => Answer::Json(views::approved("req_1", "grt_1")),
            line => panic!("{line}"),
        });
        let ran = Desk::at(&server.url).run(&["request", "db"]);
        assert_eq!(ran.code, code, "{}", ran.err);
        assert!(ran.err.contains(said), "{}", ran.err);
    }
}

#[test]
fn a_secret_is_not_shown_on_a_terminal_unasked() {
    let server = StandIn::new(|_, _| {
        Answer::Json(json!({ "lease": "lse_1", "public": { "user": "wane_x" }, "secret": "canary", "not_after": null,
                             "grant_end": "2026-11-21T14:02:00Z" }))
    });
    for (terminal, words, shown) in [
        (false, &[][..], true),
        (true, &[], false),
        (true, &["--show-secret"], true),
        (true, &["--json"], false),
        (false, &["--json"], true),
    ] {
        let mut desk = Desk::at(&server.url);
        desk.terminal = terminal;
        let ran = desk.run(&[&["credential", "grt_1"], words].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_eq!(ran.out.contains("canary"), shown, "{terminal} {words:?}: {}", ran.out);
        assert!(ran.out.contains("wane_x") && !ran.err.contains("canary"));
        assert_eq!(ran.err.contains("--show-secret"), !shown, "{}", ran.err);
    }
    let desk = Desk::at(&server.url);
    let file = desk.home.path().join("secret");
    let words = ["credential", "grt_1", "--secret-file", file.to_str().unwrap()];
    let ran = desk.run(&words);
    assert!(ran.code == 0 && !ran.out.contains("canary"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "canary");
    let before = server.calls().len();
    let ran = desk.run(&words);
    assert_eq!(
        (ran.code, server.calls().len()),
        (2, before),
        "a file that is there is not written, nor a secret wasted: {}",
        ran.err
    );
}
