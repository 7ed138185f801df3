//! What a declaration says of a list: where it stands in an answer, where in an item its name and id do, how it goes on.

use serde_json::{Map, Value, json};
use wane_connector::KindError;
use wane_connector::strict::{number, object, text, unknown_word, wrong};

use crate::call::{Call, Condition, Meaning, Statuses, pointer};
use crate::declared::fields;
use crate::text::Sort;

/// How all of it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List {
    pub(crate) call: Call,
    pub(crate) done: Statuses,
    /// There is nothing.
    pub(crate) none: Statuses,
    pub(crate) items: String,
    pub(crate) name: NameAt,
    pub(crate) id: Option<String>,
    pub(crate) skip: Option<Condition>,
    pub(crate) pages: Option<Pages>,
}

/// Where an item's name stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameAt {
    pub(crate) at: String,
    /// What the target puts before the name it was given.
    pub(crate) after: String,
}

/// How a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// By number, while pages are full.
    Page { parameter: String, first: u64, size: (String, u64) },
    /// By how many come before, while pages are full.
    Offset { parameter: String, size: (String, u64) },
    /// By a mark in the answer.
    Cursor { parameter: String, at: String },
    /// By a URL in the answer, of which only the query is taken.
    Url { at: String },
}

impl List {
    pub(crate) fn read(what: &str, given: &Value, may: &[Sort]) -> Result<Self, KindError> {
        let map = fields(what, given, &["done", "none", "items", "name", "id", "skip", "pages"])?;
        let at = |key: &str| format!("{what}.{key}");
        let items = pointer(&at("items"), map.get("items"))?
            .ok_or_else(|| wrong(at("items"), "say where the list stands: `/data`, or `\"\"` if it is the answer"))?;
        let name = map
            .get("name")
            .ok_or_else(|| wrong(at("name"), "say where an item's name stands: `{\"at\": \"/name\"}`"))?;
        let name_map = object(&at("name"), name, &["at", "after"])?;
        let name = NameAt {
            at: pointer(&at("name"), name_map.get("at"))?
                .ok_or_else(|| wrong(at("name"), "say where: `{\"at\": \"/name\"}`"))?,
            after: text(name_map, "after")?.unwrap_or_default().to_owned(),
        };
        Ok(Self {
            call: Call::read(what, map, "GET", may)?,
            done: Statuses::read(what, map, "done", &[200], Meaning::Done)?,
            none: Statuses::read(what, map, "none", &[], Meaning::Not)?,
            items,
            name,
            id: pointer(&at("id"), map.get("id"))?,
            skip: Condition::read(&at("skip"), map.get("skip"))?,
            pages: map.get("pages").map(|given| Pages::read(&at("pages"), given)).transpose()?,
        })
    }

    pub(crate) fn json(&self) -> Value {
        let mut out = Map::new();
        self.call.put(&mut out);
        let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
        put("done", self.done.json());
        put("none", self.none.json());
        put("items", json!(self.items));
        put("name", json!({ "at": self.name.at, "after": self.name.after }));
        if let Some(id) = &self.id {
            put("id", json!(id));
        }
        if let Some(skip) = &self.skip {
            put("skip", skip.json());
        }
        if let Some(pages) = &self.pages {
            put("pages", pages.json());
        }
        Value::Object(out)
    }
}

impl Pages {
    const BY: &'static [&'static str] = &["page", "offset", "cursor", "url"];

    fn read(what: &str, given: &Value) -> Result<Self, KindError> {
        let map = object(what, given, &["by", "parameter", "first", "size", "at"])?;
        let needed = |key: &'static str, why: &str| {
            text(map, key)?
                .filter(|text| (1..=64).contains(&text.len()))
                .map(str::to_owned)
                .ok_or_else(|| wrong(format!("{what}.{key}"), why))
        };
        let size = || {
            let shape = || {
                wrong(
                    format!("{what}.size"),
                    "write `{\"parameter\": \"per_page\", \"of\": 100}`: how full pages are asked for",
                )
            };
            let map = object(what, map.get("size").ok_or_else(shape)?, &["parameter", "of"])?;
            match (text(map, "parameter")?, number(map, "of")?) {
                (Some(parameter), Some(of @ 1..=1000)) => Ok((parameter.to_owned(), of)),
                (_, _) => Err(shape()),
            }
        };
        let at = || {
            pointer(what, map.get("at"))?
                .ok_or_else(|| wrong(format!("{what}.at"), "say where in the answer what is next stands"))
        };
        match text(map, "by")? {
            Some("page") => Ok(Self::Page {
                parameter: needed("parameter", "say which parameter of the query is the page's number")?,
                first: number(map, "first")?.unwrap_or(1),
                size: size()?,
            }),
            Some("offset") => Ok(Self::Offset {
                parameter: needed("parameter", "say which parameter of the query is how many come before")?,
                size: size()?,
            }),
            Some("cursor") => Ok(Self::Cursor {
                parameter: needed("parameter", "say which parameter of the query is the mark of the next page")?,
                at: at()?,
            }),
            Some("url") => Ok(Self::Url { at: at()? }),
            Some(other) => Err(wrong(format!("{what}.by"), unknown_word(other, Self::BY))),
            None => Err(wrong(format!("{what}.by"), "say how the list goes on: `page`, `offset`, `cursor` or `url`")),
        }
    }

    fn json(&self) -> Value {
        let size = |(parameter, of): &(String, u64)| json!({ "parameter": parameter, "of": of });
        match self {
            Self::Page { parameter, first, size: s } => {
                json!({ "by": "page", "parameter": parameter, "first": first, "size": size(s) })
            }
            Self::Offset { parameter, size: s } => json!({ "by": "offset", "parameter": parameter, "size": size(s) }),
            Self::Cursor { parameter, at } => json!({ "by": "cursor", "parameter": parameter, "at": at }),
            Self::Url { at } => json!({ "by": "url", "at": at }),
        }
    }
}
