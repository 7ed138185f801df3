//! The kit against itself: what it starts is real, and ends.

mod ambient;
mod postgres;
mod program;
mod sshd;
