//! Leaving: everything in one commit, whatever goes wrong, and a report that says what is true.

use wane_app::{AppError, Leaving, Look, Membership};
use wane_domain::directory::Standing;
use wane_domain::grant::GrantState;
use wane_store::{RecordFilter, Store as _};

use crate::faulty::Goes;
use crate::gated::Does;
use crate::house::{House, mins, name, reason};
use crate::signing_in::Login;

impl House {
    async fn offboard(&self, by: &str, who: &str) -> Result<(), AppError> {
        self.app.offboard(&self.caller(by).await, who, Some(&reason("contract over"))).await
    }

    async fn enrolment(&self, who: &str) -> Result<(), AppError> {
        self.app.enrolment_code(&self.caller("root").await, who).await.map(|_| ())
    }

    async fn report(&self, who: &str) -> Leaving {
        self.app.leaving(&self.caller("root").await, who, Look::AtTargets).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_it_is_told_to_who_left_and_to_who_may_have_others_leave() {
    let house = House::new().await;
    let callers = [house.caller("ann").await, house.caller("root").await, house.caller("ben").await];
    house.offboard("root", "ann").await.unwrap();
    for (caller, told) in callers.iter().zip([true, true, false]) {
        let report = house.app.left(caller, "ann", Look::AtTargets).await;
        assert_eq!(report.is_ok(), told, "{}: {report:?}", caller.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_of_somebody_goes_in_one_commit() {
    let house = House::new().await;
    let ann = house.id("ann").await;
    let login = Login::of(&house, "ann").await;
    let token = login.sign_in(&house).await;
    let caller = house.app.authenticate(&token).await.unwrap();
    house.app.new_recovery_codes(&caller).await.unwrap();
    let account = house.hold("ann", "attic", "read", 8).await;
    house.hand_out("ann", account).await.unwrap();
    let certified = house.hold("ann", "web1", "deploy", 8).await;
    house.hand_out("ann", certified).await.unwrap();
    let bare = house.hold("ann", "annex", "write", 8).await;
    let waits = house.ask("ann", &[("vault", "read")], 1).await.id;
    let of_ben = house.ask("ben", &[("vault", "write")], 1).await.id;
    let others = house.hold("ben", "attic", "read", 8).await;

    let before = house.store.stats().commits;
    house.offboard("root", "ann").await.unwrap();
    assert_eq!(house.store.stats().commits - before, 1, "it is more than one commit");
    let world = house.store.world().await.unwrap();
    let person = world.person("ann").unwrap();
    assert_eq!((person.standing, person.stay.left), (Standing::Disabled, Some(house.app.now())));
    assert!(world.groups_of(ann).is_empty());
    assert!(house.store.tokens_of(ann).await.unwrap().is_empty(), "a token is left");
    assert!(house.store.login(ann).await.unwrap().is_none(), "a password is left");
    assert_eq!(house.request(waits).await.state_name(), "withdrawn");
    assert_eq!(house.request(of_ben).await.state_name(), "waiting");
    for id in [account, certified, bare] {
        assert!(!house.grant(id).await.is_live(), "something is held on");
    }
    assert!(house.grant(others).await.is_live());
    assert!(matches!(house.app.authenticate(&token).await, Err(AppError::SignedOut)));

    let report = house.report("ann").await;
    assert!(!report.is_complete(), "an end was claimed that nobody has established");
    assert_eq!((report.by, report.why.as_str()), (Some(house.id("root").await), "they have left: contract over"));
    assert_eq!((report.sessions, report.password, report.groups.as_slice()), (1, true, &["engineers".to_owned()][..]));
    assert!(report.codes >= 8, "{report:?}");
    assert_eq!(report.requests, [waits.to_string()]);
    let mut held: Vec<_> = report.held.iter().map(|(grant, _)| grant.id).collect();
    held.sort_unstable();
    let mut expected = [account, certified, bare];
    expected.sort_unstable();
    assert_eq!(held, expected);
    house.try_ends(account).await;
    house.try_ends(certified).await;
    house.advance(mins(16));
    house.try_ends(certified).await;
    let report = house.report("ann").await;
    assert!(report.is_complete(), "{report:?}");

    // Said again nothing more happens, and the report stays.
    let before = house.store_head().await;
    house.offboard("root", "ann").await.unwrap();
    assert_eq!(house.store_head().await, before);
    assert_eq!(house.report("ann").await.held.len(), 3);
}

/// The report is what the targets and the store say, not what was wished.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_says_what_is_owed_and_why_until_it_is_done() {
    let house = House::new().await;
    let held = house.hold("ann", "attic", "read", 8).await;
    house.hand_out("ann", held).await.unwrap();
    house.gate.end("attic", Does::Dead);
    house.offboard("root", "ann").await.unwrap();
    house.try_ends(held).await;
    let report = house.report("ann").await;
    let (grant, leases) = &report.held[0];
    assert!(!report.is_complete() && matches!(grant.state, GrantState::Ending { .. }));
    assert!(leases[0].debt.last.is_some() && leases[0].debt.next.is_some(), "{leases:?}");
    house.gate.end("attic", Does::Lie);
    house.advance(mins(1));
    house.try_ends(held).await;
    assert!(!house.report("ann").await.is_complete(), "a target was believed that lied");
    house.gate.end("attic", Does::Work);
    house.advance(mins(1));
    house.try_ends(held).await;
    let report = house.report("ann").await;
    assert!(report.is_complete());
    let GrantState::Closed { closure, .. } = &report.held[0].0.state else { panic!("{report:?}") };
    assert_eq!((closure.word(), closure.cause.name()), ("gone", "revoked"));
}

/// An end that was owed before is owed still, and is in the report.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_owed_before_is_in_the_report() {
    let house = House::new().await;
    let held = house.hold("ann", "attic", "read", 8).await;
    house.hand_out("ann", held).await.unwrap();
    house.gate.end("attic", Does::Dead);
    house.app.give_back(&house.caller("ann").await, held).await.unwrap();
    house.try_ends(held).await;
    house.offboard("root", "ann").await.unwrap();
    let report = house.report("ann").await;
    assert_eq!(report.held.len(), 1);
    assert!(!report.is_complete());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_administrator_sends_people_away_and_the_last_one_stays() {
    let house = House::new().await;
    for by in ["ann", "ben", "mia", "eva"] {
        let refused = house.offboard(by, "ann").await;
        assert!(matches!(refused, Err(AppError::NotAllowed { .. })), "{by}: {refused:?}");
        let seen = house.app.leaving(&house.caller(by).await, "ann", Look::No).await;
        assert!(matches!(seen, Err(AppError::NotAllowed { .. })), "{by}: {seen:?}");
    }
    let missing = house.offboard("root", "nobody").await;
    assert!(matches!(missing, Err(AppError::Missing { .. })), "{missing:?}");
    let here = house.app.leaving(&house.caller("root").await, "ann", Look::No).await;
    assert!(matches!(here, Err(AppError::Taken(_))), "{here:?}");
    for last in [house.offboard("root", "root").await, house.stand("root", Standing::Disabled).await] {
        assert!(last.unwrap_err().to_string().contains("nobody else"));
    }
    let root = house.caller("root").await;
    house.app.set_member(&root, &name("admins"), "zoe", Membership::In).await.unwrap();
    house.offboard("root", "root").await.unwrap();
    assert!(house.app.world().await.unwrap().is_active(house.id("zoe").await));
    assert!(matches!(house.offboard("root", "ann").await, Err(AppError::NotAllowed { .. })));
}

/// While it cannot be written down, it is refused and what they hold ends all the same.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_store_what_they_hold_ends_and_it_is_to_be_said_again() {
    let house = House::new().await;
    let held = house.hold("ann", "attic", "read", 8).await;
    house.hand_out("ann", held).await.unwrap();
    let others = house.hold("ben", "attic", "write", 8).await;
    house.hand_out("ben", others).await.unwrap();
    house.door.writes(Goes::Failing);
    let said = house.offboard("root", "ann").await;
    assert!(matches!(said, Err(AppError::Store(_))), "{said:?}");
    assert!(house.app.is_ended_from_memory(held) && !house.app.is_ended_from_memory(others));
    for lease in house.app.owed_storeless().await {
        house.app.end_at_target(&lease).await;
    }
    assert_eq!(house.gate.accounts("attic").len(), 1);
    house.door.writes(Goes::Well);
    while house.app.book_storeless().await.unwrap() != wane_app::Booked::All {}
    house.offboard("root", "ann").await.unwrap();
    house.try_ends(held).await;
    assert!(house.report("ann").await.is_complete());
}

/// A session that begins in the same instant as its person is sent away is found, or never begins.
#[tokio::test(flavor = "multi_thread")]
async fn what_begins_while_somebody_goes_is_found() {
    let house = House::new().await;
    let login = Login::of(&house, "ann").await;
    for _ in 0..3 {
        let tries = (house.offboard("root", "ann"), login.try_sign_in(&house), house.enrolment("ann"));
        let (said, _, _) = tokio::join!(tries.0, tries.1, tries.2);
        said.unwrap();
        let ann = house.id("ann").await;
        house.offboard("root", "ann").await.unwrap();
        assert!(house.store.tokens_of(ann).await.unwrap().is_empty(), "a token outlived its person");
    }
}

/// Disabling is the same road; who comes back finds how they sign in and their groups, and nothing they held.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_disabled_holds_nothing_from_that_commit_on_and_may_come_back() {
    let house = House::new().await;
    let ann = house.id("ann").await;
    let login = Login::of(&house, "ann").await;
    login.sign_in(&house).await;
    let held = house.hold("ann", "attic", "read", 8).await;
    house.hand_out("ann", held).await.unwrap();
    let waits = house.ask("ann", &[("vault", "read")], 1).await.id;
    let before = house.store.stats().commits;
    house.stand("ann", Standing::Disabled).await.unwrap();
    assert_eq!(house.store.stats().commits - before, 1);
    assert!(!house.grant(held).await.is_live(), "it waits for somebody to judge it again");
    assert_eq!(house.request(waits).await.state_name(), "withdrawn");
    assert!(house.store.tokens_of(ann).await.unwrap().is_empty());
    house.stand("ann", Standing::Active).await.unwrap();
    let world = house.app.world().await.unwrap();
    assert!(world.groups_of(ann).contains(&name("engineers")));
    login.sign_in(&house).await;
    assert!(!house.grant(held).await.is_live());
    let left = house.records(RecordFilter { event: Some("person.left".to_owned()), ..RecordFilter::default() }).await;
    assert!(left.is_empty(), "who was disabled has not left");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_since_to_somebody_who_left_goes_when_it_is_said_again() {
    let house = House::new().await;
    let ann = house.id("ann").await;
    house.offboard("root", "ann").await.unwrap();
    house.app.set_member(&house.caller("root").await, &name("engineers"), "ann", Membership::In).await.unwrap();
    house.offboard("root", "ann").await.unwrap();
    assert!(house.app.world().await.unwrap().groups_of(ann).is_empty());
    let left = house.records(RecordFilter { event: Some("person.left".to_owned()), ..RecordFilter::default() }).await;
    assert_eq!(left.len(), 2);
}

/// Whose time was up in the same instant, or before and nobody has booked it, has lost nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_when_its_holder_goes_has_expired() {
    let house = House::new().await;
    let over = house.hold("ann", "attic", "read", 1).await;
    let going_on = house.hold("ann", "annex", "write", 2).await;
    house.advance(mins(60));
    house.stand("ann", Standing::Disabled).await.unwrap();
    for (id, cause) in [(over, "expired"), (going_on, "lost eligibility")] {
        let GrantState::Closed { closure, .. } = house.grant(id).await.state.clone() else { panic!("{cause}") };
        assert_eq!(closure.cause.name(), cause);
    }
}

/// Whoever looks up somebody finds who put them into a group and who took them out.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_into_a_group_and_leaves_it_is_on_record_as_theirs() {
    let house = House::new().await;
    let (root, ann) = (house.caller("root").await, house.id("ann").await);
    let changed = async || {
        let event = Some("group.changed".to_owned());
        house.records(RecordFilter { person: Some(ann), event, ..RecordFilter::default() }).await.len()
    };
    for (n, member) in [Membership::In, Membership::Out, Membership::In].into_iter().enumerate() {
        assert_eq!(changed().await, n);
        house.app.set_member(&root, &name("dba"), "ann", member).await.unwrap();
    }
    let groups = house.store.world().await.unwrap().groups_of(ann).len();
    house.offboard("root", "ann").await.unwrap();
    assert_eq!(changed().await, 3 + groups);
}
