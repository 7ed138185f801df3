//! The lifecycle, held to its laws: one binary, a module per subject.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod approvers;
mod delegating;
mod digest;
mod fixtures;
mod forgery;
mod grants;
mod ids;
mod leases;
mod lifecycle;
mod packages;
mod requests;
mod signing;
mod stays;
mod tasks;
mod values;
mod waiting;
mod worlds;
