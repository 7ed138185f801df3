//! A clock that stands still until told, and entropy that repeats.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use wane_domain::ambient::{Ambient, Clock, Entropy};
use wane_domain::time::{Span, Time};

/// A clock set by hand. Share it through an [`Arc`]; all holders see the same moment.
#[derive(Debug)]
pub struct FakeClock(AtomicI64);

impl FakeClock {
    pub fn at(now: Time) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(now.micros())))
    }

    /// Jumps, forwards or backwards.
    pub fn set(&self, now: Time) {
        self.0.store(now.micros(), Ordering::SeqCst);
    }

    /// Goes forwards by `span` and returns the new moment.
    pub fn advance(&self, span: Span) -> Time {
        let step = i64::try_from(span.micros()).unwrap_or(i64::MAX);
        let before = self.0.fetch_add(step, Ordering::SeqCst);
        Time::from_micros(before.wrapping_add(step))
    }

    /// This clock together with entropy from `seed`.
    pub fn ambient(self: &Arc<Self>, seed: u64) -> Ambient {
        let clock: Arc<Self> = Arc::clone(self);
        Ambient::new(clock, SeededEntropy::new(seed))
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Time {
        Time::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// The same bytes in the same order for the same seed. Guessable by design: for tests only.
#[derive(Debug)]
pub struct SeededEntropy(AtomicU64);

impl SeededEntropy {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }

    /// One step of SplitMix64 (Steele, Lea, Flood 2014): its state is a plain counter, so one
    /// atomic addition is all that several threads need.
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let state = self.0.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buf: &mut [u8]) {
        for chunk in buf.chunks_mut(8) {
            for (to, from) in chunk.iter_mut().zip(self.next().to_le_bytes()) {
                *to = from;
            }
        }
    }
}
