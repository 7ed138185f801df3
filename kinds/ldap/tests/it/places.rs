//! One place through renames, re-creations and schemas.

use serde_json::{Value, json};
use wane_connector::{EndOutcome, Presence};
use wane_testkit::Slapd;

use crate::stage::{ADMINS, PEOPLE, POSIX, Stage, UNIQUE};

const ALICE: &str = "uid=alice,ou=people,dc=example,dc=org";

fn rename(dn: &str, to: &str) -> String {
    format!("dn: {dn}\nchangetype: modrdn\nnewrdn: {to}\ndeleteoldrdn: 0\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_one_value_and_only_that_goes() {
    let stage = Stage::usual();
    for (group, attribute, theirs, keeper) in
        [(ADMINS, "member", ALICE, true), (UNIQUE, "uniqueMember", ALICE, true), (POSIX, "memberUid", "alice", false)]
    {
        let before = stage.server.values(group, attribute).unwrap();
        let place = stage.give(&stage.role(group, attribute), "alice").await;
        let with = stage.server.values(group, attribute).unwrap();
        assert!(with.contains(&theirs.to_owned()) && with.len() == before.len() + 1, "{with:?}");
        stage.end_for_good(&place).await;
        assert_eq!(stage.server.values(group, attribute).unwrap(), before);
        assert_eq!(before.is_empty(), !keeper);
    }
}

/// A directory that does not keep its references whole leaves the old name in the group; one that does writes
/// the new. Both go.
#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_person_is_taken_under_both_names() {
    for keeps_whole in [false, true] {
        let builder = Slapd::builder();
        let builder =
            if keeps_whole { builder.line("overlay refint").line("refint_attributes member") } else { builder };
        let stage = Stage::with(builder.start().unwrap(), &json!({}));
        let before = stage.server.values(ADMINS, "member").unwrap();
        let place = stage.give(&stage.admins(), "alice").await;
        stage.server.modify(&rename(ALICE, "uid=alice.new")).unwrap();
        let seen = stage.presence(&place).await;
        assert!(matches!(seen, Presence::Present { .. }), "{keeps_whole}: {seen:?}");
        stage.end_for_good(&place).await;
        assert_eq!(stage.server.values(ADMINS, "member").unwrap(), before, "{keeps_whole}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_group_is_found_again() {
    let stage = Stage::usual();
    let place = stage.give(&stage.admins(), "alice").await;
    stage.server.modify(&rename(ADMINS, "cn=operators")).unwrap();
    let now = "cn=operators,ou=groups,dc=example,dc=org";
    assert!(stage.server.values(now, "member").unwrap().contains(&ALICE.to_owned()));
    stage.end_for_good(&place).await;
    assert!(!stage.server.values(now, "member").unwrap().contains(&ALICE.to_owned()));
}

/// What was given was given in the group that is gone; who is in its namesake is none of the grant's.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_made_anew_under_the_name_is_another() {
    let stage = Stage::usual();
    let place = stage.give(&stage.admins(), "alice").await;
    stage.server.modify(&format!("dn: {ADMINS}\nchangetype: delete\n")).unwrap();
    assert!(matches!(stage.presence(&place).await, Presence::Absent { .. }));
    stage.server.add(&format!("dn: {ADMINS}\nobjectClass: groupOfNames\nmember: {ALICE}\n")).unwrap();
    stage.end_for_good(&place).await;
    assert_eq!(stage.server.values(ADMINS, "member").unwrap(), [ALICE]);
    let again = stage.make(&place).await.unwrap_err();
    assert!(again.to_string().contains("gone from the directory"), "{again}");
}

/// Somebody else under the name of who left gets nothing by the grant of who left.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_made_anew_under_the_name_is_another() {
    let stage = Stage::usual();
    let place = stage.give(&stage.admins(), "alice").await;
    let first = stage.look(&stage.admins(), &stage.person("alice")).await.unwrap();
    stage.server.modify(&format!("dn: {ALICE}\nchangetype: delete\n")).unwrap();
    stage.server.person("uid=alice", "alice").unwrap();
    let second = stage.look(&stage.admins(), &stage.person("alice")).await.unwrap();
    assert_ne!(first.object, second.object);
    let again = stage.make(&place).await.unwrap_err();
    assert!(again.to_string().contains("gone from the directory"), "{again}");
    // The value that the grant brought would let the namesake in.
    stage.end_for_good(&place).await;
    assert!(!stage.server.values(ADMINS, "member").unwrap().contains(&ALICE.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_member_leaves_a_placeholder() {
    let keeper = format!("dn: {ADMINS}\nchangetype: modify\ndelete: member\nmember: uid=keeper,{PEOPLE}\n");
    let stage = Stage::usual();
    let place = stage.give(&stage.admins(), "alice").await;
    stage.server.modify(&keeper).unwrap();
    stage.end_for_good(&place).await;
    assert_eq!(stage.server.values(ADMINS, "member").unwrap(), ["cn=nobody,dc=example,dc=org"]);

    // Without one, the end says what to do, and the probe says it beforehand.
    let stage = Stage::with(Slapd::builder().start().unwrap(), &json!({ "placeholder": Value::Null }));
    let probes = stage.kind_probe(&[stage.admins(), stage.role(POSIX, "memberUid")]).await;
    assert!(probes[0].as_ref().unwrap().contains("placeholder"), "{probes:?}");
    assert_eq!(probes[1], None);
    let place = stage.give(&stage.admins(), "alice").await;
    stage.server.modify(&keeper).unwrap();
    let ended = stage.end(&place).await.unwrap();
    assert!(matches!(&ended, EndOutcome::Quarantined { why } if why.contains("placeholder")), "{ended:?}");
    assert!(matches!(stage.presence(&place).await, Presence::Present { .. }));
}

/// Who is in it is asked of the directory, and not read: a group may be as large as it likes.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_group_is_no_matter() {
    let server = Slapd::builder().line("sizelimit 100").start().unwrap();
    let stage = Stage::with(server, &json!({}));
    let mut ldif = format!("dn: {ADMINS}\nchangetype: modify\nadd: member\n");
    for n in 0..6000 {
        ldif.push_str(&format!("member: uid=p{n},{PEOPLE}\n"));
    }
    stage.server.modify(&ldif).unwrap();
    let place = stage.give(&stage.admins(), "alice").await;
    stage.end_for_good(&place).await;
    let found = stage.effects().inventory(&stage.target()).await.unwrap();
    assert!(found.findings.iter().any(|f| f.contains("more than 5000")), "{:?}", found.findings);
}
