//! What policies may speak about: entity types, actions, and the context of each.
//!
//! The core brings people, groups, labels and actions; each kind brings the name of its entity
//! type and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::str::FromStr;

use cedar_policy::{EntityTypeName, Schema};
use serde::{Deserialize, Serialize};
use wane_domain::text::Name;
use wane_domain::workload::{TEXTS, TRUTHS};

/// What a kind brings to the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindFragment {
    /// The kind: `ssh`.
    pub kind: Name,
    /// Its entity type in policies: `Host`.
    pub entity: String,
}

/// The schema's parts: the core and the kinds of this deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaParts {
    kinds: BTreeMap<Name, EntityTypeName>,
    pub(crate) core: CoreTypes,
}

/// The core's own entity types, parsed once: Cedar parses a type's name anew whenever it is given as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CoreTypes {
    pub(crate) person: EntityTypeName,
    pub(crate) group: EntityTypeName,
    pub(crate) label: EntityTypeName,
    pub(crate) system: EntityTypeName,
    pub(crate) action: EntityTypeName,
}

impl CoreTypes {
    fn parse() -> Result<Self, SchemaError> {
        let parse = |name: &str| {
            EntityTypeName::from_str(name)
                .map_err(|_| SchemaError::NotAType { kind: "core".to_owned(), entity: name.to_owned() })
        };
        Ok(Self {
            person: parse("Person")?,
            group: parse("Group")?,
            label: parse("Label")?,
            system: parse("System")?,
            action: parse("Action")?,
        })
    }
}

/// Why the parts make no schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Not usable as the name of an entity type.
    #[error(
        "`{entity}` of kind `{kind}` is no entity type: use 1 to 63 letters and digits beginning with A-Z, other than Person, Group, Label, System, Action and Cedar's own types"
    )]
    NotAType {
        /// The kind.
        kind: String,
        /// What it gave.
        entity: String,
    },
    /// Two kinds give one name.
    #[error("`{0}` is given by two kinds; rename one")]
    Twice(String),
    /// No kinds at all.
    #[error("there is no kind of resource; name at least one")]
    NoKinds,
}

/// Everything a person can be allowed to do. One authorisation system: there is no other list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Hold a role on a resource for a while.
    Access,
    /// Say yes or no where a stage names them. The stage decides who is asked, this who may answer at all.
    Approve,
    /// See people, groups and attributes.
    ReadDirectory,
    /// Enter, change and disable people and groups.
    ManageDirectory,
    /// See resources and roles, settings included.
    ReadCatalogue,
    /// Enter and change resources and roles.
    ManageCatalogue,
    /// Read the policy set and its versions.
    ReadPolicy,
    /// Load a policy set.
    ManagePolicy,
    /// See everybody's requests, grants, sessions, debts and stories.
    ReadAccess,
    /// End somebody's grants.
    Revoke,
    /// Lock a person, resource, role or grant, and lift a lock.
    Lock,
    /// Read the audit log.
    ReadLog,
    /// Ask why about somebody else, past or hypothetical.
    Simulate,
    /// See a session while it goes on.
    Watch,
    /// See what was recorded of a session.
    Replay,
    /// See a session's terminal while it goes on, and type into it.
    Join,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 16] = [
        Self::Access,
        Self::Approve,
        Self::ReadDirectory,
        Self::ManageDirectory,
        Self::ReadCatalogue,
        Self::ManageCatalogue,
        Self::ReadPolicy,
        Self::ManagePolicy,
        Self::ReadAccess,
        Self::Revoke,
        Self::Lock,
        Self::ReadLog,
        Self::Simulate,
        Self::Watch,
        Self::Replay,
        Self::Join,
    ];

    /// Its name in policies: `Action::"read_log"`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Approve => "approve",
            Self::ReadDirectory => "read_directory",
            Self::ManageDirectory => "manage_directory",
            Self::ReadCatalogue => "read_catalogue",
            Self::ManageCatalogue => "manage_catalogue",
            Self::ReadPolicy => "read_policy",
            Self::ManagePolicy => "manage_policy",
            Self::ReadAccess => "read_access",
            Self::Revoke => "revoke",
            Self::Lock => "lock",
            Self::ReadLog => "read_log",
            Self::Simulate => "simulate",
            Self::Watch => "watch",
            Self::Replay => "replay",
            Self::Join => "join",
        }
    }

    /// The action of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == name)
    }

    /// What it may be done to, besides `System::"wane"`.
    pub(crate) const fn on(self) -> On {
        match self {
            Self::Access | Self::Approve => On::ResourcesOnly,
            Self::ReadDirectory | Self::ManageDirectory | Self::Simulate => On::People,
            Self::ReadCatalogue | Self::ManageCatalogue => On::Resources,
            Self::ReadPolicy | Self::ManagePolicy | Self::ReadLog => On::System,
            Self::ReadAccess | Self::Revoke | Self::Lock | Self::Watch | Self::Replay | Self::Join => On::Both,
        }
    }
}

/// What an action may be done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// A resource, and never the system: `access` and `approve`.
    ResourcesOnly,
    /// The system alone.
    System,
    /// The system or a person.
    People,
    /// The system or a resource.
    Resources,
    /// The system, a person or a resource.
    Both,
}

const RESERVED: [&str; 13] = [
    "Person", "Group", "Label", "System", "Action", "Local", "Terms", "Workload", "String", "Long", "Bool", "Boolean",
    "Set",
];

const CORE: &str = r"entity Group;
entity Person in [Group] { name: String, disabled: Bool } tags String;
entity Label;
entity System;
type Local = { hour: Long, minute: Long, weekday: String, zone: String };
type Terms = { human_stages: Long, quorum: Long, recording: Bool, step_up: Bool, reproof: Bool, signature: Bool, mode: String, max_ttl: Long };
";

/// What is known of the job of a workload. Each fact is there only if the job's issuer says it; names are quoted,
/// since some of them are words of the schema language.
fn workload() -> String {
    let texts = TEXTS.into_iter().map(|name| format!("\"{name}\"?: String"));
    let truths = TRUTHS.into_iter().map(|name| format!("\"{name}\"?: Bool"));
    let facts: Vec<String> = texts.chain(truths).collect();
    format!("type Workload = {{ issuer: String, subject: String, {} }};\n", facts.join(", "))
}

impl SchemaParts {
    /// Checks and joins the kinds' parts.
    ///
    /// # Errors
    /// When a name is unusable or given twice, or there is no kind.
    pub fn new(fragments: impl IntoIterator<Item = KindFragment>) -> Result<Self, SchemaError> {
        let mut kinds = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for KindFragment { kind, entity } in fragments {
            let plain = (1..=63).contains(&entity.len())
                && entity.bytes().all(|c| c.is_ascii_alphanumeric())
                && entity.bytes().next().is_some_and(|c| c.is_ascii_uppercase());
            let parsed = if plain && !RESERVED.contains(&entity.as_str()) {
                EntityTypeName::from_str(&entity).ok()
            } else {
                None
            };
            let Some(name) = parsed else {
                return Err(SchemaError::NotAType { kind: kind.into(), entity });
            };
            if !seen.insert(entity.clone()) || kinds.insert(kind, name).is_some() {
                return Err(SchemaError::Twice(entity));
            }
        }
        if kinds.is_empty() { Err(SchemaError::NoKinds) } else { Ok(Self { kinds, core: CoreTypes::parse()? }) }
    }

    /// The entity type of a kind.
    #[must_use]
    pub fn entity_of(&self, kind: &Name) -> Option<&EntityTypeName> {
        self.kinds.get(kind)
    }

    /// Whether a name is the entity type of a kind.
    pub(crate) fn is_resource_type(&self, name: &EntityTypeName) -> bool {
        self.kinds.values().any(|k| k == name)
    }

    /// The schema as Cedar schema text, for people and editors.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = CORE.to_owned();
        out.push_str(&workload());
        let mut resources = String::new();
        for (i, entity) in self.kinds.values().enumerate() {
            let _ = write!(resources, "{}{entity}", if i == 0 { "" } else { ", " });
            let _ = writeln!(
                out,
                "entity {entity} in [Label] {{ name: String, kind: String, ownerPerson?: Person, ownerGroup?: Group }} tags String;"
            );
        }
        for action in Action::ALL {
            let on = match action.on() {
                On::ResourcesOnly => resources.clone(),
                On::System => "System".to_owned(),
                On::People => "System, Person".to_owned(),
                On::Resources => format!("System, {resources}"),
                On::Both => format!("System, Person, {resources}"),
            };
            let proof = "proof: String, proof_age: Long, phishing_resistant: Bool, now: datetime, local: Local";
            let context = match action {
                Action::Access => format!(
                    "role: String, kind: String, duration: Long, start_in: Long, justified: Bool, ticket?: String, task?: String, workload?: Workload, {proof}, residual_sessions?: Long, terms?: Terms"
                ),
                Action::Approve => format!(
                    "role: String, kind: String, requester: Person, duration: Long, instead_of?: Person, {proof}"
                ),
                Action::ManagePolicy => format!("proposed_by?: Person, {proof}"),
                Action::ReadDirectory
                | Action::ManageDirectory
                | Action::ReadCatalogue
                | Action::ManageCatalogue
                | Action::ReadPolicy
                | Action::ReadAccess
                | Action::Revoke
                | Action::Lock
                | Action::ReadLog
                | Action::Simulate
                | Action::Watch
                | Action::Replay
                | Action::Join => proof.to_owned(),
            };
            let _ = writeln!(
                out,
                "action \"{}\" appliesTo {{ principal: [Person], resource: [{on}], context: {{ {context} }} }};",
                action.name()
            );
        }
        out
    }

    /// The compiled schema.
    pub(crate) fn schema(&self) -> Result<Schema, String> {
        Schema::from_cedarschema_str(&self.text()).map(|(schema, _)| schema).map_err(|e| e.to_string())
    }
}
