//! `wane signer`: what the signer knows by itself, set up where its seal is. Trust begins here: whoever can open the
//! issuing seal says whose signatures count first, and what people have to sign for.

use clap::{Parser, Subcommand};
use futures::future::BoxFuture;
use serde_json::json;
use wane_cli::{Exit, ExtraCommand, Group, Json, Session, Stop};
use wane_domain::ambient::Ambient;
use wane_domain::id::ApproverKeyId;
use wane_domain::time::Span;
use wane_keys::desk::root::{Guard, Known, Root, RootError, RootFile};

use crate::config::{From, parse};
use crate::deployment::{Expect, OpenError, open, signer_root};

/// The command.
pub(crate) struct Signer {
    pub(crate) ambient: Ambient,
}

/// What the signer asks people to sign for, and whose signatures it knows; with the server stopped.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    from: From,
}

#[derive(Subcommand)]
enum What {
    /// Whose signatures count, and what has to be signed for
    Show,
    /// Let an approver key count that is entered on the server
    Enrol {
        /// Which: `apk_…`
        key: ApproverKeyId,
    },
    /// Let a key count no more
    Forget {
        /// Which: `apk_…`
        key: ApproverKeyId,
    },
    /// Sign certificates for a login name on a host only if people signed for it
    Guard {
        /// `LOGIN@RESOURCE`
        what: String,
        /// How many people have to have signed
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
        quorum: u16,
        /// For how long at most
        #[arg(long, default_value = "8h", value_name = "TIME")]
        most: Span,
    },
    /// Sign certificates for it as policy alone says, from now on
    Release {
        /// `LOGIN@RESOURCE`
        what: String,
    },
}

#[derive(Debug, thiserror::Error)]
enum SignerError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Root(#[from] RootError),
    #[error("there is no {0}")]
    Missing(String),
    #[error("`{0}` is not LOGIN@RESOURCE")]
    Form(String),
}

impl ExtraCommand for Signer {
    fn words(&self) -> &'static [&'static str] {
        &["signer"]
    }
    fn about(&self) -> &'static str {
        "What the signer asks people to sign for, and whose signatures it knows"
    }
    fn group(&self) -> Group {
        Group::Machine
    }
    fn json(&self) -> Json {
        Json::Ours
    }
    fn run<'a>(&'a self, args: Vec<String>, session: &'a Session) -> BoxFuture<'a, Exit> {
        Box::pin(async move {
            let arguments: Arguments = match parse("wane signer", args, session) {
                Ok(arguments) => arguments,
                Err(exit) => return exit,
            };
            let settings = match arguments.from.load(session) {
                Ok(loaded) => loaded.settings,
                Err(exit) => return exit,
            };
            match self.act(&settings, &arguments.what).await {
                Ok(root) => {
                    session.put(&shown_json(&root), &shown(&root));
                    Exit::Done
                }
                Err(error) => session.report(&Stop::failed(error.to_string())),
            }
        })
    }
}

impl Signer {
    async fn act(&self, settings: &wane_config::Settings, what: &What) -> Result<Root, SignerError> {
        let (opening, writer) = open(settings, &self.ambient, Expect::There).await?;
        let work = async {
            let (file, world) = signer_root(&opening, settings, &self.ambient).await?;
            let done = self.change(&file, &world, what);
            opening.close().await;
            done
        };
        let (done, ()) = tokio::join!(work, writer.run());
        done
    }

    fn change(&self, file: &RootFile, world: &wane_domain::world::World, what: &What) -> Result<Root, SignerError> {
        let held = file.hold()?;
        let before = file.read()?;
        let mut root = before.clone();
        match what {
            What::Show => {}
            What::Enrol { key } => {
                let known = world.approver_keys.get(key).filter(|key| key.is_there());
                let known = known.ok_or_else(|| SignerError::Missing(format!("approver key `{key}`")))?;
                let (person, material) = (known.person, known.material.clone());
                root.keys.insert(*key, Known { person, material, since: self.ambient.now() });
            }
            What::Forget { key } => {
                root.keys.remove(key).ok_or_else(|| SignerError::Missing(format!("key `{key}` here")))?;
            }
            What::Guard { what, quorum, most } => {
                root.guards.insert(scope(world, what)?, Guard { quorum: *quorum, most: *most });
            }
            What::Release { what } => {
                let scope = scope(world, what)?;
                root.guards.remove(&scope).ok_or_else(|| SignerError::Missing(format!("guard over `{what}`")))?;
            }
        }
        if root != before {
            root.version = root.version.saturating_add(1);
            file.write(&root)?;
        }
        drop(held);
        Ok(root)
    }
}

/// A login name on a host, as it stands in certificates.
fn scope(world: &wane_domain::world::World, text: &str) -> Result<String, SignerError> {
    let (login, resource) = text.split_once('@').ok_or_else(|| SignerError::Form(text.to_owned()))?;
    let found = world.resource(resource).ok_or_else(|| SignerError::Missing(format!("resource `{resource}`")))?;
    Ok(format!("{login}@{}", found.id))
}

fn shown_json(root: &Root) -> serde_json::Value {
    json!({ "version": root.version, "keys": root.keys, "guards": root.guards })
}

fn shown(root: &Root) -> String {
    let mut lines = vec!["Signatures that count:".to_owned()];
    for (id, known) in &root.keys {
        let key = wane_app::shown_key(&known.material);
        lines.push(format!("  {id}  of {}  {} {}", known.person, key.sort, key.fingerprint));
    }
    lines.push("What has to be signed for:".to_owned());
    for (what, guard) in &root.guards {
        lines.push(format!("  {what}  by {}, for {} at most", guard.quorum, guard.most));
    }
    lines.push(
        "Everything else is signed as the server's policy says: that is outside what the signer vouches for."
            .to_owned(),
    );
    lines.join("\n")
}
