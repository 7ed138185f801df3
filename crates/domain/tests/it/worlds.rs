//! Names in a snapshot lead where a search through it would.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use wane_domain::canonical::Digest;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::directory::{Group, Person, Standing, Stay};
use wane_domain::id::{GroupId, PersonId};
use wane_domain::text::{Line, Name};
use wane_domain::world::{Epoch, Names, PolicyVersion, World};

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
        people: (0..20).map(person).map(|p| (p.id, p)).collect(),
        groups: [group(30, &[1, 2]), group(31, &[2, 3]), group(32, &[])].map(|g| (g.id, g)).into(),
        resources: (0..9).map(resource).map(|r| (r.id, r)).collect(),
        roles: [role(50, "ssh", "same"), role(51, "postgres", "same"), role(52, "ssh", "other")]
            .map(|r| (r.id, r))
            .into(),
        directories: HashMap::new(),
        locks: HashMap::new(),
        packages: HashMap::new(),
        approver_keys: HashMap::new(),
        policy,
        names: Names::default(),
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
    // As the writer of a store does: a clone is changed, and only then looked into.
    for n in 20..24 {
        world = world.clone();
        let new = person(n);
        world.people.insert(new.id, new);
        world.resources.remove(&id(n - 20));
        world.groups.get_mut(&id::<GroupId>(31)).unwrap().members.insert(id(n));
        check(&world);
    }
}
