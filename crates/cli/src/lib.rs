//! The command line: commands, output for people and JSON, exit codes.
//!
//! Speaks to a server only through `wane-client`; knows no storage, no domain, no kind. What kinds
//! and the binary add (`wane ssh`, `wane server`) comes in as [`ExtraCommand`]s. Holds no ambient
//! power: the clock, the entropy and the process's streams are handed in as [`Env`].

mod access;
mod args;
mod env;
mod escape;
mod exit;
mod extra;
#[doc(hidden)]
pub mod fuzzed;
mod out;
mod playback;
mod reference;
mod root;
mod run;
mod show;
mod signed_in;
mod table;
mod when;

pub use access::{Held, Session, Want};
pub use env::{Clock, Entropy, Env};
pub use exit::{Exit, Stop};
pub use extra::{ExtraCommand, ExtraGiver, Group, Json, Ready};
pub use reference::reference;
pub use root::run;
