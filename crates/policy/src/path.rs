//! One satisfied path: what it still asks for, and how much it asks.

use std::cmp::Ordering;

use wane_domain::decision::Why;
use wane_domain::terms::{Mode, Need, Terms};

use crate::query::{AccessQuery, Ways};
use crate::set::Compiled;

/// What stands between an ask and a path that is otherwise open, in the order people should hear of it.
pub(crate) fn unmet(terms: &Terms, query: &AccessQuery<'_>) -> Vec<Why> {
    let mut out = Vec::new();
    out.extend(too_long(terms, query));
    out.extend(unserved(terms, query));
    out.extend(needs(terms, query));
    out
}

/// Longer than the path allows.
pub(crate) fn too_long(terms: &Terms, query: &AccessQuery<'_>) -> Option<Why> {
    (query.facts.duration > terms.max_ttl).then(|| Why::TooLong { most_micros: terms.max_ttl.micros() })
}

/// Something this deployment cannot do.
pub(crate) fn unserved(terms: &Terms, query: &AccessQuery<'_>) -> Option<Why> {
    let what = if terms.recording == Need::Required && !(query.serves.recording && query.serves.brokered) {
        "recorded sessions"
    } else if (terms.mode == Mode::Brokered || query.ways == Ways::GatewayOnly) && !query.serves.brokered {
        "sessions through the gateway"
    } else if terms.mode == Mode::Direct && query.ways == Ways::GatewayOnly {
        "this role or task without the gateway"
    } else {
        return None;
    };
    Some(Why::CannotServe { what: what.to_owned() })
}

/// What the asker can still supply.
pub(crate) fn needs(terms: &Terms, query: &AccessQuery<'_>) -> Vec<Why> {
    let facts = &query.facts;
    let mut out = Vec::new();
    if terms.justification == Need::Required && !facts.justified {
        out.push(Why::JustificationNeeded);
    }
    if terms.ticket == Need::Required && facts.ticket.is_none() {
        out.push(Why::TicketNeeded);
    }
    out.extend(stale_proof(terms, query));
    out
}

/// A proof of identity older than the path takes.
pub(crate) fn stale_proof(terms: &Terms, query: &AccessQuery<'_>) -> Option<Why> {
    terms
        .step_up
        .filter(|most| query.facts.proof.age > *most)
        .map(|most| Why::StepUpNeeded { max_age_micros: most.micros() })
}

/// Which of two paths asks less of people: the first in this order applies, and two are never mixed.
pub(crate) fn asks_less(a: (&Compiled, &Terms), b: (&Compiled, &Terms)) -> Ordering {
    let key = |t: &Terms| {
        let quorum: u32 = t.stages.iter().map(|s| u32::from(s.quorum)).sum();
        (t.stages.len(), quorum, (t.signature, t.step_up.is_some()), t.recording, t.mode, t.reproof.is_some())
    };
    key(a.1).cmp(&key(b.1)).then_with(|| a.0.id.cmp(&b.0.id))
}
