//! A target that is told by calls of its own API.

use async_trait::async_trait;
use reqwest::Client;
use serde_json::{Map, Value};
use url::Url;
use wane_connector::Target;
use wane_domain::secret::Secret;
use zeroize::Zeroizing;

use crate::auth::{Auth, parts};
use crate::call::{Call, Statuses};
use crate::declared::{Calls, IdAt, SecretFrom, Step};
use crate::fail::Fail;
use crate::line::{Item, LONGEST_ID, Line, Listed, Made, Seen};
use crate::listing::{List, Pages};
use crate::settings::Place;
use crate::text::{Key, Piece, Values};
use crate::wire::{self, Answer, Clients};

/// The most pages of one list, and the most items.
const MOST_PAGES: u64 = 500;
const MOST_ITEMS: usize = 50_000;
/// The longest secret that is taken.
const LONGEST: usize = 8 * 1024;

/// A target's API within reach.
pub(crate) struct Api<'a> {
    http: Client,
    place: &'a Place,
    auth: Option<&'a Auth>,
    calls: &'a Calls,
    parameters: &'a Map<String, Value>,
    credential: Option<&'a Secret>,
}

impl<'a> Api<'a> {
    pub(crate) fn new(
        clients: &Clients,
        target: &'a Target<'a>,
        parameters: &'a Map<String, Value>,
        (place, auth, calls): (&'a Place, Option<&'a Auth>, &'a Calls),
    ) -> Result<Self, Fail> {
        Ok(Self { http: clients.of(place)?, place, auth, calls, parameters, credential: target.credential })
    }

    fn values<'v>(&'v self, piece: Option<&'v Piece>, id: Option<&'v str>) -> Values<'v> {
        Values { piece, id, ..Values::of(self.parameters) }
    }

    async fn send(&self, call: &Call, values: &Values<'_>) -> Result<Answer, Fail> {
        let credential = wire::credentials(self.auth, self.credential, self.parameters)?;
        let filled = call.fill(&self.place.url, values)?;
        let said = call.said(values);
        wire::send(&self.http, filled, credential).await.map_err(|fail| about(&said, fail))
    }

    fn refusal(&self, call: &Call, values: &Values<'_>, answer: &Answer) -> Fail {
        let own = self.credential.and_then(Secret::expose_str).map(|text| parts(self.auth, text)).unwrap_or_default();
        let mut hidden: Vec<&str> = own.iter().map(|part| part.as_str()).collect();
        hidden.extend(values.secret);
        about(&call.said(values), answer.refusal(&hidden))
    }

    /// Has a step done.
    async fn step(&self, step: &Step, values: &Values<'_>) -> Result<Answer, Fail> {
        let answer = self.send(&step.call, values).await?;
        if step.done.has(answer.status) { Ok(answer) } else { Err(self.refusal(&step.call, values, &answer)) }
    }

    /// The secret and what is shown of what was made just now, once the calls after it are done.
    async fn complete(
        &self,
        said: &str,
        values: &Values<'_>,
    ) -> Result<(Option<Zeroizing<String>>, Map<String, Value>), Fail> {
        let create = &self.calls.create;
        let answered = match &create.secret {
            SecretFrom::None | SecretFrom::Generated => None,
            SecretFrom::Answer(at) => {
                let found = values.answer.and_then(|d| d.pointer(at)).and_then(Value::as_str);
                let found = found.filter(|text| (1..=LONGEST).contains(&text.len()));
                let why = || about(said, Fail::Refused(format!("its answer has no secret at `{at}`")));
                Some(Zeroizing::new(found.ok_or_else(why)?.to_owned()))
            }
        };
        // No call after it has a place for the secret; it is here so that no refusal tells it.
        let secret = answered.as_ref().map(|secret| secret.as_str()).or(values.secret);
        for step in &create.then {
            self.step(step, &Values { secret, answer: None, ..*values }).await?;
        }
        let mut shows = Map::new();
        for (key, text) in &create.shows {
            shows.insert(key.clone(), text.json(&Values { secret: None, ..*values })?);
        }
        Ok((answered, shows))
    }

    async fn pages(&self, list: &List, values: &Values<'_>) -> Result<Vec<Item>, Fail> {
        let said = list.call.said(values);
        let mut items = Vec::new();
        let mut next = first(list.pages.as_ref());
        for _ in 0..MOST_PAGES {
            let credential = wire::credentials(self.auth, self.credential, self.parameters)?;
            let mut filled = list.call.fill(&self.place.url, values)?;
            next.put(&mut filled.url);
            let answer = wire::send(&self.http, filled, credential).await.map_err(|fail| about(&said, fail))?;
            if says_not(&list.none, &answer) {
                return Ok(items);
            }
            if !list.done.has(answer.status) {
                return Err(self.refusal(&list.call, values, &answer));
            }
            let document = answer.json().map_err(|fail| about(&said, fail))?;
            let page = read_items(list, &document).map_err(|why| about(&said, Fail::Refused(why)))?;
            let count = page.all;
            items.extend(page.items);
            if items.len() > MOST_ITEMS {
                break;
            }
            let after = next.after(list.pages.as_ref(), count, &document, &self.place.url);
            match after.map_err(|why| about(&said, Fail::Refused(why)))? {
                Some(after) => next = after,
                None => return Ok(items),
            }
        }
        // INVARIANT: a list that was not read to its end says nothing about what is not on it (held by
        // `a_list_without_end_proves_nothing`).
        Err(about(&said, Fail::refused("its list goes on and on; narrow it by `query`")))
    }
}

fn about(said: &str, fail: Fail) -> Fail {
    fail.reworded(|why| format!("`{said}`: {why}"))
}

/// Whether an answer says that something is not there.
fn says_not(statuses: &Statuses, answer: &Answer) -> bool {
    // INVARIANT: what whoever stands in front of an API says, says nothing about what is behind it (held by
    // `a_page_of_whoever_stands_in_front_proves_nothing`).
    statuses.has(answer.status) && !answer.is_a_page()
}

/// What comes next of a list.
enum Next {
    Whole,
    Pairs(Vec<(String, String)>, u64),
    Query(String),
}

fn first(pages: Option<&Pages>) -> Next {
    match pages {
        None | Some(Pages::Url { .. }) => Next::Whole,
        Some(Pages::Page { parameter, first, size }) => {
            Next::Pairs(vec![(parameter.clone(), first.to_string()), (size.0.clone(), size.1.to_string())], *first)
        }
        Some(Pages::Offset { parameter, size }) => {
            Next::Pairs(vec![(parameter.clone(), "0".to_owned()), (size.0.clone(), size.1.to_string())], 0)
        }
        Some(Pages::Cursor { .. }) => Next::Whole,
    }
}

impl Next {
    fn put(&self, url: &mut Url) {
        match self {
            Self::Whole => {}
            Self::Pairs(pairs, _) => {
                url.query_pairs_mut().extend_pairs(pairs);
            }
            Self::Query(query) => url.set_query(Some(query)),
        }
    }

    /// What follows a page of so many items, if anything does. A target may give fewer than it is asked for, so that a list
    /// by numbers ends with a page that is empty.
    fn after(&self, pages: Option<&Pages>, items: u64, document: &Value, below: &Url) -> Result<Option<Self>, String> {
        let at = match self {
            Self::Pairs(_, at) => *at,
            Self::Whole | Self::Query(_) => 0,
        };
        let Some(pages) = pages else { return Ok(None) };
        Ok(match pages {
            Pages::Page { parameter, size, .. } => (items > 0).then(|| {
                let at = at.saturating_add(1);
                Self::Pairs(vec![(parameter.clone(), at.to_string()), (size.0.clone(), size.1.to_string())], at)
            }),
            Pages::Offset { parameter, size } => (items > 0).then(|| {
                let at = at.saturating_add(items);
                Self::Pairs(vec![(parameter.clone(), at.to_string()), (size.0.clone(), size.1.to_string())], at)
            }),
            Pages::Cursor { parameter, at } => {
                mark(document, at)?.map(|mark| Self::Pairs(vec![(parameter.clone(), mark)], 0))
            }
            // Only what comes behind `?` is taken: where the list is stands in the declaration.
            Pages::Url { at } => {
                let Some(next) = mark(document, at)? else { return Ok(None) };
                let url = below.join(&next).ok();
                let query = url.as_ref().and_then(Url::query);
                let query = query.ok_or_else(|| format!("at `{at}` of its answer stands no URL with a query"))?;
                Some(Self::Query(query.to_owned()))
            }
        })
    }
}

/// What says where a list goes on; nothing at its end.
fn mark(document: &Value, at: &str) -> Result<Option<String>, String> {
    match document.pointer(at) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(mark)) => Ok(Some(mark.clone()).filter(|mark| !mark.is_empty())),
        Some(Value::Number(mark)) => Ok(Some(mark.to_string())),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            Err(format!("at `{at}` of its answer stands neither where its list goes on nor that it ends"))
        }
    }
}

struct Page {
    items: Vec<Item>,
    /// How many it had, ours and others.
    all: u64,
}

fn read_items(list: &List, document: &Value) -> Result<Page, String> {
    let Some(Value::Array(all)) = document.pointer(&list.items) else {
        return Err(format!("at `{}` of its answer stands no list", list.items));
    };
    let mut items = Vec::new();
    for item in all {
        if list.skip.as_ref().is_some_and(|skip| skip.holds(item)) {
            continue;
        }
        let name = item.pointer(&list.name.at).and_then(Value::as_str).unwrap_or_default();
        let name = name.strip_prefix(list.name.after.as_str()).unwrap_or(name);
        let id = match &list.id {
            None => None,
            Some(at) => Some(id_at(item, at).ok_or_else(|| {
                format!("an item of its list has no id at `{at}`, or one of more than {LONGEST_ID} bytes")
            })?),
        };
        items.push(Item { name: name.to_owned(), id });
    }
    Ok(Page { items, all: u64::try_from(all.len()).unwrap_or(u64::MAX) })
}

/// The target's own id of what was made, where the declaration says that one stands.
fn made_id(at: Option<&IdAt>, answer: &Answer, document: Option<&Value>) -> Result<Option<String>, String> {
    match at {
        None => Ok(None),
        Some(IdAt::Location) => {
            let id = answer.located().filter(|id| id.len() <= LONGEST_ID);
            id.map(Some).ok_or_else(|| "its answer has no `Location`, or a long one".to_owned())
        }
        Some(IdAt::Document(at)) => {
            let id = document.and_then(|document| id_at(document, at));
            id.map(Some)
                .ok_or_else(|| format!("its answer has no id at `{at}`, or one of more than {LONGEST_ID} bytes"))
        }
    }
}

/// An id is a text or a number.
fn id_at(document: &Value, at: &str) -> Option<String> {
    match document.pointer(at)? {
        Value::String(text) if (1..=LONGEST_ID).contains(&text.len()) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[async_trait]
impl Line for Api<'_> {
    async fn make(&self, piece: &Piece, role: &Map<String, Value>, secret: Option<&str>) -> Result<Made, Fail> {
        let create = &self.calls.create;
        let mut values = Values { secret, role: Some(role), ..self.values(Some(piece), None) };
        let call = &create.step.call;
        let answer = self.send(call, &values).await?;
        if create.taken.has(answer.status) {
            let why = self.refusal(call, &values, &answer);
            return Err(Fail::refused(format!("something called `{}` is there already: {why}", piece.name)));
        }
        if !create.step.done.has(answer.status) {
            return Err(self.refusal(call, &values, &answer));
        }
        let reads = matches!(create.id, Some(IdAt::Document(_)))
            || matches!(create.secret, SecretFrom::Answer(_))
            || create.shows.iter().any(|(_, text)| text.keys().any(|key| matches!(key, Key::Answer(_))));
        let said = call.said(&values);
        let document = if reads { Some(answer.json().map_err(|fail| about(&said, fail))?) } else { None };
        let id = made_id(create.id.as_ref(), &answer, document.as_ref());
        let id = id.map_err(|why| about(&said, Fail::Refused(why)))?;
        values.id = id.as_deref();
        values.answer = document.as_ref();
        match self.complete(&said, &values).await {
            Ok((secret, shows)) => Ok(Made { id, secret, shows }),
            Err(fail) => {
                // Its id is known here and to nobody later.
                let undone = self.revoke(piece, id.as_deref()).await;
                tracing::debug!(artifact = piece.name, undone = undone.is_ok(), "what was not completed was revoked");
                Err(fail)
            }
        }
    }

    async fn revoke(&self, piece: &Piece, id: Option<&str>) -> Result<(), Fail> {
        let revoke = &self.calls.revoke;
        let values = self.values(Some(piece), id);
        for step in &revoke.before {
            let answer = self.send(&step.call, &values).await?;
            if !step.done.has(answer.status) && !says_not(&revoke.gone, &answer) {
                return Err(self.refusal(&step.call, &values, &answer));
            }
        }
        let answer = self.send(&revoke.step.call, &values).await?;
        if revoke.step.done.has(answer.status) || says_not(&revoke.gone, &answer) {
            return Ok(());
        }
        Err(self.refusal(&revoke.step.call, &values, &answer))
    }

    async fn verify(&self, piece: &Piece, id: Option<&str>) -> Result<Seen, Fail> {
        let Some(verify) = &self.calls.verify_absent else {
            return Err(Fail::refused("`verify_absent` is not declared"));
        };
        let values = self.values(Some(piece), id);
        let said = verify.call.said(&values);
        let answer = self.send(&verify.call, &values).await?;
        if says_not(&verify.absent, &answer) {
            return Ok(Seen::Absent(format!("`{said}`: status {}", answer.status)));
        }
        if !verify.present.has(answer.status) {
            return Err(self.refusal(&verify.call, &values, &answer));
        }
        if let Some(condition) = &verify.absent_if
            && condition.holds(&answer.json().map_err(|fail| about(&said, fail))?)
        {
            return Ok(Seen::Absent(format!("`{said}`: {}", condition.said())));
        }
        Ok(Seen::Present(format!("`{said}`: status {}", answer.status)))
    }

    fn verifies_by_id(&self) -> bool {
        self.calls.verify_absent.as_ref().is_some_and(|verify| verify.call.keys().contains(&&Key::Id))
    }

    async fn list(&self, only: Option<&Piece>) -> Result<Listed, Fail> {
        let list = match (only, &self.calls.find, &self.calls.inventory) {
            (Some(_), Some(find), _) => find,
            (_, _, Some(inventory)) => inventory,
            (_, _, None) => return Err(Fail::refused("`inventory` is not declared")),
        };
        let values = self.values(only, None);
        let asked = list.call.said(&values);
        Ok(Listed { items: self.pages(list, &values).await?, asked })
    }

    async fn extend(&self, piece: &Piece, id: Option<&str>) -> Result<(), Fail> {
        let Some(extend) = &self.calls.extend else { return Err(Fail::refused("`extend` is not declared")) };
        self.step(extend, &self.values(Some(piece), id)).await.map(drop)
    }
}
