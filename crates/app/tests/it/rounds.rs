//! Ends that share a round: each is read back, booked and answered for by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;
use wane_app::TryEnd;
use wane_domain::id::{GrantId, LeaseId};
use wane_domain::lease::LeaseState;

use crate::gated::{Does, InRound};
use crate::house::House;

/// Accounts at one target whose end was said.
async fn ending(house: &House, holders: &[&str]) -> Vec<(GrantId, LeaseId)> {
    let mut out = Vec::new();
    for who in holders {
        let id = house.hold(who, "attic", "read", 1).await;
        house.hand_out(who, id).await.unwrap();
        house.app.give_back(&house.caller(who).await, id).await.unwrap();
        out.push((id, house.leases(id).await[0].id));
    }
    out
}

/// Tries them in one round; how each stands, in their order.
async fn round(house: &House, leases: &[LeaseId]) -> Vec<TryEnd> {
    let tried = house.app.try_end_together(house.resource("attic").await, leases).await;
    assert_eq!(tried.len(), leases.len(), "one was answered for twice, or not at all");
    let how: BTreeMap<LeaseId, TryEnd> = tried.into_iter().map(|(lease, how)| (lease, how.unwrap())).collect();
    leases.iter().map(|id| how[id]).collect()
}

async fn artifact(house: &House, grant: GrantId) -> String {
    house.leases(grant).await[0].artifact.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_a_round_has_an_end_of_its_own() {
    let house = House::new().await;
    let all = ending(&house, &["ann", "ben", "dan", "mia"]).await;
    let ids: Vec<LeaseId> = all.iter().map(|(_, lease)| *lease).collect();
    house.gate.in_round(&artifact(&house, all[1].0).await, InRound::LeftOut);
    house.gate.in_round(&artifact(&house, all[2].0).await, InRound::Lied);
    // One was ended before, by itself.
    assert_eq!(house.try_ends(all[3].0).await, [TryEnd::Gone]);
    assert_eq!(round(&house, &ids).await, [TryEnd::Gone, TryEnd::Gone, TryEnd::Open, TryEnd::Gone]);
    assert_eq!(house.gate.begun("attic", "round"), 1);
    assert_eq!(house.gate.begun("attic", "end"), 3, "what the round left out was not ended alone, or more was");
    for (place, state) in ["closed", "closed", "ending", "closed"].into_iter().enumerate() {
        assert_eq!(house.grant(all[place].0).await.state.name(), state, "{place}");
    }
    let debt = house.leases(all[2].0).await[0].debt.clone();
    assert!(debt.last.unwrap().contains("still there"), "what was said of the round was believed");
    assert_eq!(debt.attempts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_that_answers_for_too_few_has_answered_for_nobody() {
    let house = House::new().await;
    let all = ending(&house, &["ann", "ben", "dan"]).await;
    let ids: Vec<LeaseId> = all.iter().map(|(_, lease)| *lease).collect();
    house.gate.in_round(&artifact(&house, all[0].0).await, InRound::Lied);
    house.gate.rounds_fall_short();
    assert_eq!(round(&house, &ids).await, [TryEnd::Gone; 3]);
    assert!(house.gate.accounts("attic").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_at_a_dead_target_costs_one_call_and_leaves_every_debt() {
    let house = House::new().await;
    let all = ending(&house, &["ann", "ben", "dan"]).await;
    let ids: Vec<LeaseId> = all.iter().map(|(_, lease)| *lease).collect();
    house.gate.end("attic", Does::Dead);
    assert_eq!(round(&house, &ids).await, [TryEnd::Unreachable; 3]);
    assert_eq!((house.gate.begun("attic", "round"), house.gate.begun("attic", "end")), (1, 0));
    for (grant, _) in &all {
        assert!(matches!(house.leases(*grant).await[0].state, LeaseState::Revoking { .. }));
        assert!(house.leases(*grant).await[0].debt.last.as_ref().unwrap().contains("it is dead"));
    }
    house.gate.end("attic", Does::Work);
    assert_eq!(round(&house, &ids).await, [TryEnd::Gone; 3]);
}

/// What a person has to look at does not make a server refuse the others' round.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_quarantined_shares_no_round() {
    let house = House::new().await;
    let all = ending(&house, &["ann", "ben", "dan"]).await;
    let ids: Vec<LeaseId> = all.iter().map(|(_, lease)| *lease).collect();
    house.gate.end("attic", Does::Quarantine);
    assert_eq!(house.try_ends(all[0].0).await, [TryEnd::Open]);
    house.gate.end("attic", Does::Work);
    // Were it in the round, this would leave it where it is.
    house.gate.in_round(&artifact(&house, all[0].0).await, InRound::Lied);
    assert_eq!(round(&house, &ids).await, [TryEnd::Gone; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absence_in_a_round_proves_nothing_of_what_is_still_made() {
    let house = Arc::new(House::new().await);
    let others = ending(&house, &["ben", "dan"]).await;
    let (id, mut making) = crate::handing_out::being_made(&house).await;
    house.gate.until_begun("attic", "create", 3).await;
    house.app.give_back(&house.caller("ann").await, id).await.unwrap();
    let mut ids: Vec<LeaseId> = others.iter().map(|(_, lease)| *lease).collect();
    ids.push(house.leases(id).await[0].id);
    assert_eq!(round(&house, &ids).await, [TryEnd::Gone, TryEnd::Gone, TryEnd::Open]);
    house.gate.create("attic", Does::Work);
    assert!(making.join_next().await.unwrap().unwrap().is_err());
    assert_eq!(house.try_ends(id).await, [TryEnd::Gone]);
    assert!(house.gate.accounts("attic").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn how_many_share_a_round_is_for_the_kind_to_say() {
    let house = House::new().await;
    house.gate.rounds_of(16);
    let world = house.app.world().await.unwrap();
    let of = async |target: &str| house.app.ends_in_one_round(&world, house.resource(target).await);
    assert_eq!((of("attic").await, of("web1").await), (16, 1));
    assert_eq!(house.app.ends_in_one_round(&world, house.ambient.id()), 1, "of a target that is gone");
}

/// Of two that end the same, the second finds it booked.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_round_has_booked_is_gone_for_who_was_at_it_alone() {
    let house = House::new().await;
    let leases: Vec<LeaseId> = ending(&house, &["ann", "ben"]).await.into_iter().map(|(_, lease)| lease).collect();
    house.gate.rounds_of(2);
    house.gate.end("attic", Does::Hold);
    let (app, first, mut tasks) = (Arc::clone(&house.app), leases[0], JoinSet::new());
    tasks.spawn(async move { app.try_end(first).await });
    house.gate.until_begun("attic", "end", 1).await;
    house.door.hold("lease");
    house.gate.end("attic", Does::Work);
    house.door.until_held().await;
    assert_eq!(round(&house, &leases).await, [TryEnd::Gone; 2]);
    house.door.hold("");
    let alone = tasks.join_next().await.unwrap().unwrap();
    assert!(matches!(alone, Ok(TryEnd::Gone)), "{alone:?}");
}
