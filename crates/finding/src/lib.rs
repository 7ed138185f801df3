//! Rules over what happens in sessions: "tell somebody when this is run", "end it when that is read".
//!
//! Owns: how a rule is written, that what cannot be held against anything is refused when it is loaded, and
//! what of a session a rule matches. Refuses to know: who loads rules, what becomes of what they find, any
//! protocol. Pure: events in, findings out.
//!
//! What is matched comes from people and hosts who may be hostile. Patterns are matched in time linear to
//! what they are held against (the `regex` and `globset` crates), lines and memory are bounded.

mod feed;
mod lines;
mod rule;
mod watcher;

pub use feed::Feed;
pub use rule::{MOST_RULES, Rule, RuleError, Rules, When};
pub use watcher::{Found, Watcher};
