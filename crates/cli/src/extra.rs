//! Commands that others bring: kinds (`wane ssh`) and the binary (`wane server`).

use std::path::Path;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::access::{Held, Session};
use crate::exit::{Exit, Stop};

/// Under which heading a command is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Asking for access and using it.
    Use,
    /// Deciding what others asked.
    Decide,
    /// Ending access.
    End,
    /// Seeing what is and was.
    See,
    /// People, resources, roles, policy.
    Arrange,
    /// Who one is.
    Identity,
    /// The server, and this machine.
    Machine,
}

impl Group {
    pub(crate) const ALL: [Self; 7] =
        [Self::Use, Self::Decide, Self::End, Self::See, Self::Arrange, Self::Identity, Self::Machine];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Use => "Ask for access and use it",
            Self::Decide => "Decide what others asked",
            Self::End => "End access",
            Self::See => "See what is and was",
            Self::Arrange => "Arrange people, resources, roles and policy",
            Self::Identity => "Sign in",
            Self::Machine => "The server and this machine",
        }
    }
}

/// Whose a `--json` among a command's arguments is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Json {
    /// The program's, as with all its own commands.
    Ours,
    /// Perhaps that of what the command runs: ours stands before the command's words.
    Passed,
}

/// A command that others bring. It is listed and completed like all others.
pub trait ExtraCommand: Send + Sync {
    /// Its words: `["ssh"]`, or `["host", "setup"]`.
    fn words(&self) -> &'static [&'static str];
    /// One line for the list of commands.
    fn about(&self) -> &'static str;
    /// Under which heading it is listed, if it is of one word.
    fn group(&self) -> Group {
        Group::Use
    }
    /// Programs of this machine it runs, for `wane doctor`.
    fn programs(&self) -> &'static [&'static str] {
        &[]
    }
    /// What gives a command that `wane exec` runs what a kind's credential needs.
    fn giver(&self) -> Option<Arc<dyn ExtraGiver>> {
        None
    }
    /// Whose a `--json` among its arguments is.
    fn json(&self) -> Json {
        Json::Passed
    }
    /// Runs with the arguments after its words, `--help` among them.
    fn run<'a>(&'a self, args: Vec<String>, session: &'a Session) -> BoxFuture<'a, Exit>;
}

/// Told once a command can be run, with the variables that lead it to what it is given.
pub type Ready = Box<dyn FnOnce(Vec<(String, String)>) + Send>;

/// Gives a command that is run what a kind's credential needs besides facts and a secret: a socket, files.
pub trait ExtraGiver: Send + Sync {
    /// The kind.
    fn kind(&self) -> &'static str;
    /// Makes it in a folder, says when that is done, and keeps it up as long as this is polled.
    fn give<'a>(
        &'a self,
        held: &'a Held,
        folder: &'a Path,
        session: &'a Session,
        ready: Ready,
    ) -> BoxFuture<'a, Result<(), Stop>>;
}
