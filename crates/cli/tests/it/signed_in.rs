//! Signing in, and where the session's token goes.

use serde_json::json;

use crate::desk::Desk;
use crate::stand_in::{Answer, StandIn};
use crate::views;

fn server() -> StandIn {
    StandIn::new(|call, _| match call.line.as_str() {
        "POST /v1/sessions" => Answer::Json(json!({ "token": "wst_fresh", "expires": "2026-11-21T20:04:00Z" })),
        "POST /v1/enrolments" => Answer::Json(json!({
            "person": "maya", "totp_secret": "JBSWY3DP", "otpauth_url": "otpauth://totp/Wane:maya?secret=JBSWY3DP",
        })),
        "GET /v1/me" if call.bearer.is_some() => Answer::Json(views::me()),
        "DELETE /v1/sessions/current" => Answer::Nothing,
        _ => Answer::Problem(401, "not-signed-in", "you are not signed in"),
    })
}

#[test]
fn signing_in_is_remembered_and_signing_out_forgotten() {
    let server = server();
    let mut desk = Desk::new();
    let file = desk.home.path().join("password");
    std::fs::write(&file, "correct horse\nnot this\n").unwrap();
    let words = [
        "--server",
        &server.url,
        "login",
        "--person",
        "maya",
        "--password-file",
        file.to_str().unwrap(),
        "--totp",
        "123456",
    ];
    let ran = desk.run(&words);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("session ends  in 8h (20:04 UTC)"), "{}", ran.out);
    let calls = server.calls();
    assert_eq!(calls[0].body, json!({ "person": "maya", "password": "correct horse", "totp": "123456" }));
    assert_eq!((calls[0].bearer.as_deref(), calls[1].bearer.as_deref()), (None, Some("Bearer wst_fresh")));

    assert_eq!(desk.run(&["me"]).code, 0);
    desk.set("WANE_TOKEN", "wst_env");
    desk.run(&["me"]);
    assert_eq!(server.calls().pop().unwrap().bearer.as_deref(), Some("Bearer wst_env"));
    desk.vars.remove(std::ffi::OsStr::new("WANE_TOKEN"));

    let ran = desk.run(&["logout"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "signed out\n"), "{}", ran.err);
    assert_eq!(server.calls().pop().unwrap().bearer.as_deref(), Some("Bearer wst_fresh"));
    let ran = desk.run(&["me"]);
    assert_eq!(ran.code, 3, "the server is still known, the session is not");
    let kept = std::fs::read_to_string(desk.home.path().join(".config/wane/session.json")).unwrap();
    assert!(!kept.contains("wst_") && !kept.contains("correct horse"), "{kept}");
}

#[test]
fn a_token_goes_to_its_own_server_only() {
    let (ours, other) = (server(), server());
    let mut desk = Desk::new();
    desk.stdin = "correct horse\n".to_owned();
    let ran = desk.run(&["--server", &ours.url, "login", "-p", "maya", "--password-stdin"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(desk.run(&["--server", &format!("{}/", ours.url), "me"]).code, 0);
    let ran = desk.run(&["--server", &other.url, "me"]);
    assert_eq!(ran.code, 3);
    assert!(other.calls().iter().all(|c| c.bearer.is_none()), "{:?}", other.calls());
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let server = server();
    let desk = Desk::at(&server.url);
    for (words, todo) in [
        (&["login", "--password-stdin"][..], "say whose: --person NAME"),
        (&["login", "-p", "maya"], "give --password-file or --password-stdin"),
        (&["enrol"], "give CODE"),
        (&["enrol", "x"], "give --password-file or --password-stdin"),
    ] {
        let ran = desk.run(words);
        assert_eq!(ran.code, 2, "{words:?}");
        assert!(ran.err.contains(todo), "{}", ran.err);
    }
    assert!(server.calls().is_empty());
}

#[test]
fn a_sign_in_that_is_set_up_is_shown_once() {
    let server = server();
    let mut desk = Desk::new();
    desk.stdin = "correct horse\n".to_owned();
    let ran = desk.run(&["--server", &server.url, "enrol", "one-time", "--password-stdin"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.contains("JBSWY3DP") && ran.out.contains("otpauth://totp/Wane:maya?secret=JBSWY3DP"),
        "{}",
        ran.out
    );
    assert_eq!(server.calls()[0].body, json!({ "code": "one-time", "password": "correct horse" }));
    let kept = std::fs::read_to_string(desk.home.path().join(".config/wane/session.json")).unwrap();
    assert!(!kept.contains("JBSWY3DP"), "{kept}");
}
