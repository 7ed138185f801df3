//! The machine's clock, made never to go backwards and never to prolong anything.
//!
//! Owns: what is shown when the machine's clock jumps. Refuses to know: who asks, and what is refused
//! while the clock is wrong.
//!
//! Two things are read: the time of day, which anybody may set, and a counter that nobody can. The
//! counter draws a line through the latest time of day that was seen. Time of day before that line
//! means a clock that was set back; what is shown then is the line, so that everything ends when it
//! would have ended anyway.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use wane_domain::ambient::{Clock, TOLERANCE};
use wane_domain::time::{Span, Time};

/// The line runs slower than the counter by one part in so many (122 millionths, about what a quartz is
/// off): small corrections backwards are forgotten in time instead of adding up. Eight hours come out
/// 3.5 s longer at the most, and only while the machine's clock is wrong.
const SLACK: i64 = 8_192;

/// What a machine says about time, in microseconds.
pub trait Readings: Send + Sync {
    /// The time of day, since the Unix epoch.
    fn wall(&self) -> i64;
    /// Since some moment that stays the same; never goes back, and counts while the machine sleeps.
    fn ticks(&self) -> i64;
}

/// The machine we run on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Machine;

impl Readings for Machine {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock lives")]
    fn wall(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |n| -n),
        }
    }

    fn ticks(&self) -> i64 {
        // Without a counter the time of day alone is gone by; it never shows less than before either.
        let read = nix::time::clock_gettime(COUNTER).unwrap_or_else(|_| nix::sys::time::TimeSpec::new(0, 0));
        read.tv_sec().saturating_mul(1_000_000).saturating_add(read.tv_nsec() / 1_000)
    }
}

/// On Linux the one that counts on while the machine is suspended.
#[cfg(target_os = "linux")]
const COUNTER: nix::time::ClockId = nix::time::ClockId::CLOCK_BOOTTIME;
#[cfg(not(target_os = "linux"))]
const COUNTER: nix::time::ClockId = nix::time::ClockId::CLOCK_MONOTONIC;

/// The machine's clock.
///
/// INVARIANT: `now` is never less than any `now` before it, on any thread, and time passes at least as
/// fast as the counter counts, but for [`TOLERANCE`]: a clock that is set back prolongs nothing (held by
/// `a_clock_set_back_is_run_on_without`, `threads_see_one_time`).
#[derive(Debug)]
pub struct SystemClock<R = Machine> {
    machine: R,
    state: Mutex<State>,
}

impl SystemClock {
    /// The clock of the machine we run on, not yet read.
    #[must_use]
    pub const fn new() -> Self {
        Self::over(Machine)
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> SystemClock<R> {
    /// A clock over other readings, not yet read.
    #[must_use]
    pub const fn over(machine: R) -> Self {
        Self { machine, state: Mutex::new(State { shown: i64::MIN, line: None }) }
    }
}

impl<R: Readings> SystemClock<R> {
    fn with<T>(&self, ask: impl FnOnce(&mut State, i64, i64) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, so that two threads do not show their readings in the other order.
        ask(&mut state, self.machine.wall(), self.machine.ticks())
    }
}

impl<R: Readings> Clock for SystemClock<R> {
    fn now(&self) -> Time {
        Time::from_micros(self.with(State::show))
    }

    fn behind(&self) -> Span {
        let micros = self.with(|state, wall, ticks| {
            state.show(wall, ticks);
            state.line_at(ticks).unwrap_or(state.shown).saturating_sub(wall)
        });
        Span::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    fn saw(&self, at: Time) {
        self.with(|state, wall, ticks| {
            state.show(wall, ticks);
            state.lead(at.micros(), ticks);
            state.shown = state.shown.max(at.micros());
        });
    }

    fn let_stand(&self) {
        self.with(|state, wall, ticks| {
            if state.show(wall, ticks) > wall {
                state.line = None;
            }
        });
    }
}

/// What was shown, and what the counter makes of it.
#[derive(Debug)]
struct State {
    shown: i64,
    /// A time and the ticks at which it was; none before the first reading and while time may stand.
    line: Option<(i64, i64)>,
}

impl State {
    fn line_at(&self, ticks: i64) -> Option<i64> {
        let (time, at) = self.line?;
        let passed = ticks.saturating_sub(at).max(0);
        Some(time.saturating_add(passed - passed / SLACK))
    }

    /// Whatever is later than the line is the line from then on.
    fn lead(&mut self, time: i64, ticks: i64) {
        if self.line_at(ticks).is_none_or(|line| time >= line) && time >= self.shown {
            self.line = Some((time, ticks));
        }
    }

    fn show(&mut self, wall: i64, ticks: i64) -> i64 {
        self.lead(wall, ticks);
        let tolerance = i64::try_from(TOLERANCE.micros()).unwrap_or(0);
        let now = self.line_at(ticks).filter(|line| line.saturating_sub(wall) > tolerance).unwrap_or(wall);
        self.shown = self.shown.max(now);
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    const SECOND: i64 = 1_000_000;
    const HOUR: i64 = 3_600 * SECOND;
    const DAY: i64 = 24 * HOUR;

    /// A machine whose readings are set by hand.
    #[derive(Default)]
    struct ByHand {
        wall: AtomicI64,
        ticks: AtomicI64,
    }

    impl Readings for &ByHand {
        fn wall(&self) -> i64 {
            self.wall.load(Ordering::SeqCst)
        }
        fn ticks(&self) -> i64 {
            self.ticks.load(Ordering::SeqCst)
        }
    }

    impl ByHand {
        fn at(wall: i64) -> Self {
            Self { wall: AtomicI64::new(wall), ticks: AtomicI64::new(77) }
        }
        /// Time passes, as on a machine that is in order.
        fn pass(&self, micros: i64) {
            self.wall.fetch_add(micros, Ordering::SeqCst);
            self.ticks.fetch_add(micros, Ordering::SeqCst);
        }
        /// Somebody sets the clock.
        fn jump(&self, micros: i64) {
            self.wall.fetch_add(micros, Ordering::SeqCst);
        }
    }

    fn about(shown: Time, expected: i64) {
        let slack = (shown.micros() - expected).abs();
        assert!(slack <= DAY / SLACK, "{shown} is not {}", Time::from_micros(expected));
    }

    #[test]
    fn a_clock_set_back_is_run_on_without() {
        for back in [3 * SECOND, HOUR, DAY, 400 * DAY] {
            let machine = ByHand::at(1_000 * DAY);
            let clock = SystemClock::over(&machine);
            let begun = clock.now().micros();
            machine.pass(HOUR);
            machine.jump(-back);
            let before = clock.now();
            about(before, begun + HOUR);
            assert!(clock.behind() > TOLERANCE, "{back}");
            for passed in 1..=8 {
                machine.pass(HOUR);
                about(clock.now(), begun + HOUR + passed * HOUR);
            }
            // Put right again: all is as if nothing had been.
            machine.jump(back);
            about(clock.now(), begun + 9 * HOUR);
            assert_eq!(clock.behind(), Span::ZERO);
        }
    }

    /// Also if nobody looks while it happens, and if it is done bit by bit.
    #[test]
    fn steps_back_add_up() {
        let machine = ByHand::at(1_000 * DAY);
        let clock = SystemClock::over(&machine);
        let begun = clock.now().micros();
        for _ in 0..60 {
            machine.pass(60 * SECOND);
            machine.jump(-SECOND);
            clock.now();
        }
        about(clock.now(), begun + HOUR);
        assert!(clock.behind() > TOLERANCE);
        machine.pass(HOUR);
        machine.jump(-HOUR / 2);
        about(clock.now(), begun + 2 * HOUR);
    }

    #[test]
    fn small_corrections_pass() {
        let machine = ByHand::at(1_000 * DAY);
        let clock = SystemClock::over(&machine);
        let before = clock.now();
        machine.jump(-2 * SECOND);
        assert_eq!(clock.now(), before, "time went back");
        assert!(clock.behind() <= TOLERANCE);
        machine.pass(3 * SECOND);
        assert_eq!(clock.now().micros(), before.micros() + SECOND, "it did not wait for the machine");
        // Forgotten in time: another one, hours later, is as small.
        machine.pass(6 * HOUR);
        machine.jump(-SECOND);
        assert!(clock.behind() <= TOLERANCE, "{}", clock.behind());
    }

    /// A suspended machine wakes to a later time of day; so does one whose clock is set ahead.
    #[test]
    fn a_jump_ahead_is_time_that_passed() {
        let machine = ByHand::at(1_000 * DAY);
        let clock = SystemClock::over(&machine);
        let begun = clock.now().micros();
        machine.jump(DAY);
        assert_eq!(clock.now().micros(), begun + DAY);
        assert_eq!(clock.behind(), Span::ZERO);
        // Suspended, and set back by as much as it slept: the counter knows.
        machine.ticks.fetch_add(HOUR, Ordering::SeqCst);
        about(clock.now(), begun + DAY + HOUR);
    }

    #[test]
    fn what_was_seen_before_is_where_time_begins() {
        let machine = ByHand::at(1_000 * DAY);
        let clock = SystemClock::over(&machine);
        let mark = Time::from_micros(1_001 * DAY);
        clock.saw(mark);
        assert_eq!(clock.now(), mark);
        assert_eq!(clock.behind(), Span::from_hours(24));
        machine.pass(HOUR);
        about(clock.now(), mark.micros() + HOUR);
        clock.saw(Time::from_micros(5));
        about(clock.now(), mark.micros() + HOUR);
    }

    /// A clock that was ahead and is right now: once nothing can be prolonged, time waits for it.
    #[test]
    fn time_stands_only_when_it_is_let_and_only_until_the_machine_is_there() {
        let machine = ByHand::at(1_000 * DAY);
        let clock = SystemClock::over(&machine);
        clock.let_stand();
        machine.jump(-HOUR);
        let stood = clock.now();
        clock.let_stand();
        machine.pass(HOUR / 2);
        assert_eq!((clock.now(), clock.behind().secs()), (stood, 1_800));
        machine.pass(HOUR / 2);
        assert_eq!((clock.now(), clock.behind()), (stood, Span::ZERO));
        machine.pass(HOUR);
        assert_eq!(clock.now(), stood.plus(Span::from_hours(1)));
        machine.jump(-HOUR);
        machine.pass(HOUR);
        about(clock.now(), stood.micros() + 2 * HOUR);
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
        let clock = SystemClock::new();
        assert!(clock.now() > day);
        // Two things are read one after the other, each to the microsecond.
        assert!(clock.behind() <= TOLERANCE, "{}", clock.behind());
        let begun = Machine.ticks();
        assert!(begun > 0 && Machine.ticks() >= begun);
    }
}
