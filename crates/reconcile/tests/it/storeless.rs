//! The engine and the loop beside it, over a store that fails: what is over ends, and is booked later.

use std::sync::atomic::{AtomicUsize, Ordering};

use wane_domain::id::GrantId;
use wane_domain::time::Span;
use wane_store::RecordFilter;

use crate::counted::Counted;
use crate::faulty::Goes;
use crate::gated::Does;
use crate::house::{House, mins};
use crate::running::{SOON, by_the_clock, run, run_storeless, short, until};

async fn no_accounts(house: &House) {
    let none = async || house.gate.accounts("attic").is_empty();
    wane_testkit::eventually("no account at the target", SOON, none).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_ends_without_the_store_and_is_booked_when_it_is_back() {
    let house = by_the_clock().await;
    for (writes, reads) in [(Goes::Failing, Goes::Well), (Goes::Failing, Goes::Failing), (Goes::Hanging, Goes::Well)] {
        let _engine = run(&house, Span::from_hours(1));
        let id = short(&house, "ann").await;
        let end = crate::house::end_of(&house.grant(id).await);
        house.app.read_agenda().await.unwrap();
        house.app.remember_targets().await.unwrap();
        house.door.writes(writes);
        house.door.reads(reads);
        no_accounts(&house).await;
        assert!(house.app.now() >= end, "it ended early");
        assert!(house.grant(id).await.is_live(), "the store knows although it cannot be written");
        assert!(house.app.store_state().unbooked >= 1);
        house.door.all(Goes::Well);
        until(&house, id, "closed").await;
        // What hung may be done, and the grant closed by it, before what was said from memory is booked.
        let all = async || house.app.store_state().unbooked == 0;
        wane_testkit::eventually("everything to be booked", SOON, all).await.unwrap();
        let filter =
            RecordFilter { grant: Some(id), event: Some("storeless.said".to_owned()), ..RecordFilter::default() };
        assert_eq!(house.records(filter).await.len(), 1, "{writes:?} {reads:?}");
        assert!(!house.app.is_storeless());
    }
}

/// Both fail: the target is tried until it is back, the store is told once it is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_target_and_a_dead_store_come_back_in_either_order() {
    let house = by_the_clock().await;
    let _engine = run(&house, Span::from_hours(1));
    for store_first in [false, true] {
        let id = short(&house, "ann").await;
        let begun = house.gate.begun("attic", "end");
        house.gate.end("attic", Does::Dead);
        house.door.writes(Goes::Failing);
        house.gate.until_begun("attic", "end", begun + 2).await;
        if store_first {
            house.door.writes(Goes::Well);
            until(&house, id, "ending").await;
            house.gate.end("attic", Does::Work);
        } else {
            house.gate.end("attic", Does::Work);
            no_accounts(&house).await;
            house.door.writes(Goes::Well);
        }
        until(&house, id, "closed").await;
        assert!(house.gate.accounts("attic").is_empty());
    }
}

/// The loop needs nobody else: it reads in good time, finds what runs out, asks targets again and books.
#[tokio::test(flavor = "multi_thread")]
async fn the_loop_alone_ends_what_it_read_of_and_is_not_in_a_hurry() {
    let mut house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", id).await.unwrap();
    let store = Counted::under(&mut house);
    let _running = run_storeless(&house);
    let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    let read = async || of(&store.standing) > 0 && of(&store.next_looks) > 0;
    wane_testkit::eventually("memory to be filled", SOON, read).await.unwrap();
    // Somebody works meanwhile: for that nothing is read anew.
    house.hold("ben", "attic", "read", 1).await;
    house.gate.end("attic", Does::Lie);
    house.door.all(Goes::Failing);
    house.app.store_failed("somebody could not use it");
    house.advance(mins(61));
    let again = async || house.gate.begun("attic", "end") >= 2 && *house.door.asked.borrow() >= 2;
    wane_testkit::eventually("target and store to be tried again", SOON, again).await.unwrap();
    // About once a second each, and more often where something happened; the bounds are for a slow machine.
    assert_eq!(of(&store.standing), 1, "everything was read again and again");
    let often = [
        ("the target was asked", house.gate.begun("attic", "end")),
        ("the store was looked at", of(&store.next_looks)),
        ("it was asked what is owed", of(&store.of_one)),
        ("it was tried to book", *house.door.asked.borrow()),
    ];
    for (what, times) in often {
        assert!(times < 40, "{what} {times} times");
    }
    assert!(house.grant(id).await.is_live(), "the store knows although it cannot be written");
    house.gate.end("attic", Does::Work);
    no_accounts(&house).await;
    house.door.all(Goes::Well);
    let booked = async || house.app.store_state().unbooked == 0 && !house.app.is_storeless();
    wane_testkit::eventually("everything to be booked", SOON, booked).await.unwrap();
    assert!(!house.grant(id).await.is_live());
}

/// What somebody gave back while the store could not be written, which it can again: somebody's commit shows it.
pub(crate) async fn returned_unbooked(house: &House) -> GrantId {
    let id = house.hold("ann", "attic", "read", 1).await;
    house.door.writes(Goes::Failing);
    house.app.give_back(&house.caller("ann").await, id).await.unwrap();
    house.door.writes(Goes::Well);
    house.ask("ben", &[("vault", "read")], 1).await;
    assert!(!house.app.is_storeless() && house.app.store_state().unbooked == 1);
    id
}

/// What is not in the store yet gets there.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_unbooked_is_booked_although_the_store_is_well() {
    let house = House::new().await;
    let id = returned_unbooked(&house).await;
    let _running = run_storeless(&house);
    let booked = async || house.app.store_state().unbooked == 0;
    wane_testkit::eventually("everything to be booked", SOON, booked).await.unwrap();
    assert!(!house.grant(id).await.is_live());
}

#[tokio::test(flavor = "multi_thread")]
async fn that_the_store_fails_and_that_it_is_back_is_found_although_nobody_uses_it() {
    let house = House::new().await;
    house.door.all(Goes::Failing);
    let _running = run_storeless(&house);
    let fails = async || house.app.is_storeless();
    wane_testkit::eventually("the store to be missed", SOON, fails).await.unwrap();
    house.door.all(Goes::Well);
    let well = async || !house.app.is_storeless();
    wane_testkit::eventually("the store to be back", SOON, well).await.unwrap();
}

/// A store that can be written and not read is not asked without pause.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_read_again_after_a_while() {
    let mut house = House::new().await;
    let store = Counted::under(&mut house);
    house.door.reads(Goes::Failing);
    let _running = run_storeless(&house);
    let looked = async || store.next_looks.load(Ordering::Relaxed) >= 2;
    wane_testkit::eventually("a second look", SOON, looked).await.unwrap();
    let times = store.sealed.load(Ordering::Relaxed);
    assert!((1..10).contains(&times), "{times} times");
}
