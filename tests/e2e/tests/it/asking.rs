//! Asking: what is granted, what waits, what is denied and why.

use serde_json::json;
use wane_testkit::{WaneServer, wait_until};

use crate::people::{Deployment, SOON, approve, ask, ask_and_wait, ask_coming_out, granted, items, refused, text};

#[test]
fn a_denial_says_why_and_changes_nothing() {
    let here = Deployment::new();
    here.deploy_role();
    here.paper_host("closed", "gate=none");
    here.paper_host("vault", "gate=open");
    here.ada
        .json(&["resource", "change", "vault", "--label", "gate=open", "--label", "classification=restricted"])
        .unwrap();

    let said = refused(&here.maya, &["request", "deploy@closed", "--for", "1h"], 3);
    assert!(said.contains("no policy") || said.contains("closed") || said.contains("path"), "{said}");
    let said = refused(&here.maya, &["request", "deploy@vault", "--for", "1h"], 3);
    assert!(said.contains("restricted data is for nobody"), "{said}");

    let why = here.maya.json(&["why", "deploy@vault"]).unwrap();
    assert_eq!(
        (&why["outcome"], &why["forbids"][0]["policy"]),
        (&json!("denied"), &json!("never-restricted")),
        "{why}"
    );
    assert!(items(&here.ada.json(&["grants"]).unwrap()).is_empty());
}

#[test]
fn what_is_missing_is_named() {
    let here = Deployment::new();
    here.deploy_role();
    here.paper_host("web", "gate=reasoned");
    let why = here.maya.json(&["why", "deploy@web", "--for", "5m"]).unwrap();
    assert_eq!(why["outcome"], "denied", "{why}");
    assert!(why["paths"].to_string().contains("justification") || why["paths"].to_string().contains("reason"), "{why}");
    refused(&here.maya, &["request", "deploy@web", "--for", "5m"], 3);
    refused(&here.maya, &["request", "deploy@web", "--for", "11m", "-m", "why not"], 3);
    ask_coming_out(&here.maya, &["deploy@web", "--for", "5m", "-m", "roll out"], 0);
}

#[test]
fn withdrawn_denied_and_lapsed_requests_are_over() {
    let here = Deployment::new();
    here.deploy_role();
    here.paper_host("web", "gate=one");
    here.paper_host("hasty", "gate=brief");
    let omar = here.approver("omar");
    let state = |request: &str| text(&here.ada.json(&["requests", request]).unwrap()["state"]);

    let withdrawn = ask_and_wait(&here.maya, "deploy@web", "10m");
    here.maya.json(&["withdraw", &withdrawn]).unwrap();
    let denied = ask_and_wait(&here.maya, "deploy@web", "10m");
    omar.json(&["deny", &denied, "-m", "not today"]).unwrap();
    let lapsed = ask_and_wait(&here.maya, "deploy@hasty", "10m");
    wait_until("the request to lapse", SOON, || state(&lapsed) == "lapsed").unwrap();

    for (request, is) in [(&withdrawn, "withdrawn"), (&denied, "denied"), (&lapsed, "lapsed")] {
        assert_eq!(state(request), is);
        assert!(!omar.run(&["approve", request.as_str()]).unwrap().success(), "{is} and still approved");
        assert_eq!(state(request), is);
    }
    let seen = here.maya.json(&["requests", &denied]).unwrap();
    assert!(seen["items"][0]["reasons"].to_string().contains("not today"), "{seen}");
    assert!(items(&here.ada.json(&["grants"]).unwrap()).is_empty());
}

#[test]
fn a_scheduled_start_opens_when_it_says() {
    let here = Deployment::with(WaneServer::builder().with_clock());
    here.deploy_role();
    here.paper_host("web", "gate=open");
    let asked = ask_coming_out(&here.maya, &["deploy@web", "--for", "5m", "--from", "+20m"], 0);
    let grant = text(&asked["items"][0]["grant"]);
    assert_eq!(here.grant(&grant)["state"], "scheduled");
    let key = wane_testkit::SshKey::generate(here.maya.home(), "id").unwrap();
    let input = json!({ "public_key": key.public_line().unwrap() }).to_string();
    let words = ["credential", &grant, "--input", &input];
    let early = here.maya.run(&words).unwrap();
    assert!(!early.success(), "usable before its start: {early:?}");
    here.server.set_clock(20 * 60).unwrap();
    wait_until("the grant to open", SOON, || here.maya.run(&words).unwrap().success()).unwrap();
    let opened = here.grant(&grant);
    assert_eq!(opened["state"], "active");
    assert!(text(&opened["since"]) >= text(&opened["opens"]), "{opened}");
}

#[test]
fn a_second_ask_finds_the_live_grant() {
    let here = Deployment::new();
    here.deploy_role();
    here.paper_host("web", "gate=open");
    let grant = granted(&here.maya, "deploy@web", "30m");
    let again = ask(&here.maya, "deploy@web", "5m");
    assert_eq!(text(&again["items"][0]["already_covered_by"]), grant, "{again}");
}

#[test]
fn a_role_redefined_after_the_ask_is_not_what_was_approved() {
    let here = Deployment::new();
    here.deploy_role();
    here.paper_host("web", "gate=one");
    let omar = here.approver("omar");
    let request = ask_and_wait(&here.maya, "deploy@web", "10m");
    here.ada.json(&["role", "change", "ssh/deploy", "--set", r#"principals=["root"]"#]).unwrap();
    let decided = approve(&omar, &request);
    assert_eq!(decided["state"], "denied", "{decided}");
    assert!(decided["items"][0]["reasons"].to_string().contains("redefined"), "{decided}");
    assert!(items(&here.ada.json(&["grants"]).unwrap()).is_empty());
}
