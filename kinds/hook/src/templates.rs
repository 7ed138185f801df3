//! Declarations for well-known APIs, written from their public documentation.
//!
//! Owns: which there are, and how what somebody writes goes over one. A template is a beginning: what is registered is whole
//! and stays what it was.

use serde_json::{Map, Value, json};
use wane_connector::KindError;
use wane_connector::strict::{unknown_word, wrong};

/// A template.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// Its name.
    pub name: &'static str,
    text: &'static str,
}

macro_rules! templates {
    ($($name:literal,)*) => {
        &[$(Template { name: $name, text: include_str!(concat!("../templates/", $name, ".json")) },)*]
    };
}

const ALL: &[Template] = templates! {
    "cloudflare-token",
    "couchdb-user",
    "datadog-api-key",
    "elasticsearch-api-key",
    "gitea-token",
    "gitlab-group-token",
    "gitlab-project-token",
    "grafana-token",
    "harbor-robot",
    "influxdb-token",
    "netbox-token",
    "proxmox-token",
    "rabbitmq-user",
};

/// Every template, by name.
#[must_use]
pub fn all() -> &'static [Template] {
    ALL
}

impl Template {
    /// By its name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|template| template.name == name)
    }

    /// The whole of it.
    ///
    /// # Errors
    /// When it is damaged, which no build of ours has (held by `every_template_is_a_declaration`).
    pub fn document(&self) -> Result<Value, KindError> {
        serde_json::from_str(self.text).map_err(|e| wrong("template", format!("`{}` cannot be read: {e}", self.name)))
    }

    /// What it is, in a line.
    #[must_use]
    pub fn about(&self) -> String {
        let document = self.document().unwrap_or_default();
        document.get("about").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// Settings and a role that show how it is used.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn example(&self) -> Result<(Value, Value), KindError> {
        let document = self.document()?;
        let at = |pointer: &str| document.pointer(pointer).cloned().unwrap_or_else(|| json!({}));
        let mut settings = Map::from_iter([("template".to_owned(), json!(self.name))]);
        if let Some(url) = document.pointer("/example/url") {
            settings.insert("url".to_owned(), url.clone());
        }
        settings.insert("parameters".to_owned(), at("/example/parameters"));
        let values = at("/example/role");
        let mut role = Map::from_iter([("of".to_owned(), json!(self.name))]);
        if values.as_object().is_some_and(|values| !values.is_empty()) {
            role.insert("values".to_owned(), values);
        }
        Ok((Value::Object(settings), Value::Object(role)))
    }
}

/// A template with what somebody wrote over it: each of their keys in place of the template's, parameters one by one.
pub(crate) fn with(name: &str, asked: &Map<String, Value>) -> Result<Map<String, Value>, KindError> {
    let names: Vec<&str> = ALL.iter().map(|template| template.name).collect();
    let template = Template::find(name).ok_or_else(|| wrong("template", unknown_word(name, &names)))?;
    let document = template.document()?;
    let mut out = document.get("settings").and_then(Value::as_object).cloned().unwrap_or_default();
    out.insert("of".to_owned(), json!(name));
    let mut parameters = out.remove("parameters").and_then(|p| p.as_object().cloned()).unwrap_or_default();
    for (key, value) in asked {
        match (key.as_str(), value) {
            ("template", _) => {}
            ("parameters", Value::Object(given)) => parameters.extend(given.clone()),
            _ => drop(out.insert(key.clone(), value.clone())),
        }
    }
    let needs = document.get("parameters").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some((missing, what)) = needs.iter().find(|(name, _)| !parameters.contains_key(*name)) {
        let what = what.as_str().unwrap_or_default();
        return Err(wrong("parameters", format!("`{missing}` is missing: {what}")));
    }
    if let Some(unknown) = parameters.keys().find(|name| !needs.contains_key(*name)) {
        let known: Vec<&str> = needs.keys().map(String::as_str).collect();
        return Err(wrong("parameters", unknown_word(unknown, &known)));
    }
    if !parameters.is_empty() {
        out.insert("parameters".to_owned(), Value::Object(parameters));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Definition;
    use crate::settings::Settings;

    #[test]
    fn every_template_is_a_declaration() {
        for template in ALL {
            let document = template.document().unwrap();
            for key in ["about", "documentation", "seen", "credential", "parameters", "role", "settings", "example"] {
                assert!(document.get(key).is_some(), "{}: {key}", template.name);
            }
            assert!(document["documentation"].as_str().unwrap().starts_with("https://"), "{}", template.name);
            let (settings, role) = template.example().unwrap();
            let read = Settings::read(&settings).unwrap_or_else(|e| panic!("{}: {e}", template.name));
            assert_eq!(read.of, template.name);
            let role = Definition::read(&role).unwrap();
            assert_eq!(role.problem(&read), None, "{}", template.name);
            // What a role needs is told, and nothing else.
            let told: Vec<&str> = document["role"].as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(read.role_keys().unwrap().into_iter().collect::<Vec<_>>(), told, "{}", template.name);
            let offers = read.offers();
            assert!(offers.proves() && read.lists_all(), "{}: nothing would prove it gone", template.name);
            // Registered it stands for itself.
            assert_eq!(Settings::read(&read.json()).unwrap(), read);
            assert!(read.json().get("template").is_none());
        }
    }

    #[test]
    fn what_somebody_writes_goes_over_the_template() {
        let (mut settings, _) = Template::find("rabbitmq-user").unwrap().example().unwrap();
        settings["residual"] = json!({ "logins_secs": 77 });
        settings["of"] = json!("mq");
        let read = Settings::read(&settings).unwrap();
        assert_eq!((read.residual.logins_secs, read.of.as_str()), (77, "mq"));
        for (key, value, word) in [
            ("template", json!("rabbitmq"), "`rabbitmq` is unknown"),
            ("template", json!("rabbitmq-use"), "did you mean `rabbitmq-user`"),
            ("parameters", json!({}), "is missing: "),
            ("parameters", json!({ "user": "w", "vhost": "/", "vhosts": "x" }), "did you mean `vhost`"),
        ] {
            let mut given = settings.clone();
            given[key] = value;
            let met = Settings::read(&given).unwrap_err().to_string();
            assert!(met.contains(word), "{key}: {met}");
        }
    }
}
