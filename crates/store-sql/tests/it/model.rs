//! Commits in any order, with any generation seen, against a model of ten lines.

use std::collections::BTreeMap;

use futures::future::join_all;
use proptest::prelude::*;
use wane_domain::directory::Person;
use wane_domain::request::AccessRequest;
use wane_domain::world::Epoch;
use wane_store::conformance::Fixture;
use wane_store::{Put, Seen, Store, StoreError, Write};

use crate::fixture::{Writers, data_file};

/// One commit: what it writes, what each write saw, and how many epochs ago it was decided, if it matters.
#[derive(Clone, Debug)]
struct Try {
    writes: Vec<(Thing, u64)>,
    decided: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Request(usize),
    Person(usize),
}

fn thing() -> impl Strategy<Value = Thing> {
    prop_oneof![(0..3usize).prop_map(Thing::Request), (0..2usize).prop_map(Thing::Person)]
}

fn attempt() -> impl Strategy<Value = Try> {
    (proptest::collection::vec((thing(), 0..4u64), 0..3), proptest::option::of(0..2u64))
        .prop_map(|(writes, decided)| Try { writes, decided })
}

/// What the store is to do.
#[derive(Default)]
struct Model {
    generations: BTreeMap<Thing, u64>,
    raised: u64,
}

impl Model {
    fn try_it(&mut self, one: &Try, at: Option<u64>) -> bool {
        let mut next = self.generations.clone();
        let fits = at.is_none_or(|at| at == self.raised)
            && sorted(one).iter().all(|(thing, seen)| {
                let current = next.entry(*thing).or_default();
                let fits = *current == *seen;
                *current += 1;
                fits
            });
        if fits {
            self.generations = next;
            self.raised += u64::from(one.writes.iter().any(|(t, _)| matches!(t, Thing::Person(_))));
        }
        fits
    }
}

/// Requests go before people, as the store does it; among equals the order stays.
fn sorted(one: &Try) -> Vec<(Thing, u64)> {
    let mut writes = one.writes.clone();
    writes.sort_by_key(|(t, _)| matches!(t, Thing::Person(_)));
    writes
}

async fn check(batches: Vec<Vec<Try>>) -> Result<(), TestCaseError> {
    let (_folder, path) = data_file();
    let (mut f, mut writers) = (Fixture::new(), Writers::default());
    let (store, _) = writers.open(&path, f.founded()).await.expect("it opens");
    let (resource, role) = (f.id(), f.id());
    let people: Vec<Person> = ["ada", "ben"].map(|n| f.person(n).expect("a person")).into();
    let requests: Vec<AccessRequest> =
        people.iter().cycle().take(3).map(|p| f.request(p.id, resource, role, 1).expect("a request")).collect();
    let first = store.world().await.expect("a world").epoch;
    let mut model = Model::default();
    let mut head = store.head().await.expect("a head");
    for batch in batches {
        let mut commits = Vec::new();
        let mut wanted = Vec::new();
        let before = model.raised;
        for one in &batch {
            let writes = one.writes.iter().map(|(thing, seen)| {
                let seen = if *seen == 0 { Seen::Nothing } else { Seen::Generation(*seen) };
                match thing {
                    Thing::Request(n) => Write::Request(Put { value: requests[*n].clone(), seen }),
                    Thing::Person(n) => Write::Person(Put { value: people[*n].clone(), seen }),
                }
            });
            let commit = f.commit(writes.collect()).expect("a commit");
            let at = one.decided.map(|ago| before.saturating_sub(ago));
            commits.push(match at {
                Some(at) => commit.at(Epoch(first.0 + at)),
                None => commit,
            });
            wanted.push(model.try_it(one, at));
        }
        let answers = join_all(commits.into_iter().map(|c| store.commit(c))).await;
        for (n, (answer, wanted)) in answers.iter().zip(&wanted).enumerate() {
            match answer {
                Ok(seq) => {
                    prop_assert!(*wanted, "commit {} of {:?} was done", n, batch);
                    head += 1;
                    prop_assert_eq!(*seq, head, "places follow the order of the commits, without a gap");
                }
                Err(StoreError::Conflict(_)) => prop_assert!(!wanted, "commit {} of {:?} was refused", n, batch),
                Err(e) => return Err(TestCaseError::fail(format!("commit {n} of {batch:?} gave {e}"))),
            }
        }
        prop_assert_eq!(store.head().await, Ok(head));
        prop_assert_eq!(store.world().await.expect("a world").epoch, Epoch(first.0 + model.raised));
        for (n, request) in requests.iter().enumerate() {
            let got = store.request(request.id).await.expect("it is read").map_or(0, |r| r.generation);
            prop_assert_eq!(got, model.generations.get(&Thing::Request(n)).copied().unwrap_or(0));
        }
        for (n, person) in people.iter().enumerate() {
            let want = match model.generations.get(&Thing::Person(n)) {
                None | Some(0) => Seen::Nothing,
                Some(generation) => Seen::Generation(*generation),
            };
            prop_assert_eq!(store.seen(&person.id.to_string()).await, Ok(want));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_commits_do_what_the_model_does(batches in proptest::collection::vec(proptest::collection::vec(attempt(), 1..10), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(check(batches))?;
    }
}
