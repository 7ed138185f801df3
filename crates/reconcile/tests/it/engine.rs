//! What nobody has to ask for: expiry, revocation, sweeping, judging again, orphans.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;
use wane_app::{AskInput, Booked, NewPackage, PersonChange, RevokeWhat};
use wane_domain::closure::EndCause;
use wane_domain::directory::Standing;
use wane_domain::grant::GrantState;
use wane_domain::id::{JobId, LeaseId};
use wane_domain::lease::{LeaseEvent, LeaseKind};
use wane_domain::lock::{Lock, LockTarget};
use wane_domain::request::{Ask, AskItem};
use wane_domain::time::Span;
use wane_domain::workload::{JobAsks, JobClaims};
use wane_store::{GrantFilter, GrantPhase, Job, Put, Slice, Store as _, Write};
use wane_testkit::{Held, plain_ask};

use crate::counted::Counted;
use crate::faulty::Goes;
use crate::gated::Does;
use crate::house::{House, ask, cause, granted, mins, name, reason};
use crate::running::{SOON, by_the_clock, round_trip, run, run_engine, short, until};
use crate::storeless::returned_unbooked;

const RARELY: Span = Span::from_hours(1);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_ended_and_read_back_without_anybody() {
    let house = by_the_clock().await;
    let _engine = run(&house, RARELY);
    let id = short(&house, "ann").await;
    let end = crate::house::end_of(&house.grant(id).await);
    until(&house, id, "closed").await;
    let GrantState::Closed { closure, .. } = house.grant(id).await.state.clone() else { panic!("not closed") };
    assert_eq!((closure.cause.name(), closure.word()), ("expired", "gone"));
    assert!(closure.at >= end, "it ended early");
    assert!(house.gate.accounts("attic").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_hangs_delays_no_other_and_is_tried_until_it_is_back() {
    let house = by_the_clock().await;
    let _engine = run(&house, RARELY);
    let mut held = Vec::new();
    for who in ["ann", "ben", "mia", "dan"] {
        for (target, ids) in [("attic", &mut held)] {
            for role in ["read", "write", "super"] {
                let id = house.hold(who, target, role, 1).await;
                house.hand_out(who, id).await.unwrap();
                ids.push(id);
            }
        }
    }
    let other = house.hold("ann", "annex", "read", 1).await;
    house.hand_out("ann", other).await.unwrap();
    house.gate.end("attic", Does::Hold);
    let root = house.caller("root").await;
    let attic = RevokeWhat::Resource(house.resource("attic").await);
    house.app.revoke(&root, attic, &reason("stop")).await.unwrap();
    house.gate.until_begun("attic", "end", 8).await;
    house.app.give_back(&house.caller("ann").await, other).await.unwrap();
    until(&house, other, "closed").await;
    assert_eq!(house.gate.accounts("attic").len(), held.len());
    // From hanging to dead to alive: every debt is paid without anybody.
    house.gate.end("attic", Does::Dead);
    house.gate.until_begun("attic", "end", 10).await;
    let debts = house.app.debts(&root).await.unwrap();
    assert_eq!(debts.len(), held.len(), "a debt was forgotten");
    house.gate.end("attic", Does::Work);
    for id in held {
        until(&house, id, "closed").await;
    }
    assert!(house.gate.accounts("attic").is_empty());
}

/// The process dies in the middle of making; the next one finds the intent by its name and ends it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_process_began_is_ended_by_the_next() {
    let mut house = by_the_clock().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    house.gate.create("attic", Does::Hold);
    let mut making = JoinSet::new();
    let (app, caller) = (Arc::clone(&house.app), house.caller("ann").await);
    making.spawn(async move { app.hand_out(&caller, id, &serde_json::Value::Null).await });
    house.gate.until_begun("attic", "create", 1).await;
    making.shutdown().await;
    assert_eq!(house.leases(id).await[0].state.name(), "intended");
    house.reopen();
    let _engine = run(&house, RARELY);
    let gone = async || house.leases(id).await.iter().all(|l| !l.is_open());
    wane_testkit::eventually("the intent's end", SOON, gone).await.unwrap();
    assert_eq!(house.grant(id).await.state.name(), "active", "the grant goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_made_is_no_leftover_to_an_engine_that_begins() {
    let house = Arc::new(by_the_clock().await);
    let id = house.hold("ann", "attic", "read", 1).await;
    house.gate.create("attic", Does::Hold);
    let mut making = JoinSet::new();
    let (app, caller) = (Arc::clone(&house.app), house.caller("ann").await);
    making.spawn(async move { app.hand_out(&caller, id, &serde_json::Value::Null).await });
    house.gate.until_begun("attic", "create", 1).await;
    let _engine = run(&house, RARELY);
    // A round trip through the engine: it has swept before it ends this.
    let other = house.hold("ben", "annex", "read", 1).await;
    house.hand_out("ben", other).await.unwrap();
    house.app.give_back(&house.caller("ben").await, other).await.unwrap();
    until(&house, other, "closed").await;
    house.gate.create("attic", Does::Work);
    making.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(house.leases(id).await[0].state.name(), "live");
}

/// Who is disabled, what is locked, what policy no longer gives: ended though nobody said so about the grant.
#[tokio::test(flavor = "multi_thread")]
async fn what_lost_its_ground_ends_by_itself() {
    let house = by_the_clock().await;
    let _engine = run(&house, RARELY);
    let root = house.caller("root").await;
    let ann = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", ann).await.unwrap();
    let ben = house.hold("ben", "attic", "read", 1).await;
    let mia = house.hold("mia", "annex", "read", 1).await;
    let dan = house.hold("dan", "web1", "deploy", 1).await;
    let disabled = PersonChange { standing: Some(Standing::Disabled), ..PersonChange::default() };
    house.app.change_person(&root, "ann", &disabled).await.unwrap();
    until(&house, ann, "closed").await;
    assert!(house.gate.accounts("attic").is_empty());
    // A lock whose ends were not said before the process died.
    let target = LockTarget::Person(house.id("ben").await);
    let (lock, _) = Lock::impose(house.ambient.id(), target, reason("x"), root.person, house.app.now());
    house.write(vec![Write::Lock(Put::new(lock))]).await;
    until(&house, ben, "closed").await;
    house.change_policy("resource is Gate in Label::\"env=dev\"", "resource is Gate in Label::\"env=none\"").await;
    until(&house, mia, "closed").await;
    assert!(house.grant(dan).await.is_live(), "somebody lost what they still may have");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_is_removed_at_its_second_sighting_and_what_belongs_stays() {
    let house = by_the_clock().await;
    let mine = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", mine).await.unwrap();
    let stray = house.hold("ben", "attic", "write", 1).await;
    house.hand_out("ben", stray).await.unwrap();
    let artifact = house.leases(stray).await[0].artifact.clone();
    // Ended with proof, and then it is there again: what a restored target looks like.
    house.app.give_back(&house.caller("ben").await, stray).await.unwrap();
    house.try_ends(stray).await;
    house.gate.plant("attic", &artifact);
    let _engine = run(&house, Span::from_secs(1));
    let removed = async || !house.gate.accounts("attic").contains_key(&artifact);
    wane_testkit::eventually("the orphan's end", SOON, removed).await.unwrap();
    assert_eq!(house.gate.accounts("attic").len(), 1, "what belongs to a grant was taken");
    // The target is done before the record is: the record says what came of it.
    let records = wane_store::RecordFilter { event: Some("orphan.removed".to_owned()), ..Default::default() };
    let booked = async || house.records(records.clone()).await.len() == 1;
    wane_testkit::eventually("the record of it", SOON, booked).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_lapse_and_grants_never_begun_close_by_themselves() {
    let house = House::new().await;
    let asked = house.ask("ann", &[("vault", "read")], 1).await.id;
    let other = house.ask("ben", &[("vault", "read")], 1).await.id;
    let scheduled = granted(&house.approve("eva", other).await.unwrap(), 0).unwrap();
    house.advance(mins(180));
    let _engine = run(&house, RARELY);
    until(&house, scheduled, "closed").await;
    let lapsed = async || house.request(asked).await.state_name() == "lapsed";
    wane_testkit::eventually("a request that lapsed", SOON, lapsed).await.unwrap();
}

/// Who is asked in addition is asked by the engine, also by one that began later, and reminded of it; then it lapses.
#[tokio::test(flavor = "multi_thread")]
async fn more_people_are_asked_and_reminded_while_nobody_decides() {
    let mut house = House::new().await;
    house.change_policy("\"1 of group:dba\"", "\"1 of group:dba, or after 30m also manager\"").await;
    let asked = house.ask("ann", &[("vault", "read")], 1).await.id;
    let told = async |house: &House, event: &str, times: usize| {
        let filter =
            wane_store::RecordFilter { request: Some(asked), event: Some(event.to_owned()), ..Default::default() };
        let so = async || house.records(filter.clone()).await.len() == times;
        wane_testkit::eventually(event, SOON, so).await.unwrap();
    };
    let engine = run(&house, RARELY);
    house.advance(mins(29));
    assert!(house.approve("mia", asked).await.is_err(), "too early");
    house.advance(mins(1));
    told(&house, "request.item.escalated", 1).await;
    // The process dies; half of the two hours are over, and nine tenths, before another begins.
    drop(engine);
    house.reopen();
    house.advance(mins(80));
    let _engine = run(&house, RARELY);
    told(&house, "request.still_waiting", 1).await;
    house.advance(mins(10));
    told(&house, "request.item.lapsed", 1).await;
    told(&house, "request.item.escalated", 1).await;
    assert!(house.approve("mia", asked).await.is_err());
}

/// Two thousand ends due in one instant all come, and whoever asks meanwhile is answered.
#[tokio::test(flavor = "multi_thread")]
async fn many_ends_at_once_all_come_and_nobody_waits_for_them() {
    const MANY: u64 = 2_000;
    let house = Arc::new(House::new().await);
    let mut asking = JoinSet::new();
    for worker in 0..16u64 {
        let house = Arc::clone(&house);
        asking.spawn(async move {
            for n in (worker..MANY).step_by(16) {
                let at = usize::try_from(n).unwrap();
                let (who, rest) = (["ann", "ben", "mia", "dan"][at % 4], at / 4);
                let item = (["attic", "annex"][rest % 2], ["read", "write", "super"][rest / 2 % 3]);
                // A microsecond apart, so that most are covered by none that was asked for before.
                let duration = Span::from_micros(3_600_000_000 + n);
                let request = house.try_ask(who, AskInput { duration, ..ask(&[item], 1) }).await.unwrap();
                house.hand_out(who, granted(&request, 0).unwrap()).await.unwrap();
            }
        });
    }
    asking.join_all().await;
    let made = house.gate.accounts("attic").len() + house.gate.accounts("annex").len();
    assert!(made > 1_500, "{made} accounts");
    house.advance(Span::from_hours(2));
    let _engine = run(&house, RARELY);
    let live = async || {
        let phases = vec![GrantPhase::Active, GrantPhase::Ending];
        let filter = GrantFilter { phases, ..GrantFilter::default() };
        house.store.grants(filter, Slice::first(1)).await.unwrap().items.len()
    };
    let mut answered = 0;
    let all = async || live().await == 0;
    while !all().await {
        let ask = house.try_ask("zoe", ask(&[("attic", "read")], 1));
        tokio::time::timeout(SOON, ask).await.expect("an answer meanwhile").unwrap();
        answered += 1;
        assert!(answered < 100_000, "the ends never come");
    }
    // Whoever has to wait for all of them is answered once.
    assert!(answered > 1, "nobody was answered before it was over");
    assert!(house.gate.accounts("attic").is_empty() && house.gate.accounts("annex").is_empty());
}

/// Has the engineers given a role, for twenty minutes at a time.
async fn pack(house: &House, called: &str, item: (&str, &str)) {
    let package = NewPackage {
        name: name(called),
        description: "".parse().unwrap(),
        items: vec![(item.0.to_owned(), item.1.to_owned())],
        groups: [name("engineers")].into(),
        attributes: [].into(),
        at_most: Some(mins(20)),
    };
    house.app.add_package(&house.caller("root").await, &package).await.unwrap();
}

/// Waits until somebody was given this role so often.
async fn given(house: &House, who: &str, resource: &str, times: usize) {
    let filter = GrantFilter {
        holder: Some(house.id(who).await),
        resource: Some(house.resource(resource).await),
        ..GrantFilter::default()
    };
    let so = async || house.store.grants(filter.clone(), Slice::first(100)).await.unwrap().items.len() == times;
    wane_testkit::eventually(&format!("{who} to be given {resource} {times} times"), SOON, so).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_packages_is_given_at_once_and_anew_before_it_ends() {
    let house = House::new().await;
    pack(&house, "early", ("read", "attic")).await;
    let _engine = run(&house, RARELY);
    given(&house, "mia", "attic", 1).await;
    round_trip(&house).await;
    // No time passes: that there is another package is enough.
    pack(&house, "late", ("read", "annex")).await;
    given(&house, "mia", "annex", 1).await;
    round_trip(&house).await;
    // Nothing changes: that time passes is enough.
    house.advance(mins(19));
    round_trip(&house).await;
    given(&house, "mia", "attic", 2).await;
}

/// What an engine reads while nothing is to be done: each once, however often it looks.
#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_has_changed_about_is_not_read_again() {
    let mut house = House::new().await;
    pack(&house, "early", ("read", "attic")).await;
    house.app.give_packages().await.unwrap();
    let live = house.hold("ann", "attic", "write", 1).await;
    house.hand_out("ann", live).await.unwrap();
    let over = house.hold("ben", "attic", "write", 1).await;
    house.hand_out("ben", over).await.unwrap();
    house.app.give_back(&house.caller("ben").await, over).await.unwrap();
    house.try_ends(over).await;
    let signed = credential(&house).await;
    let signed = house.store.lease(signed).await.unwrap().unwrap().value.grant;
    house.app.give_back(&house.caller("ann").await, signed).await.unwrap();
    house.try_ends(signed).await;
    assert_eq!(house.grant(signed).await.state.name(), "closed");

    let store = Counted::under(&mut house);
    let _engine = run(&house, RARELY);
    let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    let begun = async || of(&store.holdings) >= 2;
    wane_testkit::eventually("a first judgement", SOON, begun).await.unwrap();
    for who in ["ann", "ben", "mia", "dan"] {
        // Whatever is done wakes it, and is none of what it has read.
        let looks = of(&store.looks);
        house.ask(who, &[("vault", "read")], 1).await;
        let looked = async || of(&store.looks) > looks;
        wane_testkit::eventually("another look", SOON, looked).await.unwrap();
    }
    assert_eq!(of(&store.holdings), 2, "judged once, and once for packages");
    assert_eq!(of(&store.leases), 0, "leases were looked at one by one, about which nothing is to be done");
}

/// A credential that stands at its target, written as an earlier process would have.
async fn credential(house: &House) -> LeaseId {
    let (now, world) = (house.app.now(), house.app.world().await.unwrap());
    let (role, resource) = (world.role(&name("gate"), "read").unwrap(), world.resource("annex").unwrap().id);
    let holder = house.id("ann").await;
    let item = AskItem { resource, role: role.id, role_digest: role.digest().unwrap(), task: None };
    let ask =
        Ask { org: world.org, requester: holder, beneficiary: holder, ..plain_ask(&house.ambient, item, mins(60)) };
    let Held { request, grant, lease } = wane_testkit::hold(&house.ambient, ask, "gate", LeaseKind::Credential, now);
    let made = LeaseEvent::Made { object: None, notes: serde_json::json!({}) };
    let (lease, _) = lease.apply(made, now).unwrap();
    house.gate.plant("annex", &lease.artifact);
    let id = lease.id;
    let writes = vec![Write::Request(Put::new(request)), Write::Grant(Put::new(grant)), Write::Lease(Put::new(lease))];
    house.write(writes).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_of_an_earlier_process_is_tried_at_its_target() {
    let house = House::new().await;
    let lease = credential(&house).await;
    let _engine = run(&house, RARELY);
    let seen = async || house.store.lease(lease).await.unwrap().unwrap().value.confirmed.is_some();
    wane_testkit::eventually("the target to accept it", SOON, seen).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_time_is_over_is_booked_as_left_by_itself() {
    let house = House::new().await;
    let until = Some(Some(house.app.now().plus(Span::from_secs(1))));
    let change = PersonChange { until, ..PersonChange::default() };
    house.app.change_person(&house.caller("root").await, "ann", &change).await.unwrap();
    let _engine = run(&house, RARELY);
    round_trip(&house).await;
    let left = async || house.app.world().await.unwrap().person("ann").unwrap().stay.left;
    assert_eq!(left().await, None);
    let end = house.advance(Span::from_secs(1));
    round_trip(&house).await;
    let gone = async || left().await == Some(end);
    wane_testkit::eventually("their leaving", SOON, gone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_are_visited_a_while_after_the_start_and_not_before() {
    let house = House::new().await;
    let _engine = run(&house, RARELY);
    let vault = house.resource("vault").await;
    let visited = async || house.store.last_inventory(vault).await.unwrap().map(|taken| taken.at);
    for _ in 0..3 {
        round_trip(&house).await;
        assert_eq!(visited().await, None, "too early");
    }
    let due = house.advance(Span::from_secs(10));
    round_trip(&house).await;
    let so = async || visited().await == Some(due);
    wane_testkit::eventually("a visit", SOON, so).await.unwrap();
}

/// A job that has so much time left, written as an earlier process would have.
async fn job(house: &House, left: Span) -> JobId {
    let (id, now) = (house.ambient.id(), house.app.now());
    let claims: JobClaims = [].into_iter().collect();
    let asks = JobAsks { job: id, issuer: house.ambient.id(), issuer_name: name("actions"), claims };
    let (person, bearer, until) = (house.id("ann").await, house.ambient.id(), now.plus(left));
    let job = Job { id, person, token: "t".to_owned(), asks, bearer, at: now, until, forget: until, ended: None };
    house.write(vec![Write::Job(Put::new(job))]).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_over_is_ended_by_itself_and_tried_again_after_a_while() {
    let house = House::new().await;
    let job = job(&house, Span::from_secs(1)).await;
    let _engine = run(&house, RARELY);
    round_trip(&house).await;
    let ended = async || house.store.job(job).await.unwrap().unwrap().value.ended.map(|ended| ended.at);
    house.door.writes(Goes::Failing);
    house.advance(Span::from_secs(1));
    // Nothing else is there to be written.
    let tried = async || house.app.is_storeless();
    wane_testkit::eventually("a first try", SOON, tried).await.unwrap();
    house.door.writes(Goes::Well);
    for _ in 0..3 {
        round_trip(&house).await;
        assert_eq!(ended().await, None, "tried again without a pause");
    }
    let again = house.advance(Span::from_secs(5));
    round_trip(&house).await;
    let so = async || ended().await == Some(again);
    wane_testkit::eventually("the job's end", SOON, so).await.unwrap();
}

/// Until it is booked why it ended, nothing else is said of it: not even once its time would be over.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_returned_without_the_store_is_not_said_to_have_run_out() {
    let house = House::new().await;
    let id = returned_unbooked(&house).await;
    house.advance(mins(61));
    let _engine = run_engine(&house);
    for _ in 0..3 {
        round_trip(&house).await;
        assert!(house.grant(id).await.is_live(), "it was said to have run out");
    }
    while house.app.book_storeless().await.unwrap() != Booked::All {}
    assert_eq!(cause(&house.grant(id).await), Some(EndCause::Returned));
}
