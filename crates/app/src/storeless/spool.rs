//! What was done without the store and is not in the log yet: in memory at once, in the journal soon after.
//!
//! INVARIANT: the journal never delays an end: it is written by a task of its own, after the act
//! (held by `a_journal_that_hangs_delays_no_end`).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use wane_domain::id::{GrantId, LeaseId};
use wane_domain::time::Time;
use wane_failpoint::{around_call, point};

use super::entry::{Entry, KeptWhere, What};
use crate::App;

/// A small place on disk that needs no room it does not have.
pub trait Journal: Send + Sync {
    /// Keeps frames, in order; they are on disk when this returns. May block for long.
    ///
    /// # Errors
    /// When it cannot; then none of them is kept.
    fn keep(&self, frames: &[Vec<u8>]) -> Result<(), String>;
    /// Forgets all of them.
    ///
    /// # Errors
    /// When it cannot.
    fn reset(&self) -> Result<(), String>;
    /// How many bytes it may still take.
    fn room(&self) -> u64;
}

/// So much of the journal is for what people ordered; what ran out is found in the store again.
const KEPT_FREE: u64 = 256 * 1024;
/// How many entries are kept in one go.
const TOGETHER: usize = 256;
/// How long whoever ended something waits to hear where it is kept.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How soon a journal that failed is tried again, at first and at most.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_AT_MOST: Duration = Duration::from_secs(30);

/// An entry with what has become of it.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) entry: Entry,
    /// None until the journal was tried.
    pub(super) kept: Option<KeptWhere>,
    /// Its record is in the log; what follows from it is not done yet.
    pub(super) recorded: bool,
    /// Everything under the grant it is about was ended at its target.
    settled: bool,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    /// In the order of their making.
    entries: BTreeMap<u64, Pending>,
    said: HashMap<GrantId, u64>,
    cut: HashMap<LeaseId, u64>,
    /// The journal holds frames, of these entries or of ones that were booked.
    in_journal: bool,
}

/// The entries.
#[derive(Debug)]
pub(crate) struct Spool {
    inner: Mutex<Inner>,
    journal: OnceLock<JournalHandle>,
    /// Woken when there is something to keep, or nothing left.
    work: Notify,
    /// Woken when something was ended that is to be acted on.
    act: Notify,
    /// Up to which entry the journal was tried.
    tried: watch::Sender<u64>,
}

struct JournalHandle(Arc<dyn Journal>);

impl std::fmt::Debug for JournalHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JournalHandle")
    }
}

impl Default for Spool {
    fn default() -> Self {
        Self {
            inner: Mutex::default(),
            journal: OnceLock::new(),
            work: Notify::new(),
            act: Notify::new(),
            tried: watch::Sender::new(0),
        }
    }
}

impl Spool {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an entry, unless one says the same already.
    pub(super) fn add(&self, entry: Entry, kept: Option<KeptWhere>) {
        let mut inner = self.inner();
        let seq = inner.last.saturating_add(1);
        let known = match &entry.what {
            What::Said { grant, .. } => inner.said.contains_key(grant),
            What::Cut { lease, .. } => inner.cut.contains_key(lease),
            What::Locked { lock } => {
                inner.entries.values().any(|p| matches!(&p.entry.what, What::Locked { lock: l } if l.id == lock.id))
            }
        };
        if known {
            return;
        }
        match &entry.what {
            What::Said { grant, .. } => drop(inner.said.insert(*grant, seq)),
            What::Cut { lease, .. } => drop(inner.cut.insert(*lease, seq)),
            What::Locked { .. } => {}
        }
        inner.last = seq;
        inner.entries.insert(seq, Pending { entry, kept, recorded: false, settled: false });
        drop(inner);
        self.work.notify_one();
        self.act.notify_one();
    }

    /// Whether a grant was ended without the store.
    pub(crate) fn is_said(&self, grant: GrantId) -> bool {
        self.inner().said.contains_key(&grant)
    }

    /// How a grant was ended without the store.
    pub(super) fn said(&self, grant: GrantId) -> Option<Pending> {
        let inner = self.inner();
        inner.said.get(&grant).and_then(|seq| inner.entries.get(seq)).cloned()
    }

    /// The grants that were ended without the store, and when, in that order.
    pub(crate) fn all_said(&self) -> Vec<(GrantId, Time)> {
        let said = |pending: &Pending| match &pending.entry.what {
            What::Said { grant, .. } => Some((*grant, pending.entry.at)),
            What::Cut { .. } | What::Locked { .. } => None,
        };
        self.inner().entries.values().filter_map(said).collect()
    }

    /// Those of them under which something may still stand.
    pub(super) fn unsettled(&self) -> Vec<GrantId> {
        let inner = self.inner();
        let stands = |seq: &u64| inner.entries.get(seq).is_some_and(|pending| !pending.settled);
        inner.said.iter().filter(|(_, seq)| stands(seq)).map(|(grant, _)| *grant).collect()
    }

    /// Everything under a grant was ended at its target.
    pub(super) fn settled(&self, grant: GrantId) {
        let mut inner = self.inner();
        if let Some(seq) = inner.said.get(&grant).copied()
            && let Some(pending) = inner.entries.get_mut(&seq)
        {
            pending.settled = true;
        }
    }

    /// Whether an artifact was ended without the store.
    pub(crate) fn is_cut(&self, lease: LeaseId) -> bool {
        self.inner().cut.contains_key(&lease)
    }

    /// The locks that were imposed without the store.
    pub(super) fn locks(&self) -> Vec<wane_domain::lock::Lock> {
        let lock = |p: &Pending| match &p.entry.what {
            What::Locked { lock } => Some(lock.clone()),
            What::Said { .. } | What::Cut { .. } => None,
        };
        self.inner().entries.values().filter_map(lock).collect()
    }

    /// The oldest entries, with their places.
    pub(super) fn oldest(&self, most: usize) -> Vec<(u64, Pending)> {
        self.inner().entries.iter().take(most).map(|(seq, p)| (*seq, p.clone())).collect()
    }

    /// The records of these are in the log.
    pub(super) fn recorded(&self, seqs: &[u64]) {
        let mut inner = self.inner();
        for seq in seqs {
            if let Some(pending) = inner.entries.get_mut(seq) {
                pending.recorded = true;
            }
        }
    }

    /// This one is booked, and so is what follows from it.
    pub(super) fn booked(&self, seq: u64) {
        let mut inner = self.inner();
        match inner.entries.remove(&seq).map(|p| p.entry.what) {
            Some(What::Said { grant, .. }) => drop(inner.said.remove(&grant)),
            Some(What::Cut { lease, .. }) => drop(inner.cut.remove(&lease)),
            Some(What::Locked { .. }) | None => {}
        }
        let empty = inner.entries.is_empty();
        drop(inner);
        if empty {
            self.work.notify_one();
        }
    }

    /// How many there are, and how many of them are not in the journal.
    pub(super) fn count(&self) -> (usize, usize) {
        let inner = self.inner();
        let memory = inner.entries.values().filter(|p| p.kept != Some(KeptWhere::Journal)).count();
        (inner.entries.len(), memory)
    }

    /// Entries that the journal does not have.
    fn unkept(&self) -> Vec<(u64, Entry)> {
        let inner = self.inner();
        let without = inner.entries.iter().filter(|(_, p)| p.kept != Some(KeptWhere::Journal));
        without.take(TOGETHER).map(|(seq, p)| (*seq, p.entry.clone())).collect()
    }

    fn kept(&self, seqs: &[u64], place: KeptWhere) {
        let mut inner = self.inner();
        inner.in_journal |= place == KeptWhere::Journal;
        for seq in seqs {
            if let Some(pending) = inner.entries.get_mut(seq) {
                pending.kept = Some(place);
            }
        }
        drop(inner);
        if let Some(last) = seqs.iter().max() {
            self.tried.send_modify(|tried| *tried = (*tried).max(*last));
        }
    }

    /// Puts what is new into the journal; empties it once nothing is left. Blocks for as long as the disk does.
    fn settle(&self) -> Result<(), String> {
        let Some(JournalHandle(journal)) = self.journal.get() else {
            let seqs: Vec<u64> = self.unkept().iter().map(|(seq, _)| *seq).collect();
            self.kept(&seqs, KeptWhere::Memory);
            return Ok(());
        };
        loop {
            let room = journal.room();
            let new: Vec<(u64, Entry)> = self.unkept();
            let (mut seqs, mut frames, mut bytes, mut left_out) = (Vec::new(), Vec::new(), 0u64, Vec::new());
            for (seq, entry) in new {
                let frame = serde_json::to_vec(&entry).map_err(|e| e.to_string())?;
                let size = bytes.saturating_add(frame.len() as u64).saturating_add(64);
                let most = if entry.is_irreplaceable() { room } else { room.saturating_sub(KEPT_FREE) };
                if size > most {
                    left_out.push(seq);
                    continue;
                }
                bytes = size;
                seqs.push(seq);
                frames.push(frame);
            }
            self.kept(&left_out, KeptWhere::Memory);
            if frames.is_empty() {
                break;
            }
            if let Err(why) = around_call(point!("app.storeless.keep"), || journal.keep(&frames)) {
                self.kept(&seqs, KeptWhere::Memory);
                return Err(why);
            }
            self.kept(&seqs, KeptWhere::Journal);
        }
        let done = {
            let inner = self.inner();
            inner.entries.is_empty() && inner.in_journal
        };
        // Whatever comes in meanwhile is kept by this very task, after this.
        if done {
            around_call(point!("app.storeless.reset"), || journal.reset())?;
            self.inner().in_journal = false;
        }
        Ok(())
    }
}

impl App {
    /// Hands over the journal, with the frames it kept from an earlier process. To be called once, before
    /// anything else is done with the use-cases.
    pub fn keep_in(&self, journal: Arc<dyn Journal>, kept: &[Vec<u8>]) {
        let spool = &self.storeless.spool;
        for frame in kept {
            match serde_json::from_slice::<Entry>(frame) {
                Ok(entry) => spool.add(entry, Some(KeptWhere::Journal)),
                Err(error) => tracing::error!(%error, "an entry of the journal of ends cannot be read; it is left out"),
            }
        }
        let (found, _) = spool.count();
        if found > 0 {
            tracing::warn!(found, "ends that an earlier process acted on are not in the log yet; they are booked now");
        }
        if !kept.is_empty() {
            spool.inner().in_journal = true;
        }
        let _ = spool.journal.set(JournalHandle(journal));
        spool.work.notify_one();
    }

    /// Keeps the journal, until dropped: puts in what was ended without the store, and empties it once
    /// all of it is booked. Whatever fails is tried again.
    pub async fn keep_journal(&self) {
        let spool = &self.storeless.spool;
        let mut wait = AGAIN;
        loop {
            spool.work.notified().await;
            while let Err(why) = tokio::task::block_in_place(|| spool.settle()) {
                let (unbooked, only_in_memory) = spool.count();
                tracing::error!(%why, unbooked, only_in_memory, "THE JOURNAL OF ENDS CANNOT BE WRITTEN: what was ended is in memory only until it can");
                // What comes in meanwhile is no reason to try sooner.
                tokio::time::sleep(wait).await;
                wait = wait.saturating_mul(2).min(AGAIN_AT_MOST);
            }
            wait = AGAIN;
        }
    }

    /// Waits until something was ended without the store.
    pub async fn ended_storeless(&self) {
        self.storeless.spool.act.notified().await;
    }

    /// Where the end of a grant is kept until it is in the log; none if it is in the log, or did not end.
    pub async fn unbooked(&self, grant: GrantId) -> Option<KeptWhere> {
        let seq = self.storeless.spool.inner().said.get(&grant).copied()?;
        self.kept_where(seq).await
    }

    /// Where a lock is kept until it is in the log; none if it is.
    pub async fn unbooked_lock(&self, id: wane_domain::id::LockId) -> Option<KeptWhere> {
        let is_it = |p: &Pending| matches!(&p.entry.what, What::Locked { lock } if lock.id == id);
        let seq = self.storeless.spool.inner().entries.iter().find(|(_, p)| is_it(p)).map(|(seq, _)| *seq)?;
        self.kept_where(seq).await
    }

    async fn kept_where(&self, seq: u64) -> Option<KeptWhere> {
        let spool = &self.storeless.spool;
        let mut tried = spool.tried.subscribe();
        // However that goes, what is known then is what is said.
        let _ = tokio::time::timeout(LONGEST_WAIT, tried.wait_for(|tried| *tried >= seq)).await;
        spool.inner().entries.get(&seq).map(|pending| pending.kept.unwrap_or(KeptWhere::Memory))
    }
}
