//! What a signer knows by itself: whose signatures count, and what people have to sign for.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;
use wane_config::Settings;
use wane_connector::{Guarded, Place};
use wane_domain::ambient::Ambient;
use wane_domain::approval::KeyMaterial;
use wane_domain::id::{ApproverKeyId, PersonId, ResourceId};
use wane_domain::time::Span;
use wane_domain::world::World;
use wane_keys::desk::names::Names;
use wane_keys::desk::root::{Guard, Known, Root, RootFile};

use super::{Said, SignerError, house};
use crate::deployment::{Expect, open, signer_root};
use crate::kinds;

/// Every name of every host.
const ALL: &str = "all";

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
    /// Sign what gives this only if people signed for it
    Guard {
        /// `LOGIN@RESOURCE`; of a signer of its own, the resource's id. Or what a certificate or token says, as the guide to
        /// approvals lists it: `x509:dns:NAME`, `x509:uri:spiffe://…`, `oauth:SCOPE@AUDIENCE`
        what: String,
        /// Of which resource it is, where the name does not say so
        #[arg(long, value_name = "RESOURCE")]
        at: Option<String>,
        /// How many people have to have signed
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
        quorum: u16,
        /// For how long at most
        #[arg(long, default_value = "8h", value_name = "TIME")]
        most: Span,
    },
    /// Whose names are whose in host certificates
    Names {
        #[command(subcommand)]
        what: OfNames,
    },
    /// Sign it as policy alone says, from now on
    Release {
        /// As `show` names it
        what: String,
    },
}

#[derive(Subcommand)]
pub(super) enum OfNames {
    /// Names stay with who had them first, and with the keys they were certified for
    Hold,
    /// Names follow whom the server says they are of
    Open,
    /// Forget whose a name is, or every name of a host: it was set up anew, or is another's
    Release {
        /// The name, the resource's id, or `gateway`; `all` forgets every name of every host
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
        Arrange::Forget { key } => forget(&mut root, *key)?,
        Arrange::Guard { what, at, quorum, most } => {
            let Guarded { name, place } = guarded(world, what)?;
            let at = at.as_ref().map(|at| resource(world, at)).transpose()?;
            if place == Place::Unsigned && at.is_none() {
                return Err(SignerError::Unplaced(name));
            }
            root.guards.insert(name, Guard { quorum: *quorum, most: *most, at });
        }
        Arrange::Names { what: OfNames::Hold } => root.holds = Names::Held,
        Arrange::Names { what: OfNames::Open } => root.holds = Names::Open,
        Arrange::Names { what: OfNames::Release { what } } => {
            let whose = resource(world, what).map_or_else(|_| what.clone(), |id| id.to_string());
            release(&mut root, what, &whose)?;
        }
        Arrange::Release { what } => {
            let Guarded { name, .. } = guarded(world, what)?;
            root.guards.remove(&name).ok_or_else(|| SignerError::Missing(format!("guard over `{what}`")))?;
        }
    }
    if root != before {
        root.version = root.version.saturating_add(1);
        file.write(&root)?;
    }
    drop(held);
    Ok(root)
}

/// Lets a key count no more.
///
/// INVARIANT: nobody is vouched for by a key that counts no more (held by `a_key_that_is_forgotten_vouched_for_nobody`). With
/// which of their keys somebody vouched is not kept: whoever has another vouches again.
fn forget(root: &mut Root, key: ApproverKeyId) -> Result<(), SignerError> {
    let known = root.keys.remove(&key).ok_or_else(|| SignerError::Missing(format!("key `{key}` here")))?;
    root.forgotten.insert(key);
    for pending in &mut root.vouched {
        pending.by.remove(&known.person);
    }
    root.vouched.retain(|pending| !pending.by.is_empty());
    Ok(())
}

/// Forgets a name, every name of somebody, or all.
fn release(root: &mut Root, what: &str, whose: &str) -> Result<(), SignerError> {
    let before = root.names.len();
    root.names.retain(|name, bound| what != ALL && name != what && bound.whose != whose);
    if root.names.len() == before {
        return Err(SignerError::Missing(format!("name `{what}` here, and no name of it")));
    }
    Ok(())
}

fn public_key(path: &Path) -> Result<KeyMaterial, SignerError> {
    let refused = |why: String| SignerError::Key { path: path.to_owned(), why };
    let line = std::fs::read_to_string(path).map_err(|e| refused(e.to_string()))?;
    wane_approval::ssh_key(line.trim()).map_err(|e| refused(e.to_string()))
}

/// What is guarded, as it stands in what is signed.
fn guarded(world: Option<&World>, text: &str) -> Result<Guarded, SignerError> {
    let known = |text: &str| kinds::readers().iter().find_map(|(_, reader)| (reader.names)(text));
    if let Some(guarded) = known(text) {
        return Ok(guarded);
    }
    // A login name at a resource that is called by its name.
    let wrong = || SignerError::Form(text.to_owned());
    let (login, name) = text.split_once('@').ok_or_else(wrong)?;
    if login.contains(':') {
        return Err(wrong());
    }
    known(&format!("{login}@{}", resource(world, name)?)).ok_or_else(wrong)
}

fn resource(world: Option<&World>, named: &str) -> Result<ResourceId, SignerError> {
    if let Ok(id) = named.parse() {
        return Ok(id);
    }
    let world = world.ok_or(SignerError::Unseen("the resource by its id (`res_…`)"))?;
    let found = world.resource(named).ok_or_else(|| SignerError::Missing(format!("resource `{named}`")))?;
    Ok(found.id)
}

fn said(root: &Root) -> Said {
    let json = json!({
        "version": root.version, "keys": root.keys, "guards": root.guards,
        "holds": root.holds, "names": root.names, "limited": root.limited,
    });
    let mut lines = vec!["Signatures that count:".to_owned()];
    for (id, known) in &root.keys {
        let key = wane_app::shown_key(&known.material);
        lines.push(format!("  {id}  of {}  {} {}", known.person, key.sort, key.fingerprint));
    }
    lines.push("What has to be signed for:".to_owned());
    for (what, guard) in &root.guards {
        let at = guard.at.map(|at| format!(" (at {at})")).unwrap_or_default();
        lines.push(format!("  {what}{at}  by {}, for {} at most", guard.quorum, guard.most));
    }
    lines.push(match root.holds {
        Names::Held => "Names in host certificates, which stay whose they are:".to_owned(),
        Names::Open => "Names in host certificates, which follow what the server says:".to_owned(),
    });
    lines.extend(root.names.iter().map(|(name, bound)| format!("  {name}  of {}", bound.whose)));
    for (key, limited) in &root.limited {
        lines.push(format!(
            "The key `{key}` was asked for more than it signs, in {} minutes, last at {}.",
            limited.minutes, limited.last
        ));
    }
    lines.push(
        "Everything else is signed as the server's policy says: that is outside what the signer vouches for."
            .to_owned(),
    );
    (json, lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use wane_domain::id::TypedId as _;
    use wane_domain::time::Time;
    use wane_keys::desk::names::Bound;
    use wane_keys::desk::root::Pending;

    use super::*;

    const NOW: Time = Time::from_micros(1_795_255_200_000_000);

    fn person(n: u8) -> PersonId {
        PersonId::mint(NOW, &[n; 10])
    }

    fn key(n: u8) -> ApproverKeyId {
        ApproverKeyId::mint(NOW, &[n; 10])
    }

    #[test]
    fn a_key_that_is_forgotten_vouched_for_nobody() {
        let material = KeyMaterial::Ssh("ssh-ed25519 AAAA".to_owned());
        let known = |n: u8| Known { person: person(n), material: material.clone(), since: NOW };
        let vouched = |of: u8, by: &[u8]| {
            let by = by.iter().map(|n| (person(*n), NOW)).collect();
            Pending { key: key(of), person: person(of), material: material.clone(), by }
        };
        let mut root = Root {
            // The first has two.
            keys: [(key(1), known(1)), (key(2), known(2)), (key(3), known(1))].into(),
            vouched: vec![vouched(8, &[1]), vouched(9, &[1, 2])],
            ..Root::default()
        };
        forget(&mut root, key(1)).unwrap();
        assert_eq!(root.vouched, [vouched(9, &[2])]);
        assert!(root.forgotten.contains(&key(1)) && root.keys.contains_key(&key(3)));
        assert!(forget(&mut root, key(1)).is_err());
        forget(&mut root, key(2)).unwrap();
        assert_eq!(root.vouched, []);
    }

    #[test]
    fn names_are_released_one_by_one_by_whose_they_are_or_all() {
        let bound = |whose: &str| Bound { whose: whose.to_owned(), since: NOW, keys: Default::default() };
        let all = [("web1", "res_a"), ("web2", "res_a"), ("web3", "res_b"), ("all.example", "gateway")];
        for (what, left) in [
            ("web1", &["all.example", "web2", "web3"][..]),
            ("res_a", &["all.example", "web3"]),
            ("gateway", &["web1", "web2", "web3"]),
            ("all", &[]),
        ] {
            let names = all.iter().map(|(name, whose)| ((*name).to_owned(), bound(whose))).collect();
            let mut root = Root { names, ..Root::default() };
            release(&mut root, what, what).unwrap();
            assert_eq!(root.names.keys().collect::<Vec<_>>(), left, "{what}");
            assert!(release(&mut root, what, what).is_err(), "{what}: there is none left");
        }
    }
}
