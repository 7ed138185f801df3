//! The server is killed at every step of a life, started again, and what is left is audited.

pub(crate) mod auditor;
pub(crate) mod book;
mod database;
mod detours;
mod directory;
mod host;
mod lab;
mod logins;
mod points;
mod pushed;
mod random;
mod sessions;
mod sight;
mod steps;
