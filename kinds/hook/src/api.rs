//! A target that is told by calls of its own API.

use async_trait::async_trait;
use reqwest::Client;
use serde_json::{Map, Value};
use url::Url;
use wane_connector::Target;
use wane_domain::secret::Secret;
use zeroize::Zeroizing;

use crate::auth::Auth;
use crate::call::Call;
use crate::declared::{Calls, IdAt, SecretFrom, Step};
use crate::fail::Fail;
use crate::line::{Item, Line, Listed, Made, Seen};
use crate::listing::{List, Pages};
use crate::settings::Place;
use crate::text::{Key, Piece, Values};
use crate::wire::{self, Answer, Clients};

/// The most pages of one list, and the most items.
const MOST_PAGES: u64 = 500;
const MOST_ITEMS: usize = 50_000;
/// The longest secret or id that is taken.
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
        let own = self.credential.and_then(Secret::expose_str).unwrap_or_default();
        about(&call.said(values), answer.refusal(&[own, values.secret.unwrap_or_default()]))
    }

    /// Has a step done.
    async fn step(&self, step: &Step, values: &Values<'_>) -> Result<Answer, Fail> {
        let answer = self.send(&step.call, values).await?;
        if step.done.has(answer.status) { Ok(answer) } else { Err(self.refusal(&step.call, values, &answer)) }
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
            if list.none.has(answer.status) {
                return Ok(items);
            }
            if !list.done.has(answer.status) {
                return Err(self.refusal(&list.call, values, &answer));
            }
            let document = answer.json().map_err(|fail| about(&said, fail))?;
            let page = read_items(list, &document).map_err(|why| about(&said, Fail::Refused(why)))?;
            let full = page.all;
            items.extend(page.items);
            if items.len() > MOST_ITEMS {
                break;
            }
            match next.after(list.pages.as_ref(), full, &document, &self.place.url) {
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
    match fail {
        Fail::Unreachable(why) => Fail::Unreachable(format!("`{said}`: {why}")),
        Fail::Trust(why) => Fail::Trust(format!("`{said}`: {why}")),
        Fail::Refused(why) => Fail::Refused(format!("`{said}`: {why}")),
    }
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

    /// What follows a page of so many items, if anything does.
    fn after(&self, pages: Option<&Pages>, items: u64, document: &Value, below: &Url) -> Option<Self> {
        let at = match self {
            Self::Pairs(_, at) => *at,
            Self::Whole | Self::Query(_) => 0,
        };
        match pages? {
            Pages::Page { parameter, size, .. } => (items >= size.1).then(|| {
                let at = at.saturating_add(1);
                Self::Pairs(vec![(parameter.clone(), at.to_string()), (size.0.clone(), size.1.to_string())], at)
            }),
            Pages::Offset { parameter, size } => (items >= size.1).then(|| {
                let at = at.saturating_add(items);
                Self::Pairs(vec![(parameter.clone(), at.to_string()), (size.0.clone(), size.1.to_string())], at)
            }),
            Pages::Cursor { parameter, at } => {
                let mark = document.pointer(at).and_then(Value::as_str).filter(|mark| !mark.is_empty())?;
                Some(Self::Pairs(vec![(parameter.clone(), mark.to_owned())], 0))
            }
            // Only what comes behind `?` is taken: where the list is stands in the declaration.
            Pages::Url { at } => {
                let next = document.pointer(at).and_then(Value::as_str).filter(|next| !next.is_empty())?;
                below.join(next).ok()?.query().map(|query| Self::Query(query.to_owned()))
            }
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
            Some(at) => Some(id_at(item, at).ok_or_else(|| format!("an item of its list has no id at `{at}`"))?),
        };
        items.push(Item { name: name.to_owned(), id });
    }
    Ok(Page { items, all: u64::try_from(all.len()).unwrap_or(u64::MAX) })
}

/// An id is a text or a number.
fn id_at(document: &Value, at: &str) -> Option<String> {
    match document.pointer(at)? {
        Value::String(text) if (1..=LONGEST).contains(&text.len()) => Some(text.clone()),
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
        let said = |why: String| about(&call.said(&values), Fail::Refused(why));
        let reads = matches!(create.id, Some(IdAt::Document(_)))
            || matches!(create.secret, SecretFrom::Answer(_))
            || create.shows.iter().any(|(_, text)| text.keys().any(|key| matches!(key, Key::Answer(_))));
        let document = if reads { Some(answer.json().map_err(|e| said(e.to_string()))?) } else { None };
        let document = document.as_ref();
        let id = match &create.id {
            None => None,
            Some(IdAt::Location) => {
                Some(answer.located().ok_or_else(|| said("its answer has no `Location`".to_owned()))?)
            }
            Some(IdAt::Document(at)) => {
                let id = document.and_then(|document| id_at(document, at));
                Some(id.ok_or_else(|| said(format!("its answer has no id at `{at}`")))?)
            }
        };
        let answered = match &create.secret {
            SecretFrom::None | SecretFrom::Generated => None,
            SecretFrom::Answer(at) => {
                let found = document.and_then(|d| d.pointer(at)).and_then(Value::as_str);
                let found = found.filter(|text| (1..=LONGEST).contains(&text.len()));
                let found = found.ok_or_else(|| said(format!("its answer has no secret at `{at}`")))?;
                Some(Zeroizing::new(found.to_owned()))
            }
        };
        values.id = id.as_deref();
        values.answer = document;
        for step in &create.then {
            let hidden = Values { secret: None, answer: None, ..values };
            self.step(step, &hidden).await?;
        }
        let mut shows = Map::new();
        for (key, text) in &create.shows {
            shows.insert(key.clone(), text.json(&Values { secret: None, ..values })?);
        }
        Ok(Made { id, secret: answered, shows })
    }

    async fn revoke(&self, piece: &Piece, id: Option<&str>) -> Result<(), Fail> {
        let revoke = &self.calls.revoke;
        let values = self.values(Some(piece), id);
        for step in &revoke.before {
            let answer = self.send(&step.call, &values).await?;
            if !step.done.has(answer.status) && !revoke.gone.has(answer.status) {
                return Err(self.refusal(&step.call, &values, &answer));
            }
        }
        let answer = self.send(&revoke.step.call, &values).await?;
        if revoke.step.done.has(answer.status) || revoke.gone.has(answer.status) {
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
        if verify.absent.has(answer.status) {
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
