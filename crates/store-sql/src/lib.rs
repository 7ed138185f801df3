//! The storage port over SQLite: one file, one writer, group commit.
//!
//! Owns: how the things of the port become rows, what is checked when they are written, and when
//! an answer may leave. Refuses to know: what a write means, who may make it, what time it is.
//!
//! [`SqlStore::open`] gives a handle and a [`Writer`]; nothing is written until somebody drives
//! [`Writer::run`], and nothing is answered before it is on disk.

mod acme;
mod answers;
mod apply;
mod approver_keys;
mod delegations;
mod deliveries;
mod directories;
mod due;
mod entries;
mod grants;
mod groups;
mod inventories;
mod issuances;
mod jobs;
mod keys;
mod leases;
mod listing;
mod locks;
mod logins;
mod memory;
mod packages;
mod people;
mod place;
mod policies;
mod recordings;
mod requests;
mod resources;
mod roles;
mod row;
mod schema;
mod sealed;
mod serials;
mod step;
mod store;
mod tokens;
mod trail;
mod trail_index;
mod uses;
mod ways_in;
mod workloads;
mod world;
mod writer;

pub use store::{Founding, SqlStore, Stats};
pub use writer::Writer;
