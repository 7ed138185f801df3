//! The machine's clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use wane_domain::ambient::Clock;
use wane_domain::time::Time;

/// The machine's clock, made never to go backwards.
///
/// INVARIANT: within a process, `now` is never less than any `now` before it, on any thread: when the
/// machine's clock is set back, time stands still until it has caught up (held by `never_goes_backwards`).
/// Standing still errs on the side of ending access late by as much as the clock was set back, never of
/// beginning it twice; ends that were due stay due.
#[derive(Debug)]
pub struct SystemClock {
    latest: AtomicI64,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl SystemClock {
    /// A clock that has not been read.
    #[must_use]
    pub const fn new() -> Self {
        Self { latest: AtomicI64::new(i64::MIN) }
    }

    /// A clock that never shows less than `mark`: the latest moment an earlier process is known to have seen.
    #[must_use]
    pub const fn not_before(mark: Time) -> Self {
        Self { latest: AtomicI64::new(mark.micros()) }
    }

    /// The later of a reading and everything shown before.
    fn show(&self, reading: i64) -> Time {
        let before = self.latest.fetch_max(reading, Ordering::SeqCst);
        Time::from_micros(before.max(reading))
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock lives")]
    fn now(&self) -> Time {
        let reading = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |n| -n),
        };
        self.show(reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_goes_backwards() {
        let clock = SystemClock::new();
        for (reading, shown) in [(10, 10), (12, 12), (5, 12), (-1, 12), (12, 12), (13, 13)] {
            assert_eq!(clock.show(reading), Time::from_micros(shown), "after reading {reading}");
        }
        assert_eq!(SystemClock::not_before(Time::from_micros(100)).show(7), Time::from_micros(100));
    }

    #[test]
    fn threads_see_one_time() {
        let clock = SystemClock::new();
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    let mut last = clock.now();
                    for _ in 0..10_000 {
                        let now = clock.now();
                        assert!(now >= last);
                        last = now;
                    }
                });
            }
        });
    }

    #[test]
    fn shows_the_present() {
        let day: Time = "2025-01-01T00:00:00Z".parse().unwrap();
        assert!(SystemClock::new().now() > day);
    }
}
