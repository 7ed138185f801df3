//! What a recording promises.
#![expect(clippy::unwrap_used, reason = "tests")]

mod cast;
mod damage;
mod desk;
mod laws;
