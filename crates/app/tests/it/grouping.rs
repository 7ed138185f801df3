//! What a directory pushes of groups: who is in them, what they are called, whose they stay. And how it looks through
//! what it pushed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use wane_app::{AppError, Membership, Pushed, Sending, Wanted};
use wane_domain::directory::{Directory, DirectoryRules, Group};
use wane_domain::id::{GroupId, PersonId};
use wane_scim::filter::Filter;
use wane_scim::schema::{GROUP, ResourceKind};
use wane_scim::{Kind, Page};
use wane_store::{Entry, EntryId, Put, RecordFilter, Write};

use crate::house::{mins, name};
use crate::keeping::refused;
use crate::pushing::{Corp, by_nick, nina};

/// How long a list may take.
const SOON: Duration = Duration::from_secs(20);

fn group(called: &str, external: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    json!({ "schemas": [GROUP], "displayName": called, "externalId": external, "members": members })
}

impl Corp {
    /// Somebody comes; their id.
    async fn comes(&self, called: &str) -> String {
        self.push(nina(&json!({ "userName": called, "nickName": called, "externalId": called }))).await.meta.id
    }

    async fn push_group(&self, said: Value) -> Result<Pushed, AppError> {
        self.house.app.push_group(&self.by, said).await
    }

    async fn change_group(&self, id: &str, said: Value) -> Result<Pushed, AppError> {
        self.house.app.change_pushed_group(&self.by, id, &None, Sending::Whole(said)).await
    }

    async fn group(&self, called: &str) -> Group {
        self.house.app.world().await.unwrap().group(called).unwrap().clone()
    }

    /// Which groups are meant by a filter: their names there, and how many there are in all.
    async fn groups(&self, filter: &str, page: Page) -> (Vec<String>, usize) {
        let filter = Filter::read(filter).unwrap();
        let wanted = Wanted { kind: ResourceKind::Group, filter: Some(&filter), page };
        let listed = tokio::time::timeout(SOON, self.house.app.pushed_list(&self.by, &wanted)).await.unwrap().unwrap();
        let called = |one: Pushed| one.sent.doc["displayName"].as_str().unwrap().to_owned();
        (listed.found.into_iter().map(called).collect(), listed.total)
    }

    /// What the last record of an event says of who came and who went.
    async fn came_and_went(&self, event: &str) -> [Value; 2] {
        let filter = RecordFilter { event: Some(event.to_owned()), ..RecordFilter::default() };
        let said = self.house.records(filter).await.pop().unwrap().detail;
        assert_eq!(said["directory"], "corp");
        [said["added"].clone(), said["removed"].clone()]
    }
}

fn ids(all: &[&String]) -> BTreeSet<PersonId> {
    all.iter().map(|id| id.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_what_its_directory_says_last_and_is_found_by_that() {
    let corp = Corp::of(&by_nick()).await;
    let (nina, nora) = (corp.comes("nina").await, corp.comes("nora").await);
    let stands = |one: &Pushed| (one.meta.version.clone(), one.meta.changed.clone());
    let at = |version: u8, minute: u8| (format!("W/\"{version}\""), format!("2026-11-21T10:{minute:02}:00Z"));
    let few = Page { skip: 0, most: 9 };

    let made = corp.push_group(group("staff", "g1", &[&nina])).await.unwrap();
    let id = made.meta.id.clone();
    let there = corp.group("corp.staff").await;
    assert_eq!((there.members, there.kept_by), (ids(&[&nina]), Directory::keeper(&name("corp")).ok()));
    assert_eq!((stands(&made), made.sent.members), (at(1, 0), BTreeSet::from([nina.clone()])));
    assert_eq!(corp.came_and_went("group.changed").await, [json!([nina]), json!([])]);

    corp.house.advance(mins(5));
    let changed = corp.change_group(&id, group("staff", "g1", &[&nora])).await.unwrap();
    assert_eq!((stands(&changed), changed.sent.members), (at(2, 5), BTreeSet::from([nora.clone()])));
    assert_eq!(corp.group("corp.staff").await.members, ids(&[&nora]));
    assert_eq!(corp.came_and_went("group.changed").await, [json!([nora]), json!([nina])]);

    corp.house.advance(mins(5));
    let head = corp.house.store_head().await;
    let again = corp.change_group(&id, group("staff", "g1", &[&nora])).await.unwrap();
    assert_eq!((stands(&again), corp.house.store_head().await), (at(2, 5), head), "it said nothing new");

    let other = corp.change_group(&id, group("staff", "g2", &[&nora])).await.unwrap();
    assert_eq!((stands(&other), other.sent.external.as_deref()), (at(3, 10), Some("g2")));
    let renamed = corp.change_group(&id, group("crew", "g2", &[&nora])).await.unwrap();
    assert_eq!((stands(&renamed), &renamed.sent.doc["displayName"]), (at(4, 10), &json!("crew")));
    let there = corp.group("corp.crew").await;
    assert_eq!((there.id.to_string(), there.members), (id, ids(&[&nora])));
    for (filter, found) in [
        ("displayName eq \"crew\"", 1),
        ("displayName eq \"staff\"", 0),
        ("externalId eq \"g2\"", 1),
        ("externalId eq \"g1\"", 0),
    ] {
        assert_eq!(corp.groups(filter, few).await.1, found, "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_takes_over_no_group_of_others_and_none_that_it_calls_otherwise() {
    let mapped = |theirs: &str, ours: &str| DirectoryRules {
        groups: BTreeMap::from([(theirs.to_owned(), name(ours))]),
        ..by_nick()
    };
    let corp = Corp::of(&mapped("Crew", "crew")).await;
    let (app, root) = (&corp.house.app, corp.house.caller("root").await);
    let nina = corp.comes("nina").await;
    app.add_group(&root, &name("crew"), &"By hand".parse().unwrap()).await.unwrap();
    app.set_member(&root, &name("crew"), "ann", Membership::In).await.unwrap();
    let untouched = async || {
        let crew = corp.group("crew").await;
        assert_eq!((crew.members, crew.kept_by), (BTreeSet::from([corp.house.id("ann").await]), None));
    };
    assert_eq!(refused(corp.push_group(group("Crew", "g1", &[&nina])).await), Kind::Uniqueness);
    untouched().await;
    let id = corp.push_group(group("staff", "g1", &[&nina])).await.unwrap().meta.id;
    assert_eq!(refused(corp.change_group(&id, group("Crew", "g1", &[&nina])).await), Kind::Uniqueness);
    untouched().await;

    app.change_directory(&root, "corp", &mapped("Kin", "corp.staff")).await.unwrap();
    assert_eq!(refused(corp.push_group(group("Kin", "g2", &[])).await), Kind::Uniqueness);
    assert_eq!(corp.group("corp.staff").await.members, ids(&[&nina]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_in_a_group_that_its_directory_deleted_until_it_makes_it_again() {
    let corp = Corp::of(&by_nick()).await;
    let (nina, nora) = (corp.comes("nina").await, corp.comes("nora").await);
    let id = corp.push_group(group("staff", "g1", &[&nina])).await.unwrap().meta.id;
    corp.house.app.remove_pushed_group(&corp.by, &id, &None).await.unwrap();
    assert!(corp.group("corp.staff").await.members.is_empty());
    assert_eq!(corp.came_and_went("group.left").await, [json!([]), json!([nina])]);
    let read = corp.house.app.pushed_one(&corp.by, ResourceKind::Group, &id).await;
    assert_eq!(refused(read), Kind::Missing);
    let again = corp.push_group(group("staff", "g1", &[&nora])).await.unwrap();
    assert_eq!((again.meta.id, corp.group("corp.staff").await.members), (id, ids(&[&nora])));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_into_a_group_of_a_directory_who_is_not_of_it() {
    let corp = Corp::of(&by_nick()).await;
    let (nina, mia) = (corp.comes("nina").await, corp.house.id("mia").await.to_string());
    let id = corp.push_group(group("staff", "g1", &[])).await.unwrap().meta.id;
    for (other, shown) in [(mia.as_str(), mia.as_str()), ("no\u{7}body", "nobody")] {
        let said = corp.change_group(&id, group("staff", "g1", &[&nina, other])).await;
        let Err(AppError::Scim(no)) = said else { panic!("{said:?}") };
        assert!(no.kind == Kind::InvalidValue && no.detail.starts_with(&format!("`{shown}` is nobody")), "{no:?}");
    }
    assert!(corp.group("corp.staff").await.members.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_with_many_groups_is_looked_through_to_its_end() {
    let corp = Corp::of(&by_nick()).await;
    // More than are read at once.
    let all: BTreeSet<GroupId> = (0..501).map(|_| corp.house.ambient.id()).collect();
    let entry = |(n, id)| {
        let (key, now) = (format!("g{n:03}"), corp.house.app.now());
        let doc = json!({ "displayName": key });
        let (id, directory) = (EntryId::Group(id), corp.by.directory);
        let entry =
            Entry { id, directory, key, external: None, active: true, held: false, made: now, changed: now, doc };
        Write::Entry(Put::new(entry))
    };
    corp.house.write(all.into_iter().enumerate().map(entry).collect()).await;
    for (filter, skip, most, found, total) in [
        ("displayName sw \"g\"", 0, 1, &["g000"][..], 501),
        ("displayName sw \"g\"", 1, 2, &["g001", "g002"], 501),
        ("displayName sw \"g\"", 500, 9, &["g500"], 501),
        ("displayName ew \"7\"", 0, 3, &["g007", "g017", "g027"], 50),
        ("displayName ew \"x\"", 0, 3, &[], 0),
    ] {
        let said = corp.groups(filter, Page { skip, most }).await;
        assert_eq!(said, (found.iter().map(ToString::to_string).collect(), total), "{filter} {skip} {most}");
    }
}
