//! One method per route, by area. Each is a line or two: the route, its input, its answer.

mod board;
mod catalogue;
mod delegation;
mod directories;
mod directory;
mod grant;
mod notice;
mod policy;
mod recording;
mod request;
mod session;
mod workload;

pub use recording::Lines;
pub use workload::runner_token;
