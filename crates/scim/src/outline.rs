//! What the server says about itself (RFC 7643 sections 5 to 7): made from the schema that is served.

use serde_json::{Map, Value, json};

use crate::schema::{Attribute, Case, Change, Count, ENTERPRISE, Needed, ResourceKind, USER, What};
use crate::{MOST_ON_A_PAGE, bulk};

const KINDS: [ResourceKind; 2] = [ResourceKind::User, ResourceKind::Group];

/// What is served, at an address of `/scim/v2`.
#[must_use]
pub fn about_server(base: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": true, "maxOperations": bulk::MOST, "maxPayloadSize": bulk::LONGEST_BODY },
        "filter": { "supported": true, "maxResults": MOST_ON_A_PAGE },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "The token that `wane directory add` printed.",
            "primary": true,
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig") },
    })
}

/// The kinds of resources.
#[must_use]
pub fn resource_types(base: &str) -> Vec<Value> {
    KINDS.into_iter().map(|kind| resource_type(kind, base)).collect()
}

fn resource_type(kind: ResourceKind, base: &str) -> Value {
    let mut all = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": kind.name(),
        "name": kind.name(),
        "endpoint": format!("/{}", kind.endpoint()),
        "description": match kind { ResourceKind::User => "People", ResourceKind::Group => "Groups of people" },
        "schema": kind.schema(),
        "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", kind.name()) },
    });
    if let (Some((urn, _)), Some(all)) = (kind.extension(), all.as_object_mut()) {
        all.insert("schemaExtensions".to_owned(), json!([{ "schema": urn, "required": false }]));
    }
    all
}

/// The schemas. `name` is the attribute of a person that is their name here, which does not change.
#[must_use]
pub fn schemas(base: &str, name: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for kind in KINDS {
        all.push(schema(base, (kind.schema(), kind.name()), kind.attributes(), name));
        if let Some((urn, attributes)) = kind.extension() {
            all.push(schema(base, (urn, "EnterpriseUser"), attributes, name));
        }
    }
    all
}

fn schema(base: &str, (id, called): (&str, &str), attributes: &'static [Attribute], name: &str) -> Value {
    let described = |one: &Attribute| {
        let full = if id == ENTERPRISE { format!("{ENTERPRISE}:{}", one.name) } else { one.name.to_owned() };
        let is_name = full.eq_ignore_ascii_case(name) && id != crate::schema::GROUP;
        let mut said = attribute(one);
        if let Some(said) = said.as_object_mut().filter(|_| is_name) {
            said.insert("mutability".to_owned(), json!("immutable"));
        }
        if let Some(said) = said.as_object_mut().filter(|_| id == USER && one.name == "userName") {
            said.insert("uniqueness".to_owned(), json!("server"));
        }
        said
    };
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": id,
        "name": called,
        "description": called,
        "attributes": attributes.iter().map(described).collect::<Vec<_>>(),
        "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{id}") },
    })
}

fn attribute(one: &Attribute) -> Value {
    let mut said = Map::new();
    let mut say = |name: &str, value: Value| drop(said.insert(name.to_owned(), value));
    say("name", json!(one.name));
    say("description", json!(one.about));
    say("multiValued", json!(one.count == Count::Many));
    say("required", json!(one.needed == Needed::Yes));
    say("caseExact", json!(one.case == Case::Matters));
    say("returned", json!("default"));
    say("uniqueness", json!("none"));
    say(
        "mutability",
        json!(match one.change {
            Change::ReadWrite => "readWrite",
            Change::Immutable => "immutable",
            Change::ReadOnly => "readOnly",
        }),
    );
    match one.what {
        What::Text => say("type", json!("string")),
        What::Flag => say("type", json!("boolean")),
        What::Reference(to) => {
            say("type", json!("reference"));
            say("referenceTypes", json!(to));
        }
        What::Complex(subs) => {
            say("type", json!("complex"));
            say("subAttributes", Value::Array(subs.iter().map(attribute).collect()));
        }
    }
    if !one.words.is_empty() {
        say("canonicalValues", json!(one.words));
    }
    Value::Object(said)
}
