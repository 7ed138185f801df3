//! The settings of one resource: what it is called, how it is reached, and what is declared about it.
//!
//! Owns: reading them strictly, and their normal form: whole and without the template they came from, so that what is
//! registered is what is called, whatever a later version has for a template.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use url::Url;
use wane_connector::KindError;
use wane_connector::strict::{number, object, text, unknown_word, wrong};
use wane_domain::secret::Secret;
use wane_egress::{HookSecret, Reach};

use crate::auth::Auth;
use crate::declared::{Again, Calls, SecretFrom};
use crate::telling::{Op, Own, OwnSecret};
use crate::templates;
use crate::text::{Key, Moment, is_word};

const COMMON: &[&str] = &["template", "of", "hands_out", "parameters", "residual"];
const PLACE: &[&str] = &["url", "ca_pem"];
const OWN: &[&str] = &["calls", "secret", "ends_itself"];
/// The largest settings.
const LARGEST: usize = 64 * 1024;
const LONGEST_CA: usize = 64 * 1024;
/// The longest text for people.
const LONGEST_TEXT: usize = 500;
const LONGEST_NAME: usize = 64;
/// The longest residual that can be declared: a day.
const MOST_RESIDUAL: u64 = 86_400;

/// The settings of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// What this sort of target is called: roles say which they are of.
    pub(crate) of: String,
    pub(crate) hands_out: String,
    pub(crate) parameters: Map<String, Value>,
    pub(crate) residual: Residual,
    pub(crate) way: Way,
}

/// What is declared about the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Residual {
    pub(crate) logins_secs: u64,
    /// After how long open sessions are cut; none where the target leaves them.
    pub(crate) sessions_secs: Option<u64>,
    pub(crate) survives: String,
}

/// How the target is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By calls of its own API.
    Calls { place: Place, auth: Option<Auth>, calls: Box<Calls> },
    /// By signed calls to a receiver of one's own.
    Receiver { place: Place, own: Own },
    /// By a program on this machine.
    Program { file: String, sha256: Option<String>, own: Own },
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) url: Url,
    /// The only authorities it is trusted by, in PEM; none for those of the system.
    pub(crate) ca_pem: Option<String>,
}

/// What a declaration offers, whichever way it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offers {
    pub(crate) verify: bool,
    pub(crate) list: bool,
    pub(crate) extend: bool,
    pub(crate) again: Again,
    pub(crate) generated: bool,
    /// Whether the target ends it by itself, sooner or later.
    pub(crate) ends_itself: bool,
    /// Whether that is at the end of the grant itself.
    pub(crate) ends_exactly: bool,
}

impl Offers {
    /// Whether anything can be asked that says it is gone.
    pub(crate) fn proves(self) -> bool {
        self.verify || self.list
    }
}

impl Settings {
    /// Reads what people wrote, or the normal form.
    pub(crate) fn read(given: &Value) -> Result<Self, KindError> {
        if given.to_string().len() > LARGEST {
            return Err(wrong("settings", format!("are larger than {LARGEST} bytes")));
        }
        let all = [COMMON, PLACE, &["auth"], Calls::KEYS, OWN, &["receiver", "program", "sha256"]].concat();
        let asked = object("settings", given, &all)?;
        let merged = match text(asked, "template")? {
            None => asked.clone(),
            Some(name) => templates::with(name, asked)?,
        };
        let map = &merged;
        let of = named(map)?;
        let parameters = parameters(map.get("parameters"))?;
        let hands_out = people(map, "hands_out", "say what its holder gets: `a user of its own, with a password`")?;
        let residual = Residual::read(map.get("residual"))?;
        let way = Way::read(map)?;
        let settings = Self { of, hands_out, parameters, residual, way };
        settings.check_parameters()?;
        Ok(settings)
    }

    /// The normal form.
    pub(crate) fn json(&self) -> Value {
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
        put("of", json!(self.of));
        put("hands_out", json!(self.hands_out));
        if !self.parameters.is_empty() {
            put("parameters", Value::Object(self.parameters.clone()));
        }
        put("residual", self.residual.json());
        self.way.put(&mut out);
        Value::Object(out)
    }

    pub(crate) fn offers(&self) -> Offers {
        match &self.way {
            Way::Calls { calls, .. } => Offers {
                verify: calls.verify_absent.is_some(),
                list: calls.lists(),
                extend: calls.extend.is_some(),
                again: calls.create.again,
                generated: calls.create.secret == SecretFrom::Generated,
                ends_itself: calls.moment().is_some(),
                ends_exactly: calls.moment().is_some_and(Moment::is_exact),
            },
            Way::Receiver { own, .. } | Way::Program { own, .. } => Offers {
                verify: own.calls.contains(&Op::VerifyAbsent),
                list: own.calls.contains(&Op::Inventory),
                extend: own.calls.contains(&Op::Extend),
                // Whoever writes one makes `create` idempotent: that is what it is told.
                again: Again::Overwrite,
                generated: own.secret == OwnSecret::Generated,
                ends_itself: own.ends_itself,
                ends_exactly: own.ends_itself,
            },
        }
    }

    /// How the target itself is told when it is over, where that is declared.
    pub(crate) fn moment(&self) -> Option<Moment> {
        match &self.way {
            Way::Calls { calls, .. } => calls.moment(),
            Way::Receiver { .. } | Way::Program { .. } => None,
        }
    }

    /// Whether all that is there can be listed, and not only what has one name.
    pub(crate) fn lists_all(&self) -> bool {
        match &self.way {
            Way::Calls { calls, .. } => calls.inventory.is_some(),
            Way::Receiver { own, .. } | Way::Program { own, .. } => own.calls.contains(&Op::Inventory),
        }
    }

    /// Why the credential that is kept, or that there is none, does not go with what is declared.
    pub(crate) fn unusable_with(&self, credential: Option<&Secret>) -> Option<String> {
        let text = credential.and_then(Secret::expose_str);
        let shown = |needs: &str| Some(format!("{needs}; give it as the resource's credential"));
        match (&self.way, credential) {
            (Way::Calls { auth: None, .. }, Some(_)) => {
                Some("there is a credential, and `auth` does not say how it is shown".to_owned())
            }
            (Way::Calls { auth: Some(_), .. }, None) => {
                shown("`auth` says how a credential is shown, and there is none")
            }
            (Way::Calls { auth: Some(auth), .. }, Some(secret)) => auth.unusable_with(secret),
            (Way::Receiver { .. }, None) => {
                shown("what is sent to a receiver is signed, and there is no secret for it")
            }
            (Way::Receiver { .. }, Some(secret)) => HookSecret::read(secret).err().map(|e| e.to_string()),
            (Way::Program { .. }, Some(_)) if text.is_none() => Some("the credential is no text".to_owned()),
            (Way::Calls { auth: None, .. } | Way::Program { .. }, None) | (Way::Program { .. }, Some(_)) => None,
        }
    }

    /// The values of a role that `create` has places for; none where a receiver or program takes whatever there is.
    pub(crate) fn role_keys(&self) -> Option<BTreeSet<&str>> {
        match &self.way {
            Way::Calls { calls, .. } => Some(
                calls
                    .keys()
                    .into_iter()
                    .filter_map(|key| match key {
                        Key::Role(name) => Some(name.as_str()),
                        _ => None,
                    })
                    .collect(),
            ),
            Way::Receiver { .. } | Way::Program { .. } => None,
        }
    }

    fn check_parameters(&self) -> Result<(), KindError> {
        let Way::Calls { calls, auth, .. } = &self.way else { return Ok(()) };
        let mut keys = calls.keys();
        if let Some(Auth::Basic { user: Some(user) }) = auth {
            keys.extend(user.keys());
        }
        let used: BTreeSet<&str> = keys
            .into_iter()
            .filter_map(|key| match key {
                Key::Parameter(name) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        if let Some(missing) = used.iter().find(|name| !self.parameters.contains_key(**name)) {
            return Err(wrong(
                "parameters",
                format!("`{missing}` is missing: `{{parameters.{missing}}}` stands in a call"),
            ));
        }
        match self.parameters.keys().find(|name| !used.contains(name.as_str())) {
            None => Ok(()),
            Some(unused) if used.is_empty() => {
                Err(wrong("parameters", format!("`{}` stands in no call; leave it out", short(unused))))
            }
            Some(unused) => Err(wrong("parameters", unknown_word(unused, &used.into_iter().collect::<Vec<_>>()))),
        }
    }
}

/// What a declaration is called.
fn named(map: &Map<String, Value>) -> Result<String, KindError> {
    let of = text(map, "of")?.ok_or_else(|| {
        wrong("of", "say what this sort of target is called, such as `\"ticket-system\"`: roles say which they are of")
    })?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if (1..=LONGEST_NAME).contains(&of.len()) && of.bytes().all(plain) {
        Ok(of.to_owned())
    } else {
        Err(wrong("of", format!("`{}` is no name: use `a` to `z`, digits, `-` and `_`", short(of))))
    }
}

fn people(map: &Map<String, Value>, key: &'static str, missing: &str) -> Result<String, KindError> {
    let given = text(map, key)?.ok_or_else(|| wrong(key, missing))?;
    if given.trim().is_empty() || given.len() > LONGEST_TEXT || given.chars().any(char::is_control) {
        return Err(wrong(key, format!("write one line of at most {LONGEST_TEXT} bytes")));
    }
    Ok(given.to_owned())
}

fn parameters(given: Option<&Value>) -> Result<Map<String, Value>, KindError> {
    const WHAT: &str = "parameters";
    let Some(given) = given else { return Ok(Map::new()) };
    let Value::Object(map) = given else { return Err(wrong(WHAT, "write an object: `{\"team\": \"blue\"}`")) };
    if map.len() > 64 {
        return Err(wrong(WHAT, "are more than 64"));
    }
    for (name, value) in map {
        if !is_word(name) {
            return Err(wrong(WHAT, format!("`{}` is no name: use `a` to `z`, digits and `_`", short(name))));
        }
        match value {
            Value::String(text) if text.len() <= 1024 => {}
            Value::Number(_) | Value::Bool(_) => {}
            _ => return Err(wrong(WHAT, format!("write a text, a number, `true` or `false` for `{name}`"))),
        }
    }
    Ok(map.clone())
}

/// The same for another's reading: each name with what kind of value it has.
pub(crate) fn role_values(what: &str, given: Option<&Value>) -> Result<BTreeMap<String, Value>, KindError> {
    let Some(given) = given else { return Ok(BTreeMap::new()) };
    let Value::Object(map) = given else { return Err(wrong(what, "write an object: `{\"scopes\": [\"read\"]}`")) };
    if given.to_string().len() > 8 * 1024 {
        return Err(wrong(what, "are larger than 8 KiB"));
    }
    match map.iter().find(|(name, value)| !is_word(name) || value.is_null()) {
        None => Ok(map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()),
        Some((name, Value::Null)) => Err(wrong(what, format!("`{}` has no value", short(name)))),
        Some((name, _)) => Err(wrong(what, format!("`{}` is no name: use `a` to `z`, digits and `_`", short(name)))),
    }
}

pub(crate) fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

impl Residual {
    fn read(given: Option<&Value>) -> Result<Self, KindError> {
        const WHAT: &str = "residual";
        let missing = || {
            wrong(
                WHAT,
                "declare what is left after an end: `{\"logins_secs\": 5}` if at worst five seconds later nobody gets in any more, \"sessions_secs\" if open sessions are cut too, \"survives\" for what stays",
            )
        };
        let map = object(WHAT, given.ok_or_else(missing)?, &["logins_secs", "sessions_secs", "survives"])?;
        let secs = |key: &'static str| match number(map, key)? {
            Some(secs) if secs > MOST_RESIDUAL => Err(wrong(key, format!("is more than a day ({MOST_RESIDUAL})"))),
            secs => Ok(secs),
        };
        let survives = match text(map, "survives")? {
            None | Some("") => String::new(),
            Some(_) => people(map, "survives", "")?,
        };
        Ok(Self {
            logins_secs: secs("logins_secs")?.ok_or_else(missing)?,
            sessions_secs: secs("sessions_secs")?,
            survives,
        })
    }

    fn json(&self) -> Value {
        let mut out = Map::from_iter([("logins_secs".to_owned(), json!(self.logins_secs))]);
        if let Some(secs) = self.sessions_secs {
            out.insert("sessions_secs".to_owned(), json!(secs));
        }
        if !self.survives.is_empty() {
            out.insert("survives".to_owned(), json!(self.survives));
        }
        Value::Object(out)
    }
}

impl Way {
    fn read(map: &Map<String, Value>) -> Result<Self, KindError> {
        let receiver = match map.get("receiver") {
            None | Some(Value::Bool(false)) => false,
            Some(Value::Bool(true)) => true,
            Some(_) => return Err(wrong("receiver", "write `true` if it is a receiver of your own that is told")),
        };
        let only = |others: &[&[&str]], why: &str| match map.keys().find(|key| others.concat().contains(&key.as_str()))
        {
            None => Ok(()),
            Some(key) => Err(wrong(key.clone(), why)),
        };
        match (text(map, "program")?, receiver) {
            (Some(_), true) => Err(wrong("program", "is one way and `receiver` another; choose one")),
            (Some(file), false) => {
                only(&[PLACE, &["auth"], Calls::KEYS], "goes with calls; a program is told everything as JSON")?;
                Ok(Self::Program { file: program(file)?, sha256: sha256(map)?, own: Own::read(map)? })
            }
            (None, true) => {
                only(&[&["auth", "sha256"], Calls::KEYS], "goes with calls; a receiver is told everything as JSON")?;
                Ok(Self::Receiver { place: Place::read(map)?, own: Own::read(map)? })
            }
            (None, false) => {
                only(&[OWN, &["sha256"]], "goes with `receiver` or `program`")?;
                let auth = map.get("auth").map(Auth::read).transpose()?;
                Ok(Self::Calls { place: Place::read(map)?, auth, calls: Box::new(Calls::read(map)?) })
            }
        }
    }

    fn put(&self, out: &mut Map<String, Value>) {
        match self {
            Self::Calls { place, auth, calls } => {
                place.put(out);
                if let Some(auth) = auth {
                    out.insert("auth".to_owned(), auth.json());
                }
                calls.put(out);
            }
            Self::Receiver { place, own } => {
                place.put(out);
                out.insert("receiver".to_owned(), json!(true));
                own.put(out);
            }
            Self::Program { file, sha256, own } => {
                out.insert("program".to_owned(), json!(file));
                if let Some(sha256) = sha256 {
                    out.insert("sha256".to_owned(), json!(sha256));
                }
                own.put(out);
            }
        }
    }
}

/// The name of a file in the operator's folder, and nothing else.
fn program(file: &str) -> Result<String, KindError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if (1..=LONGEST_NAME).contains(&file.len()) && file.bytes().all(plain) && !file.starts_with(['.', '-']) {
        Ok(file.to_owned())
    } else {
        Err(wrong(
            "program",
            format!("`{}` is no name of a file in the folder that the server's `hooks.programs` names", short(file)),
        ))
    }
}

fn sha256(map: &Map<String, Value>) -> Result<Option<String>, KindError> {
    match text(map, "sha256")? {
        None => Ok(None),
        Some(hex) if hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) => {
            Ok(Some(hex.to_owned()))
        }
        Some(_) => Err(wrong("sha256", "write 64 hexadecimal digits, as `sha256sum` prints them")),
    }
}

impl Place {
    fn read(map: &Map<String, Value>) -> Result<Self, KindError> {
        let given =
            text(map, "url")?.ok_or_else(|| wrong("url", "say where it is, such as `https://mq.example.com/api`"))?;
        let refused = || {
            wrong(
                "url",
                format!(
                    "`{}` is not called: it has to be `https` on another machine, or on this one, without a user, query or fragment in it",
                    short(given)
                ),
            )
        };
        let url: Url = given.parse().map_err(|_| refused())?;
        if !Reach::of(&url, Reach::Away).allows(&url) || url.query().is_some() {
            return Err(refused());
        }
        let ca_pem = text(map, "ca_pem")?.map(str::to_owned);
        if let Some(pem) = &ca_pem {
            let read = Reach::of(&url, Reach::Away).client(Some(pem.as_bytes()));
            if pem.len() > LONGEST_CA || read.is_err() {
                return Err(wrong("ca_pem", "write certificates in PEM, from `-----BEGIN` to `-----END`"));
            }
        }
        Ok(Self { url, ca_pem })
    }

    fn put(&self, out: &mut Map<String, Value>) {
        out.insert("url".to_owned(), json!(self.url.as_str()));
        if let Some(pem) = &self.ca_pem {
            out.insert("ca_pem".to_owned(), json!(pem));
        }
    }
}

#[cfg(test)]
mod tests;
