//! The fake clock and the seeded entropy.

use wane_domain::ambient::{Clock, Entropy};
use wane_domain::time::{Span, Time};
use wane_testkit::{FakeClock, SeededEntropy};

#[test]
fn the_clock_moves_only_when_told_and_for_all_holders() {
    let clock = FakeClock::at(Time::from_micros(1_000));
    let ambient = clock.ambient(1);
    assert_eq!(ambient.now(), Time::from_micros(1_000));
    assert_eq!(clock.advance(Span::from_secs(2)), Time::from_micros(2_001_000));
    assert_eq!(ambient.now(), clock.now());
    clock.set(Time::from_micros(5));
    assert_eq!(ambient.now(), Time::from_micros(5));
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_does_not() {
    let draw = |seed| {
        let entropy = SeededEntropy::new(seed);
        let mut bytes = [0_u8; 37];
        entropy.fill(&mut bytes);
        bytes
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
    // First output of SplitMix64 for seed 0, from the reference implementation.
    assert_eq!(&draw(0)[..8], &0xE220_A839_7B1D_CDAF_u64.to_le_bytes());
}
