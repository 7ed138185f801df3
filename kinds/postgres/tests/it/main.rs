//! The PostgreSQL kind against a real server.
#![expect(clippy::unwrap_used, reason = "tests")]

mod conformance;
mod end;
mod faults;
mod hostile;
mod kept;
mod liar;
mod rules;
mod stage;
mod together;
mod trust;
mod verb;
