//! Ending while the store cannot be used.
//!
//! Owns: whether the store can be used, what was ended without it, and what is known without it: the
//! accounts that stand, the connectors' sealed credentials, the sessions of those who call. Refuses to
//! know: when anything is tried again (that is `reconcile`), and where the journal is.
//!
//! INVARIANT: nothing begins or lasts longer from memory; memory only ends
//! (held by `nothing_begins_while_the_store_cannot_be_written`).

mod agenda;
mod booking;
mod ending;
mod entry;
mod known;
mod spool;
mod trouble;

use std::collections::HashMap;
use std::sync::Mutex;

use wane_domain::id::LeaseId;
use wane_domain::time::Time;

pub use booking::Booked;
pub use entry::KeptWhere;
pub use spool::Journal;
pub use trouble::StoreState;

pub(crate) use agenda::Agenda;
pub(crate) use known::READ;

/// What memory holds for the time without a store.
#[derive(Debug, Default)]
pub(crate) struct Storeless {
    pub(crate) trouble: trouble::Trouble,
    pub(crate) spool: spool::Spool,
    pub(crate) agenda: Agenda,
    pub(crate) known: known::Known,
    /// Ends that were tried and could not be booked: how often, and when the next try is.
    tries: Mutex<HashMap<LeaseId, (u32, Time)>>,
}
