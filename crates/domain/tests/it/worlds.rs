//! Names in a snapshot lead where a search through it would.

use std::collections::{BTreeMap, BTreeSet};

use wane_domain::canonical::Digest;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::directory::{Directory, DirectoryRules, Group, Person, Standing, Stay};
use wane_domain::id::{DirectoryId, GroupId, PersonId, WorkloadId};
use wane_domain::package::{Package, Rule};
use wane_domain::text::{Line, Name};
use wane_domain::workload::{Issuer, IssuerSort};
use wane_domain::world::{Epoch, PolicyVersion, Table, World};

use crate::fixtures::{T0, id, workload};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn line() -> Line {
    String::new().try_into().unwrap()
}

fn person(n: u8) -> Person {
    let attributes = BTreeMap::new();
    let name = name(&format!("p{n}"));
    Person {
        id: id(n),
        name,
        display: line(),
        manager: None,
        attributes,
        standing: Standing::Active,
        since: T0,
        stay: Stay::default(),
        kept_by: None,
    }
}

fn group(n: u8, members: &[u8]) -> Group {
    let members = members.iter().map(|m| id::<PersonId>(*m)).collect();
    Group { id: id(n), name: name(&format!("g{n}")), description: line(), members, kept_by: None }
}

fn role(n: u8, kind: &str, called: &str) -> Role {
    let (name, kind) = (name(called), name(kind));
    Role { id: id(n), name, kind, description: line(), definition: serde_json::json!({}), since: T0 }
}

fn world() -> World {
    let resource = |n: u8| Resource {
        id: id(n),
        name: name(&format!("r{n}")),
        kind: name("ssh"),
        labels: BTreeMap::new(),
        owner: None,
        settings: serde_json::json!({}),
        since: T0,
    };
    let policy =
        PolicyVersion { version: 1, digest: Digest::of_bytes("t", b""), text: String::new(), by: None, at: T0 };
    World {
        org: id(200),
        epoch: Epoch(1),
        people: (0..20).map(person).collect(),
        groups: [group(30, &[1, 2]), group(31, &[2, 3]), group(32, &[])].into_iter().collect(),
        resources: (0..9).map(resource).collect(),
        roles: [role(50, "ssh", "same"), role(51, "postgres", "same"), role(52, "ssh", "other")].into_iter().collect(),
        directories: Table::default(),
        locks: Table::default(),
        packages: Table::default(),
        delegations: Table::default(),
        issuers: Table::default(),
        workloads: Table::default(),
        approver_keys: Table::default(),
        policy,
    }
}

fn check(world: &World) {
    for n in 0..25u8 {
        let text = format!("p{n}");
        assert_eq!(world.person(&text), world.people.values().find(|p| p.name.as_str() == text), "{text}");
        let of: BTreeSet<&Name> =
            world.groups.values().filter(|g| g.members.contains(&id(n))).map(|g| &g.name).collect();
        assert_eq!(world.groups_of(id(n)), of, "groups of {text}");
        let text = format!("r{n}");
        assert_eq!(world.resource(&text), world.resources.values().find(|r| r.name.as_str() == text), "{text}");
    }
    for text in ["g30", "g31", "g32", "g33", "G30", ""] {
        assert_eq!(world.group(text), world.groups.values().find(|g| g.name.as_str() == text), "{text}");
    }
    for (kind, called) in
        [("ssh", "same"), ("postgres", "same"), ("ssh", "other"), ("postgres", "other"), ("x", "same")]
    {
        let found = world.roles.values().find(|r| r.kind == name(kind) && r.name.as_str() == called);
        assert_eq!(world.role(&name(kind), called), found, "{kind} {called}");
    }
}

#[test]
fn names_lead_where_a_search_does() {
    let mut world = world();
    check(&world);
    // As the writer of a store does: one after the other, each a copy of the last with a change.
    for n in 20..24 {
        let before = world.clone();
        world.people.put(person(n));
        world.resources.remove(&id(n - 20));
        world.groups.edit(&id::<GroupId>(31), |group| group.members.extend([id::<PersonId>(n)]));
        check(&world);
        check(&before);
        assert!(before.person(&format!("p{n}")).is_none() && before.groups_of(id(n)).is_empty());
    }
}

/// Whatever was renamed, left, swapped or removed is found where it is now, and nowhere else.
#[test]
fn nothing_leads_to_where_something_was() {
    let mut world = world();
    let before = world.clone();
    world.groups.edit(&id::<GroupId>(30), |group| {
        group.members.remove(&id(1));
        group.name = name("g33");
    });
    check(&world);
    assert!(world.group("g30").is_none() && world.groups_of(id(1)).is_empty());
    // Two that swap their names, one step after the other.
    for (n, called) in [(30, "g31"), (31, "g33")] {
        world.groups.edit(&id::<GroupId>(n), |group| group.name = name(called));
    }
    check(&world);
    world.groups.remove(&id::<GroupId>(31));
    check(&world);
    assert!(world.groups.get(&id(31)).is_none() && world.groups_of(id(3)).is_empty());
    assert_eq!(world.group("g31").map(|group| group.id), Some(id(30)));
    world.roles.edit(&id::<wane_domain::id::RoleId>(50), |role| role.kind = name("postgres"));
    world.roles.remove(&id::<wane_domain::id::RoleId>(51));
    check(&world);
    check(&before);
    assert_eq!(before.groups_of(id(1)).len(), 1);
}

fn directory(n: u8, called: &str) -> Directory {
    let rules = DirectoryRules {
        name: "userName".to_owned(),
        display: "displayName".to_owned(),
        attributes: BTreeMap::new(),
        groups: BTreeMap::new(),
        sign_in: None,
    };
    Directory { id: id(n), name: name(called), rules, since: T0, removed: None }
}

fn issuer(n: u8, called: &str) -> Issuer {
    Issuer {
        id: id(n),
        name: name(called),
        sort: IssuerSort::Github,
        issuer: "https://issuer.test".to_owned(),
        audience: "wane".to_owned(),
        algorithms: BTreeSet::new(),
        ca_pem: None,
        keys: None,
        since: T0,
        removed: None,
    }
}

fn package(n: u8, called: &str) -> Package {
    let (name, items, rule) = (name(called), BTreeSet::new(), Rule::default());
    Package { id: id(n), name, description: line(), items, rule, at_most: None, since: T0 }
}

#[test]
fn those_of_which_there_are_few_are_found_by_name() {
    let mut world = world();
    world.directories =
        [directory(60, "a"), Directory { removed: Some(T0), ..directory(61, "b") }].into_iter().collect();
    world.issuers = [issuer(70, "a"), Issuer { removed: Some(T0), ..issuer(71, "b") }].into_iter().collect();
    world.packages = [package(80, "a"), package(81, "b")].into_iter().collect();
    for (called, at) in [("a", Some(0)), ("b", Some(1)), ("c", None), ("A", None), ("", None)] {
        assert_eq!(world.directory(called).map(|one| one.id), at.map(|at| id(60 + at)), "directory {called}");
        assert_eq!(world.issuer(called).map(|one| one.id), at.map(|at| id(70 + at)), "issuer {called}");
        assert_eq!(world.package(called).map(|one| one.id), at.map(|at| id(80 + at)), "package {called}");
    }
}

/// Whom a provider of sign-ins keeps no directory keeps, and what was kept by one that was removed nobody keeps.
#[test]
fn a_directory_keeps_what_is_its_own_while_it_is_there() {
    let mut world = world();
    world.directories = [directory(60, "corp"), directory(61, "old")].into_iter().collect();
    let kept = |called: &str| Directory::keeper(&name(called)).unwrap();
    let keeper = |world: &World, by: Option<&Name>| world.keeper(by).map(|one| one.id);
    assert_eq!(keeper(&world, Some(&kept("corp"))), Some(id(60)));
    assert_eq!(keeper(&world, Some(&kept("old"))), Some(id(61)));
    world.directories.edit(&id::<DirectoryId>(61), |old| old.removed = Some(T0));
    for nobodys in [None, Some(&name("corp")), Some(&kept("old")), Some(&kept("other"))] {
        assert_eq!(keeper(&world, nobodys), None, "{nobodys:?}");
    }
    assert_eq!(keeper(&world, Some(&kept("corp"))), Some(id(60)));
}

#[test]
fn a_workload_is_found_by_whom_it_acts_as() {
    let mut world = world();
    let before = world.clone();
    for (n, acts_as) in [(60, 1), (61, 2)] {
        world.workloads.put(workload(n, id(acts_as)));
    }
    let of = |world: &World, n: u8| world.workload_of(id(n)).map(|one| one.id);
    assert_eq!((of(&world, 1), of(&world, 2), of(&world, 3)), (Some(id(60)), Some(id(61)), None));
    assert!(world.is_workload(id(1)) && world.is_workload(id(2)) && !world.is_workload(id(3)));
    // One that was removed is one still; one that is not in the table is none.
    world.workloads.edit(&id::<WorkloadId>(60), |one| one.removed = Some(T0));
    world.workloads.remove(&id::<WorkloadId>(61));
    assert!(world.is_workload(id(1)) && !world.is_workload(id(2)) && !before.is_workload(id(1)));
}

#[test]
fn two_tables_are_one_if_they_hold_the_same() {
    let mut table: Table<Person> = Table::default();
    let there = |table: &Table<Person>| (table.len(), table.is_empty(), table.contains_key(&id(2)));
    assert_eq!(there(&table), (0, true, false));
    for n in [1, 2, 3, 2] {
        table.put(person(n));
    }
    assert_eq!(there(&table), (3, false, true));
    let same = || -> Table<Person> { [3, 1, 2].into_iter().map(person).collect() };
    assert_eq!(table, same(), "whatever their order");
    let mut other = same();
    other.edit(&id(2), |them| them.standing = Standing::Disabled);
    assert_ne!(table, other);
    table.remove(&id(2));
    assert!(there(&table) == (2, false, false) && table.get(&id(2)).is_none());
    assert_ne!(table, same());
    table.put(person(2));
    assert_eq!(table, same());
}
