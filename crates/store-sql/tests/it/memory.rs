//! What memory says is what the file says: random writes, some of them refused, and reads at the same time.

use std::collections::BTreeMap;

use futures::future::{join, join_all};
use proptest::prelude::*;
use sqlx::Connection as _;
use wane_domain::grant::Grant;
use wane_domain::id::{GrantId, PersonId, TokenId};
use wane_domain::lease::{Lease, LeaseEvent, LeaseKind, LeaseState};
use wane_domain::request::AccessRequest;
use wane_store::conformance::Fixture;
use wane_store::{
    Answer, Commit, LeaseFilter, LeasePhase, Put, Slice, Standing, Store, Token, TokenKind, TokenOwner, Versioned,
    Write,
};
use wane_store_sql::SqlStore;

use crate::fixture::{Writers, data_file, intruder};

#[derive(Clone, Copy, Debug)]
enum Act {
    UseToken(usize),
    RemoveToken(usize),
    TouchGrant(usize),
    TouchRequest(usize),
    NewLease(usize),
    MoveLease(usize),
    Keep(usize),
}

/// What is done at once: writes, whether one of them is made twice so that it is refused, and what is read meanwhile.
type Round = (Vec<(Act, bool)>, Vec<usize>);

fn act() -> impl Strategy<Value = Act> {
    let at = || 0..3_usize;
    prop_oneof![
        1 => at().prop_map(Act::UseToken),
        1 => at().prop_map(Act::RemoveToken),
        1 => at().prop_map(Act::TouchGrant),
        1 => at().prop_map(Act::TouchRequest),
        1 => at().prop_map(Act::NewLease),
        3 => at().prop_map(Act::MoveLease),
        1 => (0..40_usize).prop_map(Act::Keep),
    ]
}

struct Bench {
    f: Fixture,
    store: SqlStore,
    person: PersonId,
    tokens: Vec<Token>,
    grants: Vec<(AccessRequest, Grant)>,
}

/// The same read from the file, part by part.
async fn standing(store: &SqlStore, id: GrantId) -> Standing {
    let grant = store.grant(id).await.expect("it is read").expect("it is there");
    let request = store.request(grant.value.request).await.expect("it is read").expect("it is there");
    let phases = vec![LeasePhase::Intended, LeasePhase::Live, LeasePhase::Revoking];
    let filter = LeaseFilter { grant: Some(id), phases, ..LeaseFilter::default() };
    let open = store.leases(filter, Slice::first(1000)).await.expect("they are read").items;
    Standing { grant, request, open }
}

impl Bench {
    async fn new(store: SqlStore, mut f: Fixture) -> Self {
        let (person, resource, role) = (f.id(), f.id(), f.id());
        let (mut writes, mut tokens, mut grants) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..3 {
            let (request, grant, lease) = f.leased(person, resource, role).expect("a lease");
            writes.extend(Fixture::writes((&request, &grant, &lease)));
            let token = f.token(TokenKind::Session, TokenOwner::Person(person));
            writes.push(Write::Token(Put::new(token.clone())));
            tokens.push(token);
            grants.push((request, grant));
        }
        store.commit(f.commit(writes).expect("a commit")).await.expect("it is written");
        Self { f, store, person, tokens, grants }
    }

    async fn commit_of(&mut self, act: Act, on_file: &BTreeMap<TokenId, Versioned<Token>>) -> Option<Commit> {
        let write = match act {
            Act::UseToken(n) => {
                let seen = on_file.get(&self.tokens[n].id);
                let mut token = self.tokens[n].clone();
                token.used = self.f.now;
                Write::Token(seen.map_or_else(|| Put::new(token.clone()), |seen| Put::over(seen, token.clone())))
            }
            Act::RemoveToken(n) => Write::RemoveToken(self.tokens[n].id),
            Act::TouchGrant(n) => {
                let seen = self.store.grant(self.grants[n].1.id).await.ok()??;
                Write::Grant(Put::over(&seen, seen.value.clone()))
            }
            Act::TouchRequest(n) => {
                let seen = self.store.request(self.grants[n].0.id).await.ok()??;
                Write::Request(Put::over(&seen, seen.value.clone()))
            }
            Act::NewLease(n) => {
                let kind = "kind-a".parse().ok()?;
                let id = self.f.id();
                let (lease, _) = self.grants[n].1.lease(id, kind, LeaseKind::Credential, self.f.now).ok()?;
                Write::Lease(Put::new(lease))
            }
            Act::MoveLease(n) => {
                let mut open = standing(&self.store, self.grants[n].1.id).await.open;
                let seen = (!open.is_empty()).then(|| open.remove(0))?;
                let value = next(seen.value.clone(), self.f.now)?;
                Write::Lease(Put::over(&seen, value))
            }
            Act::Keep(n) => Write::Answer(Answer {
                person: self.person,
                key: format!("key {n}"),
                fingerprint: String::new(),
                status: 200,
                body: serde_json::Value::Null,
                at: self.f.now,
            }),
        };
        self.f.commit(vec![write]).ok()
    }
}

/// The next station of a lease, up to its end.
fn next(lease: Lease, now: wane_domain::time::Time) -> Option<Lease> {
    let notes = serde_json::json!({ "n": 1 });
    let event = match &lease.state {
        LeaseState::Intended => LeaseEvent::Made { object: None, notes },
        LeaseState::Live { .. } if lease.notes.get("n").is_some() => {
            LeaseEvent::Reissued { notes: serde_json::json!({}) }
        }
        LeaseState::Live { .. } => LeaseEvent::End,
        LeaseState::Revoking { .. } => {
            LeaseEvent::Proven { basis: wane_domain::closure::ClosureBasis::Unrecallable { until: now } }
        }
        LeaseState::Gone { .. } => return None,
    };
    lease.apply(event, now).ok().map(|(lease, _)| lease)
}

async fn check(rounds: Vec<Round>) -> Result<(), TestCaseError> {
    let (_folder, path) = data_file();
    let (mut f, mut writers) = (Fixture::new(), Writers::default());
    let (store, _) = writers.open(&path, f.founded()).await.expect("it opens");
    let mut bench = Bench::new(store.clone(), f).await;
    let mut file = intruder(&path).await;
    let mut kept = std::collections::BTreeSet::new();
    for (acts, reads) in rounds {
        let on_file = tokens(&mut file).await;
        let mut commits = Vec::new();
        for (act, twice) in acts {
            if let Some(commit) = bench.commit_of(act, &on_file).await {
                commits.extend(std::iter::repeat_n(commit, if twice { 2 } else { 1 }));
            }
            if let Act::Keep(n) = act {
                kept.insert(n);
            }
        }
        let read = reads.into_iter().map(|n| {
            let (token, grant) = (bench.tokens[n].id, bench.grants[n].1.id);
            join(store.token(token), store.standing(grant))
        });
        let write = commits.into_iter().map(|commit| store.commit(commit));
        let (_, read) = join(join_all(write), join_all(read)).await;
        prop_assert!(read.iter().all(|(token, standing)| token.is_ok() && standing.is_ok()));

        let on_file = tokens(&mut file).await;
        for token in &bench.tokens {
            prop_assert_eq!(&store.token(token.id).await.expect("it is read"), &on_file.get(&token.id).cloned());
        }
        for (_, grant) in &bench.grants {
            let from_file = standing(&store, grant.id).await;
            prop_assert_eq!(store.standing(grant.id).await.expect("it is read"), Some(from_file));
        }
        for n in 0..40 {
            let answer = store.answer(bench.person, &format!("key {n}")).await.expect("it is read");
            prop_assert_eq!(answer.is_some(), kept.contains(&n), "key {}", n);
        }
    }
    // The keys are there for the process that comes after as well.
    store.close().await;
    writers.ended().await;
    let (store, _) = writers.open(&path, Fixture::new().founded()).await.expect("it opens again");
    for n in kept {
        let answer = store.answer(bench.person, &format!("key {n}")).await.expect("it is read");
        prop_assert!(answer.is_some(), "key {}", n);
    }
    file.close().await.expect("it closes");
    Ok(())
}

async fn tokens(file: &mut sqlx::SqliteConnection) -> BTreeMap<TokenId, Versioned<Token>> {
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT generation, doc FROM tokens").fetch_all(file).await.expect("they are read");
    let token = |(generation, doc): (i64, String)| {
        let value: Token = serde_json::from_str(&doc).expect("a token");
        (value.id, Versioned { value, generation: u64::try_from(generation).expect("a count") })
    };
    rows.into_iter().map(token).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn memory_says_what_the_file_says(
        rounds in prop::collection::vec(
            (prop::collection::vec((act(), prop::bool::weighted(0.2)), 0..5), prop::collection::vec(0..3_usize, 0..4)),
            1..12,
        )
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(check(rounds))?;
    }
}
