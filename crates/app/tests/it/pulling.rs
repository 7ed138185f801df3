//! Directories that are read: who comes, who leaves, who is in their groups, and when they are not believed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wane_app::{Followed, Membership, Newcomers, PersonChange, PullRules, PullStatus, PulledDirectory};
use wane_domain::directory::{Group, Person, Standing};
use wane_domain::id::PersonId;
use wane_domain::secret::Secret;
use wane_ldap::Place;
use wane_store::RecordFilter;
use wane_testkit::ActiveDirectory;

use crate::faulty::Goes;
use crate::house::{House, mins, name};

/// How long a reading may take.
const SOON: Duration = Duration::from_secs(20);

/// A company that reads a directory, with a group `staff` there and here.
struct Corp {
    house: House,
    domain: ActiveDirectory,
    /// The groups there.
    staff: String,
    watch: String,
}

impl Corp {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With other rules.
    async fn with(change: impl FnOnce(&mut PullRules)) -> Self {
        let (house, domain) = (House::new().await, ActiveDirectory::start(100, 100).unwrap());
        let (staff, watch) = (domain.group("Staff", None), domain.group("Watch", None));
        let (bind_dn, password) = domain.reader();
        let mut rules = PullRules {
            name: name("dir"),
            people_base: domain.base().to_owned(),
            people_filter: "(objectCategory=person)".to_owned(),
            disabled_filter: None,
            name_attribute: "sAMAccountName".to_owned(),
            display_attribute: "cn".to_owned(),
            newcomers: Newcomers::Entered,
            attributes: BTreeMap::new(),
            groups: BTreeMap::from([(staff.clone(), name("staff")), (watch.clone(), name("watch"))]),
            member_attribute: "member".to_owned(),
            shrink_percent: 20,
            stale_after: mins(10),
        };
        change(&mut rules);
        let (urls, bind_dn) = (vec![format!("ldap://127.0.0.1:{}", domain.port())], bind_dn.to_owned());
        let place = Place { urls, starttls: false, tls: None, bind_dn };
        let credential = Secret::new(password.as_bytes().to_vec());
        house.app.keep_by(vec![PulledDirectory { rules, place, credential }]);
        Self { house, domain, staff, watch }
    }

    /// Reads it; how it stands then.
    async fn read(&self) -> PullStatus {
        let followed = self.house.app.follow_directory(&name("dir"), Duration::from_secs(60)).await.unwrap();
        assert_eq!(followed, Followed::Read);
        self.house.app.directory_statuses().pop().unwrap()
    }

    async fn person(&self, called: &str) -> Person {
        self.house.app.world().await.unwrap().person(called).unwrap().clone()
    }

    async fn standings(&self, all: &[&str]) -> Vec<Standing> {
        let world = self.house.app.world().await.unwrap();
        all.iter().map(|called| world.person(called).unwrap().standing).collect()
    }

    async fn group(&self, called: &str) -> Option<Group> {
        self.house.app.world().await.unwrap().group(called).cloned()
    }

    async fn members(&self, called: &str) -> BTreeSet<PersonId> {
        self.group(called).await.unwrap().members
    }
}

const ACTIVE: Standing = Standing::Active;
const DISABLED: Standing = Standing::Disabled;

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_directory_leaves_here_and_everybody_else_stays() {
    let corp = Corp::new().await;
    let [anna, bert, _, _] = ["anna", "bert", "cora", "mia"].map(|called| corp.domain.person(called));
    for one in [&anna, &bert] {
        corp.domain.join(&corp.staff, one);
    }
    let mia = corp.person("mia").await;
    let stands = corp.read().await;
    assert_eq!((stands.people, stands.held_back, stands.refused.len()), (3, None, 1), "{:?}", stands.refused);
    assert!(stands.refused[0].contains("there is a `mia` here already"), "{:?}", stands.refused);
    assert_eq!(corp.standings(&["anna", "bert", "cora"]).await, [ACTIVE; 3]);
    let [a, b] = [corp.house.id("anna").await, corp.house.id("bert").await];
    let staff = corp.group("staff").await.unwrap();
    assert_eq!((staff.members, staff.kept_by), (BTreeSet::from([a, b]), Some(name("dir"))));
    assert_eq!(corp.group("watch").await, None, "nobody is in it");

    let head = corp.house.store_head().await;
    corp.read().await;
    assert_eq!(corp.house.store_head().await, head, "it says nothing new");
    assert_eq!(corp.house.app.directories_behind(), 0);

    // Disabled by hand here, she stays so; called otherwise there, she stays who she is.
    let root = corp.house.caller("root").await;
    let disabled = PersonChange { standing: Some(DISABLED), ..PersonChange::default() };
    corp.house.app.change_person(&root, "cora", &disabled).await.unwrap();
    corp.domain.disable(&bert);
    corp.domain.rename(&anna, "Anna B.");
    let stands = corp.read().await;
    assert_eq!((stands.people, stands.held_back, stands.refused.len()), (3, None, 1));
    assert_eq!(corp.standings(&["anna", "bert", "cora"]).await, [ACTIVE, DISABLED, DISABLED]);
    assert_eq!((corp.person("anna").await.display.as_str(), corp.members("staff").await), ("Anna B.", [a].into()));
    assert_eq!(corp.person("mia").await, mia, "she is nobody of this directory");
    let said = corp.house.records(RecordFilter { event: Some("person.changed".to_owned()), ..RecordFilter::default() });
    let why = |record: &wane_audit::Record| record.detail["why"].as_str() == Some("is disabled in the directory");
    let left: Vec<_> = said.await.into_iter().filter(why).map(|record| record.about.person).collect();
    assert_eq!(left, [Some(b)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_lost_too_much_is_held_back_and_that_is_said_once() {
    let corp = Corp::new().await;
    let all = ["anna", "bert", "cora", "dirk"].map(|called| (called, corp.domain.person(called)));
    for (_, dn) in &all {
        corp.domain.join(&corp.staff, dn);
    }
    corp.read().await;
    for (_, dn) in all.iter().skip(1) {
        corp.domain.disable(dn);
    }
    for _ in 0..2 {
        let stands = corp.read().await;
        assert_eq!(stands.held_back.as_deref(), Some("3 of 4 people would go at once, and `shrink_percent` is 20"));
        assert_eq!(corp.standings(&all.each_ref().map(|(called, _)| *called)).await, [ACTIVE; 4]);
        assert_eq!(corp.members("staff").await.len(), 4);
        let event = Some("directory.held_back".to_owned());
        assert_eq!(corp.house.records(RecordFilter { event, ..RecordFilter::default() }).await.len(), 1);
    }
    assert_eq!(corp.house.app.directories_behind(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_shown_for_as_long_as_it_is_so() {
    let corp = Corp::new().await;
    let anna = corp.domain.person("anna");
    corp.domain.person("mia");
    assert_eq!(corp.read().await.refused.len(), 1);
    // By hand, the group is nobody else's.
    let root = corp.house.caller("root").await;
    corp.house.app.add_group(&root, &name("staff"), &"By hand".parse().unwrap()).await.unwrap();
    corp.house.app.set_member(&root, &name("staff"), "ann", Membership::In).await.unwrap();
    corp.domain.join(&corp.staff, &anna);
    let refused = corp.read().await.refused;
    assert!(refused.len() == 2 && refused[1].contains("group `staff` is kept here"), "{refused:?}");
    assert_eq!(corp.members("staff").await, [corp.house.id("ann").await].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_made_by_hand_while_a_directory_is_read_stays_as_it_was_made() {
    let corp = Corp::new().await;
    let anna = corp.domain.person("anna");
    corp.read().await;
    for group in [&corp.staff, &corp.watch] {
        corp.domain.join(group, &anna);
    }
    let root = corp.house.caller("root").await;
    corp.house.door.writes(Goes::Hanging);
    let by_hand = async {
        // The first group is about to be made.
        tokio::time::timeout(SOON, corp.house.door.until_asked(1)).await.unwrap();
        corp.house.door.pass_one();
        corp.house.app.add_group(&root, &name("watch"), &"By hand".parse().unwrap()).await.unwrap();
        corp.house.door.writes(Goes::Well);
    };
    tokio::join!(corp.read(), by_hand);
    assert_eq!(corp.members("staff").await, [corp.house.id("anna").await].into());
    let watch = corp.group("watch").await.unwrap();
    assert!(watch.members.is_empty() && watch.kept_by.is_none(), "{watch:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_group_has_its_people_and_whom_the_filter_means_does_nothing() {
    let all = "CN=Domain Users,CN=Users,DC=corp,DC=example".to_owned();
    let corp = Corp::with(|rules| {
        rules.groups.insert(all, name("all"));
        rules.disabled_filter = Some("(cn=Bert B.)".to_owned());
    })
    .await;
    let people = ["anna", "bert", "cora"];
    let [_, bert, _] = people.map(|called| corp.domain.person(called));
    corp.read().await;
    let [a, b, c] = [corp.house.id("anna").await, corp.house.id("bert").await, corp.house.id("cora").await];
    assert_eq!(corp.members("all").await, [a, b, c].into());
    corp.domain.rename(&bert, "Bert B.");
    corp.read().await;
    assert_eq!(corp.standings(&people).await, [ACTIVE, DISABLED, ACTIVE]);
    assert_eq!(corp.members("all").await, [a, c].into());
}
