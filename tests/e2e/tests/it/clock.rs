//! The real server on a machine whose clock is set, before it starts and while it runs.

use wane_testkit::{PersonSession, WaneServer, wait_until};

use crate::database::Shop;
use crate::people::{SOON, granted};

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;

fn shop() -> Shop {
    Shop::with(WaneServer::builder().with_clock(), "open")
}

/// Nothing can be begun, and it is said why.
fn assert_nothing_begins(person: &PersonSession, held: &str) {
    for words in
        [&["request", "readonly@shop", "--for", "5m"][..], &["credential", held], &["extend", held, "--for", "5m"]]
    {
        let outcome = person.run(words).unwrap();
        assert!(!outcome.success() && outcome.stderr.contains("clock is behind"), "{words:?}: {outcome:?}");
    }
}

#[test]
fn a_clock_set_while_the_server_runs_prolongs_nothing() {
    let shop = shop();
    let maya = &shop.wane.maya;
    let short = granted(maya, "readonly@shop", "30m");
    let account = shop.account(maya, &short);
    let open = shop.open(&account);
    shop.wane.server.set_clock(40 * MINUTE).unwrap();
    let closed = shop.wane.wait_closed(&short);
    assert_eq!((&closed["closure"]["cause"], &closed["closure"]["word"]), (&"expired".into(), &"gone".into()));
    shop.assert_over(&account, Some(open));

    let held = granted(maya, "readonly@shop", "30m");
    let account = shop.account(maya, &held);
    let open = shop.open(&account);
    shop.wane.server.set_clock(0).unwrap();
    wait_until("the clock to be read", SOON, || !maya.run(&["credential", &held]).unwrap().success()).unwrap();
    assert_nothing_begins(maya, &held);
    maya.json(&["done", &held]).unwrap();
    shop.wane.wait_closed(&held);
    shop.assert_over(&account, Some(open));

    shop.wane.server.set_clock(41 * MINUTE).unwrap();
    let begins = || maya.run(&["request", "readonly@shop", "--for", "5m"]).unwrap().success();
    wait_until("an access that begins", SOON, begins).unwrap();
}

#[test]
fn a_server_started_with_its_clock_set_back_begins_nothing_and_ends_everything() {
    let mut shop = shop();
    let short = granted(&shop.wane.maya, "readonly@shop", "25s");
    let account = shop.account(&shop.wane.maya, &short);
    let open = shop.open(&account);
    shop.wane.server.stop().unwrap();
    shop.wane.server.set_clock(-DAY).unwrap();
    shop.wane.server.start().unwrap();
    assert_nothing_begins(&shop.wane.maya, &short);
    // By the clock of the machine there is a day left.
    let closed = shop.wane.wait_closed(&short);
    assert_eq!((&closed["closure"]["cause"], &closed["closure"]["word"]), (&"expired".into(), &"gone".into()));
    shop.assert_over(&account, Some(open));
    shop.wane.server.set_clock(0).unwrap();
    let begins = || shop.wane.maya.run(&["request", "readonly@shop", "--for", "5m"]).unwrap().success();
    wait_until("an access that begins", SOON, begins).unwrap();
}
