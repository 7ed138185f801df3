//! The kind against a real sshd, the real `ssh` and `ssh-keygen`.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod certificate;
mod grants;
mod guarded;
mod host_docs;
mod logins;
mod port;
mod read_back;
mod signer;
mod tasks;
mod verb_host;
mod verb_ssh;
mod world;
