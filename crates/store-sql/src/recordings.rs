//! What is known of the recordings of sessions.

use sqlx::SqlitePool;
use wane_domain::id::SessionId;
use wane_store::{Page, Recording, RecordingFilter, RecordingState, Slice, StoreError};

use crate::listing::{Cell, Listing, Order};
use crate::row::{decode, encode, unavailable};
use crate::step::Step;

/// Puts one in place, whatever was there.
pub(crate) fn put(value: &Recording) -> Result<Step, StoreError> {
    let id = value.session.to_string();
    let values = vec![
        id.clone().into(),
        value.holder.to_string().into(),
        value.resource.to_string().into(),
        value.began.micros().into(),
        value.end.as_ref().map(|end| end.at.micros()).into(),
        i64::from(value.end.is_none()).into(),
        i64::from(value.deleted.is_some()).into(),
        lies(value).to_owned().into(),
        encode(&id, value)?.into(),
    ];
    let sql = "INSERT INTO recordings (session, holder, resource, began, ended, open, deleted, lies, doc)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
               ON CONFLICT (session) DO UPDATE
               SET ended = excluded.ended, open = excluded.open, deleted = excluded.deleted, lies = excluded.lies,
                   doc = excluded.doc";
    Ok(Step::new(sql, values).one(&id))
}

/// The word that it is found by.
fn lies(value: &Recording) -> &'static str {
    match value.end.as_ref().map(|end| end.state) {
        Some(RecordingState::Lost) => "nowhere",
        Some(RecordingState::Whole | RecordingState::Cut) | None => value.lies.whereabouts().name(),
    }
}

/// One by its session.
pub(crate) async fn get(pool: &SqlitePool, session: SessionId) -> Result<Option<Recording>, StoreError> {
    let row = sqlx::query_scalar::<_, String>("SELECT doc FROM recordings WHERE session = $1")
        .bind(session.to_string())
        .fetch_optional(pool)
        .await
        .map_err(unavailable)?;
    row.map(|doc| decode(&session.to_string(), &doc)).transpose()
}

/// A page, newest first.
pub(crate) async fn list(
    pool: &SqlitePool,
    filter: &RecordingFilter,
    slice: &Slice,
) -> Result<Page<Recording>, StoreError> {
    let listing = Listing::new("session, doc", "recordings", "session", Order::NewestFirst, slice)
        .and("holder =", filter.holder.map(Cell::of))
        .and("resource =", filter.resource.map(Cell::of))
        .and("began >=", filter.from.map(|at| Cell::Number(at.micros())))
        .and("began <", filter.until.map(|at| Cell::Number(at.micros())))
        .and("ended <", filter.ended.map(|at| Cell::Number(at.micros())))
        .and("open =", filter.open.map(|open| Cell::Number(i64::from(open))))
        .and("deleted =", filter.deleted.map(|deleted| Cell::Number(i64::from(deleted))))
        .and("lies =", filter.lies.map(|lies| Cell::of(lies.name())))
        .and(
            "json_extract(doc, '$.end.facts.verdict.word') =",
            filter.verdict.as_ref().map(|word| Cell::Text(word.clone())),
        );
    let rows = listing.query().build_query_as::<(String, String)>().fetch_all(pool).await.map_err(unavailable)?;
    listing.page(rows, |r| r.0.clone(), |(id, doc)| decode(id, doc))
}
