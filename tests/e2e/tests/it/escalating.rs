//! Asking more people while nobody decides, with the real program and its own timer.

use wane_testkit::{WaneServer, wait_until};

use crate::people::{Deployment, POLICY, SOON, approve, ask_and_wait, items, text};

/// Who is asked in addition is asked by the server itself, though it dies over that; and it is on record and shown.
#[test]
fn more_people_are_asked_while_nobody_decides() {
    let mut here = Deployment::with(WaneServer::builder().failpoints());
    here.deploy_role();
    let later = "@id(\"later\") @max_ttl(\"1h\") @approve(\"1 of group:dba, or after 2s also group:approvers\")
        permit (principal in Group::\"engineers\", action == Action::\"access\", resource in Label::\"gate=later\");";
    here.load(&format!("{POLICY}\n{later}"));
    here.paper_host("web", "gate=later");
    let omar = here.approver("omar");
    here.server.plan("app.lapse.commit:before=kill").unwrap();
    let asked = ask_and_wait(&here.maya, "deploy@web", "10m");
    wait_until("the server to be dead", SOON, || here.server.died().is_some()).unwrap();
    here.server.plan("").unwrap();
    here.server.start().unwrap();
    let waits = || items(&omar.json(&["waiting"]).unwrap()).iter().any(|request| request["id"] == asked.as_str());
    wait_until("more people to be asked", SOON, waits).unwrap_or_else(|e| panic!("{e}\n{}", here.server.log()));
    let shown = here.maya.json(&["requests", &asked]).unwrap();
    let escalated = &shown["items"][0]["escalated"];
    assert_eq!((escalated.as_array().map(Vec::len), &escalated[0]["after"]["secs"]), (Some(1), &2.into()), "{shown}");
    let done = approve(&omar, &asked);
    let grant = text(&done["items"][0]["grant"]);
    let story = here.maya.json(&["story", &grant]).unwrap().to_string();
    assert!(story.contains("nobody decided within 2s: group:approvers is asked as well"), "{story}");
}
