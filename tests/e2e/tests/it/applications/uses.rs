//! Roles that give a number of uses: as many requests pass as there are, whoever races, whatever happens to the server.

use serde_json::json;
use wane_testkit::{WaneServer, wait_until};

use super::lab::Lab;
use crate::people::SOON;

#[test]
fn of_many_that_would_use_it_as_many_do_as_there_are_uses() {
    let mut lab = Lab::new();
    lab.role("thrice", &json!({ "allow": [{ "methods": ["GET"], "paths": ["/**"] }], "uses": 3 }));
    let grant = {
        let guest = lab.enters(&lab.wane.maya, "thrice@app", "10m");
        // What is refused is no use of it.
        assert_eq!(guest.send(&["-X", "POST"], "/echo").status, 403);
        assert_eq!(guest.get("/a/../b").status, 400);
        let before = lab.asked().len();
        let all: Vec<_> =
            (0..12).map(|n| guest.streams(&["-o", "/dev/null", "-w", "%{http_code}"], &format!("/echo?{n}"))).collect();
        let codes: Vec<String> = all.into_iter().map(|one| one.wait_exit(SOON).unwrap().stdout).collect();
        let passed = codes.iter().filter(|code| *code == "200").count();
        assert_eq!((passed, lab.asked().len() - before), (3, 3), "{codes:?}\n{}", lab.wane.server.log());
        let refused = guest.get("/echo");
        assert!(refused.status == 403 && refused.body.contains("all 3 uses of this access are used up"), "{refused:?}");
        guest.grant.clone()
    };
    // Each is in the log, before it was made, and still is after the server died.
    let mut numbers: Vec<u64> =
        lab.events("grant.used").iter().map(|one| one["detail"]["number"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3]);
    lab.wane.server.kill_9().unwrap();
    lab.wane.server.start().unwrap();
    let again = lab.guest("app", "again", grant);
    let code = again.is_given_a_code(&lab.wane.maya);
    assert_eq!(again.get(&format!("/.well-known/wane/enter?code={code}")).status, 303);
    let before = lab.asked().len();
    assert_eq!(again.get("/echo").status, 403);
    assert_eq!(lab.asked().len(), before, "it was used once more after the server died");
}

#[test]
fn a_use_that_was_spent_is_not_made_again_after_a_crash() {
    let mut lab = Lab::with(WaneServer::builder().failpoints());
    lab.role("once", &json!({ "allow": [{ "methods": ["GET"], "paths": ["/**"] }], "uses": 1 }));
    for (place, spent) in [("app.brokered.use.commit:before", false), ("app.brokered.use.commit:after", true)] {
        let grant = {
            let guest = lab.enters(&lab.wane.maya, "once@app", "10m");
            lab.wane.server.plan(&format!("{place}=kill")).unwrap();
            let before = lab.asked().len();
            guest.streams(&["-o", "/dev/null"], "/echo").wait_exit(SOON).unwrap();
            assert_eq!(lab.asked().len(), before, "{place}: the application was asked before it was written down");
            guest.grant
        };
        wait_until("the server to be dead", SOON, || lab.wane.server.died().is_some()).unwrap();
        lab.wane.server.plan("").unwrap();
        lab.wane.server.start().unwrap();
        let again = lab.guest("app", &format!("again-{spent}"), grant.clone());
        let code = again.is_given_a_code(&lab.wane.maya);
        assert_eq!(again.get(&format!("/.well-known/wane/enter?code={code}")).status, 303);
        let before = lab.asked().len();
        assert_eq!(again.get("/echo").status, if spent { 403 } else { 200 }, "{place}");
        assert_eq!(lab.asked().len() - before, usize::from(!spent), "{place}");
        lab.wane.maya.json(&["done", &grant]).unwrap();
        lab.wane.wait_closed(&grant);
    }
}
