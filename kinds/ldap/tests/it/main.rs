//! The LDAP kind against a real OpenLDAP.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod conformance;
mod faults;
mod hostile;
mod places;
mod stage;
mod words;
