//! Approving on a page, by a passkey, with a real browser.

use serde_json::json;

use super::passkeys::{Chromium, deployment};
use crate::people::{POLICY, ask_and_wait, text};

const SIGNED: &str = r#"
@id("signed") @max_ttl("1h") @approve("1 of group:approvers") @signature("required")
permit (principal in Group::"engineers", action == Action::"access", resource in Label::"gate=signed");
"#;

/// The part of a request's id that stands in the page's path.
fn page(request: &str) -> String {
    format!("/approve/{}", request.trim_start_matches("req_"))
}

#[test]
fn a_request_is_approved_on_a_page_by_a_passkey_that_signs_what_it_shows() {
    let wane = deployment();
    wane.load(&format!("{POLICY}{SIGNED}"));
    wane.paper_host("web", "gate=signed");
    wane.paper_host("plain", "gate=one");
    wane.deploy_role();
    wane.ada.json(&["person", "add", "kim"]).unwrap();
    wane.ada.json(&["group", "join", "approvers", "kim"]).unwrap();
    let code = text(&wane.ada.json(&["person", "enrol", "kim"]).unwrap()["code"]);
    let mut browser = Chromium::at(&wane.server.url().replace("127.0.0.1", "localhost"));
    browser.enrols(&code, "phone");
    let before = ask_and_wait(&wane.maya, "deploy@web", "50m");

    // Not before it is an approver key, and not for what was asked before it was one.
    browser.open(&page(&before));
    browser.sees("This asks for your signature");
    browser.click("Sign with a passkey");
    browser.sees("no such approver key");
    browser.open("/approver-keys");
    browser.click("Let it approve");
    browser.sees("Take it away");
    browser.open(&page(&before));
    browser.click("Sign with a passkey");
    browser.sees("after this was asked for");

    // What is shown is what is signed.
    let request = ask_and_wait(&wane.maya, "deploy@web", "40m");
    browser.open(&page(&request));
    let shown = browser.sees("Approve this?");
    let digest = text(&wane.maya.json(&["requests", &request]).unwrap()["digest"]);
    for part in ["maya", "deploy on web", "40m", &digest] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    browser.click("Sign with a passkey");
    browser.sees("Approved and signed");
    let decided = wane.ada.json(&["requests", &request]).unwrap();
    let signed = &decided["items"][0]["approvals"][0]["signed"];
    assert_eq!(decided["state"], "approved", "{decided}");
    assert!(text(&signed["statement"]).contains(&digest) && signed["signature"]["passkey"].is_object());
    let offline = wane.server.person("nobody").unwrap();
    let good = offline.run_with(&["--json", "approval", "verify", "-"], &decided.to_string()).unwrap();
    assert!(good.success() && good.stdout.contains("passkey"), "{good:?}");

    // Less than was asked is another request, and that is what is signed.
    let wide = ask_and_wait(&wane.maya, "deploy@web", "30m");
    browser.open(&page(&wide));
    browser.fill("input[name=duration]", "5m");
    browser.click("Sign with a passkey");
    browser.sees("Approved and signed");
    let child = text(&wane.ada.json(&["requests", &wide]).unwrap()["items"][0]["child"]);
    let child = wane.ada.json(&["requests", &child]).unwrap();
    let statement = text(&child["items"][0]["approvals"][0]["signed"]["statement"]);
    assert_eq!(child["duration"]["secs"], 300);
    assert!(statement.contains(&format!("\"narrowed\":\"{}\"", text(&child["digest"]))), "{statement}");

    // Unlocked by nobody it signs nothing; a copy that has counted less is noticed.
    let third = ask_and_wait(&wane.maya, "deploy@web", "20m");
    browser.act(&json!({ "do": "verified", "is": false }));
    browser.open(&page(&third));
    browser.click("Sign with a passkey");
    browser.sees("It came to nothing");
    browser.act(&json!({ "do": "verified", "is": true }));
    let mut copied = browser.act(&json!({ "do": "credentials" }));
    let kept = copied.clone();
    copied[0]["signCount"] = json!(0);
    browser.act(&json!({ "do": "swap", "credentials": copied }));
    browser.open(&page(&third));
    browser.click("Sign with a passkey");
    browser.sees("not to what was asked");
    assert_eq!(wane.ada.json(&["requests", &third]).unwrap()["state"], "waiting");
    let mut kept = kept;
    kept[0]["signCount"] = json!(40);
    browser.act(&json!({ "do": "swap", "credentials": kept }));
    browser.open(&page(&third));
    browser.click("Sign with a passkey");
    browser.sees("Approved and signed");

    // Where no signature is asked for a button is enough; and a no never needs one.
    let plain = ask_and_wait(&wane.maya, "deploy@plain", "10m");
    browser.open(&page(&plain));
    browser.click("Approve");
    browser.sees("It is on record");
    let last = ask_and_wait(&wane.maya, "deploy@web", "10m");
    browser.open(&page(&last));
    browser.fill("input[name=reason]", "not today");
    browser.click("Deny");
    browser.sees("Denied");
    assert_eq!(wane.ada.json(&["requests", &last]).unwrap()["state"], "denied");
    let problems = browser.act(&json!({ "do": "problems" }));
    assert!(!problems.to_string().contains("Content Security Policy"), "{problems}");
}
