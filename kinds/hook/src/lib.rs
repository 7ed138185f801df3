//! Any system as a target: what it takes to create, revoke, read back and list is declared, as calls of its own API, as signed
//! calls to a receiver of one's own, or as a program in a confined child.
//!
//! Owns: the declaration, filling and sending calls, running programs, what an answer means, the templates for well-known
//! APIs, and `wane hook`. Refuses to know: grants beyond their lease, the store, the use-cases, and every other kind.

mod api;
mod auth;
mod call;
pub mod confine;
mod declared;
mod describe;
mod document;
mod effects;
mod fail;
#[doc(hidden)]
pub mod fuzzed;
mod kind;
mod life;
mod line;
mod listing;
mod own;
mod program;
mod rehearsal;
mod role;
mod settings;
mod telling;
mod templates;
mod text;
pub mod verbs;
mod wire;

pub use kind::HookKind;
pub use program::ProgramSettings;
pub use templates::{Template, all as templates};
