//! Choices that come again for the same seed. Knows nothing of what is chosen.

use std::time::{SystemTime, UNIX_EPOCH};

/// What a run goes by, from the environment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) seed: u64,
    /// So many minutes instead of the few kills of every test run.
    pub(super) minutes: Option<u64>,
}

impl Run {
    /// `WANE_SEED` for the choices of an earlier run, `WANE_SOAK_MINUTES` for a long one.
    #[expect(clippy::disallowed_methods, reason = "a seed nobody gave is drawn from the moment")]
    pub(super) fn told() -> Self {
        let number = |name: &str| {
            std::env::var(name)
                .ok()
                .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: `{text}`")))
        };
        let drawn = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64 % 1_000_000_000;
        Self { seed: number("WANE_SEED").unwrap_or_else(drawn), minutes: number("WANE_SOAK_MINUTES") }
    }
}

/// A stream of choices: SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug)]
pub(super) struct Chance(u64);

impl Chance {
    /// One stream of a seed; each has others.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ stream.wrapping_mul(0xD6E8_FEB8_6659_FD93))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `most`, which is not zero.
    pub(super) fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    /// One of these, each as often as its weight says.
    pub(super) fn weighed<T: Copy>(&mut self, from: &[(u64, T)]) -> T {
        let mut at = self.below(from.iter().map(|(weight, _)| weight).sum());
        for (weight, one) in from {
            match at.checked_sub(*weight) {
                Some(rest) => at = rest,
                None => return *one,
            }
        }
        unreachable!("the weights add up")
    }
}
