//! Two calls in the same instant, over the real store: one order or the other, never something else.

use std::future::Future;

use wane_app::{AppError, Class, Membership, PersonChange, rejudge_all};
use wane_domain::directory::Standing;
use wane_domain::id::{GrantId, RequestId};
use wane_domain::request::{AccessRequest, ItemState};
use wane_store::{GrantFilter, RecordFilter, Slice, Store as _};

use crate::house::{House, ask, granted, name, reason};

/// Rounds of each race.
const ROUNDS: usize = 120;

/// Both at once; which is asked first alternates.
async fn race<A, B>(round: usize, a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    if round.is_multiple_of(2) {
        tokio::join!(a, b)
    } else {
        let (b, a) = tokio::join!(b, a);
        (a, b)
    }
}

async fn grants_of(house: &House, id: RequestId) -> Vec<GrantId> {
    let filter = RecordFilter { request: Some(id), event: Some("grant.minted".to_owned()), ..RecordFilter::default() };
    let minted = house.records(filter).await.len();
    let all = house.store.grants(GrantFilter::default(), Slice::first(1000)).await.unwrap();
    let grants: Vec<_> = all.items.iter().filter(|g| g.value.request == id).map(|g| g.value.id).collect();
    assert_eq!(minted, grants.len(), "the trail and the store differ");
    grants
}

fn late(error: &AppError) -> bool {
    matches!(error.class(), Class::Conflict)
}

async fn done_with(house: &House, id: RequestId) {
    for grant in grants_of(house, id).await {
        if house.grant(grant).await.is_live() {
            house.app.give_back(&house.caller("ann").await, grant).await.unwrap();
            house.try_ends(grant).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_approvals_of_a_quorum_of_one_make_one_grant() {
    let house = House::new().await;
    let (mut first, mut second) = (0, 0);
    for round in 0..ROUNDS {
        let id = house.ask("ann", &[("vault", "read")], 1).await.id;
        let (eva, fay) = race(round, house.approve("eva", id), house.approve("fay", id)).await;
        match (&eva, &fay) {
            (Ok(_), Err(error)) if late(error) => first += 1,
            (Err(error), Ok(_)) if late(error) => second += 1,
            other => panic!("{other:?}"),
        }
        let request = house.request(id).await;
        assert_eq!(request.items[0].approvals.len(), 1);
        assert_eq!(grants_of(&house, id).await, [granted(&request, 0).unwrap()]);
        done_with(&house, id).await;
    }
    assert!(first > 0 && second > 0, "always the same wins: {first}, {second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_approvals_of_a_quorum_of_two_both_count_and_make_one_grant() {
    let house = House::new().await;
    for round in 0..ROUNDS {
        let id = house.ask("ann", &[("vault", "write")], 1).await.id;
        let (eva, fay) = race(round, house.approve("eva", id), house.approve("fay", id)).await;
        assert!(eva.is_ok() && fay.is_ok(), "{eva:?} {fay:?}");
        let request = house.request(id).await;
        assert_eq!(request.items[0].approvals.len(), 2);
        assert_eq!(grants_of(&house, id).await, [granted(&request, 0).unwrap()]);
        done_with(&house, id).await;
    }
    for round in 0..ROUNDS / 4 {
        let id = house.ask("ann", &[("vault", "write")], 1).await.id;
        let twice = race(round, house.approve("eva", id), house.approve("eva", id)).await;
        assert!(twice.0.is_ok() != twice.1.is_ok(), "one person counted twice: {twice:?}");
        assert_eq!(house.request(id).await.items[0].state, ItemState::Waiting);
        house.app.withdraw(&house.caller("ann").await, id, None).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_and_a_refusal_at_once_are_one_of_both() {
    let house = House::new().await;
    for withdrawn in [false, true] {
        let (mut yes, mut no) = (0, 0);
        for round in 0..ROUNDS {
            let id = house.ask("ann", &[("vault", "read")], 1).await.id;
            let against = async {
                if withdrawn {
                    house.app.withdraw(&house.caller("ann").await, id, None).await
                } else {
                    house.app.deny(&house.caller("fay").await, id, None, &reason("no")).await
                }
            };
            let (approved, against) = race(round, house.approve("eva", id), against).await;
            let grants = grants_of(&house, id).await.len();
            match (&approved, &against) {
                (Ok(request), Err(error)) if late(error) => {
                    assert!(granted(request, 0).is_some() && grants == 1);
                    yes += 1;
                }
                (Err(error), Ok(request)) if late(error) => {
                    assert!(granted(request, 0).is_none() && grants == 0);
                    no += 1;
                }
                other => panic!("{other:?}"),
            }
            done_with(&house, id).await;
        }
        assert!(yes > 0 && no > 0, "never both ways: {yes} {no}");
    }
}

/// What may change under an approval.
#[derive(Clone, Copy, Debug)]
enum Ground {
    Policy,
    Approver,
    Requester,
    Group,
}

impl Ground {
    const fn event(self) -> &'static str {
        match self {
            Self::Policy => "policy.loaded",
            Self::Approver | Self::Requester => "person.changed",
            Self::Group => "group.changed",
        }
    }

    /// Takes the ground away, or gives it back.
    async fn set(self, house: &House, away: bool) -> Result<(), AppError> {
        let root = house.caller("root").await;
        let standing = if away { Standing::Disabled } else { Standing::Active };
        let change = PersonChange { standing: Some(standing), ..PersonChange::default() };
        match self {
            Self::Policy => {
                let (one, three) = ("@approve(\"1 of group:dba\")", "@approve(\"3 of group:dba\")");
                let text = house.app.world().await?.policy.text.clone();
                let text = if away { text.replace(one, three) } else { text.replace(three, one) };
                house.app.load_policy(&root, &text, None).await.map(drop)
            }
            Self::Approver => house.app.change_person(&root, "eva", &change).await.map(drop),
            Self::Requester => house.app.change_person(&root, "ann", &change).await.map(drop),
            Self::Group => {
                let member = if away { Membership::Out } else { Membership::In };
                house.app.set_member(&root, &name("dba"), "eva", member).await.map(drop)
            }
        }
    }
}

/// A grant is minted before its ground is taken away and ends then, or it is not minted at all.
#[tokio::test(flavor = "multi_thread")]
async fn no_grant_stands_that_the_world_of_afterwards_refuses() {
    let house = House::new().await;
    for ground in [Ground::Policy, Ground::Approver, Ground::Requester, Ground::Group] {
        let (mut before, mut after) = (0, 0);
        for round in 0..ROUNDS / 3 {
            let id = house.ask("ann", &[("vault", "read")], 1).await.id;
            let head = house.store_head().await;
            let approve = house.approve("eva", id);
            let (approved, changed) = race(round, approve, ground.set(&house, true)).await;
            changed.unwrap();
            let records = house.store.records_after(head, 100).await.unwrap();
            let at = |event: &str| records.iter().position(|r| r.record.event == event);
            match (at("grant.minted"), at(ground.event())) {
                (Some(minted), Some(changed)) => {
                    assert!(minted < changed, "{ground:?}: minted on ground that was gone");
                    before += 1;
                }
                (None, Some(_)) => after += 1,
                other => panic!("{ground:?}: {other:?}"),
            }
            let minted = grants_of(&house, id).await;
            assert_eq!(minted.len(), usize::from(approved.as_ref().is_ok_and(|r| granted(r, 0).is_some())));
            for grant in &minted {
                assert!(house.hand_out("ann", *grant).await.is_err(), "{ground:?}: used on ground that was gone");
            }
            rejudge_all(&house.app).await.unwrap();
            for grant in &minted {
                assert!(!house.grant(*grant).await.is_live(), "{ground:?}: it lives on");
            }
            ground.set(&house, false).await.unwrap();
            if house.request(id).await.is_waiting() {
                house.app.withdraw(&house.caller("ann").await, id, None).await.unwrap();
            }
        }
        assert!(before + after == ROUNDS / 3 && after > 0, "{ground:?}: {before} before, {after} after");
    }
}

/// A bound on open requests that could be passed by asking faster would be none.
#[tokio::test(flavor = "multi_thread")]
async fn asks_in_one_instant_pass_no_bound() {
    let house = House::new().await;
    let ann = house.caller("ann").await;
    let held = house.hold("ann", "attic", "read", 1).await;
    let ask_one = || house.app.request_access(&ann, ask(&[("vault", "read")], 1));
    let asked = futures::future::join_all((0..60).map(|_| ask_one())).await;
    let refused = asked.iter().filter(|a| matches!(a, Err(AppError::TooMany { .. }))).count();
    let opened = asked.iter().filter(|a| a.as_ref().is_ok_and(AccessRequest::is_waiting)).count();
    let waiting = wane_store::RequestFilter { person: Some(ann.person), waiting: Some(true) };
    let open = house.store.requests(waiting, Slice::first(1000)).await.unwrap().items.len();
    assert_eq!((open, opened, refused), (20, 20, 40), "{asked:?}");
    // What waits for nobody is no open request, and the bound keeps nobody from giving back.
    house.app.give_back(&ann, held).await.unwrap();
}

/// Of two who make a group of one name in one instant, one is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_made_once() {
    let house = House::new().await;
    let root = house.caller("root").await;
    for round in 0..40 {
        let group = name(&format!("g{round}"));
        let (one, two) = ("one".parse().unwrap(), "two".parse().unwrap());
        let made =
            race(round, house.app.add_group(&root, &group, &one), house.app.add_group(&root, &group, &two)).await;
        let won = match made {
            (Ok(group), Err(AppError::Taken(_))) | (Err(AppError::Taken(_)), Ok(group)) => group,
            other => panic!("{other:?}"),
        };
        assert_eq!(house.app.world().await.unwrap().group(group.as_str()), Some(&won));
    }
}
