//! The accounts that stand, in memory: enough to end each at its target with a store that cannot be read.
//!
//! Owns: which are worth the room: accounts, because what was only signed runs out by itself within
//! minutes, and of those the ones that end soonest. Bounded in number and in bytes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use wane_domain::id::{GrantId, LeaseId};
use wane_domain::lease::{Lease, LeaseData, LeaseKind, LeaseState};
use wane_domain::stored;
use wane_domain::time::Time;
use wane_store::{LeaseFilter, LeasePhase, Slice, Write};

use crate::App;
use crate::error::AppError;

/// How many accounts are kept at most.
const MOST: usize = 50_000;
/// How many bytes they take at most, written as they are stored.
const MOST_BYTES: usize = 24 * 1024 * 1024;

#[derive(Debug)]
struct Known {
    due: Time,
    grant: GrantId,
    doc: Box<[u8]>,
    /// Which reading of the store saw it last.
    seen: u64,
}

#[derive(Debug, Default)]
struct Inner {
    leases: HashMap<LeaseId, Known>,
    by_due: BTreeMap<(Time, LeaseId), ()>,
    bytes: usize,
    reading: u64,
    mistrusted: bool,
}

/// The accounts.
#[derive(Debug, Default)]
pub(crate) struct Agenda(Mutex<Inner>);

impl Agenda {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a commit is about to write: an account that may come to stand.
    pub(crate) fn before(&self, writes: &[Write]) {
        for write in writes {
            if let Write::Lease(put) = write
                && put.value.is_open()
            {
                self.inner().put(&put.value);
            }
        }
    }

    /// What a commit has written: an account that is gone.
    pub(crate) fn after(&self, gone: &[LeaseId]) {
        let mut inner = self.inner();
        gone.iter().for_each(|id| inner.remove(*id));
    }

    /// What a commit says is gone.
    pub(crate) fn gone(writes: &[Write]) -> Vec<LeaseId> {
        let gone = |write: &Write| match write {
            Write::Lease(put) if !put.value.is_open() => Some(put.value.id),
            _ => None,
        };
        writes.iter().filter_map(gone).collect()
    }

    /// The store may have done something that nobody waited for.
    pub(super) fn mistrust(&self) {
        self.inner().mistrusted = true;
    }

    /// The accounts that should be over by now.
    pub(super) fn due(&self, now: Time) -> Vec<Lease> {
        let inner = self.inner();
        let due = inner.by_due.keys().take_while(|(due, _)| *due <= now).map(|(_, id)| id);
        due.filter_map(|id| inner.leases.get(id)).filter_map(Known::lease).collect()
    }

    /// The accounts under a grant.
    pub(super) fn of(&self, grant: GrantId) -> Vec<Lease> {
        self.inner().leases.values().filter(|known| known.grant == grant).filter_map(Known::lease).collect()
    }

    /// All of them that somebody wants to see.
    pub(crate) fn those(&self, wanted: impl Fn(&Lease) -> bool) -> Vec<Lease> {
        self.inner().leases.values().filter_map(Known::lease).filter(wanted).collect()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.inner().leases.len()
    }
}

impl Known {
    fn lease(&self) -> Option<Lease> {
        serde_json::from_slice::<LeaseData>(&self.doc).ok().map(stored::lease)
    }
}

impl Inner {
    fn put(&mut self, lease: &Lease) {
        if !matches!(lease.what, LeaseKind::Account | LeaseKind::Membership) {
            return;
        }
        self.remove(lease.id);
        let Ok(doc) = serde_json::to_vec(lease) else { return };
        // What is being ended is owed already.
        let due =
            if matches!(lease.state, LeaseState::Revoking { .. }) { Time::from_micros(i64::MIN) } else { lease.end };
        self.bytes = self.bytes.saturating_add(doc.len());
        let known = Known { due, grant: lease.grant, doc: doc.into_boxed_slice(), seen: self.reading };
        self.leases.insert(lease.id, known);
        self.by_due.insert((due, lease.id), ());
        while self.leases.len() > MOST || self.bytes > MOST_BYTES {
            let Some(last) = self.by_due.last_key_value().map(|((_, id), ())| *id) else { break };
            self.remove(last);
        }
    }

    fn remove(&mut self, id: LeaseId) {
        if let Some(known) = self.leases.remove(&id) {
            self.bytes = self.bytes.saturating_sub(known.doc.len());
            self.by_due.remove(&(known.due, id));
        }
    }
}

impl App {
    /// Reads from the store which accounts stand. What changes while this runs is followed as well.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn read_agenda(&self) -> Result<(), AppError> {
        let agenda = &self.storeless.agenda;
        let reading = {
            let mut inner = agenda.inner();
            inner.reading = inner.reading.saturating_add(1);
            inner.mistrusted = false;
            inner.reading
        };
        let phases = vec![LeasePhase::Intended, LeasePhase::Live, LeasePhase::Revoking];
        let filter = LeaseFilter { phases, ..LeaseFilter::default() };
        let mut slice = Slice::first(1000);
        loop {
            let page = self.store.leases(filter.clone(), slice.clone()).await?;
            {
                let mut inner = agenda.inner();
                for lease in &page.items {
                    // What was written since the reading began is newer than the page.
                    if inner.leases.get(&lease.value.id).is_none_or(|known| known.seen < reading) {
                        inner.put(&lease.value);
                    }
                }
            }
            match page.next {
                Some(next) => slice.after = Some(next),
                None => break,
            }
        }
        let mut inner = agenda.inner();
        let old: Vec<LeaseId> = inner.leases.iter().filter(|(_, k)| k.seen < reading).map(|(id, _)| *id).collect();
        old.into_iter().for_each(|id| inner.remove(id));
        Ok(())
    }

    /// Whether what is known of the accounts may be off, and should be read again.
    #[must_use]
    pub fn mistrusts_agenda(&self) -> bool {
        self.storeless.agenda.inner().mistrusted
    }
}

#[cfg(test)]
mod tests;
