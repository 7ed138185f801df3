//! Sessions through the gateway: the plain `ssh` in front, a real sshd behind.

mod carrying;
mod ending;
mod evil;
mod lab;
mod logins;
mod programs;
mod recording;
