//! The report about somebody who left: of their last leaving, of nobody else, and of what is known of them elsewhere.

use std::net::IpAddr;

use wane_app::{Leaving, Look, Membership};
use wane_domain::directory::Standing;
use wane_domain::grant::GrantState;
use wane_store::{EnteredBy, Put, Way, WayIn, Write};

use crate::house::{House, mins, name, reason};

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

async fn goes(house: &House, who: &str, why: &str) {
    house.app.offboard(&house.caller("root").await, who, Some(&reason(why))).await.unwrap();
    house.advance(mins(1));
}

async fn report(house: &House, who: &str, look: Look) -> Leaving {
    house.app.leaving(&house.caller("root").await, who, look).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_of_ones_last_leaving_and_of_nobody_else() {
    let house = House::new().await;
    let over = house.hold("ann", "attic", "read", 1).await;
    house.app.give_back(&house.caller("ann").await, over).await.unwrap();
    assert!(matches!(house.grant(over).await.state, GrantState::Closed { .. }));
    goes(&house, "ann", "the first time").await;
    house.stand("ann", Standing::Active).await.unwrap();
    house.app.set_member(&house.caller("root").await, &name("engineers"), "ann", Membership::In).await.unwrap();
    house.advance(mins(1));
    let held = house.hold("ann", "annex", "read", 1).await;
    let way = WayIn {
        id: house.ambient.id(),
        key: "identity:ann".to_owned(),
        person: house.id("ann").await,
        name: "idp".parse().unwrap(),
        at: house.app.now(),
        entered_by: EnteredBy::Settings,
        used: None,
        what: Way::Identity { issuer: "https://idp.example".to_owned(), subject: "u1".to_owned() },
    };
    house.write(vec![Write::WayIn(Put::new(way))]).await;
    // The log tells more of her than that she left, in that instant too.
    house.app.note_misuse(held, 1, "it was shown elsewhere", PEER).await.unwrap();
    goes(&house, "ann", "the second time").await;
    house.app.note_misuse(held, 1, "it was shown elsewhere", PEER).await.unwrap();
    house.hold("ben", "attic", "read", 1).await;
    goes(&house, "ben", "another").await;

    let ann = report(&house, "ann", Look::No).await;
    assert_eq!((ann.by, ann.why.as_str()), (Some(house.id("root").await), "they have left: the second time"));
    assert_eq!(ann.held.iter().map(|(grant, _)| grant.id).collect::<Vec<_>>(), [held]);
    assert_eq!((ann.groups, ann.identities.len()), (vec!["engineers".to_owned()], 1));
    assert_eq!(ann.identities[0][1], "u1");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_complete_while_something_is_held_or_owed() {
    let house = House::new().await;
    house.hold("ann", "attic", "read", 1).await;
    let open = house.hold("ben", "attic", "read", 1).await;
    house.hand_out("ben", open).await.unwrap();
    let (held, leases) = (house.grant(open).await, house.leases(open).await);
    goes(&house, "ann", "for good").await;
    let done = report(&house, "ann", Look::No).await;
    assert!(done.is_complete());
    let closed = done.held[0].0.clone();
    for (what, also) in [("held", (held, Vec::new())), ("owed", (closed, leases))] {
        let mut other = done.clone();
        other.held.push(also);
        assert!(!other.is_complete(), "{what}");
    }
}

/// Whoever is known there by somebody's name, however it is spelt; asked only if that was wanted.
#[tokio::test(flavor = "multi_thread")]
async fn what_targets_know_by_their_name_is_in_the_report_if_they_were_asked() {
    let house = House::new().await;
    house.gate.stand("attic", &["ann", "ben", "ANN"]);
    house.gate.stand("annex", &["annabel"]);
    goes(&house, "ann", "for good").await;
    assert!(report(&house, "ann", Look::No).await.strangers.is_none());
    let found = report(&house, "ann", Look::AtTargets).await.strangers.unwrap().accounts;
    let attic = house.resource("attic").await;
    let known: Vec<_> = found.iter().map(|one| (one.resource, one.principal.as_str(), one.right.as_str())).collect();
    assert_eq!(known, [(attic, "ann", "everything"), (attic, "ANN", "everything")]);
}
