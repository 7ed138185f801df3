//! Places and accounts in a real SCIM application: what several grants give, what was there before, what others do there; and
//! in another Wane, which is an application to this one.

use std::thread;

use serde_json::{Value, json};
use wane_testkit::{PersonSession, ScimApplication, WaneServer, WaneServerBuilder, wait_until};

use crate::directory::corp::Corp;
use crate::people::{Deployment, SOON, granted, items, text};

pub(crate) const GROUP: &str = "Admins";

/// A deployment with the application `shop`, its roles `admins` and `operators`, which are one group, `user` and `guest`, and `maya`
/// in it under her own name.
pub(crate) struct Office {
    // First, so that the server still reaches it when it ends what it must.
    pub(crate) wane: Deployment,
    pub(crate) app: ScimApplication,
    /// The application's ids.
    pub(crate) group: String,
    pub(crate) maya: String,
}

fn register(wane: &Deployment, url: &str, token: &str) {
    let file = wane.server.data().join("shop.token");
    std::fs::write(&file, token).unwrap();
    let settings = json!({ "url": url, "groups": [GROUP], "accounts": {} }).to_string();
    let file = file.display().to_string();
    let words = ["resource", "add", "shop", "--kind", "scim", "--label", "gate=open"];
    wane.ada.json(&[&words[..], &["--settings", &settings, "--credential-file", &file]].concat()).unwrap();
    for (role, set) in [
        ("scim/admins", format!("group={GROUP}")),
        ("scim/operators", format!("group={GROUP}")),
        ("scim/user", "account=deactivated".to_owned()),
        ("scim/guest", "account=deleted".to_owned()),
    ] {
        wane.ada.json(&["role", "add", role, "--set", &set]).unwrap();
    }
}

impl Office {
    pub(crate) fn with(builder: WaneServerBuilder) -> Self {
        let wane = Deployment::with(builder);
        let app = ScimApplication::start().unwrap();
        let (group, maya) = (app.group(GROUP).unwrap(), app.user("maya").unwrap());
        register(&wane, &app.url(), app.token());
        Self { wane, app, group, maya }
    }

    fn usual() -> Self {
        Self::with(WaneServer::builder())
    }

    /// Asks for a role, and takes up what it gives.
    fn taken_up(&self, role: &str) -> String {
        let grant = granted(&self.wane.maya, &format!("{role}@shop"), "20m");
        take_up(&self.wane.maya, &grant);
        grant
    }

    pub(crate) fn is_in(&self) -> bool {
        self.app.members(GROUP).unwrap().contains(&self.maya)
    }

    /// Gives a grant back, and waits; the word of its closure.
    fn over(&self, grant: &str) -> String {
        over(&self.wane, grant)
    }
}

fn take_up(person: &PersonSession, grant: &str) -> Value {
    person.json(&["credential", grant]).unwrap()
}

fn over(wane: &Deployment, grant: &str) -> String {
    wane.maya.json(&["done", grant]).unwrap();
    text(&wane.wait_closed(grant)["closure"]["word"])
}

#[test]
fn a_place_in_an_application_goes_with_the_last_grant_that_gives_it() {
    let office = Office::usual();
    let first = granted(&office.wane.maya, "admins@shop", "20m");
    assert!(!office.is_in(), "nothing is made before it is taken up");
    let given = take_up(&office.wane.maya, &first);
    assert_eq!((&given["public"]["group"], &given["public"]["member"]), (&json!(GROUP), &json!("maya")));
    let second = office.taken_up("operators");
    assert_eq!(office.over(&first), "still given");
    assert!(office.is_in(), "the second grant still gives it");
    assert_eq!(office.over(&second), "gone");
    assert!(!office.is_in());
    // What was there before stays, and the inventory lists it; once it is taken past Wane it is Wane's to give and to take.
    office.app.add(&office.group, &office.maya).unwrap();
    let third = office.taken_up("admins");
    assert_eq!(office.over(&third), "standing");
    assert!(office.is_in(), "what was not Wane's was taken");
    let found = office.wane.ada.json(&["resource", "inventory", "shop"]).unwrap();
    let standing = found["standing"].as_array().unwrap();
    assert!(standing.iter().any(|one| one["right"] == format!("member of {GROUP}")), "{found:#}");
    office.app.remove(&office.group, &office.maya).unwrap();
    let fourth = office.taken_up("admins");
    assert_eq!(office.over(&fourth), "gone");
    assert!(!office.is_in());
}

#[test]
fn who_is_taken_out_past_wane_has_no_grant_any_more_and_who_is_put_back_is_found() {
    let office = Office::with(WaneServer::builder().set("engine.inventory_every", "1s"));
    let grant = office.taken_up("admins");
    office.app.remove(&office.group, &office.maya).unwrap();
    let closed = office.wane.wait_closed(&grant);
    assert_eq!(closed["ending"]["cause"], "taken away", "{closed:#}");
    assert!(!office.is_in(), "what somebody took was given back");
    office.app.add(&office.group, &office.maya).unwrap();
    let mut found = Value::Null;
    wait_until("the finding", SOON, || {
        found = office.wane.ada.json(&["resource", "inventory", "shop"]).unwrap();
        let findings = found["findings"].as_array().unwrap();
        findings.iter().any(|f| f.as_str().unwrap().contains(&grant) && f.as_str().unwrap().contains("past Wane"))
    })
    .unwrap_or_else(|e| panic!("{e}: {found:#}"));
    assert!(office.is_in());
}

#[test]
fn somebody_without_an_account_is_given_one_and_then_a_place_and_both_go() {
    let office = Office::usual();
    let zoe = office.wane.server.newcomer(&office.wane.ada, "zoe", &["engineers"]).unwrap();
    let place = granted(&zoe, "admins@shop", "20m");
    let outcome = zoe.run(&["credential", &place]).unwrap();
    assert!(!outcome.success() && outcome.stderr.contains("no account has `userName` `zoe`"), "{outcome:?}");
    // It was asked before anything was intended, so nothing is owed.
    assert_eq!(office.wane.grant(&place)["leases"], json!([]));

    let account = granted(&zoe, "guest@shop", "20m");
    take_up(&zoe, &account);
    assert!(office.app.is_active("zoe").unwrap());
    take_up(&zoe, &place);
    let id = text(&office.app.find_user("zoe").unwrap().unwrap()["id"]);
    assert!(office.app.members(GROUP).unwrap().contains(&id));
    // Whoever leaves has neither.
    office.wane.ada.json(&["offboard", "zoe", "--reason", "left"]).unwrap();
    for grant in [&account, &place] {
        assert_eq!(office.wane.wait_closed(grant)["closure"]["word"], "gone");
    }
    assert_eq!(office.app.find_user("zoe").unwrap(), None);
    assert!(!office.app.members(GROUP).unwrap().contains(&id));
    // An account that was there before stays.
    let standing = office.taken_up("user");
    assert_eq!(office.over(&standing), "standing");
    assert!(office.app.is_active("maya").unwrap());
}

#[test]
fn ends_and_beginnings_at_once_leave_what_is_given() {
    let office = Office::usual();
    for round in 0..4 {
        let (first, second) = (office.taken_up("admins"), office.taken_up("operators"));
        let third = granted(&office.wane.maya, "admins@shop", "21m");
        let maya = &office.wane.maya;
        thread::scope(|scope| {
            scope.spawn(|| maya.json(&["done", &first]).unwrap());
            scope.spawn(|| maya.json(&["done", &second]).unwrap());
            scope.spawn(|| take_up(maya, &third));
        });
        office.wane.wait_closed(&first);
        office.wane.wait_closed(&second);
        assert!(office.is_in(), "round {round}: the third grant gives it, and somebody else's end took it");
        assert_eq!(office.over(&third), "gone", "round {round}");
        assert!(!office.is_in(), "round {round}");
    }
}

#[test]
fn an_end_waits_for_an_application_that_is_silent_and_then_happens() {
    let office = Office::with(WaneServer::builder().set("engine.retry_cap", "1s"));
    let grant = office.taken_up("admins");
    office.app.freeze().unwrap();
    office.wane.maya.json(&["done", &grant]).unwrap();
    wait_until("a try", SOON, || office.wane.grant(&grant)["leases"][0]["debt"]["attempts"].as_u64() > Some(0))
        .unwrap();
    assert_ne!(office.wane.grant(&grant)["state"], "closed");
    office.app.thaw().unwrap();
    assert_eq!(office.wane.wait_closed(&grant)["closure"]["word"], "gone");
    assert!(!office.is_in());
}

/// Another implementation: the directory that a second Wane lets others push to.
#[test]
fn another_wane_is_an_application_like_any_other() {
    let there = Deployment::new();
    let corp = Corp::added(&there.ada, "corp", &["--group", &format!("{GROUP}=shop-admins")]);
    corp.group(GROUP, &[]);
    let here = Deployment::new();
    register(&here, &corp.url, &corp.token);
    // Nobody of that name is there: a name that somebody has is given to nobody else.
    let zoe = here.server.newcomer(&here.ada, "zoe", &["engineers"]).unwrap();
    let account = granted(&zoe, "user@shop", "20m");
    take_up(&zoe, &account);
    let place = granted(&zoe, "admins@shop", "20m");
    take_up(&zoe, &place);
    let over = |grant: &str| {
        zoe.json(&["done", grant]).unwrap();
        text(&here.wait_closed(grant)["closure"]["word"])
    };
    let listed =
        |path: &str| corp.call("GET", path, &Value::Null).body["Resources"].as_array().cloned().unwrap_or_default();
    let pushed = listed("/Users").into_iter().find(|user| user["userName"] == "zoe").unwrap();
    assert_eq!(pushed["active"], true, "{pushed}");
    let members = |groups: Vec<Value>| {
        let group = groups.into_iter().find(|group| group["displayName"] == GROUP).unwrap();
        group["members"].as_array().cloned().unwrap_or_default()
    };
    assert_eq!(members(listed("/Groups"))[0]["value"], pushed["id"]);
    assert_eq!(over(&place), "gone");
    assert_eq!(members(listed("/Groups")), Vec::<Value>::new());
    assert_eq!(over(&account), "gone");
    let left = listed("/Users").into_iter().find(|user| user["userName"] == "zoe").unwrap();
    assert_eq!(left["active"], false, "{left}");
    let people = there.ada.json(&["person", "list"]).unwrap();
    assert!(items(&people).iter().any(|person| person["name"].as_str().is_some_and(|name| name == "zoe")), "{people}");
}
