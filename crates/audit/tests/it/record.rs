use proptest::prelude::*;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_domain::id::{EventId, GrantId, OrgId, PersonId, ResourceId, TypedId};
use wane_domain::time::Time;

const AT: Time = Time::from_micros(1_795_251_600_000_000);

fn record() -> Record {
    Record {
        id: EventId::mint(AT, &[1; 10]),
        org: OrgId::mint(AT, &[2; 10]),
        at: AT,
        actor: Actor::Person(PersonId::mint(AT, &[3; 10])),
        event: "grant.activated".to_owned(),
        outcome: Outcome::Done,
        about: Subjects {
            grant: Some(GrantId::mint(AT, &[4; 10])),
            ticket: Some("INC-1".parse().expect("a ticket")),
            ..Subjects::default()
        },
        detail: json!({ "z": 1, "a": ["ü", null, true], "é": "\u{7}" }),
    }
}

/// The bytes every verifier must arrive at: RFC 8785 sorts keys by UTF-16 code unit, escapes the bell as `\u0007`
/// and leaves out what does not apply.
#[test]
fn the_bytes_are_fixed() {
    let record = record();
    let Record { id, org, .. } = &record;
    let (by, grant) = (PersonId::mint(AT, &[3; 10]), GrantId::mint(AT, &[4; 10]));
    let want = format!(
        r#"{{"about":{{"grant":"{grant}","ticket":"INC-1"}},"actor":{{"person":"{by}"}},"at":1795251600000000,"detail":{{"a":["ü",null,true],"z":1,"é":"\u0007"}},"event":"grant.activated","id":"{id}","org":"{org}","outcome":"done"}}"#
    );
    let got = record.canonical().expect("it has a form");
    assert_eq!(String::from_utf8(got).expect("text"), want);
    let mut leaf = vec![0];
    leaf.extend(want.as_bytes());
    assert_eq!(record.leaf_hash().expect("a hash").as_slice(), Sha256::digest(leaf).as_slice());
}

/// What is changed, and how.
type Change = (&'static str, fn(&mut Record));

#[test]
fn any_change_changes_the_leaf() {
    let changes: [Change; 12] = [
        ("id", |r| r.id = EventId::mint(AT, &[9; 10])),
        ("org", |r| r.org = OrgId::mint(AT, &[9; 10])),
        ("time", |r| r.at = Time::from_micros(AT.micros() + 1)),
        ("actor", |r| r.actor = Actor::Unknown),
        ("kind of actor", |r| r.actor = Actor::Host(ResourceId::mint(AT, &[3; 10]))),
        ("event", |r| r.event.push('d')),
        ("outcome", |r| r.outcome = Outcome::Denied),
        ("another outcome", |r| r.outcome = Outcome::Failed),
        ("subject left out", |r| r.about.grant = None),
        ("subject added", |r| r.about.person = Some(PersonId::mint(AT, &[3; 10]))),
        ("ticket", |r| r.about.ticket = None),
        ("detail", |r| r.detail["z"] = json!(2)),
    ];
    let mut leaves = vec![record().leaf_hash().expect("a hash")];
    for (what, change) in changes {
        let mut changed = record();
        change(&mut changed);
        let leaf = changed.leaf_hash().expect("a hash");
        assert!(!leaves.contains(&leaf), "{what} is not in the leaf");
        leaves.push(leaf);
    }
}

fn detail() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(|b| json!(b)),
        any::<i32>().prop_map(|n| json!(n)),
        ".{0,12}".prop_map(|s| json!(s)),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|v| json!(v)),
            proptest::collection::btree_map(".{0,6}", inner, 0..4).prop_map(|m| json!(m)),
        ]
    })
}

proptest! {
    /// What is stored is the canonical form; a record read back from it has the same leaf.
    #[test]
    fn reading_back_keeps_the_leaf(detail in detail(), event in "[a-z.]{1,20}", at in 0..2_000_000_000_000_000i64) {
        let before = Record { detail, event, at: Time::from_micros(at), ..record() };
        let bytes = before.canonical().expect("it has a form");
        let after: Record = serde_json::from_slice(&bytes).expect("it is read back");
        prop_assert_eq!(&after, &before);
        prop_assert_eq!(after.canonical().expect("it has a form"), bytes);
        prop_assert_eq!(after.leaf_hash().expect("a hash"), before.leaf_hash().expect("a hash"));
    }
}
