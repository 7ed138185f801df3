//! Cedar behind a candidate index: snapshot in, decision with terms and reasons out. Pure.
//!
//! Owns: the entity model policies are written against, the annotations that carry terms, the
//! choice of one path, and the explanation of every decision. Refuses to know: where policies,
//! people and resources are stored, what time it is, and what a kind does at its target.
//!
//! The road of one decision: [`set::PolicySet::load`] reads and indexes the text once;
//! [`query::AccessQuery`] carries the facts; [`judge::judge`] answers a new ask,
//! [`rejudge::rejudge`] a live grant, [`explain::why`] says why, [`administer::allows`] answers for
//! every other action.

pub mod administer;
pub mod annotation;
pub mod explain;
mod index;
pub mod judge;
mod nesting;
mod path;
pub mod query;
pub mod rejudge;
pub mod schema;
pub mod set;
mod sheet;
mod speaks;
mod verify;

/// A policy set people understand in two minutes; what a new deployment begins with.
pub const STARTER: &str = include_str!("../../../policies/starter.cedar");
