//! Handing out: nothing leaves before its record, for a grant that ended, or twice.

use std::num::NonZeroU32;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use wane_app::{AppError, CallKept, Class, HandedOut, Limits, Telling, TryEnd};
use wane_domain::closure::{ClosureBasis, EndCause};
use wane_domain::grant::GrantState;
use wane_domain::id::GrantId;
use wane_domain::lease::LeaseState;
use wane_domain::time::Span;
use wane_keys::password::Cost;
use wane_store::{RecordFilter, Store as _};

use crate::gated::Does;
use crate::house::{House, granted, limits, mins, reason};

fn closed_word(state: &GrantState) -> &'static str {
    match state {
        GrantState::Closed { closure, .. } => closure.word(),
        other => other.name(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_is_written_down_before_and_after_and_ends_with_proof() {
    let house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    let handed = house.hand_out("ann", id).await.unwrap();
    assert!(handed.secret.unwrap().reveal().starts_with("canary"));
    let lease = &house.leases(id).await[0];
    assert_eq!(lease.end, handed.grant_end);
    assert_eq!(house.gate.accounts("attic").keys().collect::<Vec<_>>(), [&lease.artifact]);
    let of_grant = RecordFilter { grant: Some(id), ..RecordFilter::default() };
    let events: Vec<String> = house.records(of_grant.clone()).await.into_iter().map(|r| r.event).collect();
    assert_eq!(events, ["grant.minted", "grant.activated", "lease.intended", "lease.made"]);
    house.app.give_back(&house.caller("ann").await, id).await.unwrap();
    assert_eq!(house.try_ends(id).await, [TryEnd::Gone]);
    assert_eq!(closed_word(&house.grant(id).await.state), "gone");
    let everything = house.records(RecordFilter::default()).await;
    assert!(!format!("{everything:?}").contains("canary"), "a secret is in the trail");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_more_signed_than_their_share() {
    let mut house = House::new().await;
    let share = NonZeroU32::new(3).unwrap();
    house.reopen_with(Cost::WeakForTests, Limits { signed_per_minute: share, ..limits() });
    let (of_ann, of_ben) = (house.hold("ann", "web1", "deploy", 1).await, house.hold("ben", "web1", "deploy", 1).await);
    for _ in 0..3 {
        house.hand_out("ann", of_ann).await.unwrap();
    }
    let refused = house.hand_out("ann", of_ann).await.unwrap_err();
    assert!(matches!(refused, AppError::TooOften { wait } if wait == Span::from_secs(20)), "{refused:?}");
    house.hand_out("ben", of_ben).await.unwrap();
    house.advance(Span::from_secs(20));
    house.hand_out("ann", of_ann).await.unwrap();
    assert!(house.hand_out("ann", of_ann).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_credential_is_one_commit_and_is_issued_again_under_one_lease() {
    let house = House::new().await;
    let id = house.hold("ann", "web1", "deploy", 1).await;
    let first = house.hand_out("ann", id).await.unwrap();
    house.advance(mins(5));
    let second = house.hand_out("ann", id).await.unwrap();
    assert_eq!(first.lease, second.lease);
    let issued = house.store.issuances(first.lease).await.unwrap();
    assert_eq!(issued.len(), 2);
    assert!(issued[0].serial < issued[1].serial);
    let end = house.grant(id).await;
    assert!(issued.iter().all(|i| i.not_after <= crate::house::end_of(&end)));
    let kind = crate::house::name("ssh");
    assert!(house.store.revoked(&kind, house.app.now()).await.unwrap().is_empty());
    house.app.give_back(&house.caller("ann").await, id).await.unwrap();
    let revoked = house.store.revoked(&kind, house.app.now()).await.unwrap();
    assert!(!revoked.is_empty() && revoked.iter().all(|i| i.grant == id), "hosts are told at once");
}

/// Many at once under one grant: each gets a certificate, and every one of them is written down.
#[tokio::test(flavor = "multi_thread")]
async fn those_who_issue_under_one_grant_at_once_are_all_served() {
    const AT_ONCE: usize = 64;
    let house = Arc::new(House::new().await);
    let id = house.hold("ann", "web1", "deploy", 1).await;
    let lease = house.hand_out("ann", id).await.unwrap().lease;
    let mut asked = JoinSet::new();
    for _ in 0..AT_ONCE {
        let house = Arc::clone(&house);
        asked.spawn(async move { house.hand_out("ann", id).await });
    }
    while let Some(handed) = asked.join_next().await {
        assert_eq!(handed.unwrap().unwrap().lease, lease);
    }
    assert_eq!(house.store.issuances(lease).await.unwrap().len(), AT_ONCE + 1);
    let issued = RecordFilter { event: Some("credential.issued".to_owned()), ..RecordFilter::default() };
    assert_eq!(house.records(issued).await.len(), AT_ONCE + 1);
}

/// A grant of ann's whose account the target is making and does not finish until it is told to.
pub(crate) async fn being_made(house: &Arc<House>) -> (GrantId, JoinSet<Result<HandedOut, AppError>>) {
    let id = house.hold("ann", "attic", "read", 1).await;
    house.gate.create("attic", Does::Hold);
    let mut making = JoinSet::new();
    let (at, caller) = (Arc::clone(house), house.caller("ann").await);
    making.spawn(async move { at.app.hand_out(&caller, id, &Value::Null).await });
    house.gate.until_begun("attic", "create", 1).await;
    (id, making)
}

/// The grant ends while its account is being made: nothing is handed out, whatever comes first at the target.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_ends_meanwhile_hands_nothing_out() {
    let house = Arc::new(House::new().await);
    let (id, mut making) = being_made(&house).await;
    let root = house.caller("root").await;
    house.app.revoke(&root, wane_app::RevokeWhat::Grant(id), &reason("stop")).await.unwrap();
    house.gate.create("attic", Does::Work);
    let handed = making.join_next().await.unwrap().unwrap();
    assert!(matches!(handed, Err(AppError::Illegal(_))), "{handed:?}");
    assert_eq!(house.gate.accounts("attic").len(), 1, "the target made it nevertheless");
    assert_eq!(house.try_ends(id).await, [TryEnd::Gone]);
    assert!(house.gate.accounts("attic").is_empty());
    assert_eq!(closed_word(&house.grant(id).await.state), "gone");
}

/// The end asks the target before the making reaches it: "not there" is true and proves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_overtakes_its_making_proves_nothing() {
    let house = Arc::new(House::new().await);
    let (id, mut making) = being_made(&house).await;
    house.app.give_back(&house.caller("ann").await, id).await.unwrap();
    assert_eq!(house.try_ends(id).await, [TryEnd::Open], "an absence was taken for proof");
    house.gate.create("attic", Does::Work);
    assert!(making.join_next().await.unwrap().unwrap().is_err());
    assert_eq!(house.gate.accounts("attic").len(), 1);
    assert_eq!(house.try_ends(id).await, [TryEnd::Gone]);
    assert!(house.gate.accounts("attic").is_empty(), "an account that belongs to nobody is left");
}

/// Nobody's engine runs: what is made for a grant whose time ran out meanwhile goes nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_took_too_long_goes_nowhere() {
    let house = Arc::new(House::new().await);
    let (id, mut making) = being_made(&house).await;
    house.advance(Span::from_hours(1));
    house.gate.create("attic", Does::Work);
    assert!(making.join_next().await.unwrap().unwrap().is_err());
    let lease = &house.leases(id).await[0];
    assert!(matches!(lease.state, LeaseState::Revoking { .. }), "{:?}", lease.state);
    assert_eq!(house.try_ends(id).await, [TryEnd::Gone]);
    assert!(house.gate.accounts("attic").is_empty());
}

/// The end moves while the account is made: it is handed out all the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_extension_meanwhile_costs_nobody_their_account() {
    let house = Arc::new(House::new().await);
    let (id, mut making) = being_made(&house).await;
    house.app.extend(&house.caller("ann").await, id, mins(30), None).await.unwrap();
    house.gate.create("attic", Does::Work);
    let handed = making.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(handed.grant_end, crate::house::end_of(&house.grant(id).await));
    assert_eq!(house.leases(id).await[0].state.name(), "live");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_made_is_ended_and_read_back() {
    let house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    house.gate.create("attic", Does::Dead);
    let error = house.hand_out("ann", id).await.unwrap_err();
    assert_eq!(error.class(), Class::Fault);
    assert_eq!(house.leases(id).await[0].state.name(), "revoking");
    assert_eq!(house.try_ends(id).await, [TryEnd::Gone]);
    house.gate.create("attic", Does::Work);
    house.hand_out("ann", id).await.expect("the grant goes on");
    assert_eq!(house.gate.accounts("attic").len(), 1);
    let failed = RecordFilter { event: Some("lease.create_failed".to_owned()), ..RecordFilter::default() };
    assert_eq!(house.records(failed).await.len(), 1);
}

/// The process dies while the target works: the intent is found and ended, young as it is.
#[tokio::test(flavor = "multi_thread")]
async fn an_intent_of_a_process_that_died_is_swept() {
    let mut house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    house.gate.create("attic", Does::Hold);
    let (app, caller) = (Arc::clone(&house.app), house.caller("ann").await);
    let mut making = JoinSet::new();
    making.spawn(async move { app.hand_out(&caller, id, &Value::Null).await });
    house.gate.until_begun("attic", "create", 1).await;
    let lease = house.leases(id).await[0].id;
    house.app.sweep_intent(lease, true).await.unwrap();
    assert_eq!(house.leases(id).await[0].state.name(), "intended", "the sweep took what is being made");
    making.shutdown().await;
    house.reopen();
    house.app.sweep_intent(lease, false).await.unwrap();
    assert_eq!(house.leases(id).await[0].state.name(), "intended", "another node may be at it");
    house.app.sweep_intent(lease, true).await.unwrap();
    assert_eq!(house.try_ends(id).await, [TryEnd::Gone]);
    assert_eq!(house.grant(id).await.state.name(), "active", "the grant itself goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_never_handed_out_without_its_record() {
    let mut house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    house.gate.create("attic", Does::Hold);
    let (app, caller) = (Arc::clone(&house.app), house.caller("ann").await);
    let mut making = JoinSet::new();
    making.spawn(async move { app.hand_out(&caller, id, &Value::Null).await });
    house.gate.until_begun("attic", "create", 1).await;
    house.lose_store().await;
    house.gate.create("attic", Does::Work);
    let handed = making.join_next().await.unwrap().unwrap();
    assert!(matches!(handed, Err(AppError::Store(_))), "{handed:?}");
}

/// The same for what is only signed: all that is asked of the store before the commit is at hand.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_never_handed_out_without_its_record() {
    let mut house = House::new().await;
    let id = house.hold("ann", "web1", "deploy", 1).await;
    house.hand_out("ann", id).await.unwrap();
    house.lose_store().await;
    let signed = house.hand_out("ann", id).await;
    assert!(matches!(signed, Err(AppError::Store(_))), "{signed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_held_a_secret_ends_instead_of_being_given_again() {
    let house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    let handed = house.hand_out("ann", id).await.unwrap();
    house.app.end_handed_out(&house.caller("ben").await, handed.lease).await.unwrap();
    assert_eq!(house.leases(id).await[0].state.name(), "live", "somebody else's");
    house.app.end_handed_out(&house.caller("ann").await, handed.lease).await.unwrap();
    assert_eq!(house.try_ends(id).await, [TryEnd::Gone]);
    house.hand_out("ann", id).await.expect("asking again gives a new one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_lies_stays_a_debt() {
    let house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", id).await.unwrap();
    house.gate.end("attic", Does::Lie);
    house.app.give_back(&house.caller("ann").await, id).await.unwrap();
    for n in 1..=12u32 {
        assert_eq!(house.try_ends(id).await, [TryEnd::Open]);
        let debt = house.leases(id).await[0].debt.clone();
        assert_eq!(debt.attempts, n);
        let wait = debt.next.unwrap().since(house.app.now());
        assert!(wait <= Span::from_secs(30) && wait >= Span::from_secs(1), "{wait} after {n} tries");
    }
    assert_eq!(house.grant(id).await.state.name(), "ending");
    let debts = house.app.debts(&house.caller("ann").await).await.unwrap();
    assert!(debts[0].lease.debt.last.as_ref().unwrap().contains("still there"));
    house.gate.end("attic", Does::Work);
    assert_eq!(house.try_ends(id).await, [TryEnd::Gone]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_has_to_look_at_is_seen_and_tried_on() {
    let house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", id).await.unwrap();
    house.gate.end("attic", Does::Quarantine);
    house.app.give_back(&house.caller("ann").await, id).await.unwrap();
    assert_eq!(house.try_ends(id).await, [TryEnd::Open]);
    house.gate.end("attic", Does::Dead);
    assert_eq!(house.try_ends(id).await, [TryEnd::Unreachable]);
    let debts = house.app.debts(&house.caller("root").await).await.unwrap();
    assert_eq!(debts[0].lease.debt.quarantined.as_deref(), Some("it owns objects"), "what was known is forgotten");
    assert!(house.app.debts(&house.caller("ben").await).await.unwrap().is_empty());
    house.gate.end("attic", Does::Work);
    assert_eq!(house.try_ends(id).await, [TryEnd::Gone]);
    let GrantState::Closed { closure, .. } = house.grant(id).await.state.clone() else { panic!("not closed") };
    assert_eq!(closure.cause, EndCause::Returned);
    assert!(matches!(closure.leases[0].basis, ClosureBasis::AbsentReadBack { .. }));
}

/// Two last leases proven in the same instant: the grant closes, once, with both.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_two_ends_in_one_instant_close_the_grant() {
    let house = House::new().await;
    for _ in 0..10 {
        let id = house.hold("ann", "attic", "read", 1).await;
        house.hand_out("ann", id).await.unwrap();
        let first = house.leases(id).await[0].id;
        house.app.end_handed_out(&house.caller("ann").await, first).await.unwrap();
        house.hand_out("ann", id).await.unwrap();
        house.app.give_back(&house.caller("ann").await, id).await.unwrap();
        let leases = house.leases(id).await;
        assert_eq!(leases.len(), 2);
        let (one, other) = tokio::join!(house.app.try_end(leases[0].id), house.app.try_end(leases[1].id));
        assert_eq!((one.unwrap(), other.unwrap()), (TryEnd::Gone, TryEnd::Gone));
        let GrantState::Closed { closure, .. } = house.grant(id).await.state.clone() else { panic!("not closed") };
        assert_eq!(closure.leases.len(), 2);
    }
}

/// Signing and ending in the same instant, again and again: whichever wins, nothing stays that works.
#[tokio::test(flavor = "multi_thread")]
async fn a_handing_out_and_an_end_at_once_leave_nothing_that_works() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let (mut handed_first, mut ended_first) = (0, 0);
    for round in 0..40u32 {
        for (resource, role) in [("web1", "deploy"), ("attic", "read")] {
            let id = house.hold("ann", resource, role, 1).await;
            let end = async {
                for _ in 0..round % 8 {
                    tokio::task::yield_now().await;
                }
                house.app.revoke(&root, wane_app::RevokeWhat::Grant(id), &reason("stop")).await
            };
            let (handed, ended) = tokio::join!(house.hand_out("ann", id), end);
            ended.unwrap();
            let leases = house.leases(id).await;
            assert!(leases.iter().all(|l| matches!(l.state, LeaseState::Revoking { .. } | LeaseState::Gone { .. })));
            match handed {
                Ok(handed) if resource == "web1" => {
                    let revoked = house.store.revoked(&crate::house::name("ssh"), house.app.now()).await.unwrap();
                    assert!(revoked.iter().any(|i| i.lease == handed.lease), "a certificate that no host refuses");
                    handed_first += 1;
                }
                Ok(_) => handed_first += 1,
                Err(_) => ended_first += 1,
            }
            house.try_ends(id).await;
            assert!(house.gate.accounts("attic").is_empty());
        }
    }
    assert!(handed_first + ended_first == 80 && ended_first > 0, "{handed_first} {ended_first}");
}

/// The first commit of a keyed call says that it began, and under which lease its secret stands.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_leaves_word_of_the_lease() {
    let house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    let caller = house.caller("ann").await;
    let (handed, kept_of_it) = house.app.keyed(&caller, "k", "print", house.hand_out("ann", id)).await;
    let lease = handed.unwrap().lease;
    let kept = house.store.answer(caller.person, "k").await.unwrap().unwrap();
    assert_eq!(kept_of_it, CallKept::Begun);
    assert_eq!((kept.status, kept.fingerprint.as_str()), (wane_app::BEGUN, "print"));
    assert_eq!(kept.body["lease"], lease.to_string());
    // What came of it takes the marker's place, and nothing takes its.
    house.app.keep_answer(&caller, "k", "print", 201, Value::Null).await.unwrap();
    assert!(house.app.keep_answer(&caller, "k", "print", 200, Value::Null).await.is_err());
    assert_eq!(house.store.answer(caller.person, "k").await.unwrap().unwrap().status, 201);
    let told = house.records(RecordFilter { event: Some("answer.kept".to_owned()), ..RecordFilter::default() }).await;
    assert_eq!(told.iter().map(|r| r.about.person).collect::<Vec<_>>(), [Some(caller.person)]);
    let (_, kept) = house.app.keyed(&caller, "idle", "print", house.app.world()).await;
    assert_eq!(kept, CallKept::Nothing, "nothing was committed");
}

/// Whoever tries again after an answer was lost loses what that call began, and nothing that was there before.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_names_no_lease_that_was_there_before() {
    let house = House::new().await;
    let caller = house.caller("ann").await;
    for (resource, role) in [("web1", "deploy"), ("attic", "read")] {
        let id = house.hold("ann", resource, role, 1).await;
        let said = async |key: &str| house.store.answer(caller.person, key).await.unwrap().unwrap().body;
        let [first, more, again] = ["first", "more", "again"].map(|key| format!("{key} at {resource}"));
        let (handed, _) = house.app.keyed(&caller, &first, "print", house.hand_out("ann", id)).await;
        let lease = handed.unwrap().lease;
        assert_eq!(said(&first).await, json!({ "lease": lease }));
        let (extended, _) =
            house.app.keyed(&caller, &more, "print", house.app.extend(&caller, id, mins(5), None)).await;
        assert_eq!(granted(&extended.unwrap(), 0), Some(id));
        assert_eq!(said(&more).await, json!({ "lease": null }), "an extension would end what it extends");
        let (handed, _) = house.app.keyed(&caller, &again, "print", house.hand_out("ann", id)).await;
        assert_eq!(handed.unwrap().lease, lease);
        assert_eq!(said(&again).await, json!({ "lease": null }));
    }
}

/// Two people, two targets, two roles asked for on each: of all doors, one approval opens one, to one person.
#[tokio::test(flavor = "multi_thread")]
async fn one_approval_opens_one_door_to_one_person() {
    let house = House::new().await;
    let mut asked = Vec::new();
    for person in ["ann", "ben"] {
        for role in ["read", "write"] {
            asked.push((person, house.ask(person, &[("vault", role)], 1).await.id));
        }
    }
    let approved = house.approve("eva", asked[0].1).await.unwrap();
    let granted = granted(&approved, 0).unwrap();
    for (_, other) in &asked[1..] {
        assert!(house.request(*other).await.is_waiting(), "an approval counted for another request");
    }
    for person in ["ben", "eva", "mia", "root"] {
        assert!(house.hand_out(person, granted).await.is_err(), "{person} used ann's grant");
        assert!(house.gate.accounts("vault").is_empty(), "{person} made an account under ann's grant");
    }
    house.hand_out("ann", granted).await.unwrap();
    assert_eq!(house.gate.accounts("vault").len(), 1);
    assert!(house.gate.accounts("attic").is_empty() && house.gate.accounts("annex").is_empty());
}

/// While the target works on it, what it is making is already on disk under the name it will have there.
#[tokio::test(flavor = "multi_thread")]
async fn the_intent_is_on_disk_before_the_target_is_asked() {
    let house = Arc::new(House::new().await);
    let (id, mut making) = being_made(&house).await;
    let intents = house.leases(id).await;
    assert_eq!(intents.len(), 1, "the target was asked before anything was written down");
    assert_eq!(intents[0].state, LeaseState::Intended);
    house.gate.create("attic", Does::Work);
    making.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(house.gate.accounts("attic").into_keys().collect::<Vec<_>>(), [intents[0].artifact.clone()]);
}

/// An answer that is known before the commit is kept by that very commit: whoever is cut off between
/// the two finds it, and no second sync is needed for it.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_kept_with_what_it_rests_on() {
    let house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    let caller = house.caller("ann").await;
    let say = |told: &Telling<'_>| Some((409, json!({ "lease": told.lease.to_string() })));
    let input = json!({});
    let (handed, kept_of_it) =
        house.app.keyed(&caller, "k", "print", house.app.hand_out_saying(&caller, id, &input, &say)).await;
    let lease = handed.unwrap().lease;
    let kept = house.store.answer(caller.person, "k").await.unwrap().unwrap();
    assert_eq!((kept_of_it, kept.status), (CallKept::Answer, 409));
    assert_eq!(kept.body["lease"], lease.to_string());
    // Nothing takes its place.
    assert!(house.app.keep_answer(&caller, "k", "print", 200, Value::Null).await.is_err());
}
