//! How answers come out: exit codes, JSON as it is, errors with what to do, hostile text spelt out.

use serde_json::{Value, json};

use wane_cli::Group;

use crate::desk::Desk;
use crate::help::Keeps;
use crate::stand_in::{Answer, StandIn};
use crate::views;

#[test]
fn each_sort_of_problem_has_its_exit_code() {
    for (status, code, exit, todo) in [
        (401, "not-signed-in", 3, "sign in with `wane login`"),
        (403, "not-allowed", 3, "`wane me` says who you are"),
        (404, "no-such-grant", 4, "check the spelling"),
        (409, "already-ended", 5, "look at how it stands now"),
        (422, "bad-input", 2, ""),
        (503, "busy", 7, "try again"),
        (503, "target-unreachable", 8, "try again"),
        (500, "fault", 1, "log says more"),
    ] {
        let server = StandIn::new(move |_, _| Answer::Problem(status, code, "it is so"));
        let ran = Desk::at(&server.url).run(&["grant", "grt_1"]);
        assert_eq!((ran.code, ran.out.as_str()), (exit, ""), "{status} {code}");
        assert!(ran.err.starts_with("error: it is so\n"), "{}", ran.err);
        assert_eq!(ran.err.contains("what to do: "), !todo.is_empty(), "{}", ran.err);
        assert!(ran.err.contains(todo), "{}", ran.err);
    }
}

#[test]
fn without_a_server() {
    let mut desk = Desk::new();
    let ran = desk.run(&["me"]);
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.err,
        "error: no server is known\n  what to do: sign in with `wane --server URL login`, or set WANE_SERVER\n"
    );
    // Bound, so that it is nobody else's meanwhile, and not listened at.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    desk.set("WANE_SERVER", &format!("http://{}", taken.local_addr().unwrap()));
    let ran = desk.run(&["live"]);
    assert_eq!(ran.code, 7, "{}", ran.err);
    assert!(ran.err.contains("is not reachable") && ran.err.contains("what to do:"), "{}", ran.err);
}

#[test]
fn json_is_the_answer_itself() {
    let server = StandIn::new(|call, _| match call.line.as_str() {
        "GET /v1/me" => Answer::Json(views::me()),
        "GET /v1/grants/grt_1" => Answer::Json(views::grant("grt_1", "active")),
        "POST /v1/why" => Answer::Json(views::why()),
        line if line.starts_with("GET /v1/grants?") => Answer::Json(views::page(vec![views::grant("grt_1", "active")])),
        _ => Answer::Problem(404, "no-such-thing", "there is no such thing"),
    });
    let desk = Desk::at(&server.url);
    for (words, answer) in [
        (&["me"][..], views::me()),
        (&["grant", "grt_1"], views::grant("grt_1", "active")),
        (&["why", "readonly@db"], views::why()),
        (&["grants", "--mine", "--state", "active,ending"], views::page(vec![views::grant("grt_1", "active")])),
    ] {
        let ran = desk.run(&[words, &["--json"]].concat());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{words:?}");
        assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), answer, "{words:?}");
    }
    assert!(
        server.lines().contains(&"GET /v1/grants?mine=true&state=active%2Cending&limit=100".to_owned()),
        "{:?}",
        server.lines()
    );
    let ran = desk.run(&["--json", "story", "grt_9"]);
    let problem: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!((ran.code, ran.out.as_str()), (4, ""));
    assert_eq!((&problem["code"], &problem["status"]), (&json!("no-such-thing"), &json!(404)));
}

#[test]
fn writes_carry_a_key_and_the_body_that_was_said() {
    let server = StandIn::new(|call, _| match call.line.as_str() {
        "PATCH /v1/people/maya" | "POST /v1/people" => Answer::Json(json!({
            "name": "maya", "display": "Maya", "manager": null, "attributes": {}, "standing": "active",
            "groups": [], "since": "2026-11-21T12:00:00Z",
        })),
        "POST /v1/revoke" => Answer::Json(json!({ "ended": ["grt_1"] })),
        "POST /v1/resources" => Answer::Json(json!({
            "name": "web", "kind": "door", "labels": {}, "owner": null, "settings": {}, "since": "2026-11-21T12:00:00Z",
        })),
        _ => Answer::Problem(404, "x", "no such thing"),
    });
    let desk = Desk::at(&server.url);
    for (words, body) in [
        (
            &["person", "add", "maya", "--attribute", "dept=ops"][..],
            json!({ "name": "maya", "attributes": { "dept": "ops" } }),
        ),
        (&["person", "change", "maya", "--no-manager"], json!({ "manager": null })),
        (&["person", "change", "maya", "--no-attributes"], json!({ "attributes": {} })),
        (&["person", "disable", "maya"], json!({ "standing": "disabled" })),
        (&["revoke", "--person", "maya", "-m", "left"], json!({ "person": "maya", "reason": "left" })),
        (
            &[
                "resource",
                "add",
                "web",
                "--kind",
                "door",
                "--label",
                "env=prod",
                "--owner",
                "group:sre",
                "--set",
                "address=web:22",
                "--set",
                "port=22",
            ],
            json!({ "name": "web", "kind": "door", "labels": { "env": "prod" }, "owner": { "group": "sre" },
                    "settings": { "address": "web:22", "port": 22 } }),
        ),
    ] {
        let ran = desk.run(words);
        assert_eq!(ran.code, 0, "{words:?}: {}", ran.err);
        let call = server.calls().pop().unwrap();
        assert_eq!(call.body, body, "{words:?}");
        assert_eq!(call.key.unwrap().len(), 32);
        assert_eq!(call.bearer.as_deref(), Some("Bearer wst_ours"));
    }
    let before = server.calls().len();
    for (words, said) in [
        (&["person", "change", "maya"][..], "nothing to change is given"),
        (&["person", "add", "x", "--attribute", "a=1", "--attribute", "a=2"], "`a` is given twice"),
        (&["resource", "add", "web", "--kind", "door", "--settings", "[1]"], "a JSON object is needed"),
        (&["resource", "add", "web", "--kind", "door", "--settings", "{"], "`{` is not JSON"),
    ] {
        let ran = desk.run(words);
        assert_eq!(ran.code, 2, "{words:?}");
        assert!(ran.err.contains(said), "{}", ran.err);
    }
    assert_eq!(server.calls().len(), before, "nothing of it was sent");
}

/// Terminal titles, the clipboard, clearing, turning the reading round, C1 controls.
const HOSTILE: &str = "x\u{1b}]0;title\u{7}\u{1b}]52;c;aGk=\u{7}\u{1b}[2J\u{9b}31m\u{202e}evil\r\n\u{200b}y";

fn harmless(text: &str) -> bool {
    !text.chars().any(|c| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{200b}'))
}

#[test]
fn hostile_text_moves_no_terminal() {
    let hostile = |mut view: Value| {
        fn poison(value: &mut Value) {
            match value {
                // What must parse stays: moments, states.
                Value::String(text)
                    if text.contains("2026-")
                        || ["active", "closed", "waiting", "denied", "granted"].contains(&text.as_str()) => {}
                Value::String(text) => *text = HOSTILE.to_owned(),
                Value::Array(all) => all.iter_mut().for_each(poison),
                Value::Object(all) => all.values_mut().for_each(poison),
                _ => {}
            }
        }
        poison(&mut view);
        view
    };
    let server = StandIn::new(move |call, _| match call.line.as_str() {
        "GET /v1/me" => Answer::Json(hostile(views::me())),
        "GET /v1/grants/grt_1" => Answer::Json(hostile(views::grant("grt_1", "active"))),
        "POST /v1/why" => Answer::Json(hostile(views::why())),
        "GET /v1/policy" => Answer::Json(
            json!({ "version": 1, "digest": HOSTILE, "text": HOSTILE, "by": HOSTILE, "at": "2026-11-21T12:00:00Z" }),
        ),
        line if line.starts_with("GET /v1/requests?") => {
            Answer::Json(views::page(vec![hostile(views::waiting("req_1"))]))
        }
        line if line.starts_with("GET /v1/grants?") => {
            Answer::Json(views::page(vec![hostile(views::grant("grt_1", "active"))]))
        }
        _ => Answer::Problem(403, "not-allowed", HOSTILE),
    });
    for (width, terminal) in [(None, false), (Some(80), true), (Some(160), true)] {
        let mut desk = Desk::at(&server.url);
        desk.set("NO_COLOR", "1");
        (desk.width, desk.terminal) = (width, terminal);
        for words in [
            &["me"][..],
            &["grant", "grt_1"],
            &["grants"],
            &["requests"],
            &["why", "readonly@db"],
            &["policy", "show"],
            &["story", "grt_1"],
            &["grants", "--person", HOSTILE],
        ] {
            for json in [&[][..], &["--json"]] {
                let ran = desk.run(&[words, json].concat());
                assert!(harmless(&ran.out), "{words:?}: {:?}", ran.out);
                assert!(harmless(&ran.err), "{words:?}: {:?}", ran.err);
                assert!(ran.out.len() + ran.err.len() > 20);
            }
        }
    }
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let server = StandIn::new(|_, _| Answer::Json(views::grant("grt_1", "active")));
    for (terminal, vars, coloured) in [
        (true, None, true),
        (false, None, false),
        (true, Some(("NO_COLOR", "1")), false),
        (true, Some(("TERM", "dumb")), false),
    ] {
        let mut desk = Desk::at(&server.url);
        desk.terminal = terminal;
        if let Some((name, value)) = vars {
            desk.set(name, value);
        }
        let ran = desk.run(&["grant", "grt_1"]);
        assert_eq!(ran.out.contains('\u{1b}'), coloured, "{terminal} {vars:?}: {:?}", ran.out);
    }
}

#[test]
fn doctor_says_what_to_do() {
    let server = StandIn::new(|call, _| match call.line.as_str() {
        "GET /v1/health" => Answer::Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") })),
        _ => Answer::Problem(401, "not-signed-in", "you are not signed in"),
    });
    let mut desk = Desk::at(&server.url);
    desk.set("PATH", "/nonexistent");
    let ran = desk.run_with(&["--json", "doctor"], vec![Box::new(Keeps::new(&["ssh"], Group::Use))]);
    let checks: Value = serde_json::from_str(&ran.out).unwrap();
    let verdict = |checks: &Value, what: &str| {
        let all = checks["checks"].as_array().unwrap();
        all.iter().find(|c| c["what"] == what).unwrap_or_else(|| panic!("{checks}"))["verdict"].clone()
    };
    assert_eq!(ran.code, 1);
    for (what, is) in [("server", "ok"), ("clock", "ok"), ("session", "fail"), ("ssh", "warn")] {
        assert_eq!(verdict(&checks, what), is, "{what}");
    }
    *desk.clock.lock().unwrap() = "2026-11-21T12:10:00Z".parse().unwrap();
    let ran = desk.run(&["doctor"]);
    assert!(ran.out.contains("6m ahead of the server's"), "{}", ran.out);
    assert!(ran.out.contains("sign in with `wane login`"), "{}", ran.out);
}
