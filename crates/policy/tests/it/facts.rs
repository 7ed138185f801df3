//! What a question takes from a snapshot.

use wane_domain::canonical::Digest;
use wane_domain::catalogue::Owner;
use wane_domain::directory::Group;
use wane_domain::id::{PersonId, ResourceId};
use wane_domain::world::{Epoch, PolicyVersion, Table, World};
use wane_policy::query::{OwnedBy, Subject, Thing};

use crate::world::{NOW, id, line, name, question};

#[test]
fn people_and_resources_are_as_the_snapshot_has_them() {
    let asked = question("ana", &[], "deploy", "ssh:web1", &[]);
    let (ana, web) = (asked.person.id, asked.resource.id);
    let group = Group { id: id(30), name: name("eng"), description: line("x"), members: [ana].into(), kept_by: None };
    let digest = Digest::of_bytes("t", b"");
    let mut world = World {
        org: id(200),
        epoch: Epoch(1),
        people: [asked.person].into_iter().collect(),
        groups: [group].into_iter().collect(),
        resources: [asked.resource].into_iter().collect(),
        roles: Table::default(),
        directories: Table::default(),
        locks: Table::default(),
        packages: Table::default(),
        delegations: Table::default(),
        issuers: Table::default(),
        workloads: Table::default(),
        approver_keys: Table::default(),
        policy: PolicyVersion { version: 1, digest, text: String::new(), by: None, at: NOW },
    };
    let subject = Subject::of(&world, ana).unwrap();
    assert_eq!((subject.person.id, subject.groups.into_iter().collect::<Vec<_>>()), (ana, vec![&name("eng")]));
    assert!(Subject::of(&world, id::<PersonId>(99)).is_none());
    assert!(Thing::of(&world, id::<ResourceId>(99)).is_none());
    for (owner, shown) in [
        (None, "nobody"),
        (Some(Owner::Person(ana)), "ana"),
        (Some(Owner::Group(id(30))), "eng"),
        // Who is gone owns nothing.
        (Some(Owner::Group(id(31))), "nobody"),
    ] {
        world.resources.edit(&web, |resource| resource.owner = owner);
        let thing = Thing::of(&world, web).unwrap();
        let got = match thing.owner {
            None => "nobody".to_owned(),
            Some(OwnedBy::Person(who)) => who.person.name.to_string(),
            Some(OwnedBy::Group(name)) => name.to_string(),
        };
        assert_eq!((thing.resource.id, got.as_str()), (web, shown));
    }
}
