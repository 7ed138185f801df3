//! Every way in which access ends before its time, on a real database with a session open.

use serde_json::Value;
use wane_testkit::{Interactive, PersonSession, WaneServer, wait_until};

use crate::database::{Account, Shop};
use crate::people::{POLICY, SOON, approve, ask_and_wait, granted, items, refused, text};

/// A live grant with an account and an open session.
struct InUse {
    grant: String,
    account: Account,
    open: Interactive,
}

impl InUse {
    fn by(shop: &Shop, person: &PersonSession) -> Self {
        let grant = granted(person, "readonly@shop", "30m");
        let account = shop.account(person, &grant);
        let open = shop.open(&account);
        Self { grant, account, open }
    }

    /// It ended for this cause, and nothing of it is left.
    fn assert_ended(self, shop: &Shop, cause: &str) -> Value {
        let closed = shop.wane.wait_closed(&self.grant);
        assert_eq!(closed["closure"]["cause"].as_str().map(|c| c.contains(cause)), Some(true), "{closed:#}");
        assert_eq!(closed["closure"]["word"], "gone", "{closed:#}");
        shop.assert_over(&self.account, Some(self.open));
        // In this order: said, done at the target, closed.
        let events = shop.wane.events(&self.grant);
        let at =
            |event: &str| events.iter().position(|e| e == event).unwrap_or_else(|| panic!("no {event}: {events:?}"));
        assert!(at("grant.ending") < at("lease.gone") && at("lease.gone") <= at("grant.closed"), "{events:?}");
        closed
    }
}

#[test]
fn revoking_a_grant_a_person_or_a_resource_ends_it() {
    let shop = Shop::with_gate("open");
    let (ada, maya) = (&shop.wane.ada, &shop.wane.maya);
    for what in ["grant", "person", "resource"] {
        let used = InUse::by(&shop, maya);
        let grant = used.grant.clone();
        match what {
            "grant" => ada.json(&["revoke", &grant, "-m", "over"]).unwrap(),
            "person" => ada.json(&["revoke", "--person", "maya", "-m", "over"]).unwrap(),
            _ => ada.json(&["revoke", "--resource", "shop", "-m", "over"]).unwrap(),
        };
        let closed = used.assert_ended(&shop, "revoked");
        assert_eq!((&closed["ending"]["by"], &closed["ending"]["reason"]), (&"ada".into(), &"over".into()), "{what}");
        refused(maya, &["credential", &grant], 5);
        refused(maya, &["revoke", &grant, "-m", "mine"], 3);
    }
}

#[test]
fn given_back_is_over_and_cannot_be_used_again() {
    let shop = Shop::with_gate("open");
    let maya = &shop.wane.maya;
    let used = InUse::by(&shop, maya);
    let grant = used.grant.clone();
    refused(&shop.wane.ada, &["done", &grant], 3);
    maya.json(&["done", &grant]).unwrap();
    used.assert_ended(&shop, "returned");
    refused(maya, &["credential", &grant], 5);
    assert!(items(&shop.wane.ada.json(&["live"]).unwrap()).is_empty());
    assert!(items(&shop.wane.ada.json(&["debts"]).unwrap()).is_empty());
}

#[test]
fn a_lock_ends_what_it_covers_and_refuses_until_it_is_lifted() {
    let shop = Shop::with_gate("open");
    let (ada, maya) = (&shop.wane.ada, &shop.wane.maya);
    for target in [["--person", "maya"], ["--resource", "shop"], ["--role", "postgres/readonly"]] {
        let used = InUse::by(&shop, maya);
        let lock = text(&ada.json(&["lock", "add", target[0], target[1], "-m", "stolen laptop"]).unwrap()["id"]);
        used.assert_ended(&shop, "locked");
        let said = refused(maya, &["request", "readonly@shop", "--for", "5m"], 3);
        assert!(said.contains("lock"), "{said}");
        ada.json(&["lock", "lift", &lock]).unwrap();
        let again = granted(maya, "readonly@shop", "5m");
        maya.json(&["done", &again]).unwrap();
        shop.wane.wait_closed(&again);
    }
}

#[test]
fn an_approval_taken_back_ends_the_grant() {
    let shop = Shop::with_gate("one");
    let maya = &shop.wane.maya;
    let omar = shop.wane.approver("omar");
    let request = ask_and_wait(maya, "readonly@shop", "30m");
    let grant = text(&approve(&omar, &request)["items"][0]["grant"]);
    let account = shop.account(maya, &grant);
    let open = shop.open(&account);
    refused(maya, &["deny", &grant, "-m", "I may not"], 3);
    omar.json(&["deny", &grant, "-m", "I was wrong"]).unwrap();
    InUse { grant, account, open }.assert_ended(&shop, "denied after approval");
}

#[test]
fn a_disabled_person_is_out_everywhere() {
    let shop = Shop::with_gate("open");
    let (ada, maya) = (&shop.wane.ada, &shop.wane.maya);
    let used = InUse::by(&shop, maya);
    assert!(maya.run(&["me"]).unwrap().success());
    ada.json(&["person", "disable", "maya"]).unwrap();
    // The token is dead at once, before anything else had to happen.
    refused(maya, &["me"], 3);
    used.assert_ended(&shop, "lost eligibility");
    let password = maya.password_file().display().to_string();
    refused(maya, &["login", "--person", "maya", "--password-file", &password, "--totp", "000000"], 3);
}

#[test]
fn a_policy_change_ends_what_lost_its_ground_and_a_bad_one_changes_nothing() {
    let shop = Shop::with_gate("open");
    let (ada, maya) = (&shop.wane.ada, &shop.wane.maya);
    let used = InUse::by(&shop, maya);

    let digest = |who: &PersonSession| who.json(&["policy", "show"]).unwrap()["digest"].clone();
    let before = digest(ada);
    for bad in [
        "permit (principal, action == Action::\"access\", resource);",
        &format!("{POLICY}\n@id(\"x\") @max_tttl(\"1h\") permit (principal, action == Action::\"access\", resource);"),
        "not cedar",
    ] {
        let outcome = ada.run_with(&["policy", "load", "-"], bad).unwrap();
        assert!(!outcome.success(), "{outcome:?}");
    }
    assert_eq!(digest(ada), before);
    assert_eq!(shop.wane.grant(&used.grant)["state"], "active");
    refused(maya, &["policy", "load", "/dev/null"], 3);

    let without = POLICY.replace("Label::\"gate=open\"", "Label::\"gate=elsewhere\"");
    shop.wane.load(&without);
    assert_ne!(digest(ada), before);
    used.assert_ended(&shop, "lost eligibility");
    refused(maya, &["request", "readonly@shop", "--for", "5m"], 3);
}

#[test]
fn a_nearer_cap_shortens_a_live_grant() {
    let shop = Shop::with_gate("open");
    let used = InUse::by(&shop, &shop.wane.maya);
    let end = |grant: &str| text(&shop.wane.grant(grant)["end"]);
    let (before, until) = (end(&used.grant), shop.valid_until(&used.account.user));
    shop.wane.load(&POLICY.replacen("@id(\"open\")\n@max_ttl(\"1h\")", "@id(\"open\")\n@max_ttl(\"10m\")", 1));
    wait_until("the grant to be shortened", SOON, || end(&used.grant) < before).unwrap();
    wait_until("the account to be shortened", SOON, || shop.valid_until(&used.account.user) < until).unwrap();
    // A wider cap gives nothing back.
    let after = end(&used.grant);
    shop.wane.load(POLICY);
    assert_eq!(end(&used.grant), after);
    let mut used = used;
    used.open.send_line("SELECT 'still here';").unwrap();
    used.open.wait_for("still here", SOON).unwrap();
}

#[test]
fn more_time_moves_the_end_in_place() {
    let shop = Shop::with_gate("open");
    let maya = &shop.wane.maya;
    let mut used = InUse::by(&shop, maya);
    let (end, until) = (text(&shop.wane.grant(&used.grant)["end"]), shop.valid_until(&used.account.user));

    refused(maya, &["extend", &used.grant, "--for", "2h"], 3);
    assert_eq!(text(&shop.wane.grant(&used.grant)["end"]), end);

    maya.json(&["extend", &used.grant, "--for", "10m"]).unwrap();
    assert!(text(&shop.wane.grant(&used.grant)["end"]) > end);
    wait_until("the account's own end to move", SOON, || shop.valid_until(&used.account.user) > until).unwrap();
    used.open.send_line("SELECT 'the same session';").unwrap();
    used.open.wait_for("the same session", SOON).unwrap();
    assert_eq!(shop.accounts(), [used.account.user.clone()]);
    maya.json(&["done", &used.grant]).unwrap();
    used.assert_ended(&shop, "returned");
}

#[test]
fn time_that_runs_out_cuts_the_session() {
    let shop = Shop::with(WaneServer::builder().with_clock(), "open");
    let used = InUse::by(&shop, &shop.wane.maya);
    // The last seconds pass by themselves; the rest was for a machine that is slow.
    shop.wane.server.set_clock(30 * 60 - 5).unwrap();
    used.assert_ended(&shop, "expired");
}
