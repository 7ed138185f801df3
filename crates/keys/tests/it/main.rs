//! The public surface of `wane-keys`, one module per room.

mod envelope;
mod password;
mod permit;
mod seal;
mod signer;
mod split;
mod token;

use wane_domain::ambient::Ambient;
use wane_domain::time::Time;
use wane_testkit::FakeClock;

/// A still clock and repeating entropy.
fn ambient(seed: u64) -> Ambient {
    FakeClock::at(Time::from_micros(1_790_000_000_000_000)).ambient(seed)
}
