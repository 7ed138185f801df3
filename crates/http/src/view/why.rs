//! Reasons: what policy said, path by path, and what it asks.

use wane_api::policy::{
    DecisionChanged, FaresView, PolicyChecked, PolicyProblem, PolicyRehearsed, PolicyVersionView, PolicyView,
    ProposalView,
};
use wane_api::request::ItemView;
use wane_api::why::{
    AskableView, ForbidView, ItemWhyView, NarrowerView, Outcome, PastDecisionView, PathView, RecordedView,
    RequestWhyView, WhyView,
};
use wane_app::listing::PolicyEntry;
use wane_app::{
    App, AppError, Askable, Checked, Differs, Era, Fares, ItemWhy, PastDecision, Proposal, Recorded, Rehearsal,
    RequestWhy, Said, WhyAnswer,
};
use wane_domain::terms::{Mode, Need, Terms};
use wane_domain::world::PolicyVersion;
use wane_policy::explain::{PathReport, Verdict};

use super::{Names, at, catalogue, request, span};

pub(crate) fn policy(names: Names<'_>, policy: PolicyVersion) -> PolicyView {
    PolicyView {
        version: policy.version,
        digest: policy.digest.to_string(),
        text: policy.text,
        by: policy.by.map(|id| names.person(id)),
        at: at(policy.at),
    }
}

pub(crate) fn version(names: Names<'_>, entry: &PolicyEntry) -> PolicyVersionView {
    PolicyVersionView {
        version: entry.version,
        digest: entry.digest.to_string(),
        by: entry.by.map(|id| names.person(id)),
        at: at(entry.at),
        in_force: entry.version == names.0.policy.version,
    }
}

/// What was recorded when a grant was decided.
pub(crate) fn recorded(names: Names<'_>, recorded: &Recorded) -> RecordedView {
    let decision = |d: &PastDecision| PastDecisionView {
        what: match d.said {
            Said::Granted => "granted",
            Said::Activated => "activated",
            Said::Extended => "extended",
        }
        .to_owned(),
        at: at(d.at),
        policy_version: d.version,
        policy_digest: d.digest.to_string(),
        path: d.path.clone(),
    };
    let grant = &recorded.grant;
    RecordedView {
        grant: grant.id.to_string(),
        request: recorded.request.id.to_string(),
        decisions: recorded.decisions.iter().map(decision).collect(),
        asks: asks(&grant.terms),
        determining: grant.basis.determining.clone(),
        approvals: grant.approvals.iter().map(|a| request::approval(names, a)).collect(),
    }
}

/// Why the items of a request stand as they do.
pub(crate) fn request(app: &App, names: Names<'_>, answer: RequestWhy) -> Result<RequestWhyView, AppError> {
    let shown = request::request(app, names, &answer.request)?;
    let item = |(recorded, item): (ItemView, ItemWhy)| ItemWhyView {
        recorded,
        missing: item.missing,
        who_could_approve: names.people(item.who_could),
        now: item.now.map(|now| why(names, now)),
    };
    Ok(RequestWhyView {
        request: shown.id,
        requester: shown.requester,
        at: shown.at,
        policy_version: answer.version,
        items: shown.items.into_iter().zip(answer.items).map(item).collect(),
    })
}

/// What has to be known to read an explanation right.
fn note(answer: &WhyAnswer) -> Option<String> {
    match answer.era {
        Era::Now => None,
        Era::Never => Some(
            "this is what a text that is not in force says about people, groups, resources, roles and locks of today"
                .to_owned(),
        ),
        Era::Then => Some(format!(
            "this is what version {} of the policy set, which is not in force, says about today: people, groups, \
             resources, roles and locks are as they are now, not as they were then",
            answer.version
        )),
    }
}

pub(crate) fn why(names: Names<'_>, answer: WhyAnswer) -> WhyView {
    let note = note(&answer);
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
        policy_version: (answer.era != Era::Never).then_some(answer.version),
        note,
        recorded: None,
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
    if let Some(age) = terms.reproof {
        asks.push(format!("identity proved again every {age} while a session lasts"));
    }
    match terms.signature {
        Need::Required => asks.push("each approval signed".to_owned()),
        Need::Optional => {}
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

pub(crate) fn proposal(names: Names<'_>, proposal: Proposal, may_activate: bool) -> ProposalView {
    ProposalView {
        by: names.person(proposal.by),
        at: at(proposal.at),
        text: proposal.text,
        digest: proposal.digest.to_string(),
        from: proposal.from,
        note: proposal.note,
        may_activate,
    }
}

pub(crate) fn rehearsed(names: Names<'_>, rehearsal: Rehearsal) -> PolicyRehearsed {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let fares = |fares: Fares| FaresView {
        outcome: outcome(fares.terms.as_ref()),
        asks: fares.terms.as_ref().map(asks).unwrap_or_default(),
        reasons: fares.reasons,
    };
    let changed = |differs: Differs| DecisionChanged {
        request: differs.request.to_string(),
        at: at(differs.at),
        person: names.person(differs.person),
        resource: names.resource(differs.resource),
        role: names.role(differs.role),
        now: fares(differs.now),
        then: fares(differs.then),
    };
    PolicyRehearsed {
        looked_at: count(rehearsal.looked_at),
        gone: count(rehearsal.gone),
        differ: count(rehearsal.differ),
        changed: rehearsal.told.into_iter().map(changed).collect(),
        since: rehearsal.since.map(at),
        more: rehearsal.more,
    }
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
