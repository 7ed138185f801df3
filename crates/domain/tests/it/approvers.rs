//! Whom an approval rule means in one snapshot, what its locks cover, what its names lead to.

use std::collections::{BTreeMap, BTreeSet};

use wane_domain::canonical::Digest;
use wane_domain::catalogue::{Owner, Resource, Role};
use wane_domain::directory::{Group, Person, Standing, Stay};
use wane_domain::id::{LockId, PersonId};
use wane_domain::lock::{Lock, LockTarget};
use wane_domain::terms::Approvers;
use wane_domain::text::Name;
use wane_domain::workload::Workload;
use wane_domain::world::{Epoch, PolicyVersion, Table, World};

use crate::fixtures::{T0, id, person, workload};

const HOLDER: u8 = 2;
const MANAGER: u8 = 3;
const OWNERS: [u8; 2] = [4, 5];
const OUT: u8 = 6;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn group(n: u8, called: &str, members: &[u8]) -> Group {
    let members = members.iter().map(|m| person(*m)).collect();
    Group { id: id(n), name: name(called), description: "".parse().unwrap(), members, kept_by: None }
}

fn resource(n: u8, called: &str, owner: Option<Owner>) -> Resource {
    let (labels, settings) = (BTreeMap::new(), serde_json::json!({}));
    Resource { id: id(n), name: name(called), kind: name("ssh"), labels, owner, settings, since: T0 }
}

fn role(n: u8, called: &str, kind: &str) -> Role {
    let (description, definition) = ("".parse().unwrap(), serde_json::json!({}));
    Role { id: id(n), name: name(called), kind: name(kind), description, definition, since: T0 }
}

pub(crate) fn world() -> World {
    let entry = |n: u8| {
        let manager = (n == HOLDER).then(|| person(MANAGER));
        let standing = if n == OUT { Standing::Disabled } else { Standing::Active };
        let (called, display, attributes) = (name(&format!("p{n}")), "".parse().unwrap(), BTreeMap::new());
        Person {
            id: person(n),
            name: called,
            display,
            manager,
            attributes,
            standing,
            since: T0,
            stay: Stay::default(),
            kept_by: None,
        }
    };
    World {
        org: id(9),
        epoch: Epoch(1),
        people: (1..8).map(entry).collect(),
        groups: [group(10, "dba", &[4, 5, OUT, HOLDER]), group(11, "ops", &[7])].into_iter().collect(),
        resources: [
            resource(20, "web", Some(Owner::Group(id(10)))),
            resource(21, "db", Some(Owner::Person(person(7)))),
            resource(22, "lone", None),
        ]
        .into_iter()
        .collect(),
        roles: [role(30, "deploy", "ssh"), role(31, "deploy", "postgres")].into_iter().collect(),
        directories: Table::default(),
        locks: Table::default(),
        packages: Table::default(),
        delegations: Table::default(),
        issuers: Table::default(),
        workloads: Table::default(),
        approver_keys: Table::default(),
        policy: PolicyVersion { version: 1, digest: Digest::of_bytes("t", b""), text: String::new(), by: None, at: T0 },
    }
}

fn who(world: &World, rule: &[Approvers], resource: u8, without: &[PersonId]) -> BTreeSet<PersonId> {
    world.approvers(rule, person(HOLDER), id(resource), without)
}

fn people(of: &[u8]) -> BTreeSet<PersonId> {
    of.iter().map(|n| person(*n)).collect()
}

/// Whom a rule means: only who is active, and nobody who is left out.
#[test]
fn approvers_are_active_and_never_those_left_out() {
    let world = world();
    let without = [person(HOLDER)];
    for (rule, resource, expected) in [
        (vec![Approvers::Manager], 20, vec![MANAGER]),
        (vec![Approvers::Owner], 20, OWNERS.to_vec()),
        (vec![Approvers::Owner], 21, vec![7]),
        (vec![Approvers::Owner], 22, vec![]),
        (vec![Approvers::Owner], 23, vec![]),
        (vec![Approvers::Group(name("dba"))], 22, OWNERS.to_vec()),
        (vec![Approvers::Group(name("none"))], 22, vec![]),
        (vec![Approvers::Person(name("p7"))], 22, vec![7]),
        (vec![Approvers::Person(name("p6"))], 22, vec![]),
        (vec![Approvers::Person(name("p2"))], 22, vec![]),
        (vec![Approvers::Manager, Approvers::Group(name("ops"))], 22, vec![MANAGER, 7]),
    ] {
        assert_eq!(who(&world, &rule, resource, &without), people(&expected), "{rule:?} on {resource}");
    }
    assert!(who(&world, &[Approvers::Owner], 20, &[]).contains(&person(HOLDER)), "nobody was left out");
}

#[test]
fn names_lead_to_what_they_name() {
    let world = world();
    assert_eq!(world.person("p3").map(|p| p.id), Some(person(3)));
    assert_eq!(world.group("ops").map(|g| g.id), Some(id(11)));
    assert_eq!(world.resource("db").map(|r| r.id), Some(id(21)));
    assert_eq!(world.role(&name("postgres"), "deploy").map(|r| r.id), Some(id(31)));
    assert_eq!(world.role(&name("ssh"), "deploy").map(|r| r.id), Some(id(30)));
    assert!(world.role(&name("ssh"), "other").is_none() && world.role(&name("x509"), "deploy").is_none());
    assert!(world.person("p9").is_none() && world.group("p3").is_none() && world.resource("p3").is_none());
    assert_eq!(world.groups_of(person(4)), BTreeSet::from([&name("dba")]));
    assert!(world.groups_of(person(1)).is_empty());
    assert!(world.is_active(person(1)) && !world.is_active(person(OUT)) && !world.is_active(person(99)));
}

#[test]
fn a_lock_is_found_by_what_it_covers() {
    let mut world = world();
    let (target, lock) = (LockTarget::Person(person(HOLDER)), id::<LockId>(40));
    let imposed = Lock::impose(lock, target, "stolen laptop".parse().unwrap(), person(1), T0).0;
    world.locks.put(imposed);
    let on = |who: u8| world.lock_on(person(who), id(20), id(30), None).map(|l| l.id);
    assert_eq!((on(HOLDER), on(MANAGER)), (Some(lock), None));
}

/// Nor one that was removed: whoever was a workload stays one.
#[test]
fn no_workload_is_asked_to_approve_whoever_names_it() {
    let rules = [vec![Approvers::Owner], vec![Approvers::Group(name("ops"))], vec![Approvers::Person(name("p7"))]];
    for removed in [None, Some(T0)] {
        let mut works = world();
        works.workloads.put(Workload { removed, ..workload(60, person(7)) });
        for rule in &rules {
            assert_eq!(who(&world(), rule, 21, &[]), people(&[7]), "{rule:?}");
            assert_eq!(who(&works, rule, 21, &[]), people(&[]), "{rule:?}");
        }
    }
}

/// Neither for whom one answers, nor for whoever answers for oneself.
#[test]
fn nobody_approves_through_whom_they_sponsor() {
    let rule = [Approvers::Group(name("dba")), Approvers::Group(name("ops"))];
    let sponsored = |of: u8, by: u8| {
        let mut world = world();
        world.people.edit(&person(of), |them| them.stay.sponsor = Some(person(by)));
        world
    };
    let without = [person(HOLDER), person(1)];
    let everybody = who(&world(), &rule, 22, &without);
    assert_eq!(everybody, people(&[4, 5, 7]));
    for (of, by, left, why) in [
        (HOLDER, 7, vec![4, 5], "who answers for the holder"),
        (7, HOLDER, vec![4, 5], "for whom the holder answers"),
        (1, 7, vec![4, 5], "who answers for the asker"),
        (7, 1, vec![4, 5], "for whom the asker answers"),
        (4, 5, vec![4, 5, 7], "others between themselves"),
    ] {
        assert_eq!(who(&sponsored(of, by), &rule, 22, &without), people(&left), "{why}");
    }
}

/// Whoever is answered for by somebody who may not act is answered for by nobody.
#[test]
fn a_guest_without_a_sponsor_is_found() {
    let mut world = world();
    let guest = |world: &mut World, sponsor: Option<u8>| {
        world.people.edit(&person(HOLDER), |guest| guest.stay.sponsor = sponsor.map(person));
        world.people.get(&person(HOLDER)).unwrap().clone()
    };
    for (sponsor, alone) in [(None, false), (Some(MANAGER), false), (Some(OUT), true), (Some(99), true)] {
        let guest = guest(&mut world, sponsor);
        assert_eq!(world.is_unsponsored(&guest), alone, "{sponsor:?}");
    }
}

#[test]
fn whose_time_is_over_is_found_in_its_order() {
    let mut world = world();
    let at = |n: i64| T0.plus(wane_domain::time::Span::from_mins(u64::try_from(n).unwrap()));
    for (n, until, left) in [(1, 9, None), (3, 5, None), (4, 5, Some(at(5))), (5, 20, None)] {
        world.people.edit(&person(n), |them| them.stay = Stay { until: Some(at(until)), sponsor: None, left });
    }
    let over = |n| world.over(at(n)).collect::<Vec<_>>();
    assert_eq!((over(4), over(5), over(9)), (vec![], vec![person(3)], vec![person(3), person(1)]));
    assert_eq!(
        (world.next_over(at(4)), world.next_over(at(5)), world.next_over(at(20))),
        (Some(at(5)), Some(at(9)), None)
    );
    // Given more time, and gone: neither is found where they were.
    world.people.edit(&person(3), |them| them.stay.until = Some(at(30)));
    world.people.edit(&person(1), |them| them.stay.left = Some(at(9)));
    assert_eq!((world.over(at(20)).collect::<Vec<_>>(), world.next_over(at(20))), (vec![person(5)], Some(at(30))));
}
