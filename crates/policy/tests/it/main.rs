//! The policy engine against real Cedar: one binary, a module per subject.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod explaining;
mod facts;
mod hostile;
mod judging;
mod loading;
mod rejudging;
mod slice;
mod starter;
mod twice;
mod world;
