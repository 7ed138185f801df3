//! Requests.

use sqlx::SqlitePool;
use wane_domain::id::RequestId;
use wane_domain::request::AccessRequest;
use wane_domain::stored;
use wane_store::{Page, Put, RequestFilter, Slice, StoreError, Versioned};

use crate::listing::{Cell, Listing, Order};
use crate::row::{Guarded, Row, encode, unavailable, versioned};
use crate::step::Step;

const PUT: Guarded = Guarded {
    insert: "INSERT INTO requests (id, generation, requester, beneficiary, waiting, due_at, doc)
             VALUES ($1, $2 + 1, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
    // Who asked, and for whom, never changes: written again, their indexes would be too.
    update: "UPDATE requests SET generation = $2 + 1, waiting = $5, due_at = $6, doc = $7
             WHERE id = $1 AND generation = $2",
};

/// Writes one. It is due as long as anything in it waits: when more people are asked, somebody is reminded, or it lapses.
pub(crate) fn put(put: &Put<AccessRequest>) -> Result<Step, StoreError> {
    let value = &put.value;
    let id = value.id.to_string();
    let values = vec![
        value.ask.requester.to_string().into(),
        value.ask.beneficiary.to_string().into(),
        i64::from(value.is_waiting()).into(),
        value.due().map(|at| at.micros()).into(),
        encode(&id, value)?.into(),
    ];
    Ok(PUT.step(&id, put.seen, values)?.one(&id))
}

/// One by id.
pub(crate) async fn get(pool: &SqlitePool, id: RequestId) -> Result<Option<Versioned<AccessRequest>>, StoreError> {
    let row = sqlx::query_as::<_, Row>("SELECT id, generation, doc FROM requests WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(pool)
        .await
        .map_err(unavailable)?;
    row.map(|r| versioned(&r, stored::request)).transpose()
}

/// Newest first.
pub(crate) fn listing(filter: &RequestFilter, slice: &Slice) -> Listing {
    let waits = |index| (filter.waiting == Some(true)).then_some(index);
    let of_person = [
        ("requester", waits("requests_waiting_of_requester")),
        ("beneficiary", waits("requests_waiting_of_beneficiary")),
    ];
    Listing::new("id, generation, doc", "requests", "id", Order::NewestFirst, slice)
        .either(of_person, filter.person.map(Cell::of))
        .so(filter.waiting.map(|waiting| match (waiting, filter.person) {
            (true, _) => "waiting = 1",
            (false, None) => "waiting = 0",
            (false, Some(_)) => "+waiting = 0",
        }))
}

/// A page, newest first.
pub(crate) async fn list(
    pool: &SqlitePool,
    filter: &RequestFilter,
    slice: &Slice,
) -> Result<Page<Versioned<AccessRequest>>, StoreError> {
    let listing = listing(filter, slice);
    let rows = listing.query().build_query_as::<Row>().fetch_all(pool).await.map_err(unavailable)?;
    listing.page(rows, |r| r.0.clone(), |r| versioned(r, stored::request))
}
