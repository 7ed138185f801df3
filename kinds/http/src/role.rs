//! What a role means at an application: which methods on which paths, websockets, what is recorded, how often.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use wane_connector::KindError;
use wane_connector::strict::{flag, number, object, texts, wrong};
use wane_finding::Rules;

use crate::path::{Path, Pattern, short};

const KEYS: [&str; 5] = ["allow", "websocket", "bodies", "uses", "findings"];
const RULE_KEYS: [&str; 2] = ["methods", "paths"];
/// Rules of one role, and patterns of one rule.
const MOST: usize = 128;
const MOST_USES: u64 = 1_000_000;
/// Never let through, whatever a role says: one opens a tunnel, the other hands back what was injected.
const NEVER: [&str; 2] = ["CONNECT", "TRACE"];

/// A role's definition, checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Definition {
    pub(crate) allow: Vec<Allowed>,
    pub(crate) websocket: bool,
    /// Whether bodies are recorded, not only how long they were.
    pub(crate) bodies: bool,
    /// How many requests a grant is good for; none for as many as there are.
    pub(crate) uses: Option<u64>,
    pub(crate) findings: Vec<Value>,
}

/// Methods on paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// Every one, if it is none.
    methods: Option<BTreeSet<String>>,
    paths: BTreeSet<Pattern>,
}

impl Definition {
    /// Reads a definition, given by people or in normal form.
    pub(crate) fn read(given: &Value) -> Result<Self, KindError> {
        let map = object("definition", given, &KEYS)?;
        let Some(Value::Array(list)) = map.get("allow") else {
            return Err(wrong(
                "allow",
                "say what may be asked for: `[{\"methods\": [\"GET\"], \"paths\": [\"/api/**\"]}]`",
            ));
        };
        if list.is_empty() || list.len() > MOST {
            return Err(wrong("allow", format!("write 1 to {MOST} rules")));
        }
        let allow = list.iter().map(Allowed::read).collect::<Result<_, _>>()?;
        let uses = number(map, "uses")?;
        if uses.is_some_and(|uses| !(1..=MOST_USES).contains(&uses)) {
            return Err(wrong("uses", format!("write 1 to {MOST_USES}, or leave it out for as many as there are")));
        }
        let findings = match map.get("findings") {
            None => Vec::new(),
            Some(given @ Value::Array(rules)) => {
                Rules::from_json(given).map_err(|e| wrong("findings", e.to_string()))?;
                rules.clone()
            }
            Some(_) => return Err(wrong("findings", "write a list of rules")),
        };
        Ok(Self { allow, websocket: flag(map, "websocket")?, bodies: flag(map, "bodies")?, uses, findings })
    }

    /// The normal form.
    pub(crate) fn json(&self) -> Value {
        let allow: Vec<Value> = self.allow.iter().map(Allowed::json).collect();
        let mut out = Map::from_iter([
            ("allow".to_owned(), json!(allow)),
            ("websocket".to_owned(), json!(self.websocket)),
            ("bodies".to_owned(), json!(self.bodies)),
        ]);
        if let Some(uses) = self.uses {
            out.insert("uses".to_owned(), json!(uses));
        }
        if !self.findings.is_empty() {
            out.insert("findings".to_owned(), json!(self.findings));
        }
        Value::Object(out)
    }

    /// Its rules over what happens.
    pub(crate) fn rules(&self) -> Result<Rules, String> {
        Rules::from_json(&json!(self.findings)).map_err(|e| e.to_string())
    }

    /// Whether a request may be passed on.
    pub(crate) fn allows(&self, method: &str, path: &Path) -> bool {
        !NEVER.contains(&method) && self.allow.iter().any(|rule| rule.allows(method, path))
    }

    /// Whether it gives nothing that `wide` does not, and holds back no less.
    pub(crate) fn is_within(&self, wide: &Self) -> bool {
        let fewer = match (self.uses, wide.uses) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(narrow), Some(wide)) => narrow <= wide,
        };
        self.allow.iter().all(|rule| rule.is_within(&wide.allow))
            && fewer
            && (wide.websocket || !self.websocket)
            && (self.bodies || !wide.bodies)
            && wide.findings.iter().all(|rule| self.findings.contains(rule))
    }
}

impl Allowed {
    fn read(given: &Value) -> Result<Self, KindError> {
        let map = object("allow", given, &RULE_KEYS)?;
        let given = texts(map, "methods")?.unwrap_or_default();
        let methods = match given.as_slice() {
            [] => {
                return Err(wrong("methods", "name the methods, such as `[\"GET\", \"HEAD\"]`, or `[\"*\"]` for each"));
            }
            ["*"] => None,
            named => Some(named.iter().map(|method| self::method(method)).collect::<Result<BTreeSet<_>, _>>()?),
        };
        let given = texts(map, "paths")?.unwrap_or_default();
        if given.is_empty() || given.len() > MOST {
            return Err(wrong("paths", format!("write 1 to {MOST} patterns, such as `[\"/api/**\"]`")));
        }
        let paths =
            given.into_iter().map(Pattern::read).collect::<Result<_, _>>().map_err(|why| wrong("paths", why))?;
        Ok(Self { methods, paths })
    }

    fn json(&self) -> Value {
        let paths: Vec<String> = self.paths.iter().map(Pattern::to_string).collect();
        let methods = self.methods.as_ref().map_or_else(|| json!(["*"]), |methods| json!(methods));
        json!({ "methods": methods, "paths": paths })
    }

    fn allows(&self, method: &str, path: &Path) -> bool {
        let named = self.methods.as_ref().is_none_or(|methods| methods.contains(method));
        named && self.paths.iter().any(|pattern| pattern.names(path))
    }

    /// Whether each method on each of its patterns is allowed by one of these.
    fn is_within(&self, wide: &[Self]) -> bool {
        let covered = |method: Option<&String>, path: &Pattern| {
            wide.iter().any(|rule| {
                let named = match (&rule.methods, method) {
                    (None, _) => true,
                    (Some(methods), Some(method)) => methods.contains(method),
                    (Some(_), None) => false,
                };
                named && rule.paths.iter().any(|pattern| path.is_within(pattern))
            })
        };
        self.paths.iter().all(|path| match &self.methods {
            None => covered(None, path),
            Some(methods) => methods.iter().all(|method| covered(Some(method), path)),
        })
    }
}

/// A method, in the one spelling it has (RFC 9110 section 9.1).
fn method(given: &str) -> Result<String, KindError> {
    let plain = (1..=32).contains(&given.len()) && given.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
    if !plain {
        return Err(wrong("methods", format!("`{}` is no method; write it in capitals, such as `GET`", short(given))));
    }
    if NEVER.contains(&given) {
        return Err(wrong("methods", format!("`{given}` is never passed on; leave it out")));
    }
    Ok(given.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(given: Value) -> Definition {
        Definition::read(&given).unwrap()
    }

    #[test]
    fn a_role_is_strict_and_normal() {
        let full =
            role(json!({ "allow": [{ "methods": ["GET"], "paths": ["/api/**"] }], "websocket": true, "uses": 1 }));
        assert_eq!(Definition::read(&full.json()).unwrap(), full);
        for (bad, key) in [
            (json!({}), "allow"),
            (json!({ "allow": [] }), "allow"),
            (json!({ "allow": [{ "paths": ["/"] }] }), "methods"),
            (json!({ "allow": [{ "methods": ["get"], "paths": ["/"] }] }), "methods"),
            (json!({ "allow": [{ "methods": ["TRACE"], "paths": ["/"] }] }), "methods"),
            (json!({ "allow": [{ "methods": ["GET"] }] }), "paths"),
            (json!({ "allow": [{ "methods": ["GET"], "paths": ["/a/../b"] }] }), "paths"),
            (json!({ "allow": [{ "methods": ["GET"], "paths": ["/"], "hosts": [] }] }), "hosts"),
            (json!({ "allow": [{ "methods": ["GET"], "paths": ["/"] }], "uses": 0 }), "uses"),
            (json!({ "allow": [{ "methods": ["GET"], "paths": ["/"] }], "bodies": "yes" }), "bodies"),
            (json!({ "allow": [{ "methods": ["GET"], "paths": ["/"] }], "findings": [{ "id": 1 }] }), "findings"),
        ] {
            assert_eq!(Definition::read(&bad).unwrap_err().what, key, "{bad}");
        }
    }

    #[test]
    fn what_a_role_does_not_name_it_does_not_allow() {
        let role = role(json!({ "allow": [
            { "methods": ["GET", "HEAD"], "paths": ["/**"] }, { "methods": ["POST"], "paths": ["/api/runs"] },
        ] }));
        for (method, path, allowed) in [
            ("GET", "/anything", true),
            ("POST", "/api/runs", true),
            ("POST", "/api/runs/", false),
            ("POST", "/api/users", false),
            ("DELETE", "/api/runs", false),
            ("get", "/", false),
        ] {
            assert_eq!(role.allows(method, &Path::read(path).unwrap()), allowed, "{method} {path}");
        }
        let all = self::role(json!({ "allow": [{ "methods": ["*"], "paths": ["/**"] }] }));
        let root = Path::read("/").unwrap();
        assert!(all.allows("PATCH", &root) && !all.allows("CONNECT", &root) && !all.allows("TRACE", &root));
    }

    #[test]
    fn a_narrower_role_gives_nothing_more() {
        let base =
            json!({ "allow": [{ "methods": ["GET", "POST"], "paths": ["/api/**"] }], "uses": 5, "bodies": true });
        let wide = role(base.clone());
        let with = |key: &str, value: Value| {
            let mut given = base.clone();
            given[key] = value;
            role(given)
        };
        let rules = |rules: Value| with("allow", rules);
        for (narrow, within) in [
            (wide.clone(), true),
            (rules(json!([{ "methods": ["GET"], "paths": ["/api/a", "/api/b/**"] }])), true),
            (rules(json!([{ "methods": ["*"], "paths": ["/api/a"] }])), false),
            (rules(json!([{ "methods": ["GET"], "paths": ["/"] }])), false),
            (with("uses", json!(1)), true),
            (with("uses", json!(6)), false),
            (with("websocket", json!(true)), false),
            (with("bodies", json!(false)), false),
        ] {
            assert_eq!(narrow.is_within(&wide), within, "{}", narrow.json());
        }
        assert!(wide.is_within(&role(json!({ "allow": [{ "methods": ["*"], "paths": ["/**"] }], "websocket": true }))));
    }
}
