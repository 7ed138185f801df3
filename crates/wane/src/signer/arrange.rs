//! What a signer knows by itself: whose signatures count, and what people have to sign for.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;
use wane_config::Settings;
use wane_domain::ambient::Ambient;
use wane_domain::approval::KeyMaterial;
use wane_domain::id::{ApproverKeyId, PersonId, ResourceId};
use wane_domain::time::Span;
use wane_domain::world::World;
use wane_keys::desk::root::{Guard, Known, Root, RootFile};

use super::{Said, SignerError, house};
use crate::deployment::{Expect, open, signer_root};

#[derive(Subcommand)]
pub(super) enum Arrange {
    /// Whose signatures count, and what has to be signed for
    Show,
    /// Let an approver key count that is entered on the server
    Enrol {
        /// Which: `apk_…`
        key: ApproverKeyId,
        /// Whose: `per_…`; a signer of its own does not see the server's store
        #[arg(long, requires = "public")]
        person: Option<PersonId>,
        /// Its public part: the `.pub` file
        #[arg(long, requires = "person", value_name = "FILE")]
        public: Option<PathBuf>,
    },
    /// Let a key count no more
    Forget {
        /// Which: `apk_…`
        key: ApproverKeyId,
    },
    /// Sign certificates for a login name on a host only if people signed for it
    Guard {
        /// `LOGIN@RESOURCE`; of a signer of its own, the resource's id
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

/// Changes what the signer knows: the server's, which has to be stopped, or that of a signer of its own, which may run.
pub(super) async fn arrange(settings: &Settings, ambient: &Ambient, what: &Arrange) -> Result<Said, SignerError> {
    if settings.signer.socket.is_some() {
        let file = house::open(settings, ambient)?.root();
        return change(&file, None, what, ambient).map(|root| said(&root));
    }
    let (opening, writer) = open(settings, ambient, Expect::There).await?;
    let work = async {
        let (file, world) = signer_root(&opening, settings, ambient).await?;
        let done = change(&file, Some(&world), what, ambient);
        opening.close().await;
        done
    };
    let (done, ()) = tokio::join!(work, writer.run());
    done.map(|root| said(&root))
}

fn change(file: &RootFile, world: Option<&World>, what: &Arrange, ambient: &Ambient) -> Result<Root, SignerError> {
    let held = file.hold()?;
    let before = file.read()?;
    let mut root = before.clone();
    match what {
        Arrange::Show => {}
        Arrange::Enrol { key, person, public } => {
            let (person, material) = match (person, public, world) {
                (Some(person), Some(file), _) => (*person, public_key(file)?),
                (_, _, Some(world)) => {
                    let known = world.approver_keys.get(key).filter(|key| key.is_there());
                    let known = known.ok_or_else(|| SignerError::Missing(format!("approver key `{key}`")))?;
                    (known.person, known.material.clone())
                }
                (_, _, None) => return Err(SignerError::Unseen("`--person` and `--public`")),
            };
            root.keys.insert(*key, Known { person, material, since: ambient.now() });
            root.forgotten.remove(key);
            root.vouched.retain(|pending| pending.key != *key);
        }
        Arrange::Forget { key } => {
            root.keys.remove(key).ok_or_else(|| SignerError::Missing(format!("key `{key}` here")))?;
            root.forgotten.insert(*key);
        }
        Arrange::Guard { what, quorum, most } => {
            root.guards.insert(scope(world, what)?, Guard { quorum: *quorum, most: *most });
        }
        Arrange::Release { what } => {
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

fn public_key(path: &Path) -> Result<KeyMaterial, SignerError> {
    let refused = |why: String| SignerError::Key { path: path.to_owned(), why };
    let line = std::fs::read_to_string(path).map_err(|e| refused(e.to_string()))?;
    wane_approval::ssh_key(line.trim()).map_err(|e| refused(e.to_string()))
}

/// A login name on a host, as it stands in certificates.
fn scope(world: Option<&World>, text: &str) -> Result<String, SignerError> {
    let (login, resource) = text.split_once('@').ok_or_else(|| SignerError::Form(text.to_owned()))?;
    if let Ok(id) = resource.parse::<ResourceId>() {
        return Ok(format!("{login}@{id}"));
    }
    let world = world.ok_or(SignerError::Unseen("the resource by its id (`res_…`)"))?;
    let found = world.resource(resource).ok_or_else(|| SignerError::Missing(format!("resource `{resource}`")))?;
    Ok(format!("{login}@{}", found.id))
}

fn said(root: &Root) -> Said {
    let json = json!({ "version": root.version, "keys": root.keys, "guards": root.guards });
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
    (json, lines.join("\n"))
}
