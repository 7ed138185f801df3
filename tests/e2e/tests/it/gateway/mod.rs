//! Sessions through the gateway: the plain `ssh` in front, a real sshd behind.

mod arriving;
mod between;
pub(crate) mod browser;
mod carrying;
mod comfort;
mod commands;
mod ending;
mod evil;
mod findings;
mod heard;
mod joining;
mod jumping;
pub(crate) mod lab;
mod leaving;
mod logins;
mod programs;
mod proving;
mod pushed;
mod raw;
mod recording;
mod regress;
mod rules;
mod settings;
mod stalled;
mod stored;
mod tasks;
mod understanding;
