//! `wane signer`: the signer as a process of its own, and what it knows by itself, set up where its seal is. Trust
//! begins here: whoever can open that seal says whose signatures count first, and what people have to sign for.

mod arrange;
pub(crate) mod house;
pub(crate) mod known;
mod line;
mod link;
mod moved;
mod seat;
mod serve;
mod socket;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use wane_cli::{Exit, ExtraCommand, Group, Json, Session, Stop};
use wane_config::Settings;
use wane_domain::ambient::Ambient;
use wane_domain::id::OrgId;
use wane_keys::desk::names::Names;
use wane_keys::desk::root::{Root, RootError};
use wane_runtime::{Backoff, Supervisor};

use crate::config::{From, begin};
use crate::deployment::OpenError;
use crate::server::log_as;

pub(crate) use link::LinkTask;
pub(crate) use seat::{Seat, own_keys};

/// How long calls that are worked on get to be answered.
const GRACE: Duration = Duration::from_secs(8);

/// The command.
pub(crate) struct Signer {
    pub(crate) ambient: Ambient,
}

/// The signer: as a process of its own, and what it asks people to sign for
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    from: From,
}

#[derive(Subcommand)]
enum What {
    /// Run the signer as a process of its own, as the user who alone can read its keys
    Serve,
    /// Make the keys of a signer of its own; as that user
    Init {
        /// For which deployment: `org_…`, as `wane init` says it
        #[arg(long)]
        org: OrgId,
    },
    /// Take the signing keys out of a deployment that has them; as the server's user, with the server stopped
    Move,
    /// Have the server take a signer with other keys at the next start; as the server's user, with the server stopped
    Unpin,
    /// Take a key of an authority or of access tokens away, that the server has dropped; as the signer's user
    Discard {
        /// Which, as `wane authority show` and `wane token-key show` name it
        key: String,
    },
    #[command(flatten)]
    Arrange(arrange::Arrange),
}

#[derive(Debug, thiserror::Error)]
enum SignerError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Root(#[from] RootError),
    #[error(transparent)]
    Socket(#[from] socket::SocketError),
    #[error(transparent)]
    Harden(#[from] wane_runtime::HardenError),
    #[error(transparent)]
    Failpoints(#[from] wane_failpoint::PlanError),
    #[error("signals cannot be waited for: {0}")]
    Signals(std::io::Error),
    #[error("`signer.socket` is not set: without it the server signs by itself")]
    NoSocket,
    #[error("there is no user `{0}`; set `signer.server_user` to the user the server runs as, by name or number")]
    NoUser(String),
    #[error("there is no {0}")]
    Missing(String),
    #[error(
        "`{0}` names nothing that is signed: write LOGIN@RESOURCE, or what a certificate or token says, such as \
         `x509:dns:db.example` or `oauth:orders.write@https://api.example`"
    )]
    Form(String),
    #[error("nothing that people sign says of which resource `{0}` is; say it with `--at RESOURCE`")]
    Unplaced(String),
    #[error("give {0}: a signer of its own does not see the server's store")]
    Unseen(&'static str),
    #[error("`{path}` is no public key of an approver: {why}")]
    Key { path: std::path::PathBuf, why: String },
}

/// What a command has to say, for programs and for people.
type Said = (Value, String);

impl ExtraCommand for Signer {
    fn words(&self) -> &'static [&'static str] {
        &["signer"]
    }
    fn about(&self) -> &'static str {
        "The signer: as a process of its own, and what it asks people to sign for"
    }
    fn group(&self) -> Group {
        Group::Machine
    }
    fn json(&self) -> Json {
        Json::Ours
    }
    fn run<'a>(&'a self, args: Vec<String>, session: &'a Session) -> BoxFuture<'a, Exit> {
        Box::pin(async move {
            let (arguments, settings) = match begin("wane signer", args, session, |a: &Arguments| &a.from) {
                Ok(begun) => begun,
                Err(exit) => return exit,
            };
            match self.act(&settings, &arguments.what, session).await {
                Ok(Some((json, text))) => session.put(&json, &text),
                Ok(None) => {}
                Err(error) => return session.report(&Stop::failed(error.to_string())),
            }
            Exit::Done
        })
    }
}

impl Signer {
    async fn act(&self, settings: &Settings, what: &What, session: &Session) -> Result<Option<Said>, SignerError> {
        match what {
            What::Serve => self.serve(settings, session).await.map(|()| None),
            What::Init { org } => self.init(settings, *org).map(Some),
            What::Move => moved::take_out(settings, &self.ambient).await.map(Some),
            What::Unpin => moved::unpin(settings, &self.ambient).await.map(Some),
            What::Discard { key } => self.discard(settings, key).map(Some),
            What::Arrange(what) => arrange::arrange(settings, &self.ambient, what).await.map(Some),
        }
    }

    fn init(&self, settings: &Settings, org: OrgId) -> Result<Said, SignerError> {
        house::make_new(settings, org, &self.ambient)?;
        let made = house::open(settings, &self.ambient)?;
        // What a signer of its own has certified, no server takes back.
        made.root().write(&Root { version: 1, holds: Names::Held, ..Root::default() })?;
        house::desk(settings, house::open(settings, &self.ambient)?, &self.ambient)?;
        let folder = settings.signer.data_dir.display().to_string();
        let text = format!("made the signing keys of {org} in {folder}\n\nNext:\n  wane signer serve");
        Ok((json!({ "org": org, "data": folder }), text))
    }

    fn discard(&self, settings: &Settings, key: &str) -> Result<Said, SignerError> {
        if settings.signer.socket.is_none() {
            return Err(SignerError::NoSocket);
        }
        if !house::further().any(|purpose| purpose == key) {
            return Err(SignerError::Missing(format!("key `{key}` that can be taken away")));
        }
        house::open(settings, &self.ambient)?.without(key).map_err(OpenError::from)?;
        let text = format!("took `{key}` away; restart `wane signer serve`");
        Ok((json!({ "discarded": key }), text))
    }

    async fn serve(&self, settings: &Settings, session: &Session) -> Result<(), SignerError> {
        wane_failpoint::arm()?;
        wane_runtime::harden()?;
        log_as(settings);
        let path = settings.signer.socket.as_ref().ok_or(SignerError::NoSocket)?;
        let server = server_user(settings)?;
        if server == nix::unistd::geteuid().as_raw() {
            tracing::warn!("the server runs as the same user and can read the signer's keys; set `signer.server_user`");
        }
        let chest = house::open(settings, &self.ambient)?;
        let held = house::hold(settings)?;
        let desk = Arc::new(house::desk(settings, chest, &self.ambient)?);
        let listener = Arc::new(socket::bind(path)?);
        let service = Arc::new(serve::Service { desk, server });
        let mut supervisor = Supervisor::new(Backoff::default());
        supervisor.spawn("signer", move |stop| {
            let (service, listener) = (Arc::clone(&service), Arc::clone(&listener));
            async move {
                service.serve(&listener, stop).await;
                Ok::<(), Infallible>(())
            }
        });
        let path = path.display().to_string();
        session.put(&json!({ "listening": path }), &format!("listening on {path}"));
        supervisor.run_until_shutdown(GRACE).await.map_err(SignerError::Signals)?;
        drop(held);
        Ok(())
    }
}

/// The user id the server runs as.
fn server_user(settings: &Settings) -> Result<u32, SignerError> {
    let Some(named) = &settings.signer.server_user else { return Ok(nix::unistd::geteuid().as_raw()) };
    if let Ok(id) = named.parse() {
        return Ok(id);
    }
    let user = nix::unistd::User::from_name(named).ok().flatten();
    user.map(|user| user.uid.as_raw()).ok_or_else(|| SignerError::NoUser(named.clone()))
}
