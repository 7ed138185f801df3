//! What happens when something dies: the target, the server, in the middle of anything.

use std::time::Duration;

use serde_json::Value;
use wane_testkit::{WaneServer, wait_until};

use crate::database::Shop;
use crate::people::{SOON, granted, items};

#[test]
fn an_end_at_a_dead_target_is_a_debt_until_it_is_back() {
    let mut shop = Shop::with(WaneServer::builder().set("engine.retry_cap", "2s"), "open");
    let grant = granted(&shop.wane.maya, "readonly@shop", "30m");
    let account = shop.account(&shop.wane.maya, &grant);
    shop.postgres.stop().unwrap();
    shop.wane.maya.json(&["done", &grant]).unwrap();

    let debts = || shop.wane.ada.json(&["debts"]).unwrap();
    wait_until("a second try", SOON, || items(&debts()).first().is_some_and(|d| d["attempts"].as_u64() >= Some(2)))
        .unwrap();
    let debt = items(&debts())[0].clone();
    assert_eq!(
        (&debt["grant"], &debt["resource"], &debt["artifact"]),
        (&Value::from(grant.clone()), &"shop".into(), &account.user.clone().into())
    );
    assert!(debt["last"].is_string(), "{debt}");
    assert_eq!(shop.wane.grant(&grant)["state"], "ending");

    shop.postgres.start().unwrap();
    let closed = shop.wane.wait_closed(&grant);
    assert_eq!(closed["closure"]["word"], "gone");
    assert!(closed["closure"]["leases"][0]["basis"]["proof"].is_string(), "{closed:#}");
    assert!(items(&shop.wane.ada.json(&["debts"]).unwrap()).is_empty());
    shop.assert_over(&account, None);
}

#[test]
fn a_rotated_connector_password_makes_debts_until_it_is_given() {
    let shop = Shop::with(WaneServer::builder().set("engine.retry_cap", "2s"), "open");
    let (ada, maya) = (&shop.wane.ada, &shop.wane.maya);
    let grant = granted(maya, "readonly@shop", "30m");
    let account = shop.account(maya, &grant);
    let open = shop.open(&account);
    // Somebody rotates it at the server and tells nobody; what was logged in is thrown out.
    let rotated = shop.wane.server.person("rotated").unwrap();
    rotated.choose_password().unwrap();
    let password = std::fs::read_to_string(rotated.password_file()).unwrap();
    let sql = format!(
        "ALTER ROLE wane PASSWORD '{password}'; \
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'wane';"
    );
    shop.postgres.psql("shop", &sql).unwrap();
    maya.json(&["done", &grant]).unwrap();

    let debts = || ada.json(&["debts"]).unwrap();
    wait_until("a second try", SOON, || items(&debts()).first().is_some_and(|d| d["attempts"].as_u64() >= Some(2)))
        .unwrap();
    let debt = items(&debts())[0].clone();
    assert!(debt["last"].as_str().is_some_and(|why| why.contains("password")), "it does not say why: {debt:#}");
    assert_eq!(shop.accounts(), std::slice::from_ref(&account.user), "something got in with the old password");
    // Meanwhile nothing is made there either.
    let other = granted(maya, "readonly@shop", "20m");
    assert!(!maya.run(&["credential", &other]).unwrap().success());

    let file = rotated.password_file().display().to_string();
    assert!(ada.run(&["resource", "credential", "shop", "--credential-file", &file]).unwrap().success());
    let closed = shop.wane.wait_closed(&grant);
    assert_eq!(closed["closure"]["word"], "gone");
    wait_until("every debt to be paid", SOON, || items(&debts()).is_empty()).unwrap();
    shop.assert_over(&account, Some(open));
    let fresh = shop.account(maya, &other);
    assert!(shop.run(&fresh, "SELECT 1").success());
    assert!(!shop.wane.server.log().contains(&password), "the password is in the log");
}

#[test]
fn a_killed_server_ends_what_ran_out_meanwhile() {
    let mut shop = Shop::with(WaneServer::builder().with_clock(), "open");
    let grant = granted(&shop.wane.maya, "readonly@shop", "30m");
    let account = shop.account(&shop.wane.maya, &grant);
    let open = shop.open(&account);
    shop.wane.server.kill_9().unwrap();
    // However slow the machine is, it runs out only now.
    shop.wane.server.set_clock(30 * 60).unwrap();
    assert_eq!(shop.accounts(), std::slice::from_ref(&account.user), "somebody removed it while the server was dead");
    shop.wane.server.start().unwrap();
    let closed = shop.wane.wait_closed(&grant);
    assert_eq!((&closed["closure"]["cause"], &closed["closure"]["word"]), (&"expired".into(), &"gone".into()));
    shop.assert_over(&account, Some(open));
}

#[test]
fn a_crash_in_the_middle_of_making_leaves_nothing() {
    let mut shop = Shop::with_gate("open");
    let grant = granted(&shop.wane.maya, "readonly@shop", "30m");
    // The database takes connections and never answers: the intent stands, the account does not.
    shop.postgres.pause();
    let asking = shop.wane.maya.interactive(&["credential", &grant]).unwrap();
    let lease_state = |shop: &Shop| shop.wane.grant(&grant)["leases"][0]["state"].clone();
    wait_until("the intent to be written", SOON, || lease_state(&shop) == "intended").unwrap();
    shop.wane.server.kill_9().unwrap();
    shop.postgres.resume();
    drop(asking);
    shop.wane.server.start().unwrap();
    wait_until("the intent to be swept", SOON, || lease_state(&shop) == "gone")
        .unwrap_or_else(|e| panic!("{e}\n{:#}\n{}", shop.wane.grant(&grant), shop.wane.server.log()));
    assert_eq!(shop.accounts(), Vec::<String>::new());
    // The grant itself lives on: another credential can be had.
    let account = shop.account(&shop.wane.maya, &grant);
    assert!(shop.run(&account, "SELECT 1").success());
    shop.wane.maya.json(&["done", &grant]).unwrap();
    shop.wane.wait_closed(&grant);
    shop.assert_over(&account, None);
}

#[test]
fn an_orphan_is_removed_and_a_stranger_is_left_alone() {
    let shop = Shop::with(WaneServer::builder().set("engine.inventory_every", "2s"), "open");
    let grant = granted(&shop.wane.maya, "readonly@shop", "30m");
    let account = shop.account(&shop.wane.maya, &grant);
    // A name no lease has, marked as ours; and one that only looks alike.
    let comment =
        format!("SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = '{}'", account.user);
    let mark = shop.postgres.psql("shop", &comment).unwrap();
    let mut orphan = account.user.clone();
    orphan.replace_range(14..16, if &orphan[14..16] == "00" { "11" } else { "00" });
    let sql = format!(
        "SET ROLE wane; CREATE ROLE \"{orphan}\" LOGIN; COMMENT ON ROLE \"{orphan}\" IS '{mark}'; \
         CREATE ROLE wane_metrics LOGIN;"
    );
    shop.postgres.psql("shop", &sql).unwrap();
    let stranger = "wane_metrics".to_owned();
    wait_until("the orphan to be removed", SOON, || !shop.accounts().contains(&orphan))
        .unwrap_or_else(|e| panic!("{e}: {:?}\n{}", shop.accounts(), shop.wane.server.log()));
    let mut left = vec![account.user.clone(), stranger];
    left.sort();
    assert_eq!(shop.accounts(), left);
    assert!(shop.run(&account, "SELECT 1").success(), "the live account was hurt");
    let log = shop.wane.ada.json(&["log", "--event", "orphan."]).unwrap();
    assert!(!items(&log).is_empty(), "its removal is not in the log");
}

#[test]
fn a_frozen_target_keeps_no_other_from_its_end() {
    let shop = Shop::with_gate("open");
    shop.wane.deploy_role();
    shop.wane.paper_host("web", "gate=open");
    let stuck = granted(&shop.wane.maya, "readonly@shop", "30m");
    let account = shop.account(&shop.wane.maya, &stuck);
    let free = granted(&shop.wane.maya, "deploy@web", "30m");
    shop.postgres.pause();
    shop.wane.maya.json(&["done", &stuck, &free]).unwrap();
    let closed = shop.wane.wait_closed(&free);
    assert_eq!(closed["state"], "closed");
    assert_ne!(shop.wane.grant(&stuck)["state"], "closed");
    shop.postgres.resume();
    wait_until("the other to follow", 2 * SOON.max(Duration::from_secs(90)), || {
        shop.wane.grant(&stuck)["state"] == "closed"
    })
    .unwrap();
    shop.assert_over(&account, None);
}
