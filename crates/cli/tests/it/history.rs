//! The past on the command line: policy versions and what changed, decisions as they were recorded.

use serde_json::{Value, json};

use crate::desk::Desk;
use crate::stand_in::{Answer, StandIn};
use crate::views;

fn policy(version: u64, text: &str) -> Value {
    json!({ "version": version, "digest": format!("d{version}"), "text": text, "by": "ada", "at": "2026-11-21T12:00:00Z" })
}

fn server() -> StandIn {
    StandIn::new(|call, _| match call.line.as_str() {
        "GET /v1/policy" | "GET /v1/policy/versions/2" => Answer::Json(policy(2, "one;\ntwo \u{1b}[31m;\nthree;\n")),
        "GET /v1/policy/versions/1" => Answer::Json(policy(1, "one;\nthree;\n")),
        "GET /v1/policy/versions?limit=100" => Answer::Json(views::page(vec![
            json!({ "version": 2, "digest": "d2", "by": "ada", "at": "2026-11-21T12:00:00Z", "in_force": true }),
            json!({ "version": 1, "digest": "d1", "by": null, "at": "2026-11-20T12:00:00Z", "in_force": false }),
        ])),
        "GET /v1/grants/grt_1/why?version=1" => {
            let mut why = views::why();
            why["policy_version"] = json!(1);
            why["note"] = json!("the facts are those of today");
            why["recorded"] = json!({
                "grant": "grt_1", "request": "req_1", "asks": ["approval by 1 of group:dba"],
                "determining": ["dba-reads"],
                "decisions": [
                    { "what": "granted", "at": "2026-11-21T12:00:00Z", "policy_version": 1, "policy_digest": "d1", "path": "dba-reads" },
                    { "what": "extended", "at": "2026-11-21T12:30:00Z", "policy_version": null, "policy_digest": "d9", "path": null },
                ],
                "approvals": [{ "by": "eva", "stage": 0, "at": "2026-11-21T11:59:00Z" }],
            });
            Answer::Json(why)
        }
        "GET /v1/requests/req_1/why" => Answer::Json(json!({
            "request": "req_1", "requester": "maya", "at": "2026-11-21T12:00:00Z", "policy_version": 1,
            "items": [{
                "recorded": views::item("db", "readonly", "waiting"), "missing": ["approval by 1 of group:dba"],
                "who_could_approve": ["ada", "joe"], "now": views::why(),
            }],
        })),
        "POST /v1/why" => Answer::Json(views::why()),
        line if line.starts_with("GET /v1/log?") => Answer::Json(views::page(vec![])),
        _ => Answer::Problem(404, "missing", "there is nothing there"),
    })
}

#[test]
fn policy_versions_are_shown_and_compared() {
    let server = server();
    let desk = Desk::at(&server.url);
    let listed = desk.run(&["policy", "versions"]);
    assert_eq!((listed.code, listed.err.as_str()), (0, ""));
    assert!(listed.out.lines().any(|l| l.starts_with("2") && l.contains("ada") && l.contains("yes")), "{}", listed.out);
    assert!(desk.run(&["policy", "show", "--version", "1"]).out.contains("// version 1, loaded by ada"));
    for words in [&["policy", "diff", "1", "2"][..], &["policy", "diff", "1"]] {
        let ran = desk.run(words);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{words:?}");
        assert!(ran.out.starts_with("--- policy version 1\n+++ policy version 2\n@@"), "{}", ran.out);
        assert!(ran.out.contains("\n+two ") && !ran.out.contains('\u{1b}'), "{:?}", ran.out);
    }
    assert_eq!(desk.run(&["policy", "diff", "2", "2"]).out, "versions 2 and 2 say the same\n");
    let diff: Value = serde_json::from_str(&desk.run(&["--json", "policy", "diff", "1", "2"]).out).unwrap();
    assert_eq!((&diff["from"], &diff["to"]), (&json!(1), &json!(2)));
    assert_eq!(desk.run(&["policy", "diff", "1", "7"]).code, 4);
}

#[test]
fn why_tells_then_and_now() {
    let server = server();
    let desk = Desk::at(&server.url);
    let ran = desk.run(&["why", "grt_1", "--policy", "1"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let places: Vec<_> = [
        "What was decided then:",
        "by dba-reads of policy version 1",
        "under a policy set that is not kept",
        "eva",
        "How version 1 of the policy set would see it today:",
        "the facts are those of today",
    ]
    .map(|part| ran.out.find(part))
    .into();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{}", ran.out);
    let ran = desk.run(&["why", "req_1"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for part in
        ["waiting", "approval by 1 of group:dba", "ada, joe", "How the policy set in force sees it now:", "peek@db"]
    {
        assert!(ran.out.contains(part), "{part}\n{}", ran.out);
    }
    assert_eq!(desk.run(&["why", "readonly@db", "--policy", "3"]).code, 0);
    assert_eq!(server.calls().pop().unwrap().body["policy_version"], 3);
}

#[test]
fn the_log_is_without_bookkeeping_unless_it_is_asked_for() {
    let server = server();
    let desk = Desk::at(&server.url);
    for (words, without) in
        [(&["log"][..], true), (&["log", "--all-events"], false), (&["log", "--event", "session."], false)]
    {
        assert_eq!(desk.run(words).code, 0, "{words:?}");
        let line = server.lines().pop().unwrap();
        assert_eq!(line.contains("without_bookkeeping=true"), without, "{line}");
    }
}
