//! The laws of a grant: its end never moves outward but by an extension, never past its cap.

use proptest::prelude::*;
use wane_domain::closure::EndCause;
use wane_domain::grant::{Grant, GrantEvent, GrantState};
use wane_domain::id::LeaseId;
use wane_domain::lease::LeaseKind;
use wane_domain::request::Start;
use wane_domain::time::{Span, Time};

use crate::fixtures::{T0, active, approved, id, leases, permit};

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
    assert!(ending.usable_until(T0).is_err() && ending.due().is_none());
    assert!(grant.usable_until(T0.plus(HOUR)).is_err(), "usable at its very end");
    assert!(grant.usable_until(T0.plus(HOUR).minus(Span::from_micros(1))).is_ok());
}
