//! PATCH as the standard has it, and as Entra ID and Okta send it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wane_scim::patch::{apply, ends, read};
use wane_scim::resource::{self, Sent};
use wane_scim::schema::ResourceKind::{self, Group, User};
use wane_scim::{Kind, Refused};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn person() -> Sent {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "userName": "maya", "externalId": "x1", "active": true, "displayName": "Maya",
        "name": { "givenName": "Maya", "familyName": "M" },
        "emails": [{ "value": "maya@example.org", "type": "work", "primary": true }, { "value": "m@home.example", "type": "home" }],
        ENTERPRISE: { "department": "db", "manager": { "value": "per_1" } },
    });
    resource::read(User, body).unwrap()
}

fn group() -> Sent {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "dba", "members": [{ "value": "a" }, { "value": "b" }, { "value": "c" }],
    });
    resource::read(Group, body).unwrap()
}

fn patched(kind: ResourceKind, mut sent: Sent, operations: Value) -> Result<Sent, Refused> {
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
    apply(kind, &mut sent, read(kind, body)?)?;
    Ok(sent)
}

#[test]
fn people_as_entra_and_okta_change_them() {
    type Check = (&'static str, Value, &'static str, Value);
    let checks: Vec<Check> = vec![
        ("entra: off", json!([{ "op": "Replace", "path": "active", "value": "False" }]), "/active", json!(false)),
        (
            "entra: off, in a list",
            json!([{ "op": "Replace", "path": "active", "value": [false] }]),
            "/active",
            json!(false),
        ),
        ("okta: off", json!([{ "op": "replace", "value": { "active": false } }]), "/active", json!(false)),
        (
            "entra: a mail address that is there",
            json!([{ "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "new@example.org" }]),
            "/emails/0/value",
            json!("new@example.org"),
        ),
        (
            "entra: one that is not",
            json!([{ "op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+1" }]),
            "/phoneNumbers",
            json!([{ "type": "mobile", "value": "+1" }]),
        ),
        (
            "entra: the extension's attribute by its whole name",
            json!([{ "op": "Add", "path": format!("{ENTERPRISE}:department"), "value": "ops" }]),
            "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/department",
            json!("ops"),
        ),
        (
            "entra: many by their names, without a path",
            json!([{ "op": "Add", "value": { "displayName": "M", "name.givenName": "Em", format!("{ENTERPRISE}:department"): "net" } }]),
            "/name",
            json!({ "givenName": "Em", "familyName": "M" }),
        ),
        (
            "entra: the manager as a list of one",
            json!([{ "op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": [{ "$ref": "https://x/Users/per_2", "value": "per_2" }] }]),
            "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/manager/value",
            json!("per_2"),
        ),
        (
            "entra: the manager as its id alone",
            json!([{ "op": "Replace", "path": format!("{ENTERPRISE}:manager"), "value": "per_3" }]),
            "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/manager",
            json!({ "value": "per_3" }),
        ),
        (
            "no manager",
            json!([{ "op": "remove", "path": format!("{ENTERPRISE}:manager") }]),
            "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
            json!({ "department": "db" }),
        ),
        ("the whole extension", json!([{ "op": "remove", "path": ENTERPRISE }]), "/displayName", json!("Maya")),
        (
            "another primary",
            json!([{ "op": "add", "path": "emails", "value": [{ "value": "p@example.org", "primary": true }] }]),
            "/emails/0/primary",
            json!(false),
        ),
        ("some of many", json!([{ "op": "remove", "path": "emails[type eq \"home\"]" }]), "/emails/1", Value::Null),
        (
            "case does not matter",
            json!([{ "OP": "replace", "PATH": "DISPLAYNAME", "value": "x" }]),
            "/displayName",
            json!("x"),
        ),
        (
            "the core by its whole name",
            json!([{ "op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:title", "value": "x" }]),
            "/title",
            json!("x"),
        ),
        (
            "null is nothing",
            json!([{ "op": "replace", "path": "displayName", "value": null }]),
            "/displayName",
            Value::Null,
        ),
        (
            "a password is not kept",
            json!([{ "op": "add", "path": "password", "value": "canary" }]),
            "/password",
            Value::Null,
        ),
    ];
    for (what, operations, at, expected) in checks {
        let sent = patched(User, person(), operations).unwrap_or_else(|e| panic!("{what}: {e}"));
        let found = Value::Object(sent.doc).pointer(at).cloned().unwrap_or_default();
        assert_eq!(found, expected, "{what}");
    }
    let sent = patched(User, person(), json!([{ "op": "replace", "path": "externalId", "value": "x2" }])).unwrap();
    assert_eq!(sent.external.as_deref(), Some("x2"));
}

#[test]
fn what_cannot_be_done_is_refused_with_its_word() {
    for (what, operations, kind) in [
        ("no such attribute", json!([{ "op": "add", "path": "shoeSize", "value": "9" }]), Kind::InvalidPath),
        ("no path at all", json!([{ "op": "add", "path": "a b c", "value": "9" }]), Kind::InvalidPath),
        (
            "deep beyond reason",
            json!([{ "op": "remove", "path": format!("emails[{}type pr{}]", "not (".repeat(500), ")".repeat(500)) }]),
            Kind::InvalidPath,
        ),
        ("longer than is read", json!([{ "op": "remove", "path": "e".repeat(9000) }]), Kind::InvalidPath),
        ("the server's own", json!([{ "op": "replace", "path": "id", "value": "per_9" }]), Kind::Mutability),
        (
            "groups are changed as groups",
            json!([{ "op": "add", "path": "groups", "value": [{ "value": "g" }] }]),
            Kind::Mutability,
        ),
        ("what is needed", json!([{ "op": "remove", "path": "userName" }]), Kind::InvalidValue),
        (
            "two primary",
            json!([{ "op": "replace", "path": "emails", "value": [{ "value": "a", "primary": true }, { "value": "b", "primary": "True" }] }]),
            Kind::InvalidValue,
        ),
        (
            "nothing is meant",
            json!([{ "op": "replace", "path": "emails[value co \"nobody\"].value", "value": "x" }]),
            Kind::NoTarget,
        ),
        ("remove what?", json!([{ "op": "remove" }]), Kind::NoTarget),
        ("no such operation", json!([{ "op": "move", "path": "title", "value": "x" }]), Kind::InvalidSyntax),
        ("a flag that is none", json!([{ "op": "replace", "path": "active", "value": "perhaps" }]), Kind::InvalidValue),
        ("a text that is none", json!([{ "op": "replace", "path": "title", "value": {} }]), Kind::InvalidValue),
        ("too long", json!([{ "op": "replace", "path": "title", "value": "x".repeat(5000) }]), Kind::InvalidValue),
    ] {
        let refused = patched(User, person(), operations).err().unwrap_or_else(|| panic!("{what} was done"));
        assert_eq!(refused.kind, kind, "{what}: {refused}");
    }
    let unnamed = read(User, json!({ "Operations": [] })).unwrap_err();
    assert_eq!(unnamed.kind, Kind::InvalidSyntax);
}

#[test]
fn members_come_and_go_as_entra_and_okta_say_it() {
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
    for (what, operations, left) in [
        (
            "entra: one comes",
            json!([{ "op": "Add", "path": "members", "value": [{ "value": "d" }] }]),
            ids(&["a", "b", "c", "d"]),
        ),
        (
            "entra: one goes, as a value",
            json!([{ "op": "Remove", "path": "members", "value": [{ "value": "b" }] }]),
            ids(&["a", "c"]),
        ),
        (
            "okta: one goes, by a filter",
            json!([{ "op": "remove", "path": "members[value eq \"b\"]" }]),
            ids(&["a", "c"]),
        ),
        (
            "several, by a filter",
            json!([{ "op": "remove", "path": "members[value eq \"a\" or value eq \"c\"]" }]),
            ids(&["b"]),
        ),
        ("by what they are", json!([{ "op": "remove", "path": "members[type eq \"User\"]" }]), ids(&[])),
        (
            "one that was never in",
            json!([{ "op": "remove", "path": "members[value eq \"z\"]" }]),
            ids(&["a", "b", "c"]),
        ),
        ("okta: all anew", json!([{ "op": "replace", "path": "members", "value": [{ "value": "z" }] }]), ids(&["z"])),
        (
            "okta: without a path",
            json!([{ "op": "replace", "value": { "id": "grp_1", "members": [{ "value": "z" }] } }]),
            ids(&["z"]),
        ),
        ("nobody", json!([{ "op": "remove", "path": "members" }]), ids(&[])),
        (
            "one after the other",
            json!([
                { "op": "remove", "path": "members" },
                { "op": "add", "path": "members", "value": { "value": "q" } },
            ]),
            ids(&["q"]),
        ),
    ] {
        assert_eq!(patched(Group, group(), operations).unwrap().members, left, "{what}");
    }
    for (what, operations, kind) in [
        (
            "a group in it",
            json!([{ "op": "add", "path": "members", "value": [{ "value": "g", "type": "Group" }] }]),
            Kind::InvalidValue,
        ),
        (
            "a member becomes another",
            json!([{ "op": "replace", "path": "members[value eq \"a\"].value", "value": "b" }]),
            Kind::Mutability,
        ),
        ("no id", json!([{ "op": "add", "path": "members", "value": [{ "display": "x" }] }]), Kind::InvalidValue),
    ] {
        assert_eq!(patched(Group, group(), operations).unwrap_err().kind, kind, "{what}");
    }
}

#[test]
fn an_end_is_heard_whatever_is_around_it() {
    let patch = |operations: Value| json!({ "schemas": ["x"], "Operations": operations });
    for (body, heard) in [
        (json!({ "active": false }), true),
        (json!({ "ACTIVE": "False", "userName": 7 }), true),
        (json!({ "active": true }), false),
        (json!({ "name": { "active": false } }), false),
        (json!({}), false),
        (json!([]), false),
        (patch(json!([{ "op": "Replace", "path": "active", "value": "False" }])), true),
        (patch(json!([{ "op": "add", "value": { "Active": false } }])), true),
        (
            patch(
                json!([{ "op": "replace", "path": "shoeSize", "value": 9 }, { "op": "replace", "path": "active", "value": false }]),
            ),
            true,
        ),
        (
            patch(
                json!([{ "op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:active", "value": false }]),
            ),
            true,
        ),
        (
            patch(
                json!([{ "op": "replace", "path": "active", "value": false }, { "op": "replace", "path": "active", "value": true }]),
            ),
            false,
        ),
        (patch(json!([{ "op": "remove", "path": "active", "value": false }])), false),
        (patch(json!([{ "op": "replace", "path": "inactive", "value": false }])), false),
        (patch(json!("x")), false),
    ] {
        assert_eq!(ends(&body), heard, "{body}");
    }
}
