//! Names that mean something to a filter or to a name, and names that are almost somebody else's.

use std::collections::BTreeMap;

use serde_json::json;
use wane_testkit::Slapd;

use crate::stage::{ADMINS, PEOPLE, Stage};

/// People found by an attribute that may hold anything.
fn by_attribute() -> Stage {
    let people = json!({ "people": { "base": PEOPLE, "is": "directory_uid" } });
    Stage::with(Slapd::builder().start().unwrap(), &people)
}

async fn look(stage: &Stage, uid: &str) -> Result<wane_connector::Prepared, String> {
    let mut person = stage.person("somebody");
    let line = uid.parse().map_err(|e| format!("{e}"))?;
    person.attributes = BTreeMap::from([("directory_uid".parse().unwrap(), line)]);
    stage.look(&stage.admins(), &person).await.map_err(|e| e.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_name_is_nobody_but_who_bears_it() {
    let stage = by_attribute();
    let hostile = [
        "*",
        "al*",
        ")(uid=alice",
        "*)(uid=*",
        "\\00",
        "\\2a",
        "a,b",
        "#a",
        "a+b",
        "a\"b",
        "<a>",
        "a;b",
        "a=b",
        "(|(uid=*))",
    ];
    for name in hostile {
        let met = look(&stage, name).await.unwrap_err();
        assert!(met.contains("no entry has"), "{name:?}: {met}");
    }
    for name in hostile {
        let dn = format!("cn={}", name.chars().map(|c| format!("\\{:02x}", c as u32)).collect::<String>());
        stage
            .server
            .add(&format!("dn: {dn},{PEOPLE}\nobjectClass: inetOrgPerson\nsn: x\nuid:: {}\n", base64(name)))
            .unwrap();
        let found = look(&stage, name).await.unwrap_or_else(|e| panic!("{name:?}: {e}"));
        let alice = look(&stage, "alice").await.unwrap();
        assert_ne!(found.object, alice.object, "{name:?}");
    }
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0u32, |all, b| (all << 8) | u32::from(*b)) << (8 * (3 - chunk.len()));
        for n in 0..4 {
            let digit = DIGITS[((bits >> (18 - 6 * n)) & 63) as usize] as char;
            out.push(if n <= chunk.len() { digit } else { '=' });
        }
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn almost_the_same_name_is_somebody_else() {
    let stage = by_attribute();
    stage.server.person("uid=zoe", "Zo\u{eb}").unwrap();
    for (name, why) in [
        // The directory finds each of these; byte for byte they are another's.
        ("ALICE", "not written as"),
        ("Alice", "not written as"),
        ("Zoe\u{308}", "not written as"),
        ("ZO\u{cb}", "not written as"),
    ] {
        let met = look(&stage, name).await.unwrap_err();
        assert!(met.contains(why), "{name:?}: {met}");
    }
    look(&stage, "alice").await.unwrap();
    look(&stage, "Zo\u{eb}").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_of_one_name_neither_is_meant() {
    let stage = Stage::usual();
    stage.server.person("cn=other", "alice").unwrap();
    let met = stage.look(&stage.admins(), &stage.person("alice")).await.unwrap_err().to_string();
    assert!(met.contains("more than one entry"), "{met}");
    let met = stage.look(&stage.admins(), &stage.person("bob")).await.unwrap_err().to_string();
    assert!(met.contains("no entry has"), "{met}");
    // A filter tells them apart.
    let people = json!({ "people": { "base": PEOPLE, "filter": "(!(cn=other))" } });
    let stage = Stage::with(Slapd::builder().start().unwrap(), &people);
    stage.server.person("cn=other", "alice").unwrap();
    stage.look(&stage.admins(), &stage.person("alice")).await.unwrap();
}

/// Names in a group are compared by the directory's rules, whatever is in them.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_everything_in_it_comes_and_goes() {
    let stage = by_attribute();
    stage.server.add(&format!(
        "dn: cn=\\20O\\2c \\23Neil\\2b\\3c\\22\\5c\\3e\\3b Zo\\c3\\ab\\20,{PEOPLE}\nobjectClass: inetOrgPerson\nsn: x\nuid: oneil\n"
    )).unwrap();
    let before = stage.server.values(ADMINS, "member").unwrap();
    let mut person = stage.person("oneil");
    person.attributes = BTreeMap::from([("directory_uid".parse().unwrap(), "oneil".parse().unwrap())]);
    let place = stage.give_to(&stage.admins(), &person).await;
    assert_eq!(stage.server.values(ADMINS, "member").unwrap().len(), before.len() + 1);
    stage.end_for_good(&place).await;
    assert_eq!(stage.server.values(ADMINS, "member").unwrap(), before);
}
