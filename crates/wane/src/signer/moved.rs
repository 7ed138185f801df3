//! Signing keys on their way out of a server: into the folder of a signer of its own, and never back.

use std::fs;

use serde_json::json;
use wane_config::Settings;
use wane_connector::Signer as _;
use wane_domain::ambient::Ambient;
use wane_domain::secret::Secret;
use wane_failpoint::{around, point};
use wane_keys::desk::chest::{Chest, ChestError};
use wane_keys::envelope::Keyring;
use wane_keys::signer::LocalSigner;
use wane_store::{Commit, Store as _, Write};

use super::house::{further, make, open as open_house, purposes};
use super::known::{pin, pinned};
use super::seat::said;
use super::{Said, SignerError};
use crate::deployment::{Expect, OpenError, Opening, open, open_seals, root_file, signer_key};

/// Takes the keys out, with what the signer knew by itself. Begun anew where it was left, if it was.
pub(super) async fn take_out(settings: &Settings, ambient: &Ambient) -> Result<Said, SignerError> {
    wane_failpoint::arm()?;
    if settings.signer.socket.is_none() {
        return Err(SignerError::NoSocket);
    }
    let (opening, writer) = open(settings, ambient, Expect::There).await?;
    let work = async {
        let done = take_out_of(&opening, settings, ambient).await;
        opening.close().await;
        done
    };
    let (done, ()) = tokio::join!(work, writer.run());
    done?;
    let folder = settings.signer.data_dir.display().to_string();
    let text = format!(
        "the signing keys are in {folder}, and nowhere else but in backups\n\nNext, as root:\n  chown -R USER: {folder}\n\
         and as that user:\n  wane signer serve"
    );
    Ok((json!({ "moved": purposes(), "data": folder }), text))
}

async fn take_out_of(opening: &Opening, settings: &Settings, ambient: &Ambient) -> Result<(), SignerError> {
    let org = opening.store.world().await.map_err(OpenError::from)?.org;
    let seals = open_seals(settings, ambient)?;
    let issuing = opening.keyring(&seals.issuing, org, ambient).await?;
    let mut keys = Vec::new();
    for purpose in purposes() {
        if opening.store.sealed(&signer_key(purpose)).await.map_err(OpenError::from)?.is_none() {
            return Err(OpenError::Apart(purpose).into());
        }
        keys.push((purpose, opening.secret(&issuing, &signer_key(purpose)).await?));
    }
    let further = opening.further_keys(&issuing).await?;
    let ends = opening.keyring(&seals.ends, org, ambient).await?;
    let rows = rows(&further, &ends)?;
    keys.extend(further);
    let chest = match make(settings, org, &keys, ambient) {
        Err(OpenError::Chest(ChestError::ThereAlready(_))) => there_already(settings, &keys, ambient)?,
        made => made?,
    };
    let old = root_file(settings, issuing);
    let held = old.hold()?;
    chest.root().write(&old.read()?)?;
    commit(opening, ambient, rows, ("signer.moved", &purposes())).await?;
    drop(held);
    for end in ["root", "lock"] {
        // What it knew is sealed, and counts no more.
        let _ = fs::remove_file(settings.server.data_dir.join("signer").with_extension(end));
    }
    Ok(())
}

/// The keys out of the store, and in it which those are that are not asked for unless they are known.
fn rows(further: &[(&'static str, Secret)], ends: &Keyring) -> Result<Vec<Write>, OpenError> {
    let all = purposes().into_iter().chain(further.iter().map(|(purpose, _)| *purpose));
    let mut rows: Vec<Write> = all.map(|purpose| Write::RemoveSealed(signer_key(purpose))).collect();
    for (purpose, key) in further {
        let signer = LocalSigner::new(vec![(*purpose, Secret::new(key.expose().to_vec()))], Vec::new())?;
        let public = signer.key(purpose).map_err(|_| OpenError::Lacks(signer_key(purpose)))?;
        rows.push(pinned(ends, purpose, public)?);
    }
    Ok(rows)
}

/// What an earlier try left, if it is of these keys.
fn there_already(settings: &Settings, keys: &[(&str, Secret)], ambient: &Ambient) -> Result<Chest, OpenError> {
    let chest = open_house(settings, ambient)?;
    for (purpose, key) in keys {
        if chest.key(purpose)?.is_none_or(|there| there.expose() != key.expose()) {
            return Err(ChestError::ThereAlready(settings.signer.data_dir.clone()).into());
        }
    }
    Ok(chest)
}

/// Forgets whose keys the signer had.
pub(super) async fn unpin(settings: &Settings, ambient: &Ambient) -> Result<Said, SignerError> {
    wane_failpoint::arm()?;
    let keys: Vec<&str> = purposes().into_iter().chain(further()).collect();
    let (opening, writer) = open(settings, ambient, Expect::There).await?;
    let work = async {
        let done = commit(&opening, ambient, unpinned(), ("signer.unpinned", &keys)).await;
        opening.close().await;
        done
    };
    let (done, ()) = tokio::join!(work, writer.run());
    done?;
    let text = "the server takes the signer that it hears first; hosts have to trust its keys (`wane host setup`). Where it has \
                keys of authorities or of access tokens, restart the server once more when the signer has answered";
    Ok((json!({ "unpinned": keys }), text.to_owned()))
}

/// Forgets every key that a signer may have had: the server refuses one with another key for any.
fn unpinned() -> Vec<Write> {
    purposes().into_iter().chain(further()).map(|purpose| Write::RemoveSealed(pin(purpose))).collect()
}

async fn commit(
    opening: &Opening,
    ambient: &Ambient,
    rows: Vec<Write>,
    (event, keys): (&str, &[&str]),
) -> Result<(), SignerError> {
    let org = opening.store.world().await.map_err(OpenError::from)?.org;
    let record = said(org, ambient, event, json!({ "purposes": keys }));
    let commit = Commit::new(rows, vec![record]).map_err(OpenError::from)?;
    around(point!("signer.keys.commit"), opening.store.commit(commit)).await.map_err(OpenError::from)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::authority::AUTHORITY_KEYS;
    use crate::kinds::token::TOKEN_KEYS;

    #[test]
    fn no_key_of_the_signer_before_stays_pinned() {
        let gone: Vec<String> = unpinned()
            .into_iter()
            .map(|write| match write {
                Write::RemoveSealed(row) => row,
                other => panic!("{other:?}"),
            })
            .collect();
        for purpose in purposes().into_iter().chain(AUTHORITY_KEYS).chain(TOKEN_KEYS) {
            assert!(gone.contains(&pin(purpose)), "{purpose}: {gone:?}");
        }
    }
}
