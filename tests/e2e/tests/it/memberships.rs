//! Places in groups of a real directory: what several grants give, what was there before, what others do there.

use std::thread;

use serde_json::{Value, json};
use wane_testkit::{PersonSession, Slapd, WaneServer, WaneServerBuilder, wait_until};

use crate::people::{Deployment, SOON, granted, text};

pub(crate) const ADMINS: &str = "cn=admins,ou=groups,dc=example,dc=org";
pub(crate) const MAYA: &str = "uid=maya,ou=people,dc=example,dc=org";

/// A deployment with the directory `corp`, its roles `admins` and `operators`, which are one group, and `maya`
/// in it under her own name.
pub(crate) struct Office {
    // First, so that the server still reaches it when it ends what it must.
    pub(crate) wane: Deployment,
    pub(crate) slapd: Slapd,
}

impl Office {
    pub(crate) fn with(builder: WaneServerBuilder) -> Self {
        let wane = Deployment::with(builder);
        let slapd = Slapd::builder().start().unwrap();
        slapd.person("uid=maya", "maya").unwrap();
        let file = wane.server.data().join("corp.password");
        std::fs::write(&file, slapd.connector_password()).unwrap();
        let settings = json!({
            "urls": [format!("ldaps://127.0.0.1:{}", slapd.secure_port())],
            "tls": { "ca_pem": slapd.ca_pem().unwrap() },
            "bind_dn": "cn=wane,dc=example,dc=org",
            "base": "dc=example,dc=org",
            "people": { "base": "ou=people,dc=example,dc=org" },
            "groups": [ADMINS],
            "placeholder": "cn=nobody,dc=example,dc=org",
        })
        .to_string();
        let file = file.display().to_string();
        let words = ["resource", "add", "corp", "--kind", "ldap", "--label", "gate=open"];
        let words = [&words[..], &["--settings", &settings, "--credential-file", &file]].concat();
        wane.ada.json(&words).unwrap();
        let group = format!("group={}", json!(ADMINS));
        for role in ["ldap/admins", "ldap/operators"] {
            wane.ada.json(&["role", "add", role, "--set", &group]).unwrap();
        }
        Self { wane, slapd }
    }

    pub(crate) fn usual() -> Self {
        Self::with(WaneServer::builder())
    }

    /// Asks for a role, and takes up the place it gives.
    fn joined(&self, role: &str) -> String {
        let grant = granted(&self.wane.maya, &format!("{role}@corp"), "20m");
        self.join(&grant);
        grant
    }

    fn join(&self, grant: &str) -> Value {
        self.wane.maya.json(&["credential", grant]).unwrap()
    }

    pub(crate) fn is_in(&self) -> bool {
        self.slapd.values(ADMINS, "member").unwrap().contains(&MAYA.to_owned())
    }

    fn past_wane(&self, how: &str) {
        let ldif = format!("dn: {ADMINS}\nchangetype: modify\n{how}: member\nmember: {MAYA}\n");
        self.slapd.modify(&ldif).unwrap();
    }

    /// Gives a grant back, and waits; the word of its closure and the proof of its one lease.
    fn over(&self, person: &PersonSession, grant: &str) -> (String, String) {
        person.json(&["done", grant]).unwrap();
        self.closure(grant)
    }

    fn closure(&self, grant: &str) -> (String, String) {
        let closed = self.wane.wait_closed(grant);
        let closure = &closed["closure"];
        (text(&closure["word"]), closure["leases"][0]["basis"]["proof"].as_str().unwrap_or_default().to_owned())
    }
}

#[test]
fn a_place_comes_with_a_grant_and_goes_with_it() {
    let office = Office::usual();
    let grant = granted(&office.wane.maya, "admins@corp", "20m");
    assert!(!office.is_in(), "nothing is made before it is taken up");
    let given = office.join(&grant);
    assert_eq!((&given["public"]["group"], &given["public"]["member"]), (&json!(ADMINS), &json!(MAYA)));
    assert_eq!(given["secret"], Value::Null);
    assert!(office.is_in() && office.slapd.reads_secrets(MAYA).unwrap());
    // Taken up twice it is there once.
    office.join(&grant);
    let (word, proof) = office.over(&office.wane.maya, &grant);
    assert_eq!(word, "gone");
    assert!(proof.contains(ADMINS) && proof.contains(MAYA), "{proof}");
    assert!(!office.is_in() && !office.slapd.reads_secrets(MAYA).unwrap());
}

#[test]
fn what_several_grants_give_goes_with_the_last() {
    let office = Office::usual();
    let first = office.joined("admins");
    let second = office.joined("operators");
    let (word, proof) = office.over(&office.wane.maya, &first);
    assert_eq!(word, "still given");
    assert!(proof.contains(MAYA), "{proof}");
    assert!(office.is_in(), "the second grant still gives it");
    let (word, _) = office.over(&office.wane.maya, &second);
    assert_eq!(word, "gone");
    assert!(!office.is_in());
    let story = office.wane.ada.run(&["story", &first]).unwrap().stdout;
    assert!(story.contains(&format!("because {second} gives the same")), "{story}");
}

#[test]
fn what_was_there_before_stays_and_the_closure_says_so() {
    let office = Office::usual();
    office.past_wane("add");
    let (first, second) = (office.joined("admins"), office.joined("operators"));
    for grant in [&first, &second] {
        let (word, proof) = office.over(&office.wane.maya, grant);
        assert_eq!(word, "standing", "{proof}");
        assert!(office.is_in(), "what was not Wane's was taken");
    }
    let found = office.wane.ada.json(&["resource", "inventory", "corp"]).unwrap();
    let standing = found["standing"].as_array().unwrap();
    assert!(standing.iter().any(|s| s["principal"] == MAYA), "{found:#}");
    // Taken past Wane it is nobody's; given once more it is Wane's, and goes.
    office.past_wane("delete");
    let third = office.joined("admins");
    let found = office.wane.ada.json(&["resource", "inventory", "corp"]).unwrap();
    assert!(!found["standing"].as_array().unwrap().iter().any(|s| s["principal"] == MAYA), "{found:#}");
    assert_eq!(office.over(&office.wane.maya, &third).0, "gone");
    assert!(!office.is_in());
}

/// What was there before is gone, and a grant of Wane's has made it since: it goes with that grant, whatever
/// the other once saw.
#[test]
fn what_only_was_there_before_keeps_nothing_of_wanes() {
    let office = Office::usual();
    office.past_wane("add");
    let standing = office.joined("admins");
    office.past_wane("delete");
    let made = office.joined("operators");
    assert!(office.is_in());
    assert_eq!(office.over(&office.wane.maya, &made).0, "gone");
    assert!(!office.is_in(), "it stayed in the name of what was there before");
    assert_eq!(office.over(&office.wane.maya, &standing).0, "gone");
}

#[test]
fn who_is_taken_out_past_wane_has_no_grant_any_more() {
    let office = Office::with(WaneServer::builder().set("engine.inventory_every", "1s"));
    let grant = office.joined("admins");
    office.past_wane("delete");
    let closed = office.wane.wait_closed(&grant);
    assert_eq!(closed["ending"]["cause"], "taken away", "{closed:#}");
    assert_eq!(closed["closure"]["word"], "gone");
    assert!(!office.is_in(), "what somebody took was given back");
    // And who is put back in after an end is found, and left.
    office.past_wane("add");
    let mut found = Value::Null;
    wait_until("the finding", SOON, || {
        found = office.wane.ada.json(&["resource", "inventory", "corp"]).unwrap();
        let findings = found["findings"].as_array().unwrap();
        findings.iter().any(|f| f.as_str().unwrap().contains(&grant) && f.as_str().unwrap().contains("past Wane"))
    })
    .unwrap_or_else(|e| panic!("{e}: {found:#}"));
    assert!(office.is_in());
}

#[test]
fn two_ends_and_a_beginning_at_once_leave_what_is_given() {
    let office = Office::usual();
    for round in 0..6 {
        let (first, second) = (office.joined("admins"), office.joined("operators"));
        let third = granted(&office.wane.maya, "admins@corp", "21m");
        let maya = &office.wane.maya;
        thread::scope(|scope| {
            scope.spawn(|| maya.json(&["done", &first]).unwrap());
            scope.spawn(|| maya.json(&["done", &second]).unwrap());
            scope.spawn(|| office.join(&third));
        });
        office.closure(&first);
        office.closure(&second);
        assert!(office.is_in(), "round {round}: the third grant gives it, and somebody else's end took it");
        assert_eq!(office.over(maya, &third).0, "gone", "round {round}");
        assert!(!office.is_in(), "round {round}");
    }
}

#[test]
fn an_end_waits_for_a_directory_that_is_down_and_then_happens() {
    let mut office = Office::with(WaneServer::builder().set("engine.retry_cap", "1s"));
    let grant = office.joined("admins");
    office.slapd.stop().unwrap();
    office.wane.maya.json(&["done", &grant]).unwrap();
    wait_until("a try", SOON, || office.wane.grant(&grant)["leases"][0]["debt"]["attempts"].as_u64() > Some(0))
        .unwrap();
    assert_ne!(office.wane.grant(&grant)["state"], "closed");
    office.slapd.resume().unwrap();
    assert_eq!(office.closure(&grant).0, "gone");
    assert!(!office.is_in());
}

#[test]
fn who_is_not_in_the_directory_is_told_so() {
    let office = Office::usual();
    let omar = office.wane.server.newcomer(&office.wane.ada, "omar", &["engineers"]).unwrap();
    let grant = granted(&omar, "admins@corp", "20m");
    let outcome = omar.run(&["credential", &grant]).unwrap();
    assert!(!outcome.success() && outcome.stderr.contains("no entry has `uid` omar"), "{outcome:?}");
    // It was asked before anything was intended, so nothing is owed.
    assert_eq!(office.wane.grant(&grant)["leases"], json!([]));
}
