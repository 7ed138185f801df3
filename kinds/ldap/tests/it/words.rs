//! What people write about directories: each error says what to write instead.

use serde_json::{Value, json};
use wane_connector::Kind as _;
use wane_kind_ldap::LdapKind;

fn good() -> Value {
    json!({
        "urls": ["ldap://127.0.0.1:389"],
        "bind_dn": "cn=wane,dc=example,dc=org",
        "base": "dc=example,dc=org",
        "people": { "base": "ou=people,dc=example,dc=org" },
        "groups": ["cn=admins,ou=groups,dc=example,dc=org"],
    })
}

#[test]
fn settings_are_read_strictly() {
    let kind = LdapKind::new();
    assert!(kind.settings(&good()).is_ok());
    for (change, said) in [
        (json!({ "bind": "x" }), "did you mean `base`"),
        (json!({ "groups": [] }), "name 1 to 500 groups"),
        (json!({ "groups": ["admins"] }), "no name of an entry"),
        (json!({ "base": "" }), "no name of an entry"),
        (json!({ "bind_dn": "" }), "anonymous"),
        (json!({ "urls": ["ldap://dir.example.org"] }), "plaintext"),
        (json!({ "urls": ["ldaps://dir.example.org"] }), "ca_pem"),
        (json!({ "people": { "base": "dc=x", "attribute": "uid)(" } }), "name of an attribute"),
        (json!({ "people": { "base": "dc=x", "filter": "objectClass=x" } }), "one filter in brackets"),
        (json!({ "people": { "base": "dc=x", "filter": "(a=b)(uid=*)" } }), "one filter in brackets"),
        (json!({ "people": { "base": "dc=x", "filters": "(a=b)" } }), "did you mean `filter`"),
        (json!({ "placeholder": "nobody" }), "no name of an entry"),
        (json!({ "cached_secs": 999_999_999 }), "must be 0 to"),
    ] {
        let mut given = good();
        given.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let met = kind.settings(&given).unwrap_err().to_string();
        assert!(met.contains(said), "{change}: {met}");
    }
}

#[test]
fn a_role_is_one_group() {
    let kind = LdapKind::new();
    let read = |given: Value| kind.definition(&given).map_err(|e| e.to_string());
    assert_eq!(read(json!({ "group": "cn=a,dc=x" })).unwrap()["attribute"], "member");
    for (given, said) in [
        (json!({}), "name the group"),
        (json!({ "group": "admins" }), "no name of an entry"),
        (json!({ "group": "cn=a", "attribute": "members" }), "did you mean `member`"),
        (json!({ "groups": "cn=a" }), "did you mean `group`"),
    ] {
        let met = read(given.clone()).unwrap_err();
        assert!(met.contains(said), "{given}: {met}");
    }
}

/// What is not declared is not promised away.
#[test]
fn what_survives_is_said_as_far_as_it_is_known() {
    let kind = LdapKind::new();
    let unknown = kind.describe(&kind.settings(&good()).unwrap());
    assert!(unknown.survives.contains("nobody has declared") && !unknown.kills_sessions);
    let mut declared = good();
    declared["cached_secs"] = json!(600);
    let declared = kind.describe(&kind.settings(&declared).unwrap());
    assert!(declared.survives.contains("600 s") && declared.residual_logins_secs == 602);
}
