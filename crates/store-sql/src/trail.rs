//! The trail: records in the order they were committed. The file itself refuses to change or remove one.

use rusqlite::Connection;
use sqlx::SqlitePool;
use wane_audit::{Actor, Record};
use wane_store::{Page, RecordFilter, Sequenced, Slice, StoreError};

use crate::listing::{Cell, Listing, Order};
use crate::row::{count, decode, number, unavailable};
use crate::step::{self, Step};
use crate::trail_index;

type Row = (i64, String);

/// Appends a record.
pub(crate) fn append(record: &Record) -> Result<Step, StoreError> {
    let no_form =
        |e: serde_json::Error| StoreError::Refused(format!("record `{}` has no canonical form: {e}", record.id));
    let canonical = record.canonical().map_err(no_form)?;
    let leaf = Record::leaf_of(&canonical);
    let body = String::from_utf8(canonical)
        .map_err(|e| StoreError::Refused(format!("record `{}` has no canonical form: {e}", record.id)))?;
    let actor = match &record.actor {
        Actor::Person(id) => Some(id.to_string()),
        Actor::Host(id) => Some(id.to_string()),
        Actor::Directory(id) => Some(id.to_string()),
        Actor::System | Actor::Unknown => None,
    };
    let step = Step::new(
        "INSERT INTO trail (id, at, event, actor, person, resource, request, grant_id, leaf, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        vec![
            record.id.to_string().into(),
            record.at.micros().into(),
            record.event.clone().into(),
            actor.into(),
            record.about.person.map(|id| id.to_string()).into(),
            record.about.resource.map(|id| id.to_string()).into(),
            record.about.request.map(|id| id.to_string()).into(),
            record.about.grant.map(|id| id.to_string()).into(),
            leaf.to_vec().into(),
            body.into(),
        ],
    );
    Ok(step.append())
}

/// The last place taken.
pub(crate) fn head(conn: &Connection) -> Result<u64, StoreError> {
    let head = conn.query_row("SELECT max(seq) FROM trail", (), |row| row.get::<_, Option<i64>>(0));
    count(head.map_err(step::unavailable)?.unwrap_or(0))
}

/// A page, newest first.
pub(crate) async fn list(
    pool: &SqlitePool,
    filter: &RecordFilter,
    slice: &Slice,
) -> Result<Page<Sequenced>, StoreError> {
    let from = filter.event.clone().map(Cell::Text);
    // No event name holds the last code point there is, so this is just above every name with the prefix.
    let below = filter.event.as_ref().map(|prefix| Cell::Text(format!("{prefix}\u{10FFFF}")));
    let mut listing = Listing::new("seq, body", "trail", "seq", Order::NewestFirst, slice)
        .after_number()?
        .and("event >=", from)
        .and("event <", below)
        .and("at >=", filter.from.map(|t| Cell::Number(t.micros())))
        .and("at <", filter.until.map(|t| Cell::Number(t.micros())));
    for event in &filter.without {
        listing = listing.and("event <>", Some(Cell::Text(event.clone())));
    }
    let mut query = match trail_index::query(filter, listing.after_this(), listing.asks_for()) {
        Some(query) => query,
        None => listing.query(),
    };
    let rows = query.build_query_as::<Row>().fetch_all(pool).await.map_err(unavailable)?;
    listing.page(rows, |r| r.0.to_string(), read)
}

/// Those after a place, oldest first.
pub(crate) async fn after(pool: &SqlitePool, seq: u64, limit: u32) -> Result<Vec<Sequenced>, StoreError> {
    let rows = sqlx::query_as::<_, Row>("SELECT seq, body FROM trail WHERE seq > $1 ORDER BY seq LIMIT $2")
        .bind(number(seq)?)
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await
        .map_err(unavailable)?;
    rows.iter().map(read).collect()
}

fn read((seq, body): &Row) -> Result<Sequenced, StoreError> {
    Ok(Sequenced { seq: count(*seq)?, record: decode(&format!("record {seq}"), body)? })
}
