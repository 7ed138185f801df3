//! The store over SQLite against its port's kit, and what is its own: files, kills, group commit.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod conformance;
mod disk;
mod fixture;
mod group_commit;
mod memory;
mod model;
mod trail;
