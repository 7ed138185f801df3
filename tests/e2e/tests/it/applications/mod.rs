//! The gateway to web applications: the built binary, a real application behind it, curl and a real browser.

mod backends;
mod ending;
mod hostile;
mod keys;
mod known;
mod lab;
mod passing;
mod recording;
mod signing_in;
mod tools;
mod uses;
