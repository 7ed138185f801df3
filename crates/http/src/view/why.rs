//! Reasons: what policy said, path by path, and what it asks.

use wane_api::policy::{PolicyChecked, PolicyProblem};
use wane_api::why::{AskableView, ForbidView, NarrowerView, Outcome, PathView, WhyView};
use wane_app::{Askable, Checked, WhyAnswer};
use wane_domain::terms::{Mode, Need, Terms};
use wane_policy::explain::{PathReport, Verdict};

use super::{Names, catalogue, span};

pub(crate) fn why(names: Names<'_>, answer: WhyAnswer) -> WhyView {
    let (outcome, mut reasons) = match &answer.explanation.verdict {
        Verdict::Permit { terms, .. } => (outcome(Some(terms)), Vec::new()),
        Verdict::Deny { reasons } => (Outcome::Denied, reasons.iter().map(ToString::to_string).collect()),
    };
    let outcome = match answer.lock {
        Some(lock) => {
            reasons.insert(0, format!("it is locked (`{lock}`)"));
            Outcome::Denied
        }
        None => outcome,
    };
    let mut who_could_approve = names.people(answer.who_could.into_iter().flatten());
    who_could_approve.dedup();
    let forbid =
        |f: wane_policy::explain::ForbidReport| ForbidView { policy: f.policy, reason: f.reason.or(f.description) };
    WhyView {
        person: answer.person.name.to_string(),
        resource: answer.resource.name.to_string(),
        role: answer.role.name.to_string(),
        outcome,
        reasons,
        paths: answer.explanation.paths.into_iter().map(path).collect(),
        forbids: answer.explanation.forbids.into_iter().map(forbid).collect(),
        who_could_approve,
        narrower: answer.narrower.into_iter().map(narrower).collect(),
        residual: Some(catalogue::residual(answer.residual)),
        policy_digest: answer.explanation.basis.policy_set.to_string(),
    }
}

fn path(report: PathReport) -> PathView {
    let mut unmet: Vec<String> = report.unmet.iter().map(ToString::to_string).collect();
    if !report.scope_matches {
        unmet.insert(0, "it is for other people, resources or roles".to_owned());
    } else if !report.satisfied && unmet.is_empty() {
        unmet.push("its conditions do not hold now".to_owned());
    }
    PathView {
        policy: report.policy,
        description: report.description,
        applies: report.scope_matches && report.satisfied,
        unmet,
        asks: asks(&report.terms),
    }
}

fn narrower(fares: Askable) -> NarrowerView {
    NarrowerView {
        role: fares.role.name.to_string(),
        outcome: outcome(fares.terms.as_ref()),
        asks: fares.terms.as_ref().map(asks).unwrap_or_default(),
    }
}

pub(crate) fn askable(fares: Askable) -> AskableView {
    AskableView {
        resource: fares.resource.name.to_string(),
        kind: fares.resource.kind.to_string(),
        role: fares.role.name.to_string(),
        description: fares.role.description.to_string(),
        outcome: outcome(fares.terms.as_ref()),
        asks: fares.terms.as_ref().map(asks).unwrap_or_default(),
        max_ttl: fares.terms.map(|t| span(t.max_ttl)),
    }
}

fn outcome(terms: Option<&Terms>) -> Outcome {
    match terms {
        None => Outcome::Denied,
        Some(terms) if terms.stages.is_empty() => Outcome::Granted,
        Some(_) => Outcome::Approval,
    }
}

/// What a path asks, in words.
fn asks(terms: &Terms) -> Vec<String> {
    let mut asks: Vec<String> = terms.stages.iter().map(|stage| format!("approval by {stage}")).collect();
    match terms.justification {
        Need::Required => asks.push("a reason".to_owned()),
        Need::Optional => {}
    }
    match terms.ticket {
        Need::Required => asks.push("a ticket".to_owned()),
        Need::Optional => {}
    }
    if let Some(age) = terms.step_up {
        asks.push(format!("identity proved within {age}"));
    }
    match terms.recording {
        Need::Required => asks.push("a recorded session".to_owned()),
        Need::Optional => {}
    }
    match terms.mode {
        Mode::Any => {}
        Mode::Direct => asks.push("a credential of one's own".to_owned()),
        Mode::Brokered => asks.push("a session through the gateway".to_owned()),
    }
    asks.push(format!("at most {}", terms.max_ttl));
    asks
}

pub(crate) fn checked(checked: Checked) -> PolicyChecked {
    let problem = |p: wane_policy::set::LoadProblem| PolicyProblem {
        line: p.line,
        policy: p.policy,
        message: p.message,
        hint: p.hint,
    };
    PolicyChecked {
        ok: checked.problems.is_empty(),
        problems: checked.problems.into_iter().map(problem).collect(),
        warnings: checked.warnings.iter().map(ToString::to_string).collect(),
    }
}
