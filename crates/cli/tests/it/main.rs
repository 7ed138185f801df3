//! The command line as a whole, against a stand-in that gives the answers of a server.
//!
//! The stand-in only shows how answers are handled; that a real server gives them is shown by the
//! end-to-end tests.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: what goes wrong shall stop them"
)]

mod access;
mod answers;
mod desk;
mod exec;
mod golden;
mod help;
mod history;
mod signed_in;
mod stand_in;
mod tables;
mod views;
