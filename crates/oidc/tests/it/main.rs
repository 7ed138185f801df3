//! What leaves this machine towards a provider, against one that is anything but well-behaved.
#![expect(clippy::unwrap_used, reason = "tests")]

mod egress;
