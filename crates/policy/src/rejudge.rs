//! The judgement of a grant that lives, or is about to.
//!
//! It survives if some path's terms are already met by the approvals and proofs it holds. Its end
//! can come nearer by that, never further: the caller takes the earlier of the old end and the cap.

use std::collections::BTreeSet;

use wane_domain::decision::{Denial, Permit, Why};
use wane_domain::id::PersonId;
use wane_domain::terms::{Need, Stage, Terms};
use wane_domain::time::Span;

use crate::judge::{Case, Heard, deny};
use crate::path::{stale_proof, unserved};
use crate::query::AccessQuery;
use crate::set::{Compiled, PolicySet};

/// The approvals a grant holds, and how to tell whom a stage means today.
pub struct HeldApprovals<'a> {
    /// Who approved, at whichever stage. One person counts once.
    pub approvers: &'a BTreeSet<PersonId>,
    /// Who of them signed it with a key that counts. Of a path that asks for signatures only these have approved.
    pub signers: &'a BTreeSet<PersonId>,
    /// Whom a stage means: `World::approvers` with the holder and requester left out.
    pub meant: &'a dyn Fn(&Stage) -> BTreeSet<PersonId>,
}

impl std::fmt::Debug for HeldApprovals<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeldApprovals").field("approvers", &self.approvers).finish_non_exhaustive()
    }
}

/// What became of a grant judged again.
#[derive(Debug)]
pub enum Rejudged {
    /// It may go on, to at most this long after it was activated.
    Keep {
        /// The most it may last from activation, extensions included.
        cap: Span,
        /// The right to activate it, extend it or issue under it.
        permit: Permit,
    },
    /// It must end.
    Lost(Denial),
}

/// Judges a grant again over one snapshot.
///
/// The query's facts are what the grant holds: the duration it was granted, its justification and
/// ticket, the proof of identity it rests on (for the start of a session: the proof at hand). A cap
/// shorter than the duration shortens the grant; it does not end it.
#[must_use]
pub fn rejudge(set: &PolicySet, query: &AccessQuery<'_>, held: &HeldApprovals<'_>) -> Rejudged {
    match Case::open(set, query).and_then(|case| decide(&case, held)) {
        Ok(permit) => Rejudged::Keep { cap: permit.terms().max_ttl, permit },
        Err(denial) => Rejudged::Lost(*denial),
    }
}

fn decide(case: &Case<'_>, held: &HeldApprovals<'_>) -> Result<Permit, Box<Denial>> {
    if !case.forbids.is_empty() {
        return Err(case.forbidden(&case.forbids));
    }
    if case.paths.is_empty() {
        return Err(case.deny(vec![Why::NoPath]));
    }
    // The roomiest path first, up to what was granted, so that a grant is not cut short by a narrower one.
    let mut paths: Vec<&(&Compiled, &Terms)> = case.paths.iter().collect();
    let room = |terms: &Terms| terms.max_ttl.min(case.query.facts.duration);
    paths.sort_by_key(|(_, terms)| std::cmp::Reverse(room(terms)));
    let mut missing = Vec::new();
    let mut objections: Vec<&Compiled> = Vec::new();
    for (policy, terms) in paths {
        let lacks = lacks(terms, case.query, held);
        if !lacks.is_empty() {
            missing.extend(lacks.into_iter().filter(|why| !missing.contains(why)).collect::<Vec<_>>());
            continue;
        }
        match case.hear(policy, terms) {
            Heard::Nothing => return Ok(case.permit(policy, terms)),
            Heard::Objection(by) => objections.extend(by),
            Heard::Failure(why) => return Err(case.deny(vec![why])),
        }
    }
    let objected = case.forbidden(&objections);
    let reasons = objected.reasons.into_iter().chain(missing).collect();
    Err(deny(case.set, case.query, reasons, objected.basis.determining))
}

fn lacks(terms: &Terms, query: &AccessQuery<'_>, held: &HeldApprovals<'_>) -> Vec<Why> {
    let mut out: Vec<Why> = unserved(terms, query).into_iter().collect();
    out.extend(stale_proof(terms, query));
    if terms.justification == Need::Required && !query.facts.justified {
        out.push(Why::JustificationNeeded);
    }
    if terms.ticket == Need::Required && query.facts.ticket.is_none() {
        out.push(Why::TicketNeeded);
    }
    // INVARIANT: where signatures are asked for, what was not signed is no approval (held by
    // `where_signatures_are_asked_for_nothing_else_is_an_approval`).
    let approvers = if terms.signature == Need::Required { held.signers } else { held.approvers };
    if !met(&terms.stages, held.meant, approvers) {
        let stages = terms.stages.iter().map(ToString::to_string).collect::<Vec<_>>().join("; then ");
        let how = if terms.signature == Need::Required { ", each signed" } else { "" };
        out.push(Why::TermsNotMet { missing: format!("{stages}{how}") });
    }
    out
}

/// Whether the approvals held fill every stage, each person counted once over all of them.
///
/// Seats are filled one after another; who sits in a seat moves to another they fit if that makes
/// room (augmenting paths), so that the answer does not depend on the order of approvals.
fn met(stages: &[Stage], meant: &dyn Fn(&Stage) -> BTreeSet<PersonId>, approvers: &BTreeSet<PersonId>) -> bool {
    let seats: usize = stages.iter().map(|s| usize::from(s.quorum)).sum();
    if seats > approvers.len() {
        return false;
    }
    let seats: Vec<Vec<PersonId>> = stages
        .iter()
        .flat_map(|stage| {
            let fit: Vec<PersonId> = meant(stage).intersection(approvers).copied().collect();
            std::iter::repeat_n(fit, usize::from(stage.quorum))
        })
        .collect();
    let mut seated: Vec<(PersonId, usize)> = Vec::new();
    (0..seats.len()).all(|seat| sit(seat, &seats, &mut seated, &mut BTreeSet::new()))
}

fn sit(
    seat: usize,
    seats: &[Vec<PersonId>],
    seated: &mut Vec<(PersonId, usize)>,
    tried: &mut BTreeSet<PersonId>,
) -> bool {
    for person in seats.get(seat).into_iter().flatten() {
        if !tried.insert(*person) {
            continue;
        }
        let held = seated.iter().find(|(who, _)| who == person).map(|(_, at)| *at);
        if held.is_none_or(|at| sit(at, seats, seated, tried)) {
            seated.retain(|(who, _)| who != person);
            seated.push((*person, seat));
            return true;
        }
    }
    false
}
