//! What cargo knows about the workspace: who depends on whom.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command;

/// Crates of the workspace start with this, except the binary itself and the chores.
const KIND_PREFIX: &str = "wane-kind-";

#[derive(Debug, Default)]
pub(super) struct Metadata {
    /// Members of the workspace, by name, with what they use outside tests.
    pub(super) members: BTreeMap<String, BTreeSet<String>>,
    /// Every crate, by id: its name, and the ids it needs outside tests.
    pub(super) resolved: BTreeMap<String, Resolved>,
}

#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) name: String,
    pub(super) needs: BTreeSet<String>,
}

impl Metadata {
    pub(super) fn read() -> Result<Self> {
        let text = command::output(&command::cargo(), &["metadata", "--format-version", "1"])?;
        let value = serde_json::from_str(&text).context("cargo metadata printed no JSON")?;
        Ok(Self::from_json(&value))
    }

    /// The names of the kinds, from their crates: `wane-kind-x509` is `x509`.
    pub(super) fn kinds(&self) -> Vec<String> {
        self.members.keys().filter_map(|name| name.strip_prefix(KIND_PREFIX)).map(str::to_owned).collect()
    }

    fn from_json(value: &Value) -> Self {
        let own: BTreeSet<&str> = list(value, "workspace_members").filter_map(Value::as_str).collect();
        let mut found = Self::default();
        for package in list(value, "packages") {
            let (name, id) = (text(package, "name"), text(package, "id"));
            if own.contains(id) {
                let uses = list(package, "dependencies")
                    .filter(|dependency| text(dependency, "kind") != "dev")
                    .map(|dependency| text(dependency, "name").to_owned())
                    .collect();
                found.members.insert(name.to_owned(), uses);
            }
            let name = name.to_owned();
            let needs = BTreeSet::new();
            found.resolved.insert(id.to_owned(), Resolved { name, needs });
        }
        let nodes = value.get("resolve").unwrap_or(&Value::Null);
        for node in list(nodes, "nodes") {
            let needs = list(node, "deps")
                .filter(|edge| list(edge, "dep_kinds").any(|kind| text(kind, "kind") != "dev"))
                .map(|edge| text(edge, "pkg").to_owned())
                .collect();
            if let Some(known) = found.resolved.get_mut(text(node, "id")) {
                known.needs = needs;
            }
        }
        found
    }
}

fn list<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// A text field; cargo writes `null` for the kind of an ordinary dependency.
fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
