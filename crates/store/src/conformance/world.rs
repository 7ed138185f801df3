//! People, groups, resources, roles, locks and policies: the world and its epoch.

use wane_domain::canonical::Digest;
use wane_domain::directory::Standing;
use wane_domain::id::PersonId;
use wane_domain::time::Span;

use super::fixture::{Fixture, told};
use super::{holds, same};
use crate::commit::{Put, Seen, Write};
use crate::port::{Store, StoreError};
use crate::query::{Slice, whole};
use crate::rows::PolicyEntry;

pub(crate) async fn starts_as_it_was_founded<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let world = s.world().await.map_err(told)?;
    let wanted = f.founded();
    same("the organisation", &world.org, &wanted.org)?;
    same("the policy", &world.policy, &wanted.policy)?;
    same("people", &world.people.len(), &0)?;
    same("what was seen of nobody", &s.seen(&f.id::<PersonId>().to_string()).await, &Ok(Seen::Nothing))
}

pub(crate) async fn everything_comes_back<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let person = f.person("ada")?;
    let group = f.group("dba", [person.id])?;
    let resource = f.resource("db-1")?;
    let role = f.role("kind-a", "admin")?;
    let lock = f.lock(person.id)?;
    let writes = vec![
        Write::Person(Put::new(person.clone())),
        Write::Group(Put::new(group.clone())),
        Write::Resource(Put::new(resource.clone())),
        Write::Role(Put::new(role.clone())),
        Write::Lock(Put::new(lock.clone())),
    ];
    s.commit(f.commit(writes)?).await.map_err(told)?;
    let world = s.world().await.map_err(told)?;
    same("the person", &world.people.get(&person.id), &Some(&person))?;
    same("the group", &world.groups.get(&group.id), &Some(&group))?;
    same("the resource", &world.resources.get(&resource.id), &Some(&resource))?;
    same("the role", &world.roles.get(&role.id), &Some(&role))?;
    same("the lock", &world.locks.get(&lock.id), &Some(&lock))?;
    for id in
        [person.id.to_string(), group.id.to_string(), resource.id.to_string(), role.id.to_string(), lock.id.to_string()]
    {
        same(&format!("what was seen of `{id}`"), &s.seen(&id).await, &Ok(Seen::Generation(1)))?;
    }
    let writes =
        vec![Write::RemoveResource(resource.id, Seen::Generation(1)), Write::RemoveRole(role.id, Seen::Generation(1))];
    s.commit(f.commit(writes)?).await.map_err(told)?;
    let world = s.world().await.map_err(told)?;
    same("resources after removal", &world.resources.len(), &0)?;
    same("roles after removal", &world.roles.len(), &0)?;
    same("what was seen of the removed", &s.seen(&resource.id.to_string()).await, &Ok(Seen::Nothing))
}

pub(crate) async fn each_change_raises_the_epoch_once<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let before = s.world().await.map_err(told)?.epoch.0;
    let writes = vec![Write::Person(Put::new(f.person("ada")?)), Write::Person(Put::new(f.person("ben")?))];
    s.commit(f.commit(writes)?).await.map_err(told)?;
    same("the epoch after two people in one commit", &s.world().await.map_err(told)?.epoch.0, &(before + 1))?;
    let (person, resource, role) = (f.id(), f.id(), f.id());
    let request = f.request(person, resource, role, 1)?;
    s.commit(f.commit(vec![Write::Request(Put::new(request))])?).await.map_err(told)?;
    same("the epoch after a request", &s.world().await.map_err(told)?.epoch.0, &(before + 1))?;
    s.commit(f.commit(Vec::new())?).await.map_err(told)?;
    same("the epoch after a record alone", &s.world().await.map_err(told)?.epoch.0, &(before + 1))
}

pub(crate) async fn a_snapshot_stays_what_it_was<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let ada = f.person("ada")?;
    s.commit(f.commit(vec![Write::Person(Put::new(ada.clone()))])?).await.map_err(told)?;
    let snapshot = s.world().await.map_err(told)?;
    let mut disabled = ada.clone();
    disabled.standing = Standing::Disabled;
    let put = Put { value: disabled, seen: Seen::Generation(1) };
    s.commit(f.commit(vec![Write::Person(put)])?).await.map_err(told)?;
    holds("the old snapshot changed", snapshot.is_active(ada.id).then_some(()))?;
    let now = s.world().await.map_err(told)?;
    holds("the new snapshot is old", (!now.is_active(ada.id)).then_some(()))?;
    holds("the epoch did not move with it", (now.epoch > snapshot.epoch).then_some(()))
}

pub(crate) async fn lifted_locks_leave<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let person = f.id();
    let lock = f.lock(person)?;
    s.commit(f.commit(vec![Write::Lock(Put::new(lock.clone()))])?).await.map_err(told)?;
    same("locks", &s.world().await.map_err(told)?.locks.len(), &1)?;
    let (lifted, _) = lock.clone().lift(person, f.now.plus(Span::from_mins(1))).map_err(told)?;
    let put = Put { value: lifted, seen: s.seen(&lock.id.to_string()).await.map_err(told)? };
    s.commit(f.commit(vec![Write::Lock(put)])?).await.map_err(told)?;
    same("locks once lifted", &s.world().await.map_err(told)?.locks.len(), &0)?;
    same("what was seen of the lifted lock", &s.seen(&lock.id.to_string()).await, &Ok(Seen::Generation(2)))
}

pub(crate) async fn names_are_taken_once<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (ada, ben) = (f.person("ada")?, f.person("ben")?);
    let writes = vec![
        Write::Person(Put::new(ada)),
        Write::Person(Put::new(ben.clone())),
        Write::Group(Put::new(f.group("dba", [])?)),
        Write::Resource(Put::new(f.resource("db-1")?)),
        Write::Role(Put::new(f.role("kind-a", "admin")?)),
    ];
    s.commit(f.commit(writes)?).await.map_err(told)?;
    let mut renamed = ben;
    renamed.name = "ada".parse().map_err(told)?;
    for (name, write) in [
        ("ada", Write::Person(Put::new(f.person("ada")?))),
        ("ada", Write::Person(Put { value: renamed, seen: Seen::Generation(1) })),
        ("dba", Write::Group(Put::new(f.group("dba", [])?))),
        ("db-1", Write::Resource(Put::new(f.resource("db-1")?))),
        ("admin", Write::Role(Put::new(f.role("kind-a", "admin")?))),
    ] {
        match s.commit(f.commit(vec![write.clone()])?).await {
            Err(StoreError::Refused(why)) if why.contains(&format!("`{name}` is taken")) => {}
            other => return Err(format!("{write:?} gave {other:?}")),
        }
    }
    // The same name for another kind is another role.
    let other = f.role("kind-b", "admin")?;
    s.commit(f.commit(vec![Write::Role(Put::new(other))])?).await.map(drop).map_err(told)
}

pub(crate) async fn what_is_in_use_stays<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (resource, role) = (f.resource("db-1")?, f.role("kind-a", "admin")?);
    let writes = vec![Write::Resource(Put::new(resource.clone())), Write::Role(Put::new(role.clone()))];
    s.commit(f.commit(writes)?).await.map_err(told)?;
    let person = f.id();
    let (request, grant, lease) = f.leased(person, resource.id, role.id)?;
    s.commit(f.commit(Fixture::writes((&request, &grant, &lease)))?).await.map_err(told)?;
    for write in
        [Write::RemoveResource(resource.id, Seen::Generation(1)), Write::RemoveRole(role.id, Seen::Generation(1))]
    {
        match s.commit(f.commit(vec![write.clone()])?).await {
            Err(StoreError::Refused(why)) if why.contains("1 grant") && why.contains("1 open") => {}
            other => return Err(format!("{write:?} gave {other:?}")),
        }
    }
    holds(
        "it is gone from the world",
        s.world().await.map_err(told)?.resources.contains_key(&resource.id).then_some(()),
    )
}

pub(crate) async fn policies_count_up<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    for wrong in [1, 3] {
        let write = Write::Policy(f.policy(wrong));
        match s.commit(f.commit(vec![write])?).await {
            Err(StoreError::Conflict(_)) => {}
            other => return Err(format!("version {wrong} after 1 gave {other:?}")),
        }
    }
    let next = f.policy(2);
    s.commit(f.commit(vec![Write::Policy(next.clone())])?).await.map_err(told)?;
    same("the policy in force", &s.world().await.map_err(told)?.policy, &next)
}

pub(crate) async fn every_policy_is_kept<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let first = s.world().await.map_err(told)?.policy.clone();
    let start = first.at;
    let later = |secs| start.plus(Span::from_secs(secs));
    let mut all = vec![first.clone()];
    for version in 2..=5u64 {
        let mut next = f.policy(version);
        next.at = later(version * 10);
        next.by = Some(f.id());
        if version == 4 {
            // The text of the second comes back.
            let second = all.get(1).ok_or("there is no second version")?;
            (next.text, next.digest) = (second.text.clone(), second.digest);
        }
        s.commit(f.commit(vec![Write::Policy(next.clone())])?).await.map_err(told)?;
        all.push(next);
    }
    for policy in &all {
        let got = s.policy_version(policy.version).await.map_err(told)?;
        same("a version, with its text", &got.as_ref(), &Some(policy))?;
    }
    for none in [0, 6, u64::MAX] {
        same("no such version", &s.policy_version(none).await.map_err(told)?, &None)?;
    }
    let entries: Vec<PolicyEntry> = all.iter().map(PolicyEntry::from).collect();
    let twice = entries.get(1).ok_or("there is no second version")?.digest;
    for (digest, at, want) in [
        (first.digest, start, Some(1)),
        (twice, later(19), None),
        (twice, later(20), Some(2)),
        (twice, later(39), Some(2)),
        (twice, later(40), Some(4)),
        (Digest::of_bytes("wane.policy.v1", b"never loaded"), later(99), None),
    ] {
        let got = s.policy_by_digest(digest, at).await.map_err(told)?;
        let want = want.and_then(|version| entries.iter().find(|e| e.version == version));
        same("the version that a digest meant then", &got.as_ref(), &want)?;
    }
    let got = whole(Slice::first(2), |slice| s.policy_versions(slice)).await.map_err(told)?;
    same("all versions, newest first", &got, &entries.into_iter().rev().collect())
}
