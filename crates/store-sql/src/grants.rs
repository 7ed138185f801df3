//! Grants.

use sqlx::SqlitePool;
use wane_domain::grant::Grant;
use wane_domain::id::GrantId;
use wane_domain::stored;
use wane_store::{GrantFilter, GrantPhase, Page, Put, Slice, Standing, StoreError, Versioned};

use crate::listing::{Cell, Listing, Order};
use crate::row::{Guarded, Row, encode, number, unavailable, versioned};
use crate::step::Step;

const PUT: Guarded = Guarded {
    insert: "INSERT INTO grants (id, generation, holder, resource, role, request, phase, due_at, doc)
             VALUES ($1, $2 + 1, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING",
    // Whose it is, and of what, never changes: written again, their indexes would be too.
    update: "UPDATE grants SET generation = $2 + 1, phase = $7, due_at = $8, doc = $9
             WHERE id = $1 AND generation = $2",
};

/// Writes one. It is due when [`Grant::due`] says so.
pub(crate) fn put(put: &Put<Grant>) -> Result<Step, StoreError> {
    let value = &put.value;
    let id = value.id.to_string();
    let values = vec![
        value.holder.to_string().into(),
        value.item.resource.to_string().into(),
        value.item.role.to_string().into(),
        value.request.to_string().into(),
        value.state.name().to_owned().into(),
        value.due().map(|t| t.micros()).into(),
        encode(&id, value)?.into(),
    ];
    Ok(PUT.step(&id, put.seen, values)?.one(&id))
}

/// Asks whether one is still of a generation.
pub(crate) fn still(id: GrantId, generation: u64) -> Result<Step, StoreError> {
    let id = id.to_string();
    let sql = "SELECT 1 FROM grants WHERE id = $1 AND generation = $2";
    Ok(Step::new(sql, vec![id.clone().into(), number(generation)?.into()]).found(&id))
}

/// One by id.
pub(crate) async fn get(pool: &SqlitePool, id: GrantId) -> Result<Option<Versioned<Grant>>, StoreError> {
    let row = sqlx::query_as::<_, Row>("SELECT id, generation, doc FROM grants WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(pool)
        .await
        .map_err(unavailable)?;
    row.map(|r| versioned(&r, stored::grant)).transpose()
}

/// One by id, with what its use is judged by.
pub(crate) async fn standing(pool: &SqlitePool, id: GrantId) -> Result<Option<Standing>, StoreError> {
    let rows = sqlx::query_as::<_, (i64, String, i64, String)>(
        "SELECT 0, id, generation, doc FROM grants WHERE id = $1
         UNION ALL
         SELECT 1, id, generation, doc FROM requests WHERE id = (SELECT request FROM grants WHERE id = $1)
         UNION ALL
         SELECT 2, id, generation, doc FROM leases WHERE grant_id = $1 AND phase <> 'gone'
         ORDER BY 1, 2",
    )
    .bind(id.to_string())
    .fetch_all(pool)
    .await
    .map_err(unavailable)?;
    let (mut grant, mut request, mut open) = (None, None, Vec::new());
    for (part, id, generation, doc) in rows {
        let row: Row = (id, generation, doc);
        match part {
            0 => grant = Some(versioned(&row, stored::grant)?),
            1 => request = Some(versioned(&row, stored::request)?),
            _ => open.push(versioned(&row, stored::lease)?),
        }
    }
    let Some(grant) = grant else { return Ok(None) };
    let request = request.ok_or_else(|| StoreError::Corrupt(format!("the request of `{id}` is gone")))?;
    Ok(Some(Standing { grant, request, open }))
}

/// Newest first.
pub(crate) fn listing(filter: &GrantFilter, slice: &Slice) -> Listing {
    let lives = |phase: &GrantPhase| matches!(phase, GrantPhase::Scheduled | GrantPhase::Active);
    // What lives is what something is due to happen to.
    let live = filter.due_from.is_some() || (!filter.phases.is_empty() && filter.phases.iter().all(lives));
    let by_holder = filter.holder.is_some() && filter.request.is_none() && filter.ids.is_empty();
    Listing::new("id, generation, doc", "grants", "id", Order::NewestFirst, slice)
        .among("id", filter.ids.iter().map(Cell::of).collect())
        .of("request", filter.request)
        .of("holder", filter.holder)
        .of("resource", filter.resource)
        .of("role", filter.role)
        .among("phase", filter.phases.iter().map(|p| Cell::of(phase(*p))).collect())
        .and("due_at >=", filter.due_from.map(|at| Cell::Number(at.micros())))
        .so(live.then_some("due_at IS NOT NULL"))
        .through((live && by_holder).then_some("grants_live_of_holder"))
}

/// A page, newest first.
pub(crate) async fn list(
    pool: &SqlitePool,
    filter: &GrantFilter,
    slice: &Slice,
) -> Result<Page<Versioned<Grant>>, StoreError> {
    let listing = listing(filter, slice);
    let rows = listing.query().build_query_as::<Row>().fetch_all(pool).await.map_err(unavailable)?;
    listing.page(rows, |r| r.0.clone(), |r| versioned(r, stored::grant))
}

/// The word in the column: the one of [`wane_domain::grant::GrantState::name`].
const fn phase(phase: GrantPhase) -> &'static str {
    match phase {
        GrantPhase::Scheduled => "scheduled",
        GrantPhase::Active => "active",
        GrantPhase::Ending => "ending",
        GrantPhase::Closed => "closed",
    }
}
