//! What is said before an end, and when: scaled to how long there is.

use wane_audit::Record;
use wane_domain::grant::GrantState;
use wane_domain::id::{DeliveryId, PersonId};
use wane_domain::time::{Span, Time};

use crate::delivery::Only;
use crate::ids::delivery_id;
use crate::kind::Kind;
use crate::notice::Notice;
use crate::said::Seen;
use crate::said::told::Told;

/// How long before an end it is said, for what lasts at least so long; the first that fits.
const STEPS: &[(Span, &[Span])] = &[
    (Span::from_hours(8), &[Span::from_hours(1), Span::from_mins(10)]),
    (Span::from_hours(1), &[Span::from_mins(10)]),
    (Span::from_mins(10), &[Span::from_mins(2)]),
];

/// Something that is said before an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What.
    pub notice: Notice,
    /// To whom.
    pub to: PersonId,
    /// When.
    pub due: Time,
    /// When it is too late: the next is said, or it is over.
    pub expires: Time,
    /// What must still be so.
    pub only: Only,
}

impl Warning {
    /// Its id over a channel: of this grant, this end, this step.
    #[must_use]
    pub fn id(&self, channel: &str) -> DeliveryId {
        let cause = match self.only {
            Only::Ends(grant, end) => format!("{grant}/{}/{}", end.micros(), self.due.micros()),
            Only::Waits(request) => format!("{request}/{}", self.due.micros()),
        };
        delivery_id(self.due, &cause, Kind::EndingSoon.word(), channel, "")
    }
}

/// What is to be said before the end that a record sets. Nothing where the grant has another end by now.
#[must_use]
pub fn before_end(record: &Record, seen: &Seen<'_>) -> Vec<Warning> {
    if !["grant.activated", "grant.extended", "grant.shortened"].contains(&record.event.as_str()) {
        return Vec::new();
    }
    let Some(grant) = seen.grant else { return Vec::new() };
    let GrantState::Active { end, .. } = grant.state else { return Vec::new() };
    let said = record.detail.get("end").and_then(|at| serde_json::from_value::<Time>(at.clone()).ok());
    if said != Some(end) {
        return Vec::new();
    }
    let told = Told { record, seen: *seen };
    let steps = steps(end.since(record.at));
    let mut warnings = Vec::new();
    for (index, before) in steps.iter().enumerate() {
        let Some(notice) = told.soon(end, *before) else { continue };
        let next = steps.get(index + 1).map_or(end, |next| end.minus(*next));
        warnings.push(Warning {
            notice: Notice { at: end.minus(*before), ..notice },
            to: grant.holder,
            due: end.minus(*before),
            expires: next,
            only: Only::Ends(grant.id, end),
        });
    }
    warnings
}

fn steps(lasts: Span) -> &'static [Span] {
    STEPS.iter().find(|(least, _)| lasts >= *least).map_or(&[], |(_, steps)| steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_are_scaled_to_what_there_is() {
        for (mins, before) in [
            (0, vec![]),
            (9, vec![]),
            (10, vec![2]),
            (59, vec![2]),
            (60, vec![10]),
            (479, vec![10]),
            (480, vec![60, 10]),
        ] {
            let steps: Vec<u64> = steps(Span::from_mins(mins)).iter().map(|step| step.secs() / 60).collect();
            assert_eq!(steps, before, "{mins} min");
        }
    }
}
