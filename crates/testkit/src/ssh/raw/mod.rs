//! A side of SSH that says whatever it is told to, once the keys are changed: for those who mean harm.
//!
//! Owns: the version line, one key exchange (RFC 4253 and 8731, curve25519 with strict key exchange),
//! AES-256-GCM packets (RFC 5647), an Ed25519 key that signs. Refuses to know: sockets, and what a message
//! means. It believes whoever answers, and is of use in tests only.

mod key;
mod peer;
mod stream;
mod wire;

pub use key::RawKey;
pub use peer::{RawPeer, Trouble};
pub use stream::RawStream;
pub use wire::{Words, words};
