//! The OpenSSH side: a real server, the real client, and keys made by `ssh-keygen`; and a side that obeys no rules.

mod client;
mod key;
mod raw;
mod server;

pub use client::SshClient;
pub use key::{SshKey, ssh_keygen};
pub use raw::{RawKey, RawPeer, RawStream, Trouble, Words, words};
pub use server::{PreparedSshd, Sshd, SshdBuilder};
