//! Resources, filters, lists and bulk calls, read and answered.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use wane_scim::filter::{Exact, Filter};
use wane_scim::resource::{self, Sent};
use wane_scim::schema::ResourceKind::{Group, User};
use wane_scim::{Kind, Meta, Page, Projection, bulk, path, render};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

fn person() -> Sent {
    let body = json!({
        "schemas": [CORE, ENTERPRISE], "USERNAME": "maya", "externalId": "x1", "active": "True",
        "emails": [{ "value": "maya@example.org", "type": "work", "primary": true }, { "value": "m@home.example" }],
        "meta": { "location": "elsewhere" }, "id": "theirs", "shoeSize": 9, "title": "", "nickName": null, "roles": [],
        ENTERPRISE: { "department": "db", "manager": { "value": "per_1", "displayName": "theirs" } },
    });
    resource::read(User, body).unwrap()
}

fn whole() -> Map<String, Value> {
    let (at, base) = (|text: &str| text.to_owned(), "https://wane.example/scim/v2".to_owned());
    let meta = Meta {
        id: at("per_9"),
        created: at("2026-01-01T00:00:00Z"),
        changed: at("2026-02-01T00:00:00Z"),
        version: at("W/\"1\""),
        base,
    };
    render(User, &person(), &meta, &[("grp_1".to_owned(), "corp.dba".to_owned())])
}

#[test]
fn a_resource_is_read_into_one_spelling_and_what_is_not_kept_is_left_out() {
    assert_eq!(
        Value::Object(person().doc),
        json!({
            "userName": "maya", "active": true,
            "emails": [{ "value": "maya@example.org", "type": "work", "primary": true }, { "value": "m@home.example" }],
            ENTERPRISE: { "department": "db", "manager": { "value": "per_1" } },
        })
    );
    for (what, body, kind) in [
        ("no object", json!([]), Kind::InvalidSyntax),
        ("of no schema", json!({ "userName": "a" }), Kind::InvalidSyntax),
        (
            "of another",
            json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "userName": "a" }),
            Kind::InvalidSyntax,
        ),
        ("nobody", json!({ "schemas": [CORE] }), Kind::InvalidValue),
        ("nobody at all", json!({ "schemas": [CORE], "userName": "  " }), Kind::InvalidValue),
        ("said twice", json!({ "schemas": [CORE], "userName": "a", "USERNAME": "b" }), Kind::InvalidSyntax),
        (
            "a part said twice",
            json!({ "schemas": [CORE], "userName": "a", "name": { "givenName": "a", "GivenName": "b" } }),
            Kind::InvalidSyntax,
        ),
        (
            "too many values",
            json!({ "schemas": [CORE], "userName": "a", "emails": vec![json!({ "value": "x" }); 300] }),
            Kind::TooLarge,
        ),
        (
            "too long",
            json!({ "schemas": [CORE], "userName": "a", "emails": vec![json!({ "value": "x".repeat(1000) }); 100] }),
            Kind::TooLarge,
        ),
        ("a name of another shape", json!({ "schemas": [CORE], "userName": { "x": 1 } }), Kind::InvalidValue),
    ] {
        let refused = resource::read(User, body).err().unwrap_or_else(|| panic!("{what} was read"));
        assert_eq!(refused.kind, kind, "{what}: {refused}");
    }
}

#[test]
fn filters_mean_what_the_standard_says() {
    let whole = whole();
    for (filter, means) in [
        ("userName eq \"maya\"", true),
        ("USERNAME Eq \"MAYA\"", true),
        ("userName ne \"maya\"", false),
        ("externalId eq \"X1\"", false),
        ("externalId eq \"x1\"", true),
        ("id eq \"per_9\"", true),
        ("active eq true", true),
        ("active eq \"True\"", true),
        ("not (active eq false)", true),
        ("userName sw \"ma\" and userName ew \"ya\" and userName co \"a\"", true),
        ("emails pr and title pr", false),
        ("title pr or emails.value co \"home\"", true),
        ("emails[type eq \"work\" and value co \"@example\"]", true),
        ("emails[type eq \"work\" and value co \"home\"]", false),
        ("emails co \"example.org\"", true),
        (&*format!("{ENTERPRISE}:department eq \"db\""), true),
        (&*format!("{ENTERPRISE}:manager.value eq \"per_1\""), true),
        ("meta.lastModified gt \"2026-01-15T00:00:00Z\"", true),
        ("meta.lastModified lt \"2026-01-15T00:00:00Z\"", false),
        ("groups[value eq \"grp_1\"]", true),
        ("groups.value eq \"grp_2\"", false),
        ("shoeSize eq \"9\"", false),
        ("shoeSize eq null", true),
        ("nickName eq null", true),
        ("userName eq null", false),
    ] {
        let read = Filter::read(filter).unwrap_or_else(|e| panic!("{filter}: {e}"));
        assert_eq!(read.matches(User, &whole), means, "{filter}");
    }
    for bad in ["", "userName", "userName eq", "userName is \"x\"", "(userName pr", "userName eq \"x\" and", "a.b.c pr"]
    {
        assert_eq!(Filter::read(bad).unwrap_err().kind, Kind::InvalidFilter, "{bad}");
    }
    let deep = format!("{}userName pr{}", "not (".repeat(100_000), ")".repeat(100_000));
    assert!(Filter::read(&deep).is_err() && Filter::read(&deep[..8000]).is_err());
    for (filter, kind, exact) in [
        ("userName eq \"Maya\"", User, Some(Exact::Named("Maya".to_owned()))),
        ("externalId eq \"x\"", Group, Some(Exact::External("x".to_owned()))),
        ("displayName eq \"x\"", Group, Some(Exact::Named("x".to_owned()))),
        ("displayName eq \"x\"", User, None),
        ("userName co \"x\"", User, None),
        ("userName eq \"x\" or id eq \"y\"", User, None),
    ] {
        assert_eq!(Filter::read(filter).unwrap().exact(kind), exact, "{filter}");
    }
}

#[test]
fn only_what_is_asked_for_is_answered() {
    let keys = |only: Option<&str>, without: Option<&str>| {
        let Value::Object(shown) = Projection::read(User, only, without).unwrap().of(whole()) else { panic!() };
        let mut keys: Vec<String> = shown.keys().cloned().collect();
        keys.sort();
        keys.join(" ")
    };
    assert_eq!(keys(Some("userName,emails.value"), None), "emails id schemas userName");
    assert_eq!(keys(Some(ENTERPRISE), None), format!("id schemas {ENTERPRISE}"));
    assert!(!keys(None, Some("emails,groups,id")).contains("emails") && keys(None, Some("id")).contains("id"));
    let Value::Object(shown) = Projection::read(User, Some("emails.value"), None).unwrap().of(whole()) else {
        panic!()
    };
    assert_eq!(shown["emails"], json!([{ "value": "maya@example.org" }, { "value": "m@home.example" }]));
    assert!(Projection::read(User, Some("a"), Some("b")).is_err());
    assert_eq!(whole()["meta"]["location"], "https://wane.example/scim/v2/Users/per_9");
    assert_eq!(whole()[ENTERPRISE]["manager"]["$ref"], "https://wane.example/scim/v2/Users/per_1");
    for (start, count, page) in [
        (None, None, Page { skip: 0, most: 100 }),
        (Some(0), Some(-1), Page { skip: 0, most: 0 }),
        (Some(-9), Some(5), Page { skip: 0, most: 5 }),
        (Some(11), Some(100_000), Page { skip: 10, most: 200 }),
    ] {
        assert_eq!(Page::read(start, count), page);
    }
}

#[test]
fn a_mapping_leads_to_one_text() {
    let doc = person().doc;
    for (at, text) in [
        ("userName", Some("maya")),
        ("emails", Some("maya@example.org")),
        ("emails.type", Some("work")),
        ("emails[type eq \"work\"].value", Some("maya@example.org")),
        ("emails[type eq \"home\"].value", None),
        (&*format!("{ENTERPRISE}:department"), Some("db")),
        ("active", Some("true")),
        ("title", None),
    ] {
        assert_eq!(path::text(User, at, &doc).unwrap().as_deref(), text, "{at}");
    }
    assert!(path::text(User, "shoeSize", &doc).is_err());
}

#[test]
fn a_bulk_call_refers_to_what_it_makes() {
    let call = |operations: Value| json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
    let read = bulk::read(call(json!([
        { "method": "POST", "path": "/Groups", "bulkId": "g", "data": { "members": [{ "value": "bulkId:p" }] } },
        { "method": "post", "path": "/Users", "bulkId": "p", "data": {} },
        { "method": "DELETE", "path": "Users/bulkId:p" },
    ])))
    .unwrap();
    let mut made = BTreeMap::new();
    assert!(
        bulk::referred(&read.operations[0], &made).is_none() && bulk::referred(&read.operations[2], &made).is_none()
    );
    made.insert("p".to_owned(), "per_1".to_owned());
    assert_eq!(bulk::referred(&read.operations[0], &made).unwrap().data["members"][0]["value"], "per_1");
    assert_eq!(bulk::referred(&read.operations[2], &made).unwrap().id.as_deref(), Some("per_1"));
    for (what, body) in [
        ("too many", call(json!(vec![json!({ "method": "DELETE", "path": "Users/x" }); 1001]))),
        ("no reference to it", call(json!([{ "method": "POST", "path": "/Users", "data": {} }]))),
        ("to nobody", call(json!([{ "method": "PUT", "path": "/Users", "data": {} }]))),
        ("elsewhere", call(json!([{ "method": "DELETE", "path": "/Schemas/x" }]))),
        (
            "twice the same",
            call(
                json!([{ "method": "POST", "path": "/Users", "bulkId": "p" }, { "method": "POST", "path": "/Users", "bulkId": "p" }]),
            ),
        ),
        (
            "never",
            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "failOnErrors": 0, "Operations": [] }),
        ),
    ] {
        assert!(bulk::read(body).is_err(), "{what}");
    }
}
