//! Access packages: what a person gets for who they are.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::directory::Person;
use crate::id::{PackageId, ResourceId, RoleId};
use crate::text::{Line, Name};
use crate::time::{Span, Time};

/// Roles on resources that everybody gets whom the rule means, as far as policy lets them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its id.
    pub id: PackageId,
    /// Unique name.
    pub name: Name,
    /// What it is for.
    pub description: Line,
    /// What is in it; never empty.
    pub items: BTreeSet<PackageItem>,
    /// Whom it is for.
    pub rule: Rule,
    /// The longest that one grant of it is asked for; none for what policy allows.
    pub at_most: Option<Span>,
    /// When it was entered.
    pub since: Time,
}

/// One role on one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PackageItem {
    /// The resource.
    pub resource: ResourceId,
    /// The role.
    pub role: RoleId,
}

/// Whom a package is for: who is in every one of these groups and has every one of these attributes, as they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Groups, by name.
    pub groups: BTreeSet<Name>,
    /// Attributes with their values.
    pub attributes: BTreeMap<Name, Line>,
}

impl Rule {
    /// Whether it asks for nothing, which would be everybody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.attributes.is_empty()
    }

    /// Whether somebody in these groups is meant.
    ///
    /// INVARIANT: a rule that asks for nothing means nobody (held by `a_rule_means_who_has_all_of_it`).
    #[must_use]
    pub fn means(&self, person: &Person, groups: &BTreeSet<&Name>) -> bool {
        !self.is_empty()
            && self.groups.iter().all(|group| groups.contains(group))
            && self.attributes.iter().all(|(key, value)| person.attributes.get(key) == Some(value))
    }
}
