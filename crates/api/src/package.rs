//! Access packages: what people get for who they are.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::value::SpanView;

/// One role on one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PackageItem {
    /// The role.
    pub role: String,
    /// The resource.
    pub resource: String,
}

/// A package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PackageView {
    /// Unique name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What is in it.
    pub items: Vec<PackageItem>,
    /// Who gets it: whoever is in every one of these groups…
    pub groups: Vec<String>,
    /// …and has every one of these attributes.
    pub attributes: BTreeMap<String, String>,
    /// The longest that one grant of it is asked for; none for what policy allows.
    pub at_most: Option<SpanView>,
    /// Who gets it now.
    pub people: Vec<String>,
    /// When it was entered.
    pub since: Timestamp,
}

/// Enters a package.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPackage {
    /// Unique name: 1 to 63 of a-z, 0-9, `.`, `_`, `-`.
    #[schema(max_length = 63, pattern = "^[a-z0-9][a-z0-9._-]{0,62}$")]
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub description: Option<String>,
    /// What is in it.
    #[schema(min_items = 1, max_items = 64)]
    pub items: Vec<PackageItem>,
    /// Groups that one has to be in, all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Attributes that one has to have, all of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// The longest that one grant of it is asked for: `8h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub at_most: Option<String>,
}
