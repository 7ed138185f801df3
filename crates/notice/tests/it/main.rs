//! What notices say, for whom, and when: golden texts, and laws about what people wrote.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod plain;
mod texts;
