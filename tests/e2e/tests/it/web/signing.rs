//! Approving on the web UI by a passkey that signs exactly what is shown.

use serde_json::json;

use super::{Browsing, PHONE, SIGNED};
use crate::people::{POLICY, ask_and_wait, text};
use crate::signing_in::passkeys::deployment;

#[test]
fn an_approval_is_signed_on_a_phone_over_exactly_what_is_shown() {
    let wane = deployment();
    wane.load(&format!("{POLICY}{SIGNED}"));
    wane.paper_host("web", "gate=signed");
    wane.deploy_role();
    wane.ada.json(&["person", "add", "kim"]).unwrap();
    wane.ada.json(&["group", "join", "approvers", "kim"]).unwrap();
    let code = text(&wane.ada.json(&["person", "enrol", "kim"]).unwrap()["code"]);
    let mut page = Browsing::at(&wane.server.url().replace("127.0.0.1", "localhost"));
    page.chromium.enrols(&code, "phone");
    page.chromium.open("/approver-keys");
    page.presses("button", "Let it approve");
    page.sees("Take it away");

    let request = ask_and_wait(&wane.maya, "deploy@web", "40m");
    let digest = text(&wane.maya.json(&["requests", &request]).unwrap()["digest"]);
    page.view(PHONE, "light");
    page.open("approve");
    page.sees("maya wants");
    page.chromium.act(&json!({ "do": "click", "selector": "button:has-text('Sign with a passkey…')" }));
    page.presses("button", "Show what is signed");
    let shown = page.sees("Your passkey signs this, and nothing else");
    for part in ["maya", "deploy on web", "40m", &digest] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    page.holds("signing");
    page.picture("sign-phone", PHONE, "light");

    // Unlocked by nobody it signs nothing.
    page.chromium.act(&json!({ "do": "verified", "is": false }));
    page.presses("button", "Sign with the passkey");
    page.sees("The passkey signed nothing");
    page.chromium.act(&json!({ "do": "verified", "is": true }));
    assert_eq!(wane.ada.json(&["requests", &request]).unwrap()["state"], "waiting");

    // A server, or whoever is between, that draws up something else than what is shown has nothing signed.
    page.chromium.act(&json!({ "do": "twist", "path": "**/to-sign", "from": digest, "to": "0".repeat(64) }));
    page.presses("button", "Show what is signed");
    page.presses("button", "Sign with the passkey");
    page.sees("What would be signed is not what is shown here");
    page.chromium.act(&json!({ "do": "straight" }));

    page.presses("button", "Show what is signed");
    page.presses("button", "Sign with the passkey");
    page.sees("Approved: deploy on web");
    let decided = wane.ada.json(&["requests", &request]).unwrap();
    let signed = &decided["items"][0]["approvals"][0]["signed"];
    assert_eq!(decided["state"], "approved", "{decided}");
    assert!(text(&signed["statement"]).contains(&digest) && signed["signature"]["passkey"].is_object());
    let offline = wane.server.person("nobody").unwrap();
    let good = offline.run_with(&["--json", "approval", "verify", "-"], &decided.to_string()).unwrap();
    assert!(good.success() && good.stdout.contains("passkey"), "{good:?}");

    // Less than was asked, and that is what is signed.
    let wide = ask_and_wait(&wane.maya, "deploy@web", "30m");
    page.open("approve");
    page.chromium.act(&json!({ "do": "click", "selector": "button:has-text('Sign with a passkey…')" }));
    page.chromium.act(&json!({ "do": "click", "selector": "summary:has-text('Approve less')" }));
    page.fills("No longer than", "5m");
    page.presses("button", "Show what is signed");
    page.sees("5m");
    page.presses("button", "Sign with the passkey");
    page.sees("Approved: deploy on web");
    let child = text(&wane.ada.json(&["requests", &wide]).unwrap()["items"][0]["child"]);
    let child = wane.ada.json(&["requests", &child]).unwrap();
    assert_eq!((&child["duration"]["secs"], &child["state"]), (&json!(300), &json!("approved")), "{child}");

    // A no needs no signature.
    let last = ask_and_wait(&wane.maya, "deploy@web", "10m");
    page.open("approve");
    page.presses("button", "Deny…");
    page.fills("Why not?", "not today");
    page.presses("button", "Deny");
    page.sees("Denied: deploy on web");
    assert_eq!(wane.ada.json(&["requests", &last]).unwrap()["state"], "denied");
    page.is_quiet("signing");
}
