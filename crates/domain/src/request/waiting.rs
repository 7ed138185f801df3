//! What happens to a request while nobody decides: more people are asked, those who are asked are reminded, it lapses.

use serde_json::json;

use super::AccessRequest;
use crate::time::{Span, Time};
use crate::transition::{Fact, IllegalTransition};

/// When those who are asked are reminded, in hundredths of how long it may wait, for what may wait at least so long;
/// the first that fits.
const REMINDERS: &[(Span, &[u64])] =
    &[(Span::from_hours(8), &[25, 50, 75, 95]), (Span::from_hours(1), &[50, 90]), (Span::from_mins(10), &[50])];

impl AccessRequest {
    /// When something happens to it by itself; never, where nothing of it waits.
    #[must_use]
    pub fn due(&self) -> Option<Time> {
        if !self.is_waiting() {
            return None;
        }
        let escalations = self.items.iter().filter_map(|item| Some(item.next_escalation(self.at)?.2));
        escalations.chain(self.next_reminder()).chain([self.lapses]).min()
    }

    /// When whoever is asked is reminded next.
    #[must_use]
    pub fn next_reminder(&self) -> Option<Time> {
        self.reminders().get(usize::from(self.reminded)).copied()
    }

    fn reminders(&self) -> Vec<Time> {
        let window = self.lapses.since(self.at);
        let steps = REMINDERS.iter().find(|(least, _)| window >= *least).map_or(&[][..], |(_, steps)| steps);
        let at = |step: &u64| self.at.plus(Span::from_micros(window.micros() / 100 * step));
        steps.iter().map(at).collect()
    }

    /// Says that it still waits. Of reminders that were missed the last is said, and not all of them.
    ///
    /// # Errors
    /// When nothing waits, or the next reminder is not due.
    pub fn remind(mut self, now: Time) -> Result<(Self, Fact), IllegalTransition> {
        let due = self.reminders().iter().filter(|at| **at <= now).count();
        let due = u16::try_from(due).unwrap_or(u16::MAX);
        if !self.is_waiting() || due <= self.reminded || now >= self.lapses {
            return Err(IllegalTransition {
                aggregate: "request",
                state: self.state_name(),
                event: "be reminded of",
                detail: Some("nobody is to be reminded now".to_owned()),
            });
        }
        self.data.reminded = due;
        let fact = Fact::new("request.still_waiting", json!({ "request": self.id, "reminder": due }));
        Ok((self, fact))
    }
}
