//! The listings of the trail, with more records than its index takes in at a time.

use sqlx::Executor as _;
use wane_audit::{Actor, Record};
use wane_domain::id::{GrantId, PersonId, RequestId, ResourceId};
use wane_domain::time::Span;
use wane_store::conformance::Fixture;
use wane_store::{Commit, RecordFilter, Slice, Store, whole};
use wane_store_sql::SqlStore;

use crate::fixture::{Writers, data_file, intruder};

const EVENTS: [&str; 5] = ["grant.minted", "grant.closed", "credential.issued", "lease.made", "grants.odd"];

struct Cast {
    people: Vec<PersonId>,
    resources: Vec<ResourceId>,
    grants: Vec<GrantId>,
    requests: Vec<RequestId>,
}

impl Cast {
    fn new(f: &mut Fixture) -> Self {
        let some = |n: usize| 0..n;
        Self {
            people: some(3).map(|_| f.id()).collect(),
            resources: some(3).map(|_| f.id()).collect(),
            grants: some(4).map(|_| f.id()).collect(),
            requests: some(3).map(|_| f.id()).collect(),
        }
    }

    /// The record of a number: any mixture of who, what and which, and now and then nothing.
    fn record(&self, f: &mut Fixture, n: usize) -> Record {
        f.now = f.now.plus(Span::from_secs(1));
        let mut record = f.record(EVENTS[n * 7 % 5]);
        record.actor = match n % 4 {
            0 => Actor::System,
            1 => Actor::Host(self.resources[n / 4 % 3]),
            _ => Actor::Person(self.people[n / 2 % 3]),
        };
        record.about.person = (!n.is_multiple_of(5)).then(|| self.people[n / 3 % 3]);
        record.about.resource = (!n.is_multiple_of(3)).then(|| self.resources[n / 5 % 3]);
        record.about.grant = (n % 7 > 2).then(|| self.grants[n / 7 % 4]);
        // Of a grant alone, of a request alone, of both.
        record.about.request = (n % 11 > 4).then(|| self.requests[n / 11 % 3]);
        record
    }

    fn filters(&self, all: &[Record]) -> Vec<RecordFilter> {
        let blank = RecordFilter::default;
        let middle = all.get(all.len() / 2).map(|record| record.at);
        vec![
            blank(),
            RecordFilter { person: Some(self.people[0]), ..blank() },
            RecordFilter { person: Some(self.people[1]), event: Some("grant.".to_owned()), ..blank() },
            RecordFilter { resource: Some(self.resources[2]), ..blank() },
            RecordFilter { grant: Some(self.grants[3]), until: middle, ..blank() },
            RecordFilter { request: Some(self.requests[1]), ..blank() },
            RecordFilter { request: Some(self.requests[2]), grant: Some(self.grants[0]), ..blank() },
            RecordFilter { event: Some("grant".to_owned()), ..blank() },
            RecordFilter { event: Some("grant.".to_owned()), from: middle, ..blank() },
            RecordFilter { event: Some("c".to_owned()), without: vec!["credential.issued".to_owned()], ..blank() },
            RecordFilter { from: middle, without: vec!["lease.made".to_owned()], ..blank() },
        ]
    }
}

fn meets(record: &Record, filter: &RecordFilter) -> bool {
    let about = &record.about;
    filter.person.is_none_or(|id| record.actor == Actor::Person(id) || about.person == Some(id))
        && (filter.resource.is_none() || about.resource == filter.resource)
        && (filter.grant.is_none() || about.grant == filter.grant)
        && (filter.request.is_none() || about.request == filter.request)
        && filter.event.as_ref().is_none_or(|event| record.event.starts_with(event))
        && !filter.without.contains(&record.event)
        && filter.from.is_none_or(|from| record.at >= from)
        && filter.until.is_none_or(|until| record.at < until)
}

async fn listed(store: &SqlStore, filter: &RecordFilter, limit: u32) -> Vec<Record> {
    let all = whole(Slice::first(limit), |slice| store.records(filter.clone(), slice)).await.expect("its pages");
    all.into_iter().map(|item| item.record).collect()
}

/// Against looking through all of them here.
async fn compare(store: &SqlStore, cast: &Cast, all: &[Record]) {
    for filter in cast.filters(all) {
        // The first record is that the store was founded.
        let mut got = listed(store, &filter, if all.len().is_multiple_of(2) { 1_000 } else { 97 }).await;
        got.retain(|record| record.event != "store.founded");
        let want: Vec<&Record> = all.iter().rev().filter(|record| meets(record, &filter)).collect();
        assert_eq!(got.iter().collect::<Vec<_>>(), want, "{filter:?} of {}", all.len());
    }
}

async fn append(store: &SqlStore, f: &mut Fixture, cast: &Cast, all: &mut Vec<Record>, until: usize) {
    let mut one = 1;
    while all.len() < until {
        let many = one.min(until - all.len());
        let records: Vec<Record> = (0..many).map(|n| cast.record(f, all.len() + n)).collect();
        all.extend(records.iter().cloned());
        store.commit(Commit::new(Vec::new(), records).expect("a commit")).await.expect("it is written");
        one = one % 40 + 1;
    }
}

/// How far the index has come, and how much is in it.
async fn indexed(path: &std::path::Path) -> (i64, i64) {
    let sql = "SELECT (SELECT value FROM counters WHERE key = 'trail_indexed'), (SELECT count(DISTINCT seq) FROM trail_subjects)";
    sqlx::query_as(sql).fetch_one(&mut intruder(path).await).await.expect("an index")
}

#[tokio::test]
async fn a_listing_finds_what_looking_through_everything_finds() {
    let (_folder, path) = data_file();
    let (mut f, mut writers) = (Fixture::new(), Writers::default());
    let (mut store, _) = writers.open(&path, f.founded()).await.expect("it opens");
    let (cast, mut all) = (Cast::new(&mut f), Vec::new());
    for until in [300, 505, 520, 700, 1_101] {
        append(&store, &mut f, &cast, &mut all, until).await;
        compare(&store, &cast, &all).await;
        let head = i64::try_from(store.head().await.expect("a head")).expect("a number");
        let (upto, held) = indexed(&path).await;
        assert!(upto <= head && head - upto < 512 + 40, "{upto} of {head}");
        assert_eq!(upto, held, "what it has come to is not in it, or more is");
        if until == 700 {
            assert!(upto > 500, "the index never moved");
            store.close().await;
            writers.ended().await;
            store = writers.open(&path, f.founded()).await.expect("it opens again").0;
        }
    }
}

/// What a store of before had: an index for each column, and no other.
const BEFORE: &str = "DROP TABLE trail_subjects; DELETE FROM counters WHERE key = 'trail_indexed';
    DELETE FROM _sqlx_migrations WHERE version = 6;
    CREATE INDEX trail_by_actor ON trail (actor, seq) WHERE actor IS NOT NULL;
    CREATE INDEX trail_by_person ON trail (person, seq) WHERE person IS NOT NULL;
    CREATE INDEX trail_by_resource ON trail (resource, seq) WHERE resource IS NOT NULL;
    CREATE INDEX trail_by_request ON trail (request, seq) WHERE request IS NOT NULL;
    CREATE INDEX trail_by_grant ON trail (grant_id, seq) WHERE grant_id IS NOT NULL;
    CREATE INDEX trail_by_event ON trail (event, seq);";

#[tokio::test]
async fn a_store_of_before_lists_what_it_listed() {
    let (_folder, path) = data_file();
    let (mut f, mut writers) = (Fixture::new(), Writers::default());
    let (store, _) = writers.open(&path, f.founded()).await.expect("it opens");
    let (cast, mut all) = (Cast::new(&mut f), Vec::new());
    append(&store, &mut f, &cast, &mut all, 701).await;
    store.close().await;
    writers.ended().await;
    intruder(&path).await.execute(BEFORE).await.expect("it is as before");
    let (store, _) = writers.open(&path, f.founded()).await.expect("it opens again");
    let head = i64::try_from(store.head().await.expect("a head")).expect("a number");
    assert_eq!(indexed(&path).await, (head, head));
    compare(&store, &cast, &all).await;
    append(&store, &mut f, &cast, &mut all, 1_300).await;
    compare(&store, &cast, &all).await;
}
