//! The server's own life: started again, started twice.

use wane_testkit::Ended;

use crate::database::Shop;
use crate::people::{Deployment, granted, items};

#[test]
fn a_restart_changes_nothing_for_anybody() {
    let mut shop = Shop::with_gate("open");
    shop.wane.deploy_role();
    shop.wane.paper_host("web", "gate=open");
    let grant = granted(&shop.wane.maya, "readonly@shop", "30m");
    let account = shop.account(&shop.wane.maya, &grant);
    let mut open = shop.open(&account);
    let before = shop.wane.grant(&grant);
    shop.wane.server.restart().unwrap();
    assert_eq!(shop.wane.grant(&grant), before);
    open.send_line("SELECT 'still connected';").unwrap();
    open.wait_for("still connected", crate::people::SOON).unwrap();
    // Sessions hold, keys open: something new can be had.
    let host = granted(&shop.wane.maya, "deploy@web", "10m");
    let key = wane_testkit::SshKey::generate(shop.wane.maya.home(), "id").unwrap();
    let input = serde_json::json!({ "public_key": key.public_line().unwrap() }).to_string();
    shop.wane.maya.json(&["credential", &host, "--input", &input]).unwrap();
    assert_eq!(items(&shop.wane.ada.json(&["live"]).unwrap()).len(), 2);
    shop.wane.maya.json(&["done", &grant]).unwrap();
    shop.wane.wait_closed(&grant);
    shop.assert_over(&account, Some(open));
}

#[test]
fn a_second_server_and_a_second_init_are_refused() {
    let here = Deployment::new();
    let run = |words: Vec<String>| here.ada.run(&words).unwrap();
    let again = run(here.server.init_words());
    assert_eq!(again.ended, Ended::Code(5), "{again:?}");

    // On a port of its own, so that only the folder is in the way.
    let mut words = here.server.server_words();
    words.extend(["--set".to_owned(), format!("server.listen=127.0.0.1:{}", wane_testkit::free_port().unwrap())]);
    let second = run(words);
    assert_eq!(second.ended, Ended::Code(1), "{second:?}");
    assert!(second.stderr.contains("in use by another process"), "{second:?}");
    assert!(here.maya.run(&["me"]).unwrap().success(), "the first was hurt");
}
