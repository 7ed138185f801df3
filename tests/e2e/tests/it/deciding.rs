//! Approving: who counts, who never does.

use std::sync::Barrier;

use wane_testkit::Ended;

use crate::people::{Deployment, approve, ask_and_wait, ask_coming_out, items, refused, text};

/// Every way in which somebody could have a hand in their own access.
#[test]
fn nobody_approves_for_themselves() {
    let here = Deployment::new();
    here.deploy_role();
    here.paper_host("web", "gate=one");
    here.paper_host("api", "gate=one");
    // She may be asked, through two groups; he manages her and may be asked too.
    let omar = here.approver("omar");
    for group in ["approvers", "dba"] {
        here.ada.json(&["group", "join", group, "maya"]).unwrap();
    }
    here.ada.json(&["group", "join", "engineers", "omar"]).unwrap();
    here.ada.json(&["person", "change", "maya", "--manager", "omar"]).unwrap();

    let own = ask_and_wait(&here.maya, "deploy@web", "10m");
    let bundle = text(&ask_coming_out(&here.maya, &["deploy@web", "deploy@api", "--for", "20m"], 6)["id"]);
    let for_her = text(&ask_coming_out(&omar, &["deploy@api", "--for", "30m", "--for-person", "maya"], 6)["id"]);
    for words in [
        vec!["approve", own.as_str()],
        vec!["approve", &own, "--for", "5m"],
        vec!["approve", &own, "--item", "0"],
        vec!["approve", &bundle],
        vec!["approve", &bundle, "--item", "0"],
        vec!["approve", &bundle, "--item", "1"],
        vec!["approve", &for_her],
    ] {
        refused(&here.maya, &words, 3);
    }
    // Nor does who asked for somebody else.
    refused(&omar, &["approve", &for_her], 3);

    for request in [&own, &bundle, &for_her] {
        assert_eq!(here.ada.json(&["requests", request]).unwrap()["state"], "waiting");
    }
    for person in [&here.maya, &omar] {
        let mine = person.json(&["requests", "--waiting-for-me"]).unwrap();
        let named = items(&mine).iter().map(|r| text(&r["id"])).collect::<Vec<_>>();
        assert!(!named.contains(&for_her), "{named:?}");
    }
    assert!(items(&here.ada.json(&["grants"]).unwrap()).is_empty());

    // The same words from somebody else count.
    let nina = here.approver("nina");
    for request in [&own, &bundle, &for_her] {
        assert_eq!(approve(&nina, request)["state"], "approved");
    }
}

#[test]
fn a_quorum_counts_different_people_also_at_the_same_instant() {
    let here = Deployment::new();
    here.deploy_role();
    here.paper_host("web", "gate=two");
    let (omar, nina) = (here.approver("omar"), here.approver("nina"));

    let one = ask_and_wait(&here.maya, "deploy@web", "10m");
    let at_once = |people: [&wane_testkit::PersonSession; 2], request: &str| {
        let start = Barrier::new(2);
        std::thread::scope(|scope| {
            people
                .map(|person| {
                    let start = &start;
                    scope.spawn(move || {
                        start.wait();
                        person.run(&["approve", request]).unwrap()
                    })
                })
                .map(|thread| thread.join().unwrap())
        })
    };
    // Twice by one person is one.
    let twice = at_once([&omar, &omar], &one);
    let counted = twice.iter().filter(|outcome| outcome.success()).count();
    assert_eq!(counted, 1, "{twice:?}");
    let waits = here.ada.json(&["requests", &one]).unwrap();
    assert_eq!(
        (waits["state"].as_str(), waits["items"][0]["approvals"].as_array().map(Vec::len)),
        (Some("waiting"), Some(1)),
        "{waits}"
    );
    assert_ne!(omar.run(&["approve", &one]).unwrap().ended, Ended::Code(0));
    here.maya.json(&["withdraw", &one]).unwrap();

    // Two at once are two, and one grant.
    let two = ask_and_wait(&here.maya, "deploy@web", "10m");
    let both = at_once([&omar, &nina], &two);
    assert!(both.iter().all(wane_testkit::Outcome::success), "{both:?}");
    let decided = here.ada.json(&["requests", &two]).unwrap();
    assert_eq!(decided["state"], "approved", "{decided}");
    let mut by: Vec<String> =
        decided["items"][0]["approvals"].as_array().unwrap().iter().map(|a| text(&a["by"])).collect();
    by.sort();
    assert_eq!(by, ["nina", "omar"]);
    assert_eq!(items(&here.ada.json(&["grants"]).unwrap()).len(), 1);
}

#[test]
fn an_approval_that_narrows_is_all_that_is_granted() {
    let here = Deployment::new();
    here.deploy_role();
    here.paper_host("web", "gate=one");
    let omar = here.approver("omar");
    let request = ask_and_wait(&here.maya, "deploy@web", "50m");
    refused(&omar, &["approve", &request, "--for", "55m"], 2);
    let child = omar.json(&["approve", &request, "--for", "20s"]).unwrap();
    let grant = here.grant(&text(&child["items"][0]["grant"]));
    assert_eq!((&child["duration"]["secs"], &grant["duration"]["secs"]), (&20.into(), &20.into()));
    let wide = here.maya.json(&["requests", &request]).unwrap();
    assert_eq!((&wide["state"], &wide["items"][0]["child"]), (&"narrowed".into(), &child["id"]));
    assert!(!omar.run(&["approve", &request]).unwrap().success(), "the wider ask was approved after all");
    assert_eq!(items(&here.ada.json(&["grants"]).unwrap()).len(), 1);
}
