//! Why: which policies spoke, what is missing, under which terms it would be yes.

use serde::{Deserialize, Serialize};
use wane_domain::decision::{Basis, Decision, Why};
use wane_domain::terms::Terms;

use crate::judge::{Case, Heard};
use crate::path::unmet;
use crate::query::AccessQuery;
use crate::schema::Action;
use crate::set::PolicySet;

/// Most paths for other people an explanation lists.
pub const MOST_OTHERS: usize = 20;

/// The whole story of one decision, past or hypothetical.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What was decided.
    pub verdict: Verdict,
    /// What it rests on.
    pub basis: Basis,
    /// Paths about this person and resource, those that are open first, those that ask least first
    /// among them; then paths about this resource for other people.
    pub paths: Vec<PathReport>,
    /// Guardrails that object.
    pub forbids: Vec<ForbidReport>,
    /// How many policies were looked at.
    pub candidates: usize,
    /// How many the set has.
    pub of: usize,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// Yes, by a path, under its terms.
    Permit {
        /// The path.
        path: String,
        /// Its terms.
        terms: Box<Terms>,
    },
    /// No.
    Deny {
        /// Why, most useful first.
        reasons: Vec<Why>,
    },
}

/// One path to access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathReport {
    /// The policy.
    pub policy: String,
    /// The line it stands on.
    pub line: Option<u64>,
    /// What it says of itself.
    pub description: Option<String>,
    /// Whether its scope (person or group, resource, label) fits. If not, it is for other people.
    pub scope_matches: bool,
    /// Whether its conditions hold as well, so that the path is open.
    pub satisfied: bool,
    /// What stands between this ask and an open path.
    pub unmet: Vec<Why>,
    /// Its terms.
    pub terms: Terms,
}

/// One guardrail that objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForbidReport {
    /// The policy.
    pub policy: String,
    /// The line it stands on.
    pub line: Option<u64>,
    /// What it says of itself.
    pub description: Option<String>,
    /// What people are told.
    pub reason: Option<String>,
    /// The path it objects to; none if it objects whatever the path.
    pub to_path: Option<String>,
}

/// Explains a decision. The verdict is that of [`judge`](crate::judge::judge), over the case that it is explained from: an
/// explanation cannot say otherwise.
#[must_use]
pub fn why(set: &PolicySet, query: &AccessQuery<'_>) -> Explanation {
    let (decision, case) = match Case::open(set, query) {
        Ok(case) => (case.decision(), Some(case)),
        Err(no) => (Decision::Deny(*no), None),
    };
    let (verdict, basis) = match decision {
        Decision::Permit(permit) => {
            let path = permit.basis().path.clone().unwrap_or_default();
            (Verdict::Permit { path, terms: Box::new(permit.terms().clone()) }, permit.basis().clone())
        }
        Decision::Deny(denial) => (Verdict::Deny { reasons: denial.reasons }, denial.basis),
    };
    let mut out = Explanation { verdict, basis, paths: Vec::new(), forbids: Vec::new(), candidates: 0, of: set.len() };
    let Some(case) = case else { return out };
    out.candidates = case.candidates.len();
    let forbid = |policy: &crate::set::Compiled, to_path: Option<String>| ForbidReport {
        policy: policy.id.clone(),
        line: policy.line,
        description: policy.description.clone(),
        reason: policy.reason().map(str::to_owned),
        to_path,
    };
    let path = |policy: &crate::set::Compiled, terms: &Terms, scope_matches, satisfied| PathReport {
        policy: policy.id.clone(),
        line: policy.line,
        description: policy.description.clone(),
        scope_matches,
        satisfied,
        unmet: unmet(terms, query),
        terms: terms.clone(),
    };
    out.forbids.extend(case.forbids.iter().map(|p| forbid(p, None)));
    for (policy, terms) in &case.paths {
        out.paths.push(path(policy, terms, true, true));
        if let Heard::Objection(by) = case.hear(policy, terms) {
            let new = by.into_iter().filter(|p| !case.forbids.iter().any(|known| known.id == p.id));
            out.forbids.extend(new.map(|p| forbid(p, Some(policy.id.clone()))));
        }
    }
    for policy in case.policies() {
        if let Some(terms) = policy.terms().filter(|_| !case.paths.iter().any(|(open, _)| open.id == policy.id)) {
            out.paths.push(path(policy, terms, true, false));
        }
    }
    let others = set.index.for_others(Action::Access, &case.scene.keys);
    for policy in others.filter_map(|at| set.policies.get(at)) {
        if let Some(terms) = policy.terms() {
            out.paths.push(path(policy, terms, false, false));
        }
        if out.paths.iter().filter(|p| !p.scope_matches).count() >= MOST_OTHERS {
            break;
        }
    }
    out
}
