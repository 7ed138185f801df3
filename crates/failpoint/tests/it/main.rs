//! The places as a program has them: a child process of this very test binary is delayed, held and killed.
#![expect(clippy::unwrap_used, reason = "tests")]

mod child;
mod planned;
