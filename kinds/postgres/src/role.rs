//! A role: a template of real grants, the same for every account made from it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wane_connector::KindError;

use crate::quote;
use wane_connector::strict::{object, unknown_word, wrong};

const KEYS: &[&str] = &["member_of", "grants", "connection_limit", "settings"];
const GRANT_KEYS: &[&str] = &["database", "schema", "on", "name", "privileges"];
const ON: &[&str] = &["table", "sequence", "routine", "schema", "database"];
/// Built-in roles that read or watch. The others reach files, programs or other people's sessions.
const BUILT_IN: &[&str] = &[
    "pg_read_all_data",
    "pg_write_all_data",
    "pg_monitor",
    "pg_read_all_settings",
    "pg_read_all_stats",
    "pg_stat_scan_tables",
];
const SETTINGS: &[&str] = &[
    "search_path",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "default_transaction_read_only",
    "work_mem",
];

/// What a role means at a server, in normal form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Definition {
    #[serde(default)]
    pub(crate) member_of: BTreeSet<String>,
    #[serde(default)]
    pub(crate) grants: Vec<DirectGrant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connection_limit: Option<u32>,
    #[serde(default)]
    pub(crate) settings: BTreeMap<String, Setting>,
}

/// Privileges on one named object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct DirectGrant {
    pub(crate) database: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) schema: Option<String>,
    pub(crate) on: On,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    pub(crate) privileges: BTreeSet<String>,
}

/// What sort of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum On {
    Table,
    Sequence,
    Routine,
    Schema,
    Database,
}

/// A parameter's value for the account's sessions: one text, or a list for `search_path`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Setting {
    One(String),
    Many(Vec<String>),
}

impl On {
    const fn privileges(self) -> &'static [&'static str] {
        match self {
            Self::Table => &["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"],
            Self::Sequence => &["USAGE", "SELECT", "UPDATE"],
            Self::Routine => &["EXECUTE"],
            Self::Schema => &["USAGE", "CREATE"],
            Self::Database => &["CONNECT", "CREATE", "TEMPORARY"],
        }
    }
}

impl DirectGrant {
    /// `TABLE "s"."t"`: the words behind `ON`.
    pub(crate) fn object(&self) -> Result<String, quote::QuoteError> {
        let part = |name: &Option<String>| quote::ident(name.as_deref().unwrap_or_default());
        Ok(match self.on {
            On::Table => format!("TABLE {}.{}", part(&self.schema)?, part(&self.name)?),
            On::Sequence => format!("SEQUENCE {}.{}", part(&self.schema)?, part(&self.name)?),
            On::Routine => format!("ROUTINE {}.{}", part(&self.schema)?, part(&self.name)?),
            On::Schema => format!("SCHEMA {}", part(&self.schema)?),
            On::Database => format!("DATABASE {}", quote::ident(&self.database)?),
        })
    }

    /// `SELECT, INSERT`: the words behind `GRANT`, all from a fixed list.
    pub(crate) fn words(&self) -> String {
        self.privileges.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    fn check(&self) -> Result<(), KindError> {
        let needs = |what: &str, value: &Option<String>| match value {
            Some(_) => Ok(()),
            None => Err(wrong("grants", format!("`{what}` is missing"))),
        };
        let spare = |what: &str, value: &Option<String>| match value {
            None => Ok(()),
            Some(_) => Err(wrong("grants", format!("`{what}` does not apply here"))),
        };
        match self.on {
            On::Table | On::Sequence | On::Routine => {
                needs("schema", &self.schema)?;
                needs("name", &self.name)?;
            }
            On::Schema => {
                needs("schema", &self.schema)?;
                spare("name", &self.name)?;
            }
            On::Database => {
                spare("schema", &self.schema)?;
                spare("name", &self.name)?;
            }
        }
        quote::ident(&self.database).map_err(|e| wrong("grants.database", e.to_string()))?;
        self.object().map_err(|e| wrong("grants", e.to_string()))?;
        if self.privileges.is_empty() {
            return Err(wrong("grants.privileges", "is empty"));
        }
        let known = self.on.privileges();
        match self.privileges.iter().find(|p| !known.contains(&p.as_str())) {
            None => Ok(()),
            Some(unknown) => Err(wrong("grants.privileges", unknown_word(unknown, known))),
        }
    }

    fn same_object(&self, other: &Self) -> bool {
        (&self.database, &self.schema, self.on, &self.name) == (&other.database, &other.schema, other.on, &other.name)
    }
}

impl Definition {
    /// Reads what a person wrote.
    pub(crate) fn parse(given: &Value) -> Result<Self, KindError> {
        let keys = object("role", given, KEYS)?;
        for grant in keys.get("grants").and_then(Value::as_array).into_iter().flatten() {
            let grant = object("grants", grant, GRANT_KEYS)?;
            match grant.get("on").and_then(Value::as_str) {
                Some(all @ ("tables" | "all tables" | "sequences" | "all sequences" | "routines" | "functions")) => {
                    return Err(wrong(
                        "grants.on",
                        format!(
                            "`{all}` is refused: GRANT … ON ALL per account fails when two run at once, and each table's list of \
                             rights is full near 2,440 accounts; grant it once to a group role and use `member_of`, or name single objects"
                        ),
                    ));
                }
                Some(on) if !ON.contains(&on) => return Err(wrong("grants.on", unknown_word(on, ON))),
                Some(_) | None => {}
            }
        }
        let mut role: Self = serde_json::from_value(given.clone()).map_err(|e| wrong("role", e.to_string()))?;
        for grant in &mut role.grants {
            grant.privileges = grant.privileges.iter().map(|p| spelled(p)).collect();
        }
        role.grants.sort();
        role.check()?;
        Ok(role)
    }

    fn check(&self) -> Result<(), KindError> {
        if self.member_of.is_empty() && self.grants.is_empty() {
            return Err(wrong("role", "gives nothing: name group roles in `member_of`, or single objects in `grants`"));
        }
        for group in &self.member_of {
            quote::ident(group).map_err(|e| wrong("member_of", e.to_string()))?;
            if group.starts_with("pg_") && !BUILT_IN.contains(&group.as_str()) {
                return Err(wrong(
                    "member_of",
                    format!(
                        "`{group}` reaches beyond data; of the built-in roles these may be given: {}",
                        BUILT_IN.join(", ")
                    ),
                ));
            }
            if wane_domain::lease::lease_of_artifact(group).is_some() {
                return Err(wrong("member_of", format!("`{group}` is an account of a grant, not a group role")));
            }
        }
        self.grants.iter().try_for_each(DirectGrant::check)?;
        if self.connection_limit.is_some_and(|n| n == 0 || n > 1000) {
            return Err(wrong("connection_limit", "must be 1 to 1000"));
        }
        for (name, value) in &self.settings {
            if !SETTINGS.contains(&name.as_str()) {
                return Err(wrong("settings", unknown_word(name, SETTINGS)));
            }
            self::value(name, value).map_err(|why| wrong(format!("settings.{name}"), why))?;
        }
        Ok(())
    }

    /// `"search_path" = "a", "b"`: what follows `ALTER ROLE … SET`.
    pub(crate) fn parameters(&self) -> Result<Vec<String>, String> {
        self.settings.iter().map(|(name, value)| Ok(format!("{name} = {}", self::value(name, value)?))).collect()
    }

    /// Whether this gives nothing that `wide` does not, and is not the same.
    pub(crate) fn is_narrower(&self, wide: &Self) -> bool {
        let limit = match (self.connection_limit, wide.connection_limit) {
            (Some(mine), Some(theirs)) => mine <= theirs,
            (None, None) => true,
            // What the server's settings say is not known here.
            (Some(_), None) | (None, Some(_)) => false,
        };
        let covered = |mine: &DirectGrant| {
            let theirs = wide.grants.iter().filter(|theirs| theirs.same_object(mine));
            let all: BTreeSet<&String> = theirs.flat_map(|g| &g.privileges).collect();
            mine.privileges.iter().all(|p| all.contains(p))
        };
        self != wide
            && self.member_of.is_subset(&wide.member_of)
            && self.grants.iter().all(covered)
            && limit
            && self.settings == wide.settings
    }
}

/// The one spelling of a privilege.
fn spelled(privilege: &str) -> String {
    let upper = privilege.to_ascii_uppercase();
    if upper == "TEMP" { "TEMPORARY".to_owned() } else { upper }
}

fn value(name: &str, value: &Setting) -> Result<String, String> {
    match (name, value) {
        ("search_path", Setting::Many(schemas)) if !schemas.is_empty() => {
            quote::idents(schemas.iter().map(String::as_str)).map_err(|e| e.to_string())
        }
        ("search_path", _) => Err("must be a list of schemas".to_owned()),
        (_, Setting::One(text)) => quote::literal(text).map_err(|e| e.to_string()),
        (_, Setting::Many(_)) => Err("must be one text, such as `30s`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn definitions_are_read_strictly() {
        let said =
            |given: Value| Definition::parse(&given).map(|_| "good".to_owned()).unwrap_or_else(|e| e.to_string());
        let table = |more: Value| {
            let mut grant =
                json!({"database": "app", "schema": "s", "on": "table", "name": "t", "privileges": ["select"]});
            grant.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "grants": [grant] })
        };
        for (given, expected) in [
            (json!({"member_of": ["readers"]}), "good"),
            (
                json!({"member_of": ["readers"], "settings": {"statement_timeout": "30s", "search_path": ["a", "b\""]}}),
                "good",
            ),
            (json!({"member_of": ["pg_read_all_data"]}), "good"),
            (table(json!({})), "good"),
            (
                table(json!({"on": "database", "schema": null, "name": null, "privileges": ["TEMP", "TEMPORARY"]})),
                "good",
            ),
            (json!({}), "gives nothing"),
            (json!({"members_of": []}), "did you mean `member_of`?"),
            (json!({"member_of": ["pg_execute_server_program"]}), "reaches beyond data"),
            (json!({"member_of": ["x".repeat(64)]}), "cut it at 63"),
            (json!({"member_of": ["a\0b"]}), "NUL"),
            (table(json!({"on": "tables"})), "2,440"),
            (table(json!({"on": "tabel"})), "did you mean `table`?"),
            (table(json!({"privileges": ["SELECTS"]})), "did you mean `SELECT`?"),
            (table(json!({"privileges": ["EXECUTE"]})), "is unknown"),
            (table(json!({"privileges": []})), "is empty"),
            (table(json!({"name": null})), "`name` is missing"),
            (json!({"member_of": ["r"], "settings": {"session_preload_libraries": "x"}}), "is unknown"),
            (json!({"member_of": ["r"], "settings": {"search_path": "x"}}), "list of schemas"),
            (json!({"member_of": ["r"], "connection_limit": 0}), "1 to 1000"),
        ] {
            assert!(said(given.clone()).contains(expected), "{given} gave {}", said(given.clone()));
        }
    }

    #[test]
    fn narrower_is_contained_and_not_the_same() {
        let parse = |v: Value| Definition::parse(&v).unwrap();
        let grant = |p: &[&str]| json!({"database": "app", "schema": "s", "on": "table", "name": "t", "privileges": p});
        let wide = parse(json!({"member_of": ["a", "b"], "grants": [grant(&["SELECT", "INSERT"])]}));
        for (narrow, expected) in [
            (json!({"member_of": ["a"]}), true),
            (json!({"member_of": ["a", "b"], "grants": [grant(&["SELECT"])]}), true),
            (json!({"member_of": ["a", "b"], "grants": [grant(&["INSERT", "SELECT"])]}), false),
            (json!({"member_of": ["c"]}), false),
            (json!({"grants": [grant(&["DELETE"])]}), false),
            (json!({"member_of": ["a"], "connection_limit": 900}), false),
        ] {
            assert_eq!(parse(narrow.clone()).is_narrower(&wide), expected, "{narrow}");
        }
    }
}
