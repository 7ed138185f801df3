//! What a declaration of calls says: how something is made, taken away, asked for and listed at a target's own API.
//!
//! Owns: the declaration's form. Refuses to know: how a call is sent.

use serde_json::{Map, Value, json};
use wane_connector::KindError;
use wane_connector::strict::{object, text, unknown_word, wrong};

use crate::call::{CALL_KEYS, Call, Condition, Meaning, Statuses, pointer};
use crate::listing::List;
use crate::settings::short;
use crate::text::{Key, Moment, Sort, Text};

/// What answers may be taken for "done" where nobody says.
const DONE: &[u16] = &[200, 201, 202, 204];
const GONE: &[u16] = &[404, 410];

const CREATE: &[Sort] = &[Sort::Name, Sort::Secret, Sort::Whose, Sort::End, Sort::Parameter, Sort::Role];
const THEN: &[Sort] = &[Sort::Name, Sort::Id, Sort::Whose, Sort::End, Sort::Parameter, Sort::Role];
const LATER: &[Sort] = &[Sort::Name, Sort::Id, Sort::Whose, Sort::Parameter];
const EXTEND: &[Sort] = &[Sort::Name, Sort::Id, Sort::Whose, Sort::End, Sort::Parameter];
const FIND: &[Sort] = &[Sort::Name, Sort::Parameter];
const LIST: &[Sort] = &[Sort::Parameter];
const SHOWS: &[Sort] = &[Sort::Name, Sort::Id, Sort::End, Sort::Parameter, Sort::Role, Sort::Answer];

/// The most calls of one effect.
const MOST_STEPS: usize = 8;

/// The calls of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) create: Create,
    pub(crate) revoke: Revoke,
    pub(crate) verify_absent: Option<Verify>,
    /// Looks for one by its name, where that is less than all of the list.
    pub(crate) find: Option<List>,
    pub(crate) inventory: Option<List>,
    pub(crate) extend: Option<Step>,
}

/// A call that is done or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) call: Call,
    pub(crate) done: Statuses,
}

/// How something is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Create {
    pub(crate) step: Step,
    /// There is something of this name already.
    pub(crate) taken: Statuses,
    pub(crate) id: Option<IdAt>,
    pub(crate) secret: SecretFrom,
    /// What the holder is told besides.
    pub(crate) shows: Vec<(String, Text)>,
    pub(crate) again: Again,
    pub(crate) then: Vec<Step>,
}

/// Where the target's own id of what was made stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IdAt {
    /// In the answer.
    Document(String),
    /// The last part of the path in `Location`.
    Location,
}

/// Where the secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretFrom {
    /// There is none.
    None,
    /// Wane makes it.
    Generated,
    /// The target answers it.
    Answer(String),
}

/// What is done where there is one already, whose secret nobody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// Made once more, it takes the place of what is there.
    Overwrite,
    /// It is revoked, then made anew.
    RevokeFirst,
}

/// How it is taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Revoke {
    /// Before it: block logins, end sessions.
    pub(crate) before: Vec<Step>,
    pub(crate) step: Step,
    /// It is not there any more.
    pub(crate) gone: Statuses,
}

/// How it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verify {
    pub(crate) call: Call,
    pub(crate) absent: Statuses,
    pub(crate) present: Statuses,
    /// What is shown and no longer works.
    pub(crate) absent_if: Option<Condition>,
}

impl Calls {
    pub(crate) const KEYS: &'static [&'static str] =
        &["create", "revoke", "verify_absent", "find", "inventory", "extend"];

    pub(crate) fn read(map: &Map<String, Value>) -> Result<Self, KindError> {
        let needed = |key: &'static str| {
            map.get(key).ok_or_else(|| wrong(key, format!("say how the target is told: the call that is `{key}`")))
        };
        let calls = Self {
            create: Create::read(needed("create")?)?,
            revoke: Revoke::read(needed("revoke")?)?,
            verify_absent: map.get("verify_absent").map(Verify::read).transpose()?,
            find: map.get("find").map(|given| List::read("find", given, FIND)).transpose()?,
            inventory: map.get("inventory").map(|given| List::read("inventory", given, LIST)).transpose()?,
            extend: map.get("extend").map(|given| Step::read("extend", given, "POST", EXTEND)).transpose()?,
        };
        calls.check()?;
        Ok(calls)
    }

    /// What goes together.
    fn check(&self) -> Result<(), KindError> {
        let by_id = |keys: Vec<&Key>| keys.contains(&&Key::Id);
        let revoked_by_id = by_id(self.revoke.step.call.keys())
            || self.revoke.before.iter().any(|step| by_id(step.call.keys()))
            || self.extend.as_ref().is_some_and(|step| by_id(step.call.keys()));
        let listed = self.find.is_some() || self.inventory.is_some();
        if revoked_by_id && !listed {
            // INVARIANT: whatever becomes of an answer, the name is enough to find what it was about (held by
            // `a_lost_answer_is_found_by_name`).
            return Err(wrong(
                "inventory",
                "is needed, or `find`: what is revoked by the target's own id could not be found again after an answer that got lost",
            ));
        }
        self.check_ids(revoked_by_id)?;
        if !self.proves() && self.moment().is_none() {
            return Err(wrong(
                "verify_absent",
                "is needed, or `find` or `inventory`: nothing could ever say that it is gone; or have the target end it by itself, with one of `{end.…}` in `create`",
            ));
        }
        let keys = self.create.step.call.keys();
        let uses_secret = keys.contains(&&Key::Secret);
        match &self.create.secret {
            SecretFrom::Generated if !uses_secret => {
                Err(wrong("create.secret", "is `generated`, and `{secret}` stands nowhere in the call"))
            }
            SecretFrom::None | SecretFrom::Answer(_) if uses_secret => {
                Err(wrong("create.secret", "has to be `generated` where `{secret}` stands in the call"))
            }
            SecretFrom::None | SecretFrom::Generated | SecretFrom::Answer(_) => self.check_name(&keys),
        }
    }

    /// Where a call has a place for an id, something has to say one, or it is never made.
    fn check_ids(&self, revoked_by_id: bool) -> Result<(), KindError> {
        let by_id = |call: &Call| call.keys().contains(&&Key::Id);
        let asked_by_id = self.verify_absent.as_ref().is_some_and(|verify| by_id(&verify.call))
            || self.create.then.iter().any(|step| by_id(&step.call))
            || self.create.shows.iter().any(|(_, text)| text.keys().any(|key| *key == Key::Id));
        if asked_by_id && self.create.id.is_none() {
            return Err(wrong("create.id", "is needed where `{id}` stands in `verify_absent`, `then` or `shows`"));
        }
        let list = self.find.as_ref().or(self.inventory.as_ref());
        if revoked_by_id && list.is_some_and(|list| list.id.is_none()) {
            let what = if self.find.is_some() { "find.id" } else { "inventory.id" };
            return Err(wrong(
                what,
                "is needed where `{id}` stands in `revoke` or `extend`: that is where it comes from",
            ));
        }
        Ok(())
    }

    /// What has no name of ours at the target is found by nobody.
    fn check_name(&self, keys: &[&Key]) -> Result<(), KindError> {
        if keys.contains(&&Key::Name) {
            Ok(())
        } else {
            Err(wrong("create", "has to give what it makes its name: `{name}` stands nowhere in the call"))
        }
    }

    /// Whether something can be asked that says it is gone.
    pub(crate) fn proves(&self) -> bool {
        self.verify_absent.is_some() || self.lists()
    }

    pub(crate) fn lists(&self) -> bool {
        self.find.is_some() || self.inventory.is_some()
    }

    /// How the target itself is told when it is over; the last of several.
    pub(crate) fn moment(&self) -> Option<Moment> {
        let steps = std::iter::once(&self.create.step).chain(&self.create.then);
        let mut moments = steps.flat_map(|step| step.call.keys()).filter_map(|key| match key {
            Key::End(moment) => Some(*moment),
            _ => None,
        });
        moments.next_back()
    }

    /// All values that stand anywhere.
    pub(crate) fn keys(&self) -> Vec<&Key> {
        let mut all = self.create.step.call.keys();
        all.extend(self.create.then.iter().flat_map(|step| step.call.keys()));
        all.extend(self.create.shows.iter().flat_map(|(_, text)| text.keys()));
        all.extend(self.revoke.before.iter().flat_map(|step| step.call.keys()));
        all.extend(self.revoke.step.call.keys());
        all.extend(self.verify_absent.iter().flat_map(|verify| verify.call.keys()));
        all.extend(self.find.iter().chain(&self.inventory).flat_map(|list| list.call.keys()));
        all.extend(self.extend.iter().flat_map(|step| step.call.keys()));
        all
    }

    pub(crate) fn put(&self, out: &mut Map<String, Value>) {
        let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
        put("create", self.create.json());
        put("revoke", self.revoke.json());
        if let Some(verify) = &self.verify_absent {
            put("verify_absent", verify.json());
        }
        if let Some(find) = &self.find {
            put("find", find.json());
        }
        if let Some(inventory) = &self.inventory {
            put("inventory", inventory.json());
        }
        if let Some(extend) = &self.extend {
            put("extend", extend.json());
        }
    }
}

/// The object under a key, with no keys but a call's and these.
pub(crate) fn fields<'a>(what: &str, given: &'a Value, own: &[&str]) -> Result<&'a Map<String, Value>, KindError> {
    object(what, given, &[CALL_KEYS, own].concat())
        .map_err(|e| KindError { what: if e.what == what { e.what } else { format!("{what}.{}", e.what) }, why: e.why })
}

impl Step {
    fn read(what: &str, given: &Value, usual: &str, may: &[Sort]) -> Result<Self, KindError> {
        Self::of(what, fields(what, given, &["done"])?, usual, may)
    }

    fn of(what: &str, map: &Map<String, Value>, usual: &str, may: &[Sort]) -> Result<Self, KindError> {
        Ok(Self {
            call: Call::read(what, map, usual, may)?,
            done: Statuses::read(what, map, "done", DONE, Meaning::Done)?,
        })
    }

    fn several(what: &str, given: Option<&Value>, may: &[Sort]) -> Result<Vec<Self>, KindError> {
        match given {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) if items.len() <= MOST_STEPS => {
                items.iter().map(|item| Self::read(what, item, "POST", may)).collect()
            }
            Some(_) => Err(wrong(what, format!("write a list of at most {MOST_STEPS} calls"))),
        }
    }

    fn json(&self) -> Value {
        let mut out = Map::new();
        self.call.put(&mut out);
        out.insert("done".to_owned(), self.done.json());
        Value::Object(out)
    }
}

impl Create {
    fn read(given: &Value) -> Result<Self, KindError> {
        const WHAT: &str = "create";
        let map = fields(WHAT, given, &["done", "taken", "id", "secret", "shows", "again", "then"])?;
        let shows = match map.get("shows") {
            None => Vec::new(),
            Some(Value::Object(shows)) if shows.len() <= 32 => shows
                .iter()
                .map(|(key, value)| match value {
                    Value::String(text) => Ok((key.clone(), Text::read("create.shows", text, SHOWS)?)),
                    _ => Err(wrong("create.shows", format!("write a text for `{}`", short(key)))),
                })
                .collect::<Result<_, _>>()?,
            Some(_) => return Err(wrong("create.shows", "write an object of texts that the holder is told")),
        };
        let again = match text(map, "again")? {
            None | Some("revoke_first") => Again::RevokeFirst,
            Some("overwrite") => Again::Overwrite,
            Some(other) => return Err(wrong("create.again", unknown_word(other, &["revoke_first", "overwrite"]))),
        };
        Ok(Self {
            step: Step::of(WHAT, map, "POST", CREATE)?,
            taken: Statuses::read(WHAT, map, "taken", &[409], Meaning::Not)?,
            id: map.get("id").map(IdAt::read).transpose()?,
            secret: SecretFrom::read(map.get("secret"))?,
            shows,
            again,
            then: Step::several("create.then", map.get("then"), THEN)?,
        })
    }

    fn json(&self) -> Value {
        let Value::Object(mut out) = self.step.json() else { return Value::Null };
        let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
        put("taken", self.taken.json());
        if let Some(id) = &self.id {
            put("id", id.json());
        }
        if let Some(secret) = self.secret.json() {
            put("secret", secret);
        }
        if !self.shows.is_empty() {
            put("shows", self.shows.iter().map(|(key, text)| (key.clone(), json!(text.written()))).collect());
        }
        put(
            "again",
            json!(match self.again {
                Again::Overwrite => "overwrite",
                Again::RevokeFirst => "revoke_first",
            }),
        );
        if !self.then.is_empty() {
            put("then", self.then.iter().map(Step::json).collect());
        }
        Value::Object(out)
    }
}

impl IdAt {
    fn read(given: &Value) -> Result<Self, KindError> {
        const WHAT: &str = "create.id";
        let map = object(WHAT, given, &["at", "header"])?;
        match (pointer(WHAT, map.get("at"))?, text(map, "header")?) {
            (Some(at), None) => Ok(Self::Document(at)),
            (None, Some("location")) => Ok(Self::Location),
            (_, _) => Err(wrong(
                WHAT,
                "say where the target's own id stands: `{\"at\": \"/id\"}`, or `{\"header\": \"location\"}` for the last part of a `Location`",
            )),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Document(at) => json!({ "at": at }),
            Self::Location => json!({ "header": "location" }),
        }
    }
}

impl SecretFrom {
    fn read(given: Option<&Value>) -> Result<Self, KindError> {
        const WHAT: &str = "create.secret";
        let shape = || {
            wrong(
                WHAT,
                "write `\"generated\"` if Wane makes it, `{\"at\": \"/token\"}` if the target answers it, or leave it out if there is none",
            )
        };
        match given {
            None => Ok(Self::None),
            Some(Value::String(word)) if word == "generated" => Ok(Self::Generated),
            Some(given @ Value::Object(_)) => {
                let map = object(WHAT, given, &["at"])?;
                pointer(WHAT, map.get("at"))?.map(Self::Answer).ok_or_else(shape)
            }
            Some(_) => Err(shape()),
        }
    }

    fn json(&self) -> Option<Value> {
        match self {
            Self::None => None,
            Self::Generated => Some(json!("generated")),
            Self::Answer(at) => Some(json!({ "at": at })),
        }
    }
}

impl Revoke {
    fn read(given: &Value) -> Result<Self, KindError> {
        const WHAT: &str = "revoke";
        let map = fields(WHAT, given, &["done", "gone", "before"])?;
        Ok(Self {
            before: Step::several("revoke.before", map.get("before"), LATER)?,
            step: Step::of(WHAT, map, "DELETE", LATER)?,
            gone: Statuses::read(WHAT, map, "gone", GONE, Meaning::Not)?,
        })
    }

    fn json(&self) -> Value {
        let Value::Object(mut out) = self.step.json() else { return Value::Null };
        out.insert("gone".to_owned(), self.gone.json());
        if !self.before.is_empty() {
            out.insert("before".to_owned(), self.before.iter().map(Step::json).collect());
        }
        Value::Object(out)
    }
}

impl Verify {
    fn read(given: &Value) -> Result<Self, KindError> {
        const WHAT: &str = "verify_absent";
        let map = fields(WHAT, given, &["absent", "present", "absent_if"])?;
        Ok(Self {
            call: Call::read(WHAT, map, "GET", LATER)?,
            absent: Statuses::read(WHAT, map, "absent", GONE, Meaning::Not)?,
            present: Statuses::read(WHAT, map, "present", &[200], Meaning::Done)?,
            absent_if: Condition::read("verify_absent.absent_if", map.get("absent_if"))?,
        })
    }

    fn json(&self) -> Value {
        let mut out = Map::new();
        self.call.put(&mut out);
        out.insert("absent".to_owned(), self.absent.json());
        out.insert("present".to_owned(), self.present.json());
        if let Some(condition) = &self.absent_if {
            out.insert("absent_if".to_owned(), condition.json());
        }
        Value::Object(out)
    }
}
