//! The HTTP contract as types: what goes over the wire under `/v1`, and nothing of how it is served.
//!
//! Owns the shapes of requests, answers and errors, and their OpenAPI descriptions. Knows no
//! server, no domain and no storage: the server maps its own values onto these, the client reads them.
//!
//! People, groups, resources and roles are named by name; requests, grants, locks by id. Inputs
//! refuse fields they do not know; answers may grow fields, and a client ignores those it does not know.

pub mod approval;
pub mod board;
pub mod delegation;
pub mod device;
pub mod directories;
pub mod directory;
pub mod figures;
pub mod gateway;
pub mod grant;
pub mod host;
pub mod keys;
pub mod leaving;
pub mod lock;
pub mod notice;
pub mod package;
pub mod policy;
pub mod problem;
pub mod query;
pub mod recording;
pub mod request;
pub mod resource;
pub mod role;
pub mod session;
pub mod settings;
pub mod terminal;
pub mod trail;
pub mod value;
pub mod ways_in;
pub mod why;
pub mod workload;

pub use problem::{Class, Field, Problem};
pub use value::{Edit, Page, SecretText, SpanView};

/// The header that makes a write safe to send again: the same key gives the same answer, once.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The header that says where an event stream goes on.
pub const LAST_EVENT_ID: &str = "last-event-id";

/// The longest idempotency key, in characters of `!` to `~`.
pub const LONGEST_KEY: usize = 64;

/// The most entries one page of a listing holds.
pub const MOST_ON_A_PAGE: u32 = 1000;

/// How many entries a page holds when nothing is said.
pub const USUAL_PAGE: u32 = 100;
