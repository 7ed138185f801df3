//! Wane as people use it: the built binary, a real PostgreSQL, a real sshd, real clients.
//!
//! Each test has servers of its own. They assert what happens, in which order, and that it is final;
//! never how fast.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod acme;
mod addresses;
mod apart;
mod applications;
mod asking;
mod burst;
mod canaries;
mod certificates;
mod clients;
mod clock;
mod crash;
mod database;
mod deciding;
mod delegating;
mod directory;
mod ending;
mod engine;
mod escalating;
mod gateway;
mod guarding;
mod heard;
mod hooks;
mod host;
mod kept;
mod machines;
mod main_job;
mod memberships;
mod nesting;
mod notices;
mod packages;
mod people;
mod provisioning;
mod rotation;
mod secrets;
mod server;
mod signing;
mod signing_in;
mod storeless;
mod tokens;
mod web;
