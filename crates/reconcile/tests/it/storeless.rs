//! The engine and the loop beside it, over a store that fails: what is over ends, and is booked later.

use wane_app::AskInput;
use wane_domain::id::GrantId;
use wane_domain::time::Span;
use wane_store::RecordFilter;

use crate::faulty::Goes;
use crate::gated::Does;
use crate::house::{House, ask, granted};
use crate::running::{SOON, by_the_clock, run, until};

/// A grant for two seconds, with its account.
async fn short(house: &House, who: &str) -> GrantId {
    let input = AskInput { duration: Span::from_secs(2), ..ask(&[("attic", "read")], 1) };
    let id = granted(&house.try_ask(who, input).await.unwrap(), 0).unwrap();
    house.hand_out(who, id).await.unwrap();
    id
}

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
        let filter =
            RecordFilter { grant: Some(id), event: Some("storeless.said".to_owned()), ..RecordFilter::default() };
        assert_eq!(house.records(filter).await.len(), 1, "{writes:?} {reads:?}");
        let all = async || house.app.store_state().unbooked == 0;
        wane_testkit::eventually("everything to be booked", SOON, all).await.unwrap();
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
