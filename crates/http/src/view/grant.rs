//! Grants, what was made under them, and how they ended.

use wane_api::grant::{
    BasisView, ClosureView, ConnectLine, ConnectView, DebtState, EndView, GrantState, GrantView, IssuedView,
    LeaseEndView, LeaseState, LeaseView, TaskView,
};
use wane_app::listing::Issuance;
use wane_app::{App, KeptWhere};
use wane_connector::Held;
use wane_domain::closure::{Closure, ClosureBasis, EndCause};
use wane_domain::grant::{self, Grant};
use wane_domain::lease::{self, Debt, Lease, LeaseKind};
use wane_domain::time::Time;

use super::{Names, at, catalogue, request, span};

/// What is said of an end that is not in the log yet.
pub(crate) const fn unbooked(kept: KeptWhere) -> &'static str {
    match kept {
        KeptWhere::Journal => {
            "it ends at its target now; that is not in the log yet, because the store cannot be written: it is kept in the journal and booked as soon as it can be"
        }
        KeptWhere::Memory => {
            "it ends at its target now; that is not in the log yet, because neither the store nor the journal can be written: until one can, only this process knows of it, so look again after a restart"
        }
    }
}

pub(crate) fn grant(app: &App, names: Names<'_>, grant: &Grant, leases: &[Lease]) -> GrantView {
    let grant = &app.as_it_is(grant.clone());
    let mut view = GrantView {
        id: grant.id.to_string(),
        holder: names.person(grant.holder),
        resource: names.resource(grant.item.resource),
        role: names.role(grant.item.role),
        kind: names.kind(grant.item.resource),
        task: grant.item.task.as_ref().map(|task| TaskView {
            text: task.to_string(),
            digest: task.digest().to_string(),
            spent: grant.spent.as_ref().map(|spent| at(spent.at)),
        }),
        state: GrantState::Scheduled,
        since: None,
        end: None,
        opens: at(grant.window.opens),
        activate_by: at(grant.window.activate_by),
        duration: span(grant.window.duration),
        approvals: grant.approvals.iter().map(|a| request::approval(names, a)).collect(),
        path: grant.basis.path.clone(),
        policy_digest: grant.basis.policy_set.to_string(),
        request: grant.request.to_string(),
        ticket: grant.ticket.as_ref().map(ToString::to_string),
        leases: leases.iter().map(lease_view).collect(),
        residual: names.0.resources.get(&grant.item.resource).and_then(|r| catalogue::residual_of(app, r)),
        ending: None,
        closure: None,
        unbooked: None,
        connect: None,
    };
    match &grant.state {
        grant::GrantState::Scheduled => view.connect = connect(app, names, grant),
        grant::GrantState::Active { since, end } => {
            view.connect = connect(app, names, grant);
            view.state = GrantState::Active;
            view.since = Some(at(*since));
            view.end = Some(at(*end));
        }
        grant::GrantState::Ending { since, at: from, cause } => {
            view.state = GrantState::Ending;
            view.since = since.map(at);
            view.end = Some(at(*from));
            view.ending = Some(ending(names, cause, *from));
        }
        grant::GrantState::Closed { since, closure: closed } => {
            view.state = GrantState::Closed;
            view.since = since.map(at);
            view.end = Some(at(closed.at));
            view.ending = Some(ending(names, &closed.cause, closed.at));
            view.closure = Some(closure(closed));
        }
    }
    view
}

/// How it is used; none if its resource, role or kind is not here any more.
fn connect(app: &App, names: Names<'_>, grant: &Grant) -> Option<ConnectView> {
    let resource = names.0.resources.get(&grant.item.resource)?;
    let role = names.0.roles.get(&grant.item.role)?;
    let kind = app.kinds().get(resource.kind.as_str())?;
    let gateways = app.gateways();
    let gateway = gateways.iter().find(|gateway| gateway.kind == kind.name());
    let held = Held {
        resource: resource.name.as_str(),
        settings: &resource.settings,
        role,
        task: grant.item.task.as_ref(),
        gateway: gateway.map(|gateway| (gateway.host.as_str(), gateway.port)),
    };
    let lines = kind.connect(&held).into_iter();
    Some(ConnectView {
        lines: lines.map(|line| ConnectLine { what: line.what.to_owned(), command: line.command }).collect(),
        // What is made at a target is made for its holder; what is signed is signed for a key.
        needs_key: kind.needs_key(),
        terminal: app.has_terminal(kind.name()),
    })
}

fn ending(names: Names<'_>, cause: &EndCause, from: Time) -> EndView {
    let (by, reason) = match cause {
        EndCause::Revoked { by, reason } | EndCause::DeniedAfterApproval { by, reason } => {
            (Some(names.person(*by)), Some(reason.clone()))
        }
        EndCause::LostEligibility { reason }
        | EndCause::TaskDone { outcome: reason }
        | EndCause::JobOver { how: reason }
        | EndCause::TakenAway { seen: reason } => (None, Some(reason.clone())),
        EndCause::Locked { lock } => (None, Some(format!("lock `{lock}`"))),
        EndCause::Expired | EndCause::Returned | EndCause::NeverActivated => (None, None),
    };
    EndView { cause: cause.name().to_owned(), by, reason, at: at(from) }
}

fn lease_view(lease: &Lease) -> LeaseView {
    let (state, basis) = match &lease.state {
        lease::LeaseState::Intended => (LeaseState::Intended, None),
        lease::LeaseState::Live { .. } => (LeaseState::Live, None),
        lease::LeaseState::Revoking { .. } => (LeaseState::Revoking, None),
        lease::LeaseState::Gone { at, basis } => (LeaseState::Gone, Some(basis_view(basis, *at))),
    };
    LeaseView {
        id: lease.id.to_string(),
        artifact: lease.artifact.clone(),
        what: match lease.what {
            LeaseKind::Credential => "credential",
            LeaseKind::Account => "account",
            LeaseKind::Session => "session",
            LeaseKind::Membership => "membership",
        }
        .to_owned(),
        state,
        confirmed: lease.confirmed.map(at),
        end: at(lease.end),
        debt: debt(&lease.debt),
        basis,
        issued: Vec::new(),
    }
}

pub(crate) fn issued(issued: Issuance) -> IssuedView {
    IssuedView { serial: issued.serial, at: at(issued.at), not_after: at(issued.not_after), detail: issued.detail }
}

fn debt(debt: &Debt) -> DebtState {
    DebtState {
        attempts: debt.attempts,
        next: debt.next.map(at),
        last: debt.last.clone(),
        quarantined: debt.quarantined.clone(),
        unrecallable_until: debt.unrecallable_until.map(at),
    }
}

fn basis_view(basis: &ClosureBasis, established: Time) -> BasisView {
    let (proof, until) = match basis {
        ClosureBasis::AbsentReadBack { proof }
        | ClosureBasis::LoginRefusedReadBack { proof }
        | ClosureBasis::StillGiven { proof, .. }
        | ClosureBasis::Standing { proof } => (Some(proof.clone()), None),
        ClosureBasis::Unrecallable { until } => (None, Some(at(*until))),
    };
    BasisView { word: basis.word().to_owned(), proof, until, at: at(established) }
}

pub(crate) fn closure(closure: &Closure) -> ClosureView {
    ClosureView {
        word: closure.word().to_owned(),
        cause: closure.cause.name().to_owned(),
        at: at(closure.at),
        leases: closure
            .leases
            .iter()
            .map(|end| LeaseEndView {
                lease: end.lease.to_string(),
                artifact: end.artifact.clone(),
                basis: basis_view(&end.basis, end.at),
            })
            .collect(),
    }
}
