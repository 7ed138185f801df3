//! A directory: where it is, how people are found there, and which groups Wane may touch.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wane_connector::KindError;
use wane_connector::strict::{object, wrong};
use wane_ldap::Place;

const KEYS: &[&str] = &["urls", "starttls", "tls", "bind_dn", "base", "people", "groups", "placeholder", "cached_secs"];
const TLS_KEYS: &[&str] = &["ca_pem", "spki_sha256", "allow_tls12"];
const PEOPLE_KEYS: &[&str] = &["base", "attribute", "is", "filter"];

/// How many groups one resource has at most.
const MOST_GROUPS: usize = 500;
/// The longest a system is said to go on believing, in seconds: a week.
const LONGEST_CACHED: u64 = 7 * 24 * 3600;

/// The settings of one directory, in normal form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) urls: Vec<String>,
    #[serde(default)]
    pub(crate) starttls: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<wane_ldap::Tls>,
    pub(crate) bind_dn: String,
    /// Where an entry is looked for that is no longer under its name.
    pub(crate) base: String,
    pub(crate) people: People,
    /// The groups that may be given, by their names in the directory; no other is ever changed.
    pub(crate) groups: Vec<String>,
    /// Who stays in a group that may not be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) placeholder: Option<String>,
    /// How long systems go on believing what the directory said, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cached_secs: Option<u64>,
}

/// How a person's entry is found: one attribute with exactly one value of theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct People {
    pub(crate) base: String,
    #[serde(default = "uid")]
    pub(crate) attribute: String,
    /// `name`, or the name of an attribute that the person has in Wane.
    #[serde(default = "name")]
    pub(crate) is: String,
    /// What the entry must meet beside that, as a filter of RFC 4515.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) filter: Option<String>,
}

fn uid() -> String {
    "uid".to_owned()
}

fn name() -> String {
    "name".to_owned()
}

impl Settings {
    /// Reads what a person wrote.
    pub(crate) fn parse(given: &Value) -> Result<Self, KindError> {
        let keys = object("settings", given, KEYS)?;
        if let Some(tls) = keys.get("tls") {
            object("settings.tls", tls, TLS_KEYS)?;
        }
        if let Some(people) = keys.get("people") {
            object("settings.people", people, PEOPLE_KEYS)?;
        }
        let settings: Self = serde_json::from_value(given.clone()).map_err(|e| wrong("settings", e.to_string()))?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), KindError> {
        self.place().check().map_err(|e| wrong(format!("settings.{}", e.key), e.why))?;
        let groups = self.groups.iter().map(|g| ("settings.groups", g));
        let named = [("settings.base", &self.base), ("settings.people.base", &self.people.base)];
        for (what, dn) in
            named.into_iter().chain(groups).chain(self.placeholder.iter().map(|p| ("settings.placeholder", p)))
        {
            check_dn(what, dn)?;
        }
        if self.groups.is_empty() || self.groups.len() > MOST_GROUPS {
            return Err(wrong(
                "settings.groups",
                format!("name 1 to {MOST_GROUPS} groups, by their names in the directory; no other is ever changed"),
            ));
        }
        check_attribute("settings.people.attribute", &self.people.attribute)?;
        if self.people.is.is_empty() {
            return Err(wrong(
                "settings.people.is",
                "write `name`, or the name of an attribute that people have in Wane",
            ));
        }
        if let Some(filter) = &self.people.filter
            && !(filter.starts_with('(') && filter.ends_with(')') && is_balanced(filter))
        {
            return Err(wrong(
                "settings.people.filter",
                "write one filter in brackets, such as `(objectClass=inetOrgPerson)`",
            ));
        }
        if self.cached_secs.is_some_and(|secs| secs > LONGEST_CACHED) {
            return Err(wrong("settings.cached_secs", format!("must be 0 to {LONGEST_CACHED}")));
        }
        Ok(())
    }

    pub(crate) fn place(&self) -> Place {
        Place { urls: self.urls.clone(), starttls: self.starttls, tls: self.tls.clone(), bind_dn: self.bind_dn.clone() }
    }

    /// Whether a group may be given here.
    pub(crate) fn gives(&self, group: &str) -> bool {
        self.groups.iter().any(|named| same(named, group))
    }
}

/// Whether two names are written alike but for case. That two which are written otherwise are the same is the
/// server's to know; here it only means to write it as in the settings.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

pub(crate) fn check_dn(what: &str, dn: &str) -> Result<(), KindError> {
    let long = dn.len() > 1024;
    if long || !dn.contains('=') || dn.chars().any(char::is_control) {
        let shown: String = dn.chars().take(64).filter(|c| !c.is_control()).collect();
        return Err(wrong(
            what,
            format!("`{shown}` is no name of an entry; write it as in `cn=admins,ou=groups,dc=example,dc=org`"),
        ));
    }
    Ok(())
}

pub(crate) fn check_attribute(what: &str, attribute: &str) -> Result<(), KindError> {
    let plain = attribute.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let begins = attribute.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    if !plain || !begins || attribute.len() > 64 {
        return Err(wrong(what, "write the name of an attribute, such as `uid`, `mail` or `sAMAccountName`"));
    }
    Ok(())
}

/// Whether it is one bracketed whole: what stands behind it would be another filter.
fn is_balanced(filter: &str) -> bool {
    let mut depth = 0usize;
    let last = filter.len().saturating_sub(1);
    for (at, c) in filter.char_indices() {
        match c {
            '(' => depth = depth.saturating_add(1),
            ')' => match depth.checked_sub(1) {
                None => return false,
                Some(0) if at != last => return false,
                Some(less) => depth = less,
            },
            _ => {}
        }
        if depth > 32 {
            return false;
        }
    }
    depth == 0
}
