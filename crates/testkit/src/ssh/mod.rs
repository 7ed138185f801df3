//! The OpenSSH side: a real server, the real client, and keys made by `ssh-keygen`.

mod client;
mod key;
mod server;

pub use client::SshClient;
pub use key::{SshKey, ssh_keygen};
pub use server::{PreparedSshd, Sshd, SshdBuilder};
