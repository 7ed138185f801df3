//! Directories that people and groups come from: `[[directory.ldap]]` in the file, once for each.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use crate::error::ConfigError;
use crate::layer::Origin;
use crate::parse;
use crate::provider::{Entry, Provision, Side, is_name, unknown};
use crate::secret::SecretRef;

/// Where they stand in the file.
pub(crate) const SECTION: &str = "directory.ldap";
/// The table above.
pub(crate) const ABOVE: &str = "directory";

/// Somewhere people and groups come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdapDirectory {
    /// What it is called in the log and as the keeper of groups: 1 to 32 of a-z, 0-9 and `-`.
    pub name: String,
    /// Its servers, in the order they are asked.
    pub urls: Vec<String>,
    /// Whether `ldap://` becomes TLS first.
    pub starttls: bool,
    /// PEM file of the authority that signed its certificate.
    pub ca: Option<PathBuf>,
    /// SHA-256 of its key, 64 hexadecimal digits.
    pub spki_sha256: Option<String>,
    /// Whether TLS 1.2 will do.
    pub allow_tls12: bool,
    /// Who this server is there.
    pub bind_dn: String,
    /// What proves that.
    pub password: SecretRef,
    /// Below which people are.
    pub people_base: String,
    /// Which entries there are people.
    pub people_filter: String,
    /// The attribute that is a person's name here.
    pub name_attribute: String,
    /// The attribute that is the name people read.
    pub display_attribute: String,
    /// Which of those people may do nothing, besides those the directory itself marks so.
    pub disabled_filter: Option<String>,
    /// Whether people it has and this server has not are entered.
    pub provision: Provision,
    /// From our attributes to those of the directory.
    pub attributes: BTreeMap<String, String>,
    /// From its groups, by their names there, to ours.
    pub groups: BTreeMap<String, String>,
    /// The attribute that lists members.
    pub member_attribute: String,
    /// How often it is read.
    pub every: Duration,
    /// Which share of its people or memberships may go at once, in percent.
    pub shrink_percent: u8,
    /// How long it may be silent before nothing new begins for its people.
    pub stale_after: Duration,
}

const KEYS: &[&str] = &[
    "name",
    "urls",
    "starttls",
    "ca",
    "spki_sha256",
    "allow_tls12",
    "bind_dn",
    "password",
    "people_base",
    "people_filter",
    "name_attribute",
    "display_attribute",
    "disabled_filter",
    "provision",
    "attributes",
    "groups",
    "member_attribute",
    "every",
    "shrink_percent",
    "stale_after",
];

/// Reads one `[[directory.ldap]]`.
pub(crate) fn read(
    table: &DeTable<'_>,
    origin: Origin,
    at: &dyn Fn(usize) -> Origin,
    errors: &mut Vec<ConfigError>,
) -> Option<LdapDirectory> {
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
    let urls = entry.list("urls");
    if urls.is_empty() {
        let origin = entry.origin.clone();
        entry.wrong("urls", origin, "set: a list of servers, such as `[\"ldaps://dir.example.org\"]`");
    }
    if !entry.said.contains_key("password") {
        let origin = entry.origin.clone();
        entry.wrong("password", origin, "set: `{ file = \"…\" }` or `{ env = \"…\" }`");
    }
    let dn = |text: &str| text.contains('=');
    let directory = LdapDirectory {
        name: entry.needed("name", is_name, "1 to 32 of a-z, 0-9 and `-`"),
        urls,
        starttls: entry.flag("starttls"),
        ca: entry.text("ca").map(PathBuf::from),
        spki_sha256: entry.text("spki_sha256"),
        allow_tls12: entry.flag("allow_tls12"),
        bind_dn: entry.needed("bind_dn", |t| !t.is_empty(), "who this server is there"),
        password: entry.secret("password").unwrap_or(SecretRef::Env(String::new())),
        people_base: entry.needed("people_base", dn, "the name of the entry below which people are"),
        people_filter: entry.text("people_filter").unwrap_or_else(|| "(objectClass=inetOrgPerson)".to_owned()),
        name_attribute: entry.text("name_attribute").unwrap_or_else(|| "uid".to_owned()),
        display_attribute: entry.text("display_attribute").unwrap_or_else(|| "cn".to_owned()),
        disabled_filter: entry.text("disabled_filter"),
        provision: entry.provision(),
        attributes: entry.pairs("attributes", Side::Key),
        groups: entry.pairs("groups", Side::Value),
        member_attribute: entry.text("member_attribute").unwrap_or_else(|| "member".to_owned()),
        every: length(&mut entry, "every", Duration::from_secs(60)),
        shrink_percent: percent(&mut entry, "shrink_percent", 20),
        stale_after: length(&mut entry, "stale_after", Duration::from_secs(3600)),
    };
    if errors.len() > before { None } else { Some(directory) }
}

fn length(entry: &mut Entry<'_, '_, '_>, key: &'static str, usual: Duration) -> Duration {
    if !entry.said.contains_key(key) {
        return usual;
    }
    let Some(text) = entry.text(key) else { return usual };
    parse::duration(&text).unwrap_or_else(|_| {
        let origin = entry.said.get(key).map_or(entry.origin.clone(), |(origin, _)| origin.clone());
        entry.wrong(key, origin, "a length of time longer than zero, for instance `30s`, `15m` or `8h`");
        usual
    })
}

fn percent(entry: &mut Entry<'_, '_, '_>, key: &'static str, usual: u8) -> u8 {
    let Some((origin, value)) = entry.said.get(key) else { return usual };
    let read = match value.get_ref() {
        DeValue::Integer(number) => number.to_string().parse::<u8>().ok().filter(|n| (1..=100).contains(n)),
        _ => None,
    };
    let origin = origin.clone();
    read.unwrap_or_else(|| {
        entry.wrong(key, origin, "a whole number from 1 to 100");
        usual
    })
}
