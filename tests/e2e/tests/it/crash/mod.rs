//! The server is killed at every step of a life, started again, and what is left is audited.

mod application;
pub(crate) mod auditor;
pub(crate) mod book;
mod database;
mod detours;
mod directory;
mod hook;
mod host;
mod lab;
mod logins;
mod points;
mod pushed;
mod random;
mod sessions;
mod sight;
mod steps;
