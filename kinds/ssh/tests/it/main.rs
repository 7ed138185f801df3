//! The kind against a real sshd, the real `ssh` and `ssh-keygen`.

mod certificate;
mod grants;
mod host_docs;
mod logins;
mod read_back;
mod signer;
mod world;
