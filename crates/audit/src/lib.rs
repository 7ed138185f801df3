//! The encoding of audit records. Pure.
//!
//! Owns: what one record of the trail carries and its canonical bytes. Refuses to know: where
//! records are kept and who reads them.

mod record;

pub use record::{Actor, Outcome, Record, Subjects};
