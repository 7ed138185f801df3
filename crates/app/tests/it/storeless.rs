//! Ends while the store cannot be written, or read, or does not answer; and what the log says afterwards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use serde_json::Value;
use tokio::task::JoinSet;
use wane_app::{AppError, Booked, Class, Journal, KeptWhere, LockInput, RevokeWhat, TryEnd};
use wane_audit::Actor;
use wane_domain::closure::EndCause;
use wane_domain::grant::GrantState;
use wane_domain::id::GrantId;
use wane_domain::lock::LockTarget;
use wane_domain::time::Span;
use wane_store::{RecordFilter, Store as _};

use crate::faulty::Goes;
use crate::gated::Does;
use crate::house::{House, PUBLIC_KEY, mins, reason};
use crate::signing_in::{Login, PASSWORD, secret};

/// A journal in memory that outlives the process, and that can be held shut.
#[derive(Debug, Default)]
struct Paper {
    frames: Mutex<Vec<Vec<u8>>>,
    resets: AtomicBool,
    /// Whether there is little room, and whether anybody asked.
    small: AtomicBool,
    looked_at: AtomicBool,
    held: Mutex<bool>,
    let_go: Condvar,
}

impl Paper {
    fn hold(&self, held: bool) {
        *self.held.lock().unwrap() = held;
        self.let_go.notify_all();
    }

    fn frames(&self) -> Vec<Vec<u8>> {
        self.frames.lock().unwrap().clone()
    }
}

impl Journal for Paper {
    fn keep(&self, frames: &[Vec<u8>]) -> Result<(), String> {
        drop(self.let_go.wait_while(self.held.lock().unwrap(), |held| *held).unwrap());
        self.frames.lock().unwrap().extend_from_slice(frames);
        Ok(())
    }
    fn reset(&self) -> Result<(), String> {
        self.frames.lock().unwrap().clear();
        self.resets.store(true, Ordering::SeqCst);
        Ok(())
    }
    fn room(&self) -> u64 {
        self.looked_at.store(true, Ordering::SeqCst);
        if self.small.load(Ordering::SeqCst) { 200 << 10 } else { 1 << 20 }
    }
}

/// Hands the journal over and keeps it from then on.
fn keep(house: &House, paper: &Arc<Paper>, tasks: &mut JoinSet<()>) {
    house.app.keep_in(Arc::clone(paper) as Arc<dyn Journal>, &paper.frames());
    let app = Arc::clone(&house.app);
    tasks.spawn(async move { app.keep_journal().await });
}

/// A grant whose account stands.
async fn account(house: &House, who: &str, role: &str) -> GrantId {
    let id = house.hold(who, "attic", role, 1).await;
    house.hand_out(who, id).await.unwrap();
    id
}

/// What the loop does at the targets, once.
pub(crate) async fn end_at_targets(house: &House) -> Vec<TryEnd> {
    let mut out = Vec::new();
    for lease in house.app.owed_storeless().await {
        out.push(house.app.end_at_target(&lease).await);
    }
    out
}

async fn book(house: &House) {
    while house.app.book_storeless().await.unwrap() != Booked::All {}
}

async fn events(house: &House, grant: GrantId, event: &str) -> Vec<Value> {
    let filter = RecordFilter { grant: Some(grant), event: Some(event.to_owned()), ..RecordFilter::default() };
    house.records(filter).await.into_iter().map(|r| serde_json::to_value(r).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_begins_while_the_store_cannot_be_written() {
    let house = House::new().await;
    let unused = house.hold("ann", "attic", "read", 1).await;
    let certified = house.hold("ben", "web1", "deploy", 1).await;
    house.hand_out("ben", certified).await.unwrap();
    let asked = house.ask("ann", &[("vault", "read")], 1).await.id;
    let before = house.store_head().await;
    house.door.writes(Goes::Failing);
    let store = |error: AppError| {
        assert!(matches!(error, AppError::Store(_)), "{error:?}");
        assert_eq!((error.class(), error.code()), (Class::Busy, "store"));
    };
    store(house.hand_out("ann", unused).await.unwrap_err());
    store(house.hand_out("ben", certified).await.unwrap_err());
    store(house.try_ask("ben", crate::house::ask(&[("attic", "read")], 1)).await.unwrap_err());
    store(house.approve("eva", asked).await.unwrap_err());
    store(house.app.extend(&house.caller("ben").await, certified, mins(5), None).await.unwrap_err());
    assert_eq!(house.gate.begun("attic", "create"), 0, "a target was touched for what could not be written down");
    assert!(house.app.is_storeless());
    assert_eq!(house.store_head().await, before);
    house.door.writes(Goes::Well);
    house.hand_out("ann", unused).await.expect("the store is back");
    house.hand_out("ben", certified).await.expect("the store is back");
    assert!(!house.app.is_storeless());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_ended_without_the_store_is_booked_once() {
    let mut house = House::new().await;
    let (paper, mut tasks) = (Arc::new(Paper::default()), JoinSet::new());
    keep(&house, &paper, &mut tasks);
    let root = house.caller("root").await;
    let returned = account(&house, "ann", "read").await;
    let revoked = account(&house, "ben", "read").await;
    let locked = account(&house, "mia", "read").await;
    let expired = account(&house, "dan", "read").await;
    house.door.writes(Goes::Failing);
    // Said: by its holder, by an operator, by a lock, by the clock.
    let ended = house.app.give_back(&house.caller("ann").await, returned).await.unwrap();
    assert_eq!(ended.state.name(), "ending", "what is shown is not what is");
    let ben = RevokeWhat::Person(house.id("ben").await);
    assert_eq!(house.app.revoke(&root, ben, &reason("stop")).await.unwrap(), [revoked]);
    let input = LockInput { target: LockTarget::Person(house.id("mia").await), reason: reason("stolen") };
    let (lock, covered) = house.app.impose_lock(&root, &input).await.unwrap();
    assert_eq!(covered, [locked]);
    house.advance(mins(61));
    house.app.end_if_due(expired).await.unwrap();
    let all = [returned, revoked, locked, expired];
    for id in all {
        assert!(house.app.is_ended_from_memory(id));
        assert!(house.grant(id).await.is_live(), "the store knows already");
        assert_eq!(house.app.as_it_is(house.grant(id).await).state.name(), "ending");
        assert_eq!(
            house.app.unbooked(id).await,
            Some(KeptWhere::Journal),
            "what was answered would not outlive the process"
        );
    }
    assert_eq!(house.app.unbooked_lock(lock.id).await, Some(KeptWhere::Journal));
    // Done at the target, once.
    assert_eq!(end_at_targets(&house).await, [TryEnd::Gone; 4]);
    assert!(house.gate.accounts("attic").is_empty());
    assert!(house.app.owed_storeless().await.is_empty(), "what is done is done again");
    assert_eq!(house.app.store_state().unbooked, 9);
    assert!(house.app.book_storeless().await.is_err(), "booked in a store that cannot be written");

    // The process dies, and the next begins with what the journal kept.
    let kept = async || paper.frames().len() == 9;
    wane_testkit::eventually("the journal to have all of it", Duration::from_secs(20), kept).await.unwrap();
    tasks.shutdown().await;
    house.reopen();
    keep(&house, &paper, &mut tasks);
    house.door.writes(Goes::Well);
    assert!(house.app.is_ended_from_memory(returned));
    let again = house.hand_out("ann", returned).await;
    assert!(matches!(again, Err(AppError::Taken(_) | AppError::Illegal(_))), "{again:?}");
    let ask = house.try_ask("mia", crate::house::ask(&[("annex", "read")], 1)).await.unwrap();
    assert!(crate::house::denied(&ask, 0).contains("lock"), "a lock that is not booked yet does not hold");
    let frames = paper.frames();
    // Read as still to be ended just before it was booked: it is the engine's by the time it is looked at.
    let before = house.leases(returned).await.remove(0);
    book(&house).await;
    for lease in [before, house.leases(returned).await.remove(0)] {
        assert_eq!(house.app.end_at_target(&lease).await, TryEnd::Gone);
    }
    assert_eq!(house.app.store_state().unbooked, 0, "what was booked is done once more, and said once more");
    let empty = async || paper.frames().is_empty();
    wane_testkit::eventually("what an earlier process kept to be gone", Duration::from_secs(20), empty).await.unwrap();
    // A crash before the journal was reset: the same frames once more.
    house.reopen();
    house.app.keep_in(Arc::clone(&paper) as Arc<dyn Journal>, &frames);
    book(&house).await;

    for (id, cause) in [(returned, "returned"), (revoked, "revoked"), (locked, "locked"), (expired, "expired")] {
        let GrantState::Ending { cause: ended, .. } = &house.grant(id).await.state else { panic!("it does not end") };
        assert_eq!(ended.name(), cause);
        let (said, cut) = (events(&house, id, "storeless.said").await, events(&house, id, "storeless.ended").await);
        assert_eq!((said.len(), cut.len()), (1, 1), "{cause}: {said:?} {cut:?}");
        assert_eq!(said[0]["detail"]["kept_in"], "journal");
        assert!(said[0]["detail"]["acted"].is_i64() || said[0]["detail"]["acted"].is_string(), "{}", said[0]);
        assert_eq!(cut[0]["detail"]["basis"]["basis"], "absent_read_back");
        // The closure rests on a read-back of its own.
        house.try_ends(id).await;
        assert_eq!(house.grant(id).await.state.name(), "closed");
    }
    let said =
        RecordFilter { grant: Some(returned), event: Some("storeless.said".to_owned()), ..RecordFilter::default() };
    assert_eq!(house.records(said).await[0].actor, Actor::Person(house.id("ann").await), "who ended it is forgotten");
    assert!(house.app.world().await.unwrap().locks.contains_key(&lock.id));
    assert_eq!(house.store.world().await.unwrap().locks.len(), 1);
    assert_eq!(house.app.store_state().unbooked, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_is_emptied_once_all_is_booked() {
    let house = House::new().await;
    let (paper, mut tasks) = (Arc::new(Paper::default()), JoinSet::new());
    keep(&house, &paper, &mut tasks);
    let looked_at = async || paper.looked_at.load(Ordering::SeqCst);
    wane_testkit::eventually("the journal to be looked at", Duration::from_secs(20), looked_at).await.unwrap();
    let id = account(&house, "ann", "read").await;
    house.door.writes(Goes::Failing);
    house.app.give_back(&house.caller("ann").await, id).await.unwrap();
    house.app.unbooked(id).await.unwrap();
    assert_eq!(paper.frames().len(), 1);
    assert!(!paper.resets.load(Ordering::SeqCst), "one that holds nothing is emptied");
    house.door.writes(Goes::Well);
    book(&house).await;
    let empty = async || paper.frames().is_empty() && paper.resets.load(Ordering::SeqCst);
    wane_testkit::eventually("the journal to be emptied", Duration::from_secs(20), empty).await.unwrap();
    let recovered = RecordFilter { event: Some("store.recovered".to_owned()), ..RecordFilter::default() };
    assert_eq!(house.records(recovered).await.len(), 1, "the log does not say that the store was gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_hangs_delays_no_end() {
    let house = House::new().await;
    let (paper, mut tasks) = (Arc::new(Paper::default()), JoinSet::new());
    keep(&house, &paper, &mut tasks);
    let id = account(&house, "ann", "read").await;
    house.door.writes(Goes::Failing);
    paper.hold(true);
    house.app.give_back(&house.caller("ann").await, id).await.unwrap();
    assert_eq!(end_at_targets(&house).await, [TryEnd::Gone]);
    assert_eq!(house.app.unbooked(id).await, Some(KeptWhere::Memory), "said to be kept and is not");
    let state = house.app.store_state();
    paper.hold(false);
    assert_eq!((state.only_in_memory, state.unbooked), (2, 2));
    let kept = async || house.app.store_state().only_in_memory == 0;
    wane_testkit::eventually("the journal to have it", Duration::from_secs(20), kept).await.unwrap();
}

/// A disk that takes long: the end does not wait for it, and what was being handed out meanwhile is not.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_overtakes_a_store_that_does_not_answer() {
    let house = Arc::new(House::new().await);
    let held = account(&house, "ann", "read").await;
    let certified = house.hold("ben", "web1", "deploy", 1).await;
    house.hand_out("ben", certified).await.unwrap();
    assert!(!house.app.mistrusts_agenda());
    house.door.writes(Goes::Hanging);
    let mut asking = JoinSet::new();
    let (app, caller) = (Arc::clone(&house.app), house.caller("ben").await);
    let input = serde_json::json!({ "public_key": PUBLIC_KEY });
    asking.spawn(async move { app.hand_out(&caller, certified, &input).await });
    // Nobody is answered, so waiting on is of no use: about 3 s, not the 30 s that a store under load is given.
    let ann = house.caller("ann").await;
    let ended = tokio::time::timeout(Duration::from_secs(20), house.app.give_back(&ann, held)).await;
    ended.expect("the end waited for a store that answers nobody").unwrap();
    assert!(house.app.mistrusts_agenda(), "it may have done what nobody waited for");
    house.app.give_back(&house.caller("ben").await, certified).await.unwrap();
    assert!(end_at_targets(&house).await.contains(&TryEnd::Gone));
    assert!(house.gate.accounts("attic").is_empty());
    house.door.writes(Goes::Well);
    let handed = asking.join_next().await.unwrap().unwrap();
    assert!(handed.is_err(), "a credential left for a grant that had ended: {handed:?}");
    book(&house).await;
    for id in [held, certified] {
        assert!(!house.grant(id).await.is_live());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_memory_knows_ends_with_a_store_that_cannot_be_read() {
    let house = House::new().await;
    let (mine, others, over) = (
        account(&house, "ann", "read").await,
        account(&house, "ben", "write").await,
        account(&house, "dan", "super").await,
    );
    let later = house.hold("mia", "attic", "read", 3).await;
    house.hand_out("mia", later).await.unwrap();
    // As a process that was started anew knows it.
    house.app.read_agenda().await.unwrap();
    house.app.remember_targets().await.unwrap();
    house.door.all(Goes::Failing);
    let returned = house.app.give_back(&house.caller("ann").await, mine).await;
    assert!(matches!(returned, Err(AppError::EndedUnread)), "{returned:?}");
    let stranger = house.app.give_back(&house.caller("ann").await, others).await;
    assert!(matches!(stranger, Err(AppError::NotAllowed { .. })), "{stranger:?}");
    let ben = RevokeWhat::Person(house.id("ben").await);
    let refused = house.app.revoke(&house.caller("ann").await, ben, &reason("no")).await;
    assert!(matches!(refused, Err(AppError::NotAllowed { .. })), "{refused:?}");
    assert_eq!(house.app.revoke(&house.caller("root").await, ben, &reason("stop")).await.unwrap(), [others]);
    house.advance(mins(61));
    house.app.expire_from_memory().await;
    assert!(house.app.is_ended_from_memory(over));
    assert_eq!(end_at_targets(&house).await, [TryEnd::Gone; 3]);
    assert_eq!(house.gate.accounts("attic").len(), 1, "what has time left was ended, or what has none was not");
    house.door.all(Goes::Well);
    book(&house).await;
    for id in [mine, others, over] {
        house.try_ends(id).await;
        assert_eq!(house.grant(id).await.state.name(), "closed");
    }
    let said = events(&house, mine, "storeless.said").await;
    assert_eq!(said[0]["about"]["lease"], Value::Null, "it is about all of the grant");
    assert!(house.grant(later).await.is_live());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debt_that_cannot_be_booked_is_not_hammered() {
    let house = House::new().await;
    let id = account(&house, "ann", "read").await;
    house.gate.end("attic", Does::Dead);
    house.app.give_back(&house.caller("ann").await, id).await.unwrap();
    let lease = house.leases(id).await[0].id;
    house.door.writes(Goes::Failing);
    assert_eq!(house.app.try_end(lease).await.unwrap(), TryEnd::Unreachable);
    for _ in 0..20 {
        assert_eq!(house.app.try_end(lease).await.unwrap(), TryEnd::Open);
    }
    assert_eq!(house.gate.begun("attic", "end"), 1, "the target is asked for the sake of the store");
    house.gate.end("attic", Does::Work);
    house.advance(Span::from_secs(2));
    assert_eq!(house.app.try_end(lease).await.unwrap(), TryEnd::Gone);
    assert!(house.gate.accounts("attic").is_empty());
    house.advance(Span::from_secs(60));
    assert_eq!(house.app.try_end(lease).await.unwrap(), TryEnd::Gone);
    assert_eq!(house.gate.begun("attic", "end"), 2, "what is gone is ended again and again");
    house.door.writes(Goes::Well);
    book(&house).await;
    house.try_ends(id).await;
    assert_eq!(house.grant(id).await.state.name(), "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absence_during_the_making_is_no_end_from_memory_either() {
    let house = Arc::new(House::new().await);
    let id = house.hold("ann", "attic", "read", 1).await;
    house.gate.create("attic", Does::Hold);
    let mut making = JoinSet::new();
    let (app, caller) = (Arc::clone(&house.app), house.caller("ann").await);
    making.spawn(async move { app.hand_out(&caller, id, &Value::Null).await });
    house.gate.until_begun("attic", "create", 1).await;
    house.door.writes(Goes::Failing);
    let cause = EndCause::Returned;
    house.app.end_grant(Actor::Person(house.id("ann").await), id, cause).await.unwrap();
    assert_eq!(end_at_targets(&house).await, [TryEnd::Open], "an absence counted while it was being made");
    house.gate.create("attic", Does::Work);
    assert!(making.join_next().await.unwrap().unwrap().is_err(), "handed out for a grant that had ended");
    assert_eq!(house.gate.accounts("attic").len(), 1);
    assert_eq!(end_at_targets(&house).await, [TryEnd::Gone]);
    assert!(house.gate.accounts("attic").is_empty());
}

/// What ran out is found to have run out in any store; what people ordered is in none.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_of_a_journal_is_for_what_people_ordered() {
    let house = House::new().await;
    let (paper, mut tasks) = (Arc::new(Paper::default()), JoinSet::new());
    keep(&house, &paper, &mut tasks);
    let (over, returned) = (account(&house, "ann", "read").await, account(&house, "ben", "read").await);
    house.door.writes(Goes::Failing);
    paper.small.store(true, Ordering::SeqCst);
    house.app.give_back(&house.caller("ben").await, returned).await.unwrap();
    house.advance(mins(61));
    house.app.end_if_due(over).await.unwrap();
    assert_eq!(house.app.unbooked(returned).await, Some(KeptWhere::Journal));
    assert_eq!(house.app.unbooked(over).await, Some(KeptWhere::Memory));
    assert_eq!(paper.frames().len(), 1);
}

/// Whoever has just signed in; a session that went on under another token is known no more under its own.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_known_is_known_without_the_store() {
    let house = House::new().await;
    let (ann, ben) = (Login::of(&house, "ann").await, Login::of(&house, "ben").await);
    let tokens = [ann.sign_in(&house).await, ben.sign_in(&house).await];
    let caller = house.app.authenticate(&tokens[0]).await.unwrap();
    house.app.authenticate(&tokens[1]).await.unwrap();
    house.door.reads(Goes::Failing);
    for token in &tokens {
        house.app.authenticate(token).await.unwrap();
    }
    house.door.reads(Goes::Well);
    house.advance(Span::from_secs(60));
    house.app.prove(&caller, secret(PASSWORD), Some(&ann.code(&house))).await.unwrap();
    house.door.reads(Goes::Failing);
    assert!(house.app.authenticate(&tokens[0]).await.is_err(), "a token that is dead is remembered");
    house.app.authenticate(&tokens[1]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_told_of_what_was_ended_without_the_store() {
    let house = House::new().await;
    let (host, grant) = (house.resource("web1").await, house.hold("ann", "web1", "deploy", 1).await);
    house.hand_out("ann", grant).await.unwrap();
    let listed = async || {
        let list = house.app.revocations(host).await.unwrap();
        let krl = data_encoding::BASE64.decode(list["krl"].as_str().unwrap().as_bytes()).unwrap();
        String::from_utf8_lossy(&krl).contains(&grant.to_string())
    };
    assert!(!listed().await);
    house.door.writes(Goes::Failing);
    house.app.give_back(&house.caller("ann").await, grant).await.unwrap();
    assert!(house.grant(grant).await.is_live() && listed().await);
}

/// It is newer than what was read, although it comes first.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_written_while_accounts_are_read_is_not_forgotten() {
    let house = House::new().await;
    let grant = house.hold("ann", "attic", "read", 1).await;
    let (ann, lease) = (house.caller("ann").await, house.hand_out("ann", grant).await.unwrap().lease);
    house.door.hold("leases");
    house.door.writes(Goes::Hanging);
    let ends = async {
        house.door.until_held().await;
        house.app.end_handed_out(&ann, lease).await
    };
    let lets = async {
        house.door.until_asked(1).await;
        house.door.hold("");
    };
    let reads = async {
        house.app.read_agenda().await.unwrap();
        house.door.writes(Goes::Failing);
    };
    let (ended, (), ()) = tokio::join!(ends, lets, reads);
    assert!(matches!(ended, Err(AppError::Store(_))), "{ended:?}");
    assert_eq!(house.app.owed_storeless().await.len(), 1, "nobody knows that it was to end");
}

/// Another process has ended it, and this one has not seen that.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_by_the_store_is_not_owed_from_memory() {
    let mut house = House::new().await;
    let (gone, other) = (account(&house, "ann", "read").await, account(&house, "ben", "read").await);
    house.app.give_back(&house.caller("ann").await, gone).await.unwrap();
    let before = Arc::clone(&house.app);
    house.reopen();
    assert_eq!(house.try_ends(gone).await, [TryEnd::Gone]);
    before.read_agenda().await.unwrap();
    house.door.writes(Goes::Failing);
    before.give_back(&house.caller("ben").await, other).await.unwrap();
    let owed: Vec<_> = before.owed_storeless().await.iter().map(|lease| lease.grant).collect();
    assert_eq!(owed, [other], "what is gone is ended once more");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_is_asked_of_no_store_that_hangs() {
    let house = House::new().await;
    let id = account(&house, "ann", "read").await;
    house.door.writes(Goes::Failing);
    house.app.give_back(&house.caller("ann").await, id).await.unwrap();
    assert_eq!(end_at_targets(&house).await, [TryEnd::Gone]);
    assert!(house.app.owed_storeless().await.is_empty());
    house.door.reads(Goes::Hanging);
    assert_eq!(house.app.owed_storeless().now_or_never(), Some(Vec::new()));
    assert!(house.app.is_ended_from_memory(id), "it is not booked yet");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_by_resource_or_role_without_the_store_is_that_and_nothing_else() {
    let house = House::new().await;
    let there = house.hold("ann", "annex", "read", 1).await;
    house.hand_out("ann", there).await.unwrap();
    let (writes, reads) = (account(&house, "ben", "write").await, account(&house, "dan", "read").await);
    let (root, annex) = (house.caller("root").await, house.resource("annex").await);
    let write = house.app.world().await.unwrap().role(&"gate".parse().unwrap(), "write").unwrap().id;
    house.app.read_agenda().await.unwrap();
    house.door.all(Goes::Failing);
    for (what, ended) in [(RevokeWhat::Resource(annex), there), (RevokeWhat::Role(write), writes)] {
        assert_eq!(house.app.revoke(&root, what, &reason("stop")).await.unwrap(), [ended], "{what:?}");
    }
    assert!(!house.app.is_ended_from_memory(reads));
}
