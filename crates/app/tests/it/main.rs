//! The use-cases over a real store, real policy, real seals and the real SSH kind.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod approvers;
mod asking;
mod binding;
mod deciding;
mod delegating;
mod devices;
mod ending;
mod ends;
mod escalating;
mod extending;
mod faulty;
mod gated;
mod handing_out;
mod history;
mod house;
mod instant;
mod jobs;
mod joining;
mod laws;
mod leaving;
mod locking;
mod packages;
mod passkeys;
mod policies;
mod reminding;
mod rounds;
mod seeing;
mod shipping;
mod signing;
mod signing_in;
mod stays;
mod storeless;
mod tasks;
mod time;
mod toctou;
