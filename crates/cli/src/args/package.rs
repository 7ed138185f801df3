//! Access packages.

use clap::{Args, Subcommand};

use super::Many;
use super::item::{Item, Pair};

/// Access packages: what people get for who they are
#[derive(Debug, Subcommand)]
pub(crate) enum Package {
    Add(AddPackage),
    /// All packages
    List(Many),
    /// One package, and who gets it
    Show(PackageName),
    /// Take a package out: what was granted out of it ends
    Remove(PackageName),
}

#[derive(Debug, Args)]
pub(crate) struct PackageName {
    pub(crate) package: String,
}

/// Enter a package: whoever its rule means is asked for, and policy answers as if they had asked
#[derive(Debug, Args)]
pub(crate) struct AddPackage {
    pub(crate) package: String,
    /// What is in it
    #[arg(required = true, value_name = "ROLE@RESOURCE")]
    pub(crate) items: Vec<Item>,
    /// For whoever is in this group; several times for all of them
    #[arg(long = "group", value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// For whoever has this attribute; several times for all of them
    #[arg(long = "attribute", value_name = "KEY=VALUE")]
    pub(crate) attributes: Vec<Pair>,
    /// Ask for no longer than this at once; as long as policy allows if left out
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) at_most: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
}
