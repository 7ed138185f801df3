//! The two ambient powers, as traits: what time it is, and what nobody can guess.
//!
//! `runtime` implements them over the machine, `testkit` over a fake; nothing else does.

use std::fmt;
use std::sync::Arc;

use crate::id::TypedId;
use crate::time::Time;

/// Says what time it is.
pub trait Clock: Send + Sync {
    /// The present moment, UTC.
    fn now(&self) -> Time;
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
