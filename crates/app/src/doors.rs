//! The doors of people who do not exist close like everybody's, so that a closed door tells nobody who exists.

use std::collections::HashMap;
use std::sync::Mutex;

use wane_domain::time::{Span, Time};

/// Failures before a door closes for a while.
const FREE_FAILURES: u32 = 5;
/// The longest it closes for.
const LONGEST_CLOSED: Span = Span::from_mins(15);
/// How many names that nobody has are remembered.
const MOST_STRANGERS: usize = 10_000;

/// Until when a door is closed after so many failures in a row: 5, 10, 20 … seconds from the fifth on.
pub(crate) fn closed_until(failures: u32, now: Time) -> Option<Time> {
    let over = failures.checked_sub(FREE_FAILURES)?;
    let secs = 1u64.checked_shl(over.min(20)).unwrap_or(u64::MAX).saturating_mul(5);
    Some(now.plus(Span::from_secs(secs).min(LONGEST_CLOSED)))
}

/// Failed sign-ins under names that nobody has. Forgotten at a restart, and when there are too many.
#[derive(Debug, Default)]
pub(crate) struct Strangers(Mutex<HashMap<String, (u32, Option<Time>)>>);

impl Strangers {
    /// Until when the door of this name is closed.
    pub(crate) fn closed(&self, name: &str, now: Time) -> Option<Time> {
        self.lock().get(name).and_then(|(_, until)| *until).filter(|until| now < *until)
    }

    /// One more failure under this name.
    pub(crate) fn failed(&self, name: &str, now: Time) {
        let mut doors = self.lock();
        if doors.len() >= MOST_STRANGERS && !doors.contains_key(name) {
            doors.retain(|_, (_, until)| until.is_some_and(|until| now < until));
            if doors.len() >= MOST_STRANGERS {
                doors.clear();
            }
        }
        let door = doors.entry(name.to_owned()).or_default();
        door.0 = door.0.saturating_add(1);
        door.1 = closed_until(door.0, now);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (u32, Option<Time>)>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(0);

    fn fails(doors: &Strangers, name: &str, times: u32) {
        (0..times).for_each(|_| doors.failed(name, NOW));
    }

    #[test]
    fn tries_under_other_names_open_no_door() {
        let doors = Strangers::default();
        fails(&doors, "one", 4);
        fails(&doors, "other", 1);
        fails(&doors, "one", 1);
        assert!(doors.closed("one", NOW).is_some() && doors.closed("other", NOW).is_none());
    }

    #[test]
    fn of_too_many_names_those_whose_door_is_closed_are_remembered() {
        for (secs, left) in [(4, 2), (5, 1)] {
            let (doors, later) = (Strangers::default(), NOW.plus(Span::from_secs(secs)));
            fails(&doors, "closed", 5);
            (1..MOST_STRANGERS).for_each(|n| fails(&doors, &n.to_string(), 1));
            assert_eq!(doors.lock().len(), MOST_STRANGERS);
            fails(&doors, "1", 1);
            assert_eq!(doors.lock().len(), MOST_STRANGERS, "one more of a name that is known");
            doors.failed("one more", later);
            assert_eq!(doors.lock().len(), left, "after {secs} s");
            assert_eq!(doors.closed("closed", later).is_some(), left == 2, "after {secs} s");
        }
    }
}
