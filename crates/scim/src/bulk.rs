//! Bulk (RFC 7644 section 3.7): many operations in one call, which may refer to what others of them make.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::resource::{named, syntax, wrong};
use crate::schema::ResourceKind;
use crate::{Kind, Refused};

/// Operations of one call.
pub const MOST: usize = 1000;
/// The longest body of any call, in bytes.
pub const LONGEST_BODY: usize = 8 * 1024 * 1024;

const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const MARK: &str = "bulkId:";

/// A call.
#[derive(Clone, Debug)]
pub struct Bulk {
    /// After how many errors no more is done; none for never.
    pub stop_after: Option<usize>,
    /// The operations.
    pub operations: Vec<Operation>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Operation {
    /// What is done.
    pub method: Method,
    /// To what kind of resource.
    pub kind: ResourceKind,
    /// To which, or a reference to what another makes; none when it is made.
    pub id: Option<String>,
    /// What others call what this makes.
    pub bulk_id: Option<String>,
    /// The version it must be at.
    pub version: Option<String>,
    /// With what.
    pub data: Value,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the words of the standard")]
pub enum Method {
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Reads a call.
///
/// # Errors
/// When it is none, or has too many operations.
pub fn read(body: Value) -> Result<Bulk, Refused> {
    let Value::Object(mut body) = body else { return Err(syntax("a bulk call is a JSON object")) };
    named(&body, SCHEMA)?;
    let stop_after = match body.get("failOnErrors") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let number = value.as_u64().and_then(|number| usize::try_from(number).ok()).filter(|number| *number > 0);
            Some(number.ok_or_else(|| wrong("`failOnErrors` is a number from 1"))?)
        }
    };
    let Some(Value::Array(all)) = body.remove("Operations") else {
        return Err(syntax("a bulk call has a list of `Operations`"));
    };
    if all.len() > MOST {
        return Err(Refused::new(Kind::TooLarge, format!("a bulk call has at most {MOST} operations")));
    }
    let operations: Vec<Operation> = all.into_iter().map(operation).collect::<Result<_, _>>()?;
    let mut seen = std::collections::BTreeSet::new();
    for one in operations.iter().filter_map(|one| one.bulk_id.as_deref()) {
        if !seen.insert(one) {
            return Err(wrong("each `bulkId` is used once"));
        }
    }
    Ok(Bulk { stop_after, operations })
}

fn operation(one: Value) -> Result<Operation, Refused> {
    let Value::Object(mut parts) = one else { return Err(syntax("an operation is an object")) };
    let text = |name: &str| parts.get(name).and_then(Value::as_str).map(str::to_owned);
    let method = match text("method").unwrap_or_default().to_ascii_uppercase().as_str() {
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        _ => return Err(wrong("an operation has a `method`: `POST`, `PUT`, `PATCH` or `DELETE`")),
    };
    let path = text("path").unwrap_or_default();
    let mut words = path.trim_start_matches('/').split('/');
    let kind = match words.next() {
        Some("Users") => ResourceKind::User,
        Some("Groups") => ResourceKind::Group,
        _ => return Err(Refused::new(Kind::InvalidPath, "a `path` begins with `/Users` or `/Groups`")),
    };
    let id = words.next().filter(|id| !id.is_empty()).map(str::to_owned);
    let (bulk_id, version) = (text("bulkId"), text("version"));
    match (method, &id, &bulk_id) {
        (Method::Post, None, Some(_)) | (Method::Put | Method::Patch | Method::Delete, Some(_), _) => {}
        (Method::Post, None, None) => return Err(wrong("a `POST` in a bulk call has a `bulkId`")),
        (Method::Post | Method::Put | Method::Patch | Method::Delete, _, _) => {
            return Err(Refused::new(
                Kind::InvalidPath,
                "a `POST` goes to `/Users` or `/Groups`, all else to one of them",
            ));
        }
    }
    let data = parts.remove("data").unwrap_or(Value::Null);
    Ok(Operation { method, kind, id, bulk_id, version, data })
}

/// Puts ids in the place of references. None if one is of something that was not made yet.
#[must_use]
pub fn referred(operation: &Operation, made: &BTreeMap<String, String>) -> Option<Operation> {
    let mut referred = operation.clone();
    if let Some(id) = &mut referred.id {
        refer(id, made)?;
    }
    within(&mut referred.data, made)?;
    Some(referred)
}

fn refer(text: &mut String, made: &BTreeMap<String, String>) -> Option<()> {
    if let Some(name) = text.strip_prefix(MARK) {
        *text = made.get(name)?.clone();
    }
    Some(())
}

// No deeper than a JSON reader lets a value be.
fn within(value: &mut Value, made: &BTreeMap<String, String>) -> Option<()> {
    match value {
        Value::String(text) => refer(text, made),
        Value::Array(all) => all.iter_mut().try_for_each(|one| within(one, made)),
        Value::Object(parts) => parts.values_mut().try_for_each(|one| within(one, made)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(()),
    }
}

/// How one operation came out.
#[derive(Clone, Debug)]
pub struct Done {
    /// The status of its answer.
    pub status: u16,
    /// Where what it was about is.
    pub location: Option<String>,
    /// The state it is in.
    pub version: Option<String>,
    /// The body of an error.
    pub error: Option<Value>,
}

/// The answer to a call.
#[must_use]
pub fn answer<'a>(done: impl IntoIterator<Item = (&'a Operation, &'a Done)>) -> Value {
    let one = |(operation, done): (&Operation, &Done)| {
        let mut parts = serde_json::Map::new();
        parts.insert("method".to_owned(), json!(operation.method.name()));
        parts.insert("status".to_owned(), json!(done.status.to_string()));
        for (name, value) in [
            ("bulkId", operation.bulk_id.as_ref().map(|text| json!(text))),
            ("location", done.location.as_ref().map(|text| json!(text))),
            ("version", done.version.as_ref().map(|text| json!(text))),
            ("response", done.error.clone()),
        ] {
            if let Some(value) = value {
                parts.insert(name.to_owned(), value);
            }
        }
        Value::Object(parts)
    };
    let all: Vec<Value> = done.into_iter().map(one).collect();
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"], "Operations": all })
}
