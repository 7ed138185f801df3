//! The layers a value can come from: file, then environment over it, then flags over both.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::directory::{self, LdapDirectory};
use crate::error::ConfigError;
use crate::key::{self, Key};
use crate::nearest::nearest;
use crate::notices::Webhook;
use crate::provider::{self, OidcProvider};
use crate::webhook;

/// Environment variables that begin so are settings.
const PREFIX: &str = "WANE__";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said.
    Default,
    /// A line of the file, from 1.
    File {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// An environment variable.
    Env(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Env(name) => write!(f, "environment variable `{name}`"),
            Self::Flag(name) => write!(f, "flag `{name}`"),
        }
    }
}

/// Everything that was said, the last word on each key.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    said: BTreeMap<&'static str, (String, Origin)>,
    pub(crate) providers: Vec<(OidcProvider, Origin)>,
    pub(crate) directories: Vec<LdapDirectory>,
    pub(crate) webhooks: Vec<(Webhook, Origin)>,
    pub(crate) errors: Vec<ConfigError>,
}

impl Layers {
    /// What was said about a key.
    pub(crate) fn get(&self, key: &str) -> Option<&(String, Origin)> {
        self.said.get(key)
    }

    /// Lays a TOML file down.
    pub(crate) fn file(&mut self, path: &Path) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) => return self.errors.push(ConfigError::Unreadable { path: path.to_owned(), why: e.to_string() }),
        };
        let at = |offset: usize| {
            let line = text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1;
            Origin::File { path: path.to_owned(), line }
        };
        let (table, errors) = DeTable::parse_recoverable(&text);
        self.errors.extend(
            errors.iter().map(|e| ConfigError::Syntax {
                origin: at(e.span().map_or(0, |s| s.start)),
                why: e.message().to_owned(),
            }),
        );
        self.table("", table.get_ref(), &at);
    }

    fn table(&mut self, under: &str, table: &DeTable<'_>, at: &dyn Fn(usize) -> Origin) {
        for (name, value) in table {
            let full =
                if under.is_empty() { name.get_ref().to_string() } else { format!("{under}.{}", name.get_ref()) };
            self.value(&full, at(name.span().start), value, at);
        }
    }

    fn value(&mut self, name: &str, origin: Origin, value: &Spanned<DeValue<'_>>, at: &dyn Fn(usize) -> Origin) {
        let text = match value.get_ref() {
            DeValue::Array(entries) if name == provider::SECTION => return self.providers(entries, at),
            DeValue::Array(entries) if name == directory::SECTION => return self.directories(entries, at),
            DeValue::Table(table) if name == directory::ABOVE => return self.table(name, table, at),
            DeValue::Array(entries) if name == webhook::SECTION => return self.webhooks(entries, at),
            DeValue::Table(table) if key::is_section(name) => return self.table(name, table, at),
            DeValue::Table(_) if key::find(name).is_some() => {
                return self.errors.push(ConfigError::Shape { origin, key: name.to_owned(), got: "a table" });
            }
            DeValue::Array(_) if key::find(name).is_some() => {
                return self.errors.push(ConfigError::Shape { origin, key: name.to_owned(), got: "a list" });
            }
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(n) => n.to_string(),
            DeValue::Float(n) => n.to_string(),
            DeValue::Boolean(b) => b.to_string(),
            DeValue::Datetime(at) => at.to_string(),
            DeValue::Table(_) | DeValue::Array(_) => String::new(),
        };
        self.say(name, text, origin);
    }

    fn providers(&mut self, entries: &[Spanned<DeValue<'_>>], at: &dyn Fn(usize) -> Origin) {
        for entry in entries {
            let origin = at(entry.span().start);
            let DeValue::Table(table) = entry.get_ref() else {
                let why = format!("write `[[{}]]` above each provider's settings", provider::SECTION);
                self.errors.push(ConfigError::Together { origin, why });
                continue;
            };
            if let Some(read) = provider::read(table, origin.clone(), at, &mut self.errors) {
                self.providers.push((read, origin));
            }
        }
        provider::no_twins(&self.providers, &mut self.errors);
    }

    fn directories(&mut self, entries: &[Spanned<DeValue<'_>>], at: &dyn Fn(usize) -> Origin) {
        for entry in entries {
            let origin = at(entry.span().start);
            let DeValue::Table(table) = entry.get_ref() else {
                let why = format!("write `[[{}]]` above each directory's settings", directory::SECTION);
                self.errors.push(ConfigError::Together { origin, why });
                continue;
            };
            if let Some(read) = directory::read(table, origin.clone(), at, &mut self.errors) {
                let taken = self.directories.iter().any(|other| other.name == read.name)
                    || self.providers.iter().any(|(other, _)| other.name == read.name);
                if taken {
                    let why =
                        format!("another directory or provider is called `{}` too; each has its own name", read.name);
                    self.errors.push(ConfigError::Together { origin, why });
                } else {
                    self.directories.push(read);
                }
            }
        }
    }

    fn webhooks(&mut self, entries: &[Spanned<DeValue<'_>>], at: &dyn Fn(usize) -> Origin) {
        for entry in entries {
            let origin = at(entry.span().start);
            let DeValue::Table(table) = entry.get_ref() else {
                let why = format!("write `[[{}]]` above each webhook's settings", webhook::SECTION);
                self.errors.push(ConfigError::Together { origin, why });
                continue;
            };
            if let Some(read) = webhook::read(table, &origin, at, &mut self.errors) {
                self.webhooks.push((read, origin));
            }
        }
        webhook::no_twins(&self.webhooks, &mut self.errors);
    }

    /// Lays environment variables over what is there; those without the prefix are not ours.
    pub(crate) fn env(&mut self, env: impl Iterator<Item = (String, String)>) {
        for (variable, value) in env {
            if let Some(rest) = variable.strip_prefix(PREFIX) {
                let name = rest.replace("__", ".").to_ascii_lowercase();
                self.say(&name, value, Origin::Env(variable));
            }
        }
    }

    /// Lays flags over all.
    pub(crate) fn flags(&mut self, flags: &[(String, String)]) {
        for (name, value) in flags {
            self.say(name, value.clone(), Origin::Flag(name.clone()));
        }
    }

    fn say(&mut self, name: &str, value: String, origin: Origin) {
        match key::find(name) {
            Some(Key { name, .. }) => drop(self.said.insert(name, (value, origin))),
            None if name == provider::SECTION || name.starts_with(&format!("{}.", provider::SECTION)) => {
                let why = format!("providers are written in the file, each under `[[{}]]`", provider::SECTION);
                self.errors.push(ConfigError::Together { origin, why });
            }
            None if name == directory::SECTION || name.starts_with(&format!("{}.", directory::SECTION)) => {
                let why = format!("directories are written in the file, each under `[[{}]]`", directory::SECTION);
                self.errors.push(ConfigError::Together { origin, why });
            }
            None if name == webhook::SECTION || name.starts_with(&format!("{}.", webhook::SECTION)) => {
                let why = format!("webhooks are written in the file, each under `[[{}]]`", webhook::SECTION);
                self.errors.push(ConfigError::Together { origin, why });
            }
            // The value may be the secret, so it is not repeated.
            None if key::is_secret(name) => {
                self.errors.push(ConfigError::InlineSecret { origin, key: name.to_owned() })
            }
            None if key::is_section(name) => {
                self.errors.push(ConfigError::NotASection { origin, key: name.to_owned() })
            }
            None => self.errors.push(ConfigError::Unknown {
                origin,
                key: name.chars().take(64).collect(),
                nearest: nearest(name),
            }),
        }
    }
}
