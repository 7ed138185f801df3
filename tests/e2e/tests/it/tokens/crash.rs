//! Killed at every point at which a token is made or ended.

use serde_json::json;
use wane_testkit::{WaneServer, wait_until};

use super::office::{Office, token_key, try_token_key};
use crate::people::{SOON, granted, text};

#[test]
fn an_issue_that_was_cut_off_is_booked_or_was_never_handed_out() {
    let mut office = Office::with(WaneServer::builder().failpoints());
    let orders = office.joined("orders");
    let dead = |office: &mut Office| {
        wait_until("the server to be dead", SOON, || office.wane.server.died().is_some()).unwrap();
        office.wane.server.plan("").unwrap();
        office.wane.server.start().unwrap();
    };
    for (place, booked) in
        [("oauth.sign:before", 0), ("oauth.sign:after", 0), ("app.sign.commit:before", 0), ("app.sign.commit:after", 1)]
    {
        let grant = granted(office.maya(), "use@orders", "5m");
        let words = ["credential", &grant, "--input", "{}"];
        office.wane.server.plan(&format!("{place}=kill")).unwrap();
        let cut = office.maya().run(&words).unwrap();
        assert!(!cut.success() && !cut.stdout.contains("eyJ"), "{place}: {cut:?}");
        dead(&mut office);
        let issued =
            |office: &Office| office.wane.events(&grant).iter().filter(|event| *event == "credential.issued").count();
        assert_eq!(issued(&office), booked, "{place}");
        let token = text(&office.maya().json(&words).unwrap()["secret"]);
        assert_eq!(issued(&office), booked + 1, "{place}");
        assert!(office.is_good(&orders, &token), "{place}");
        office.maya().json(&["done", &grant]).unwrap();
        assert!(!office.is_good(&orders, &token), "{place}");
    }
    // Exchanged, and cut off before the answer left: it is booked, and nobody has it.
    let (grant, token) = office.token("use", "orders");
    let exchange = |office: &Office| {
        office.curl(
            "/oauth2/token",
            &["-m", "30"],
            &[
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("subject_token", &token),
                ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ],
        )
    };
    office.wane.server.plan("http.token.leaves=kill").unwrap();
    let cut = exchange(&office);
    assert_eq!((cut.status, cut.body.as_str()), (0, ""));
    dead(&mut office);
    let events = office.wane.events(&grant);
    assert_eq!(events.iter().filter(|event| *event == "credential.issued").count(), 2, "{events:?}");
    assert_eq!(exchange(&office).status, 200);
    // Ended, and cut off: it is over or it is not, and the same call again makes it so.
    for (place, over) in [("app.end_token.commit:before", false), ("app.end_token.commit:after", true)] {
        let (_, token) = office.token("use", "orders");
        office.wane.server.plan(&format!("{place}=kill")).unwrap();
        assert_eq!(office.curl("/oauth2/revoke", &["-m", "30"], &[("token", &token)]).status, 0);
        dead(&mut office);
        assert_eq!(office.is_good(&orders, &token), !over, "{place}");
        assert_eq!(office.curl("/oauth2/revoke", &[], &[("token", &token)]).status, 200);
        assert!(!office.is_good(&orders, &token), "{place}");
    }
}

#[test]
fn a_key_that_was_cut_off_is_there_or_is_not() {
    let mut office = Office::with(WaneServer::builder().failpoints());
    office.wane.server.stop().unwrap();
    for (place, there) in [("token_key.commit:before", 1), ("token_key.commit:after", 2)] {
        let plan = format!("{place}=kill");
        let (done, said) = try_token_key(&office.wane.server, &plan, &["new", "--ahead", "10m"]);
        assert!(!done, "{place}: {said}");
        let shown = token_key(&office.wane.server, &["show"]);
        assert_eq!(shown["items"].as_array().unwrap().len(), there, "{place}: {shown}");
        assert!(shown["items"].as_array().unwrap().iter().all(|one| one["kid"] != json!("unknown")), "{shown}");
    }
    office.wane.server.start().unwrap();
    let orders = office.joined("orders");
    let (_, token) = office.token("use", "orders");
    assert!(office.is_good(&orders, &token));
}
