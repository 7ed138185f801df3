//! Who stands in for an approver who is away: when, for whom, and as how many.

use std::collections::{BTreeMap, BTreeSet};

use wane_domain::delegation::{Delegation, Ended, InsteadOf, Scope};
use wane_domain::directory::Standing;
use wane_domain::id::{DelegationId, PersonId};
use wane_domain::request::{AccessRequest, Approval, ItemEvent};
use wane_domain::time::{Span, Time};
use wane_domain::world::World;

use crate::approvers::world;
use crate::fixtures::{REQUESTER, T0, id, person, request, workload};

fn later(n: u64) -> Time {
    T0.plus(Span::from_mins(n))
}

/// From minute 10 to minute 20.
fn leave(n: u8, by: u8, to: u8) -> Delegation {
    Delegation {
        id: id::<DelegationId>(n),
        by: person(by),
        to: person(to),
        from: later(10),
        until: later(20),
        scope: Scope::default(),
        reason: None,
        since: T0,
        ended: None,
    }
}

#[test]
fn a_stand_in_counts_while_the_leave_is_there() {
    let taken_back = Delegation { ended: Some(Ended { by: person(1), at: later(15) }), ..leave(1, 4, 5) };
    for (leave, at, used, counts) in [
        (leave(1, 4, 5), 9, None, false),
        (leave(1, 4, 5), 10, None, true),
        (leave(1, 4, 5), 19, None, true),
        (leave(1, 4, 5), 20, None, false),
        (leave(1, 4, 5), 19, Some(30), true),
        (taken_back.clone(), 12, None, false),
        (taken_back.clone(), 12, Some(14), true),
        (taken_back.clone(), 12, Some(15), false),
        (taken_back.clone(), 15, Some(14), false),
    ] {
        assert_eq!(leave.counts_for(later(at), used.map(later)), counts, "{at} {used:?} {:?}", leave.ended);
    }
    assert!(!leave(1, 4, 5).is_over(later(19)) && leave(1, 4, 5).is_over(later(20)) && taken_back.is_over(later(1)));
}

fn with(world: &World, leave: impl IntoIterator<Item = Delegation>) -> World {
    World { delegations: leave.into_iter().collect(), ..world.clone() }
}

/// Persons 4 and 5 could, on resource 20, which person 2 would hold and person 1 asks for.
fn stand_ins(world: &World, at: u64) -> BTreeMap<PersonId, PersonId> {
    let could: BTreeSet<PersonId> = [person(4), person(5)].into();
    let found = world.stand_ins(&could, (id(20), Some("path")), person(2), &[person(1), person(2)], later(at));
    found.into_iter().map(|(who, instead)| (who, instead.person)).collect()
}

#[test]
fn whoever_stands_in_can_do_what_the_other_could_and_no_more() {
    let plain = world();
    let one = |leave: Delegation, at: u64| stand_ins(&with(&plain, [leave]), at);
    let stands_in = BTreeMap::from([(person(7), person(4))]);
    assert_eq!(one(leave(1, 4, 7), 10), stands_in);
    let scoped = |resources: &[u8], policies: &[&str]| Delegation {
        scope: Scope {
            resources: resources.iter().map(|n| id(*n)).collect(),
            policies: policies.iter().map(|name| name.parse().unwrap()).collect(),
        },
        ..leave(1, 4, 7)
    };
    for (what, leave, at, who) in [
        ("before it begins", leave(1, 4, 7), 9, None),
        ("once it is over", leave(1, 4, 7), 20, None),
        ("taken back", Delegation { ended: Some(Ended { by: person(4), at: later(12) }), ..leave(1, 4, 7) }, 12, None),
        ("for who could not", leave(1, 6, 7), 10, None),
        ("for who asks", leave(1, 1, 7), 10, None),
        ("by who asks", leave(1, 4, 1), 10, None),
        ("by who would hold it", leave(1, 4, 2), 10, None),
        ("by who is disabled", leave(1, 4, 6), 10, None),
        ("by who could themselves", leave(1, 4, 5), 10, None),
        ("on that resource", scoped(&[20, 22], &[]), 10, Some(7)),
        ("on another resource", scoped(&[21], &[]), 10, None),
        ("on that path", scoped(&[], &["path"]), 10, Some(7)),
        ("on another path", scoped(&[], &["other"]), 10, None),
        ("on that resource, another path", scoped(&[20], &["other"]), 10, None),
    ] {
        let found: Vec<PersonId> = one(leave, at).into_keys().collect();
        assert_eq!(found, who.map(person).into_iter().collect::<Vec<_>>(), "{what}");
    }
    // A stand-in's stand-in is nobody, whichever was said first.
    for (first, then) in [((4, 7), (7, 3)), ((7, 3), (4, 7))] {
        let chained = with(&plain, [leave(1, first.0, first.1), leave(2, then.0, then.1)]);
        assert_eq!(stand_ins(&chained, 10), stands_in, "{first:?}");
    }
    // For two, whoever said so first.
    let both = with(&plain, [leave(2, 4, 7), leave(1, 5, 7)]);
    assert_eq!(stand_ins(&both, 10), BTreeMap::from([(person(7), person(5))]));
    // Whoever answers for who asks decides for themselves, also in another's place.
    let mut sponsored = with(&plain, [leave(1, 4, 7)]);
    sponsored.people.edit(&person(2), |p| p.stay.sponsor = Some(person(7)));
    assert!(stand_ins(&sponsored, 10).is_empty());
    // A workload approves nothing, in nobody's place either.
    let mut works = with(&plain, [leave(1, 4, 7)]);
    works.workloads.put(workload(60, person(7)));
    assert!(stand_ins(&works, 10).is_empty());
    // What counts later is the leave that was there, of these two, of somebody who may still act.
    let given = with(&plain, [leave(1, 4, 7)]);
    let instead = |by: u8, n: u8| InsteadOf { person: person(by), delegation: id(n) };
    assert!(given.stood_in(person(7), instead(4, 1), later(12), None));
    assert!(!given.stood_in(person(3), instead(4, 1), later(12), None), "another stood in");
    assert!(!given.stood_in(person(7), instead(5, 1), later(12), None), "for another");
    assert!(!given.stood_in(person(7), instead(4, 2), later(12), None), "under no leave");
    assert!(!given.stood_in(person(7), instead(4, 1), later(9), None), "too early");
    let mut disabled = given;
    disabled.people.edit(&person(7), |p| p.standing = Standing::Disabled);
    assert!(!disabled.stood_in(person(7), instead(4, 1), later(12), None));
}

fn approve(of: &AccessRequest, who: u8, whom: Option<u8>) -> ItemEvent {
    let instead_of = whom.map(|whom| InsteadOf { person: person(whom), delegation: id(1) });
    let approver = person(who);
    ItemEvent::Approve(Approval {
        approver,
        instead_of,
        asked_after: None,
        stage: 0,
        digest: of.digest,
        at: T0,
        signed: None,
    })
}

/// One after the other; the first is taken, the second is one more only if nobody of it was there before.
#[test]
fn whoever_stands_in_is_nobody_new() {
    let fresh = request(&[3]);
    for (first, second, counts) in [
        ((11, Some(12)), (13, None), true),
        ((11, Some(12)), (13, Some(14)), true),
        ((11, Some(12)), (12, None), false),
        ((11, Some(12)), (11, None), false),
        ((11, Some(12)), (13, Some(12)), false),
        ((11, Some(12)), (11, Some(13)), false),
        ((11, Some(12)), (12, Some(13)), false),
        ((11, Some(12)), (13, Some(11)), false),
        ((12, None), (11, Some(12)), false),
        ((11, None), (11, Some(12)), false),
    ] {
        let (one, fact) = fresh.clone().apply(0, approve(&fresh, first.0, first.1), T0).unwrap();
        let told = fact.detail["instead_of"]["person"].as_str().map(str::to_owned);
        assert_eq!(told, first.1.map(|whom: u8| person(whom).to_string()), "both names are on record");
        let two = one.apply(0, approve(&fresh, second.0, second.1), T0);
        assert_eq!(two.is_ok(), counts, "{first:?} then {second:?}");
    }
    // Neither who stands in nor for whom may be who asks or would hold it; and nobody stands in for themselves.
    for (who, whom) in [(REQUESTER, 12), (2, 12), (12, REQUESTER), (12, 2), (12, 12)] {
        assert!(fresh.clone().apply(0, approve(&fresh, who, Some(whom)), T0).is_err(), "{who} for {whom}");
    }
}
