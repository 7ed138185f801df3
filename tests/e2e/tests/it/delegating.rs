//! Standing in for an approver who is away, with the real program: said, seen, decided by, taken back, killed over.

use wane_testkit::{PersonSession, WaneServer, wait_until};

use crate::people::{Deployment, SOON, approve, ask_and_wait, items, refused, text};

fn stands_in(by: &PersonSession, words: &[&str]) -> String {
    let mut all = vec!["delegate", "add"];
    all.extend_from_slice(words);
    text(&by.json(&all).unwrap()["id"])
}

#[test]
fn whoever_stands_in_decides_and_never_for_themselves() {
    let mut here = Deployment::with(WaneServer::builder().failpoints());
    here.deploy_role();
    here.paper_host("web", "gate=one");
    here.paper_host("api", "gate=one");
    let omar = here.approver("omar");
    let zoe = here.server.newcomer(&here.ada, "zoe", &[]).unwrap();

    let asked = ask_and_wait(&here.maya, "deploy@web", "10m");
    refused(&zoe, &["requests", &asked], 4);
    // Who asks may stand in, and gets nothing by it.
    for to in ["zoe", "maya"] {
        stands_in(&omar, &[to, "--until", "+48h", "--on", "web", "-m", "holidays"]);
    }
    refused(&here.maya, &["approve", &asked], 3);
    refused(&omar, &["delegate", "add", "omar", "--until", "+48h"], 2);
    refused(&omar, &["delegate", "add", "nobody", "--until", "+48h"], 4);
    let waits = zoe.json(&["requests", "--waiting-for-me"]).unwrap();
    assert_eq!(items(&waits).len(), 1, "{waits}");
    let stage = &waits["items"][0]["items"][0]["stages"][0];
    assert_eq!(
        (stage["who_could"].to_string(), &stage["standing_in"]["zoe"]),
        (r#"["omar","zoe"]"#.to_owned(), &"omar".into())
    );
    // Nothing but what it was said for.
    let elsewhere = ask_and_wait(&here.maya, "deploy@api", "10m");
    refused(&zoe, &["approve", &elsewhere], 4);

    // It outlives the server.
    here.server.kill_9().unwrap();
    here.server.start().unwrap();
    let done = approve(&zoe, &asked);
    let by = &done["items"][0]["approvals"][0];
    assert_eq!((&by["by"], &by["instead_of"]), (&"zoe".into(), &"omar".into()), "{done}");
    let grant = text(&done["items"][0]["grant"]);
    let story = here.ada.json(&["story", &grant]).unwrap().to_string();
    assert!(story.contains("zoe, in the place of omar, approved it"), "{story}");

    // Taken back: what was not begun is void.
    let mine = omar.json(&["delegate", "list"]).unwrap();
    assert_eq!(items(&mine).len(), 2, "{mine}");
    let of_zoe = items(&zoe.json(&["delegate", "list"]).unwrap())[0]["id"].clone();
    omar.json(&["delegate", "remove", of_zoe.as_str().unwrap()]).unwrap();
    let handed = here.maya.run(&["credential", &grant, "--input", "{}"]).unwrap();
    assert!(!handed.success(), "{handed:?}");
    wait_until("a grant that has ended", SOON, || here.grant(&grant)["state"] == "closed").unwrap();
    let again = ask_and_wait(&here.maya, "deploy@web", "20m");
    refused(&zoe, &["approve", &again], 4);
    let past = items(&omar.json(&["delegate", "list", "--past"]).unwrap()).clone();
    assert!(past.iter().any(|d| d["state"] == "taken_back" && d["ended_by"] == "omar"), "{past:?}");

    // Killed over, on each side, it is there or it is not.
    for (point, words) in [
        ("app.delegate.commit", vec!["delegate", "add", "zoe", "--until", "+24h"]),
        ("app.delegate.end.commit", Vec::new()),
    ] {
        for side in ["before", "after"] {
            let open = |of: &PersonSession| items(&of.json(&["delegate", "list"]).unwrap()).clone();
            let before = open(&omar);
            let id = before.first().map(|d| text(&d["id"])).unwrap_or_default();
            let words = if words.is_empty() { vec!["delegate", "remove", id.as_str()] } else { words.clone() };
            here.server.plan(&format!("{point}:{side}=kill")).unwrap();
            let said = omar.run(&words).unwrap();
            wait_until("the server to be dead", SOON, || here.server.died().is_some())
                .unwrap_or_else(|e| panic!("{point}:{side}: {e}: {said:?}"));
            here.server.plan("").unwrap();
            here.server.start().unwrap();
            let counts = (before.len(), open(&omar).len());
            let moved = if side == "before" { 0 } else { 1 };
            assert_eq!(counts.0.abs_diff(counts.1), moved, "{point}:{side}");
        }
    }
}
