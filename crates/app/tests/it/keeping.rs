//! Directories that push: when they called, how long their tokens last, what they read back, and what only they say of
//! their people. Directories that are pulled, and providers: what they are called, and what waits for their word.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use wane_app::{
    AppError, Class, DirectoryCaller, DirectoryShown, Federated, Followed, Newcomers, PersonChange, ProviderChoice,
    ProviderRules, PullRules, PulledDirectory, Pushed, Says, Sending, Strangers, WayKind,
};
use wane_domain::directory::{DirectoryRules, Standing};
use wane_domain::secret::Secret;
use wane_domain::time::Span;
use wane_ldap::Place;
use wane_scim::Kind;
use wane_scim::schema::ResourceKind;
use wane_store::RecordFilter;

use crate::house::{House, ask, mins, name};

/// Where directories push to.
const BASE: &str = "https://wane.example/scim/v2";

pub(crate) fn rules() -> DirectoryRules {
    DirectoryRules {
        name: "userName".to_owned(),
        display: "displayName".to_owned(),
        attributes: BTreeMap::from([(name("job"), "title".to_owned())]),
        groups: BTreeMap::new(),
        sign_in: None,
    }
}

pub(crate) async fn shown(house: &House) -> DirectoryShown {
    house.app.directory(&house.caller("root").await, "corp").await.unwrap()
}

/// A company with a directory that calls.
async fn corp() -> (House, DirectoryCaller) {
    let house = House::new().await;
    let (_, token) = house.app.add_directory(&house.caller("root").await, &name("corp"), &rules()).await.unwrap();
    let by = house.app.authenticate_directory(&token.reveal()).await.unwrap();
    (house, by)
}

fn user(called: &str, external: &str, active: bool) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": called, "externalId": external, "displayName": "Nina", "title": "clerk", "active": active
    })
}

async fn standing(house: &House, person: &str) -> Option<Standing> {
    house.app.world().await.unwrap().person(person).map(|person| person.standing)
}

pub(crate) fn refused(said: Result<Pushed, AppError>) -> Kind {
    match said {
        Err(AppError::Scim(refused)) => refused.kind,
        other => panic!("{other:?}"),
    }
}

/// One that is in the settings and never asked.
pub(crate) fn provider() -> Federated {
    let rules = ProviderRules {
        name: name("idp"),
        display: "Corp".to_owned(),
        strangers: Strangers::Refused,
        display_claim: "name".to_owned(),
        groups_claim: "groups".to_owned(),
        groups: BTreeMap::new(),
        attributes: BTreeMap::new(),
        several_factors: Says::default(),
        phishing_resistant: Says::default(),
    };
    Federated { rules, provider: crate::federating::provider("https://login.example.org", "idp") }
}

/// One that is pulled and silent: there is nothing to prove to it who we are.
fn silent() -> PulledDirectory {
    let rules = PullRules {
        name: name("dir"),
        people_base: "ou=people,dc=example".to_owned(),
        people_filter: "(objectClass=person)".to_owned(),
        disabled_filter: None,
        name_attribute: "uid".to_owned(),
        display_attribute: "cn".to_owned(),
        newcomers: Newcomers::Left,
        attributes: BTreeMap::new(),
        groups: BTreeMap::new(),
        member_attribute: "member".to_owned(),
        shrink_percent: 20,
        stale_after: mins(10),
    };
    let (urls, bind_dn) = (vec!["ldap://127.0.0.1".to_owned()], "cn=wane".to_owned());
    PulledDirectory {
        rules,
        place: Place { urls, starttls: false, tls: None, bind_dn },
        credential: Secret::new(Vec::new()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_directory_called_and_which_of_its_tokens_last_is_shown() {
    let mut house = House::new().await;
    let root = house.caller("root").await;
    let (added, former) = house.app.add_directory(&root, &name("corp"), &rules()).await.unwrap();
    let former = former.reveal().to_string();
    assert_eq!((added.seen, added.tokens.len()), (None, 1), "it never called");
    let called = house.advance(mins(5));
    house.app.authenticate_directory(&former).await.unwrap();
    // What is in memory is gone with the process; what was written down is not.
    house.reopen();
    house.advance(mins(1));
    assert_eq!(shown(&house).await.seen, Some(called));
    let over = house.app.now().plus(mins(60));
    let (rotated, _) = house.app.rotate_directory(&root, "corp", mins(60)).await.unwrap();
    assert!(rotated.tokens.len() == 2 && rotated.tokens.contains(&over), "{:?}", rotated.tokens);
    house.clock.set(over);
    assert!(house.app.authenticate_directory(&former).await.is_err());
    let left = shown(&house).await.tokens;
    assert!(left.len() == 1 && !left.contains(&over), "a token that is over is shown: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_directory_called_is_written_down_once_a_minute() {
    let house = House::new().await;
    let (_, token) = house.app.add_directory(&house.caller("root").await, &name("corp"), &rules()).await.unwrap();
    let token = token.reveal().to_string();
    for (secs, written) in [(59, 0), (1, 1), (59, 1), (1, 2)] {
        house.advance(Span::from_secs(secs));
        house.app.authenticate_directory(&token).await.unwrap();
        let used = RecordFilter { event: Some("directory.used".to_owned()), ..RecordFilter::default() };
        assert_eq!(house.records(used).await.len(), written);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_former_token_goes_on_for_thirty_days_at_most() {
    let (house, _) = corp().await;
    let root = house.caller("root").await;
    let month = 30 * 24 * 60 * 60;
    house.app.rotate_directory(&root, "corp", Span::from_secs(month)).await.unwrap();
    let longer = house.app.rotate_directory(&root, "corp", Span::from_secs(month + 1)).await.unwrap_err();
    assert_eq!(longer.class(), Class::Invalid, "{longer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_reads_back_what_it_said_and_when_and_at_which_version() {
    let (house, by) = corp().await;
    let stands = |one: Pushed| {
        assert_eq!((one.meta.base.as_str(), one.meta.created.as_str()), (BASE, "2026-11-21T10:00:00Z"));
        assert_eq!((one.sent.external.as_deref(), &one.sent.doc["displayName"]), (Some("n1"), &json!("Nina")));
        (one.meta.version, one.meta.changed, one.sent.doc["title"].clone())
    };
    let nina = house.app.push_person(&by, user("nina", "n1", true)).await.unwrap();
    let id = nina.meta.id.clone();
    let first = ("W/\"1\"".to_owned(), "2026-11-21T10:00:00Z".to_owned(), json!("clerk"));
    let second = ("W/\"2\"".to_owned(), "2026-11-21T10:05:00Z".to_owned(), json!("head"));
    assert_eq!(stands(nina), first);
    house.advance(mins(5));
    let change = async |at: &str| {
        let patch = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "replace", "path": "title", "value": "head" }]
        });
        house.app.change_pushed_person(&by, &id, &Some(vec![at.to_owned()]), Sending::Patch(patch)).await
    };
    assert_eq!(refused(change(&second.0).await), Kind::Stale);
    assert_eq!(stands(change(&first.0).await.unwrap()), second);
    assert_eq!(stands(house.app.pushed_one(&by, ResourceKind::User, &id).await.unwrap()), second);
    assert_eq!(refused(change(&first.0).await), Kind::Stale);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_of_a_directory_are_called_the_same_by_it() {
    let (house, by) = corp().await;
    house.app.push_person(&by, user("nina", "n1", true)).await.unwrap();
    assert_eq!(refused(house.app.push_person(&by, user("nora", "n1", true)).await), Kind::Uniqueness);
    assert_eq!(standing(&house, "nora").await, None);
    house.app.push_person(&by, user("nora", "n2", true)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_waits_for_no_pace_and_is_done_though_the_rest_is_refused() {
    let (house, by) = corp().await;
    let id = house.app.push_person(&by, user("nina", "n1", true)).await.unwrap().meta.id;
    house.advance(mins(5));
    let renamed = async |active| {
        let said = Sending::Whole(user("nora", "n1", active));
        let Err(AppError::Scim(no)) = house.app.change_pushed_person(&by, &id, &None, said).await else { panic!() };
        assert_eq!(no.kind, Kind::Mutability);
        no.detail.ends_with("that they are not active any more was taken all the same")
    };
    assert!(!renamed(true).await);
    assert_eq!(standing(&house, "nina").await, Some(Standing::Active));
    assert!((0..10_000).any(|_| house.app.pace_of(&by).is_err()), "it has no pace");
    assert!(renamed(false).await);
    assert_eq!(standing(&house, "nina").await, Some(Standing::Disabled));
    let read = house.app.pushed_one(&by, ResourceKind::User, &id).await.unwrap();
    assert_eq!((&read.sent.doc["active"], &read.sent.doc["userName"]), (&json!(false), &json!("nina")));
    assert_eq!(read.meta.changed, "2026-11-21T10:05:00Z");
    let by_hand = PersonChange { standing: Some(Standing::Active), ..PersonChange::default() };
    let by_hand = house.app.change_person(&house.caller("root").await, "nina", &by_hand).await;
    assert!(matches!(by_hand, Err(AppError::Taken(_))), "{by_hand:?}");
    let next = house.app.push_person(&by, user("nora", "n2", true)).await;
    assert!(matches!(next, Err(AppError::Closed { .. })), "{next:?}");
}

/// What ends does not ask.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_begins_for_people_whose_directory_is_silent_for_too_long() {
    let house = House::new().await;
    house.app.keep_by(vec![silent()]);
    house.app.link_identity(&house.caller("root").await, "ann", "dir", "u1").await.unwrap();
    let held = house.hold("ann", "attic", "read", 1).await;
    let followed = house.app.follow_directory(&name("dir"), Duration::from_secs(60)).await.unwrap();
    assert_eq!(followed, Followed::Silent);
    house.advance(mins(10));
    house.hold("ann", "annex", "read", 1).await;
    house.advance(Span::from_secs(1));
    let asked = house.try_ask("ann", ask(&[("attic", "write")], 1)).await.map(drop);
    let begun = house.hand_out("ann", held).await.map(drop);
    for said in [asked, begun] {
        assert!(matches!(&said, Err(AppError::Unheard { directory }) if directory == "dir"), "{said:?}");
    }
    house.hold("ben", "attic", "read", 1).await;
    house.app.give_back(&house.caller("ann").await, held).await.unwrap();
}

/// By the name it has here while it is in the settings, and by its own once it is not.
#[tokio::test(flavor = "multi_thread")]
async fn an_identity_is_shown_with_who_says_it() {
    let mut house = House::new().await;
    let (root, ann) = (house.caller("root").await, house.caller("ann").await);
    house.app.federate(vec![provider()]);
    house.app.keep_by(vec![silent()]);
    let choice = ProviderChoice { name: "idp".to_owned(), display: "Corp".to_owned() };
    assert_eq!(house.app.provider_choices(), [choice]);
    for one in ["dir", "idp"] {
        house.app.link_identity(&root, "ann", one, "u1").await.unwrap();
    }
    for said in [["dir", "idp"], ["https://login.example.org", "ldap:dir"]] {
        let ways = house.app.ways_in(&ann, "ann").await.unwrap().into_iter();
        let mut by: Vec<_> = ways
            .map(|way| match way.what {
                WayKind::Identity { provider, .. } => provider,
                WayKind::Passkey => panic!("she has none"),
            })
            .collect();
        by.sort();
        assert_eq!(by, said);
        house.reopen();
    }
}

/// What a directory says of somebody is changed there; a hand disables them, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_directory_says_no_hand_changes() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let (_, token) = house.app.add_directory(&root, &name("corp"), &rules()).await.unwrap();
    let by = house.app.authenticate_directory(&token.reveal()).await.unwrap();
    let says = |active: bool| -> Value {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": "nina", "displayName": "Nina", "title": "clerk", "active": active
        })
    };
    house.app.push_person(&by, says(true)).await.unwrap();
    let nina = house.app.world().await.unwrap().person("nina").unwrap().clone();
    let wants = |change: PersonChange| {
        let (app, root) = (std::sync::Arc::clone(&house.app), root.clone());
        async move { app.change_person(&root, "nina", &change).await }
    };
    let nothing = PersonChange::default;
    for change in [
        PersonChange { display: Some("Somebody else".parse().unwrap()), ..nothing() },
        PersonChange { manager: Some(Some("mia".to_owned())), ..nothing() },
        PersonChange { attributes: Some(BTreeMap::new()), ..nothing() },
    ] {
        let said = wants(change).await;
        assert!(matches!(said, Err(AppError::Taken(_))), "{said:?}");
    }
    // What it does not speak of is open to a hand.
    let mut more = nina.attributes.clone();
    more.insert(name("desk"), "4".parse().unwrap());
    wants(PersonChange { attributes: Some(more), ..nothing() }).await.unwrap();
    let standing = |standing: Standing| PersonChange { standing: Some(standing), ..nothing() };
    let push = async |active: bool| {
        let id = nina.id.to_string();
        house.app.change_pushed_person(&by, &id, &None, Sending::Whole(says(active))).await.unwrap();
        house.app.world().await.unwrap().person("nina").unwrap().standing
    };
    wants(standing(Standing::Disabled)).await.unwrap();
    assert_eq!(push(true).await, Standing::Disabled, "the directory undid what a hand did");
    wants(standing(Standing::Active)).await.unwrap();
    assert_eq!(push(false).await, Standing::Disabled);
    let said = wants(standing(Standing::Active)).await;
    assert!(matches!(said, Err(AppError::Taken(_))), "a hand undid what the directory says: {said:?}");
}
