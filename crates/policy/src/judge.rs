//! The judgement of an ask: which path to access applies, if any.
//!
//! INVARIANT: doubt is a no. A policy that fails denies, whether it would have permitted or
//! forbidden (held by `a_failing_policy_denies`). INVARIANT: terms of two paths are never mixed
//! (held by `one_path_is_taken_whole`).

use cedar_policy::{Effect, Request};
use wane_domain::decision::{Basis, Decision, Denial, Permit, Why};
use wane_domain::directory::Standing;
use wane_domain::evidence;
use wane_domain::terms::Terms;

use crate::path::{asks_less, needs, too_long, unserved};
use crate::query::AccessQuery;
use crate::schema::Action;
use crate::set::{Compiled, PolicySet, Said};
use crate::sheet::{Pairs, Scene, SheetError, access_context, digest, scene, with_terms};

/// Judges an ask over one snapshot. Locks are the caller's to look at: they are not policy.
///
/// Among the paths that are open, the one that asks least of people is taken, whole; the guardrails
/// then see its terms, and one that objects drops it for the next.
#[must_use]
pub fn judge(set: &PolicySet, query: &AccessQuery<'_>) -> Decision {
    Case::open(set, query).map_or_else(|no| Decision::Deny(*no), |case| case.decision())
}

/// A question with everything said about it before terms are known.
pub(crate) struct Case<'a> {
    pub(crate) set: &'a PolicySet,
    pub(crate) query: &'a AccessQuery<'a>,
    pub(crate) scene: Scene,
    /// What is said, spoken once: Cedar reads a moment by parsing it.
    facts: Pairs,
    pub(crate) candidates: Vec<usize>,
    /// The paths that are open, those that ask least first.
    pub(crate) paths: Vec<(&'a Compiled, &'a Terms)>,
    /// The guardrails that object whatever the terms.
    pub(crate) forbids: Vec<&'a Compiled>,
}

/// What the guardrails say to one path.
pub(crate) enum Heard<'a> {
    Nothing,
    Objection(Vec<&'a Compiled>),
    Failure(Why),
}

impl<'a> Case<'a> {
    pub(crate) fn open(set: &'a PolicySet, query: &'a AccessQuery<'a>) -> Result<Self, Box<Denial>> {
        if query.who.person.standing == Standing::Disabled {
            return Err(deny(set, query, vec![Why::Disabled], Vec::new()));
        }
        if query.role.kind != query.what.resource.kind {
            return Err(deny(set, query, vec![Why::NoPath], Vec::new()));
        }
        let (scene, facts, request) =
            prepare(set, query).map_err(|e| deny(set, query, vec![sheet_why(e)], Vec::new()))?;
        let candidates = set.index.slice(Action::Access, &scene.keys);
        let mut case = Self { set, query, scene, facts, candidates, paths: Vec::new(), forbids: Vec::new() };
        let mut failures = Vec::new();
        for policy in case.policies() {
            match (set.ask(policy, &request, &case.scene.entities), policy.effect, policy.terms()) {
                (Said::Failed(message), _, _) => failures.push(Why::PolicyError { policy: policy.id.clone(), message }),
                (Said::Applies, Effect::Permit, Some(terms)) => case.paths.push((policy, terms)),
                // A guardrail that speaks of terms is heard when there are some.
                (Said::Applies, Effect::Forbid, _) if !policy.speaks_of_terms => case.forbids.push(policy),
                (Said::Applies | Said::Nothing, _, _) => {}
            }
        }
        if !failures.is_empty() {
            let determining = failed(&failures);
            return Err(deny(set, query, failures, determining));
        }
        case.paths.sort_by(|a, b| asks_less(*a, *b));
        Ok(case)
    }

    pub(crate) fn policies(&self) -> Vec<&'a Compiled> {
        let set = self.set;
        self.candidates.iter().filter_map(|at| set.policies.get(*at)).collect()
    }

    pub(crate) fn decision(&self) -> Decision {
        self.decide().map_or_else(|no| Decision::Deny(*no), Decision::Permit)
    }

    fn decide(&self) -> Result<Permit, Box<Denial>> {
        if !self.forbids.is_empty() {
            return Err(self.forbidden(&self.forbids));
        }
        if self.paths.is_empty() {
            return Err(self.deny(vec![Why::NoPath]));
        }
        let fits: Vec<_> = self.paths.iter().filter(|(_, t)| too_long(t, self.query).is_none()).collect();
        if fits.is_empty() {
            let most = self.paths.iter().map(|(_, t)| t.max_ttl.micros()).max().unwrap_or(0);
            return Err(self.deny(vec![Why::TooLong { most_micros: most }]));
        }
        let served: Vec<_> = fits.iter().filter(|(_, t)| unserved(t, self.query).is_none()).collect();
        if served.is_empty() {
            return Err(self.deny(fits.iter().filter_map(|(_, t)| unserved(t, self.query)).take(1).collect()));
        }
        let mut objections: Vec<&Compiled> = Vec::new();
        let mut lacking = None;
        for (policy, terms) in served {
            let lacks = needs(terms, self.query);
            if !lacks.is_empty() {
                lacking.get_or_insert(lacks);
                continue;
            }
            match self.hear(policy, terms) {
                Heard::Nothing => return Ok(self.permit(policy, terms)),
                Heard::Objection(by) => objections.extend(by),
                Heard::Failure(why) => return Err(deny(self.set, self.query, vec![why.clone()], failed(&[why]))),
            }
        }
        // What the asker can still supply comes first; it may open the other path.
        let mut reasons = lacking.unwrap_or_default();
        let objected = self.forbidden(&objections);
        for why in objected.reasons {
            if !reasons.contains(&why) {
                reasons.push(why);
            }
        }
        Err(deny(self.set, self.query, reasons, objected.basis.determining))
    }

    /// What is said of a path once its terms are in the context. Only those who can see them are asked again.
    ///
    /// INVARIANT: asking the others again would change nothing (held by
    /// `asked_once_or_twice_the_answer_is_the_same`).
    pub(crate) fn hear(&self, path: &Compiled, terms: &Terms) -> Heard<'a> {
        let mut objections = self.forbids.clone();
        let mut stands = !path.speaks_of_terms;
        let again: Vec<&Compiled> = self.policies().into_iter().filter(|policy| policy.speaks_of_terms).collect();
        if !again.is_empty() {
            let request = with_terms(&self.facts, terms).and_then(|pairs| self.scene.request(Action::Access, pairs));
            let request = match request {
                Ok(request) => request,
                Err(e) => return Heard::Failure(sheet_why(e)),
            };
            for policy in again {
                match (self.set.ask(policy, &request, &self.scene.entities), policy.effect) {
                    (Said::Failed(message), _) => {
                        return Heard::Failure(Why::PolicyError { policy: policy.id.clone(), message });
                    }
                    (Said::Applies, Effect::Forbid) => objections.push(policy),
                    (Said::Applies, Effect::Permit) => stands |= policy.id == path.id,
                    (Said::Nothing, _) => {}
                }
            }
            // In the order of the text, as whoever is told of them reads it.
            objections.sort_by_key(|policy| policy.line);
        }
        match (objections.is_empty(), stands) {
            (true, true) => Heard::Nothing,
            (false, _) => Heard::Objection(objections),
            (true, false) => Heard::Failure(Why::PolicyError {
                policy: path.id.clone(),
                message:
                    "the path no longer applies once its own terms are known; write conditions on terms as a forbid"
                        .to_owned(),
            }),
        }
    }

    pub(crate) fn permit(&self, policy: &Compiled, terms: &Terms) -> Permit {
        let mut basis = basis(self.set, self.query, vec![policy.id.clone()]);
        basis.path = Some(policy.id.clone());
        evidence::permit(terms.clone(), basis, self.query.who.person.stay.until)
    }

    pub(crate) fn deny(&self, reasons: Vec<Why>) -> Box<Denial> {
        deny(self.set, self.query, reasons, Vec::new())
    }

    pub(crate) fn forbidden(&self, by: &[&Compiled]) -> Box<Denial> {
        let reasons =
            by.iter().map(|p| Why::Forbidden { policy: p.id.clone(), reason: p.reason().map(str::to_owned) }).collect();
        deny(self.set, self.query, reasons, by.iter().map(|p| p.id.clone()).collect())
    }
}

fn prepare(set: &PolicySet, query: &AccessQuery<'_>) -> Result<(Scene, Pairs, Request), SheetError> {
    let scene = scene(query, &set.parts)?;
    let facts = access_context(query)?;
    let request = scene.request(Action::Access, facts.clone())?;
    Ok((scene, facts, request))
}

fn sheet_why(e: SheetError) -> Why {
    match e {
        SheetError::UnknownKind(kind) => Why::CannotServe { what: format!("kind `{kind}`") },
        SheetError::Unspeakable(message) => Why::PolicyError { policy: "facts".to_owned(), message },
    }
}

fn failed(reasons: &[Why]) -> Vec<String> {
    let policy = |why: &Why| match why {
        Why::PolicyError { policy, .. } => Some(policy.clone()),
        _ => None,
    };
    reasons.iter().filter_map(policy).collect()
}

fn basis(set: &PolicySet, query: &AccessQuery<'_>, mut determining: Vec<String>) -> Basis {
    determining.sort();
    determining.dedup();
    Basis { policy_set: set.digest, path: None, determining, facts: digest(query), at: query.facts.moment.now }
}

pub(crate) fn deny(
    set: &PolicySet,
    query: &AccessQuery<'_>,
    reasons: Vec<Why>,
    determining: Vec<String>,
) -> Box<Denial> {
    Box::new(Denial { basis: basis(set, query, determining), reasons })
}
