//! The signer as the server is given it: in its own process, or at the other end of a socket.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;
use serde_json::json;
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_config::Settings;
use wane_connector::PublicKey;
use wane_domain::ambient::Ambient;
use wane_domain::id::OrgId;
use wane_domain::secret::Secret;
use wane_failpoint::{around, point};
use wane_keys::desk::{Desk, Messenger};
use wane_keys::envelope::Keyring;
use wane_keys::seal::SealName;
use wane_keys::signer::LocalSigner;
use wane_keys::split::{Publics, Split};
use wane_keys::turning::Turning;
use wane_store::{Commit, Store as _, Write};
use wane_store_sql::SqlStore;

use super::house::{arranged, further, purposes, with_further};
use super::known::{self, pinned};
use super::link::{LinkTask, Pins, link};
use crate::deployment::{OpenError, Opening, Seals, place, root_file, signer_key};
use crate::{authority, kinds, token_key};

/// Where the signer is.
pub(crate) enum Seat {
    /// In this process, with these keys.
    Here(Arc<Turning>),
    /// At the other end of a socket: this has to be run for it to be heard.
    Apart(LinkTask),
}

impl Opening {
    /// The signer, and where it is.
    pub(crate) async fn signer(
        &self,
        settings: &Settings,
        seals: &Seals,
        org: OrgId,
        ambient: &Ambient,
    ) -> Result<(Split, Seat), OpenError> {
        let ends = self.keyring(&seals.ends, org, ambient).await?;
        let mut here = Vec::new();
        for (purpose, _) in kinds::PURPOSES.into_iter().filter(|(_, seal)| *seal == SealName::Ends) {
            here.push((purpose, self.secret(&ends, &signer_key(purpose)).await?));
        }
        let here = LocalSigner::new(here, Vec::new())?;
        let Some(socket) = &settings.signer.socket else {
            let desk = self.desk(settings, seals, org, ambient).await?;
            let seat = Seat::Here(desk.keys());
            return Ok((Split::new(here, Messenger(Arc::new(desk)), Publics::new()), seat));
        };
        for purpose in purposes().into_iter().chain(further()) {
            // INVARIANT: a server with a signer of its own has no key that issues (held by
            // `a_server_with_a_signer_of_its_own_has_no_key_that_issues`).
            if self.store.sealed(&signer_key(purpose)).await?.is_some() {
                return Err(OpenError::NotMoved(purpose));
            }
        }
        let known = known::known(&self.store, &ends).await?;
        let store = self.store.clone();
        let has = self.further_of_the_server(&self.keyring(&seals.issuing, org, ambient).await?).await?;
        let pinned = Arc::new(Pinned { store, ring: ends, org, ambient: ambient.clone(), has, split: OnceLock::new() });
        let (link, task) = link(socket, Arc::clone(&pinned) as Arc<dyn Pins>);
        let split = Split::new(here, Messenger(Arc::new(link)), known);
        let _ = pinned.split.set(split.clone());
        Ok((split, Seat::Apart(task)))
    }

    /// Those of the further purposes that the server goes by, whoever has their keys.
    async fn further_of_the_server(&self, issuing: &Keyring) -> Result<Vec<String>, OpenError> {
        let authorities = authority::kept(&self.store, issuing).await?.into_iter().map(|one| one.purpose);
        let tokens = token_key::kept(&self.store, issuing).await?.into_iter().map(|one| one.purpose);
        Ok(authorities.chain(tokens).collect())
    }

    /// The keys that are there besides those that have to be.
    pub(super) async fn further_keys(&self, issuing: &Keyring) -> Result<Vec<(&'static str, Secret)>, OpenError> {
        further_keys(&self.store, issuing).await
    }

    async fn desk(&self, settings: &Settings, seals: &Seals, org: OrgId, ambient: &Ambient) -> Result<Desk, OpenError> {
        let issuing = self.keyring(&seals.issuing, org, ambient).await?;
        let keys = own_keys(&self.store, &issuing).await?;
        let desk = Desk::open(org, keys, kinds::readers(), root_file(settings, issuing), ambient.clone());
        Ok(arranged(settings, desk))
    }
}

async fn further_keys(store: &SqlStore, issuing: &Keyring) -> Result<Vec<(&'static str, Secret)>, OpenError> {
    let mut keys = authority::keys(store, issuing).await?;
    keys.extend(token_key::keys(store, issuing).await?);
    Ok(keys)
}

/// The keys of a signer in this process, as they are on disk.
pub(crate) async fn own_keys(store: &SqlStore, issuing: &Keyring) -> Result<LocalSigner, OpenError> {
    let mut keys = Vec::new();
    for purpose in purposes() {
        let row = signer_key(purpose);
        let bytes = store.sealed(&row).await?.ok_or(OpenError::Apart(purpose))?;
        keys.push((purpose, issuing.open(&place(&row), &bytes)?));
    }
    Ok(with_further(keys, further_keys(store, issuing).await?)?)
}

/// The further purposes that the signer is asked for.
fn asked_for(known: &Publics, has: &[String]) -> Vec<&'static str> {
    further().filter(|purpose| known.contains_key(*purpose) || has.iter().any(|one| one == purpose)).collect()
}

/// Whose keys the signer is to have: those it had when it was first heard.
struct Pinned {
    store: SqlStore,
    ring: Keyring,
    org: OrgId,
    ambient: Ambient,
    /// Further purposes that the server goes by: after `unpin` nothing else says that it does.
    has: Vec<String>,
    split: OnceLock<Split>,
}

impl Pins for Pinned {
    fn purposes(&self) -> Vec<&'static str> {
        purposes()
    }

    fn further(&self) -> Vec<&'static str> {
        let known = self.split.get().map(Split::known).unwrap_or_default();
        asked_for(&known, &self.has)
    }

    fn judge(&self, keys: Publics) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let split = self.split.get().ok_or("the server is not set up yet")?;
            let known = split.known();
            if let Some((purpose, _)) = keys.iter().find(|(p, key)| known.get(*p).is_some_and(|one| one != *key)) {
                return Err(format!(
                    "its key for `{purpose}` is not the one that was there before; if that is meant, run \
                     `wane signer unpin` with the server stopped"
                ));
            }
            let fresh: BTreeMap<_, _> = keys.iter().filter(|(purpose, _)| !known.contains_key(*purpose)).collect();
            if !fresh.is_empty() {
                self.keep(&fresh).await.map_err(|e| e.to_string())?;
            }
            split.know(keys);
            Ok(())
        })
    }
}

impl Pinned {
    async fn keep(&self, fresh: &BTreeMap<&String, &PublicKey>) -> Result<(), OpenError> {
        let row = |(purpose, key): (&&String, &&PublicKey)| pinned(&self.ring, purpose, **key);
        let rows: Vec<Write> = fresh.iter().map(row).collect::<Result<_, OpenError>>()?;
        let shown: BTreeMap<_, _> = fresh.iter().map(|(purpose, key)| (purpose, hex(key.bytes()))).collect();
        let record = said(self.org, &self.ambient, "signer.pinned", json!({ "ed25519": shown }));
        around(point!("signer.pin.commit"), self.store.commit(Commit::new(rows, vec![record])?)).await?;
        Ok(())
    }
}

/// A record of something about the signer.
pub(super) fn said(org: OrgId, ambient: &Ambient, event: &str, detail: serde_json::Value) -> Record {
    Record {
        id: ambient.id(),
        org,
        at: ambient.now(),
        actor: Actor::System,
        event: event.to_owned(),
        outcome: Outcome::Done,
        about: Subjects::default(),
        detail,
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signer_is_asked_for_what_the_server_goes_by() {
        let [first, second] = kinds::authority::AUTHORITY_KEYS;
        let token = kinds::token::TOKEN_KEYS[0];
        let known: Publics = [(second.to_owned(), PublicKey::Ed25519([7; 32]))].into();
        assert_eq!(asked_for(&Publics::new(), &[]), [""; 0]);
        assert_eq!(asked_for(&known, &[]), [second]);
        // After `unpin` nothing is known, and what is gone by is asked for all the same.
        assert_eq!(asked_for(&Publics::new(), &[first.to_owned(), token.to_owned()]), [first, token]);
    }
}
