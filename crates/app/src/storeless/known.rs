//! What was read from the store before and is needed to end something without it: the sealed credentials
//! of connectors, and the sessions of those who call. Never newer than the store, never used while it answers.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wane_domain::id::TokenId;
use wane_store::{StoreError, Token, TokenKind, Versioned, Write};

use crate::App;
use crate::targets::{connector_key, is_connector_key};

/// How many sessions are remembered.
const MOST_SESSIONS: usize = 10_000;
/// How long a read that an end needs may take.
pub(crate) const READ: Duration = Duration::from_secs(3);

#[derive(Debug, Default)]
struct Inner {
    /// None where it is known that there is none.
    sealed: HashMap<String, Option<Vec<u8>>>,
    sessions: HashMap<TokenId, Versioned<Token>>,
    /// Grows with each commit that changes some of it, before and after.
    changes: u64,
}

/// What a commit changes of it.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    sealed: Vec<(String, Vec<u8>)>,
    gone: Vec<TokenId>,
}

/// What was read before.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<Inner>);

impl Known {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what a commit changes, as it is about to; to be given to `after`.
    pub(crate) fn before(&self, writes: &[Write]) -> Changed {
        let mut changed = Changed::default();
        for write in writes {
            match write {
                Write::Sealed(value) if is_connector_key(&value.key) => {
                    changed.sealed.push((value.key.clone(), value.sealed.clone()));
                }
                // One that was used since is as good; what is remembered of it is idle sooner.
                Write::Token(put) if put.value.spent.is_some() => changed.gone.push(put.value.id),
                Write::RemoveToken(id) => changed.gone.push(*id),
                _ => {}
            }
        }
        self.after(&changed);
        changed
    }

    /// Forgets it again, whatever became of the commit: it may have been read meanwhile, as it was.
    pub(crate) fn after(&self, changed: &Changed) {
        if changed.sealed.is_empty() && changed.gone.is_empty() {
            return;
        }
        let mut inner = self.inner();
        inner.changes += 1;
        for (key, sealed) in &changed.sealed {
            inner.sealed.insert(key.clone(), Some(sealed.clone()));
        }
        for id in &changed.gone {
            inner.sessions.remove(id);
        }
    }

    /// To be asked before a read, and told to `read`.
    fn changes(&self) -> u64 {
        self.inner().changes
    }

    /// Remembers what a read came to, unless something changed since it began: it may be older than that.
    fn read(&self, before: u64, remember: impl FnOnce(&mut Inner)) {
        let mut inner = self.inner();
        if inner.changes == before {
            remember(&mut inner);
        }
    }
}

/// What a read came to, or nothing if the store did not answer in time.
async fn answered<T>(read: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = |_| Err(StoreError::Unavailable(format!("no answer within {} s", READ.as_secs())));
    tokio::time::timeout(READ, read).await.unwrap_or_else(late)
}

impl App {
    /// A sealed secret, as it was read last if the store cannot be read.
    pub(crate) async fn sealed(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let known = &self.storeless.known;
        let before = known.changes();
        match answered(self.store.sealed(key)).await {
            Ok(sealed) => {
                known.read(before, |inner| drop(inner.sealed.insert(key.to_owned(), sealed.clone())));
                Ok(sealed)
            }
            Err(StoreError::Unavailable(why)) => {
                known.inner().sealed.get(key).cloned().ok_or(StoreError::Unavailable(why))
            }
            Err(error) => Err(error),
        }
    }

    /// A token, as it was read last if the store cannot be read.
    pub(crate) async fn known_token(&self, id: TokenId) -> Result<Option<Versioned<Token>>, StoreError> {
        let known = &self.storeless.known;
        let before = known.changes();
        match answered(self.store.token(id)).await {
            Ok(seen) => {
                known.read(before, |inner| {
                    if inner.sessions.len() >= MOST_SESSIONS {
                        inner.sessions.clear();
                    }
                    match seen.as_ref().filter(|seen| seen.value.kind == TokenKind::Session) {
                        Some(seen) => drop(inner.sessions.insert(id, seen.clone())),
                        None => drop(inner.sessions.remove(&id)),
                    }
                });
                Ok(seen)
            }
            Err(StoreError::Unavailable(why)) => {
                known.inner().sessions.get(&id).cloned().map(Some).ok_or(StoreError::Unavailable(why))
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the sealed credential of every connector, so that each target can be reached without the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn remember_targets(&self) -> Result<(), crate::error::AppError> {
        let world = self.world().await?;
        let keys: Vec<String> = world.resources.keys().map(|id| connector_key(*id)).collect();
        self.storeless.known.inner().sealed.retain(|key, _| keys.contains(key));
        for key in keys {
            let before = self.storeless.known.changes();
            let sealed = self.store.sealed(&key).await?;
            self.storeless.known.read(before, |inner| drop(inner.sealed.insert(key, sealed)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wane_store::Sealed;

    use super::*;

    #[test]
    fn of_what_is_sealed_what_leads_to_a_target_is_remembered_alone() {
        let (known, sealed) = (Known::default(), |key: &str| Sealed { key: key.to_owned(), sealed: vec![1] });
        known.before(&["connector/res_1", "recording/ses_1"].map(|key| Write::Sealed(sealed(key))));
        assert_eq!(known.inner().sealed.keys().collect::<Vec<_>>(), ["connector/res_1"]);
    }

    /// A read that began before a commit, or while it went on, says what was there before.
    #[test]
    fn what_was_read_while_it_was_changed_is_not_remembered() {
        let (known, key) = (Known::default(), "connector/res_1");
        let read = |before, sealed| known.read(before, |inner| drop(inner.sealed.insert(key.to_owned(), Some(sealed))));
        let remembered = || known.inner().sealed[key].clone();
        read(known.changes(), vec![1]);
        assert_eq!(remembered(), Some(vec![1]));
        let began = known.changes();
        let changed = known.before(&[Write::Sealed(Sealed { key: key.to_owned(), sealed: vec![2] })]);
        read(began, vec![1]);
        assert_eq!(remembered(), Some(vec![2]), "it began before");
        let began = known.changes();
        read(began, vec![1]);
        known.after(&changed);
        assert_eq!(remembered(), Some(vec![2]), "it came while it was written");
        read(began, vec![1]);
        assert_eq!(remembered(), Some(vec![2]), "it came after");
        // What changes nothing of it stands in no read's way.
        let began = known.changes();
        known.after(&known.before(&[Write::Sealed(Sealed { key: "recording/ses_1".to_owned(), sealed: vec![2] })]));
        read(began, vec![3]);
        assert_eq!(remembered(), Some(vec![3]));
    }
}
