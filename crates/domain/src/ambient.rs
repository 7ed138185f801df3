//! The two ambient powers, as traits: what time it is, and what nobody can guess.
//!
//! `runtime` implements them over the machine, `testkit` over a fake; nothing else does.

use std::fmt;
use std::sync::Arc;

use crate::id::TypedId;
use crate::time::{Span, Time};

/// How far a machine's clock may be behind what was seen before: corrections by network time are smaller.
pub const TOLERANCE: Span = Span::from_secs(2);

/// Says what time it is.
pub trait Clock: Send + Sync {
    /// The present moment, UTC.
    fn now(&self) -> Time;

    /// How far the machine's own clock is behind [`now`](Self::now): it was set back, now or before it was read.
    fn behind(&self) -> Span {
        Span::ZERO
    }

    /// Somebody is known to have seen this moment, so it is over.
    fn saw(&self, _at: Time) {}

    /// Nothing is left that standing time could prolong: a machine that is behind may be waited for.
    fn let_stand(&self) {}
}

/// Yields bytes nobody can guess.
pub trait Entropy: Send + Sync {
    /// Fills all of `buf`.
    fn fill(&self, buf: &mut [u8]);
}

/// Both powers together, handed down from the binary.
#[derive(Clone)]
pub struct Ambient {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Ambient {
    /// Joins a clock and a source of entropy.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy }
    }

    /// The present moment, UTC.
    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// How far the machine's own clock is behind [`now`](Self::now).
    #[must_use]
    pub fn behind(&self) -> Span {
        self.clock.behind()
    }

    /// Somebody is known to have seen this moment, so it is over.
    pub fn saw(&self, at: Time) {
        self.clock.saw(at);
    }

    /// Nothing is left that standing time could prolong.
    pub fn let_stand(&self) {
        self.clock.let_stand();
    }

    /// `N` unguessable bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.entropy.fill(&mut out);
        out
    }

    /// Fills `buf` with unguessable bytes.
    pub fn fill(&self, buf: &mut [u8]) {
        self.entropy.fill(buf);
    }

    /// A fresh id: 48 bits of time, 74 bits of entropy (UUID version 7).
    #[must_use]
    pub fn id<T: TypedId>(&self) -> T {
        T::mint(self.now(), &self.bytes())
    }
}

impl fmt::Debug for Ambient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ambient").finish_non_exhaustive()
    }
}
