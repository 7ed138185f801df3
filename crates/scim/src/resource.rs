//! A resource as a directory sends it (RFC 7643 section 3): read into the one spelling it is kept in. What is not
//! kept is left out, as is what only the server says.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::refused::shown;
use crate::schema::{Attribute, Change, Count, Needed, ResourceKind, What, find};
use crate::{Kind, Refused};

/// The longest text of one attribute, in bytes.
const LONGEST_TEXT: usize = 4096;
/// The longest `externalId`, in bytes.
const LONGEST_EXTERNAL: usize = 255;
/// Values of one attribute.
const MOST_VALUES: usize = 256;
/// Members of one group.
pub const MOST_MEMBERS: usize = 200_000;
/// How long a resource may be as it is kept, in bytes, members apart.
pub const LONGEST: usize = 64 * 1024;

/// What was sent, and is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sent {
    /// The attributes, in their one spelling; members apart.
    pub doc: Map<String, Value>,
    /// What the directory calls it.
    pub external: Option<String>,
    /// Who is in it, by id; of people nothing.
    pub members: BTreeSet<String>,
}

/// Reads a resource.
///
/// # Errors
/// When it is none of its kind, lacks what it needs, or a value has not the shape of its attribute.
pub fn read(kind: ResourceKind, body: Value) -> Result<Sent, Refused> {
    let Value::Object(body) = body else { return Err(syntax("a resource is a JSON object")) };
    named(&body, kind.schema())?;
    let mut sent = Sent::default();
    let mut seen = BTreeSet::new();
    for (key, value) in body {
        if !seen.insert(key.to_ascii_lowercase()) {
            return Err(syntax(&format!("`{}` is said twice", shown(&key))));
        }
        take(kind, &mut sent, &key, value)?;
    }
    check(kind, &sent)?;
    Ok(sent)
}

fn take(kind: ResourceKind, sent: &mut Sent, key: &str, value: Value) -> Result<(), Refused> {
    if key.eq_ignore_ascii_case("externalId") {
        sent.external = external(value)?;
        return Ok(());
    }
    if let Some((urn, attributes)) = kind.extension()
        && urn.eq_ignore_ascii_case(key)
    {
        let Some(parts) = extension(attributes, value)? else { return Ok(()) };
        sent.doc.insert(urn.to_owned(), Value::Object(parts));
        return Ok(());
    }
    let Some(attribute) = find(kind.attributes(), key).filter(|one| one.change != Change::ReadOnly) else {
        return Ok(());
    };
    if is_members(kind, attribute) {
        sent.members = members(value)?;
    } else if let Some(value) = self::value(attribute, value)? {
        sent.doc.insert(attribute.name.to_owned(), value);
    }
    Ok(())
}

/// What an extension holds; nothing if that is nothing.
pub(crate) fn extension(attributes: &'static [Attribute], value: Value) -> Result<Option<Map<String, Value>>, Refused> {
    let parts = match value {
        Value::Object(parts) => parts,
        Value::Null => return Ok(None),
        _ => return Err(wrong("an extension is an object")),
    };
    let mut kept = Map::new();
    for (key, value) in parts {
        let Some(attribute) = find(attributes, &key).filter(|one| one.change != Change::ReadOnly) else { continue };
        if let Some(value) = self::value(attribute, value)?
            && kept.insert(attribute.name.to_owned(), value).is_some()
        {
            return Err(syntax(&format!("`{}` is said twice", shown(&key))));
        }
    }
    Ok((!kept.is_empty()).then_some(kept))
}

/// Whether a resource is whole, and not too long.
///
/// # Errors
/// When it lacks what it needs, or is too long.
pub fn check(kind: ResourceKind, sent: &Sent) -> Result<(), Refused> {
    for attribute in kind.attributes().iter().filter(|one| one.needed == Needed::Yes) {
        let there = sent.doc.get(attribute.name).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
        if !there {
            return Err(wrong(&format!("`{}` is needed", attribute.name)));
        }
    }
    let length = serde_json::to_string(&sent.doc).map_or(usize::MAX, |text| text.len());
    if length > LONGEST {
        return Err(Refused::new(Kind::TooLarge, format!("a resource has at most {LONGEST} bytes")));
    }
    Ok(())
}

/// Whether an attribute is who is in a group: those are kept apart.
pub(crate) fn is_members(kind: ResourceKind, attribute: &Attribute) -> bool {
    kind == ResourceKind::Group && attribute.name == "members"
}

/// What the directory calls it; nothing if that is nothing.
pub(crate) fn external(value: Value) -> Result<Option<String>, Refused> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) if text.len() <= LONGEST_EXTERNAL && !text.chars().any(char::is_control) => Ok(Some(text)),
        _ => Err(wrong(&format!("`externalId` is a text of at most {LONGEST_EXTERNAL} bytes"))),
    }
}

/// The ids of members.
pub(crate) fn members(value: Value) -> Result<BTreeSet<String>, Refused> {
    let each = match value {
        Value::Null => Vec::new(),
        Value::Array(all) => all,
        one => vec![one],
    };
    if each.len() > MOST_MEMBERS {
        return Err(Refused::new(Kind::TooLarge, format!("a group has at most {MOST_MEMBERS} members")));
    }
    each.into_iter().map(member).collect()
}

fn member(value: Value) -> Result<String, Refused> {
    match value {
        Value::String(id) => Ok(id),
        Value::Object(parts) => {
            let part =
                |name: &str| parts.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
            if part("type").and_then(Value::as_str).is_some_and(|kind| !kind.eq_ignore_ascii_case("User")) {
                return Err(wrong("groups hold people here and no groups; push the people of the inner group"));
            }
            let id = part("value").and_then(Value::as_str);
            id.map(str::to_owned).ok_or_else(|| wrong("a member needs a `value`: the id of a person"))
        }
        _ => Err(wrong("a member is `{\"value\": ID}`")),
    }
}

/// A value in the shape of its attribute; nothing if it is unassigned (RFC 7643 section 2.5).
pub(crate) fn value(attribute: &'static Attribute, value: Value) -> Result<Option<Value>, Refused> {
    match (attribute.count, value) {
        (_, Value::Null) => Ok(None),
        (Count::Many, Value::Array(all)) => {
            if all.len() > MOST_VALUES {
                let why = format!("`{}` has at most {MOST_VALUES} values", attribute.name);
                return Err(Refused::new(Kind::TooLarge, why));
            }
            let mut kept = Vec::new();
            for one in all {
                kept.extend(single(attribute, one)?);
            }
            one_primary(attribute, &kept)?;
            Ok((!kept.is_empty()).then_some(Value::Array(kept)))
        }
        (Count::Many, one) => Ok(single(attribute, one)?.map(|one| Value::Array(vec![one]))),
        // Some send the one value there is as a list of one.
        (Count::One, Value::Array(mut all)) if all.len() <= 1 => match all.pop() {
            Some(one) => single(attribute, one),
            None => Ok(None),
        },
        (Count::One, one) => single(attribute, one),
    }
}

fn one_primary(attribute: &Attribute, all: &[Value]) -> Result<(), Refused> {
    let primary = all.iter().filter(|one| one.get("primary") == Some(&Value::Bool(true))).count();
    if primary > 1 {
        return Err(wrong(&format!("of `{}` one at most is `primary`", attribute.name)));
    }
    Ok(())
}

/// One value.
pub(crate) fn single(attribute: &'static Attribute, value: Value) -> Result<Option<Value>, Refused> {
    let wanted = |what: &str| wrong(&format!("`{}` is to be {what}", attribute.name));
    match (attribute.what, value) {
        (_, Value::Null) => Ok(None),
        (What::Text | What::Reference(_), Value::String(text)) => {
            if text.len() > LONGEST_TEXT {
                return Err(wanted(&format!("at most {LONGEST_TEXT} bytes long")));
            }
            if !attribute.words.is_empty() && !attribute.words.iter().any(|word| word.eq_ignore_ascii_case(&text)) {
                return Err(wanted(&format!("one of `{}`", attribute.words.join("`, `"))));
            }
            Ok((!text.is_empty()).then_some(Value::String(text)))
        }
        (What::Text | What::Reference(_), Value::Number(number)) => Ok(Some(Value::String(number.to_string()))),
        (What::Text | What::Reference(_), _) => Err(wanted("text")),
        (What::Flag, Value::Bool(flag)) => Ok(Some(Value::Bool(flag))),
        // Some send flags as words, in a case of their own.
        (What::Flag, Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(Value::Bool(true))),
        (What::Flag, Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(Value::Bool(false))),
        (What::Flag, _) => Err(wanted("`true` or `false`")),
        (What::Complex(_), Value::Object(parts)) => {
            let mut kept = Map::new();
            for (key, part) in parts {
                let Some(sub) = attribute.sub(&key).filter(|one| one.change != Change::ReadOnly) else { continue };
                if let Some(part) = single(sub, part)?
                    && kept.insert(sub.name.to_owned(), part).is_some()
                {
                    return Err(syntax(&format!("`{}` is said twice", shown(&key))));
                }
            }
            Ok((!kept.is_empty()).then_some(Value::Object(kept)))
        }
        // Some send only the value of what has parts.
        (What::Complex(_), plain @ (Value::String(_) | Value::Number(_))) => match attribute.sub("value") {
            Some(sub) => {
                Ok(single(sub, plain)?.map(|value| Value::Object(Map::from_iter([("value".to_owned(), value)]))))
            }
            None => Err(wanted("an object")),
        },
        (What::Complex(_), _) => Err(wanted("an object")),
    }
}

/// Whether `schemas` names what this is.
pub(crate) fn named(body: &Map<String, Value>, schema: &str) -> Result<(), Refused> {
    let schemas = body.iter().find(|(key, _)| key.eq_ignore_ascii_case("schemas")).map(|(_, value)| value);
    let all = schemas.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    if all.into_iter().any(|one| one.eq_ignore_ascii_case(schema)) {
        Ok(())
    } else {
        Err(syntax(&format!("`schemas` is to name `{schema}`")))
    }
}

pub(crate) fn wrong(why: &str) -> Refused {
    Refused::new(Kind::InvalidValue, why)
}

pub(crate) fn syntax(why: &str) -> Refused {
    Refused::new(Kind::InvalidSyntax, why)
}
