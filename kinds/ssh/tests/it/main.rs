//! The kind against a real sshd, the real `ssh` and `ssh-keygen`.

mod certificate;
mod grants;
mod host_docs;
mod logins;
mod port;
mod read_back;
mod signer;
mod verb_host;
mod verb_ssh;
mod world;
