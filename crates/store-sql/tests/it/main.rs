//! The store over SQLite against its port's kit, and what is its own: files, kills, group commit.

mod conformance;
mod fixture;
