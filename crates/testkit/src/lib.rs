//! What tests and the demo stand on: a clock that is set by hand, entropy that repeats,
//! grants by the only road there is, real OpenSSH and PostgreSQL servers on loopback, and Wane's own binary as people run it.
//!
//! Each server lives in its own temporary folder on its own port, belongs to the value that
//! started it, and ends with that value, also when a test panics. Nothing here sleeps for a fixed
//! time: every wait is on a condition, with a generous deadline.
//!
//! The kit refuses to know how Wane works beyond the domain's own steps: it starts servers and
//! clients, and never asserts.
#![expect(clippy::disallowed_methods, reason = "deadlines of waits on real processes need the machine's own clock")]

mod active_directory;
mod ambient;
mod application;
mod approver;
mod clock_off;
mod folder;
mod held;
mod nginx;
mod object_store;
mod port;
mod post;
mod postgres;
mod process;
mod program;
mod proxy;
mod rabbitmq;
mod redis;
mod slapd;
mod ssh;
mod stunnel;
mod tls;
mod unix_user;
mod wait;
mod wane;

pub use active_directory::ActiveDirectory;
pub use ambient::{FakeClock, SeededEntropy};
pub use application::ScimApplication;
pub use approver::{Approver, approval_by};
pub use held::{Held, hold, lax_permit, plain_ask};
pub use nginx::Nginx;
pub use object_store::ObjectStore;
pub use port::free_port;
pub use post::{MailWay, PostServer};
pub use postgres::{Postgres, PostgresBuilder, PsqlClient};
pub use program::{Ended, Interactive, Outcome};
pub use proxy::{Proxy, Way};
pub use rabbitmq::RabbitMq;
pub use redis::{Redis, RedisSession};
pub use slapd::{Slapd, SlapdBuilder};
pub use ssh::{PreparedSshd, SshClient, SshKey, Sshd, SshdBuilder, ssh_keygen};
pub use ssh::{RawKey, RawPeer, RawStream, Trouble, Words, words};
pub use stunnel::Stunnel;
pub use tls::ServerCertificate;
pub use unix_user::UnixUser;
pub use wait::{eventually, wait_until};
pub use wane::{Apart, PersonSession, WaneServer, WaneServerBuilder, WaneSigner};
