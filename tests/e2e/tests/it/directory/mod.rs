//! Directories that push people and groups over SCIM: what of their word counts, and what ends by it.

pub(crate) mod corp;
mod keeping;
mod pushing;
mod tester;
