//! What a list is asked for: by a query, or by the body of a search (RFC 7644 sections 3.4.2 and 3.4.3).

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde_json::Value;
use wane_scim::filter::Filter;
use wane_scim::schema::ResourceKind;
use wane_scim::{Kind, Page, Projection, Refused};

use super::answer::Refusal;

const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    filter: Option<String>,
    attributes: Option<String>,
    excluded: Option<String>,
    start: Option<i64>,
    count: Option<i64>,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            let number = || value.trim().parse().map_err(|_| wrong(&format!("`{name}` is a number")));
            match name.as_ref() {
                "filter" => asked.filter = Some(value.into_owned()),
                "attributes" => asked.attributes = Some(value.into_owned()),
                "excludedAttributes" => asked.excluded = Some(value.into_owned()),
                "startIndex" => asked.start = Some(number()?),
                "count" => asked.count = Some(number()?),
                // Sorting is not done, and what is not known is left out.
                _ => {}
            }
        }
        Ok(asked)
    }
}

impl Asked {
    /// Reads the body of a search.
    pub(crate) fn of(body: &Value) -> Result<Self, Refused> {
        let schemas = body.get("schemas").and_then(Value::as_array).into_iter().flatten();
        if !schemas.into_iter().any(|one| one.as_str().is_some_and(|one| one.eq_ignore_ascii_case(SCHEMA))) {
            return Err(Refused::new(Kind::InvalidSyntax, format!("`schemas` is to name `{SCHEMA}`")));
        }
        let text = |name: &str| match body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong(&format!("`{name}` is text"))),
        };
        let number = |name: &str| match body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| wrong(&format!("`{name}` is a number"))),
        };
        let names = |name: &str| match body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(all)) => {
                let all: Option<Vec<&str>> = all.iter().map(Value::as_str).collect();
                all.map(|all| Some(all.join(","))).ok_or_else(|| wrong(&format!("`{name}` is a list of names")))
            }
            Some(_) => Err(wrong(&format!("`{name}` is a list of names"))),
        };
        Ok(Self {
            filter: text("filter")?,
            attributes: names("attributes")?,
            excluded: names("excludedAttributes")?,
            start: number("startIndex")?,
            count: number("count")?,
        })
    }

    pub(crate) fn filter(&self) -> Result<Option<Filter>, Refused> {
        self.filter.as_deref().filter(|text| !text.trim().is_empty()).map(Filter::read).transpose()
    }

    pub(crate) fn page(&self) -> Page {
        Page::read(self.start, self.count)
    }

    pub(crate) fn projection(&self, kind: ResourceKind) -> Result<Projection, Refused> {
        Projection::read(kind, self.attributes.as_deref(), self.excluded.as_deref())
    }

    /// Whether attributes are asked for by name.
    pub(crate) fn names_attributes(&self) -> bool {
        self.attributes.is_some()
    }
}

fn wrong(why: &str) -> Refused {
    Refused::new(Kind::InvalidValue, why)
}
