//! Ends that share a commit: each is written as it would be alone.

use std::time::Duration;

use wane_app::{LockInput, RevokeWhat, TryEnd, rejudge_all};
use wane_domain::grant::GrantState;
use wane_domain::id::{GrantId, LeaseId};
use wane_domain::lock::LockTarget;
use wane_store::{Put, RecordFilter, Store as _, Write};

use crate::faulty::{Door, Goes};
use crate::house::{House, reason};

impl Door {
    /// Waits until so many commits are asked for; how many there are.
    pub(crate) async fn until_asked(&self, times: usize) -> usize {
        *self.asked.subscribe().wait_for(|asked| *asked >= times).await.unwrap()
    }

    /// How many commits were asked for.
    pub(crate) fn asked(&self) -> usize {
        *self.asked.borrow()
    }

    /// Lets one more commit pass, however writes go.
    pub(crate) fn pass_one(&self) {
        self.passes.send_modify(|passes| *passes += 1);
    }
}

/// What the log says of the end of a grant.
async fn told(house: &House, grant: GrantId) -> Vec<String> {
    let all = house.records(RecordFilter { grant: Some(grant), ..RecordFilter::default() }).await;
    let ending = all.iter().position(|r| r.event == "grant.ending").unwrap();
    all[ending..].iter().map(|r| r.event.clone()).collect()
}

async fn accounts(house: &House, holders: &[&str]) -> Vec<GrantId> {
    let mut out = Vec::new();
    for who in holders {
        out.push(house.hold(who, "attic", "read", 1).await);
        house.hand_out(who, out[out.len() - 1]).await.unwrap();
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_share_a_commit_and_each_has_its_own_records() {
    let house = House::new().await;
    let alone = house.hold("ben", "annex", "write", 1).await;
    house.hand_out("ben", alone).await.unwrap();
    house.app.give_back(&house.caller("ben").await, alone).await.unwrap();
    assert_eq!(house.try_ends(alone).await, [TryEnd::Gone]);
    let unused = house.hold("dan", "annex", "write", 1).await;
    house.app.give_back(&house.caller("dan").await, unused).await.unwrap();

    let ids = accounts(&house, &["ann", "ben", "dan"]).await;
    let bare = house.hold("mia", "attic", "read", 1).await;
    let attic = house.resource("attic").await;
    let before = house.store.stats().commits;
    let all = RevokeWhat::Resource(attic);
    let ended = house.app.revoke(&house.caller("root").await, all, &reason("test")).await.unwrap();
    assert_eq!(ended.len(), 4);
    assert_eq!(house.store.stats().commits - before, 1, "ends said at once do not share a commit");
    assert_eq!(house.grant(bare).await.state.name(), "closed");
    assert_eq!(told(&house, bare).await, told(&house, unused).await);

    let mut leases: Vec<LeaseId> = Vec::new();
    for id in &ids {
        assert_eq!(house.grant(*id).await.state.name(), "ending");
        leases.push(house.leases(*id).await[0].id);
    }
    let before = house.store.stats().commits;
    for (_, how) in house.app.try_end_together(attic, &leases).await {
        assert_eq!(how.unwrap(), TryEnd::Gone);
    }
    assert_eq!(house.store.stats().commits - before, 1, "what a round came to is not booked together");
    for id in ids {
        assert_eq!(house.grant(id).await.state.name(), "closed");
        assert_eq!(told(&house, id).await, told(&house, alone).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_changed_meanwhile_spoils_no_others_end() {
    let house = House::new().await;
    let ids = accounts(&house, &["ann", "ben", "dan"]).await;
    let (root, attic, why) = (house.caller("root").await, house.resource("attic").await, reason("test"));
    // What was read of one is no longer so when the commit comes to the disk.
    let touch = async |grant| {
        house.door.until_asked(1).await;
        let seen = house.store.grant(grant).await.unwrap().unwrap();
        house.write(vec![Write::Grant(Put::over(&seen, seen.value.clone()))]).await;
        house.door.writes(Goes::Well);
    };
    house.door.writes(Goes::Hanging);
    let (ended, ()) = tokio::join!(house.app.revoke(&root, RevokeWhat::Resource(attic), &why), touch(ids[1]));
    assert_eq!(ended.unwrap().len(), 3);
    let mut leases: Vec<LeaseId> = Vec::new();
    for id in &ids {
        assert_eq!(house.grant(*id).await.state.name(), "ending");
        leases.push(house.leases(*id).await[0].id);
    }

    house.door.writes(Goes::Hanging);
    let (round, ()) = tokio::join!(house.app.try_end_together(attic, &leases), touch(ids[2]));
    assert_eq!(round.len(), 3);
    for (_, how) in round {
        assert_eq!(how.unwrap(), TryEnd::Gone);
    }
    for id in ids {
        assert_eq!(house.grant(id).await.state.name(), "closed");
        let said = told(&house, id).await;
        assert_eq!(said.iter().filter(|event| *event == "grant.closed").count(), 1, "{said:?}");
    }
}

/// The pass over live grants begins with the lock, which changed the world, and finds what the lock is ending live.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_lock_is_ending_is_not_ended_by_another_as_well() {
    let house = House::new().await;
    let ids = accounts(&house, &["ann", "ben", "dan"]).await;
    let root = house.caller("root").await;
    let input = LockInput { target: LockTarget::Resource(house.resource("attic").await), reason: reason("incident") };
    house.door.writes(Goes::Hanging);
    house.door.pass_one();
    let meanwhile = async {
        // The lock's own commit, and the ends, which hang.
        house.door.until_asked(2).await;
        let mut pass = std::pin::pin!(rejudge_all(&house.app));
        let ended = tokio::time::timeout(Duration::from_millis(300), pass.as_mut()).await;
        assert!(ended.is_err(), "it did not wait for whoever is ending them");
        assert_eq!(house.door.asked(), 2, "it ended them as well");
        house.door.writes(Goes::Well);
        pass.await.unwrap()
    };
    let (locked, judged) = tokio::join!(house.app.impose_lock(&root, &input), meanwhile);
    assert_eq!(locked.unwrap().1.len(), 3);
    assert_eq!(judged, house.app.world().await.unwrap().epoch);
    for id in ids {
        assert_eq!(house.grant(id).await.state.name(), "ending");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_that_cannot_be_said_together_are_said_from_memory() {
    let house = House::new().await;
    let ids = accounts(&house, &["ann", "ben"]).await;
    let mut others = Vec::new();
    for who in ["ann", "ben"] {
        others.push(house.hold(who, "annex", "read", 1).await);
        house.hand_out(who, others[others.len() - 1]).await.unwrap();
    }
    house.door.writes(Goes::Failing);
    let root = house.caller("root").await;
    let all = RevokeWhat::Resource(house.resource("attic").await);
    house.app.revoke(&root, all, &reason("test")).await.unwrap();
    assert!(ids.iter().all(|id| house.app.is_ended_from_memory(*id)));
    // What is known not to take anything is not asked once more for the next.
    let asked = house.door.asked();
    let all = RevokeWhat::Resource(house.resource("annex").await);
    house.app.revoke(&root, all, &reason("test")).await.unwrap();
    assert!(others.iter().all(|id| house.app.is_ended_from_memory(*id)));
    assert_eq!(house.door.asked(), asked);
}

/// With what was gone before it ended, and not before what is open still is gone.
#[tokio::test(flavor = "multi_thread")]
async fn two_that_end_together_close_with_all_that_was_under_them() {
    let house = House::new().await;
    let (root, attic) = (house.caller("root").await, house.resource("attic").await);
    let revoke = async || {
        let before = house.store.stats().commits;
        house.app.revoke(&root, RevokeWhat::Resource(attic), &reason("test")).await.unwrap();
        assert_eq!(house.store.stats().commits - before, 1, "two do not share a commit");
    };
    let closed_with = async |id: GrantId| match house.grant(id).await.state.clone() {
        GrantState::Closed { closure, .. } => closure.leases.len(),
        other => panic!("it is {}", other.name()),
    };
    let who = ["ann", "ben"];
    let ids = accounts(&house, &who).await;
    for (who, id) in who.into_iter().zip(&ids) {
        let lease = house.leases(*id).await[0].id;
        house.app.end_handed_out(&house.caller(who).await, lease).await.unwrap();
        assert_eq!(house.try_ends(*id).await, [TryEnd::Gone]);
    }
    revoke().await;
    for id in ids {
        assert_eq!(closed_with(id).await, 1);
    }

    let ids = accounts(&house, &who).await;
    let first = house.leases(ids[0]).await[0].id;
    house.app.end_handed_out(&house.caller("ann").await, first).await.unwrap();
    house.hand_out("ann", ids[0]).await.unwrap();
    revoke().await;
    let mut leases: Vec<LeaseId> = Vec::new();
    for id in &ids {
        leases.extend(house.leases(*id).await.iter().map(|lease| lease.id).filter(|id| *id != first));
    }
    assert_eq!(leases.len(), 2);
    let before = house.store.stats().commits;
    for (_, how) in house.app.try_end_together(attic, &leases).await {
        assert_eq!(how.unwrap(), TryEnd::Gone);
    }
    assert_eq!(house.store.stats().commits - before, 1, "two are not booked together");
    assert_eq!(house.grant(ids[0]).await.state.name(), "ending", "one of its accounts stands");
    assert_eq!(closed_with(ids[1]).await, 1);
    assert_eq!(house.try_ends(ids[0]).await, [TryEnd::Gone]);
    assert_eq!(closed_with(ids[0]).await, 2);
}
