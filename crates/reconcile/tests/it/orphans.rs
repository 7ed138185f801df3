//! What carries our mark and belongs to nobody: seen once it is left alone, seen again it is removed.

use wane_domain::time::Span;
use wane_store::Store as _;

use crate::house::{House, mins};
use crate::running::{SOON, run};

const STRAY: &str = "wane_stray";
const TARGETS: [&str; 3] = ["vault", "attic", "annex"];

#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_that_was_seen_once_is_left_alone() {
    let house = House::new().await;
    TARGETS.iter().for_each(|target| house.gate.plant(target, STRAY));
    let _engine = run(&house, Span::from_hours(1));
    // The first visit comes soon after the start.
    house.advance(mins(1));
    // One target after the other: what stands there is written down, then what is no one's is seen to. So when the last
    // is written down, the visit to all before it is over.
    let visited = async || {
        let mut visited = 0;
        for target in TARGETS {
            let last = house.store.last_inventory(house.resource(target).await).await.unwrap();
            visited += usize::from(last.is_some_and(|last| last.orphans == 1));
        }
        visited == TARGETS.len()
    };
    wane_testkit::eventually("every target's first visit", SOON, visited).await.unwrap();
    let stands = || TARGETS.iter().filter(|target| house.gate.accounts(target).contains_key(STRAY)).count();
    assert_eq!(stands(), TARGETS.len(), "an orphan was removed at its first sighting");
    house.advance(mins(60));
    wane_testkit::eventually("the orphans' end", SOON, async || stands() == 0).await.unwrap();
}
