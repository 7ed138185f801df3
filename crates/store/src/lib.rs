//! The storage port: what the use-cases need kept, and the conformance kit every adapter passes.
//!
//! INVARIANT: state cannot change without evidence: the only way to write is a [`Commit`], and a
//! commit without audit records cannot be built (held by `a_commit_carries_records`).

mod acme;
mod commit;
pub mod conformance;
mod port;
mod query;
mod rows;

pub use acme::{AcmeAccount, AcmeIssued, AcmeKey, AcmeName, AcmeOrder, AcmeState};
pub use commit::{Commit, EmptyCommit, Put, Seen, Write};
pub use port::{Store, StoreError};
pub use query::{
    Cursor, DeliveryFilter, Due, DueWhat, GrantFilter, GrantPhase, LeaseFilter, LeasePhase, Page, RecordFilter,
    RecordingFilter, RequestFilter, Slice, whole,
};
pub use rows::{
    Answer, ChannelStands, ClosedChannel, EnteredBy, Entry, EntryId, EntryKey, EntrySort, InventoryTaken, Issuance,
    Job, JobEnded, Lies, Login, PolicyEntry, Recording, RecordingEnd, RecordingState, Sealed, Sequenced, Standing,
    StoredObject, Token, TokenKind, TokenOwner, Use, Versioned, Way, WayIn, Whereabouts, identity_key, job_token_key,
    passkey_key, provider_session,
};
