//! Applications with SCIM 2.0 (RFC 7643, RFC 7644), as a client of theirs: a place in a group, or an account, for as long as a
//! grant lives.
//!
//! Owns: everything about such an application as a target: settings, roles, calls and what is believed of their answers, whose
//! account is meant, places and accounts, their end. Refuses to know: who else gives the same, the store, the use-cases, and
//! every other kind.

mod account;
mod application;
mod effects;
mod kind;
mod notes;
mod place;
mod resource;
mod role;
mod settings;
mod survey;
mod who;

pub use kind::ScimKind;
