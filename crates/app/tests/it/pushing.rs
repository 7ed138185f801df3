//! What a directory pushes of people: what comes of it, and what does not; who they are where they sign in and who
//! manages them. Which rules for its word can be used, and what was heard of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wane_app::{AppError, Class, DirectoryCaller, Membership, PersonChange, Pushed, Sending, Wanted, WayKind};
use wane_domain::directory::{DirectoryRules, DirectorySignIn, Person, Standing};
use wane_domain::id::PersonId;
use wane_scim::filter::Filter;
use wane_scim::schema::{ENTERPRISE, GROUP, ResourceKind, USER};
use wane_scim::{Kind, Page};

use crate::house::{House, cause, mins, name};
use crate::keeping::{provider, refused, rules, shown};

/// A company with a directory that calls.
pub(crate) struct Corp {
    pub(crate) house: House,
    pub(crate) by: DirectoryCaller,
}

impl Corp {
    pub(crate) async fn of(rules: &DirectoryRules) -> Self {
        let house = House::new().await;
        house.app.federate(vec![provider()]);
        let (_, token) = house.app.add_directory(&house.caller("root").await, &name("corp"), rules).await.unwrap();
        let by = house.app.authenticate_directory(&token.reveal()).await.unwrap();
        Self { house, by }
    }

    pub(crate) async fn push(&self, said: Value) -> Pushed {
        self.house.app.push_person(&self.by, said).await.unwrap()
    }

    async fn change(&self, id: &str, said: Value) -> Result<Pushed, AppError> {
        self.house.app.change_pushed_person(&self.by, id, &None, Sending::Whole(said)).await
    }

    pub(crate) async fn person(&self, called: &str) -> Person {
        self.house.app.world().await.unwrap().person(called).unwrap().clone()
    }

    /// Who is meant by a filter, by id.
    async fn found(&self, filter: &str) -> Vec<String> {
        let (kind, filter) = (ResourceKind::User, Filter::read(filter).unwrap());
        let wanted = Wanted { kind, filter: Some(&filter), page: Page { skip: 0, most: 9 } };
        let listed = self.house.app.pushed_list(&self.by, &wanted).await.unwrap();
        listed.found.into_iter().map(|one| one.meta.id).collect()
    }
}

/// Nina as a directory says her, but for what is said here.
pub(crate) fn nina(other: &Value) -> Value {
    let mut said = json!({
        "schemas": [USER], "userName": "nina@corp", "nickName": "nina", "displayName": "Nina",
        "externalId": "n1", "active": true
    });
    for (key, value) in other.as_object().unwrap() {
        said[key] = value.clone();
    }
    said
}

/// What people sign in as there may change; what they are called here does not.
pub(crate) fn by_nick() -> DirectoryRules {
    DirectoryRules { name: "nickName".to_owned(), ..rules() }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_found_by_what_their_directory_calls_them_last() {
    let corp = Corp::of(&by_nick()).await;
    let id = corp.push(nina(&json!({}))).await.meta.id;
    corp.house.advance(mins(5));
    let other = nina(&json!({ "userName": "Nina.B@corp", "externalId": "n2" }));
    let changed = corp.change(&id, other).await.unwrap();
    let read = corp.house.app.pushed_one(&corp.by, ResourceKind::User, &id).await.unwrap();
    for one in [changed, read] {
        assert_eq!((one.meta.version.as_str(), one.meta.changed.as_str()), ("W/\"2\"", "2026-11-21T10:05:00Z"));
        assert_eq!(one.sent.doc["userName"], "Nina.B@corp");
    }
    for filter in ["userName eq \"NINA.B@corp\"", "externalId eq \"n2\""] {
        assert_eq!(corp.found(filter).await, [id.as_str()], "{filter}");
    }
    for filter in ["userName eq \"nina@corp\"", "externalId eq \"n1\""] {
        assert!(corp.found(filter).await.is_empty(), "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_directory_says_again_is_not_written_down_again() {
    let corp = Corp::of(&by_nick()).await;
    let first = corp.push(nina(&json!({}))).await;
    let head = corp.house.store_head().await;
    corp.house.advance(mins(5));
    let again = corp.change(&first.meta.id, nina(&json!({}))).await.unwrap();
    assert_eq!((again.meta.version, again.meta.changed), (first.meta.version, first.meta.changed));
    assert_eq!(corp.house.store_head().await, head);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_their_directory_disables_holds_nothing_and_it_may_enable_them_again() {
    let corp = Corp::of(&by_nick()).await;
    let id = corp.push(nina(&json!({}))).await.meta.id;
    let root = corp.house.caller("root").await;
    corp.house.app.set_member(&root, &name("engineers"), "nina", Membership::In).await.unwrap();
    let held = corp.house.hold("nina", "attic", "read", 1).await;
    corp.change(&id, nina(&json!({ "title": "head" }))).await.unwrap();
    assert_eq!(cause(&corp.house.grant(held).await), None);
    corp.change(&id, nina(&json!({ "active": false }))).await.unwrap();
    assert!(cause(&corp.house.grant(held).await).is_some());
    assert_eq!(corp.person("nina").await.standing, Standing::Disabled);
    corp.change(&id, nina(&json!({}))).await.unwrap();
    assert_eq!(corp.person("nina").await.standing, Standing::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_is_not_brought_back_by_their_directory() {
    let corp = Corp::of(&by_nick()).await;
    let (app, root) = (&corp.house.app, corp.house.caller("root").await);
    let id = corp.push(nina(&json!({}))).await.meta.id;
    let says = async |title: &str| {
        corp.change(&id, nina(&json!({ "title": title }))).await.unwrap();
        corp.person("nina").await.standing
    };
    let back = PersonChange { standing: Some(Standing::Active), until: Some(None), ..PersonChange::default() };
    app.offboard(&root, "nina", None).await.unwrap();
    assert_eq!(says("clerk").await, Standing::Disabled);
    app.change_person(&root, "nina", &back).await.unwrap();
    assert_eq!(says("head").await, Standing::Active, "a hand brought her back");
    let until = Some(Some(corp.house.app.now().plus(mins(5))));
    app.change_person(&root, "nina", &PersonChange { until, ..PersonChange::default() }).await.unwrap();
    corp.house.advance(mins(5));
    app.leave_if_over(corp.house.id("nina").await).await.unwrap();
    assert_eq!(says("clerk").await, Standing::Disabled);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_somebody_is_where_they_sign_in_is_what_their_directory_says_last() {
    let sign_in = Some(DirectorySignIn { provider: name("idp"), subject: "externalId".to_owned() });
    let corp = Corp::of(&DirectoryRules { sign_in, ..by_nick() }).await;
    let (app, root) = (&corp.house.app, corp.house.caller("root").await);
    let subjects = async || -> Vec<String> {
        let ways = app.ways_in(&root, "nina").await.unwrap().into_iter();
        ways.map(|way| match way.what {
            WayKind::Identity { subject, .. } => subject,
            WayKind::Passkey => panic!("she has none"),
        })
        .collect()
    };
    let id = corp.push(nina(&json!({}))).await.meta.id;
    assert_eq!(subjects().await, ["n1"]);
    for external in ["n1", "n2", "n2"] {
        corp.change(&id, nina(&json!({ "externalId": external }))).await.unwrap();
        assert_eq!(subjects().await, [external]);
    }
    // A rule that is gone counts with the next word, be it the same.
    app.change_directory(&root, "corp", &by_nick()).await.unwrap();
    assert_eq!(subjects().await, ["n2"]);
    corp.change(&id, nina(&json!({ "externalId": "n2" }))).await.unwrap();
    assert!(subjects().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_is_somebody_of_the_directory_and_nobody_manages_themselves() {
    let corp = Corp::of(&by_nick()).await;
    let under = |who: &str, boss: &str| {
        let manager = json!({ "manager": { "value": boss } });
        nina(&json!({ "userName": who, "nickName": who, "externalId": who, ENTERPRISE: manager }))
    };
    let boss = corp.push(nina(&json!({ "userName": "boss", "nickName": "boss", "externalId": "b1" }))).await.meta.id;
    let id = corp.push(under("nina", &boss)).await.meta.id;
    assert_eq!(corp.person("nina").await.manager, boss.parse::<PersonId>().ok());
    let mia = corp.house.id("mia").await.to_string();
    assert_eq!(refused(corp.change(&id, under("nina", &mia)).await), Kind::InvalidValue);
    assert_eq!(refused(corp.change(&boss, under("boss", &id)).await), Kind::InvalidValue);
    assert_eq!(corp.person("boss").await.manager, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_has_no_rules_by_which_no_push_could_be_read() {
    let house = House::new().await;
    let root = house.caller("root").await;
    house.app.federate(vec![provider()]);
    let none = || "shoeSize".to_owned();
    let sign_in = |provider: &str, subject: String| Some(DirectorySignIn { provider: name(provider), subject });
    let groups = |all: &[(&str, &str)]| all.iter().map(|(theirs, ours)| ((*theirs).to_owned(), name(ours))).collect();
    for (rules, class) in [
        (DirectoryRules { name: none(), ..rules() }, Class::Invalid),
        (DirectoryRules { display: none(), ..rules() }, Class::Invalid),
        (DirectoryRules { attributes: BTreeMap::from([(name("job"), none())]), ..rules() }, Class::Invalid),
        (DirectoryRules { sign_in: sign_in("idp", none()), ..rules() }, Class::Invalid),
        (DirectoryRules { sign_in: sign_in("other", "externalId".to_owned()), ..rules() }, Class::Missing),
        (DirectoryRules { groups: groups(&[("A", "staff"), ("B", "staff")]), ..rules() }, Class::Invalid),
        (DirectoryRules { groups: groups(&[("A", "admins")]), ..rules() }, Class::Conflict),
    ] {
        let said = house.app.add_directory(&root, &name("corp"), &rules).await.map(drop).unwrap_err();
        assert_eq!(said.class(), class, "{said}: {rules:?}");
    }
    let good = DirectoryRules { sign_in: sign_in("idp", "externalId".to_owned()), ..rules() };
    house.app.add_directory(&root, &name("corp"), &good).await.unwrap();
    let bad = DirectoryRules { display: none(), ..good };
    let said = house.app.change_directory(&root, "corp", &bad).await.map(drop).unwrap_err();
    assert_eq!((said.class(), shown(&house).await.directory.rules.display.as_str()), (Class::Invalid, "displayName"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_has_64_attributes_and_4096_groups_that_are_mapped_and_no_more() {
    let corp = Corp::of(&rules()).await;
    let root = corp.house.caller("root").await;
    let maps = async |attributes: usize, groups: usize| {
        let title = |n| (name(&format!("a{n}")), "title".to_owned());
        let group = |n| (format!("G{n}"), name(&format!("g{n}")));
        let attributes = (0..attributes).map(title).collect();
        let rules = DirectoryRules { attributes, groups: (0..groups).map(group).collect(), ..rules() };
        corp.house.app.change_directory(&root, "corp", &rules).await.map(drop).map_err(|error| error.class())
    };
    assert_eq!(maps(64, 4096).await, Ok(()));
    assert_eq!(maps(65, 1).await, Err(Class::Invalid));
    assert_eq!(maps(1, 4097).await, Err(Class::Invalid));
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_directory_called_and_what_was_refused_is_shown_at_once() {
    let corp = Corp::of(&rules()).await;
    let called = corp.house.app.now();
    let at = corp.house.advance(mins(1));
    let heard = shown(&corp.house).await;
    assert_eq!((heard.seen, heard.refused, heard.last_refused), (Some(called), 0, None));
    for why in ["no name", &"long".repeat(99)] {
        corp.house.app.note_refused_push(&corp.by, why);
    }
    let heard = shown(&corp.house).await;
    assert_eq!((heard.refused, heard.last_refused), (2, Some((at, "long".repeat(64)))));
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_found_by_their_id_by_their_directory_and_no_other() {
    let mut corp = Corp::of(&by_nick()).await;
    let filter = format!("id eq \"{}\"", corp.push(nina(&json!({}))).await.meta.id);
    assert_eq!(corp.found(&filter).await.len(), 1);
    let root = corp.house.caller("root").await;
    let (_, token) = corp.house.app.add_directory(&root, &name("other"), &rules()).await.unwrap();
    corp.by = corp.house.app.authenticate_directory(&token.reveal()).await.unwrap();
    assert!(corp.found(&filter).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_gone_from_their_directory_holds_nothing_and_their_name_is_nobody_elses() {
    let sign_in = Some(DirectorySignIn { provider: name("idp"), subject: "externalId".to_owned() });
    let corp = Corp::of(&DirectoryRules { sign_in, ..by_nick() }).await;
    let (app, root) = (&corp.house.app, corp.house.caller("root").await);
    let id = corp.push(nina(&json!({}))).await.meta.id;
    app.set_member(&root, &name("engineers"), "nina", Membership::In).await.unwrap();
    let held = corp.house.hold("nina", "attic", "read", 1).await;
    let staff = json!({ "schemas": [GROUP], "displayName": "staff", "members": [{ "value": id }] });
    let staff = app.push_group(&corp.by, staff).await.unwrap().meta.id;
    let read = async || app.pushed_one(&corp.by, ResourceKind::User, &id).await;
    assert_eq!(read().await.unwrap().groups, [(staff, "corp.staff".to_owned())], "groups of others");

    let removed = async |at| app.remove_pushed_person(&corp.by, &id, &at).await;
    let stale = removed(Some(vec!["W/\"9\"".to_owned()])).await;
    assert!(matches!(&stale, Err(AppError::Scim(no)) if no.kind == Kind::Stale), "{stale:?}");
    assert_eq!(cause(&corp.house.grant(held).await), None);
    removed(None).await.unwrap();
    assert!(cause(&corp.house.grant(held).await).is_some());
    let gone = corp.person("nina").await;
    assert_eq!((gone.standing, gone.kept_by), (Standing::Disabled, None));
    assert!(app.world().await.unwrap().group("corp.staff").unwrap().members.is_empty());
    assert!(app.ways_in(&root, "nina").await.unwrap().is_empty());
    assert_eq!(refused(read().await), Kind::Missing);
    assert_eq!(refused(app.push_person(&corp.by, nina(&json!({}))).await), Kind::Uniqueness);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_read_the_best_name_that_a_directory_says() {
    let corp = Corp::of(&by_nick()).await;
    let id = corp.push(nina(&json!({}))).await.meta.id;
    for (said, read) in [
        (json!({ "displayName": "Nina B.", "name": { "formatted": "Ms Berg" } }), "Nina B."),
        (json!({ "displayName": null, "name": { "formatted": "Ms Berg", "givenName": "Nina" } }), "Ms Berg"),
        (json!({ "displayName": null, "name": { "familyName": "Berg", "givenName": "Nina" } }), "Nina Berg"),
        (json!({ "displayName": null, "name": { "familyName": "Berg" } }), "Berg"),
        (json!({ "displayName": null }), "nina"),
    ] {
        corp.change(&id, nina(&said)).await.unwrap();
        assert_eq!(corp.person("nina").await.display.as_str(), read);
    }
}
