//! What is read of a resource: as little as is needed, and nothing that is not of its type.

use serde_json::Value;

/// The longest id or version that is taken.
const LONGEST: usize = 512;

/// A user or group.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) id: String,
    /// Its entity tag, if the application has such.
    pub(crate) version: Option<String>,
    pub(crate) body: Value,
}

impl Resource {
    /// Nothing if it has no id that can be asked for.
    pub(crate) fn read(body: Value, etag: Option<&str>) -> Option<Self> {
        let id = body.get("id").and_then(Value::as_str).filter(|id| is_id(id))?.to_owned();
        let said = body.pointer("/meta/version").and_then(Value::as_str);
        let version =
            etag.or(said).filter(|tag| tag.len() <= LONGEST && tag.bytes().all(|c| (0x20..0x7f).contains(&c)));
        Some(Self { version: version.map(str::to_owned), id, body })
    }

    /// Every text that an attribute has, or a part of it.
    pub(crate) fn texts(&self, path: &str) -> Vec<&str> {
        let (first, part) = path.split_once('.').map_or((path, None), |(first, part)| (first, Some(part)));
        let Some(found) = member(&self.body, first) else { return Vec::new() };
        let each: Vec<&Value> = match found {
            Value::Array(all) => all.iter().collect(),
            one => vec![one],
        };
        each.into_iter()
            .filter_map(|one| match part {
                None => one.as_str(),
                Some(part) => member(one, part).and_then(Value::as_str),
            })
            .collect()
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.texts(path).into_iter().next()
    }

    /// Whether somebody gets in by it. An application that does not say has no other accounts.
    pub(crate) fn is_awake(&self) -> bool {
        match member(&self.body, "active") {
            Some(Value::Bool(awake)) => *awake,
            // As some applications write it.
            Some(Value::String(text)) => !text.eq_ignore_ascii_case("false"),
            Some(_) | None => true,
        }
    }

    /// Who is in a group: their ids, and what else it says of them.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let all = member(&self.body, "members").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        all.iter().filter_map(|one| {
            let id = member(one, "value")?.as_str()?;
            Some((id, member(one, "display").and_then(Value::as_str)))
        })
    }

    /// Whether an account says itself that it is in a group, and not by way of another.
    pub(crate) fn is_in(&self, group: &str) -> bool {
        let all = member(&self.body, "groups").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        all.iter().any(|one| {
            let text = |name: &str| member(one, name).and_then(Value::as_str);
            text("value") == Some(group) && text("type") != Some("indirect")
        })
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.members().any(|(member, _)| member == id)
    }
}

/// Names of attributes are compared without case (RFC 7643, section 2.1).
fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let map = value.as_object()?;
    map.get(name).or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// Whether it can stand in a path, and is there what it is elsewhere.
pub(crate) fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= LONGEST && ![".", ".."].contains(&id) && !id.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_of_its_type_is_not_there() {
        let body = json!({
            "id": "7", "USERNAME": "maya", "active": "False", "emails": [{ "value": "a@b" }, { "Value": "c@d" }, 7],
            "members": [{ "value": "1", "display": "One" }, { "value": 2 }, "3", { "display": "no id" }],
            "meta": { "version": "W/\"1\"" },
        });
        let read = Resource::read(body, None).unwrap();
        assert_eq!(read.texts("userName"), ["maya"]);
        assert_eq!(read.texts("emails.value"), ["a@b", "c@d"]);
        assert_eq!(read.members().collect::<Vec<_>>(), [("1", Some("One"))]);
        assert!(!read.is_awake() && read.has("1") && !read.has("2"));
        let groups = json!({ "id": "7", "groups": [{ "value": "a", "type": "direct" }, { "value": "b" }, { "value": "c", "type": "indirect" }] });
        let read_groups = Resource::read(groups, None).unwrap();
        assert_eq!(["a", "b", "c", "d"].map(|group| read_groups.is_in(group)), [true, true, false, false]);
        assert_eq!(read.version.as_deref(), Some("W/\"1\""));
        for bad in [json!({}), json!({ "id": 7 }), json!({ "id": ".." }), json!({ "id": "" }), json!({ "id": "a\n" })] {
            assert!(Resource::read(bad.clone(), None).is_none(), "{bad}");
        }
        let odd = Resource::read(json!({ "id": "7" }), Some("a\r\nX: y")).unwrap();
        assert_eq!(odd.version, None);
        assert!(odd.is_awake());
    }
}
