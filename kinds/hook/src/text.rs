//! Texts with places for values: `/users/{name}`. Read once, filled whole, each value escaped for where it stands.
//!
//! Owns: which values there are, and how each sort of place takes one. Refuses to know: what a call is for.
//!
//! INVARIANT: a value never becomes more than the one part it was put into: URL, header and document keep the structure
//! that was declared (held by `a_value_stays_one_value`).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use wane_connector::KindError;
use wane_connector::strict::{listed, wrong};
use wane_domain::time::{Span, Time};

use crate::fail::Fail;

/// The longest text that is read.
const LONGEST: usize = 4096;
/// What stands in a URL as it is (RFC 3986 section 2.3).
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const DAY: Span = Span::from_hours(24);
/// What a target makes of "so long from now on" is up to this much later than asked.
const LATE: Span = Span::from_secs(60);

/// A value that a text can have a place for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// The name of what is made: `wane_…`.
    Name,
    /// The target's own id of it.
    Id,
    /// The secret that Wane makes for it.
    Secret,
    Grant,
    Lease,
    Resource,
    /// The end of the grant.
    End(Moment),
    /// A parameter of the resource.
    Parameter(String),
    /// A value of the role.
    Role(String),
    /// Something of the answer, by JSON Pointer (RFC 6901).
    Answer(String),
}

/// How the end of a grant is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// RFC 3339, in whole seconds.
    Time,
    /// The day after its day, UTC: for targets that end at the beginning of a day.
    NextDay,
    Unix,
    Millis,
    /// From now on.
    InSeconds,
    /// From now on, rounded up.
    InDays,
}

const MOMENTS: [(&str, Moment); 6] = [
    ("end.time", Moment::Time),
    ("end.next_day", Moment::NextDay),
    ("end.unix", Moment::Unix),
    ("end.millis", Moment::Millis),
    ("end.in_seconds", Moment::InSeconds),
    ("end.in_days", Moment::InDays),
];

/// A sort of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Name,
    Id,
    Secret,
    Whose,
    End,
    Parameter,
    Role,
    Answer,
}

impl Sort {
    fn words(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Id => "id",
            Self::Secret => "secret",
            Self::Whose => "grant`, `lease`, `resource",
            Self::End => "end.time`, `end.unix`, `end.millis`, `end.in_seconds`, `end.in_days`, `end.next_day",
            Self::Parameter => "parameters.NAME",
            Self::Role => "role.NAME",
            Self::Answer => "answer/POINTER",
        }
    }
}

impl Key {
    fn read(word: &str) -> Option<Self> {
        if let Some((_, moment)) = MOMENTS.iter().find(|(name, _)| *name == word) {
            return Some(Self::End(*moment));
        }
        if let Some(pointer) = word.strip_prefix("answer").filter(|rest| rest.starts_with('/')) {
            return Some(Self::Answer(pointer.to_owned()));
        }
        match word.split_once('.') {
            Some(("parameters", name)) if is_word(name) => Some(Self::Parameter(name.to_owned())),
            Some(("role", name)) if is_word(name) => Some(Self::Role(name.to_owned())),
            Some(_) => None,
            None => match word {
                "name" => Some(Self::Name),
                "id" => Some(Self::Id),
                "secret" => Some(Self::Secret),
                "grant" => Some(Self::Grant),
                "lease" => Some(Self::Lease),
                "resource" => Some(Self::Resource),
                _ => None,
            },
        }
    }

    fn word(&self) -> String {
        match self {
            Self::Name => "name".to_owned(),
            Self::Id => "id".to_owned(),
            Self::Secret => "secret".to_owned(),
            Self::Grant => "grant".to_owned(),
            Self::Lease => "lease".to_owned(),
            Self::Resource => "resource".to_owned(),
            Self::End(moment) => {
                MOMENTS.iter().find(|(_, m)| m == moment).map(|(name, _)| (*name).to_owned()).unwrap_or_default()
            }
            Self::Parameter(name) => format!("parameters.{name}"),
            Self::Role(name) => format!("role.{name}"),
            Self::Answer(pointer) => format!("answer{pointer}"),
        }
    }

    fn sort(&self) -> Sort {
        match self {
            Self::Name => Sort::Name,
            Self::Id => Sort::Id,
            Self::Secret => Sort::Secret,
            Self::Grant | Self::Lease | Self::Resource => Sort::Whose,
            Self::End(_) => Sort::End,
            Self::Parameter(_) => Sort::Parameter,
            Self::Role(_) => Sort::Role,
            Self::Answer(_) => Sort::Answer,
        }
    }
}

/// Whether a word can name a parameter or a value of a role: `a` to `z`, digits and `_`.
pub(crate) fn is_word(word: &str) -> bool {
    (1..=64).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// What is made, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) name: String,
    pub(crate) grant: String,
    pub(crate) lease: String,
    pub(crate) resource: String,
    /// When it must be gone by.
    pub(crate) end: Time,
    pub(crate) now: Time,
}

/// What the places are filled with.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    pub(crate) piece: Option<&'a Piece>,
    pub(crate) id: Option<&'a str>,
    pub(crate) secret: Option<&'a str>,
    pub(crate) parameters: &'a Map<String, Value>,
    pub(crate) role: Option<&'a Map<String, Value>>,
    pub(crate) answer: Option<&'a Value>,
}

impl<'a> Values<'a> {
    pub(crate) fn of(parameters: &'a Map<String, Value>) -> Self {
        Self { piece: None, id: None, secret: None, parameters, role: None, answer: None }
    }

    fn get(&self, key: &Key) -> Result<Value, Fail> {
        let text = |text: Option<&str>| text.map(|text| Value::String(text.to_owned()));
        let piece = |of: fn(&Piece) -> &str| text(self.piece.map(of));
        let found = match key {
            Key::Name => piece(|p| &p.name),
            Key::Grant => piece(|p| &p.grant),
            Key::Lease => piece(|p| &p.lease),
            Key::Resource => piece(|p| &p.resource),
            Key::Id => text(self.id),
            Key::Secret => text(self.secret),
            Key::End(moment) => self.piece.map(|p| moment.of(p.end, p.now)),
            Key::Parameter(name) => self.parameters.get(name).cloned(),
            Key::Role(name) => self.role.and_then(|role| role.get(name)).cloned(),
            Key::Answer(pointer) => self.answer.and_then(|answer| answer.pointer(pointer)).cloned(),
        };
        found.ok_or_else(|| Fail::refused(format!("there is no value for `{{{}}}`", key.word())))
    }

    /// The value as a text.
    fn text(&self, key: &Key) -> Result<String, Fail> {
        match self.get(key)? {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(yes) => Ok(yes.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                Err(Fail::refused(format!("`{{{}}}` stands in a text and is no text", key.word())))
            }
        }
    }
}

impl Moment {
    fn of(self, end: Time, now: Time) -> Value {
        let whole = Time::from_micros(end.seconds().saturating_mul(1_000_000));
        match self {
            Self::Time => Value::String(whole.to_string()),
            Self::NextDay => Value::String(end.plus(DAY).to_string().chars().take(10).collect()),
            Self::Unix => Value::from(end.seconds()),
            Self::Millis => Value::from(end.micros() / 1000),
            Self::InSeconds => Value::from(end.since(now).secs().max(1)),
            Self::InDays => Value::from(end.since(now).micros().div_ceil(DAY.micros()).max(1)),
        }
    }

    /// When what was made under this ends by itself.
    pub(crate) fn ends(self, end: Time, now: Time) -> Time {
        match self {
            Self::Time | Self::Unix | Self::Millis => end,
            Self::InSeconds => end.plus(LATE),
            Self::NextDay => end.plus(DAY),
            Self::InDays => {
                let days = end.since(now).micros().div_ceil(DAY.micros()).max(1);
                now.plus(Span::from_micros(days.saturating_mul(DAY.micros()))).plus(LATE)
            }
        }
    }

    /// The same where it is not known when it was made: the latest that it can be, for any moment before the end.
    pub(crate) fn latest(self, end: Time) -> Time {
        match self {
            Self::Time | Self::Unix | Self::Millis | Self::NextDay | Self::InSeconds => self.ends(end, end),
            Self::InDays => end.plus(DAY).plus(LATE),
        }
    }

    /// Whether the target then ends it at the end itself, and not later.
    pub(crate) fn is_exact(self) -> bool {
        matches!(self, Self::Time | Self::Unix | Self::Millis)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Value(Key),
}

/// A text with places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text(Vec<Part>);

impl Text {
    /// Reads a text that may have places for these sorts of values; `{{` and `}}` are braces.
    pub(crate) fn read(what: &str, text: &str, may: &[Sort]) -> Result<Self, KindError> {
        if text.len() > LONGEST {
            return Err(wrong(what, format!("is longer than {LONGEST} bytes")));
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
                literal.push_str(from.get(..1).unwrap_or_default());
                rest = after;
                continue;
            }
            let inside = from.strip_prefix('{').and_then(|inside| inside.split_once('}'));
            let Some((word, after)) = inside else {
                return Err(wrong(what, "a `{` and its `}` do not go together; for a brace itself write `{{` or `}}`"));
            };
            let all = may.iter().map(|sort| sort.words()).collect::<Vec<_>>();
            let key = Key::read(word).filter(|key| may.contains(&key.sort())).ok_or_else(|| {
                let word: String = word.chars().take(64).collect();
                wrong(what, format!("`{{{word}}}` does not stand here; use {}", listed(&all)))
            })?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Value(key));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self(parts))
    }

    /// Reads the path of a URL.
    pub(crate) fn read_path(what: &str, text: &str, may: &[Sort]) -> Result<Self, KindError> {
        let path = Self::read(what, text, may)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&b);
        let literals = path.0.iter().filter_map(|part| match part {
            Part::Literal(text) => Some(text),
            Part::Value(_) => None,
        });
        if !text.starts_with('/') || text.contains("//") || literals.clone().any(|text| !text.bytes().all(plain)) {
            return Err(wrong(
                what,
                "write a path that begins with `/`, without `//`, spaces, `?` or `#`; what comes behind `?` stands in `query`",
            ));
        }
        if text.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(wrong(what, "write the path itself, without `.` and `..`"));
        }
        Ok(path)
    }

    /// The values it has places for.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.0.iter().filter_map(|part| match part {
            Part::Value(key) => Some(key),
            Part::Literal(_) => None,
        })
    }

    /// As it is written.
    pub(crate) fn written(&self) -> String {
        let part = |part: &Part| match part {
            Part::Literal(text) => text.replace('{', "{{").replace('}', "}}"),
            Part::Value(key) => format!("{{{}}}", key.word()),
        };
        self.0.iter().map(part).collect()
    }

    /// Filled, as a text.
    pub(crate) fn plain(&self, values: &Values<'_>) -> Result<String, Fail> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Value(key) => out.push_str(&values.text(key)?),
            }
        }
        Ok(out)
    }

    /// Filled, for a document: a text that is one place is the value itself, be it a number or a list.
    pub(crate) fn json(&self, values: &Values<'_>) -> Result<Value, Fail> {
        match self.0.as_slice() {
            [Part::Value(key)] => values.get(key),
            _ => self.plain(values).map(Value::String),
        }
    }

    /// Filled, for the path of a URL: each value is one segment of it, or part of one.
    pub(crate) fn path(&self, values: &Values<'_>) -> Result<String, Fail> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Value(key) => {
                    let value = values.text(key)?;
                    if value.is_empty() {
                        return Err(Fail::refused(format!("`{{{}}}` is empty and stands in a path", key.word())));
                    }
                    out.extend(utf8_percent_encode(&value, PART));
                }
            }
        }
        // `.` and `..`, spelled however, would be another path.
        let dots = |part: &str| matches!(part.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
        if out.split('/').any(dots) {
            return Err(Fail::refused("a value would make it another path"));
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
