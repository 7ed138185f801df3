//! What directories push: what is read is in its one spelling, and what is not meant is not touched.

use serde_json::{Value, json};
use wane_scim::filter::Filter;
use wane_scim::resource::{self, Sent};
use wane_scim::schema::ResourceKind::{Group, User};
use wane_scim::{Meta, Projection, patch, render};

pub(crate) mod seeds {
    //! Inputs that get somewhere.

    pub(crate) fn scim_filter() -> Vec<Vec<u8>> {
        let deep = format!("{}title pr{}", "not (".repeat(2_000), ")".repeat(2_000));
        [
            "userName eq \"maya\" and (active eq true or not (emails[type eq \"work\" and value co \"@\"]))",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value pr",
            "meta.lastModified gt \"2026-01-01T00:00:00Z\" or groups.value ne null",
            &deep,
        ]
        .map(|text| text.as_bytes().to_vec())
        .into()
    }

    pub(crate) fn scim_patch() -> Vec<Vec<u8>> {
        [
            r#"[{"op":"Replace","path":"emails[type eq \"work\"].value","value":"x"},{"op":"add","value":{"name.givenName":"a","active":"False"}}]"#,
            r#"[{"op":"Remove","path":"members","value":[{"value":"a"}]},{"op":"remove","path":"members[value eq \"b\"]"}]"#,
            r#"[{"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":[{"value":"per_1"}]},{"op":"remove","path":"emails"}]"#,
            r#"[{"op":"add","path":"emails","value":[{"value":"p","primary":true}]},{"op":"replace","path":"externalId","value":"e"}]"#,
        ]
        .map(|text| text.as_bytes().to_vec())
        .into()
    }
}

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn person() -> Sent {
    let body = json!({
        "schemas": [User.schema()], "userName": "maya", "externalId": "x", "active": true,
        "emails": [{ "value": "a@b", "type": "work", "primary": true }, { "value": "c@d" }],
        ENTERPRISE: { "manager": { "value": "per_1" } },
    });
    resource::read(User, body).unwrap()
}

fn group() -> Sent {
    let members = json!([{ "value": "a" }, { "value": "b" }]);
    resource::read(Group, json!({ "schemas": [Group.schema()], "displayName": "g", "members": members })).unwrap()
}

fn meta() -> Meta {
    let (id, created, changed) =
        ("per_9".to_owned(), "2026-01-01T00:00:00Z".to_owned(), "2026-01-02T00:00:00Z".to_owned());
    Meta { id, created, changed, version: "W/\"1\"".to_owned(), base: "https://wane.example/scim/v2".to_owned() }
}

/// A filter and its opposite mean a resource and not the other; a mapping's path is read or refused.
pub(crate) fn scim_filter(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for (kind, sent) in [(User, person()), (Group, group())] {
        let whole = render(kind, &sent, &meta(), &[]);
        if let Ok(filter) = Filter::read(&text) {
            let means = filter.matches(kind, &whole);
            if let Ok(opposite) = Filter::read(&format!("not ({text})")) {
                assert_eq!(opposite.matches(kind, &whole), !means, "{text}");
            }
        }
        if let Ok(only) = Projection::read(kind, Some(&text), None) {
            assert_eq!(only.of(whole.clone())["id"], "per_9");
        }
        if let Ok(without) = Projection::read(kind, None, Some(&text)) {
            assert_eq!(without.of(whole.clone())["id"], "per_9");
        }
        drop(patch::target(kind, &text));
        drop(wane_scim::path::text(kind, &text, &sent.doc));
    }
}

/// What is patched is whole and in its one spelling: sent back as it is answered, it is the same.
pub(crate) fn scim_patch(data: &[u8]) {
    let Ok(operations) = serde_json::from_slice::<Value>(data) else { return };
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
    for (kind, before) in [(User, person()), (Group, group())] {
        let Ok(read) = patch::read(kind, body.clone()) else { continue };
        let mut sent = before;
        if patch::apply(kind, &mut sent, read).is_err() {
            continue;
        }
        let mut whole = render(kind, &sent, &meta(), &[]);
        if let Some(Value::Object(manager)) = whole.get_mut(ENTERPRISE).and_then(|parts| parts.get_mut("manager")) {
            // Where somebody is is said by the server.
            let kept = sent.doc[ENTERPRISE]["manager"].get("$ref").is_some();
            if kept {
                manager.insert("$ref".to_owned(), sent.doc[ENTERPRISE]["manager"]["$ref"].clone())
            } else {
                manager.remove("$ref")
            };
        }
        let again = resource::read(kind, Value::Object(whole)).unwrap_or_else(|e| panic!("{e}: {body}"));
        assert_eq!(again, sent, "{body}");
        if kind == User && patch::ends(&body) {
            assert_ne!(sent.doc.get("active"), Some(&Value::Bool(true)), "an end was heard that is none: {body}");
        }
    }
}
