//! The index of the trail, which follows it in strides: which records are about, by or called what.
//!
//! Owns: that whoever looks for records by a subject finds all of them, whether the index has come to them or
//! not. With every commit a record is written and nothing else; once in [`STRIDE`] records the index takes in
//! what came since, in its own order, which writes each of its pages once instead of once for each record.
//! What it has not come to is looked through. Refuses to know: what a record says beyond its columns.
//!
//! INVARIANT: no listing lacks a record (held by `a_listing_finds_what_looking_through_everything_finds`).

use rusqlite::Connection;
use sqlx::{QueryBuilder, Sqlite};
use wane_store::{RecordFilter, StoreError};

use crate::step::unavailable;

/// How many records the index stays behind at most, but for those of one batch: so many are looked through by whoever
/// looks for any, which takes a millisecond or two.
const STRIDE: u64 = 512;

/// The last record the index has come to.
const INDEXED: &str = "coalesce((SELECT value FROM counters WHERE key = 'trail_indexed'), 0)";

/// An event stands under its name after this, which begins no id.
const EVENT: char = '.';

/// Whether the index has to be advanced, now that the last record is this one and no longer that.
pub(crate) fn is_behind(before: u64, head: u64) -> bool {
    head / STRIDE > before / STRIDE
}

/// Takes in what came since. To be called inside the transaction that wrote the last of it.
pub(crate) fn advance(conn: &Connection) -> Result<(), StoreError> {
    let since = |column: &str| format!("SELECT {column} AS subject, seq FROM trail WHERE seq > {INDEXED}");
    let all = ["actor", "person", "resource", "request", "grant_id"].map(since).join(" UNION ");
    let take = format!(
        "INSERT OR IGNORE INTO trail_subjects (subject, seq) SELECT subject, seq FROM ({all} UNION {}) \
         WHERE subject IS NOT NULL ORDER BY subject, seq",
        since(&format!("'{EVENT}' || event"))
    );
    let taken = "INSERT INTO counters (key, value) SELECT 'trail_indexed', max(seq) FROM trail WHERE true \
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    for sql in [take.as_str(), taken] {
        conn.prepare_cached(sql).and_then(|mut statement| statement.raw_execute()).map_err(unavailable)?;
    }
    Ok(())
}

/// Under what a filter's records stand.
enum Subject {
    Is(String),
    /// An event whose name begins with this.
    Begins(String),
}

fn subject(filter: &RecordFilter) -> Option<Subject> {
    let ids = [
        filter.grant.map(|id| id.to_string()),
        filter.request.map(|id| id.to_string()),
        filter.person.map(|id| id.to_string()),
        filter.resource.map(|id| id.to_string()),
    ];
    if let Some(id) = ids.into_iter().flatten().next() {
        return Some(Subject::Is(id));
    }
    // Within a time, that is the better index.
    let anytime = filter.from.is_none() && filter.until.is_none();
    filter.event.as_ref().filter(|_| anytime).map(|event| Subject::Begins(format!("{EVENT}{event}")))
}

/// Asks for the records of a subject, newest first; nothing if the filter has none.
pub(crate) fn query(filter: &RecordFilter, after: Option<i64>, limit: u64) -> Option<QueryBuilder<Sqlite>> {
    let subject = subject(filter)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut q = QueryBuilder::new(
        "SELECT seq, body FROM trail WHERE seq IN (SELECT seq FROM (SELECT t.seq FROM trail t NOT INDEXED WHERE t.seq > ",
    );
    q.push(INDEXED);
    narrow(&mut q, filter, after);
    q.push(" ORDER BY t.seq DESC LIMIT ").push_bind(limit);
    q.push(") UNION ALL SELECT seq FROM (SELECT t.seq FROM trail_subjects i CROSS JOIN trail t ON t.seq = i.seq WHERE i.subject ");
    match subject {
        Subject::Is(id) => q.push("= ").push_bind(id),
        // No event name holds the last code point there is, so this is just above every name with the prefix.
        Subject::Begins(event) => {
            q.push(">= ").push_bind(event.clone()).push(" AND i.subject < ").push_bind(format!("{event}\u{10FFFF}"))
        }
    };
    if let Some(after) = after {
        q.push(" AND i.seq < ").push_bind(after);
    }
    narrow(&mut q, filter, after);
    q.push(" ORDER BY i.seq DESC LIMIT ").push_bind(limit);
    q.push(")) ORDER BY seq DESC LIMIT ").push_bind(limit);
    Some(q)
}

/// Everything a filter says, of a record `t`.
fn narrow(q: &mut QueryBuilder<Sqlite>, filter: &RecordFilter, after: Option<i64>) {
    let RecordFilter { person, resource, grant, request, event, without, from, until } = filter;
    if let Some(person) = person.map(|id| id.to_string()) {
        q.push(" AND (t.actor = ").push_bind(person.clone()).push(" OR t.person = ").push_bind(person).push(")");
    }
    let ids = [
        ("t.resource", resource.map(|id| id.to_string())),
        ("t.grant_id", grant.map(|id| id.to_string())),
        ("t.request", request.map(|id| id.to_string())),
    ];
    for (column, id) in ids {
        if let Some(id) = id {
            q.push(format!(" AND {column} = ")).push_bind(id);
        }
    }
    if let Some(event) = event {
        q.push(" AND t.event >= ").push_bind(event.clone());
        q.push(" AND t.event < ").push_bind(format!("{event}\u{10FFFF}"));
    }
    for event in without {
        q.push(" AND t.event <> ").push_bind(event.clone());
    }
    if let Some(from) = from {
        q.push(" AND t.at >= ").push_bind(from.micros());
    }
    if let Some(until) = until {
        q.push(" AND t.at < ").push_bind(until.micros());
    }
    if let Some(after) = after {
        q.push(" AND t.seq < ").push_bind(after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wane_domain::id::TypedId;
    use wane_domain::time::Time;

    fn id<T: TypedId>() -> Option<T> {
        Some(T::mint(Time::from_micros(0), &[1; 10]))
    }

    /// A page of ten million records must not look at each of them.
    #[test]
    fn nothing_is_looked_through_but_what_the_index_has_not_come_to() {
        let conn = Connection::open_in_memory().unwrap();
        crate::schema::STEPS.iter().for_each(|(_, _, sql)| conn.execute_batch(sql).unwrap());
        let blank = RecordFilter::default;
        for filter in [
            RecordFilter { person: id(), ..blank() },
            RecordFilter { person: id(), without: vec!["session.used".to_owned()], ..blank() },
            RecordFilter { resource: id(), from: Some(Time::from_micros(1)), ..blank() },
            RecordFilter { grant: id(), event: Some("grant.".to_owned()), ..blank() },
            RecordFilter { request: id(), person: id(), ..blank() },
            RecordFilter { event: Some("grant.".to_owned()), ..blank() },
        ] {
            for after in [None, Some(7)] {
                let sql = format!("EXPLAIN QUERY PLAN {}", query(&filter, after, 51).unwrap().sql().as_str());
                let mut statement = conn.prepare(&sql).unwrap();
                let mut rows = statement.raw_query();
                let mut plan = Vec::new();
                while let Some(row) = rows.next().unwrap() {
                    plan.push(row.get::<_, String>(3).unwrap());
                }
                let holds = |what: &str| plan.iter().any(|step| step.starts_with(what));
                assert!(holds("SEARCH t USING INTEGER PRIMARY KEY (rowid>?"), "{filter:?}: {plan:#?}");
                assert!(holds("SEARCH i USING PRIMARY KEY (subject"), "{filter:?}: {plan:#?}");
                let scanned = |step: &&String| {
                    step.starts_with("SCAN") && !step.contains("(subquery") && !step.contains("CONSTANT")
                };
                assert_eq!(plan.iter().find(scanned), None, "{filter:?}: {plan:#?}");
                // A range of events is sorted; all that has one id comes in order, and stops early.
                if filter.person.is_some() || filter.event.is_none() {
                    assert!(!holds("USE TEMP B-TREE FOR ORDER BY"), "{filter:?}: {plan:#?}");
                }
            }
        }
    }
}
