//! PATCH (RFC 7644 section 3.5.2), with what Entra ID and Okta send of their own: operations in any case, flags as
//! words, values of `remove`, places that are made by being written to.

use std::collections::BTreeSet;

use scim_v2::filter::{AttrExp, CompValue, CompareOp, PatchPath, ValFilter};
use serde_json::{Map, Value};

use crate::filter::value_matches;
use crate::path::{LONGEST, Place, no_path, place, whole};
use crate::resource::{self, Sent, syntax, wrong};
use crate::schema::{Attribute, Change, Count, ResourceKind, What, find};
use crate::{Kind, Refused};

/// Operations of one PATCH.
const MOST: usize = 1000;
const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// One operation.
#[derive(Clone, Debug)]
pub struct Operation {
    /// What is done.
    pub op: Op,
    /// Where; none for the resource itself.
    pub target: Option<Target>,
    /// With what.
    pub value: Value,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the words of the standard")]
pub enum Op {
    Add,
    Replace,
    Remove,
}

/// Where something is done.
#[derive(Clone, Debug)]
pub enum Target {
    /// At a place.
    At(Place),
    /// At some of several values.
    Values {
        /// The attribute that has several.
        at: Place,
        /// Which.
        filter: ValFilter,
        /// A part of each.
        sub: Option<&'static Attribute>,
    },
}

impl Target {
    fn place(&self) -> &Place {
        match self {
            Self::At(at) | Self::Values { at, .. } => at,
        }
    }
}

/// Reads a path.
///
/// # Errors
/// When it is none, or of nothing that is kept.
pub fn target(kind: ResourceKind, path: &str) -> Result<Target, Refused> {
    if path.len() > LONGEST {
        return Err(Refused::new(Kind::InvalidPath, format!("a path has at most {LONGEST} bytes")));
    }
    if let Some(extension) = whole(kind, path.trim()) {
        return Ok(Target::At(extension));
    }
    match path.parse().map_err(|_| no_path(path))? {
        PatchPath::Attr(attr) => place(kind, &attr).map(Target::At).ok_or_else(|| no_path(path)),
        PatchPath::Value(value) => {
            let at = place(kind, &value.attr).filter(|at| at.sub.is_none()).ok_or_else(|| no_path(path))?;
            let attribute = at.attribute.filter(|one| one.count == Count::Many).ok_or_else(|| no_path(path))?;
            let sub = match &value.sub_attr {
                Some(sub) => Some(attribute.sub(sub).ok_or_else(|| no_path(path))?),
                None => None,
            };
            Ok(Target::Values { at, filter: value.filter, sub })
        }
    }
}

/// Reads the operations of a PATCH.
///
/// # Errors
/// When it is none.
pub fn read(kind: ResourceKind, body: Value) -> Result<Vec<Operation>, Refused> {
    let Value::Object(mut body) = body else { return Err(syntax("a PATCH is a JSON object")) };
    resource::named(&body, SCHEMA)?;
    let key = body.keys().find(|key| key.eq_ignore_ascii_case("Operations")).cloned();
    let Some(Value::Array(all)) = key.and_then(|key| body.remove(&key)) else {
        return Err(syntax("a PATCH has a list of `Operations`"));
    };
    if all.len() > MOST {
        return Err(Refused::new(Kind::TooLarge, format!("a PATCH has at most {MOST} operations")));
    }
    let mut read = Vec::new();
    for one in all {
        operation(kind, one, &mut read)?;
    }
    Ok(read)
}

fn operation(kind: ResourceKind, one: Value, read: &mut Vec<Operation>) -> Result<(), Refused> {
    let Value::Object(parts) = one else { return Err(syntax("an operation is an object")) };
    let (mut op, mut path, mut value) = (None, None, Value::Null);
    for (key, part) in parts {
        match key.to_ascii_lowercase().as_str() {
            "op" => op = part.as_str().and_then(word),
            "path" => match part {
                Value::Null => {}
                Value::String(text) => path = Some(text).filter(|text| !text.is_empty()),
                _ => return Err(syntax("a `path` is text")),
            },
            "value" => value = part,
            _ => {}
        }
    }
    let op = op.ok_or_else(|| syntax("an operation has an `op`: `add`, `replace` or `remove`"))?;
    match (op, path, value) {
        // What is not kept is not kept, whoever says it.
        (_, Some(path), _) if path.eq_ignore_ascii_case("password") => {}
        (op, Some(path), value) => read.push(Operation { op, target: Some(target(kind, &path)?), value }),
        (Op::Remove, None, _) => {
            return Err(Refused::new(Kind::NoTarget, "a `remove` needs a `path`"));
        }
        (op, None, Value::Object(parts)) => {
            for (key, value) in parts {
                let common = ["id", "schemas", "meta", "password"].iter().any(|one| one.eq_ignore_ascii_case(&key));
                // As in a whole resource, what is not kept is left out.
                if !common && let Ok(target) = target(kind, &key) {
                    read.push(Operation { op, target: Some(target), value });
                }
            }
        }
        (Op::Add | Op::Replace, None, _) => {
            return Err(wrong("an operation without a `path` has an object as `value`"));
        }
    }
    Ok(())
}

fn word(text: &str) -> Option<Op> {
    match text.to_ascii_lowercase().as_str() {
        "add" => Some(Op::Add),
        "replace" => Some(Op::Replace),
        "remove" => Some(Op::Remove),
        _ => None,
    }
}

/// Does the operations, one after the other, to a resource as it is kept. All or, with an error, nothing that counts.
///
/// # Errors
/// When one cannot be done.
pub fn apply(kind: ResourceKind, sent: &mut Sent, operations: Vec<Operation>) -> Result<(), Refused> {
    for Operation { op, target, value } in operations {
        let Some(target) = target else { continue };
        let at = *target.place();
        if at.attribute.is_some_and(|one| one.name == "externalId") {
            sent.external = if op == Op::Remove { None } else { resource::external(value)? };
        } else if at.attribute.is_some_and(|one| one.change == Change::ReadOnly)
            || at.sub.is_some_and(|one| one.change == Change::ReadOnly)
        {
            let name = at.attribute.map_or("", |one| one.name);
            return Err(Refused::new(Kind::Mutability, format!("`{name}` is said by this server only")));
        } else if at.attribute.is_some_and(|one| resource::is_members(kind, one)) {
            change_members(&mut sent.members, op, target, value)?;
        } else {
            change(kind, &mut sent.doc, op, target, value)?;
        }
    }
    resource::check(kind, sent)
}

/// Whether what a directory sent says that somebody may do nothing any more, whatever else it says.
#[must_use]
pub fn ends(body: &Value) -> bool {
    let off = |value: &Value| match value {
        Value::Bool(flag) => !flag,
        Value::String(text) => text.eq_ignore_ascii_case("false"),
        // Some wrap the one value there is.
        Value::Array(all) => matches!(all.as_slice(), [Value::Bool(false)]),
        _ => false,
    };
    let said = |parts: &Map<String, Value>| parts.iter().any(|(key, value)| is_active(key) && off(value));
    let Some(body) = body.as_object() else { return false };
    let operations = body.iter().find(|(key, _)| key.eq_ignore_ascii_case("Operations"));
    let Some((_, Value::Array(all))) = operations else { return said(body) };
    // The last word counts.
    let mut ends = false;
    for one in all.iter().filter_map(Value::as_object) {
        let part = |name: &str| one.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let writes = part("op").and_then(Value::as_str).and_then(word).is_some_and(|op| op != Op::Remove);
        match (part("path").and_then(Value::as_str), part("value")) {
            (Some(path), Some(value)) if writes && is_active(path) => ends = off(value),
            (None, Some(Value::Object(parts))) if writes && parts.keys().any(|key| is_active(key)) => {
                ends = said(parts)
            }
            _ => {}
        }
    }
    ends
}

fn is_active(key: &str) -> bool {
    let key = key.trim();
    let short = key.len().checked_sub("active".len()).and_then(|at| key.get(at..));
    short.is_some_and(|short| short.eq_ignore_ascii_case("active"))
        && key.get(..key.len().saturating_sub("active".len())).is_some_and(|urn| {
            urn.is_empty() || urn.strip_suffix(':').is_some_and(|urn| urn.eq_ignore_ascii_case(crate::schema::USER))
        })
}

fn change_members(members: &mut BTreeSet<String>, op: Op, target: Target, value: Value) -> Result<(), Refused> {
    match (target, op) {
        (Target::At(Place { sub: None, .. }), Op::Add) => members.extend(resource::members(value)?),
        (Target::At(Place { sub: None, .. }), Op::Replace) => *members = resource::members(value)?,
        // Some say whom to remove as a value. To take that for all would empty the group.
        (Target::At(Place { sub: None, .. }), Op::Remove) if !value.is_null() => {
            for one in resource::members(value)? {
                members.remove(&one);
            }
        }
        (Target::At(Place { sub: None, .. }), Op::Remove) => members.clear(),
        (Target::Values { at, filter, sub: None }, Op::Remove) => {
            let attribute = at.attribute;
            members.retain(|id| {
                let one = Map::from_iter([
                    ("value".to_owned(), Value::String(id.clone())),
                    ("type".to_owned(), Value::String("User".to_owned())),
                ]);
                !attribute.is_some_and(|attribute| value_matches(&filter, attribute, &one))
            });
        }
        (Target::At(_) | Target::Values { .. }, _) => {
            return Err(Refused::new(Kind::Mutability, "who a member is does not change; remove one and add another"));
        }
    }
    if members.len() > resource::MOST_MEMBERS {
        return Err(Refused::new(Kind::TooLarge, format!("a group has at most {} members", resource::MOST_MEMBERS)));
    }
    Ok(())
}

fn change(
    kind: ResourceKind,
    doc: &mut Map<String, Value>,
    op: Op,
    target: Target,
    value: Value,
) -> Result<(), Refused> {
    let at = *target.place();
    let Some(attribute) = at.attribute else { return change_extension(kind, doc, op, value) };
    let Some(urn) = at.extension else { return change_in(doc, attribute, op, target, value) };
    let mut parts = match doc.remove(urn) {
        Some(Value::Object(parts)) => parts,
        _ => Map::new(),
    };
    change_in(&mut parts, attribute, op, target, value)?;
    if !parts.is_empty() {
        doc.insert(urn.to_owned(), Value::Object(parts));
    }
    Ok(())
}

fn change_extension(kind: ResourceKind, doc: &mut Map<String, Value>, op: Op, value: Value) -> Result<(), Refused> {
    let Some((urn, attributes)) = kind.extension() else { return Ok(()) };
    if op == Op::Remove {
        doc.remove(urn);
        return Ok(());
    }
    let Value::Object(parts) = value else { return Err(wrong("an extension is an object")) };
    for (key, value) in parts {
        if let Some(attribute) = find(attributes, &key).filter(|one| one.change != Change::ReadOnly) {
            let place = Place { extension: Some(urn), attribute: Some(attribute), sub: None };
            change(kind, doc, op, Target::At(place), value)?;
        }
    }
    Ok(())
}

fn change_in(
    parts: &mut Map<String, Value>,
    attribute: &'static Attribute,
    op: Op,
    target: Target,
    value: Value,
) -> Result<(), Refused> {
    let after = match target {
        Target::Values { filter, sub, .. } => {
            some_values(parts.remove(attribute.name), attribute, op, (&filter, sub), value)?
        }
        Target::At(Place { sub: Some(sub), .. }) => part_of(parts.remove(attribute.name), attribute, op, sub, value)?,
        Target::At(Place { sub: None, .. }) => all_of(parts.remove(attribute.name), attribute, op, value)?,
    };
    if let Some(after) = after {
        parts.insert(attribute.name.to_owned(), after);
    }
    Ok(())
}

/// An attribute as a whole.
fn all_of(
    before: Option<Value>,
    attribute: &'static Attribute,
    op: Op,
    value: Value,
) -> Result<Option<Value>, Refused> {
    match (op, attribute.count) {
        (Op::Remove, Count::Many) if !value.is_null() => {
            let Some(Value::Array(gone)) = resource::value(attribute, value)? else { return Ok(before) };
            let Some(Value::Array(mut all)) = before else { return Ok(None) };
            all.retain(|one| !gone.iter().any(|gone| one == gone || same_value(one, gone)));
            Ok((!all.is_empty()).then_some(Value::Array(all)))
        }
        (Op::Remove, Count::One | Count::Many) => Ok(None),
        (Op::Replace, Count::Many) => resource::value(attribute, value),
        (Op::Add, Count::Many) => {
            let Some(Value::Array(new)) = resource::value(attribute, value)? else { return Ok(before) };
            let mut all = match before {
                Some(Value::Array(all)) => all,
                _ => Vec::new(),
            };
            for one in new {
                if one.get("primary") == Some(&Value::Bool(true)) {
                    no_primary(&mut all);
                }
                if !all.contains(&one) {
                    all.push(one);
                }
            }
            resource::value(attribute, Value::Array(all))
        }
        (Op::Add | Op::Replace, Count::One) => {
            let Some(new) = resource::value(attribute, value)? else { return Ok(None) };
            match (before, new) {
                // Of what has parts those stay that are not said.
                (Some(Value::Object(mut parts)), Value::Object(new)) => {
                    // Who a manager is decides where, and not the other way round.
                    if new.contains_key("value") {
                        parts.remove("$ref");
                    }
                    parts.extend(new);
                    Ok(Some(Value::Object(parts)))
                }
                (_, new) => Ok(Some(new)),
            }
        }
    }
}

/// One part of an attribute with parts; of several values that of each.
fn part_of(
    before: Option<Value>,
    attribute: &'static Attribute,
    op: Op,
    sub: &'static Attribute,
    value: Value,
) -> Result<Option<Value>, Refused> {
    match before {
        Some(Value::Array(mut all)) => {
            for one in &mut all {
                set_part(one, op, sub, value.clone())?;
            }
            all.retain(is_something);
            resource::value(attribute, Value::Array(all))
        }
        None if attribute.count == Count::Many && op != Op::Remove => {
            Err(Refused::new(Kind::NoTarget, format!("`{}` has no value to write to", attribute.name)))
        }
        before => {
            let mut one = before.unwrap_or_else(|| Value::Object(Map::new()));
            set_part(&mut one, op, sub, value)?;
            Ok(Some(one).filter(is_something))
        }
    }
}

/// Those of several values that a filter means.
fn some_values(
    before: Option<Value>,
    attribute: &'static Attribute,
    op: Op,
    (filter, sub): (&ValFilter, Option<&'static Attribute>),
    value: Value,
) -> Result<Option<Value>, Refused> {
    let mut all = match before {
        Some(Value::Array(all)) => all,
        _ => Vec::new(),
    };
    let meant = |one: &Value| one.as_object().is_some_and(|one| value_matches(filter, attribute, one));
    if op == Op::Remove && sub.is_none() {
        all.retain(|one| !meant(one));
        return Ok((!all.is_empty()).then_some(Value::Array(all)));
    }
    if op != Op::Remove && !all.iter().any(meant) {
        // A value that is told apart by nothing but words of its own is made by being written to.
        let made = made_of(filter, attribute).ok_or_else(|| {
            Refused::new(Kind::NoTarget, format!("no value of `{}` is meant by that", attribute.name))
        })?;
        all.push(Value::Object(made));
    }
    let mut kept = Vec::new();
    let (meant, mut others): (Vec<Value>, Vec<Value>) = all.into_iter().partition(meant);
    for mut one in meant {
        match sub {
            Some(sub) => set_part(&mut one, op, sub, value.clone())?,
            None => {
                let Some(Value::Object(new)) = resource::single(attribute, value.clone())? else {
                    return Err(wrong(&format!("a value of `{}` is an object", attribute.name)));
                };
                if let Value::Object(parts) = &mut one {
                    parts.extend(new);
                }
            }
        }
        if one.get("primary") == Some(&Value::Bool(true)) {
            no_primary(&mut others);
        }
        kept.push(one);
    }
    kept.extend(others);
    kept.retain(is_something);
    resource::value(attribute, Value::Array(kept))
}

/// The value of which a filter says every part, if it says no more than that.
fn made_of(filter: &ValFilter, attribute: &'static Attribute) -> Option<Map<String, Value>> {
    match filter {
        ValFilter::Attr(AttrExp::Comparison(path, CompareOp::Eq, wanted)) => {
            let sub = attribute.sub(&path.name).filter(|_| path.sub_attr.is_none())?;
            let value = match (sub.what, wanted) {
                (What::Text, CompValue::Str(text)) => Value::String(text.clone()),
                (What::Flag, CompValue::True) => Value::Bool(true),
                (What::Flag, CompValue::Str(text)) if text.eq_ignore_ascii_case("true") => Value::Bool(true),
                (What::Text | What::Flag | What::Reference(_) | What::Complex(_), _) => return None,
            };
            Some(Map::from_iter([(sub.name.to_owned(), value)]))
        }
        ValFilter::And(all) => {
            let mut made = Map::new();
            for one in all {
                made.extend(made_of(one, attribute)?);
            }
            Some(made)
        }
        ValFilter::Attr(_) | ValFilter::Not(_) | ValFilter::Or(_) => None,
    }
}

fn set_part(one: &mut Value, op: Op, sub: &'static Attribute, value: Value) -> Result<(), Refused> {
    let Value::Object(parts) = one else { return Ok(()) };
    let value = if op == Op::Remove { None } else { resource::value(sub, value)? };
    if sub.name == "value" {
        parts.remove("$ref");
    }
    match value {
        Some(value) => drop(parts.insert(sub.name.to_owned(), value)),
        None => drop(parts.remove(sub.name)),
    }
    Ok(())
}

fn no_primary(all: &mut [Value]) {
    for one in all {
        if let Some(primary) = one.get_mut("primary") {
            *primary = Value::Bool(false);
        }
    }
}

fn same_value(one: &Value, other: &Value) -> bool {
    // Only one that says nothing but its value means every value like it.
    let bare = other.as_object().is_some_and(|parts| parts.len() == 1);
    bare && one.get("value").is_some() && one.get("value") == other.get("value")
}

fn is_something(value: &Value) -> bool {
    value.as_object().is_none_or(|parts| !parts.is_empty())
}
