//! What can be asked for: resources, and roles on them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::canonical::Digest;
use crate::id::{GroupId, PersonId, ResourceId, RoleId};
use crate::text::{Line, Name};
use crate::time::Time;

/// Something access is granted to: a host, a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Opaque identity.
    pub id: ResourceId,
    /// Unique name.
    pub name: Name,
    /// Which kind serves it: `ssh`, `postgres`…
    pub kind: Name,
    /// Facts for policy: env, tier, classification…
    pub labels: BTreeMap<Name, Line>,
    /// Who answers for it, for approval stages that ask the owner.
    pub owner: Option<Owner>,
    /// The kind's own settings, checked by the kind. Never a secret.
    pub settings: serde_json::Value,
    /// When it was registered.
    pub since: Time,
}

/// Who answers for a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// One person.
    Person(PersonId),
    /// Anyone in a group.
    Group(GroupId),
}

/// A role that can be asked for on resources of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Opaque identity.
    pub id: RoleId,
    /// Unique among the roles of its kind.
    pub name: Name,
    /// The kind it belongs to.
    pub kind: Name,
    /// What it is for.
    pub description: Line,
    /// What it means at the target, in the kind's own terms, checked by the kind.
    pub definition: serde_json::Value,
    /// When it was entered.
    pub since: Time,
}

impl Role {
    /// The digest a request freezes, so that a role redefined later is not what was approved.
    ///
    /// # Errors
    /// Never for a definition that came from JSON.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        #[derive(Serialize)]
        struct Frozen<'a> {
            kind: &'a Name,
            name: &'a Name,
            definition: &'a serde_json::Value,
        }
        Digest::of_json("wane.role.v1", &Frozen { kind: &self.kind, name: &self.name, definition: &self.definition })
    }
}
