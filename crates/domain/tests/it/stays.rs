//! People who are here for a time: no grant ends later, nobody approves through whom they answer for.

use proptest::prelude::*;
use wane_domain::directory::{Person, Stay};
use wane_domain::grant::{Grant, GrantEvent, GrantState};
use wane_domain::id::LeaseId;
use wane_domain::lease::LeaseKind;
use wane_domain::request::Start;
use wane_domain::time::{Span, Time};

use crate::approvers::world;
use crate::fixtures::{HOLDER, T0, approved, as_json, id, permit, permit_until, person};

const CAP: Span = Span::from_hours(12);

#[derive(Clone, Copy, Debug)]
enum Step {
    Activate,
    Extend { by: u64 },
    Issue,
    Shorten,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Activate),
        4 => (1..600u64).prop_map(|by| Step::Extend { by }),
        2 => Just(Step::Issue),
        1 => Just(Step::Shorten),
    ]
}

fn at(minutes: u64) -> Time {
    T0.plus(Span::from_mins(minutes))
}

fn end_of(grant: &Grant) -> Option<Time> {
    match grant.state {
        GrantState::Active { end, .. } => Some(end),
        GrantState::Scheduled | GrantState::Ending { .. } | GrantState::Closed { .. } => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, ..ProptestConfig::default() })]

    /// Whatever moves an end moves it no further than the holder's time, as it was known to the judgement that let it.
    #[test]
    fn no_grant_outlives_its_holders_time(
        duration in 1..600u64,
        start_in in proptest::option::of(0..300u64),
        until in 1..900u64,
        steps in proptest::collection::vec((step(), 0..60u64, 1..900u64), 1..20),
    ) {
        let start = start_in.map_or(Start::Now, |m| Start::At(at(m)));
        let minted = Grant::mint(approved(Span::from_mins(duration), start, None), permit_until(CAP, at(until)), T0);
        prop_assert_eq!(minted.is_ok(), start_in.unwrap_or(0) < until, "only what begins in their time is minted");
        let Ok((mut grant, _)) = minted else { return Ok(()) };
        prop_assert!(grant.window.latest_end <= at(until) && grant.window.activate_by <= at(until));
        let mut now = T0;
        for (step, later, until) in steps {
            now = now.plus(Span::from_mins(later));
            let latest = at(until);
            let event = match step {
                Step::Activate => GrantEvent::Activate(permit_until(CAP, latest)),
                Step::Extend { by } => {
                    let item = approved(Span::from_mins(by), Start::Now, Some(&grant));
                    GrantEvent::Extend(item, permit_until(CAP, latest))
                }
                Step::Shorten => GrantEvent::Shorten { end: latest },
                Step::Issue => {
                    if let Ok((lease, _)) = grant.lease(id::<LeaseId>(50), "ssh".parse().unwrap(), LeaseKind::Credential, now) {
                        let issue = grant.issue_permit(&lease, permit_until(CAP, latest), now).unwrap();
                        prop_assert!(issue.not_after() <= latest, "what is issued outlives the holder's time");
                    }
                    continue;
                }
            };
            let before = end_of(&grant);
            let Ok((next, _)) = grant.clone().apply(event, now) else { continue };
            if before != end_of(&next) {
                prop_assert!(end_of(&next).is_none_or(|end| end <= latest), "{step:?} moved an end past {latest}");
                prop_assert!(end_of(&next).is_none_or(|end| end > now || matches!(step, Step::Shorten)));
            }
            grant = next;
        }
    }
}

#[test]
fn a_stay_is_over_from_its_last_moment_on_until_that_is_booked() {
    let stay = Stay { until: Some(at(5)), ..Stay::default() };
    assert!(!stay.is_over(at(5).minus(Span::from_micros(1))) && stay.is_over(at(5)) && stay.is_over(at(6)));
    assert!(!Stay { left: Some(at(5)), ..stay }.is_over(at(6)), "it was booked");
    assert!(!Stay::default().is_over(Time::from_micros(i64::MAX)));
    assert_eq!((stay.at_most(at(4)), stay.at_most(at(6))), (at(4), at(5)));
}

/// What was written before there were stays is somebody who stays.
#[test]
fn a_stay_is_read_strictly() {
    assert!(serde_json::from_str::<Stay>(r#"{"until": 5, "untill": 6}"#).is_err());
    assert!(serde_json::from_str::<Stay>(r#"{"until": "soon"}"#).is_err());
    assert!(serde_json::from_str::<Stay>("{}").unwrap().is_plain());
}

/// Nobody is told that their time is over when it is what they asked for that came too late.
#[test]
fn what_comes_too_late_is_refused_for_its_own_reason() {
    let hour = Span::from_hours(1);
    let past = Start::At(T0.minus(Span::from_hours(2)));
    let (whole, theirs) = ("its whole window has passed", "its holder's time is over before it would begin");
    for (start, permit, why) in [
        (past, permit(CAP), whole),
        (past, permit_until(CAP, at(5)), whole),
        (past, permit_until(CAP, T0), theirs),
        (Start::Now, permit_until(CAP, T0), theirs),
        (Start::At(at(5)), permit_until(CAP, at(5)), theirs),
    ] {
        let refused = Grant::mint(approved(hour, start, None), permit, T0).unwrap_err();
        assert_eq!(refused.detail.as_deref(), Some(why), "{start:?}");
    }
}

/// Somebody from before there were stays is written as they were, and whoever is here for a time stays so.
#[test]
fn a_person_is_stored_with_a_stay_where_there_is_one() {
    let world = world();
    let plain = world.people.get(&person(HOLDER)).unwrap();
    for (stay, stored) in [
        (Stay::default(), false),
        (Stay { until: Some(at(5)), ..Stay::default() }, true),
        (Stay { sponsor: Some(person(1)), ..Stay::default() }, true),
        (Stay { left: Some(at(5)), ..Stay::default() }, true),
    ] {
        let them = Person { stay, ..plain.clone() };
        let written = as_json(&them);
        assert_eq!(written.get("stay").is_some(), stored, "{stay:?}");
        assert_eq!(serde_json::from_value::<Person>(written).unwrap(), them);
    }
}
