//! Access packages, with a real database: day one, a change of group, the package taken out.

use serde_json::Value;
use wane_testkit::{PersonSession, wait_until};

use crate::database::Shop;
use crate::people::{SOON, items, refused, text};

/// The one grant that somebody has live.
fn live(ada: &PersonSession, who: &str) -> Option<String> {
    let page = ada.json(&["grants", "--person", who, "--state", "active"]).unwrap();
    items(&page).first().map(|grant| text(&grant["id"]))
}

fn request_of(ada: &PersonSession, grant: &Value) -> Value {
    ada.json(&["requests", grant["request"].as_str().unwrap()]).unwrap()
}

#[test]
fn a_joiner_has_what_they_need_on_day_one_and_a_mover_loses_it_at_once() {
    let shop = Shop::with_gate("open");
    let ada = &shop.wane.ada;
    refused(&shop.wane.maya, &["package", "add", "base", "readonly@shop", "--group", "engineers"], 3);
    refused(ada, &["package", "add", "base", "readonly@shop"], 2);
    ada.json(&["package", "add", "base", "readonly@shop", "--group", "engineers", "--attribute", "site=lab"]).unwrap();
    let nia = shop.wane.server.newcomer(ada, "nia", &["engineers"]).unwrap();
    ada.json(&["person", "change", "nia", "--attribute", "site=lab"]).unwrap();
    wait_until("what they need to be there", SOON, || live(ada, "nia").is_some())
        .unwrap_or_else(|e| panic!("{e}\n{}", shop.wane.server.log()));
    assert_eq!(live(ada, "maya"), None, "a group alone was enough");
    let grant = live(ada, "nia").unwrap();
    let request = request_of(ada, &shop.wane.grant(&grant));
    assert_eq!((&request["package"], &request["requester"]), (&"base".into(), &"nia".into()), "{request:#}");
    assert_eq!(ada.json(&["package", "show", "base"]).unwrap()["people"], Value::Array(vec!["nia".into()]));

    // Used as any other access, and cut as any other.
    let account = shop.account(&nia, &grant);
    let open = shop.open(&account);
    ada.json(&["group", "leave", "engineers", "nia"]).unwrap();
    let closed = shop.wane.wait_closed(&grant);
    assert_eq!(closed["ending"]["cause"], "lost eligibility", "{closed:#}");
    shop.assert_over(&account, Some(open));

    // Back in, and then the package is gone.
    ada.json(&["group", "join", "engineers", "nia"]).unwrap();
    wait_until("what they need to be there again", SOON, || live(ada, "nia").is_some()).unwrap();
    let again = live(ada, "nia").unwrap();
    let account = shop.account(&nia, &again);
    ada.json(&["package", "remove", "base"]).unwrap();
    shop.wane.wait_closed(&again);
    shop.assert_over(&account, None);
    refused(ada, &["package", "show", "base"], 4);
}
