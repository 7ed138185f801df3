//! The engine over the same company that the use-cases are tested in.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod burst;
mod clock;
mod counted;
mod couriers;
mod engine;
#[path = "../../../app/tests/it/faulty.rs"]
#[expect(dead_code, reason = "the use-cases' tests use all of it")]
mod faulty;
#[path = "../../../app/tests/it/gated.rs"]
#[expect(dead_code, reason = "the use-cases' tests use all of it")]
mod gated;
#[path = "../../../app/tests/it/house.rs"]
#[expect(dead_code, reason = "the use-cases' tests use all of it")]
mod house;
mod orphans;
mod residue;
mod running;
mod shop;
mod storeless;
#[path = "../../../app/tests/it/subjects.rs"]
mod subjects;
mod targets;
