//! Notices: which one follows from which record of the trail, for whom, in what words, and when.
//!
//! Owns: the kinds of notices, their texts for mail and their JSON for webhooks, the times before an end, how long a
//! delivery waits between tries. Refuses to know: where records are read, who may approve, how anything is sent.
//!
//! Everything is a function of a record and of what it is about: read once more it says the same, so that a delivery
//! has one id however often it is derived.

mod before_end;
mod delivery;
mod ids;
mod kind;
mod letter;
mod message;
mod notice;
mod people;
mod plain;
mod said;

pub use before_end::{Warning, before_end};
pub use delivery::{Delivery, DeliveryState, MAIL, Only, WaitsFor, hook_channel, wait};
pub use ids::delivery_id;
pub use kind::{Class, Kind};
pub use letter::{Letter, letter};
pub use message::{SCHEMA, message};
pub use notice::{About, Notice, Todo, test_notice};
pub use people::{address, wants};
pub use plain::{line, quoted};
pub use said::{Said, Seen, To, said};
