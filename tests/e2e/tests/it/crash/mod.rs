//! The server is killed at every step of a life, started again, and what is left is audited.

pub(crate) mod auditor;
mod database;
mod detours;
mod host;
mod lab;
mod points;
mod random;
mod sight;
mod steps;
