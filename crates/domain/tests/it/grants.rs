//! The laws of a grant: its end never moves outward but by an extension, never past its cap.

use proptest::prelude::*;
use wane_domain::catalogue::Role;
use wane_domain::closure::EndCause;
use wane_domain::grant::{Grant, GrantEvent, GrantState};
use wane_domain::id::{LeaseId, RoleId};
use wane_domain::issue::Authority;
use wane_domain::lease::{Lease, LeaseEvent, LeaseKind};
use wane_domain::request::{Ask, AskItem, Parent, Start};
use wane_domain::time::{Span, Time};

use crate::fixtures::{T0, active, approved, approved_of, ask, grant, id, leases, permit, person};

const HOUR: Span = Span::from_hours(1);

#[derive(Clone, Copy, Debug)]
enum Step {
    Activate { cap: u64 },
    Extend { by: u64, cap: u64 },
    Shorten { to: u64 },
    End,
    Lease,
}

fn step() -> impl Strategy<Value = Step> {
    let minutes = 1..600u64;
    prop_oneof![
        1 => minutes.clone().prop_map(|cap| Step::Activate { cap }),
        4 => (minutes.clone(), minutes.clone()).prop_map(|(by, cap)| Step::Extend { by, cap }),
        2 => minutes.prop_map(|to| Step::Shorten { to }),
        1 => Just(Step::End),
        2 => Just(Step::Lease),
    ]
}

fn ends(grant: &Grant) -> Option<(Time, Time)> {
    match grant.state {
        GrantState::Active { since, end } => Some((since, end)),
        GrantState::Scheduled | GrantState::Ending { .. } | GrantState::Closed { .. } => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, ..ProptestConfig::default() })]

    #[test]
    fn no_event_widens_a_grant(
        duration in 1..600u64,
        mint_cap in 1..600u64,
        start_in in proptest::option::of(0..300u64),
        steps in proptest::collection::vec((step(), 0..40u64), 1..30),
    ) {
        let start = start_in.map_or(Start::Now, |m| Start::At(T0.plus(Span::from_mins(m))));
        let minted = Grant::mint(approved(Span::from_mins(duration), start, None), permit(Span::from_mins(mint_cap)), T0);
        prop_assert_eq!(minted.is_ok(), duration <= mint_cap);
        let Ok((mut grant, _)) = minted else { return Ok(()) };
        let mut now = T0;
        for (step, later) in steps {
            now = now.plus(Span::from_mins(later));
            let (before, cap, by) = (grant.clone(), match step {
                Step::Activate { cap } | Step::Extend { cap, .. } => Some(Span::from_mins(cap)),
                Step::Shorten { .. } | Step::End | Step::Lease => None,
            }, match step { Step::Extend { by, .. } => Span::from_mins(by), _ => Span::ZERO });
            let event = match step {
                Step::Activate { cap } => GrantEvent::Activate(permit(Span::from_mins(cap))),
                Step::Extend { by, cap } => {
                    let item = approved(Span::from_mins(by), Start::Now, Some(&grant));
                    GrantEvent::Extend(item, permit(Span::from_mins(cap)))
                }
                Step::Shorten { to } => GrantEvent::Shorten { end: now.plus(Span::from_mins(to)) },
                Step::End => GrantEvent::End(EndCause::Returned),
                Step::Lease => {
                    if let Ok((lease, _)) = grant.lease(id::<LeaseId>(50), "ssh".parse().unwrap(), LeaseKind::Account, now) {
                        let (_, end) = ends(&grant).unwrap();
                        prop_assert!(lease.end <= end && now < end, "a lease outlives its grant");
                        let issue = grant.issue_permit(&lease, permit(Span::from_mins(7)), now).unwrap();
                        prop_assert!(issue.not_after() <= end && issue.not_after() <= now.plus(Span::from_mins(7)));
                    }
                    continue;
                }
            };
            let Ok((next, _)) = grant.clone().apply(event, now) else { continue };
            match (ends(&before), ends(&next)) {
                (None, Some((since, end))) => {
                    prop_assert!(matches!(step, Step::Activate { .. }), "something else activated it");
                    prop_assert_eq!(since, now);
                    prop_assert!(now >= before.window.opens && now < before.window.activate_by);
                    prop_assert!(end <= now.plus(before.window.duration) && end <= before.window.latest_end);
                    prop_assert!(end <= since.plus(cap.unwrap()));
                }
                (Some((was_since, was)), Some((since, end))) => {
                    prop_assert_eq!(was_since, since, "since when it is active does not move");
                    match step {
                        Step::Extend { .. } => {
                            prop_assert!(was < end && now < was, "an extension widens, and only what still lives");
                            prop_assert!(end <= was.plus(by) && end <= since.plus(cap.unwrap()));
                        }
                        Step::Shorten { .. } => prop_assert!(end < was),
                        Step::Activate { .. } | Step::End | Step::Lease => prop_assert!(false, "{step:?} moved an end"),
                    }
                }
                (Some(_), None) => prop_assert!(matches!(step, Step::End)),
                (None, None) => prop_assert!(!next.is_live() || !before.is_live()),
            }
            grant = next;
        }
    }
}

/// Renewals around the very end, in steps of a millisecond: none after it, none past the cap, and a
/// renewal at the cap is refused rather than granted for ever.
#[test]
fn extension_never_passes_the_cap() {
    for (cap, room) in [(Span::from_mins(90), Span::from_mins(30)), (HOUR, Span::ZERO)] {
        let grant = active(HOUR, HOUR);
        let end = T0.plus(HOUR);
        let mut granted = 0u32;
        for millis in 0..=4_000u64 {
            let now = end.minus(Span::from_secs(2)).plus(Span::from_micros(millis * 1_000));
            let item = approved(HOUR, Start::Now, Some(&grant));
            match grant.clone().apply(GrantEvent::Extend(item, permit(cap)), now) {
                Ok((next, _)) => {
                    assert!(now < end, "extended {millis} ms in, when its time was up");
                    assert_eq!(ends(&next).unwrap().1, end.plus(room));
                    granted += 1;
                }
                Err(refused) => assert!(now >= end || room == Span::ZERO, "{refused}"),
            }
        }
        assert_eq!(granted, if room == Span::ZERO { 0 } else { 2_000 });
    }
}

/// Renewing again and again gets to the cap and stays there.
#[test]
fn many_extensions_reach_the_cap_and_stay() {
    let mut grant = active(HOUR, HOUR);
    let cap = Span::from_hours(4);
    for _ in 0..10 {
        let item = approved(Span::from_mins(50), Start::Now, Some(&grant));
        if let Ok((next, _)) = grant.clone().apply(GrantEvent::Extend(item, permit(cap)), T0) {
            grant = next;
        }
    }
    assert_eq!(ends(&grant).unwrap().1, T0.plus(cap));
}

#[test]
fn an_extension_is_for_the_same_holder_role_and_grant() {
    let grant = active(HOUR, HOUR);
    let other = Grant::mint(approved(HOUR, Start::Now, None), permit(HOUR), T0).unwrap().0;
    let item = approved(HOUR, Start::Now, None);
    assert!(grant.clone().apply(GrantEvent::Extend(item, permit(Span::from_hours(9))), T0).is_err());
    // It names this grant, and is for somebody else, for another role, or for both.
    let role = || vec![AskItem { role: id::<RoleId>(99), ..grant.item.clone() }];
    let parent = Some(Parent::Extends { digest: grant.digest, grant: grant.id });
    let mine = ask(HOUR, Start::Now, parent);
    for ask in [
        Ask { beneficiary: person(77), ..mine.clone() },
        Ask { items: role(), ..mine.clone() },
        Ask { beneficiary: person(77), items: role(), ..mine.clone() },
    ] {
        let item = approved_of(ask, grant.id);
        assert!(grant.clone().apply(GrantEvent::Extend(item, permit(Span::from_hours(9))), T0).is_err());
    }
    let item = approved_of(mine, grant.id);
    assert!(grant.clone().apply(GrantEvent::Extend(item, permit(Span::from_hours(9))), T0).is_ok());
    let extends = approved(HOUR, Start::Now, Some(&other));
    assert!(Grant::mint(extends, permit(HOUR), T0).is_err(), "an extension minted a second grant");
}

/// A grant closes on proof alone, and the word for it is its weakest lease's.
#[test]
fn closing_takes_proof() {
    let grant = active(HOUR, HOUR);
    let ending = grant.clone().apply(GrantEvent::End(EndCause::Expired), T0.plus(HOUR)).unwrap().0;
    for (state, lease) in leases(&grant) {
        let closed = ending.clone().apply(GrantEvent::Close(vec![lease]), T0.plus(HOUR));
        assert_eq!(closed.is_ok(), state == "gone", "{state}");
    }
    let mine = leases(&grant).remove("gone").unwrap();
    let other = Grant::mint(approved_of(ask(HOUR, Start::Now, None), id(41)), permit(HOUR), T0).unwrap().0;
    let other = other.apply(GrantEvent::Activate(permit(HOUR)), T0).unwrap().0;
    let strange = leases(&other).remove("gone").unwrap();
    let closed = ending.clone().apply(GrantEvent::Close(vec![mine, strange]), T0.plus(HOUR));
    assert!(closed.is_err(), "closed on the proof of another grant's lease");
    assert!(ending.usable_until(T0).is_err() && ending.due().is_none());
    assert!(grant.usable_until(T0.plus(HOUR)).is_err(), "usable at its very end");
    assert!(grant.usable_until(T0.plus(HOUR).minus(Span::from_micros(1))).is_ok());
}

/// The right to issue is for an open lease of this very grant.
#[test]
fn a_right_to_issue_is_for_an_open_lease_of_this_grant() {
    let grant = active(HOUR, HOUR);
    for (state, lease) in leases(&grant) {
        let right = grant.issue_permit(&lease, permit(HOUR), T0);
        assert_eq!(right.is_ok(), matches!(state, "intended" | "live"), "{state}");
    }
    let other = Grant::mint(approved_of(ask(HOUR, Start::Now, None), id(41)), permit(HOUR), T0).unwrap().0;
    let other = other.apply(GrantEvent::Activate(permit(HOUR)), T0).unwrap().0;
    for (state, lease) in leases(&other) {
        assert!(grant.issue_permit(&lease, permit(HOUR), T0).is_err(), "{state}, of another grant");
    }
    let lease = leases(&grant).remove("live").unwrap();
    let right = grant.issue_permit(&lease, permit(HOUR), T0).unwrap();
    assert_eq!((right.grant(), right.lease(), right.holder()), (grant.id, lease.id, grant.holder));
    assert_eq!((right.item(), right.not_before(), right.not_after()), (&grant.item, T0, T0.plus(HOUR)));
    // It ends with whichever comes first: the grant, the lease, what policy gives from now on.
    let late = T0.plus(Span::from_mins(50));
    let until = |lease: &Lease, cap| grant.issue_permit(lease, permit(cap), late).unwrap().not_after();
    assert_eq!(until(&lease, HOUR), T0.plus(HOUR));
    assert_eq!(until(&lease, Span::from_mins(3)), late.plus(Span::from_mins(3)));
    let end = late.plus(Span::from_mins(2));
    let shorter = lease.apply(LeaseEvent::Moved { end }, T0).unwrap().0;
    assert_eq!(until(&shorter, HOUR), end);
}

/// A signer that has the approvers' keys is told what they signed, wherever what it issues is good.
#[test]
fn a_right_says_what_people_signed_for_it() {
    let grant = active(HOUR, HOUR);
    let lease = leases(&grant).remove("live").unwrap();
    let right = || grant.issue_permit(&lease, permit(HOUR), T0).unwrap();
    let role = Role {
        id: grant.item.role,
        name: "deploy".parse().unwrap(),
        kind: "ssh".parse().unwrap(),
        description: "".parse().unwrap(),
        definition: serde_json::json!({}),
        since: T0,
    };
    let ask = ask(HOUR, Start::Now, None);
    let authority = Authority { ask, item: 0, role, extensions: Vec::new(), approvals: Vec::new() };
    assert_eq!(right().authority(), None);
    assert_eq!(right().resting_on(authority.clone()).authority(), Some(&authority));
    let told = right().resting_on(authority.clone()).at_the_gateway().into_right();
    assert_eq!(told.authority(), Some(&authority));
}

/// What is due to happen by itself, and when: to begin, to end, nothing more.
#[test]
fn a_grant_is_due_to_begin_and_to_end() {
    let scheduled = grant(HOUR, HOUR);
    assert_eq!((scheduled.due(), scheduled.is_live()), (Some(scheduled.window.activate_by), true));
    let active = active(HOUR, HOUR);
    assert_eq!((active.due(), active.is_live()), (Some(T0.plus(HOUR)), true));
    let ending = active.apply(GrantEvent::End(EndCause::Returned), T0).unwrap().0;
    assert_eq!((ending.due(), ending.is_live()), (None, false));
    let closed = ending.apply(GrantEvent::Close(Vec::new()), T0).unwrap().0;
    assert_eq!((closed.due(), closed.is_live()), (None, false));
}
