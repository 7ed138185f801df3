//! `wane exec`: a real command, with access for as long as the access lasts.

use serde_json::{Value, json};

use crate::desk::Desk;
use crate::stand_in::{Answer, Call, StandIn};
use crate::views;

fn credential() -> Value {
    json!({ "lease": "lse_1", "public": { "host": "db.example.org", "port": 5432, "user": "wane_x", "database": "main" },
            "secret": "canary", "not_after": null, "grant_end": "2026-11-21T14:02:00Z" })
}

fn usual(call: &Call) -> Answer {
    match call.line.split('?').next().unwrap() {
        "GET /v1/grants" => Answer::Json(views::page(vec![views::grant("grt_1", "active")])),
        "POST /v1/grants/grt_1/credential" => Answer::Json(credential()),
        "GET /v1/grants/grt_1" => Answer::Json(views::grant("grt_1", "active")),
        "POST /v1/grants/grt_1/return" => Answer::Json(views::grant("grt_1", "ending")),
        line => panic!("{line}"),
    }
}

fn left_over(desk: &Desk) -> usize {
    std::fs::read_dir(desk.home.path())
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("wane-"))
        .count()
}

#[test]
fn a_command_gets_the_facts_and_comes_out_as_itself() {
    let server = StandIn::new(|call, _| usual(call));
    let mut desk = Desk::at(&server.url);
    desk.set("PGHOSTADDR", "192.0.2.1");
    desk.set("KEPT", "yes");
    let seen = desk.home.path().join("seen");
    let script =
        format!("env > {0}; cat \"$PGPASSFILE\" >> {0}; stat -c %a \"$PGPASSFILE\" >> {0}; exit 9", seen.display());
    let ran = desk.run(&["exec", "db/readonly", "--return", "--", "sh", "-c", &script]);
    assert_eq!(ran.code, 9, "{}", ran.err);
    let seen = std::fs::read_to_string(seen).unwrap();
    let (env, rest) = seen.split_at(seen.find("db.example.org:5432:*:wane_x:canary").unwrap());
    for line in [
        "PGHOST=db.example.org",
        "PGPORT=5432",
        "PGUSER=wane_x",
        "PGDATABASE=main",
        "WANE_GRANT=grt_1",
        "WANE_ROLE=readonly",
        "PGSSLMODE=verify-full",
        "KEPT=yes",
    ] {
        assert!(env.lines().any(|l| l == line), "{line}\n{env}");
    }
    assert!(!env.contains("canary") && !env.contains("wst_ours") && !env.contains("192.0.2.1"), "{env}");
    assert!(rest.ends_with("\n600\n"), "{rest}");
    assert_eq!(left_over(&desk), 0);
    assert!(server.lines().contains(&"POST /v1/grants/grt_1/return".to_owned()));
}

#[test]
fn a_command_ends_when_the_access_does() {
    // The grant stands when it is looked up, and is revoked by the first look after.
    let server = StandIn::new(|call, _| {
        if call.line == "GET /v1/grants/grt_1" {
            let mut grant = views::grant("grt_1", "ending");
            grant["ending"] =
                json!({ "cause": "revoked", "by": "ada", "reason": "stop", "at": "2026-11-21T12:04:00Z" });
            return Answer::Json(grant);
        }
        usual(call)
    });
    let desk = Desk::at(&server.url);
    let ran = desk.run(&["exec", "db", "--", "sleep", "600"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("has ended: revoked by ada: stop; the command was stopped"), "{}", ran.err);
    assert_eq!(left_over(&desk), 0);
}

#[test]
fn a_command_ends_at_the_deadline_though_the_server_is_away() {
    let clock = std::sync::Arc::new(std::sync::Mutex::new(crate::desk::NOW.parse().unwrap()));
    let late = std::sync::Arc::clone(&clock);
    let server = StandIn::new(move |call, _| {
        if call.line == "GET /v1/grants/grt_1" {
            // From here on it is later than the end.
            *late.lock().unwrap() = "2026-11-21T14:02:00Z".parse().unwrap();
            return Answer::Problem(503, "busy", "not now");
        }
        usual(call)
    });
    let mut desk = Desk::at(&server.url);
    desk.clock = clock;
    let ran = desk.run(&["exec", "db", "--", "sh", "-c", "trap '' TERM; exec sleep 600"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("has ended: expired"), "{}", ran.err);
}

#[test]
fn what_cannot_be_run() {
    let server = StandIn::new(|call, _| usual(call));
    let desk = Desk::at(&server.url);
    for (words, code, said) in [
        (&["exec", "db", "--", "/nonexistent"][..], 1, "`/nonexistent` cannot be run"),
        (&["exec", "db"], 2, "required arguments were not provided"),
        (&["exec", "a/b/c", "--", "true"], 2, "is not the name of a role"),
        (&["exec", "db", "--", "sh", "-c", "kill -9 $$"], 137, ""),
    ] {
        let ran = desk.run(words);
        assert_eq!(ran.code, code, "{words:?}: {}", ran.err);
        assert!(ran.err.contains(said), "{}", ran.err);
        assert_eq!(left_over(&desk), 0);
    }
}
