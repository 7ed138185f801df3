//! The laws of a lease, a lock and a closure.

use proptest::prelude::*;
use serde_json::json;
use wane_domain::closure::{Closure, ClosureBasis, EndCause, LeaseEnd};
use wane_domain::evidence;
use wane_domain::grant::{Grant, GrantEvent};
use wane_domain::id::{GrantId, LeaseId, LockId, PersonId, ResourceId, RoleId};
use wane_domain::issue::Reach;
use wane_domain::lease::{LeaseEvent, LeaseKind, LeaseState};
use wane_domain::lock::{Lock, LockTarget};
use wane_domain::terms::{Mode, Need, Terms};
use wane_domain::time::Span;

use crate::fixtures::{T0, active, grant, id, leases, permit, person, terms};

fn event() -> impl Strategy<Value = LeaseEvent> {
    prop_oneof![
        Just(LeaseEvent::Prepared { object: "o".to_owned(), notes: json!({}), standing: None }),
        Just(LeaseEvent::Made { object: None, notes: json!({}) }),
        Just(LeaseEvent::Reissued { notes: json!({}) }),
        Just(LeaseEvent::Confirmed),
        Just(LeaseEvent::Moved { end: T0.plus(Span::from_mins(5)) }),
        Just(LeaseEvent::End),
        any::<bool>().prop_map(|quarantined| LeaseEvent::Tried {
            next: T0,
            met: "refused".to_owned(),
            quarantined: quarantined.then(|| "look".to_owned()),
            unrecallable_until: None,
        }),
        Just(LeaseEvent::Proven { basis: ClosureBasis::AbsentReadBack { proof: "none".to_owned() } }),
    ]
}

proptest! {
    /// There is no road out of `Revoking` but proof, none into `Gone` but through `Revoking`, none out of `Gone`.
    #[test]
    fn a_lease_leaves_revoking_on_proof_alone(events in proptest::collection::vec(event(), 0..40)) {
        let mut lease = leases(&active(Span::from_hours(1), Span::from_hours(1)))["intended"].clone();
        for event in events {
            let Ok((next, fact)) = lease.clone().apply(event.clone(), T0) else { continue };
            match (&lease.state, &next.state) {
                (LeaseState::Gone { .. }, _) => prop_assert!(false, "{event:?} after it was gone"),
                (LeaseState::Revoking { .. }, LeaseState::Revoking { .. }) => {}
                (LeaseState::Revoking { .. }, _) => prop_assert!(matches!(event, LeaseEvent::Proven { .. }), "left without proof"),
                (_, LeaseState::Gone { .. }) => prop_assert!(false, "gone without having been ended"),
                (LeaseState::Intended | LeaseState::Live { .. }, _) => {}
            }
            prop_assert_eq!(next.is_open(), next.ended().is_none());
            prop_assert!(fact.event.starts_with("lease."));
            prop_assert!(next.debt.attempts >= lease.debt.attempts);
            lease = next;
        }
    }
}

#[test]
fn a_lock_covers_what_it_names_while_it_holds() {
    let (holder, resource, role, grant) = (person(2), id::<ResourceId>(20), id::<RoleId>(21), id::<GrantId>(40));
    let covers = |target| {
        let (lock, _) = Lock::impose(id::<LockId>(60), target, "incident".parse().unwrap(), person(11), T0);
        let lifted = lock.clone().lift(person(11), T0).unwrap().0;
        assert!(!lifted.covers(holder, resource, role, Some(grant)), "a lifted lock covers nothing");
        (lock.covers(holder, resource, role, Some(grant)), lock.covers(holder, resource, role, None))
    };
    assert_eq!(covers(LockTarget::Person(holder)), (true, true));
    assert_eq!(covers(LockTarget::Resource(resource)), (true, true));
    assert_eq!(covers(LockTarget::Role(role)), (true, true));
    assert_eq!(covers(LockTarget::Grant(grant)), (true, false));
    assert_eq!(covers(LockTarget::Person(id::<PersonId>(3))), (false, false));
    assert_eq!(covers(LockTarget::Resource(id(3))), (false, false));
    assert_eq!(covers(LockTarget::Role(id(3))), (false, false));
    assert_eq!(covers(LockTarget::Grant(id(3))), (false, false));
}

/// One word for a whole closure: its weakest lease's.
#[test]
fn the_word_is_the_weakest() {
    let proof = || "p".to_owned();
    let absent = || ClosureBasis::AbsentReadBack { proof: proof() };
    let refused = || ClosureBasis::LoginRefusedReadBack { proof: proof() };
    let ran_out = || ClosureBasis::Unrecallable { until: T0 };
    let check = |bases: Vec<ClosureBasis>, expected: &str| {
        let end = |basis| LeaseEnd { lease: id::<LeaseId>(50), artifact: "wane_x".to_owned(), basis, at: T0 };
        for bases in [bases.clone(), bases.into_iter().rev().collect()] {
            let closure = Closure { cause: EndCause::Expired, leases: bases.into_iter().map(end).collect(), at: T0 };
            assert_eq!(closure.word(), expected);
        }
    };
    check(vec![], "nothing was made");
    check(vec![absent()], "gone");
    check(vec![absent(), absent()], "gone");
    check(vec![absent(), refused()], "login refused");
    check(vec![absent(), refused(), ran_out()], "ran out");
    let standing = || ClosureBasis::Standing { proof: proof() };
    let given = || ClosureBasis::StillGiven { by: Vec::new(), proof: proof() };
    check(vec![absent(), given()], "still given");
    check(vec![given(), standing(), absent()], "standing");
    check(vec![standing(), ran_out()], "ran out");
}

/// A session is carried through the gateway under terms that let it, and never unrecorded where it must be recorded.
#[test]
fn a_session_that_must_be_recorded_says_so() {
    let hour = Span::from_hours(1);
    let grant = active(hour, hour);
    let begin = |what| grant.lease(id::<LeaseId>(51), "ssh".parse().unwrap(), what, T0).unwrap().0;
    let basis = || permit(hour).basis().clone();
    let under = |recording, mode| evidence::permit(Terms { recording, mode, ..terms(hour, &[]) }, basis(), None);
    let session = begin(LeaseKind::Session);
    for (recording, mode, good) in [
        (Need::Optional, Mode::Any, true),
        (Need::Optional, Mode::Brokered, true),
        (Need::Required, Mode::Any, true),
        (Need::Required, Mode::Brokered, true),
        (Need::Optional, Mode::Direct, false),
    ] {
        let opened = grant.session_permit(&session, under(recording, mode), T0);
        assert_eq!(opened.is_ok(), good, "{recording:?} {mode:?}");
        if let Ok(opened) = opened {
            assert_eq!(opened.recording(), recording);
            // The gateway's own certificate is good at the target; what the holder is handed is not.
            assert_eq!(opened.into_issue().reach(), Reach::Target);
        }
        let credential = begin(LeaseKind::Credential);
        let issued = grant.issue_permit(&credential, under(recording, mode), T0).unwrap();
        let through = recording == Need::Required || mode == Mode::Brokered;
        assert_eq!(issued.reach(), if through { Reach::Gateway } else { Reach::Target }, "{recording:?} {mode:?}");
    }
    let any = || under(Need::Optional, Mode::Any);
    let opened = grant.session_permit(&session, any(), T0).unwrap();
    assert_eq!((opened.lease(), opened.end()), (session.id, session.end));
    // Once only, for a session only, while the grant lives only.
    let live = session.clone().apply(LeaseEvent::Made { object: None, notes: json!({}) }, T0).unwrap().0;
    assert!(grant.session_permit(&live, any(), T0).is_err());
    assert!(grant.session_permit(&begin(LeaseKind::Credential), any(), T0).is_err());
    assert!(grant.session_permit(&session, any(), session.end).is_err());
}

/// While it waits for its time or an approval nothing is opened under a grant, and nothing any more once it is over.
#[test]
fn nothing_hangs_under_a_grant_that_is_not_active() {
    let hour = Span::from_hours(1);
    for what in [LeaseKind::Credential, LeaseKind::Session] {
        let leased = |grant: &Grant, now| grant.lease(id::<LeaseId>(51), "ssh".parse().unwrap(), what, now).is_ok();
        assert!(!leased(&grant(hour, hour), T0), "it has not begun");
        let active = active(hour, hour);
        assert!(leased(&active, T0) && leased(&active, T0.plus(hour).minus(Span::from_micros(1))));
        assert!(!leased(&active, T0.plus(hour)), "its time is up");
        let ending = active.apply(GrantEvent::End(EndCause::Returned), T0).unwrap().0;
        assert!(!leased(&ending, T0), "it is being ended");
    }
}

/// What was given under stricter terms stays held to them, and what holds now counts from now on.
#[test]
fn of_two_terms_a_session_is_held_to_the_stricter() {
    let hour = Span::from_hours(1);
    let under = |recording, reproof: Option<u64>| {
        let reproof = reproof.map(Span::from_mins);
        evidence::permit(Terms { recording, reproof, ..terms(hour, &[]) }, permit(hour).basis().clone(), None)
    };
    let (may, must) = (Need::Optional, Need::Required);
    for (given, now, held) in [
        ((may, None), (may, None), (may, None)),
        ((must, Some(5)), (may, None), (must, Some(5))),
        ((may, None), (must, Some(5)), (must, Some(5))),
        ((must, Some(5)), (may, Some(9)), (must, Some(5))),
        ((may, Some(9)), (must, Some(5)), (must, Some(5))),
    ] {
        let scheduled = grant(hour, hour);
        let active = scheduled.apply(GrantEvent::Activate(under(given.0, given.1)), T0).unwrap().0;
        let session = active.lease(id::<LeaseId>(51), "ssh".parse().unwrap(), LeaseKind::Session, T0).unwrap().0;
        let opened = active.session_permit(&session, under(now.0, now.1), T0).unwrap();
        assert_eq!((opened.recording(), opened.reproof()), (held.0, held.1.map(Span::from_mins)), "{given:?} {now:?}");
    }
}

#[test]
fn an_end_is_due_from_its_order_until_its_proof() {
    let mut all = leases(&active(Span::from_hours(1), Span::from_hours(1)));
    for (state, due) in [("intended", None), ("live", None), ("revoking", Some(T0)), ("gone", None)] {
        assert_eq!(all[state].due(), due, "{state}");
    }
    let (next, met) = (T0.plus(Span::from_mins(5)), "refused".to_owned());
    let event = LeaseEvent::Tried { next, met, quarantined: None, unrecallable_until: None };
    let tried = all.remove("revoking").unwrap().apply(event, T0).unwrap().0;
    assert_eq!(tried.due(), Some(next));
}
