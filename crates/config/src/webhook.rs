//! Webhooks: `[[notices.webhook]]` in the file, once for each; lists of settings of their own, as providers are.

use std::path::PathBuf;

use strsim::levenshtein;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::ConfigError;
use crate::layer::Origin;
use crate::notices::Webhook;
use crate::secret::SecretRef;

/// Where they stand in the file.
pub(crate) const SECTION: &str = "notices.webhook";

const KEYS: &[&str] = &["name", "url", "secret", "other_secret", "events", "private", "ca"];

struct Reading<'e> {
    errors: &'e mut Vec<ConfigError>,
    webhook: Read,
}

#[derive(Default)]
struct Read {
    name: Option<String>,
    url: Option<String>,
    secret: Option<SecretRef>,
    other_secret: Option<SecretRef>,
    events: Vec<String>,
    private: bool,
    ca: Option<PathBuf>,
}

/// Reads one `[[notices.webhook]]`.
pub(crate) fn read(
    table: &DeTable<'_>,
    origin: &Origin,
    at: &dyn Fn(usize) -> Origin,
    errors: &mut Vec<ConfigError>,
) -> Option<Webhook> {
    let before = errors.len();
    let mut reading = Reading { errors, webhook: Read::default() };
    for (name, value) in table {
        reading.one(name.get_ref(), value, at(name.span().start));
    }
    let Reading { errors, webhook } = reading;
    let Read { name, url, secret, other_secret, events, private, ca } = webhook;
    if errors.len() > before {
        return None;
    }
    let mut lacks = |key: &str, want: &str| {
        let why = format!("`{SECTION}.{key}` is to be set: {want}");
        errors.push(ConfigError::Together { origin: origin.clone(), why });
    };
    match (name, url, secret) {
        (Some(name), Some(url), Some(secret)) => Some(Webhook { name, url, secret, other_secret, events, private, ca }),
        (name, url, secret) => {
            if name.is_none() {
                lacks("name", "1 to 32 of a-z, 0-9 and `-`");
            }
            if url.is_none() {
                lacks("url", "the `https://` address it is called at");
            }
            if secret.is_none() {
                lacks("secret", "what signs, as `{ file = \"…\" }` or `{ env = \"…\" }`");
            }
            None
        }
    }
}

/// No two of one name.
pub(crate) fn no_twins(webhooks: &[(Webhook, Origin)], errors: &mut Vec<ConfigError>) {
    for (n, (one, origin)) in webhooks.iter().enumerate() {
        if webhooks.iter().take(n).any(|(other, _)| other.name == one.name) {
            let why = format!("another `[[{SECTION}]]` has the same `name`; each has its own");
            errors.push(ConfigError::Together { origin: origin.clone(), why });
        }
    }
}

impl Reading<'_> {
    fn one(&mut self, name: &str, value: &Spanned<DeValue<'_>>, here: Origin) {
        match (name, value.get_ref()) {
            ("name", DeValue::String(text)) if is_name(text) => self.webhook.name = Some(text.to_string()),
            ("name", _) => self.wrong(name, here, "1 to 32 of a-z, 0-9 and `-`"),
            ("url", DeValue::String(text)) if text.starts_with("https://") || text.starts_with("http://") => {
                self.webhook.url = Some(text.to_string());
            }
            ("url", _) => self.wrong(name, here, "the `https://` address it is called at (`http://` on this machine)"),
            ("secret", value) => self.webhook.secret = self.secret(name, value, here),
            ("other_secret", value) => self.webhook.other_secret = self.secret(name, value, here),
            ("events", DeValue::Array(all)) => {
                let words: Option<Vec<String>> = all.iter().map(|one| word(one.get_ref())).collect();
                match words {
                    Some(words) => self.webhook.events = words,
                    None => self.wrong(name, here, "a list of kinds of notices, such as `grant.ended`"),
                }
            }
            ("events", _) => self.wrong(name, here, "a list of kinds of notices, such as `grant.ended`"),
            ("private", DeValue::Boolean(flag)) => self.webhook.private = *flag,
            ("private", _) => self.wrong(name, here, "`true` or `false`"),
            ("ca", DeValue::String(text)) if !text.is_empty() => {
                self.webhook.ca = Some(PathBuf::from(text.to_string()))
            }
            ("ca", _) => self.wrong(name, here, "a PEM file"),
            (other, _) => {
                let near = KEYS.iter().map(|key| (levenshtein(other, key), *key)).min().filter(|(far, _)| *far <= 3);
                let meant = near.map(|(_, key)| format!("; did you mean `{key}`?")).unwrap_or_default();
                let shown: String = other.chars().take(64).collect();
                let why = format!("`[[{SECTION}]]` has no setting `{shown}`{meant}");
                self.errors.push(ConfigError::Together { origin: here, why });
            }
        }
    }

    fn wrong(&mut self, key: &str, origin: Origin, want: &str) {
        let why = format!("`{SECTION}.{key}` is to be {want}");
        self.errors.push(ConfigError::Together { origin, why });
    }

    fn secret(&mut self, key: &str, value: &DeValue<'_>, origin: Origin) -> Option<SecretRef> {
        if let DeValue::Table(table) = value
            && table.len() == 1
            && let Some((name, value)) = table.iter().next()
            && let DeValue::String(text) = value.get_ref()
            && !text.is_empty()
        {
            match name.get_ref().as_ref() {
                "file" => return Some(SecretRef::File(PathBuf::from(text.to_string()))),
                "env" => return Some(SecretRef::Env(text.to_string())),
                _ => {}
            }
        }
        // What stands there may be the secret, so it is not repeated.
        self.errors.push(ConfigError::InlineSecret { origin, key: format!("{SECTION}.{key}") });
        None
    }
}

fn word(value: &DeValue<'_>) -> Option<String> {
    let DeValue::String(text) = value else { return None };
    (!text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control())).then(|| text.to_string())
}

fn is_name(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
