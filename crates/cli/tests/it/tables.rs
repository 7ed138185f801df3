//! Tables as they look at 80 and 160 columns, and without a terminal.

use serde_json::json;

use crate::desk::Desk;
use crate::golden;
use crate::stand_in::{Answer, StandIn};
use crate::views;

/// As long as a real one.
fn id(kind: &str, n: u8) -> String {
    format!("{kind}_01jd000000000000000000000{n}")
}

fn server() -> StandIn {
    StandIn::new(|call, _| match call.line.split('?').next().unwrap() {
        "GET /v1/live" => Answer::Json(views::page(vec![
            json!({
                "grant": "grt_01jd0000000000000000000001", "person": "maya", "resource": "web-1", "role": "deploy",
                "kind": "ssh", "access": "direct", "since": "2026-11-21T12:00:00Z", "end": "2026-11-21T14:02:00Z",
                "left_secs": 7080, "ends_by": "revocation list", "sessions_cut": false, "leases": 1,
            }),
            json!({
                "grant": "grt_01jd0000000000000000000002", "person": "joe.longname", "resource": "orders-primary",
                "role": "readonly", "kind": "postgres", "access": "direct", "since": "2026-11-20T12:00:00Z",
                "end": "2026-11-21T12:06:00Z", "left_secs": 120, "ends_by": "login blocked, sessions cut, user dropped",
                "sessions_cut": true, "leases": 1,
            }),
        ])),
        "GET /v1/requests" => {
            Answer::Json(views::page(vec![views::waiting(&id("req", 1)), views::denied(&id("req", 2))]))
        }
        "GET /v1/grants" => {
            let mut closed = views::grant(&id("grt", 2), "closed");
            closed["ending"] =
                json!({ "cause": "revoked", "by": "ada", "reason": "done", "at": "2026-11-21T12:01:00Z" });
            closed["closure"] =
                json!({ "word": "gone", "cause": "revoked", "at": "2026-11-21T12:01:02Z", "leases": [] });
            Answer::Json(views::page(vec![views::grant(&id("grt", 1), "active"), closed]))
        }
        "GET /v1/requests/req_1" => Answer::Json(views::waiting("req_1")),
        "POST /v1/why" => Answer::Json(views::why()),
        "GET /v1/figures" => Answer::Json(figures()),
        "GET /v1/inventories" => Answer::Json(views::page(vec![
            json!({ "resource": "db", "last": { "at": "2026-11-21T11:00:00Z", "made": 2, "standing": 14, "orphans": 1 } }),
            json!({ "resource": "web-1" }),
        ])),
        "GET /v1/debts" => Answer::Json(views::page(vec![])),
        "GET /v1/log" => Answer::Json(views::page(vec![json!({
            "seq": 7, "id": "rec_1", "at": "2026-11-21T12:01:00Z", "who": "ada", "event": "grant.revoked",
            "outcome": "done", "person": "maya", "resource": "web-1", "grant": "grt_1", "detail": {},
        })])),
        line => panic!("{line}"),
    })
}

fn figures() -> serde_json::Value {
    let span = |text: &str, secs: u64| json!({ "text": text, "secs": secs });
    let spread = |count: u32| json!({ "count": count, "half": span("3m", 180), "most": span("9m", 540), "longest": span("1h", 3600) });
    json!({
        "days": [
            { "begins": "2026-11-20T00:00:00Z", "asked": 4, "by_policy": 3, "approved": 1, "closed": 4 },
            { "begins": "2026-11-21T00:00:00Z", "asked": 9, "by_policy": 5, "approved": 1, "closed": 2, "just_in_time_percent": 30,
              "stands": { "looked": 1, "made": 2, "standing": 14, "orphans": 1 } },
        ],
        "to_grant": spread(2),
        "ends": [{ "kind": "postgres", "took": spread(6), "promised": span("30s", 30), "late": 1 }],
        "again": [{ "person": "maya", "resource": "db", "role": "readonly", "times": 5, "last": "2026-11-21T11:00:00Z" }],
        "more": false,
    })
}

#[test]
fn tables_fit_where_they_are_shown() {
    let server = server();
    for (name, width) in [("80", Some(80)), ("160", Some(160)), ("piped", None)] {
        let mut all = String::new();
        for words in [
            &["live"][..],
            &["requests"],
            &["requests", "req_1"],
            &["grants"],
            &["why", "readonly@db"],
            &["debts"],
            &["figures", "--days", "2"],
            &["inventories"],
            &["log"],
        ] {
            let mut desk = Desk::at(&server.url);
            desk.set("NO_COLOR", "1");
            (desk.width, desk.terminal) = (width, width.is_some());
            let ran = desk.run(words);
            assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{words:?}");
            for line in ran.out.lines() {
                assert!(width.is_none_or(|w| line.chars().count() <= usize::from(w)), "{width:?}: {line}");
            }
            all.push_str(&format!("$ wane {}\n{}\n", words.join(" "), ran.out));
        }
        golden::check(&format!("tests/it/golden/tables-{name}.txt"), &all);
    }
}
