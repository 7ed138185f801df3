//! What a directory is answered: resources with what the server says of them, lists, and only what was asked for.

use std::collections::BTreeSet;

use scim_v2::filter::PatchPath;
use serde_json::{Map, Value, json};

use crate::path::{LONGEST, Place, no_path, place, whole};
use crate::resource::Sent;
use crate::schema::ResourceKind;
use crate::{Kind, MOST_ON_A_PAGE, Refused, USUAL_PAGE};

/// Attributes named in one question.
const MOST_NAMED: usize = 64;

/// What the server says of a resource.
#[derive(Clone, Debug)]
pub struct Meta {
    /// Which.
    pub id: String,
    /// Since when, in RFC 3339.
    pub created: String,
    /// When it was changed, in RFC 3339.
    pub changed: String,
    /// The state it is in.
    pub version: String,
    /// The address of `/scim/v2`, without a slash at the end.
    pub base: String,
}

/// A resource, whole: `groups` are the ids and names of the groups somebody is in.
#[must_use]
pub fn render(kind: ResourceKind, sent: &Sent, meta: &Meta, groups: &[(String, String)]) -> Map<String, Value> {
    let mut whole = sent.doc.clone();
    let mut schemas = vec![kind.schema()];
    if let Some((urn, _)) = kind.extension()
        && let Some(Value::Object(parts)) = whole.get_mut(urn)
    {
        schemas.push(urn);
        if let Some(Value::Object(manager)) = parts.get_mut("manager")
            && let Some(id) = manager.get("value").and_then(Value::as_str)
        {
            let at = format!("{}/Users/{id}", meta.base);
            manager.insert("$ref".to_owned(), json!(at));
        }
    }
    whole.insert("schemas".to_owned(), json!(schemas));
    whole.insert("id".to_owned(), json!(meta.id));
    if let Some(external) = &sent.external {
        whole.insert("externalId".to_owned(), json!(external));
    }
    let location = format!("{}/{}/{}", meta.base, kind.endpoint(), meta.id);
    whole.insert(
        "meta".to_owned(),
        json!({
            "resourceType": kind.name(),
            "created": meta.created,
            "lastModified": meta.changed,
            "location": location,
            "version": meta.version,
        }),
    );
    if !groups.is_empty() {
        let one = |(id, name): &(String, String)| json!({ "value": id, "display": name, "$ref": format!("{}/Groups/{id}", meta.base) });
        whole.insert("groups".to_owned(), Value::Array(groups.iter().map(one).collect()));
    }
    if !sent.members.is_empty() {
        whole.insert("members".to_owned(), members(&sent.members, &meta.base));
    }
    whole
}

/// Who is in a group.
#[must_use]
pub fn members(ids: &BTreeSet<String>, base: &str) -> Value {
    let one = |id: &String| json!({ "value": id, "type": "User", "$ref": format!("{base}/Users/{id}") });
    Value::Array(ids.iter().map(one).collect())
}

/// Which attributes are asked for (RFC 7644 section 3.9).
#[derive(Clone, Debug, Default)]
pub struct Projection {
    only: Option<Vec<Place>>,
    without: Vec<Place>,
}

impl Projection {
    /// Reads `attributes` and `excludedAttributes`: names with commas between.
    ///
    /// # Errors
    /// When both are said, or one is no name. A name of nothing that is kept is left out.
    pub fn read(kind: ResourceKind, only: Option<&str>, without: Option<&str>) -> Result<Self, Refused> {
        match (only.filter(|text| !text.is_empty()), without.filter(|text| !text.is_empty())) {
            (Some(_), Some(_)) => {
                let why = "`attributes` and `excludedAttributes` exclude one another";
                Err(Refused::new(Kind::InvalidValue, why))
            }
            (only, without) => Ok(Self {
                only: only.map(|text| places(kind, text)).transpose()?,
                without: without.map(|text| places(kind, text)).transpose()?.unwrap_or_default(),
            }),
        }
    }

    /// Whether an attribute of the core may be left out of the work.
    #[must_use]
    pub fn wants(&self, attribute: &str) -> bool {
        let named = |place: &Place| place.attribute.is_some_and(|one| one.name == attribute);
        match &self.only {
            Some(only) => only.iter().any(named),
            None => !self.without.iter().any(|place| named(place) && place.sub.is_none()),
        }
    }

    /// What is asked for of a resource.
    #[must_use]
    pub fn of(&self, mut whole: Map<String, Value>) -> Value {
        if let Some(only) = &self.only {
            let mut kept = Map::new();
            for name in ["schemas", "id"] {
                kept.extend(whole.get(name).map(|value| (name.to_owned(), value.clone())));
            }
            for place in only {
                copy(&whole, place, &mut kept);
            }
            return Value::Object(kept);
        }
        for place in &self.without {
            leave_out(&mut whole, place);
        }
        Value::Object(whole)
    }
}

fn places(kind: ResourceKind, text: &str) -> Result<Vec<Place>, Refused> {
    if text.len() > LONGEST || text.split(',').count() > MOST_NAMED {
        return Err(Refused::new(Kind::TooMany, format!("at most {MOST_NAMED} attributes are named at once")));
    }
    let mut found = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if let Some(extension) = whole(kind, name) {
            found.push(extension);
            continue;
        }
        match name.parse() {
            Ok(PatchPath::Attr(attr)) => found.extend(place(kind, &attr)),
            Ok(PatchPath::Value(_)) | Err(_) => return Err(no_path(name)),
        }
    }
    Ok(found)
}

fn copy(whole: &Map<String, Value>, place: &Place, kept: &mut Map<String, Value>) {
    let (from, to) = match place.extension {
        Some(urn) => {
            let Some(from) = whole.get(urn).and_then(Value::as_object) else { return };
            if place.attribute.is_none() {
                kept.insert(urn.to_owned(), Value::Object(from.clone()));
                return;
            }
            let entry = kept.entry(urn).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(to) = entry else { return };
            (from, to)
        }
        None => (whole, kept),
    };
    let Some(attribute) = place.attribute else { return };
    let Some(value) = from.get(attribute.name) else { return };
    let Some(sub) = place.sub else {
        to.insert(attribute.name.to_owned(), value.clone());
        return;
    };
    let part = |one: &Value| one.get(sub.name).map(|part| (sub.name.to_owned(), part.clone()));
    let merged = |one: &Value, before: Option<&Value>| {
        let mut parts = before.and_then(Value::as_object).cloned().unwrap_or_default();
        parts.extend(part(one));
        Value::Object(parts)
    };
    let before = to.get(attribute.name).cloned();
    let after = match value {
        Value::Array(all) => {
            let before = |n: usize| before.as_ref().and_then(|before| before.get(n));
            Value::Array(all.iter().enumerate().map(|(n, one)| merged(one, before(n))).collect())
        }
        one => merged(one, before.as_ref()),
    };
    to.insert(attribute.name.to_owned(), after);
}

fn leave_out(whole: &mut Map<String, Value>, place: &Place) {
    let within = match place.extension {
        Some(urn) if place.attribute.is_none() => {
            whole.remove(urn);
            return;
        }
        Some(urn) => whole.get_mut(urn).and_then(Value::as_object_mut),
        None => Some(whole),
    };
    let (Some(within), Some(attribute)) = (within, place.attribute) else { return };
    // What says which resource it is stays (RFC 7643 section 7, `returned` = `always`).
    if attribute.name == "id" {
        return;
    }
    match (place.sub, within.get_mut(attribute.name)) {
        (None, _) => drop(within.remove(attribute.name)),
        (Some(sub), Some(Value::Array(all))) => {
            for one in all.iter_mut().filter_map(Value::as_object_mut) {
                one.remove(sub.name);
            }
        }
        (Some(sub), Some(Value::Object(parts))) => drop(parts.remove(sub.name)),
        (Some(_), _) => {}
    }
}

/// Which part of a list is asked for (RFC 7644 section 3.4.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many come before it.
    pub skip: usize,
    /// How many it holds at most.
    pub most: usize,
}

impl Page {
    /// Reads `startIndex`, which counts from 1, and `count`. What is less than that is taken for it.
    #[must_use]
    pub fn read(start: Option<i64>, count: Option<i64>) -> Self {
        let at_least = |number: i64, least: i64| usize::try_from(number.max(least)).unwrap_or(usize::MAX);
        let usual = i64::try_from(USUAL_PAGE).unwrap_or(i64::MAX);
        Self {
            skip: at_least(start.unwrap_or(1), 1).saturating_sub(1),
            most: at_least(count.unwrap_or(usual), 0).min(MOST_ON_A_PAGE),
        }
    }
}

/// A list of resources (RFC 7644 section 3.4.2).
#[must_use]
pub fn list(resources: Vec<Value>, total: usize, page: Page) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total,
        "startIndex": page.skip.saturating_add(1),
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}
