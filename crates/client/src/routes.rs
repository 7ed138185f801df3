//! One method per route, by area. Each is a line or two: the route, its input, its answer.

mod board;
mod catalogue;
mod directory;
mod grant;
mod policy;
mod request;
mod session;
