//! The signer as the server is given it: in its own process, or at the other end of a socket.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;
use serde_json::json;
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_config::Settings;
use wane_domain::ambient::Ambient;
use wane_domain::id::OrgId;
use wane_domain::secret::Secret;
use wane_failpoint::{around, point};
use wane_keys::desk::{Desk, Messenger};
use wane_keys::envelope::Keyring;
use wane_keys::seal::SealName;
use wane_keys::signer::LocalSigner;
use wane_keys::split::{Publics, Split};
use wane_store::{Commit, Store as _, Write};
use wane_store_sql::SqlStore;

use super::house::purposes;
use super::link::{LinkTask, Pins, link};
use crate::deployment::{OpenError, Opening, Seals, root_file, sealed, signer_key};
use crate::kinds::authority::AUTHORITY_KEYS;
use crate::kinds::token::TOKEN_KEYS;
use crate::{authority, kinds, token_key};

impl Opening {
    /// The signer, and what has to be run for one of its own to be heard.
    pub(crate) async fn signer(
        &self,
        settings: &Settings,
        seals: &Seals,
        org: OrgId,
        ambient: &Ambient,
    ) -> Result<(Split, Option<LinkTask>), OpenError> {
        let ends = self.keyring(&seals.ends, org, ambient).await?;
        let mut here = Vec::new();
        for (purpose, _) in kinds::PURPOSES.into_iter().filter(|(_, seal)| *seal == SealName::Ends) {
            here.push((purpose, self.secret(&ends, &signer_key(purpose)).await?));
        }
        let here = LocalSigner::new(here, Vec::new())?;
        let Some(socket) = &settings.signer.socket else {
            let desk = self.desk(settings, seals, org, ambient).await?;
            return Ok((Split::new(here, Messenger(Arc::new(desk)), Publics::new()), None));
        };
        self.nothing_apart().await?;
        let mut known = Publics::new();
        for purpose in purposes() {
            // INVARIANT: a server with a signer of its own has no key that issues (held by
            // `a_server_with_a_signer_of_its_own_has_no_key_that_issues`).
            if self.store.sealed(&signer_key(purpose)).await?.is_some() {
                return Err(OpenError::NotMoved(purpose));
            }
            if self.store.sealed(&pin(purpose)).await?.is_some() {
                let key = self.secret(&ends, &pin(purpose)).await?;
                let key = key.expose().try_into().map_err(|_| OpenError::Lacks(pin(purpose)))?;
                known.insert(purpose.to_owned(), key);
            }
        }
        let store = self.store.clone();
        let pinned = Arc::new(Pinned { store, ring: ends, org, ambient: ambient.clone(), split: OnceLock::new() });
        let (link, task) = link(socket, Arc::clone(&pinned) as Arc<dyn Pins>);
        let split = Split::new(here, Messenger(Arc::new(link)), known);
        let _ = pinned.split.set(split.clone());
        Ok((split, Some(task)))
    }

    /// Refuses what a signer of its own cannot have.
    pub(super) async fn nothing_apart(&self) -> Result<(), OpenError> {
        for purpose in AUTHORITY_KEYS {
            if self.store.sealed(&signer_key(purpose)).await?.is_some() {
                return Err(OpenError::AuthorityApart(purpose));
            }
        }
        for purpose in TOKEN_KEYS {
            if self.store.sealed(&signer_key(purpose)).await?.is_some() {
                return Err(OpenError::TokenKeyApart(purpose));
            }
        }
        Ok(())
    }

    async fn desk(&self, settings: &Settings, seals: &Seals, org: OrgId, ambient: &Ambient) -> Result<Desk, OpenError> {
        let issuing = self.keyring(&seals.issuing, org, ambient).await?;
        let mut keys = Vec::new();
        for purpose in purposes() {
            if self.store.sealed(&signer_key(purpose)).await?.is_none() {
                return Err(OpenError::Apart(purpose));
            }
            keys.push((purpose, self.secret(&issuing, &signer_key(purpose)).await?));
        }
        let authorities = authority::keys(&self.store, &issuing).await?;
        let mut checkers = kinds::checkers();
        checkers.extend(authorities.iter().map(|(purpose, _)| (*purpose, kinds::AUTHORITY_CHECKER)));
        let documents = authorities.iter().map(|(purpose, _)| (*purpose, kinds::AUTHORITY_DOCUMENT)).collect();
        keys.extend(authorities);
        let token_keys = token_key::keys(&self.store, &issuing).await?;
        checkers.extend(token_keys.iter().map(|(purpose, _)| (*purpose, kinds::TOKEN_CHECKER)));
        keys.extend(token_keys);
        let keys = LocalSigner::new(keys, checkers)?.publishing(documents);
        Ok(Desk::open(org, keys, kinds::readers(), root_file(settings, issuing), ambient.clone()))
    }
}

/// Where a public key of the signer is kept, so that what it signed can be read back while it is away.
pub(super) fn pin(purpose: &str) -> String {
    format!("signer-pin/{purpose}")
}

/// Whose keys the signer is to have: those it had when it was first heard.
struct Pinned {
    store: SqlStore,
    ring: Keyring,
    org: OrgId,
    ambient: Ambient,
    split: OnceLock<Split>,
}

impl Pins for Pinned {
    fn purposes(&self) -> Vec<&'static str> {
        purposes()
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
    async fn keep(&self, fresh: &BTreeMap<&String, &[u8; 32]>) -> Result<(), OpenError> {
        let row = |(purpose, key): (&&String, &&[u8; 32])| {
            Ok(Write::Sealed(sealed(&self.ring, &pin(purpose), &Secret::new(key.to_vec()))?))
        };
        let rows: Vec<Write> = fresh.iter().map(row).collect::<Result<_, OpenError>>()?;
        let shown: BTreeMap<_, _> = fresh.iter().map(|(purpose, key)| (purpose, hex(*key))).collect();
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
