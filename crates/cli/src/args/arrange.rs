//! Arranging people, groups, resources, hosts, roles and policy.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Many;
use super::item::{OwnerName, Pair, RoleOfKind};

/// People
#[derive(Debug, Subcommand)]
pub(crate) enum Person {
    Add(AddPerson),
    /// All people
    List(Many),
    /// One person
    Show(PersonName),
    Change(ChangePerson),
    /// Disable a person: everything they hold ends
    Disable(PersonName),
    /// Enable a person again
    Enable(PersonName),
    Until(UntilPerson),
    Sponsor(SponsorPerson),
    /// Make a one-time code for a person to set up their sign-in
    Enrol(PersonName),
    #[command(subcommand)]
    Identity(Identity),
}

/// Who a person is at a provider of sign-ins
#[derive(Debug, Subcommand)]
pub(crate) enum Identity {
    Add(AddIdentity),
    /// A person's ways to sign in besides a password
    List(PersonName),
    Remove(RemoveIdentity),
}

/// Say that an identity at a provider is a person
#[derive(Debug, Args)]
pub(crate) struct AddIdentity {
    pub(crate) person: String,
    /// What the provider is called in the server's settings
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: String,
    /// Who they are there: its `sub`, exactly
    #[arg(long, value_name = "SUB")]
    pub(crate) subject: String,
}

/// Take a way to sign in away, with the sessions that were begun by it
#[derive(Debug, Args)]
pub(crate) struct RemoveIdentity {
    pub(crate) person: String,
    /// Which: `way_…`
    #[arg(value_name = "WAY")]
    pub(crate) way: String,
}

#[derive(Debug, Args)]
pub(crate) struct PersonName {
    pub(crate) person: String,
}

/// Enter a person
#[derive(Debug, Args)]
pub(crate) struct AddPerson {
    /// Login name; never used again for somebody else
    pub(crate) person: String,
    /// The name people read
    #[arg(long, value_name = "NAME")]
    pub(crate) display: Option<String>,
    /// Who manages them
    #[arg(long, value_name = "PERSON")]
    pub(crate) manager: Option<String>,
    /// A fact for policy; several times
    #[arg(long = "attribute", value_name = "KEY=VALUE")]
    pub(crate) attributes: Vec<Pair>,
    /// When their time is over: `2026-12-31T18:00+01:00`
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<String>,
    /// Who answers for them
    #[arg(long, value_name = "PERSON")]
    pub(crate) sponsor: Option<String>,
}

/// Say when a person's time is over: from then on they may do nothing and hold nothing
#[derive(Debug, Args)]
pub(crate) struct UntilPerson {
    pub(crate) person: String,
    /// When: `2026-12-31T18:00+01:00`, `+30d`; or `never`
    #[arg(value_name = "WHEN|never")]
    pub(crate) until: String,
}

/// Say who answers for a person
#[derive(Debug, Args)]
pub(crate) struct SponsorPerson {
    pub(crate) person: String,
    /// Who; or `--nobody`
    #[arg(required_unless_present = "nobody", value_name = "SPONSOR")]
    pub(crate) sponsor: Option<String>,
    /// Nobody has to
    #[arg(long, conflicts_with = "sponsor")]
    pub(crate) nobody: bool,
}

/// Change a person; what is left out stays
#[derive(Debug, Args)]
pub(crate) struct ChangePerson {
    pub(crate) person: String,
    /// The name people read
    #[arg(long, value_name = "NAME")]
    pub(crate) display: Option<String>,
    /// Who manages them
    #[arg(long, value_name = "PERSON")]
    pub(crate) manager: Option<String>,
    /// Nobody manages them
    #[arg(long, conflicts_with = "manager")]
    pub(crate) no_manager: bool,
    /// A fact for policy; several times, in place of all before
    #[arg(long = "attribute", value_name = "KEY=VALUE")]
    pub(crate) attributes: Vec<Pair>,
    /// No facts for policy
    #[arg(long, conflicts_with = "attributes")]
    pub(crate) no_attributes: bool,
}

/// Groups of people
#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    Add(AddGroup),
    /// All groups
    List(Many),
    /// One group
    Show(GroupName),
    /// Put people into a group
    #[command(visible_alias = "add-member")]
    Join(Members),
    /// Take people out of a group
    #[command(visible_alias = "remove-member")]
    Leave(Members),
}

/// Make a group
#[derive(Debug, Args)]
pub(crate) struct AddGroup {
    pub(crate) group: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GroupName {
    pub(crate) group: String,
}

#[derive(Debug, Args)]
pub(crate) struct Members {
    pub(crate) group: String,
    #[arg(required = true, value_name = "PERSON")]
    pub(crate) people: Vec<String>,
}

/// Resources: what access is granted to
#[derive(Debug, Subcommand)]
pub(crate) enum Resource {
    Add(AddResource),
    /// All resources
    List(Many),
    /// One resource, and what can and cannot be ended there
    Show(ResourceName),
    Change(ChangeResource),
    /// Take a resource out
    Remove(ResourceName),
    Credential(SetCredential),
    /// Check at the resource that its roles can be used there
    Probe(ResourceName),
    /// What stands at the resource: ours, orphans, and rights we did not give
    Inventory(ResourceName),
}

#[derive(Debug, Args)]
pub(crate) struct ResourceName {
    pub(crate) resource: String,
}

/// Where the connector's own credential comes from. Never the command line: others can read that.
#[derive(Debug, Default, Args)]
pub(crate) struct CredentialFrom {
    /// Read the connector's own credential from this file
    #[arg(long, value_name = "FILE")]
    pub(crate) credential_file: Option<PathBuf>,
    /// Read the connector's own credential from standard input
    #[arg(long, conflicts_with = "credential_file")]
    pub(crate) credential_stdin: bool,
}

/// The kind's own settings.
#[derive(Debug, Default, Args)]
pub(crate) struct SettingsFrom {
    /// The kind's settings as JSON: the text itself, `@FILE`, or `-` for standard input
    #[arg(long, value_name = "JSON")]
    pub(crate) settings: Option<String>,
    /// One of the kind's settings; a VALUE that is JSON is taken as such; several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<Pair>,
}

/// Register a resource
#[derive(Debug, Args)]
pub(crate) struct AddResource {
    pub(crate) resource: String,
    /// Which kind serves it
    #[arg(long)]
    pub(crate) kind: String,
    /// A fact for policy: `env=prod`; several times
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<Pair>,
    /// Who answers for it: `person:NAME` or `group:NAME`
    #[arg(long)]
    pub(crate) owner: Option<OwnerName>,
    #[command(flatten)]
    pub(crate) settings: SettingsFrom,
    #[command(flatten)]
    pub(crate) credential: CredentialFrom,
}

/// Change a resource; what is left out stays
#[derive(Debug, Args)]
pub(crate) struct ChangeResource {
    pub(crate) resource: String,
    /// A fact for policy; several times, in place of all before
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<Pair>,
    /// No facts for policy
    #[arg(long, conflicts_with = "labels")]
    pub(crate) no_labels: bool,
    /// Who answers for it: `person:NAME` or `group:NAME`
    #[arg(long)]
    pub(crate) owner: Option<OwnerName>,
    /// Nobody answers for it
    #[arg(long, conflicts_with = "owner")]
    pub(crate) no_owner: bool,
    #[command(flatten)]
    pub(crate) settings: SettingsFrom,
}

/// Replace the connector's own credential at a resource; asked for if no source is named
#[derive(Debug, Args)]
pub(crate) struct SetCredential {
    pub(crate) resource: String,
    #[command(flatten)]
    pub(crate) from: CredentialFrom,
}

/// Roles: what can be asked for on resources of a kind
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    Add(AddRole),
    /// All roles
    List(Many),
    /// One role
    Show(RoleName),
    Change(ChangeRole),
    /// Take a role out
    Remove(RoleName),
}

#[derive(Debug, Args)]
pub(crate) struct RoleName {
    #[arg(value_name = "KIND/ROLE")]
    pub(crate) role: RoleOfKind,
}

/// What a role means at the target.
#[derive(Debug, Default, Args)]
pub(crate) struct DefinitionFrom {
    /// What it means at the target, as JSON: the text itself, `@FILE`, or `-` for standard input
    #[arg(long, value_name = "JSON")]
    pub(crate) definition: Option<String>,
    /// One part of the definition; a VALUE that is JSON is taken as such; several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<Pair>,
}

/// Enter a role
#[derive(Debug, Args)]
pub(crate) struct AddRole {
    #[arg(value_name = "KIND/ROLE")]
    pub(crate) role: RoleOfKind,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    #[command(flatten)]
    pub(crate) definition: DefinitionFrom,
}

/// Change a role; what is left out stays
#[derive(Debug, Args)]
pub(crate) struct ChangeRole {
    #[arg(value_name = "KIND/ROLE")]
    pub(crate) role: RoleOfKind,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    #[command(flatten)]
    pub(crate) definition: DefinitionFrom,
}

/// The policy set
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    Show(ShowPolicy),
    /// Every version that was ever loaded, newest first
    Versions(Many),
    Diff(DiffPolicy),
    Load(LoadPolicy),
    Check(CheckPolicy),
}

/// Print the policy set in force, or an older one
#[derive(Debug, Args)]
pub(crate) struct ShowPolicy {
    /// This version
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<u64>,
}

/// What changed from one version of the policy set to another, as a unified diff
#[derive(Debug, Args)]
pub(crate) struct DiffPolicy {
    #[arg(value_name = "FROM")]
    pub(crate) from: u64,
    /// The one in force if left out
    #[arg(value_name = "TO")]
    pub(crate) to: Option<u64>,
}

/// Load a policy set; one that does not validate changes nothing
#[derive(Debug, Args)]
pub(crate) struct LoadPolicy {
    /// Cedar files, joined in this order; `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Only if this version is still in force
    #[arg(long, value_name = "VERSION")]
    pub(crate) seen_version: Option<u64>,
}

/// Check a policy set and load nothing
#[derive(Debug, Args)]
pub(crate) struct CheckPolicy {
    /// Cedar files, joined in this order; `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}
