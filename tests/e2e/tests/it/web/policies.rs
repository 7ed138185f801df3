//! Policies on the web UI: written with what is wrong said beside, asked, rehearsed over what was really asked, put in
//! force.

use serde_json::json;

use super::{Browsing, WIDE};
use crate::people::{Deployment, POLICY, ask_and_wait, granted};

#[test]
fn a_policy_is_written_rehearsed_and_put_in_force_on_a_page() {
    let wane = Deployment::new();
    wane.paper_host("web", "gate=open");
    wane.paper_host("ledger", "gate=one");
    wane.deploy_role();
    let held = granted(&wane.maya, "deploy@web", "10m");
    ask_and_wait(&wane.maya, "deploy@ledger", "20m");
    let mut page = Browsing::at(&wane.server.url());
    page.is(&wane.ada);
    page.view(WIDE, "light");
    page.open("policy");
    page.sees("never-restricted");
    page.presses("button", "Edit");
    page.sees("It validates.");
    page.holds("policy, editing");

    // Wrong in its grammar, wrong by the schema: said beside the text, as it is written.
    let area = "role=textbox[name=\"Policy set (Cedar)\"]";
    page.chromium.fill(area, "permit (principal,\n");
    page.sees("1 problem");
    assert!(page.count(".gutter .wrong") >= 1);
    page.chromium.fill(area, &format!("{POLICY}\npermit (principal, action == Action::\"fly\", resource);\n"));
    let shown = page.sees("problem");
    assert!(shown.contains("fly"), "{shown}");
    assert_eq!(page.count("button:has-text('Put it in force'):disabled"), 1);
    page.holds("policy, wrong");
    page.picture("policy-editor", WIDE, "light");

    // What it would have said to those who asked.
    let stricter = POLICY.replacen(
        "@id(\"open\")\n@max_ttl(\"1h\")\n",
        "@id(\"open\")\n@max_ttl(\"1h\")\n@approve(\"1 of group:approvers\")\n",
        1,
    );
    assert_ne!(stricter, POLICY);
    page.chromium.fill(area, &stricter);
    page.sees("It validates.");
    page.sees("+ @approve(\"1 of group:approvers\")");
    page.presses("button", "Ask it about what was really asked");
    page.sees("Of 2 asks, one is decided otherwise.");
    let row = "tr:has-text('deploy on web'):has-text('at once'):has-text('needs approval')";
    assert_eq!((page.count(row), page.count("tbody tr")), (1, 1));
    page.holds("policy, rehearsed");
    page.picture("policy-rehearsed", WIDE, "light");

    // Who asks what, under which of the two.
    page.presses("button", "Who may what, and why");
    for (field, value) in [("Who", "maya"), ("On what", "web"), ("Role", "deploy")] {
        page.chromium
            .act(&json!({ "do": "fill", "selector": format!("role=textbox[name=\"{field}\"]"), "value": value }));
    }
    page.presses("button", "What would happen?");
    page.sees("maya, deploy on web: at once");
    page.chromium.act(&json!({ "do": "choose", "selector": "role=combobox", "value": "draft" }));
    page.presses("button", "What would happen?");
    page.sees("maya, deploy on web: needs approval");
    page.sees("not in force");
    page.holds("policy, asked");

    // Somebody else was faster: nothing is put in force over their head.
    wane.load(&format!("{POLICY}\n// looked at\n"));
    page.presses("button", "Edit");
    page.sees("It cannot be put in force like this");
    page.presses("button", "Put it in force");
    page.chromium.act(&json!({ "do": "click", "selector": "dialog >> button:has-text('Put it in force')" }));
    page.sees("load again");
    // A browser tells its console of every answer that is no yes.
    let told = page.chromium.act(&json!({ "do": "problems" })).to_string();
    assert!(told.contains("409"), "{told}");
    page.key("Escape");
    page.presses("button", "Throw it away");
    page.presses("button", "Edit");
    page.chromium.fill(area, &stricter);
    page.sees("It validates.");
    page.presses("button", "Put it in force");
    page.sees("Put this policy in force?");
    page.holds("policy, putting in force");
    page.chromium.act(&json!({ "do": "click", "selector": "dialog >> button:has-text('Put it in force')" }));
    page.sees("is in force.");
    assert_eq!(wane.ada.json(&["policy", "show"]).unwrap()["text"], stricter.as_str());
    // What is held is judged again: nobody approved it.
    assert_eq!(wane.wait_closed(&held)["state"], "closed");

    // Proposed with a note, looked at and put in force by somebody else.
    let bea = wane.server.newcomer(&wane.ada, "bea", &["admins"]).unwrap();
    page.presses("button", "Edit");
    page.chromium.fill(area, &format!("{stricter}// a word\n"));
    page.sees("It validates.");
    page.presses("button", "Propose it");
    page.fills("What there is to say about it", "a word is missing");
    page.holds("policy, proposing");
    page.chromium.act(&json!({ "do": "click", "selector": "dialog >> button:has-text('Propose it')" }));
    page.sees("Proposed by ada");
    page.is(&bea);
    page.open("policy");
    page.presses("button", "Proposed");
    page.sees("a word is missing");
    page.sees("+ // a word");
    page.holds("policy, proposed");
    page.presses("button", "Put it in force");
    page.sees("is in force.");
    assert_eq!(wane.ada.json(&["policy", "show"]).unwrap()["text"], format!("{stricter}// a word\n"));

    page.presses("button", "Versions");
    page.presses("button", "Compare 2");
    page.sees("From version 2 to version");
    page.holds("policy, versions");
    page.is_quiet("policy");

    // Whoever may not read policy has no such page, and is told so if they go there.
    page.is(&wane.maya);
    page.open("policy");
    page.sees("policy does not let you");
}
