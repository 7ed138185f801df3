//! Where in a resource something is: a path of RFC 7644 section 3.5.2, held against the schema.

use scim_v2::filter::AttrPath;
use serde_json::{Map, Value};

use crate::refused::shown;
use crate::schema::{Attribute, COMMON, ResourceKind, find};
use crate::{Kind, Refused};

/// The longest path or filter, in bytes.
pub const LONGEST: usize = 8 * 1024;

/// A place that the schema knows.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The extension it is in; none in the core.
    pub extension: Option<&'static str>,
    /// The attribute; none for the whole extension.
    pub attribute: Option<&'static Attribute>,
    /// The attribute of the attribute.
    pub sub: Option<&'static Attribute>,
}

/// Finds the place of a parsed path; none if the schema has no such attribute.
#[must_use]
pub fn place(kind: ResourceKind, path: &AttrPath) -> Option<Place> {
    let extension = kind.extension();
    let (attributes, within) = match &path.uri {
        None => (kind.attributes(), None),
        Some(uri) if uri.eq_ignore_ascii_case(kind.schema()) => (kind.attributes(), None),
        Some(uri) => {
            let (urn, attributes) = extension?;
            if !uri.eq_ignore_ascii_case(urn) {
                // The name of an extension itself looks like an attribute behind a shorter name.
                return whole(kind, &format!("{uri}:{}", path.name)).filter(|_| path.sub_attr.is_none());
            }
            (attributes, Some(urn))
        }
    };
    let common = || within.is_none().then(|| find(COMMON, &path.name)).flatten();
    let attribute = find(attributes, &path.name).or_else(common)?;
    let sub = match &path.sub_attr {
        Some(sub) => Some(attribute.sub(sub)?),
        None => None,
    };
    Some(Place { extension: within, attribute: Some(attribute), sub })
}

/// The place of a whole extension, by its name.
#[must_use]
pub fn whole(kind: ResourceKind, text: &str) -> Option<Place> {
    let (urn, _) = kind.extension()?;
    urn.eq_ignore_ascii_case(text).then_some(Place { extension: Some(urn), attribute: None, sub: None })
}

/// Every plain text at a place: of several values, those of each; of values with parts, their `value`.
#[must_use]
pub fn values<'a>(resource: &'a Map<String, Value>, place: &Place) -> Vec<&'a Value> {
    let within = match place.extension {
        Some(urn) => resource.get(urn).and_then(Value::as_object),
        None => Some(resource),
    };
    let found = place.attribute.and_then(|one| within?.get(one.name));
    let sub = place.sub.map_or("value", |sub| sub.name);
    let each: Vec<&Value> = match found {
        Some(Value::Array(all)) => all.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    each.into_iter()
        .filter_map(|one| match one {
            Value::Object(parts) => parts.get(sub),
            Value::Null => None,
            plain => place.sub.is_none().then_some(plain),
        })
        .collect()
}

/// The text that a path of a mapping leads to, in a resource as it is kept. Of several values the one that is
/// primary, or the first.
///
/// # Errors
/// When the path is none.
pub fn text(kind: ResourceKind, path: &str, resource: &Map<String, Value>) -> Result<Option<String>, Refused> {
    let found = match crate::patch::target(kind, path)? {
        crate::patch::Target::At(place) => {
            primary_first(resource, &place).or_else(|| values(resource, &place).into_iter().next().cloned())
        }
        crate::patch::Target::Values { at, filter, sub } => {
            let all = at.attribute.and_then(|one| resource.get(one.name)).and_then(Value::as_array);
            let all = all.into_iter().flatten().filter_map(Value::as_object);
            let attribute = at.attribute;
            all.into_iter()
                .find(|one| attribute.is_some_and(|a| crate::filter::value_matches(&filter, a, one)))
                .and_then(|one| one.get(sub.map_or("value", |sub| sub.name)).cloned())
        }
    };
    Ok(match found {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        Some(Value::Bool(flag)) => Some(flag.to_string()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(_) | None => None,
    })
}

fn primary_first(resource: &Map<String, Value>, place: &Place) -> Option<Value> {
    let all = resource.get(place.attribute?.name)?.as_array()?;
    let primary = all.iter().find(|one| one.get("primary") == Some(&Value::Bool(true)))?;
    primary.get(place.sub.map_or("value", |sub| sub.name)).cloned()
}

/// A path that is none.
pub(crate) fn no_path(path: &str) -> Refused {
    Refused::new(Kind::InvalidPath, format!("`{}` is no attribute that is kept here; see `/Schemas`", shown(path)))
}
