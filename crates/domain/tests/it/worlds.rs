//! Names in a snapshot lead where a search through it would.

use std::collections::{BTreeMap, BTreeSet};

use wane_domain::canonical::Digest;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::directory::{Group, Person, Standing, Stay};
use wane_domain::id::{GroupId, PersonId};
use wane_domain::text::{Line, Name};
use wane_domain::world::{Epoch, PolicyVersion, Table, World};

use crate::fixtures::{T0, id};

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
    assert_eq!(world.group("g31").map(|group| group.id), Some(id(30)));
    world.roles.edit(&id::<wane_domain::id::RoleId>(50), |role| role.kind = name("postgres"));
    world.roles.remove(&id::<wane_domain::id::RoleId>(51));
    check(&world);
    check(&before);
    assert_eq!(before.groups_of(id(1)).len(), 1);
}
