//! The main job in one piece: ask, wait, approve for less, use, run out, read the story.

use wane_testkit::WaneServer;

use crate::database::Shop;
use crate::people::{ask_and_wait, items, refused, text};

#[test]
fn from_the_ask_to_the_evidence_of_its_end() {
    let shop = Shop::with(WaneServer::builder().with_clock(), "one");
    let (ada, maya) = (&shop.wane.ada, &shop.wane.maya);
    let omar = shop.wane.approver("omar");

    let why = maya.json(&["why", "readonly@shop", "--for", "20m"]).unwrap();
    assert_eq!(
        (why["outcome"].as_str(), &why["who_could_approve"]),
        (Some("approval"), &serde_json::json!(["omar"])),
        "{why}"
    );
    let request = ask_and_wait(maya, "readonly@shop", "20m");
    let waiting = omar.json(&["requests", "--waiting-for-me"]).unwrap();
    assert_eq!(items(&waiting)[0]["id"], request.as_str());
    let child = omar.json(&["approve", &request, "--for", "12m"]).unwrap();
    let grant = text(&child["items"][0]["grant"]);
    assert_eq!(shop.accounts(), Vec::<String>::new(), "nothing is made before it is used");

    // The plain psql through `wane psql`, then one that is open when the time is up.
    let said = maya.run(&["psql", "shop", "--", "-Atc", "SELECT item FROM orders"]).unwrap();
    assert_eq!(said.clone().into_stdout().unwrap(), "teapot", "{said:?}");
    let account = shop.account(maya, &grant);
    let write = shop.run(&account, "INSERT INTO orders VALUES (2, 'x')");
    assert!(write.stderr.contains("permission denied"), "{write:?}");
    let open = shop.open(&account);
    let live = ada.json(&["live"]).unwrap();
    assert_eq!((items(&live).len(), &items(&live)[0]["sessions_cut"]), (1, &true.into()), "{live}");

    shop.wane.server.set_clock(13 * 60).unwrap();
    let closed = shop.wane.wait_closed(&grant);
    assert_eq!(
        (&closed["closure"]["cause"], &closed["closure"]["word"]),
        (&"expired".into(), &"gone".into()),
        "{closed:#}"
    );
    shop.assert_over(&account, Some(open));
    refused(maya, &["credential", &grant], 5);

    let story = maya.json(&["story", &grant]).unwrap();
    assert!(story["granted_after"]["text"].is_string() && story["usable_after"]["text"].is_string(), "{story:#}");
    let told: Vec<&str> = story["lines"].as_array().unwrap().iter().filter_map(|line| line["event"].as_str()).collect();
    let mut at = 0;
    for event in [
        "request.opened",
        "request.item.approved",
        "grant.minted",
        "grant.activated",
        "lease.intended",
        "lease.made",
        "grant.ending",
        "lease.gone",
        "grant.closed",
    ] {
        at += told[at..].iter().position(|e| *e == event).unwrap_or_else(|| panic!("no {event} after {at}: {told:?}"));
    }
    for lease in closed["closure"]["leases"].as_array().unwrap() {
        assert!(lease["basis"]["proof"].is_string(), "{closed:#}");
    }
}
