//! Directories, and what they said last of those they made.

use serde_json::json;
use wane_domain::directory::{Directory, DirectoryRules};
use wane_domain::id::DirectoryId;

use super::fixture::{Fixture, told};
use super::same;
use crate::commit::{Put, Seen, Write};
use crate::port::{Store, StoreError};
use crate::rows::{Entry, EntryId, EntryKey, EntrySort, TokenKind, TokenOwner, Versioned};

fn directory(f: &mut Fixture, name: &str) -> Result<Directory, String> {
    let rules = DirectoryRules {
        name: "userName".to_owned(),
        display: "displayName".to_owned(),
        attributes: std::collections::BTreeMap::new(),
        groups: std::collections::BTreeMap::new(),
        sign_in: None,
    };
    Ok(Directory { id: f.id(), name: name.parse().map_err(told)?, rules, since: f.now, removed: None })
}

fn entry(f: &mut Fixture, directory: DirectoryId, key: &str, external: Option<&str>) -> Entry {
    Entry {
        id: EntryId::Person(f.id()),
        directory,
        key: key.to_owned(),
        external: external.map(str::to_owned),
        active: true,
        held: false,
        made: f.now,
        changed: f.now,
        doc: json!({ "userName": key }),
    }
}

/// A directory is part of the world; its entries are found by key, counted and listed, and are nobody else's.
pub(crate) async fn entries_are_found_and_guarded<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (corp, other) = (directory(f, "corp")?, directory(f, "other")?);
    let (first, second) = (entry(f, corp.id, "ana", Some("x1")), entry(f, corp.id, "ben", None));
    let theirs = entry(f, other.id, "ana", Some("x1"));
    let token = f.token(TokenKind::Directory, TokenOwner::Directory(corp.id));
    let epoch = s.world().await.map_err(told)?.epoch;
    let mut writes: Vec<Write> = [&corp, &other].map(|one| Write::Directory(Put::new(one.clone()))).into();
    writes.extend([&first, &second, &theirs].map(|one| Write::Entry(Put::new(one.clone()))));
    writes.push(Write::Token(Put::new(token.clone())));
    s.commit(f.commit(writes)?).await.map_err(told)?;
    let world = s.world().await.map_err(told)?;
    same("a directory raises the epoch", &(world.epoch > epoch), &true)?;
    same("the directory", &world.directory("corp"), &Some(&corp))?;
    same("its generation", &s.seen(&corp.id.to_string()).await, &Ok(Seen::Generation(1)))?;
    let owned = s.tokens_of_directory(corp.id).await.map_err(told)?;
    same("its tokens", &owned.iter().map(|one| one.value.id).collect::<Vec<_>>(), &vec![token.id])?;
    let kept = |value: &Entry| Versioned { value: value.clone(), generation: 1 };
    same("an entry", &s.entry(first.id).await, &Ok(Some(kept(&first))))?;
    let person = EntrySort::Person;
    let named = |key: &str| EntryKey::Named(key.to_owned());
    let external = |key: &str| EntryKey::External(key.to_owned());
    same("by its key", &s.entry_by(corp.id, person, named("ana")).await, &Ok(Some(kept(&first))))?;
    same("by its key there", &s.entry_by(other.id, person, named("ana")).await, &Ok(Some(kept(&theirs))))?;
    same("by another spelling", &s.entry_by(corp.id, person, named("Ana")).await, &Ok(None))?;
    same("by another sort", &s.entry_by(corp.id, EntrySort::Group, named("ana")).await, &Ok(None))?;
    same("by what it is called", &s.entry_by(corp.id, person, external("x1")).await, &Ok(Some(kept(&first))))?;
    same("how many", &s.count_entries(corp.id, person).await, &Ok(2))?;
    same("one page", &s.entries(corp.id, person, 1, 5).await, &Ok(vec![kept(&second)]))?;

    for twin in [entry(f, corp.id, "ana", None), entry(f, corp.id, "cal", Some("x1"))] {
        match s.commit(f.commit(vec![Write::Entry(Put::new(twin))])?).await {
            Err(StoreError::Refused(_)) => {}
            refused => return Err(format!("two of one key gave {refused:?}")),
        }
    }
    let changed = Entry { active: false, ..first.clone() };
    s.commit(f.commit(vec![Write::Entry(Put { value: changed, seen: Seen::Generation(1) })])?).await.map_err(told)?;
    for (seen, goes) in [(Seen::Generation(1), false), (Seen::Generation(2), true), (Seen::Generation(2), false)] {
        match s.commit(f.commit(vec![Write::RemoveEntry(first.id, seen)])?).await {
            Ok(_) if goes => {}
            Err(StoreError::Conflict(_)) if !goes => {}
            done => return Err(format!("removing it as it was at {seen:?} gave {done:?}")),
        }
    }
    same("the removed entry", &s.entry(first.id).await, &Ok(None))
}
