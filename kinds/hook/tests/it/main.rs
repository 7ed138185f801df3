//! The hook kind: every template against what stands for its API, real servers, faults, lies, and confined programs.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod amqp;
mod apis;
mod conformance;
mod faults;
mod liar;
mod programs;
mod receiver;
mod sim;
mod stage;
mod verbs;
