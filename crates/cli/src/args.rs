//! The command line as types: every command, flag and what it is for.

pub(crate) mod arrange;
pub(crate) mod decide;
pub(crate) mod delegate;
pub(crate) mod directory;
pub(crate) mod identity;
pub(crate) mod item;
pub(crate) mod leaving;
pub(crate) mod machine;
pub(crate) mod notices;
pub(crate) mod package;
pub(crate) mod recordings;
pub(crate) mod see;
pub(crate) mod using;
pub(crate) mod workload;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::extra::Group;

/// Access for as long as a task takes, and proof that it is gone afterwards.
#[derive(Debug, Parser)]
#[command(name = "wane", version)]
pub(crate) struct Line {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be said with every command.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Global {
    /// Print the API's JSON instead of text; errors too, on standard error
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) json: bool,
    /// The server's address [env: WANE_SERVER; else the one signed in to]
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// Trust only the certificate authorities in this PEM file [env: WANE_CA]
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}

/// How much of a listing is shown.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Many {
    /// At most so many
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// All there are
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,
}

/// Every command of our own.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Askable(using::Askable),
    Request(using::Request),
    Credential(using::Credential),
    Exec(using::Exec),
    Extend(using::Extend),
    Done(using::Done),
    Withdraw(using::Withdraw),
    Waiting(decide::Waiting),
    Requests(decide::Requests),
    Approve(decide::Approve),
    Deny(decide::Deny),
    #[command(subcommand)]
    ApproverKey(decide::ApproverKey),
    #[command(subcommand)]
    Delegate(delegate::Delegate),
    Revoke(decide::Revoke),
    #[command(subcommand)]
    Lock(decide::Lock),
    Live(see::Live),
    Sessions(see::Sessions),
    Kill(decide::Kill),
    Offboard(leaving::Offboard),
    Grants(see::Grants),
    Grant(see::Grant),
    Debts(see::Debts),
    Figures(see::Figures),
    Inventories(see::Inventories),
    Pulled(see::Pulled),
    Why(see::Why),
    Story(see::Story),
    Log(see::Log),
    Notices(notices::Notices),
    Recordings(recordings::Recordings),
    Replay(recordings::Replay),
    Watch(recordings::Watch),
    Join(recordings::Join),
    #[command(subcommand)]
    Recording(recordings::Recording),
    #[command(subcommand)]
    Person(arrange::Person),
    #[command(subcommand)]
    Group(arrange::GroupCommand),
    #[command(subcommand)]
    Directory(directory::Directory),
    #[command(subcommand)]
    Workload(workload::Workload),
    #[command(subcommand)]
    Resource(arrange::Resource),
    #[command(subcommand)]
    Role(arrange::Role),
    #[command(subcommand)]
    Package(package::Package),
    #[command(subcommand)]
    Policy(arrange::Policy),
    Login(identity::Login),
    Logout(identity::Logout),
    Enrol(identity::Enrol),
    Prove(identity::Prove),
    #[command(subcommand)]
    Passkey(identity::Passkey),
    Me(identity::Me),
    Doctor(machine::Doctor),
    Completion(machine::Completion),
    Version(machine::Version),
    ExitCodes(machine::ExitCodes),
}

/// Under which heading each command of our own is listed; in this order.
pub(crate) const LISTED: [(Group, &[&str]); 7] = [
    (Group::Use, &["askable", "request", "credential", "exec", "extend", "done", "withdraw"]),
    (Group::Decide, &["waiting", "requests", "approve", "deny", "approver-key", "delegate"]),
    (Group::End, &["revoke", "kill", "lock", "offboard"]),
    (
        Group::See,
        &[
            "live",
            "sessions",
            "grants",
            "grant",
            "debts",
            "figures",
            "inventories",
            "pulled",
            "why",
            "story",
            "log",
            "notices",
            "recordings",
            "replay",
            "watch",
            "join",
            "recording",
        ],
    ),
    (Group::Arrange, &["person", "group", "directory", "workload", "resource", "role", "package", "policy"]),
    (Group::Identity, &["login", "logout", "enrol", "prove", "passkey", "me"]),
    (Group::Machine, &["doctor", "completion", "version", "exit-codes", "help"]),
];
