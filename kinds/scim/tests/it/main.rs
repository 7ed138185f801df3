//! The kind at a real application: `scim2-server`, which shares no code with Wane.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod accounts;
mod between;
mod conformance;
mod faults;
mod hostile;
mod places;
mod stage;
