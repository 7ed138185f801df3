//! Ends that are said: returned, revoked, over, never begun.

use wane_app::{AppError, Class, RevokeWhat, TryEnd};
use wane_domain::closure::EndCause;
use wane_domain::grant::{Grant, GrantState};
use wane_domain::time::{Span, Time};
use wane_store::RecordFilter;

use crate::gated::Does;
use crate::house::{House, granted, mins, reason};

fn cause(grant: &Grant) -> EndCause {
    match &grant.state {
        GrantState::Ending { cause, .. } => cause.clone(),
        GrantState::Closed { closure, .. } => closure.cause.clone(),
        other => panic!("it is {}", other.name()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_ends_exactly_what_was_named() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let setup = async || {
        let held = [
            house.hold("ann", "attic", "read", 1).await,
            house.hold("ann", "annex", "write", 1).await,
            house.hold("ben", "attic", "read", 1).await,
            house.hold("ben", "annex", "read", 1).await,
        ];
        (held, held.map(RevokeWhat::Grant)[0])
    };
    let read = house.app.world().await.unwrap().role(&"gate".parse().unwrap(), "read").unwrap().id;
    let person = RevokeWhat::Person(house.id("ann").await);
    let resource = RevokeWhat::Resource(house.resource("attic").await);
    for (what, ended) in [
        (None, [true, false, false, false]),
        (Some(person), [true, true, false, false]),
        (Some(resource), [true, false, true, false]),
        (Some(RevokeWhat::Role(read)), [true, false, true, true]),
    ] {
        let (held, grant) = setup().await;
        let mut told = house.app.revoke(&root, what.unwrap_or(grant), &reason("stop")).await.unwrap();
        let mut live: Vec<_> = held.into_iter().zip(ended).filter(|(_, ended)| *ended).map(|(id, _)| id).collect();
        told.sort_unstable();
        live.sort_unstable();
        assert_eq!(told, live, "{what:?}: what had ended before was ended once more");
        for (id, ended) in held.into_iter().zip(ended) {
            assert_eq!(!house.grant(id).await.is_live(), ended, "{what:?}");
            if !ended {
                house.app.revoke(&root, RevokeWhat::Grant(id), &reason("next")).await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_may_end_what_others_hold() {
    let house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    let ben = house.caller("ben").await;
    assert_eq!(house.app.revoke(&ben, RevokeWhat::Grant(id), &reason("x")).await.unwrap_err().class(), Class::Missing);
    assert_eq!(house.app.give_back(&ben, id).await.unwrap_err().class(), Class::Missing);
    let person = RevokeWhat::Person(house.id("ann").await);
    assert_eq!(house.app.revoke(&ben, person, &reason("x")).await.unwrap_err().class(), Class::Denied);
    // Nor whoever only holds it, nor all that others hold at one place.
    let ann = house.caller("ann").await;
    for what in [RevokeWhat::Grant(id), RevokeWhat::Resource(house.resource("attic").await)] {
        let refused = house.app.revoke(&ann, what, &reason("x")).await.unwrap_err();
        assert_eq!(refused.class(), Class::Denied, "{what:?}");
    }
    assert!(house.grant(id).await.is_live());
    let root = house.app.give_back(&house.caller("root").await, id).await;
    assert!(matches!(root, Err(AppError::NotAllowed { .. })), "revoking and returning are different words");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_stays_as_it_ended() {
    let house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    house.app.give_back(&house.caller("ann").await, id).await.unwrap();
    house.app.revoke(&house.caller("root").await, RevokeWhat::Grant(id), &reason("late")).await.unwrap();
    assert_eq!(cause(&house.grant(id).await), EndCause::Returned);
}

/// No engine runs at all: what is over is refused by the clock alone.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_refused_though_nothing_cleaned_up() {
    let house = House::new().await;
    let account = house.hold("ann", "attic", "read", 1).await;
    let credential = house.hold("ann", "web1", "deploy", 1).await;
    house.hand_out("ann", account).await.unwrap();
    house.hand_out("ann", credential).await.unwrap();
    house.advance(Span::from_micros(3_600_000_000 - 1));
    house.hand_out("ann", account).await.expect("a microsecond before its end");
    house.advance(Span::from_micros(1));
    for id in [account, credential] {
        assert!(house.grant(id).await.is_live(), "nobody ended it yet");
        assert!(matches!(house.hand_out("ann", id).await, Err(AppError::Illegal(_))));
        let extended = house.app.extend(&house.caller("ann").await, id, mins(5), None).await;
        assert!(matches!(extended, Err(AppError::Illegal(_))));
        house.app.end_if_due(id).await.unwrap();
        assert_eq!(cause(&house.grant(id).await), EndCause::Expired);
    }
}

/// Three clocks that are never mixed: time to decide, time to begin, time of use.
#[tokio::test(flavor = "multi_thread")]
async fn deciding_beginning_and_using_have_clocks_of_their_own() {
    let house = House::new().await;
    let id = house.ask("ann", &[("vault", "read")], 3).await.id;
    house.advance(mins(119));
    let grant = granted(&house.approve("eva", id).await.unwrap(), 0).unwrap();
    house.advance(mins(59));
    house.app.end_if_due(grant).await.unwrap();
    house.hand_out("ann", grant).await.expect("in its last minute to begin");
    let end = crate::house::end_of(&house.grant(grant).await);
    assert_eq!(end, house.app.now().plus(Span::from_hours(3)), "the time of use is whole");
    let other = house.ask("ben", &[("vault", "read")], 3).await.id;
    let other = granted(&house.approve("eva", other).await.unwrap(), 0).unwrap();
    house.advance(mins(60));
    assert!(house.hand_out("ben", other).await.is_err(), "its time to begin has passed");
    house.app.end_if_due(other).await.unwrap();
    assert_eq!(cause(&house.grant(other).await), EndCause::NeverActivated);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_kept_from_an_end_by_the_issuing_side() {
    let house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", id).await.unwrap();
    // A guardrail forbids everything from now on.
    let everything =
        "@id(\"stop\") forbid (principal, action == Action::\"access\", resource); @id(\"prod-at-most-6h\")";
    house.change_policy("@id(\"prod-at-most-6h\")", everything).await;
    house.app.end_if_due(id).await.unwrap();
    assert!(house.grant(id).await.is_live());
    house.app.give_back(&house.caller("ann").await, id).await.unwrap();
    house.try_ends(id).await;
    assert_eq!(house.grant(id).await.state.name(), "closed");
}

/// However long a target is away: never more than thirty seconds between tries, unless told otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_tried_at_most_so_rarely() {
    let house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", id).await.unwrap();
    house.gate.end("attic", Does::Dead);
    house.app.give_back(&house.caller("ann").await, id).await.unwrap();
    for tries in 1..=40 {
        house.try_ends(id).await;
        let debt = house.leases(id).await[0].debt.clone();
        let next = debt.next.unwrap();
        assert_eq!(debt.attempts, tries);
        assert!(next > house.app.now() && next <= house.app.now().plus(Span::from_secs(30)), "{tries}: {next}");
        house.clock.set(next);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_end_at_one_target_ends_there_and_nowhere_else() {
    let house = House::new().await;
    let ward = "@id(\"dev-ward\") permit (principal == Person::\"zoe\", action == Action::\"revoke\", resource is Gate in Label::\"env=dev\");";
    house.change_policy("@id(\"admins\")", &format!("{ward}\n@id(\"admins\")")).await;
    let here = house.hold("ann", "attic", "read", 1).await;
    let asked = house.ask("ann", &[("vault", "read")], 1).await.id;
    let there = granted(&house.approve("eva", asked).await.unwrap(), 0).unwrap();
    let (zoe, read) = (house.caller("zoe").await, house.grant(here).await.item.role);
    for what in [
        RevokeWhat::Resource(house.resource("vault").await),
        RevokeWhat::Person(house.id("ann").await),
        RevokeWhat::Role(read),
    ] {
        let refused = house.app.revoke(&zoe, what, &reason("x")).await.unwrap_err();
        assert_eq!(refused.class(), Class::Denied, "{what:?}");
    }
    let attic = RevokeWhat::Resource(house.resource("attic").await);
    assert_eq!(house.app.revoke(&zoe, attic, &reason("x")).await.unwrap(), [here]);
    assert!(!house.grant(here).await.is_live() && house.grant(there).await.is_live());
}

/// Its host was never seen to take it, so no refusal would prove anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nothing_calls_back_is_over_when_it_has_run_out() {
    let house = House::new().await;
    let id = house.hold("ann", "web1", "deploy", 1).await;
    house.hand_out("ann", id).await.unwrap();
    house.app.give_back(&house.caller("ann").await, id).await.unwrap();
    assert_eq!(house.try_ends(id).await, [TryEnd::Open]);
    let until = house.leases(id).await[0].debt.unrecallable_until.unwrap();
    house.clock.set(Time::from_micros(until.micros() - 1));
    assert_eq!(house.try_ends(id).await, [TryEnd::Open], "a microsecond before");
    house.clock.set(until);
    assert_eq!(house.try_ends(id).await, [TryEnd::Gone]);
    let GrantState::Closed { closure, .. } = house.grant(id).await.state.clone() else { panic!("it is not closed") };
    assert_eq!(closure.word(), "ran out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_nobody_carries_any_more_is_closed_and_told_of_once() {
    let mut house = House::new().await;
    house.app.gateway_serves("ssh", "127.0.0.1".to_owned(), 22).unwrap();
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let session = crate::tasks::session_as(&house, grant).await;
    house.reopen();
    let find = async || house.leases(grant).await.into_iter().find(|lease| lease.id == session.lease()).unwrap();
    let lost = find().await;
    assert!(lost.is_open());
    for _ in 0..2 {
        house.app.settle_lost_session(&lost).await.unwrap();
        assert!(!find().await.is_open(), "it stands for ever");
    }
    let closed = RecordFilter { event: Some("session.closed".to_owned()), ..RecordFilter::default() };
    assert_eq!(house.records(closed).await.len(), 1);
    assert!(house.grant(grant).await.is_live(), "what it was opened under goes on");
}
