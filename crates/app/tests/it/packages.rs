//! Access packages: what somebody gets for who they are, as if they had asked.

use std::collections::{BTreeMap, BTreeSet};

use wane_app::{AppError, MOST_DURATION, Membership, NewPackage, PersonChange, rejudge_all};
use wane_domain::grant::GrantState;
use wane_domain::id::GrantId;
use wane_domain::request::ItemState;
use wane_domain::time::Span;
use wane_store::{GrantFilter, GrantPhase, RequestFilter, Slice, Store as _};

use crate::house::{House, end_of, mins, name};

fn package(called: &str, items: &[(&str, &str)], groups: &[&str], attributes: &[(&str, &str)]) -> NewPackage {
    NewPackage {
        name: name(called),
        description: "".parse().unwrap(),
        items: items.iter().map(|(role, resource)| ((*role).to_owned(), (*resource).to_owned())).collect(),
        groups: groups.iter().map(|group| name(group)).collect(),
        attributes: attributes.iter().map(|(k, v)| (name(k), v.parse().unwrap())).collect(),
        at_most: None,
    }
}

impl House {
    async fn pack(&self, new: &NewPackage) -> Result<(), AppError> {
        self.app.add_package(&self.caller("root").await, new).await.map(|_| ())
    }

    /// What somebody holds now, or is to hold.
    async fn held(&self, who: &str) -> Vec<GrantId> {
        let phases = vec![GrantPhase::Scheduled, GrantPhase::Active];
        let filter = GrantFilter { holder: Some(self.id(who).await), phases, ..GrantFilter::default() };
        let page = self.store.grants(filter, Slice::first(100)).await.unwrap();
        page.items.iter().map(|seen| seen.value.id).collect()
    }

    async fn asked(&self, who: &str) -> Vec<wane_domain::request::AccessRequest> {
        let filter = RequestFilter { person: Some(self.id(who).await), waiting: None };
        let page = self.store.requests(filter, Slice::first(100)).await.unwrap();
        page.items.into_iter().map(|seen| seen.value).collect()
    }

    /// What the engine does about packages, once.
    async fn give(&self) {
        rejudge_all(&self.app).await.unwrap();
        self.app.give_packages().await.unwrap();
    }

    async fn attribute(&self, who: &str, attributes: &[(&str, &str)]) {
        let attributes: BTreeMap<_, _> = attributes.iter().map(|(k, v)| (name(k), v.parse().unwrap())).collect();
        let change = PersonChange { attributes: Some(attributes), ..PersonChange::default() };
        self.app.change_person(&self.caller("root").await, who, &change).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fits_gets_it_once_for_as_long_as_policy_gives_and_keeps_it_while_they_fit() {
    let house = House::new().await;
    house.pack(&package("base", &[("read", "attic")], &["engineers"], &[("site", "lab")])).await.unwrap();
    house.give().await;
    assert!(house.held("ann").await.is_empty(), "a group alone was enough");
    house.attribute("ann", &[("site", "lab")]).await;
    house.attribute("zoe", &[("site", "lab")]).await;
    for _ in 0..3 {
        house.give().await;
    }
    assert!(house.held("zoe").await.is_empty() && house.held("ben").await.is_empty());
    let held = house.held("ann").await;
    assert_eq!(held.len(), 1, "asked for more than once");
    let grant = house.grant(held[0]).await;
    assert_eq!(end_of(&grant), house.app.now().plus(Span::from_hours(8)), "not for as long as policy gives");
    let request = house.request(grant.request).await;
    assert!(request.ask.package.is_some());
    assert_eq!(request.ask.justification.as_ref().unwrap().as_str(), "package base");
    house.hand_out("ann", held[0]).await.expect("it is used as any other");

    // Renewed before it ends, and not long before.
    house.advance(Span::from_hours(7));
    house.give().await;
    assert_eq!(house.held("ann").await.len(), 1);
    house.advance(mins(51));
    house.give().await;
    house.give().await;
    assert_eq!(house.held("ann").await.len(), 2, "not renewed before its end");

    // Who no longer fits loses it with the next judgement.
    house.attribute("ann", &[("site", "home")]).await;
    house.give().await;
    assert!(house.held("ann").await.is_empty(), "kept by somebody who no longer fits");
    let GrantState::Ending { cause, .. } = &house.grant(held[0]).await.state else { panic!("it is not ended") };
    assert!(format!("{cause:?}").contains("base"), "{cause:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_wants_an_approver_waits_for_one_and_is_not_asked_again_and_again() {
    let house = House::new().await;
    house.pack(&package("vault", &[("read", "vault")], &["engineers"], &[])).await.unwrap();
    let limited =
        NewPackage { at_most: Some(Span::from_hours(6)), ..package("v2", &[("read", "vault")], &["dba"], &[]) };
    house.pack(&limited).await.unwrap();
    for _ in 0..3 {
        house.give().await;
    }
    assert!(house.held("ann").await.is_empty(), "policy was passed by");
    // Policy has a guardrail at six hours, and what it denies is not asked for at all.
    assert!(house.asked("ann").await.is_empty(), "{:?}", house.asked("ann").await);
    let root = house.caller("root").await;
    house.app.remove_package(&root, "vault").await.unwrap();
    let limited = NewPackage { name: name("vault"), groups: BTreeSet::from([name("engineers")]), ..limited };
    house.pack(&limited).await.unwrap();
    for _ in 0..3 {
        house.give().await;
    }
    let asked = house.asked("ann").await;
    assert_eq!(asked.len(), 1, "asked again and again");
    assert!(matches!(asked[0].items[0].state, ItemState::Waiting));
    house.app.deny(&house.caller("eva").await, asked[0].id, None, &"no".parse().unwrap()).await.unwrap();
    house.give().await;
    assert_eq!(house.asked("ann").await.len(), 1, "asked again right after a no");
    house.advance(Span::from_hours(25));
    house.give().await;
    let asked = house.asked("ann").await;
    assert_eq!(asked.len(), 2);
    let waits = asked.iter().find(|r| matches!(r.items[0].state, ItemState::Waiting)).unwrap();
    house.approve("eva", waits.id).await.unwrap();
    house.give().await;
    assert_eq!(house.held("ann").await.len(), 1);
    assert_eq!(house.asked("ann").await.len(), 2, "asked for what they are to hold");
}

/// What is held of the rest, asked for or refused of it, is no reason to leave one out.
#[tokio::test(flavor = "multi_thread")]
async fn each_item_of_a_package_is_given_or_asked_for_by_itself() {
    let house = House::new().await;
    house.pack(&package("base", &[("read", "attic"), ("write", "attic")], &["engineers"], &[])).await.unwrap();
    house.give().await;
    assert_eq!(house.held("ann").await.len(), 2, "one role on a resource was taken for another");
    let vault = package("vault", &[("read", "vault"), ("write", "vault")], &["engineers"], &[]);
    house.pack(&NewPackage { at_most: Some(Span::from_hours(4)), ..vault }).await.unwrap();
    house.give().await;
    let waiting = |asked: &[wane_domain::request::AccessRequest]| {
        asked.iter().filter(|request| request.items[0].state == ItemState::Waiting).count()
    };
    assert_eq!(waiting(&house.asked("ann").await), 2, "one that waits was taken for the other");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_asked_again_a_day_later_to_the_instant() {
    let house = House::new().await;
    let vault = package("vault", &[("read", "vault")], &["engineers"], &[]);
    house.pack(&NewPackage { at_most: Some(Span::from_hours(4)), ..vault }).await.unwrap();
    house.give().await;
    let asked = house.asked("ann").await[0].id;
    house.app.deny(&house.caller("eva").await, asked, None, &"no".parse().unwrap()).await.unwrap();
    let day = Span::from_hours(24);
    for (waited, asked) in [(day.micros() - 1, 1), (1, 2)] {
        house.advance(Span::from_micros(waited));
        house.give().await;
        assert_eq!(house.asked("ann").await.len(), asked, "after {waited} µs more");
    }
}

/// A tenth of its time before the end, where that is less than ten minutes.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_for_a_short_time_is_renewed_shortly_before_its_end() {
    let house = House::new().await;
    let base = package("base", &[("read", "attic")], &["engineers"], &[]);
    house.pack(&NewPackage { at_most: Some(mins(20)), ..base }).await.unwrap();
    house.give().await;
    let begun = house.app.now();
    for (at, held) in [(mins(18).micros() - 1, 1), (mins(18).micros(), 2)] {
        house.clock.set(begun.plus(Span::from_micros(at)));
        house.give().await;
        assert_eq!(house.held("ann").await.len(), held, "{at} µs after it began");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_the_group_or_is_gone_before_it_was_approved_gets_nothing() {
    let house = House::new().await;
    let new =
        NewPackage { at_most: Some(Span::from_hours(6)), ..package("v", &[("read", "vault")], &["engineers"], &[]) };
    house.pack(&new).await.unwrap();
    house.give().await;
    let asked = house.asked("ann").await[0].id;
    let root = house.caller("root").await;
    house.app.set_member(&root, &name("engineers"), "ann", Membership::Out).await.unwrap();
    house.app.set_member(&root, &name("engineers"), "ann", Membership::In).await.unwrap();
    house.app.remove_package(&root, "v").await.unwrap();
    let answered = house.approve("eva", asked).await.unwrap();
    assert!(crate::house::denied(&answered, 0).contains("gone"), "{:?}", answered.items[0].state);
    assert!(house.held("ann").await.is_empty());
}

/// Taken out, locked, disabled, over: nothing of it stays, and nothing of it lasts past somebody's time.
#[tokio::test(flavor = "multi_thread")]
async fn a_package_gives_nothing_to_whom_nothing_is_to_be_given() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let until = house.app.now().plus(mins(90));
    house.until("ann", Some(until)).await;
    house.stand("ben", wane_domain::directory::Standing::Disabled).await.unwrap();
    house.pack(&package("base", &[("read", "attic"), ("deploy", "web1")], &["engineers"], &[])).await.unwrap();
    house.give().await;
    let held = house.held("ann").await;
    assert_eq!((held.len(), house.held("ben").await.len()), (2, 0));
    for id in &held {
        assert_eq!(end_of(&house.grant(*id).await), until);
    }
    house.clock.set(until);
    house.give().await;
    assert_eq!(house.asked("ann").await.len(), 2, "asked for somebody whose time is over");
    house.app.remove_package(&root, "base").await.unwrap();
    rejudge_all(&house.app).await.unwrap();
    assert!(house.held("mia").await.is_empty(), "kept out of a package that is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_has_so_many_items_and_gives_them_for_a_minute_to_a_year() {
    let house = House::new().await;
    for (items, why) in [(64, "there is no resource"), (65, "put 1 to 64")] {
        let said = house.pack(&package("p", &vec![("read", "nowhere"); items], &["engineers"], &[])).await.unwrap_err();
        assert!(said.to_string().contains(why), "{items}: {said}");
    }
    let (least, most) = (mins(1).micros(), MOST_DURATION.micros());
    for (micros, taken) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
        let new = package(&format!("p{micros}"), &[("read", "attic")], &["engineers"], &[]);
        let packed = house.pack(&NewPackage { at_most: Some(Span::from_micros(micros)), ..new }).await;
        let refused = packed.as_ref().is_err_and(|e| e.to_string().contains("write a minute to"));
        assert_eq!((packed.is_ok(), refused), (taken, !taken), "{micros} µs: {packed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_is_entered_strictly_and_by_whom_may() {
    let house = House::new().await;
    for (new, why) in [
        (package("p", &[("read", "attic")], &[], &[]), "say whom"),
        (package("p", &[], &["engineers"], &[]), "1 to"),
        (package("p", &[("read", "attic"), ("read", "attic")], &["engineers"], &[]), "twice"),
        (package("p", &[("deploy", "attic")], &["engineers"], &[]), "there is no role"),
        (package("p", &[("read", "nowhere")], &["engineers"], &[]), "there is no resource"),
        (package("p", &[("read", "attic")], &["engineer"], &[]), "there is no group"),
    ] {
        let said = house.pack(&new).await.unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
    }
    let good = package("p", &[("read", "attic")], &["engineers"], &[]);
    for who in ["ann", "mia", "eva"] {
        let caller = house.caller(who).await;
        assert!(matches!(house.app.add_package(&caller, &good).await, Err(AppError::NotAllowed { .. })));
        assert!(matches!(house.app.remove_package(&caller, "p").await, Err(AppError::NotAllowed { .. })));
    }
    house.pack(&good).await.unwrap();
    assert!(matches!(house.pack(&good).await, Err(AppError::Taken(_))));
    let root = house.caller("root").await;
    house.app.remove_package(&root, "p").await.unwrap();
    assert!(matches!(house.app.remove_package(&root, "p").await, Err(AppError::Missing { .. })));
}
