//! The bytes of a record: what they are, and that nothing in it can change without changing them.

#![expect(clippy::expect_used, reason = "tests")]

mod record;
