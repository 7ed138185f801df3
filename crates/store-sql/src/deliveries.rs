//! Notices on their way, and the channels that are closed.

use sqlx::SqlitePool;
use wane_domain::id::DeliveryId;
use wane_domain::time::Time;
use wane_notice::Delivery;
use wane_store::{ChannelStands, ClosedChannel, DeliveryFilter, Page, Put, Seen, Slice, StoreError, Versioned};

use crate::listing::{Cell, Listing, Order};
use crate::row::{Guarded, Row, as_is, count, decode, encode, number, seen_number, unavailable, versioned};
use crate::step::Step;

const PUT: Guarded = Guarded {
    insert: "INSERT INTO deliveries (id, generation, channel, person, state, due_at, done_at, doc)
             VALUES ($1, $2 + 1, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING",
    update:
        "UPDATE deliveries SET generation = $2 + 1, channel = $3, person = $4, state = $5, due_at = $6, done_at = $7,
             doc = $8 WHERE id = $1 AND generation = $2",
};

/// Puts one in place of the one that was read.
pub(crate) fn put(put: &Put<Delivery>) -> Result<Step, StoreError> {
    Ok(step(&put.value, put.seen)?.one(&put.value.id.to_string()))
}

/// Puts one down, unless it is there: what is derived twice is one.
pub(crate) fn enter(value: &Delivery) -> Result<Step, StoreError> {
    step(value, Seen::Nothing)
}

fn step(value: &Delivery, seen: Seen) -> Result<Step, StoreError> {
    let id = value.id.to_string();
    let values = vec![
        value.channel.clone().into(),
        value.to.map(|id| id.to_string()).into(),
        value.state.name().to_owned().into(),
        value.due().map(Time::micros).into(),
        value.state.done().map(Time::micros).into(),
        encode(&id, value)?.into(),
    ];
    PUT.step(&id, seen, values)
}

/// Forgets those that were done before a moment.
pub(crate) fn forget(done_before: Time) -> Step {
    Step::new("DELETE FROM deliveries WHERE done_at < $1", vec![done_before.micros().into()])
}

/// The trail was read so far; it must have been read as far as was seen.
pub(crate) fn read(seen: Seen, to: u64) -> Result<Step, StoreError> {
    let sql = match seen {
        Seen::Nothing => "INSERT INTO counters (key, value) VALUES ('notices_read', $2) ON CONFLICT (key) DO NOTHING",
        Seen::Generation(_) => "UPDATE counters SET value = $2 WHERE key = 'notices_read' AND value = $1",
    };
    Ok(Step::new(sql, vec![seen_number(seen)?.into(), number(to)?.into()]).one("how far notices are read"))
}

/// Closes a channel.
pub(crate) fn close(value: &ClosedChannel) -> Result<Step, StoreError> {
    let sql = "INSERT INTO closed_channels (channel, doc) VALUES ($1, $2) ON CONFLICT (channel) DO UPDATE SET doc = excluded.doc";
    Ok(Step::new(sql, vec![value.channel.clone().into(), encode(&value.channel, value)?.into()]))
}

/// Opens one.
pub(crate) fn open(channel: &str) -> Step {
    Step::new("DELETE FROM closed_channels WHERE channel = $1", vec![channel.to_owned().into()])
}

/// One.
pub(crate) async fn get(pool: &SqlitePool, id: DeliveryId) -> Result<Option<Versioned<Delivery>>, StoreError> {
    let row = sqlx::query_as::<_, Row>("SELECT id, generation, doc FROM deliveries WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(pool)
        .await
        .map_err(unavailable)?;
    row.map(|r| versioned(&r, as_is)).transpose()
}

/// A page, newest first.
pub(crate) async fn list(
    pool: &SqlitePool,
    filter: &DeliveryFilter,
    slice: &Slice,
) -> Result<Page<Versioned<Delivery>>, StoreError> {
    let listing = Listing::new("id, generation, doc", "deliveries", "id", Order::NewestFirst, slice)
        .and("person =", filter.to.map(Cell::of))
        .and("channel =", filter.channel.as_ref().map(Cell::of))
        .and("state =", filter.state.as_ref().map(Cell::of));
    let rows = listing.query().build_query_as::<Row>().fetch_all(pool).await.map_err(unavailable)?;
    listing.page(rows, |r| r.0.clone(), |r| versioned(r, as_is))
}

/// Those that are due over a channel, earliest first.
pub(crate) async fn due(
    pool: &SqlitePool,
    channel: &str,
    now: Time,
    limit: u32,
) -> Result<Vec<DeliveryId>, StoreError> {
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT id FROM deliveries WHERE channel = $1 AND due_at <= $2 ORDER BY due_at, id LIMIT $3",
    )
    .bind(channel.to_owned())
    .bind(now.micros())
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await
    .map_err(unavailable)?;
    rows.iter().map(|id| id.parse().map_err(|e: wane_domain::id::IdError| StoreError::Corrupt(e.to_string()))).collect()
}

/// How many wait over a channel.
pub(crate) async fn waiting(pool: &SqlitePool, channel: &str) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM deliveries WHERE channel = $1 AND due_at IS NOT NULL";
    count(sqlx::query_scalar(sql).bind(channel.to_owned()).fetch_one(pool).await.map_err(unavailable)?)
}

type Stands = (String, i64, Option<i64>, i64, Option<i64>);

/// How each channel stands for which there is any delivery.
pub(crate) async fn stands(pool: &SqlitePool) -> Result<Vec<ChannelStands>, StoreError> {
    let rows: Vec<Stands> = sqlx::query_as(
        "SELECT channel, sum(waiting), min(next), sum(given_up), min(done) FROM (
             SELECT channel, count(*) AS waiting, min(due_at) AS next, 0 AS given_up, NULL AS done
                 FROM deliveries WHERE due_at IS NOT NULL GROUP BY channel
             UNION ALL
             SELECT channel, 0, NULL, sum(state = 'given_up'), min(done_at)
                 FROM deliveries WHERE done_at IS NOT NULL GROUP BY channel
         ) GROUP BY channel ORDER BY channel",
    )
    .fetch_all(pool)
    .await
    .map_err(unavailable)?;
    let at = |micros: Option<i64>| micros.map(Time::from_micros);
    rows.into_iter()
        .map(|(channel, waiting, next, given_up, done)| {
            let (waiting, given_up) = (count(waiting)?, count(given_up)?);
            Ok(ChannelStands { channel, waiting, next: at(next), given_up, oldest_done: at(done) })
        })
        .collect()
}

/// The channels that are closed.
pub(crate) async fn closed(pool: &SqlitePool) -> Result<Vec<ClosedChannel>, StoreError> {
    let rows: Vec<(String, String)> = sqlx::query_as("SELECT channel, doc FROM closed_channels ORDER BY channel")
        .fetch_all(pool)
        .await
        .map_err(unavailable)?;
    rows.iter().map(|(channel, doc)| decode(channel, doc)).collect()
}

/// How far the trail was read for notices; none if never.
pub(crate) async fn read_to(pool: &SqlitePool) -> Result<Option<u64>, StoreError> {
    let value: Option<i64> = sqlx::query_scalar("SELECT value FROM counters WHERE key = 'notices_read'")
        .fetch_optional(pool)
        .await
        .map_err(unavailable)?;
    value.map(count).transpose()
}
