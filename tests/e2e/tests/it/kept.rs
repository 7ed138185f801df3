//! People and groups that a real directory keeps: who comes, who leaves, who is somebody else, and a directory
//! that is wrong or silent.

use serde_json::{Value, json};
use wane_testkit::{Ended, Slapd, SlapdBuilder, WaneServer, WaneServerBuilder, wait_until};

use crate::people::{Deployment, SOON, items, text};

pub(crate) const PEOPLE: &str = "ou=people,dc=example,dc=org";
pub(crate) const GROUP: &str = "cn=admins,ou=groups,dc=example,dc=org";

pub(crate) struct Corp {
    pub(crate) wane: Deployment,
    pub(crate) slapd: Slapd,
}

impl Corp {
    pub(crate) fn new(more: &str) -> Self {
        Self::with(WaneServer::builder(), more)
    }

    fn with(builder: WaneServerBuilder, more: &str) -> Self {
        Self::over(Slapd::builder(), builder, &format!("every = \"1s\"\n{more}"))
    }

    /// Over a directory of this sort; `more` says how often it is read.
    pub(crate) fn over(slapd: SlapdBuilder, builder: WaneServerBuilder, more: &str) -> Self {
        let slapd = slapd.start().unwrap();
        for name in ["anna", "bert", "cora", "dirk"] {
            slapd.person(&format!("uid={name}"), name).unwrap();
        }
        slapd.modify(&format!("dn: {GROUP}\nchangetype: modify\nadd: member\nmember: uid=anna,{PEOPLE}\n")).unwrap();
        let server = builder.prepare().unwrap();
        let folder = server.folder().to_owned();
        std::fs::write(folder.join("dir.password"), slapd.connector_password()).unwrap();
        std::fs::write(folder.join("dir.pem"), slapd.ca_pem().unwrap()).unwrap();
        let at = |file: &str| folder.join(file).display().to_string();
        let more = if more.contains("provision") { more.to_owned() } else { format!("provision = \"create\"\n{more}") };
        server
            .configure(&format!(
                "[[directory.ldap]]\nname = \"corp\"\nurls = [\"ldaps://127.0.0.1:{}\"]\nca = \"{}\"\n\
                 bind_dn = \"cn=wane,dc=example,dc=org\"\npassword = {{ file = \"{}\" }}\npeople_base = \"{PEOPLE}\"\n\
                 groups = {{ \"{GROUP}\" = \"staff\" }}\nattributes = {{ department = \"departmentNumber\" }}\n{more}\n",
                slapd.secure_port(),
                at("dir.pem"),
                at("dir.password"),
            ))
            .unwrap();
        Self { wane: Deployment::on(server), slapd }
    }

    fn person(&self, name: &str) -> Option<Value> {
        let outcome = self.wane.ada.run(&["--json", "person", "show", name]).unwrap();
        outcome.success().then(|| serde_json::from_str(&outcome.stdout).unwrap())
    }

    pub(crate) fn standing(&self, name: &str) -> String {
        self.person(name).map_or_else(|| "nobody".to_owned(), |p| text(&p["standing"]))
    }

    pub(crate) fn wait(&self, what: &str, until: impl Fn(&Self) -> bool) {
        wait_until(what, SOON, || until(self)).unwrap_or_else(|e| panic!("{e}\n{}", self.wane.server.log()));
    }

    pub(crate) fn staff(&self) -> Vec<String> {
        let page = self.wane.ada.json(&["group", "list", "--all"]).unwrap();
        let found = items(&page).iter().find(|g| g["name"] == "staff");
        let members = found.map(|g| g["members"].as_array().unwrap().iter().map(text).collect::<Vec<_>>());
        // Who keeps the group from being empty is a person of the directory as well.
        members.unwrap_or_default().into_iter().filter(|name| name != "keeper").collect()
    }

    pub(crate) fn delete(&self, name: &str) {
        self.slapd.modify(&format!("dn: uid={name},{PEOPLE}\nchangetype: delete\n")).unwrap();
    }

    pub(crate) fn events(&self, event: &str) -> usize {
        let page = self.wane.ada.json(&["log", "--all"]).unwrap();
        items(&page).iter().filter(|record| record["event"] == event).count()
    }
}

#[test]
fn people_and_groups_come_from_a_directory_and_whoever_leaves_is_disabled() {
    let corp = Corp::new("");
    corp.wait("everybody", |c| c.staff() == ["anna"] && c.standing("dirk") == "active");
    corp.slapd
        .modify(&format!("dn: uid=bert,{PEOPLE}\nchangetype: modify\nadd: departmentNumber\ndepartmentNumber: sales\n"))
        .unwrap();
    corp.wait("what is said of bert", |c| c.person("bert").unwrap()["attributes"]["department"] == "sales");
    corp.slapd.modify(&format!("dn: {GROUP}\nchangetype: modify\nadd: member\nmember: uid=cora,{PEOPLE}\n")).unwrap();
    corp.wait("cora in the group", |c| c.staff() == ["anna", "cora"]);
    let refused = corp.wane.ada.run(&["group", "join", "staff", "bert"]).unwrap();
    assert_eq!(refused.ended, Ended::Code(5), "{refused:?}");
    corp.delete("cora");
    corp.wait("cora to be disabled", |c| c.standing("cora") == "disabled" && c.staff() == ["anna"]);
    // Renamed there, and still who they are here.
    corp.slapd
        .modify(&format!("dn: uid=anna,{PEOPLE}\nchangetype: modrdn\nnewrdn: uid=hanna\ndeleteoldrdn: 1\n"))
        .unwrap();
    corp.slapd.modify(&format!("dn: uid=dirk,{PEOPLE}\nchangetype: modify\nreplace: cn\ncn: Dirk Dee\n")).unwrap();
    corp.wait("a whole reading after it", |c| c.person("dirk").unwrap()["display"] == "Dirk Dee");
    assert_eq!((corp.standing("anna"), corp.standing("hanna")), ("active".to_owned(), "nobody".to_owned()));
}

#[test]
fn nobody_is_joined_by_name() {
    let corp = Corp::new("");
    corp.wait("everybody", |c| c.standing("dirk") == "active");
    // There is a `maya` here, of whom the directory knows nothing.
    corp.slapd.person("uid=maya", "maya").unwrap();
    corp.slapd.person("uid=odd", "Not A Name").unwrap();
    corp.slapd.person("uid=ernst", "ernst").unwrap();
    corp.wait("the one after them", |c| c.standing("ernst") == "active");
    // At the end of a pass.
    for said in ["there is a `maya` here already", "is no name that people have here"] {
        corp.wait(said, |c| c.wane.server.log().contains(said));
    }
    corp.delete("maya");
    corp.delete("ernst");
    corp.wait("the one after her to leave", |c| c.standing("ernst") == "disabled");
    assert_eq!(corp.standing("maya"), "active", "somebody else's word counted for her");
    // Once an administrator says so, she is kept.
    corp.slapd.person("uid=maya", "maya").unwrap();
    let uuid = corp.slapd.values(&format!("uid=maya,{PEOPLE}"), "entryUUID").unwrap().remove(0);
    let subject = format!("entryUUID={uuid}");
    corp.wane.ada.json(&["person", "identity", "add", "maya", "--provider", "corp", "--subject", &subject]).unwrap();
    corp.wait("her to be described", |c| c.person("maya").unwrap()["display"] == "Somebody");
    corp.delete("maya");
    corp.wait("her to be disabled", |c| c.standing("maya") == "disabled");
}

#[test]
fn who_is_disabled_here_stays_so() {
    let corp = Corp::new("");
    corp.wait("everybody", |c| c.standing("dirk") == "active");
    corp.wane.ada.json(&["person", "disable", "bert"]).unwrap();
    corp.slapd.modify(&format!("dn: uid=dirk,{PEOPLE}\nchangetype: modify\nreplace: cn\ncn: Later\n")).unwrap();
    corp.wait("a reading after it", |c| c.person("dirk").unwrap()["display"] == "Later");
    assert_eq!(corp.standing("bert"), "disabled");
}

#[test]
fn a_directory_that_has_lost_too_many_is_not_believed() {
    let mut corp = Corp::new("");
    corp.wait("everybody", |c| c.staff() == ["anna"] && c.standing("dirk") == "active");
    // Not read meanwhile: the first who goes alone is believed to have gone.
    corp.wane.server.stop().unwrap();
    for name in ["anna", "bert", "cora"] {
        corp.slapd.modify(&format!("dn: uid={name},{PEOPLE}\nchangetype: modrdn\nnewrdn: uid={name}\ndeleteoldrdn: 0\nnewsuperior: ou=secrets,dc=example,dc=org\n")).unwrap();
    }
    corp.slapd.person("uid=newcomer", "newcomer").unwrap();
    corp.wane.server.start().unwrap();
    corp.wait("it to be held back", |c| c.events("directory.held_back") > 0);
    for name in ["anna", "bert", "cora"] {
        assert_eq!(corp.standing(name), "active");
    }
    assert_eq!(corp.staff(), ["anna"]);
    assert_eq!(corp.standing("newcomer"), "nobody", "half of a word that is held back was taken");
    let doctor = corp.wane.ada.run(&["doctor"]).unwrap();
    assert!(doctor.stdout.contains("held back"), "{doctor:?}");
    let page = corp.wane.ada.json(&["pulled"]).unwrap();
    assert!(items(&page)[0]["held_back"].is_string(), "{page:#}");
    for name in ["anna", "bert", "cora"] {
        corp.slapd.modify(&format!("dn: uid={name},ou=secrets,dc=example,dc=org\nchangetype: modrdn\nnewrdn: uid={name}\ndeleteoldrdn: 0\nnewsuperior: {PEOPLE}\n")).unwrap();
    }
    corp.wait("it to be believed again", |c| c.standing("newcomer") == "active");
    assert_eq!(corp.events("directory.held_back"), 1, "it is said once");
}

#[test]
fn a_silent_directory_changes_nothing_and_then_nothing_new_begins_for_its_people() {
    let mut corp = Corp::new("stale_after = \"5s\"");
    corp.wait("everybody", |c| c.standing("dirk") == "active");
    // Maya is kept as well, so that there is somebody who is signed in.
    corp.slapd.person("uid=m", "m").unwrap();
    corp.wait("them", |c| c.standing("m") == "active");
    let of_m = corp.slapd.values(&format!("uid=m,{PEOPLE}"), "entryUUID").unwrap().remove(0);
    let ways = corp.wane.ada.json(&["person", "identity", "list", "m"]).unwrap();
    let way = text(&items(&ways)[0]["id"]);
    corp.wane.ada.json(&["person", "identity", "remove", "m", &way]).unwrap();
    let subject = format!("entryUUID={of_m}");
    corp.wane.ada.json(&["person", "identity", "add", "maya", "--provider", "corp", "--subject", &subject]).unwrap();
    corp.wait("her to be kept", |c| c.person("maya").unwrap()["display"] == "Somebody");
    corp.wane.paper_host("web-1", "gate=open");
    corp.wane.deploy_role();
    let grant = crate::people::granted(&corp.wane.maya, "deploy@web-1", "20m");
    corp.slapd.stop().unwrap();
    corp.wait("nothing new to begin", |c| {
        let asked = c.wane.maya.run(&["request", "deploy@web-1", "--for", "21m"]).unwrap();
        asked.stderr.contains("has said nothing of you for too long")
    });
    for name in ["dirk", "anna", "maya"] {
        assert_eq!(corp.standing(name), "active", "silence disabled {name}");
    }
    // What she holds ends as always.
    corp.wane.maya.json(&["done", &grant]).unwrap();
    corp.wane.wait_closed(&grant);
    corp.slapd.resume().unwrap();
    corp.wait("it to be heard again", |c| {
        c.wane.maya.run(&["request", "deploy@web-1", "--for", "22m"]).unwrap().success()
    });
}

/// Killed beside each commit a directory brings about, the next pass takes it up.
#[test]
fn a_pass_that_dies_is_taken_up_by_the_next() {
    let mut corp = Corp::with(WaneServer::builder().failpoints(), "");
    corp.wait("everybody", |c| c.staff() == ["anna"] && c.standing("dirk") == "active");
    let mut round = 0;
    let commits = ["app.pulled.read", "app.pulled.enter.commit", "app.pulled.change.commit", "app.pulled.group.commit"];
    for point in commits {
        for side in ["before", "after"] {
            round += 1;
            let server = &mut corp.wane.server;
            server.plan(&format!("{point}:{side}=kill")).unwrap();
            let name = format!("p{round}");
            corp.slapd.person(&format!("uid={name}"), &name).unwrap();
            let member = format!("dn: {GROUP}\nchangetype: modify\nadd: member\nmember: uid={name},{PEOPLE}\n");
            corp.slapd.modify(&member).unwrap();
            corp.slapd
                .modify(&format!("dn: uid=dirk,{PEOPLE}\nchangetype: modify\nreplace: cn\ncn: Dirk {round}\n"))
                .unwrap();
            let server = &mut corp.wane.server;
            wait_until(point, SOON, || server.died().is_some()).unwrap_or_else(|e| panic!("{e}: {side}"));
            server.plan("").unwrap();
            server.start().unwrap();
            corp.wait("all of it", |c| {
                let described = c.person("dirk").is_some_and(|p| p["display"] == format!("Dirk {round}"));
                described && c.staff().contains(&name)
            });
            assert_eq!(corp.person(&name).map(|p| p["standing"].clone()), Some(json!("active")));
        }
    }
}
