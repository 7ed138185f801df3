//! What each command does: input from the command line, a call or two, a result.

mod arrange;
mod decide;
mod delegate;
mod directory;
mod exec;
mod identity;
mod joining;
mod leaving;
mod machine;
mod notices;
mod packages;
mod recordings;
mod see;
mod signing;
mod using;
mod workload;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::access::Session;
use crate::args::Command;
use crate::args::item::Pair;
use crate::exit::{Exit, Stop};

/// How a command comes out, or why it stopped short.
pub(crate) type Done = Result<Exit, Stop>;

/// Runs one of our own commands.
pub(crate) async fn run(command: Command, s: &Session) -> Done {
    match command {
        Command::Askable(args) => using::askable(args, s).await,
        Command::Request(args) => using::request(args, s).await,
        Command::Credential(args) => using::credential(args, s).await,
        Command::Exec(args) => exec::exec(args, s).await,
        Command::Extend(args) => using::extend(args, s).await,
        Command::Done(args) => using::done(args, s).await,
        Command::Withdraw(args) => using::withdraw(args, s).await,
        Command::Waiting(args) => decide::waiting(args, s).await,
        Command::Requests(args) => decide::requests(args, s).await,
        Command::Approve(args) => decide::approve(args, s).await,
        Command::ApproverKey(args) => signing::approver_key(args, s).await,
        Command::Delegate(args) => delegate::delegate(args, s).await,
        Command::Deny(args) => decide::deny(args, s).await,
        Command::Revoke(args) => decide::revoke(args, s).await,
        Command::Lock(args) => decide::lock(args, s).await,
        Command::Live(args) => see::live(args, s).await,
        Command::Sessions(_) => see::sessions(s).await,
        Command::Kill(args) => decide::kill(args, s).await,
        Command::Offboard(args) => leaving::offboard(args, s).await,
        Command::Grants(args) => see::grants(args, s).await,
        Command::Grant(args) => see::grant(args, s).await,
        Command::Debts(_) => see::debts(s).await,
        Command::Figures(args) => see::figures(&args, s).await,
        Command::Inventories(_) => see::inventories(s).await,
        Command::Pulled(_) => see::pulled(s).await,
        Command::Why(args) => see::why(args, s).await,
        Command::Story(args) => see::story(args, s).await,
        Command::Log(args) => see::log(args, s).await,
        Command::Notices(args) => notices::notices(args, s).await,
        Command::Recordings(args) => recordings::recordings(args, s).await,
        Command::Replay(args) => recordings::replay(args, s).await,
        Command::Watch(args) => recordings::watch(args, s).await,
        Command::Join(args) => joining::join(args, s).await,
        Command::Recording(command) => recordings::recording(command, s).await,
        Command::Person(args) => arrange::person(args, s).await,
        Command::Group(args) => arrange::group(args, s).await,
        Command::Directory(args) => directory::directory(args, s).await,
        Command::Workload(args) => workload::workload(args, s).await,
        Command::Resource(args) => arrange::resource(args, s).await,
        Command::Role(args) => arrange::role(args, s).await,
        Command::Package(args) => packages::package(args, s).await,
        Command::Policy(args) => arrange::policy(args, s).await,
        Command::Login(args) => identity::login(args, s).await,
        Command::Logout(_) => identity::logout(s).await,
        Command::Enrol(args) => identity::enrol(args, s).await,
        Command::Prove(args) => identity::prove(args, s).await,
        Command::Passkey(args) => identity::passkey(args, s).await,
        Command::Me(_) => identity::me(s).await,
        Command::Doctor(_) => machine::doctor(s).await,
        Command::Completion(_) => Err(Stop::failed("completion is written before a session begins")),
        Command::Version(_) => Ok(machine::version(s)),
        Command::ExitCodes(_) => Ok(machine::exit_codes(s)),
    }
}

/// Pairs as a map; a key twice is a mistake.
fn facts(pairs: &[Pair]) -> Result<BTreeMap<String, String>, Stop> {
    let mut map = BTreeMap::new();
    for pair in pairs {
        if map.insert(pair.key.clone(), pair.value.clone()).is_some() {
            return Err(Stop::usage(format!("`{}` is given twice", pair.key)));
        }
    }
    Ok(map)
}

/// A JSON object from `--settings`-like text and `--set` pairs; none if neither was given.
fn object(s: &Session, json: Option<&str>, set: &[Pair]) -> Result<Option<Value>, Stop> {
    if json.is_none() && set.is_empty() {
        return Ok(None);
    }
    let mut map = match json.map(|json| s.read_json(json)).transpose()? {
        None => Map::new(),
        Some(Value::Object(map)) => map,
        Some(_) => return Err(Stop::usage("a JSON object is needed: `{\"key\": value}`")),
    };
    for pair in set {
        if map.insert(pair.key.clone(), pair.json()).is_some() {
            return Err(Stop::usage(format!("`{}` is given twice", pair.key)));
        }
    }
    Ok(Some(Value::Object(map)))
}

/// Says that a listing goes on.
fn more(s: &Session, next: Option<&String>) {
    if next.is_some() {
        s.say("there are more; --all shows them");
    }
}
