//! What stood at resources, day by day.

use wane_domain::id::ResourceId;
use wane_domain::time::{Span, Time};

use super::fixture::{Fixture, told};
use super::same;
use crate::commit::Write;
use crate::port::Store;
use crate::rows::InventoryTaken;

const DAY: Span = Span::from_hours(24);

/// The last of a day stands, of orphans the most; days are forgotten whole, and what was read is bounded.
pub(crate) async fn a_day_keeps_one_of_each_resource<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (one, other): (ResourceId, ResourceId) = (f.id(), f.id());
    let today = Time::from_micros(1_795_219_200_000_000);
    let yesterday = today.minus(DAY);
    let taken = |resource, day: Time, secs: u64, (made, standing, orphans)| InventoryTaken {
        resource,
        day,
        at: day.plus(Span::from_secs(secs)),
        made,
        standing,
        orphans,
    };
    let writes = vec![
        Write::Inventory(taken(one, yesterday, 60, (1, 5, 0))),
        Write::Inventory(taken(other, today, 10, (0, 2, 0))),
        Write::Inventory(taken(one, today, 10, (2, 4, 3))),
    ];
    s.commit(f.commit(writes)?).await.map_err(told)?;
    s.commit(f.commit(vec![Write::Inventory(taken(one, today, 70, (3, 6, 1)))])?).await.map_err(told)?;
    // What was looked at before and comes late changes nothing.
    s.commit(f.commit(vec![Write::Inventory(taken(one, today, 20, (9, 9, 9)))])?).await.map_err(told)?;
    let (of_one, of_other) = (taken(one, today, 70, (3, 6, 3)), taken(other, today, 10, (0, 2, 0)));
    let before = taken(one, yesterday, 60, (1, 5, 0));
    same("the last of one", &s.last_inventory(one).await, &Ok(Some(of_one.clone())))?;
    same("of what was never looked at", &s.last_inventory(f.id()).await, &Ok(None))?;
    let mut of_today = vec![of_one.clone(), of_other.clone()];
    of_today.sort_by_key(|one| one.resource.to_string());
    let all: Vec<_> = of_today.iter().cloned().chain([before]).collect();
    same("of today, and how it stood before", &s.inventories(today, 10).await, &Ok(all.clone()))?;
    let tomorrow = today.plus(DAY);
    same("how it stands tomorrow", &s.inventories(tomorrow, 10).await, &Ok(of_today.clone()))?;
    same("the newest of many", &s.inventories(yesterday, 2).await, &Ok(of_today.clone()))?;
    same("of both days", &s.inventories(yesterday, 10).await, &Ok(all))?;
    s.commit(f.commit(vec![Write::ForgetInventories(today)])?).await.map_err(told)?;
    same("what is kept", &s.inventories(yesterday, 10).await, &Ok(of_today))
}
