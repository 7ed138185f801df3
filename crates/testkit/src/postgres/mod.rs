//! The PostgreSQL side: a real server, the real `psql`, and the template that makes starting cheap.

mod client;
mod installation;
mod server;
mod template;

pub use client::PsqlClient;
pub use server::{Postgres, PostgresBuilder};
