//! Directories that tell of their changes (RFC 4533), and one that has ways of its own: what they say counts as soon as
//! it is heard.

use serde_json::Value;
use wane_testkit::{ActiveDirectory, Slapd, SlapdBuilder, WaneServer};

use crate::directory::corp::{arrives, policy};
use crate::kept::{Corp, GROUP, PEOPLE};
use crate::people::{Deployment, granted, items, text};

/// Longer than any test: what is seen was told.
const NEVER: &str = "every = \"1h\"";

/// A directory with the overlay that tells.
fn telling() -> SlapdBuilder {
    Slapd::builder().line("overlay syncprov")
}

fn told(more: &str) -> Corp {
    Corp::over(telling(), WaneServer::builder(), &format!("{NEVER}\n{more}"))
}

fn pulled(wane: &Deployment) -> Value {
    items(&wane.ada.json(&["pulled"]).unwrap())[0].clone()
}

/// INV-8: nobody waits for the interval.
#[test]
fn a_change_that_is_told_is_judged_at_once() {
    let corp = told("");
    corp.wait("everybody", |c| c.staff() == ["anna"] && c.standing("dirk") == "active");
    assert_eq!(pulled(&corp.wane)["hears"], "at_once");
    let table = corp.wane.ada.run(&["pulled"]).unwrap();
    assert!(table.stdout.contains("at once"), "{table:?}");
    corp.wane.paper_host("web-1", "gate=open");
    corp.wane.deploy_role();
    corp.wane.load(&policy("staff"));
    let anna = arrives(&corp.wane.server, &corp.wane.ada, "anna");
    let grant = granted(&anna, "deploy@web-1", "30m");
    corp.slapd
        .modify(&format!("dn: {GROUP}\nchangetype: modify\ndelete: member\nmember: uid=anna,{PEOPLE}\n"))
        .unwrap();
    corp.wane.wait_closed(&grant);
    assert!(corp.staff().is_empty());

    corp.slapd.person("uid=emil", "emil").unwrap();
    corp.wait("somebody new", |c| c.standing("emil") == "active");
    corp.slapd.modify(&format!("dn: {GROUP}\nchangetype: modify\nadd: member\nmember: uid=anna,{PEOPLE}\n")).unwrap();
    corp.wait("anna to be back in the group", |c| c.staff() == ["anna"]);
    let grant = granted(&anna, "deploy@web-1", "31m");
    corp.delete("anna");
    corp.wane.wait_closed(&grant);
    assert_eq!(corp.standing("anna"), "disabled");
    assert!(!anna.run(&["whoami"]).unwrap().success(), "she is signed in still");
}

/// Whatever happened while nobody listened is there once somebody does.
#[test]
fn nothing_is_missed_while_the_directory_or_the_server_is_away() {
    let mut corp = told("");
    corp.wait("everybody", |c| c.staff() == ["anna"] && c.standing("dirk") == "active");
    corp.slapd.stop().unwrap();
    corp.wait("it to be missed", |c| pulled(&c.wane)["silent"].is_string());
    assert_eq!(corp.standing("dirk"), "active", "silence disabled somebody");
    corp.slapd.resume().unwrap();
    corp.delete("dirk");
    corp.wait("what was told in between", |c| c.standing("dirk") == "disabled");
    corp.wait("it to be heard", |c| pulled(&c.wane)["hears"] == "at_once");
    corp.wane.server.stop().unwrap();
    corp.delete("cora");
    corp.wane.server.start().unwrap();
    corp.wait("what was told while it was down", |c| c.standing("cora") == "disabled");
    corp.slapd.person("uid=fred", "fred").unwrap();
    corp.wait("what is told after it", |c| c.standing("fred") == "active");
}

/// What was listened to is another entry then, and is listened to anew.
#[test]
fn a_directory_whose_group_is_made_anew_is_listened_to_again() {
    let corp = told("");
    corp.wait("everybody", |c| c.staff() == ["anna"] && pulled(&c.wane)["hears"] == "at_once");
    let again = format!("objectClass: groupOfNames\nmember: uid=keeper,{PEOPLE}\nmember: uid=bert,{PEOPLE}\n");
    let gone = format!("dn: {GROUP}\nchangetype: delete\n\n");
    corp.slapd.modify(&format!("{gone}dn: {GROUP}\nchangetype: add\n{again}")).unwrap();
    corp.wait("the group as it is now", |c| c.staff() == ["bert"]);
    corp.slapd.person("uid=emil", "emil").unwrap();
    corp.wait("somebody new", |c| c.standing("emil") == "active");
    corp.slapd.modify(&format!("dn: {GROUP}\nchangetype: modify\nadd: member\nmember: uid=emil,{PEOPLE}\n")).unwrap();
    corp.wait("who came into the new group", |c| c.staff() == ["bert", "emil"]);
}

#[test]
fn what_is_told_by_notice_is_not_believed_blindly() {
    let corp = told("disabled_filter = \"(employeeType=left)\"");
    corp.wait("everybody", |c| c.staff() == ["anna"] && c.standing("dirk") == "active");
    let says = |how: &str, name: &str| {
        let change = format!("dn: uid={name},{PEOPLE}\nchangetype: modify\n{how}: employeeType\nemployeeType: left\n");
        corp.slapd.modify(&change).unwrap();
    };
    // One by one, as a broken export does it: each alone would pass.
    for name in ["dirk", "anna"] {
        says("add", name);
        corp.wait("who is disabled by the filter of the settings", |c| c.standing(name) == "disabled");
    }
    says("add", "bert");
    corp.wait("it to be held back", |c| c.events("directory.held_back") > 0);
    assert_eq!(corp.standing("bert"), "active");
    assert!(pulled(&corp.wane)["held_back"].is_string());
    says("delete", "bert");
    corp.wait("it to be believed again", |c| pulled(&c.wane)["held_back"].is_null());
    assert_eq!((corp.standing("bert"), corp.standing("cora")), ("active".to_owned(), "active".to_owned()));
}

/// Told or not: what is not is read at the interval, as ever.
#[test]
fn what_is_not_told_is_read_at_the_interval() {
    let corp = Corp::over(telling(), WaneServer::builder(), "every = \"2s\"");
    corp.wait("everybody", |c| c.staff() == ["anna"] && c.standing("dirk") == "active");
    // Out of the base, to where the reader sees nothing: of that not every server tells.
    let to = "newrdn: uid=dirk\ndeleteoldrdn: 0\nnewsuperior: ou=secrets,dc=example,dc=org";
    corp.slapd.modify(&format!("dn: uid=dirk,{PEOPLE}\nchangetype: modrdn\n{to}\n")).unwrap();
    corp.wait("him to be disabled", |c| c.standing("dirk") == "disabled");
    assert_eq!(pulled(&corp.wane)["hears"], "at_once");
}

/// One that has the control and tells nothing of these entries is read as ever.
#[test]
fn a_directory_that_does_not_tell_is_read_at_its_interval() {
    let corp = Corp::new("");
    corp.wait("everybody", |c| c.staff() == ["anna"] && c.standing("dirk") == "active");
    assert_eq!(pulled(&corp.wane)["hears"], "at_intervals");
    let table = corp.wane.ada.run(&["pulled"]).unwrap();
    assert!(table.stdout.contains("at its interval"), "{table:?}");
}

/// Against the simulator: pages, ranges, binary ids, flags, referrals, and a primary group.
#[test]
fn people_and_groups_come_from_active_directory() {
    let domain = ActiveDirectory::start(3, 2).unwrap();
    let dns: Vec<String> = ["anna", "bert", "cora", "dirk", "edda"].iter().map(|name| domain.person(name)).collect();
    domain.machine("pc1");
    let staff = domain.group("Staff", None);
    for dn in dns.iter().take(3) {
        domain.join(&staff, dn);
    }
    let server = WaneServer::builder().prepare().unwrap();
    let password = server.folder().join("dir.password");
    let (reader, secret) = domain.reader();
    std::fs::write(&password, secret).unwrap();
    server
        .configure(&format!(
            "[[directory.ldap]]\nname = \"corp\"\nurls = [\"ldap://127.0.0.1:{}\"]\nbind_dn = \"{reader}\"\n\
             password = {{ file = \"{}\" }}\npeople_base = \"DC=corp,DC=example\"\n\
             people_filter = \"(&(objectCategory=person)(objectClass=user))\"\nname_attribute = \"sAMAccountName\"\n\
             display_attribute = \"displayName\"\nprovision = \"create\"\nevery = \"1s\"\n\
             groups = {{ \"{staff}\" = \"staff\", \"CN=Domain Users,{}\" = \"everybody\" }}\n",
            domain.port(),
            password.display(),
            domain.base(),
        ))
        .unwrap();
    let wane = Deployment::on(server);
    let members = |group: &str| {
        let page = wane.ada.json(&["group", "list", "--all"]).unwrap();
        let found = items(&page).iter().find(|g| g["name"] == group).cloned().unwrap_or_default();
        found["members"].as_array().into_iter().flatten().map(text).collect::<Vec<_>>()
    };
    let person = |name: &str| wane.ada.json(&["person", "show", name]).unwrap();
    let wait = |what: &str, until: &dyn Fn() -> bool| {
        wane_testkit::wait_until(what, crate::people::SOON, until)
            .unwrap_or_else(|e| panic!("{e}\n{}", wane.server.log()));
    };
    wait("the staff", &|| members("staff") == ["anna", "bert", "cora"]);
    wait("those whose primary group it is", &|| members("everybody") == ["anna", "bert", "cora", "dirk", "edda"]);
    assert_eq!(person("edda")["display"], "Person edda");
    assert!(!wane.ada.run(&["person", "show", "pc1"]).unwrap().success(), "a machine was entered");
    let (pages, ranges) = domain.told();
    assert!(pages > 1 && ranges > 1, "{pages} pages, {ranges} ranges");
    assert_eq!(pulled(&wane)["hears"], "at_intervals");
    assert_eq!(pulled(&wane)["refused"], serde_json::json!([]));

    let [anna, bert, _, dirk, _] = dns.as_slice() else { panic!("five were entered") };
    domain.disable(dirk);
    wait("dirk to be disabled", &|| person("dirk")["standing"] == "disabled");
    domain.leave(&staff, bert);
    wait("bert to be out of the staff", &|| members("staff") == ["anna", "cora"]);
    // Renamed there, and still who they are here: the id of the entry says so.
    domain.rename(anna, "Anna Otherwise");
    domain.person("fritz");
    wait("a reading after it", &|| members("everybody").contains(&"fritz".to_owned()));
    assert_eq!(
        (person("anna")["standing"].clone(), members("staff")),
        ("active".into(), vec!["anna".into(), "cora".into()])
    );
}
