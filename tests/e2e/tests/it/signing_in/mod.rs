//! Signing in besides with a password here: at a real provider, from a command line, with a passkey.

mod approving;
pub(crate) mod passkeys;
mod provider;
pub(crate) mod roaming;
mod state;
