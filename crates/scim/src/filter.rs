//! Filters (RFC 7644 section 3.4.2.2): read within bounds, and held against resources.

use scim_v2::filter::{AttrExp, CompValue, CompareOp, Filter as Parsed, ValFilter};
use serde_json::{Map, Value};

use crate::path::{LONGEST, Place, place, values};
use crate::refused::shown;
use crate::schema::{Attribute, Case, ResourceKind};
use crate::{Kind, Refused};

/// A filter over resources.
#[derive(Clone, Debug)]
pub struct Filter(Parsed);

/// What a filter asks for, where an index answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exact {
    /// The resource of this id.
    Id(String),
    /// The one the directory calls so.
    External(String),
    /// The person of this user name, or the group of this display name.
    Named(String),
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// When it is none, too long or too deep.
    pub fn read(text: &str) -> Result<Self, Refused> {
        if text.len() > LONGEST {
            return Err(Refused::new(Kind::InvalidFilter, format!("a filter has at most {LONGEST} bytes")));
        }
        let wrong = || format!("`{}` is no filter (RFC 7644 section 3.4.2.2)", shown(text));
        text.parse().map(Self).map_err(|_| Refused::new(Kind::InvalidFilter, wrong()))
    }

    /// What it asks for, if that is one thing by one of its names.
    #[must_use]
    pub fn exact(&self, kind: ResourceKind) -> Option<Exact> {
        let Parsed::Attr(AttrExp::Comparison(path, CompareOp::Eq, CompValue::Str(text))) = &self.0 else {
            return None;
        };
        let found = place(kind, path)?;
        if found.extension.is_some() || found.sub.is_some() {
            return None;
        }
        match (found.attribute?.name, kind) {
            ("id", _) => Some(Exact::Id(text.clone())),
            ("externalId", _) => Some(Exact::External(text.clone())),
            ("userName", ResourceKind::User) | ("displayName", ResourceKind::Group) => Some(Exact::Named(text.clone())),
            (_, ResourceKind::User | ResourceKind::Group) => None,
        }
    }

    /// Whether a resource is meant. An attribute that is not kept is one without a value.
    #[must_use]
    pub fn matches(&self, kind: ResourceKind, resource: &Map<String, Value>) -> bool {
        holds(&self.0, kind, resource)
    }
}

// As deep as the parser lets a filter be, which is little.
fn holds(filter: &Parsed, kind: ResourceKind, resource: &Map<String, Value>) -> bool {
    match filter {
        Parsed::Attr(one) => expression(one, kind, resource),
        Parsed::Not(inner) => !holds(inner, kind, resource),
        Parsed::And(all) => all.iter().all(|one| holds(one, kind, resource)),
        Parsed::Or(all) => all.iter().any(|one| holds(one, kind, resource)),
        Parsed::ValuePath(path) => {
            let Some(Place { attribute: Some(attribute), extension, .. }) = place(kind, &path.attr) else {
                return false;
            };
            let within = match extension {
                Some(urn) => resource.get(urn).and_then(Value::as_object),
                None => Some(resource),
            };
            let each: Vec<&Map<String, Value>> = match within.and_then(|within| within.get(attribute.name)) {
                Some(Value::Array(all)) => all.iter().filter_map(Value::as_object).collect(),
                Some(Value::Object(one)) => vec![one],
                _ => Vec::new(),
            };
            each.into_iter().any(|one| value_matches(&path.filter, attribute, one))
        }
    }
}

fn expression(one: &AttrExp, kind: ResourceKind, resource: &Map<String, Value>) -> bool {
    let (AttrExp::Present(path) | AttrExp::Comparison(path, ..)) = one;
    let Some(found) = place(kind, path) else { return says_nothing(one) };
    let (Some(attribute), sub) = (found.attribute, found.sub) else { return says_nothing(one) };
    let last = sub.or_else(|| attribute.sub("value")).unwrap_or(attribute);
    match one {
        // Of an attribute with parts any part will do.
        AttrExp::Present(_) if sub.is_none() => {
            let within = match found.extension {
                Some(urn) => resource.get(urn).and_then(Value::as_object),
                None => Some(resource),
            };
            within.and_then(|within| within.get(attribute.name)).is_some_and(is_something)
        }
        AttrExp::Present(_) => values(resource, &found).into_iter().any(is_something),
        AttrExp::Comparison(_, op, wanted) => compared(&values(resource, &found), op, wanted, last),
    }
}

/// Whether one of several values, with its parts, is meant.
#[must_use]
pub fn value_matches(filter: &ValFilter, attribute: &'static Attribute, value: &Map<String, Value>) -> bool {
    match filter {
        ValFilter::Not(inner) => !value_matches(inner, attribute, value),
        ValFilter::And(all) => all.iter().all(|one| value_matches(one, attribute, value)),
        ValFilter::Or(all) => all.iter().any(|one| value_matches(one, attribute, value)),
        ValFilter::Attr(one) => {
            let (AttrExp::Present(path) | AttrExp::Comparison(path, ..)) = one;
            let Some(sub) = attribute.sub(&path.name).filter(|_| path.sub_attr.is_none()) else {
                return says_nothing(one);
            };
            let found: Vec<&Value> = value.get(sub.name).into_iter().collect();
            match one {
                AttrExp::Present(_) => found.into_iter().any(is_something),
                AttrExp::Comparison(_, op, wanted) => compared(&found, op, wanted, sub),
            }
        }
    }
}

/// What holds of an attribute without a value.
fn says_nothing(one: &AttrExp) -> bool {
    match one {
        AttrExp::Present(_) => false,
        AttrExp::Comparison(_, op, wanted) => match op {
            CompareOp::Eq => matches!(wanted, CompValue::Null),
            CompareOp::Ne => !matches!(wanted, CompValue::Null),
            CompareOp::Co
            | CompareOp::Sw
            | CompareOp::Ew
            | CompareOp::Gt
            | CompareOp::Lt
            | CompareOp::Ge
            | CompareOp::Le => false,
        },
    }
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(all) => !all.is_empty(),
        Value::Object(parts) => !parts.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn compared(found: &[&Value], op: &CompareOp, wanted: &CompValue, attribute: &Attribute) -> bool {
    let any = |op: &CompareOp| found.iter().any(|one| one_compared(one, op, wanted, attribute));
    match (op, wanted) {
        (CompareOp::Eq, CompValue::Null) => !found.iter().any(|one| is_something(one)),
        (CompareOp::Ne, CompValue::Null) => found.iter().any(|one| is_something(one)),
        (CompareOp::Ne, _) => !any(&CompareOp::Eq),
        (op, _) => any(op),
    }
}

fn one_compared(value: &Value, op: &CompareOp, wanted: &CompValue, attribute: &Attribute) -> bool {
    let (have, want) = match (value, wanted) {
        (Value::Bool(have), CompValue::True | CompValue::False) => {
            return matches!(op, CompareOp::Eq) && *have == matches!(wanted, CompValue::True);
        }
        // Some write a flag as a word.
        (Value::Bool(have), CompValue::Str(want)) => {
            return matches!(op, CompareOp::Eq) && have.to_string().eq_ignore_ascii_case(want);
        }
        (Value::String(have), CompValue::Str(want)) => match attribute.case {
            Case::Matters => (have.clone(), want.clone()),
            Case::Ignored => (have.to_lowercase(), want.to_lowercase()),
        },
        (_, _) => return false,
    };
    match op {
        CompareOp::Eq => have == want,
        CompareOp::Ne => have != want,
        CompareOp::Co => have.contains(&want),
        CompareOp::Sw => have.starts_with(&want),
        CompareOp::Ew => have.ends_with(&want),
        CompareOp::Gt => have > want,
        CompareOp::Lt => have < want,
        CompareOp::Ge => have >= want,
        CompareOp::Le => have <= want,
    }
}
