//! One application, asked: each call bounded in time and size, nothing followed, and little believed.

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderValue, IF_MATCH};
use reqwest::{Client, Method, Url};
use serde_json::{Value, json};
use wane_connector::Target;
use wane_egress::told;

use crate::resource::{Resource, is_id};
use crate::settings::Settings;

const MEDIA: &str = "application/scim+json";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// No answer is read beyond this: some ten thousand members of a group.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// How many are asked for at once, and how many of all are read.
const PAGE: usize = 200;
const MOST_FOUND: usize = 10_000;
/// How long all pages of a list are together.
const MOST_LISTED: usize = 4 * MOST_BYTES;
const MOST_PAGES: usize = 200;

/// What resources there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    User,
    Group,
}

impl Sort {
    const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }

    const fn schema(self) -> &'static str {
        match self {
            Self::User => "urn:ietf:params:scim:schemas:core:2.0:User",
            Self::Group => "urn:ietf:params:scim:schemas:core:2.0:Group",
        }
    }
}

/// Why something did not come about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fail {
    /// It does not answer, or not in time, or asks to be left alone for now.
    Unreachable(String),
    /// It does not take our word, or is not who it should be.
    Trust(String),
    /// It said no.
    Refused {
        /// With which status, if it was its own word.
        status: Option<u16>,
        why: String,
    },
}

impl Fail {
    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused { status: None, why: why.into() }
    }

    pub(crate) fn is(&self, wanted: u16) -> bool {
        matches!(self, Self::Refused { status: Some(status), .. } if *status == wanted)
    }
}

impl std::fmt::Display for Fail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(why) | Self::Trust(why) | Self::Refused { why, .. } => f.write_str(why),
        }
    }
}

/// A change of one attribute (RFC 7644, section 3.5.2).
#[derive(Clone, Debug)]
pub(crate) struct Change {
    op: &'static str,
    path: String,
    value: Option<Value>,
}

impl Change {
    pub(crate) fn add_member(id: &str) -> Self {
        Self { op: "add", path: "members".to_owned(), value: Some(json!([{ "value": id }])) }
    }

    /// By a filter: `remove` of the whole attribute would take everybody.
    pub(crate) fn remove_member(id: &str) -> Self {
        Self { op: "remove", path: format!("members[value eq {}]", literal(id)), value: None }
    }

    pub(crate) fn active(is_awake: bool) -> Self {
        Self { op: "replace", path: "active".to_owned(), value: Some(Value::Bool(is_awake)) }
    }

    fn json(&self) -> Value {
        let mut operation = json!({ "op": self.op, "path": self.path });
        if let (Some(map), Some(value)) = (operation.as_object_mut(), &self.value) {
            map.insert("value".to_owned(), value.clone());
        }
        json!({ "schemas": [PATCH_OP], "Operations": [operation] })
    }
}

/// A value as it stands in a filter: JSON (RFC 7644, figure 1), so that no quote or backslash ends it.
pub(crate) fn literal(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// One application.
pub(crate) struct Application {
    http: Client,
    base: Url,
    /// Marked as sensitive: it shows in no debug output.
    bearer: HeaderValue,
}

struct Answer {
    status: u16,
    etag: Option<String>,
    /// In bytes.
    length: usize,
    body: Value,
}

impl Application {
    pub(crate) fn open(target: &Target<'_>, settings: &Settings) -> Result<Self, Fail> {
        let base = settings.base().map_err(Fail::refused)?;
        let http = Settings::reach(&base).client(settings.ca_pem.as_deref().map(str::as_bytes));
        let http = http.map_err(|e| Fail::refused(e.to_string()))?;
        let token = target.credential.and_then(wane_domain::secret::Secret::expose_str).map(str::trim);
        let token = token.filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| Fail::Trust("no token was given by which it knows Wane".to_owned()))?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Fail::Trust("the token has characters that no header has".to_owned()))?;
        bearer.set_sensitive(true);
        Ok(Self { http, base, bearer })
    }

    /// By which name it is known in proofs.
    pub(crate) fn name(&self) -> String {
        self.base.to_string()
    }

    fn url(&self, path: &[&str]) -> Result<Url, Fail> {
        let mut url = self.base.clone();
        let opened = url.path_segments_mut().map(|mut segments| {
            segments.pop_if_empty().extend(path);
        });
        opened.map_err(|()| Fail::refused("its address has no path"))?;
        Ok(url)
    }

    /// One resource; nothing if the application has none of that id.
    pub(crate) async fn get(&self, sort: Sort, id: &str) -> Result<Option<Resource>, Fail> {
        if !is_id(id) {
            return Err(Fail::refused("its id is none"));
        }
        let answer = self.call(Method::GET, self.url(&[sort.endpoint(), id])?, None, None).await?;
        match answer.status {
            200 => {
                let read = Resource::read(answer.body, answer.etag.as_deref()).filter(|read| read.id == id);
                read.map(Some).ok_or_else(|| Fail::refused("it answered with another resource"))
            }
            404 => {
                self.is_there().await?;
                Ok(None)
            }
            _ => Err(refusal(&answer)),
        }
    }

    /// INVARIANT: that something is not there counts only from an application that is (held by
    /// `an_application_that_is_not_there_proves_no_absence`): behind another path everything is absent.
    async fn is_there(&self) -> Result<(), Fail> {
        let config = self.config().await?;
        if config.get("patch").is_some_and(Value::is_object) {
            return Ok(());
        }
        Err(Fail::refused("its `ServiceProviderConfig` is not to be seen, so that nothing there proves anything"))
    }

    /// What it can do.
    pub(crate) async fn config(&self) -> Result<Value, Fail> {
        let answer = self.call(Method::GET, self.url(&["ServiceProviderConfig"])?, None, None).await?;
        if answer.status == 200 { Ok(answer.body) } else { Err(refusal(&answer)) }
    }

    /// Everything, page by page; without the members of groups, which are looked at one by one. With a filter, which is to meet
    /// one, no more than it takes to see that it meets several.
    ///
    /// INVARIANT: a list that ends before it said it would proves nothing of who is not in it (held by
    /// `a_list_that_ends_too_soon_proves_no_absence`).
    pub(crate) async fn find(&self, sort: Sort, filter: Option<&str>) -> Result<Vec<Resource>, Fail> {
        let mut found: Vec<Resource> = Vec::new();
        let (mut seen, mut read) = (0usize, 0usize);
        for _ in 0..MOST_PAGES {
            let mut url = self.url(&[sort.endpoint()])?;
            {
                let mut query = url.query_pairs_mut();
                query.extend_pairs(filter.map(|filter| ("filter", filter)));
                query.append_pair("startIndex", &seen.saturating_add(1).to_string());
                query.append_pair("count", &PAGE.to_string());
                if sort == Sort::Group {
                    query.append_pair("excludedAttributes", "members");
                }
            }
            let answer = self.call(Method::GET, url, None, None).await?;
            if answer.status != 200 {
                return Err(refusal(&answer));
            }
            read = read.saturating_add(answer.length);
            if read > MOST_LISTED {
                return Err(Fail::refused(format!("its list is longer than {MOST_LISTED} bytes")));
            }
            let total = answer.body.get("totalResults").and_then(Value::as_u64);
            let total = total.ok_or_else(|| Fail::refused("it answered a search with something else than a list"))?;
            let page = answer.body.get("Resources").and_then(Value::as_array).cloned().unwrap_or_default();
            let is_over = page.is_empty();
            seen = seen.saturating_add(page.len());
            for one in page {
                found.push(Resource::read(one, None).ok_or_else(|| Fail::refused("something in its list has no id"))?);
            }
            if u64::try_from(seen).unwrap_or(u64::MAX) >= total || (filter.is_some() && found.len() > 1) {
                return Ok(found);
            }
            if is_over {
                return Err(Fail::refused(format!("its list of {total} ends after {seen}")));
            }
            if seen > MOST_FOUND {
                break;
            }
        }
        Err(Fail::refused(format!("it has more than {MOST_FOUND} of them")))
    }

    /// Changes one attribute of a resource as it was read: `412` if it is another by now. Without a version, whatever it is by now.
    pub(crate) async fn change(
        &self,
        sort: Sort,
        id: &str,
        only_if: Option<&str>,
        change: &Change,
    ) -> Result<(), Fail> {
        if !is_id(id) {
            return Err(Fail::refused("its id is none"));
        }
        let url = self.url(&[sort.endpoint(), id])?;
        let answer = self.call(Method::PATCH, url, Some(change.json()), only_if).await?;
        if matches!(answer.status, 200 | 202 | 204) { Ok(()) } else { Err(refusal(&answer)) }
    }

    /// Makes a resource; `409` if there is one of its name.
    pub(crate) async fn make(&self, sort: Sort, mut body: Value) -> Result<Resource, Fail> {
        if let Some(map) = body.as_object_mut() {
            map.insert("schemas".to_owned(), json!([sort.schema()]));
        }
        let answer = self.call(Method::POST, self.url(&[sort.endpoint()])?, Some(body), None).await?;
        if answer.status != 201 {
            return Err(refusal(&answer));
        }
        Resource::read(answer.body, answer.etag.as_deref()).ok_or_else(|| Fail::refused("what it made has no id"))
    }

    /// Takes a resource away as it was read.
    pub(crate) async fn delete(&self, sort: Sort, at: &Resource) -> Result<(), Fail> {
        let url = self.url(&[sort.endpoint(), &at.id])?;
        let answer = self.call(Method::DELETE, url, None, at.version.as_deref()).await?;
        if matches!(answer.status, 200 | 202 | 204 | 404) { Ok(()) } else { Err(refusal(&answer)) }
    }

    async fn call(&self, method: Method, url: Url, body: Option<Value>, only_if: Option<&str>) -> Result<Answer, Fail> {
        let gone = |e: reqwest::Error| Fail::Unreachable(told(&e));
        let mut request =
            self.http.request(method, url).header(ACCEPT, MEDIA).header(AUTHORIZATION, self.bearer.clone());
        if let Some(tag) = only_if {
            request = request.header(IF_MATCH, tag);
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, MEDIA).body(body.to_string());
        }
        let mut answer = request.send().await.map_err(gone)?;
        let status = answer.status().as_u16();
        let etag = answer.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(gone)? {
            if bytes.len().saturating_add(chunk.len()) > MOST_BYTES {
                return Err(Fail::refused(format!("it answers with more than {MOST_BYTES} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or_default() };
        let answer = Answer { status, etag, length: bytes.len(), body };
        match status {
            401 => Err(Fail::Trust(format!("it does not take Wane's token{}", said(&answer.body)))),
            300..=399 => Err(Fail::Trust(format!("it answers {status} and points elsewhere, which is not followed"))),
            429 | 500..=599 => Err(Fail::Unreachable(format!("it answers {status}{}", said(&answer.body)))),
            200 if answer.body.is_null() => Err(Fail::refused("it answers with something else than JSON")),
            _ => Ok(answer),
        }
    }
}

fn refusal(answer: &Answer) -> Fail {
    Fail::Refused { status: Some(answer.status), why: format!("it answers {}{}", answer.status, said(&answer.body)) }
}

/// As much of its own words as is repeated.
fn said(body: &Value) -> String {
    let word = |key: &str| body.get(key).and_then(Value::as_str);
    let text = [word("scimType"), word("detail")].into_iter().flatten().collect::<Vec<_>>().join(": ");
    let shown: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    if shown.is_empty() { shown } else { format!(" ({shown})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_one_value() {
        for (text, expected) in [
            ("maya", r#""maya""#),
            (r#"a" or id pr or x eq ""#, r#""a\" or id pr or x eq \"""#),
            (r"a\", r#""a\\""#),
            ("a\nb", r#""a\nb""#),
        ] {
            assert_eq!(literal(text), expected);
        }
        let change = Change::remove_member("1\"] or members[value pr").json();
        assert_eq!(change["Operations"][0]["path"], r#"members[value eq "1\"] or members[value pr"]"#);
        assert!(change["Operations"][0].get("value").is_none());
    }
}
