//! Sessions through the gateway: the plain `ssh` in front, a real sshd behind.

mod arriving;
mod browser;
mod carrying;
mod comfort;
mod ending;
mod evil;
mod joining;
mod jumping;
mod lab;
mod logins;
mod programs;
mod recording;
mod settings;
