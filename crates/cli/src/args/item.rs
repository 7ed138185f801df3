//! The small words of the command line: `ROLE@RESOURCE`, `KEY=VALUE`, JSON from here or a file.

use std::str::FromStr;

use serde_json::Value;

/// A role on a resource; the role may be left for the only one there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) role: Option<String>,
    pub(crate) resource: String,
}

impl FromStr for Item {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = |name: &str, what: &str| {
            if name.is_empty() {
                Err(format!("`{text}` names no {what}; write ROLE@RESOURCE"))
            } else if name.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '@' | ',')) {
                Err(format!("`{name}` is not the name of a {what}; write ROLE@RESOURCE, one item a word"))
            } else {
                Ok(name.to_owned())
            }
        };
        match text.split_once('@') {
            None => Ok(Self { role: None, resource: name(text, "resource")? }),
            Some((role, resource)) => {
                Ok(Self { role: Some(name(role, "role")?), resource: name(resource, "resource")? })
            }
        }
    }
}

/// Where a command is to run: `RESOURCE`, `RESOURCE/ROLE` or `ROLE@RESOURCE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place(pub(crate) Item);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((resource, role)) if !text.contains('@') => {
                format!("{role}@{resource}").parse().map(Self).map_err(|why: String| {
                    if why.contains(" is not the name") {
                        why
                    } else {
                        format!("`{text}` is neither RESOURCE nor RESOURCE/ROLE")
                    }
                })
            }
            _ => text.parse().map(Self),
        }
    }
}

/// `KEY=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self { key: key.to_owned(), value: value.to_owned() }),
            _ => Err(format!("`{text}` is not KEY=VALUE")),
        }
    }
}

impl Pair {
    /// The value as JSON if it is JSON, else as text.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.value).unwrap_or_else(|_| Value::String(self.value.clone()))
    }
}

/// `KIND/NAME` of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoleOfKind {
    pub(crate) kind: String,
    pub(crate) name: String,
}

impl FromStr for RoleOfKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((kind, name)) if !kind.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self { kind: kind.to_owned(), name: name.to_owned() })
            }
            _ => Err(format!("`{text}` is not KIND/ROLE")),
        }
    }
}

/// A person or a group that answers for something: `person:maya`, `group:dba`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnerName(pub(crate) wane_api::resource::Owner);

impl FromStr for OwnerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        use wane_api::resource::Owner;
        match text.split_once(':') {
            Some(("person", name)) if !name.is_empty() => Ok(Self(Owner::Person(name.to_owned()))),
            Some(("group", name)) if !name.is_empty() => Ok(Self(Owner::Group(name.to_owned()))),
            _ => Err(format!("`{text}` is neither `person:NAME` nor `group:NAME`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(role: Option<&str>, resource: &str) -> Item {
        Item { role: role.map(str::to_owned), resource: resource.to_owned() }
    }

    #[test]
    fn items() {
        for (text, read) in [
            ("deploy@web-1", Ok(item(Some("deploy"), "web-1"))),
            ("web-1", Ok(item(None, "web-1"))),
            ("db.main_2", Ok(item(None, "db.main_2"))),
            ("@web-1", Err("`@web-1` names no role; write ROLE@RESOURCE")),
            ("deploy@", Err("`deploy@` names no resource; write ROLE@RESOURCE")),
            ("", Err("`` names no resource; write ROLE@RESOURCE")),
            ("a@b@c", Err("`b@c` is not the name of a resource; write ROLE@RESOURCE, one item a word")),
            ("a@b,c@d", Err("`b,c@d` is not the name of a resource; write ROLE@RESOURCE, one item a word")),
            ("web 1", Err("`web 1` is not the name of a resource; write ROLE@RESOURCE, one item a word")),
            ("../web", Err("`../web` is not the name of a resource; write ROLE@RESOURCE, one item a word")),
        ] {
            assert_eq!(text.parse::<Item>(), read.map_err(str::to_owned), "{text:?}");
        }
    }

    #[test]
    fn places() {
        for (text, read) in [
            ("db", Ok(item(None, "db"))),
            ("db/readonly", Ok(item(Some("readonly"), "db"))),
            ("readonly@db", Ok(item(Some("readonly"), "db"))),
            ("db/", Err("`db/` is neither RESOURCE nor RESOURCE/ROLE")),
            ("/r", Err("`/r` is neither RESOURCE nor RESOURCE/ROLE")),
            ("a/b/c", Err("`b/c` is not the name of a role; write ROLE@RESOURCE, one item a word")),
        ] {
            assert_eq!(text.parse::<Place>(), read.map(Place).map_err(str::to_owned), "{text:?}");
        }
    }

    #[test]
    fn pairs_roles_and_owners() {
        let pair = "env=a=b".parse::<Pair>().unwrap();
        assert_eq!((pair.key.as_str(), pair.value.as_str()), ("env", "a=b"));
        assert_eq!("port=5432".parse::<Pair>().unwrap().json(), 5432);
        assert_eq!("host=db".parse::<Pair>().unwrap().json(), "db");
        assert_eq!("=b".parse::<Pair>(), Err("`=b` is not KEY=VALUE".to_owned()));
        assert_eq!("b".parse::<Pair>(), Err("`b` is not KEY=VALUE".to_owned()));
        assert!("ssh/deploy".parse::<RoleOfKind>().is_ok());
        for bad in ["deploy", "/deploy", "ssh/", "a/b/c"] {
            assert_eq!(bad.parse::<RoleOfKind>(), Err(format!("`{bad}` is not KIND/ROLE")));
        }
        assert_eq!("group:dba".parse::<OwnerName>().unwrap().0.to_string(), "group:dba");
        for bad in ["dba", "team:x", "person:"] {
            assert_eq!(bad.parse::<OwnerName>(), Err(format!("`{bad}` is neither `person:NAME` nor `group:NAME`")));
        }
    }
}
