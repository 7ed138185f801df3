//! What stood at targets, written down day by day: how much, never who or what. Figures are told from it.

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::id::ResourceId;
use wane_domain::time::{Span, Time};
use wane_failpoint::point;
use wane_policy::schema::Action;
use wane_store::{InventoryTaken, Write};

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;
use crate::figures::{MOST_DAYS, midnight};
use crate::targets::CheckedInventory;

/// How often it is written down that a target was looked at, though it says what it said before.
const OFTEN: Span = Span::from_hours(1);

impl App {
    /// Writes down what stood at a target, if that is new, or nothing was written of late.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn keep_inventory(&self, resource: ResourceId, found: &CheckedInventory) -> Result<(), AppError> {
        let now = self.now();
        let taken = taken(resource, found, now);
        let before = self.store.last_inventory(resource).await?;
        let news = news(before.as_ref(), &taken);
        if !news && before.is_some_and(|before| before.day == taken.day && now.since(before.at) < OFTEN) {
            return Ok(());
        }
        let event = if news { "inventory.changed" } else { "inventory.taken" };
        let about = Subjects { resource: Some(resource), ..Subjects::default() };
        let detail = json!({ "made": taken.made, "standing": taken.standing, "orphans": taken.orphans });
        let oldest = taken.day.minus(Span::from_hours(24 * u64::from(MOST_DAYS)));
        let mut change = self.change(Actor::System, now);
        change.note(event, Outcome::Done, about, detail);
        change.write(Write::Inventory(taken)).write(Write::ForgetInventories(oldest));
        change.commit(point!("app.inventory.commit")).await?;
        Ok(())
    }

    /// What stood at some resources when each was last looked at, in their order.
    ///
    /// # Errors
    /// When policy does not let the caller, or the store cannot be read.
    pub async fn last_inventories(
        &self,
        caller: &Caller,
        resources: &[ResourceId],
    ) -> Result<Vec<Option<InventoryTaken>>, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ReadCatalogue)?;
        let mut last = Vec::with_capacity(resources.len());
        for resource in resources {
            last.push(self.store.last_inventory(*resource).await?);
        }
        Ok(last)
    }
}

fn taken(resource: ResourceId, found: &CheckedInventory, now: Time) -> InventoryTaken {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let (inventory, orphans) = (&found.inventory, found.orphans.len());
    InventoryTaken {
        resource,
        day: midnight(now),
        at: now,
        made: count(inventory.marked.len().saturating_sub(orphans)),
        standing: count(inventory.standing.len()),
        orphans: count(orphans),
    }
}

/// Whether it says anything that was not said before. That orphans are gone is said where they are removed.
fn news(before: Option<&InventoryTaken>, taken: &InventoryTaken) -> bool {
    let Some(before) = before else { return true };
    let seen = if before.day == taken.day { before.orphans } else { 0 };
    (before.made, before.standing) != (taken.made, taken.standing) || taken.orphans > seen
}
