//! Client verbs that a kind owns (`wane ssh`, `wane psql`), and the port the CLI gives them.
//!
//! A verb never speaks HTTP itself: the CLI finds or asks for access, waits, and hands it what
//! the server handed out.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use wane_domain::secret::SecretOnce;
use wane_domain::time::Time;

/// What a verb wants access to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// The resource's name.
    pub resource: String,
    /// The role; none to take the one the person holds or may ask for, if it is the only one.
    pub role: Option<String>,
    /// For how long, if it has to be asked for (`2h`).
    pub duration: Option<String>,
    /// Why, if it has to be asked for.
    pub reason: Option<String>,
    /// Under which ticket, if it has to be asked for.
    pub ticket: Option<String>,
    /// What is to be run, where that is one command: a grant for just that serves before any other.
    pub command: Option<String>,
}

/// A live grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The grant's id.
    pub grant: String,
    /// Until when.
    pub end: Time,
}

/// What the server handed out.
#[derive(Debug)]
pub struct Credential {
    /// Not secret: address, user name, certificate.
    pub public: Value,
    /// The secret, once.
    pub secret: Option<SecretOnce>,
    /// When it stops working by itself.
    pub not_after: Option<Time>,
    /// When the grant ends.
    pub grant_end: Time,
}

/// Why a verb failed, with the exit code it asks for.
#[derive(Debug, thiserror::Error)]
pub enum VerbError {
    /// The words on the command line are off.
    #[error("{0}")]
    Usage(String),
    /// Access was refused, or ended.
    #[error("{0}")]
    Denied(String),
    /// Something failed.
    #[error("{0}")]
    Failed(String),
}

/// What the CLI gives a verb.
#[async_trait]
pub trait AccessPort: Send + Sync {
    /// Finds a live grant or asks for one, and waits for approval with a live status.
    async fn ensure(&self, want: &Want) -> Result<Access, VerbError>;
    /// Has a credential issued (again) under a grant. `input` is the kind's own: a public key.
    async fn credential(&self, grant: &str, input: Value) -> Result<Credential, VerbError>;
    /// The grant as it stands now: its end, or why it ended.
    async fn standing(&self, grant: &str) -> Result<Access, VerbError>;
    /// One call under `/v1`, with this bearer instead of the person's own if given; for a host that joins or pulls.
    async fn call(
        &self,
        method: &str,
        path: &str,
        bearer: Option<&str>,
        body: Option<Value>,
    ) -> Result<Value, VerbError>;
    /// Tells the person something, on standard error.
    fn say(&self, line: &str);
    /// Puts a result out, on standard output; as JSON where `--json` was given.
    fn put(&self, json: &Value, text: &str);
    /// The present moment.
    fn now(&self) -> Time;
    /// Unguessable bytes, for keys that live in memory.
    fn entropy(&self, buf: &mut [u8]);
    /// How often to look whether a grant still stands.
    fn beat(&self) -> Duration {
        Duration::from_secs(2)
    }
}

/// What a command that is run is to be given access by.
#[derive(Clone, Copy, Debug)]
pub struct Giving<'a> {
    /// The resource's name.
    pub resource: &'a str,
    /// The grant it is held by.
    pub grant: &'a str,
    /// Until when.
    pub end: Time,
    /// A folder of its own, which goes with the command.
    pub folder: &'a Path,
}

/// Told once the command can be run: the variables that lead it to what it is given. None of them is a secret itself.
pub type Ready = Box<dyn FnOnce(Vec<(String, String)>) + Send>;

/// What gives a command that is run what a kind's credential needs besides facts and a secret: a socket, files.
#[async_trait]
pub trait Giver: Send + Sync {
    /// The kind.
    fn kind(&self) -> &'static str;
    /// Makes it, says when that is done, and keeps it up for as long as this is polled; comes back when the access is over.
    async fn give(&self, giving: &Giving<'_>, port: &dyn AccessPort, ready: Ready) -> Result<(), VerbError>;
}

/// A verb of the command line that a kind owns.
#[async_trait]
pub trait Verb: Send + Sync {
    /// Its words: `["ssh"]`, or `["host", "setup"]`.
    fn words(&self) -> &'static [&'static str];
    /// One line for the list of commands.
    fn about(&self) -> &'static str;
    /// Programs of this machine it runs, for `wane doctor`.
    fn programs(&self) -> &'static [&'static str] {
        &[]
    }
    /// What it gives a command that is run with an access of its kind.
    fn giver(&self) -> Option<&dyn Giver> {
        None
    }
    /// Runs with the arguments after its words; returns the exit code. `--help` is the verb's own.
    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError>;
}
