//! The LDAP kind against a real OpenLDAP.
#![expect(clippy::unwrap_used, reason = "tests")]

mod conformance;
mod faults;
mod hostile;
mod places;
mod stage;
mod words;
