//! Generations, atomicity, isolation, the epoch guard.

use futures::future::join_all;

use super::fixture::{Fixture, told};
use super::same;
use crate::commit::{Commit, Put, Seen, Write};
use crate::port::{Store, StoreError};
use crate::query::{RequestFilter, Slice};

pub(crate) async fn one_of_two_wins<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (person, resource, role) = (f.id(), f.id(), f.id());
    let request = f.request(person, resource, role, 1)?;
    let put = |seen| Write::Request(Put { value: request.clone(), seen });
    for round in 0..20u64 {
        let seen = if round == 0 { Seen::Nothing } else { Seen::Generation(round) };
        let rivals = (0..4).map(|_| f.commit(vec![put(seen)])).collect::<Result<Vec<_>, _>>()?;
        let results = join_all(rivals.into_iter().map(|c| s.commit(c))).await;
        same("winners", &results.iter().filter(|r| r.is_ok()).count(), &1)?;
        for lost in results.into_iter().filter_map(Result::err) {
            same("what the losers hear", &lost, &StoreError::Conflict(request.id.to_string()))?;
        }
    }
    for stale in [Seen::Nothing, Seen::Generation(0), Seen::Generation(19), Seen::Generation(21)] {
        match s.commit(f.commit(vec![put(stale)])?).await {
            Err(StoreError::Conflict(_)) => {}
            other => return Err(format!("{stale:?} over generation 20 gave {other:?}")),
        }
    }
    Ok(())
}

/// A guard writes nothing, and lets a commit through only while what it names is as it was seen.
pub(crate) async fn a_guard_holds_and_writes_nothing<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (person, resource, role) = (f.id(), f.id(), f.id());
    let (request, grant) = f.granted(person, resource, role)?;
    let absent = f.commit(vec![Write::Still(grant.id, 1)])?;
    same("what is not there", &s.commit(absent).await, &Err(StoreError::Conflict(grant.id.to_string())))?;
    let writes = vec![Write::Request(Put::new(request)), Write::Grant(Put::new(grant.clone()))];
    s.commit(f.commit(writes)?).await.map_err(told)?;
    for _ in 0..3 {
        // Two at once, so that they share a transaction: neither is in the other's way.
        let both = [f.commit(vec![Write::Still(grant.id, 1)])?, f.commit(vec![Write::Still(grant.id, 1)])?];
        for done in join_all(both.into_iter().map(|c| s.commit(c))).await {
            done.map_err(told)?;
        }
        let seen = s.grant(grant.id).await.map_err(told)?;
        same("its generation", &seen.map(|g| g.generation), &Some(1))?;
    }
    // Changed in the same instant, and before.
    let change = f.commit(vec![Write::Grant(Put { value: grant.clone(), seen: Seen::Generation(1) })])?;
    let late = f.commit(vec![Write::Still(grant.id, 1)])?;
    let told_late = join_all([s.commit(change), s.commit(late)]).await;
    let conflict = Err(StoreError::Conflict(grant.id.to_string()));
    same("behind a change", &told_late.get(1), &Some(&conflict))?;
    same("after it", &s.commit(f.commit(vec![Write::Still(grant.id, 1)])?).await, &conflict)?;
    s.commit(f.commit(vec![Write::Still(grant.id, 2)])?).await.map(drop).map_err(told)
}

pub(crate) async fn all_or_nothing<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (person, resource, role) = (f.id(), f.id(), f.id());
    let first = f.request(person, resource, role, 1)?;
    s.commit(f.commit(vec![Write::Request(Put::new(first.clone()))])?).await.map_err(told)?;
    let (head, epoch) = (s.head().await.map_err(told)?, s.world().await.map_err(told)?.epoch);

    let fresh = f.request(person, resource, role, 1)?;
    let writes = vec![
        Write::Request(Put::new(fresh.clone())),
        Write::Person(Put::new(f.person("ada")?)),
        // This one exists.
        Write::Request(Put::new(first)),
    ];
    let records = vec![f.record("kit.one"), f.record("kit.two")];
    match s.commit(Commit::new(writes, records).map_err(told)?).await {
        Err(StoreError::Conflict(_)) => {}
        other => return Err(format!("a commit whose third write conflicts gave {other:?}")),
    }
    same("the first write of it", &s.request(fresh.id).await, &Ok(None))?;
    same("the head", &s.head().await, &Ok(head))?;
    same("its records", &s.records_after(head, 10).await, &Ok(Vec::new()))?;
    let world = s.world().await.map_err(told)?;
    same("the epoch", &world.epoch, &epoch)?;
    same("people", &world.people.len(), &0)
}

pub(crate) async fn a_conflict_harms_nobody_else<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (person, resource, role) = (f.id(), f.id(), f.id());
    let taken = f.request(person, resource, role, 1)?;
    s.commit(f.commit(vec![Write::Request(Put::new(taken.clone()))])?).await.map_err(told)?;
    let mut commits = Vec::new();
    for n in 0..60 {
        let value = if n % 3 == 0 { taken.clone() } else { f.request(person, resource, role, 1)? };
        let person = f.person(&format!("p{n}"))?;
        commits.push(f.commit(vec![Write::Person(Put::new(person)), Write::Request(Put::new(value))])?);
    }
    let results = join_all(commits.into_iter().map(|c| s.commit(c))).await;
    for (n, result) in results.iter().enumerate() {
        same(&format!("whether commit {n} was done"), &result.is_ok(), &(n % 3 != 0))?;
    }
    let page = s.requests(RequestFilter::default(), Slice::first(100)).await.map_err(told)?;
    same("requests", &page.items.len(), &41)?;
    let world = s.world().await.map_err(told)?;
    same("people", &world.people.len(), &40)?;
    let refused = world
        .people
        .values()
        .filter(|p| p.name.as_str().trim_start_matches('p').parse::<u32>().is_ok_and(|n| n % 3 == 0));
    same("people of commits that were refused", &refused.count(), &0)
}

pub(crate) async fn decisions_hold_at_their_epoch_only<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (person, resource, role) = (f.id(), f.id(), f.id());
    let epoch = s.world().await.map_err(told)?.epoch;
    let mut commits = Vec::new();
    for n in 0..10 {
        let write = Write::Request(Put::new(f.request(person, resource, role, 1)?));
        commits.push(f.commit(vec![write])?.at(epoch));
        if n == 4 {
            let ada = f.person("ada")?;
            commits.push(f.commit(vec![Write::Person(Put::new(ada))])?.at(epoch));
        }
    }
    // Together, so that a store that batches sees the change and what depends on it in one batch.
    let results = join_all(commits.into_iter().map(|c| s.commit(c))).await;
    for (n, result) in results.iter().enumerate() {
        match result {
            Ok(_) if n <= 5 => {}
            Err(StoreError::Conflict(_)) if n > 5 => {}
            other => return Err(format!("commit {n}, decided before the world changed in commit 5, gave {other:?}")),
        }
    }
    let now = s.world().await.map_err(told)?.epoch;
    let write = Write::Request(Put::new(f.request(person, resource, role, 1)?));
    s.commit(f.commit(vec![write])?.at(now)).await.map(drop).map_err(told)
}
