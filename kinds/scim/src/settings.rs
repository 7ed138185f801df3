//! An application: where it is, how people are found there, which groups Wane may touch, and whether it makes accounts.

use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wane_connector::KindError;
use wane_connector::strict::{object, wrong};
use wane_domain::text::Name;
use wane_egress::Reach;

const KEYS: &[&str] = &["url", "ca_pem", "people", "groups", "accounts", "cached_secs"];
const PEOPLE_KEYS: &[&str] = &["attribute", "is"];
const ACCOUNT_KEYS: &[&str] = &["email"];

/// How many groups one resource has at most.
const MOST_GROUPS: usize = 200;
const LONGEST_GROUP: usize = 256;
const LONGEST_URL: usize = 1024;
const LONGEST_CA: usize = 64 * 1024;
/// The longest an application is said to go on believing, in seconds: a week.
const LONGEST_CACHED: u64 = 7 * 24 * 3600;
/// The attribute by which an account is made.
pub(crate) const USER_NAME: &str = "userName";

/// The settings of one application, in normal form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Where its resources are: `https://app.example.org/scim/v2`.
    pub(crate) url: String,
    /// Who vouches for it, if not who vouches for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_pem: Option<String>,
    #[serde(default)]
    pub(crate) people: People,
    /// The groups that may be given, by their display names; no other is ever changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups: Vec<String>,
    /// That accounts may be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) accounts: Option<Accounts>,
    /// How long the application goes on believing what it knew, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cached_secs: Option<u64>,
}

/// How a person's account is found: one attribute with exactly one value of theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct People {
    #[serde(default = "user_name")]
    pub(crate) attribute: String,
    /// `name`, or the name of an attribute that the person has in Wane.
    #[serde(default = "name")]
    pub(crate) is: String,
}

impl Default for People {
    fn default() -> Self {
        Self { attribute: user_name(), is: name() }
    }
}

/// What an account is made with besides its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Accounts {
    /// The attribute in Wane that is their address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
}

fn user_name() -> String {
    USER_NAME.to_owned()
}

fn name() -> String {
    "name".to_owned()
}

impl Settings {
    /// Reads what a person wrote.
    pub(crate) fn parse(given: &Value) -> Result<Self, KindError> {
        let keys = object("settings", given, KEYS)?;
        for (key, known) in [("people", PEOPLE_KEYS), ("accounts", ACCOUNT_KEYS)] {
            if let Some(inner) = keys.get(key) {
                object(&format!("settings.{key}"), inner, known)?;
            }
        }
        let settings: Self = serde_json::from_value(given.clone()).map_err(|e| wrong("settings", e.to_string()))?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), KindError> {
        self.base().map_err(|why| wrong("settings.url", why))?;
        if self
            .ca_pem
            .as_ref()
            .is_some_and(|pem| pem.len() > LONGEST_CA || !pem.contains("-----BEGIN CERTIFICATE-----"))
        {
            return Err(wrong(
                "settings.ca_pem",
                "write the authority's certificate in PEM, from `-----BEGIN` to `-----END`",
            ));
        }
        if !is_path(&self.people.attribute) {
            return Err(wrong(
                "settings.people.attribute",
                "write the attribute by which they are found: `userName`, `externalId`, `emails.value`",
            ));
        }
        let named = [Some(&self.people.is), self.accounts.as_ref().and_then(|accounts| accounts.email.as_ref())];
        if let Some(odd) = named.into_iter().flatten().find(|name| name.parse::<Name>().is_err()) {
            let shown: String = odd.chars().take(64).collect();
            return Err(wrong(
                "settings.people.is",
                format!("`{shown}` is neither `name` nor an attribute that people have"),
            ));
        }
        if self.groups.len() > MOST_GROUPS || (self.groups.is_empty() && self.accounts.is_none()) {
            return Err(wrong(
                "settings.groups",
                format!(
                    "name 1 to {MOST_GROUPS} groups, or write `accounts = {{}}` if accounts may be given; nothing else is ever changed"
                ),
            ));
        }
        for group in &self.groups {
            check_group("settings.groups", group)?;
        }
        if self.accounts.is_some() && self.people.attribute != USER_NAME {
            return Err(wrong(
                "settings.accounts",
                "an account is made by its `userName`: people have to be found by that",
            ));
        }
        if self.cached_secs.is_some_and(|secs| secs > LONGEST_CACHED) {
            return Err(wrong("settings.cached_secs", format!("must be 0 to {LONGEST_CACHED}")));
        }
        Ok(())
    }

    /// Where its resources are.
    pub(crate) fn base(&self) -> Result<Url, String> {
        let want = || "write where its SCIM resources are, such as `https://app.example.org/scim/v2`".to_owned();
        let url: Url = self.url.parse().map_err(|_| want())?;
        if self.url.len() > LONGEST_URL || url.query().is_some() || url.cannot_be_a_base() {
            return Err(want());
        }
        if !Self::reach(&url).allows(&url) {
            return Err(format!(
                "`{url}` may not be asked: it has to be `https`, at no address of this machine's link, and bare"
            ));
        }
        Ok(url)
    }

    /// How far it may be: on this machine if it says so itself.
    pub(crate) fn reach(url: &Url) -> Reach {
        Reach::of(url, Reach::Away)
    }

    /// Whether a group may be given here.
    pub(crate) fn gives(&self, group: &str) -> bool {
        self.groups.iter().any(|named| named == group)
    }
}

pub(crate) fn check_group(what: &str, group: &str) -> Result<(), KindError> {
    if group.is_empty() || group.len() > LONGEST_GROUP || group.chars().any(char::is_control) {
        return Err(wrong(what, "write the group's display name, as the application shows it"));
    }
    Ok(())
}

/// An attribute, or one of its parts.
fn is_path(text: &str) -> bool {
    let part = |part: &str| {
        let begins = part.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
        begins && part.len() <= 64 && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    let parts: Vec<&str> = text.split('.').collect();
    (1..=2).contains(&parts.len()) && parts.into_iter().all(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_strict_and_normal() {
        let plain = json!({ "url": "https://app.example.org/scim/v2", "groups": ["Admins"] });
        let read = Settings::parse(&plain).unwrap();
        let normal = serde_json::to_value(&read).unwrap();
        assert_eq!(normal["people"], json!({ "attribute": "userName", "is": "name" }));
        assert_eq!(Settings::parse(&normal).unwrap(), read);
        for (key, value, what) in [
            ("url", json!("http://app.example.org/scim"), "settings.url"),
            ("url", json!("https://169.254.169.254/scim"), "settings.url"),
            ("url", json!("https://user:word@app.example.org/"), "settings.url"),
            ("url", json!("https://app.example.org/?tenant=1"), "settings.url"),
            ("url", json!("mailto:a@b"), "settings.url"),
            ("groups", json!([]), "settings.groups"),
            ("groups", json!([""]), "settings.groups"),
            ("groups", json!(["a\u{0}"]), "settings.groups"),
            ("people", json!({ "attribute": "userName eq \"x\" or a" }), "settings.people.attribute"),
            ("people", json!({ "attribute": "a.b.c" }), "settings.people.attribute"),
            ("people", json!({ "is": "not a name" }), "settings.people.is"),
            ("ca_pem", json!("x"), "settings.ca_pem"),
            ("cached_secs", json!(604_801), "settings.cached_secs"),
            ("tls", json!({}), "tls"),
        ] {
            let mut bad = plain.clone();
            bad[key] = value;
            let error = Settings::parse(&bad).unwrap_err();
            assert_eq!(error.what, what, "{bad}: {error}");
        }
        let by_mail = json!({ "url": "https://a.example/", "people": { "attribute": "emails.value" }, "accounts": {} });
        assert_eq!(Settings::parse(&by_mail).unwrap_err().what, "settings.accounts");
    }
}
