//! What can be said about the routes without anything behind them.
#![expect(clippy::unwrap_used, reason = "tests")]

mod openapi;
