//! SCIM 2.0 (RFC 7643, RFC 7644) as the side that is provisioned: what a directory sends, read strictly and
//! within bounds, and what it is answered.
//!
//! Owns: the schemas that are kept, reading resources, filters, PATCH and bulk, shaping answers and errors.
//! Refuses to know: servers, people, storage. Filters and paths are parsed by `scim_v2`; everything here is a
//! function of what it is given.

pub mod bulk;
pub mod filter;
mod outline;
pub mod patch;
pub mod path;
mod refused;
pub mod resource;
pub mod schema;
mod shape;

pub use outline::{about_server, resource_types, schemas};
pub use refused::{Kind, Refused, body};
pub use shape::{Meta, Page, Projection, list, members, render};

/// The most resources one page holds.
pub const MOST_ON_A_PAGE: usize = 200;
/// How many a page holds when nothing is said.
pub const USUAL_PAGE: usize = 100;
