//! Whom a package is for: who has all that its rule asks for, and nobody where it asks for nothing.

use std::collections::{BTreeMap, BTreeSet};

use wane_domain::directory::{Person, Standing, Stay};
use wane_domain::package::{Package, PackageItem, Rule};
use wane_domain::text::Name;

use crate::approvers::world;
use crate::fixtures::{T0, id, workload};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn rule(groups: &[&str], attributes: &[(&str, &str)]) -> Rule {
    Rule {
        groups: groups.iter().map(|group| name(group)).collect(),
        attributes: attributes.iter().map(|(k, v)| (name(k), v.parse().unwrap())).collect(),
    }
}

#[test]
fn a_rule_means_who_has_all_of_it() {
    let attributes = BTreeMap::from([(name("site"), "lab".parse().unwrap()), (name("team"), "db".parse().unwrap())]);
    let (display, standing, stay) = ("".parse().unwrap(), Standing::Active, Stay::default());
    let person = Person {
        id: id(1),
        name: name("p"),
        display,
        manager: None,
        attributes,
        standing,
        since: T0,
        stay,
        kept_by: None,
    };
    let (dba, ops) = (name("dba"), name("ops"));
    let groups = BTreeSet::from([&dba, &ops]);
    for (rule, means) in [
        (rule(&[], &[]), false),
        (rule(&["dba"], &[]), true),
        (rule(&["dba", "ops"], &[]), true),
        (rule(&["dba", "web"], &[]), false),
        (rule(&[], &[("site", "lab")]), true),
        (rule(&[], &[("site", "Lab")]), false),
        (rule(&[], &[("site", "lab"), ("floor", "1")]), false),
        (rule(&["dba"], &[("site", "lab"), ("team", "db")]), true),
        (rule(&["web"], &[("site", "lab")]), false),
    ] {
        assert_eq!(rule.means(&person, &groups), means, "{rule:?}");
    }
    assert!(serde_json::from_str::<Rule>(r#"{"groups":["a"],"attributes":{},"any":true}"#).is_err());
    assert!(serde_json::from_str::<Rule>(r#"{"groups":["a"]}"#).is_err(), "what is left out is no rule");
}

/// Persons 4 and 5 are in the group `dba`, person 3 is not.
#[test]
fn a_package_gives_what_is_in_it_to_whom_it_is_for() {
    let item = |resource: u8, role: u8| PackageItem { resource: id(resource), role: id(role) };
    let mut world = world();
    world.packages.put(Package {
        id: id(80),
        name: name("databases"),
        description: "".parse().unwrap(),
        items: BTreeSet::from([item(20, 30), item(21, 31)]),
        rule: rule(&["dba"], &[]),
        at_most: None,
        since: T0,
    });
    world.workloads.put(workload(60, id(5)));
    for (what, package, person, item, given) in [
        ("what is in it", 80, 4, item(20, 30), true),
        ("whatever is in it", 80, 4, item(21, 31), true),
        ("another role", 80, 4, item(20, 31), false),
        ("to somebody else", 80, 3, item(20, 30), false),
        ("to nobody", 80, 99, item(20, 30), false),
        ("to a workload", 80, 5, item(20, 30), false),
        ("no package", 81, 4, item(20, 30), false),
    ] {
        assert_eq!(world.is_packaged(id(package), id(person), item), given, "{what}");
    }
}
