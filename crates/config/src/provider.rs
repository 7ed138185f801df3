//! Providers of sign-ins: `[[login.oidc]]` in the file, once for each. They are lists of settings of their own,
//! so neither the environment nor flags say anything of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use strsim::levenshtein;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::ConfigError;
use crate::layer::Origin;
use crate::secret::SecretRef;

/// Where they stand in the file.
pub(crate) const SECTION: &str = "login.oidc";

/// Somewhere people sign in with OpenID Connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcProvider {
    /// What it is called in addresses, in the log and as the keeper of groups: 1 to 32 of a-z, 0-9 and `-`.
    pub name: String,
    /// What people read on the button.
    pub display: String,
    /// Its issuer identifier, exactly.
    pub issuer: String,
    /// Who this server is to it.
    pub client_id: String,
    /// What proves that; none for a public client.
    pub client_secret: Option<SecretRef>,
    /// What is asked for besides `openid`.
    pub scopes: Vec<String>,
    /// Kinds of sign-in that are asked for.
    pub acr_values: Vec<String>,
    /// Whether its userinfo endpoint is asked as well.
    pub userinfo: bool,
    /// PEM file of the only certificate authorities it is trusted by.
    pub ca: Option<PathBuf>,
    /// Whether people it knows and this server does not are entered.
    pub provision: Provision,
    /// The claim that is the name of somebody who is entered.
    pub person_claim: String,
    /// The claim that is the name people read.
    pub display_claim: String,
    /// The claim that lists groups.
    pub groups_claim: String,
    /// From the provider's groups to ours.
    pub groups: BTreeMap<String, String>,
    /// From our attributes to claims.
    pub attributes: BTreeMap<String, String>,
    /// What says that several factors were shown.
    pub mfa: Strength,
    /// What says that nothing that was shown can be phished.
    pub phishing_resistant: Strength,
}

/// Whether people that a provider knows and this server does not are entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provision {
    /// They are refused.
    None,
    /// They are entered.
    Create,
}

/// What a provider says when somebody's proof was of some strength: any of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strength {
    /// Values of `acr`.
    pub acr: Vec<String>,
    /// Values of `amr`.
    pub amr: Vec<String>,
}

const KEYS: &[&str] = &[
    "name",
    "display",
    "issuer",
    "client_id",
    "client_secret",
    "scopes",
    "acr_values",
    "userinfo",
    "ca",
    "provision",
    "person_claim",
    "display_claim",
    "groups_claim",
    "groups",
    "attributes",
    "mfa_acr",
    "mfa_amr",
    "phishing_resistant_acr",
    "phishing_resistant_amr",
];

pub(crate) type Said<'t, 'v> = (Origin, &'t Spanned<DeValue<'v>>);

/// Reads one `[[login.oidc]]`.
pub(crate) fn read(
    table: &DeTable<'_>,
    origin: Origin,
    at: &dyn Fn(usize) -> Origin,
    errors: &mut Vec<ConfigError>,
) -> Option<OidcProvider> {
    let before = errors.len();
    let mut said = BTreeMap::new();
    for (name, value) in table {
        let here = at(name.span().start);
        match KEYS.iter().find(|key| *key == name.get_ref()) {
            Some(key) => drop(said.insert(*key, (here, value))),
            None => errors.push(unknown(SECTION, KEYS, name.get_ref(), here)),
        }
    }
    let mut entry = Entry { section: SECTION, said, origin, errors };
    let provider = OidcProvider {
        name: entry.needed("name", is_name, "1 to 32 of a-z, 0-9 and `-`"),
        display: entry.text("display").unwrap_or_default(),
        issuer: entry.needed("issuer", is_issuer, "the `https://` address its tokens say (`http://` on this machine)"),
        client_id: entry.needed("client_id", |t| !t.is_empty(), "the name the provider knows this server by"),
        client_secret: entry.secret("client_secret"),
        scopes: entry.list("scopes"),
        acr_values: entry.list("acr_values"),
        userinfo: entry.flag("userinfo"),
        ca: entry.text("ca").map(PathBuf::from),
        provision: entry.provision(),
        person_claim: entry.text("person_claim").unwrap_or_else(|| "preferred_username".to_owned()),
        display_claim: entry.text("display_claim").unwrap_or_else(|| "name".to_owned()),
        groups_claim: entry.text("groups_claim").unwrap_or_else(|| "groups".to_owned()),
        groups: entry.pairs("groups", Side::Value),
        attributes: entry.pairs("attributes", Side::Key),
        mfa: Strength { acr: entry.list("mfa_acr"), amr: entry.list("mfa_amr") },
        phishing_resistant: Strength {
            acr: entry.list("phishing_resistant_acr"),
            amr: entry.list("phishing_resistant_amr"),
        },
    };
    if errors.len() > before {
        return None;
    }
    let display = if provider.display.is_empty() { provider.name.clone() } else { provider.display };
    Some(OidcProvider { display, ..provider })
}

/// No two of one name or issuer: nobody could tell whose word it is.
pub(crate) fn no_twins(providers: &[(OidcProvider, Origin)], errors: &mut Vec<ConfigError>) {
    for (n, (one, origin)) in providers.iter().enumerate() {
        let before = || providers.iter().take(n).map(|(other, _)| other);
        for (what, twin) in [
            ("name", before().any(|other| other.name == one.name)),
            ("issuer", before().any(|other| other.issuer == one.issuer)),
        ] {
            if twin {
                let why = format!("another `[[{SECTION}]]` has the same `{what}`; each has its own");
                errors.push(ConfigError::Together { origin: origin.clone(), why });
            }
        }
    }
}

/// Which side of a pair is a name of ours.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Key,
    Value,
}

pub(crate) struct Entry<'t, 'v, 'e> {
    /// Where it stands in the file.
    pub(crate) section: &'static str,
    pub(crate) said: BTreeMap<&'static str, Said<'t, 'v>>,
    pub(crate) origin: Origin,
    pub(crate) errors: &'e mut Vec<ConfigError>,
}

impl Entry<'_, '_, '_> {
    pub(crate) fn wrong(&mut self, key: &str, origin: Origin, want: &str) {
        let why = format!("`{}.{key}` is to be {want}", self.section);
        self.errors.push(ConfigError::Together { origin, why });
    }

    pub(crate) fn needed(&mut self, key: &'static str, good: impl Fn(&str) -> bool, want: &str) -> String {
        match self.text(key) {
            Some(text) if good(&text) => text,
            Some(_) => {
                let origin = self.said.get(key).map_or(self.origin.clone(), |(origin, _)| origin.clone());
                self.wrong(key, origin, want);
                String::new()
            }
            None => {
                if !self.said.contains_key(key) {
                    self.wrong(key, self.origin.clone(), &format!("set: {want}"));
                }
                String::new()
            }
        }
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Option<String> {
        let (origin, value) = self.said.get(key)?;
        if let DeValue::String(text) = value.get_ref()
            && !text.trim().is_empty()
            && !text.chars().any(char::is_control)
        {
            return Some(text.to_string());
        }
        let origin = origin.clone();
        self.wrong(key, origin, "a text that is not empty");
        None
    }

    pub(crate) fn flag(&mut self, key: &'static str) -> bool {
        let Some((origin, value)) = self.said.get(key) else { return false };
        if let DeValue::Boolean(flag) = value.get_ref() {
            return *flag;
        }
        let origin = origin.clone();
        self.wrong(key, origin, "`true` or `false`");
        false
    }

    pub(crate) fn list(&mut self, key: &'static str) -> Vec<String> {
        let Some((origin, value)) = self.said.get(key) else { return Vec::new() };
        let texts = match value.get_ref() {
            DeValue::Array(all) => all.iter().map(|one| plain_word(one.get_ref())).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        match texts {
            Some(texts) => texts,
            None => {
                let origin = origin.clone();
                self.wrong(key, origin, "a list of words without spaces");
                Vec::new()
            }
        }
    }

    pub(crate) fn pairs(&mut self, key: &'static str, ours: Side) -> BTreeMap<String, String> {
        let Some((origin, value)) = self.said.get(key) else { return BTreeMap::new() };
        let pairs = match value.get_ref() {
            DeValue::Table(table) => {
                table.iter().map(|(name, value)| pair(name.get_ref(), value.get_ref(), ours)).collect()
            }
            _ => None,
        };
        match pairs {
            Some(pairs) => pairs,
            None => {
                let origin = origin.clone();
                let want = match ours {
                    Side::Key => "a table from attributes (a-z, 0-9, `.`, `_`, `-`) to claims",
                    Side::Value => "a table from the provider's groups to groups (a-z, 0-9, `.`, `_`, `-`)",
                };
                self.wrong(key, origin, want);
                BTreeMap::new()
            }
        }
    }

    pub(crate) fn provision(&mut self) -> Provision {
        match self.text("provision").as_deref() {
            None | Some("none") => Provision::None,
            Some("create") => Provision::Create,
            Some(_) => {
                let origin = self.said.get("provision").map_or(self.origin.clone(), |(origin, _)| origin.clone());
                self.wrong("provision", origin, "`none` or `create`");
                Provision::None
            }
        }
    }

    pub(crate) fn secret(&mut self, key: &'static str) -> Option<SecretRef> {
        let (origin, value) = self.said.get(key)?;
        let mut found = None;
        if let DeValue::Table(table) = value.get_ref()
            && table.len() == 1
        {
            for (name, value) in table {
                let DeValue::String(text) = value.get_ref() else { continue };
                found = match name.get_ref().as_ref() {
                    "file" if !text.is_empty() => Some(SecretRef::File(PathBuf::from(text.to_string()))),
                    "env" if !text.is_empty() => Some(SecretRef::Env(text.to_string())),
                    _ => None,
                };
            }
        }
        if found.is_none() {
            // What stands there may be the secret, so it is not repeated.
            let origin = origin.clone();
            self.errors.push(ConfigError::InlineSecret { origin, key: format!("{}.{key}", self.section) });
        }
        found
    }
}

fn plain_word(value: &DeValue<'_>) -> Option<String> {
    let DeValue::String(text) = value else { return None };
    (!text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control())).then(|| text.to_string())
}

fn pair(key: &str, value: &DeValue<'_>, ours: Side) -> Option<(String, String)> {
    let DeValue::String(value) = value else { return None };
    let (own, theirs) = match ours {
        Side::Key => (key, value.as_ref()),
        Side::Value => (value.as_ref(), key),
    };
    (is_ours(own) && !theirs.is_empty()).then(|| (key.to_owned(), value.to_string()))
}

/// A name as this server's groups and attributes have.
fn is_ours(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.len() <= 63 && text.bytes().next().is_some_and(plain) && text.bytes().all(|b| plain(b) || b"._-".contains(&b))
}

pub(crate) fn is_name(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Roughly: what it is exactly, whoever speaks to it says.
fn is_issuer(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| {
        let rest = text.strip_prefix("http://")?;
        ["localhost", "127.", "[::1]"].iter().any(|here| rest.starts_with(here)).then_some(rest)
    });
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['?', '#', '@', ' ']))
}

pub(crate) fn unknown(section: &str, keys: &[&'static str], name: &str, origin: Origin) -> ConfigError {
    let near = keys.iter().map(|key| (levenshtein(name, key), *key)).min().filter(|(far, _)| *far <= 3);
    let shown: String = name.chars().take(64).collect();
    let meant = near.map(|(_, key)| format!("; did you mean `{key}`?")).unwrap_or_default();
    ConfigError::Together { origin, why: format!("`[[{section}]]` has no setting `{shown}`{meant}") }
}
