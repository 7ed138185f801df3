//! LDAP directories: a place in a group for as long as a grant lives.
//!
//! Owns: everything about a directory as a target: settings, roles, whose entry is meant, the value that is a
//! place in a group, its end. Refuses to know: who else gives the same place, the store, the use-cases, and
//! every other kind.

mod effects;
mod kind;
mod place;
mod role;
mod settings;
mod survey;
mod who;

pub use kind::LdapKind;
