//! Leases.

use sqlx::SqlitePool;
use wane_domain::id::LeaseId;
use wane_domain::lease::Lease;
use wane_domain::stored;
use wane_store::{LeaseFilter, LeasePhase, Page, Put, Slice, StoreError, Versioned};

use crate::listing::{Cell, Listing, Order};
use crate::row::{Guarded, Row, encode, unavailable, versioned};
use crate::step::Step;

const PUT: Guarded = Guarded {
    insert: "INSERT INTO leases (id, generation, grant_id, resource, role, phase, due_at, doc)
             VALUES ($1, $2 + 1, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING",
    // What it hangs on never changes: written again, their indexes would be too.
    update: "UPDATE leases SET generation = $2 + 1, phase = $6, due_at = $7, doc = $8
             WHERE id = $1 AND generation = $2",
};

/// Writes one. It is due when its end is to be tried next.
pub(crate) fn put(put: &Put<Lease>) -> Result<Step, StoreError> {
    let value = &put.value;
    let id = value.id.to_string();
    let values = vec![
        value.grant.to_string().into(),
        value.resource.to_string().into(),
        value.role.to_string().into(),
        value.state.name().to_owned().into(),
        value.due().map(|t| t.micros()).into(),
        encode(&id, value)?.into(),
    ];
    Ok(PUT.step(&id, put.seen, values)?.one(&id))
}

/// One by id.
pub(crate) async fn get(pool: &SqlitePool, id: LeaseId) -> Result<Option<Versioned<Lease>>, StoreError> {
    let row = sqlx::query_as::<_, Row>("SELECT id, generation, doc FROM leases WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(pool)
        .await
        .map_err(unavailable)?;
    row.map(|r| versioned(&r, stored::lease)).transpose()
}

/// Oldest first.
pub(crate) fn listing(filter: &LeaseFilter, slice: &Slice) -> Listing {
    let listing = Listing::new("id, generation, doc", "leases", "id", Order::OldestFirst, slice)
        .among("id", filter.ids.iter().map(Cell::of).collect())
        .of("grant_id", filter.grant)
        .among("grant_id", filter.grants.iter().map(Cell::of).collect());
    let of_phases =
        |listing: Listing| listing.among("phase", filter.phases.iter().map(|p| Cell::of(phase(*p))).collect());
    // Few are open beside all there ever were at one target.
    if filter.phases.contains(&LeasePhase::Gone) {
        of_phases(listing.of("resource", filter.resource))
    } else {
        of_phases(listing).of("resource", filter.resource)
    }
}

/// A page, oldest first.
pub(crate) async fn list(
    pool: &SqlitePool,
    filter: &LeaseFilter,
    slice: &Slice,
) -> Result<Page<Versioned<Lease>>, StoreError> {
    let listing = listing(filter, slice);
    let rows = listing.query().build_query_as::<Row>().fetch_all(pool).await.map_err(unavailable)?;
    listing.page(rows, |r| r.0.clone(), |r| versioned(r, stored::lease))
}

/// The word in the column: the one of [`wane_domain::lease::LeaseState::name`].
const fn phase(phase: LeasePhase) -> &'static str {
    match phase {
        LeasePhase::Intended => "intended",
        LeasePhase::Live => "live",
        LeasePhase::Revoking => "revoking",
        LeasePhase::Gone => "gone",
    }
}
