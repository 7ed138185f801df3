//! The routes: what they promise in their description, and what they do over the real use-cases and
//! the real store, with no socket in between.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod access;
mod browser;
mod calls;
mod events;
mod house;
mod jobs;
mod openapi;
mod pages;
mod paper;
mod settings;
mod shapes;
mod sockets;
mod stage;
mod terms;
mod tricks;
mod words;
