//! Requests, with who could still decide them.

use std::collections::BTreeMap;

use wane_api::request::{ApprovalView, EscalatedView, ItemState, ItemView, ParentView, RequestView, StageView};
use wane_app::{App, AppError, WhoCould};
use wane_domain::request::{self, AccessRequest, Approval, Escalated, Item, Parent, Start};

use super::approval::signed;
use super::{Names, at, catalogue, span};

pub(crate) fn request(app: &App, names: Names<'_>, request: &AccessRequest) -> Result<RequestView, AppError> {
    let ask = &request.ask;
    let items = (0..request.items.len()).map(|index| item(app, names, request, index));
    Ok(RequestView {
        id: request.id.to_string(),
        digest: request.digest.to_string(),
        requester: names.person(ask.requester),
        beneficiary: names.person(ask.beneficiary),
        items: items.filter_map(Result::transpose).collect::<Result<_, _>>()?,
        state: request.state_name().to_owned(),
        at: at(request.at),
        lapses: at(request.lapses),
        duration: span(ask.duration),
        start: match ask.start {
            Start::Now => None,
            Start::At(start) => Some(at(start)),
        },
        reason: ask.justification.as_ref().map(ToString::to_string),
        ticket: ask.ticket.as_ref().map(ToString::to_string),
        parent: ask.parent.map(parent),
        package: ask.package.map(|id| names.0.packages.get(&id).map_or_else(|| id.to_string(), |p| p.name.to_string())),
    })
}

fn parent(parent: Parent) -> ParentView {
    match parent {
        Parent::Narrows { request, digest } => {
            ParentView::Narrows { request: request.to_string(), digest: digest.to_string() }
        }
        Parent::Extends { digest, grant } => {
            ParentView::Extends { grant: grant.to_string(), digest: digest.to_string() }
        }
    }
}

fn item(app: &App, names: Names<'_>, request: &AccessRequest, index: usize) -> Result<Option<ItemView>, AppError> {
    let (Some(asked), Some(item)) = (request.ask.items.get(index), request.items.get(index)) else { return Ok(None) };
    let mut view = ItemView {
        resource: names.resource(asked.resource),
        role: names.role(asked.role),
        task: asked.task.as_ref().map(ToString::to_string),
        state: ItemState::Waiting,
        path: item.path.clone(),
        stages: stages(app, names, request, index, item)?,
        approvals: item.approvals.iter().map(|a| approval(names, a)).collect(),
        escalated: item.escalated.iter().map(escalated).collect(),
        escalates: item.next_escalation(request.at).map(|(_, _, due)| at(due)).filter(|due| *due < at(request.lapses)),
        needs_signatures: item.needs_signatures(),
        reasons: Vec::new(),
        denied_by: None,
        decided: None,
        grant: None,
        child: None,
        already_covered_by: None,
        residual: None,
    };
    let (state, decided) = match &item.state {
        request::ItemState::Waiting => {
            view.residual = names.0.resources.get(&asked.resource).and_then(|r| catalogue::residual_of(app, r));
            (ItemState::Waiting, None)
        }
        request::ItemState::Approved { at, grant } => {
            // An item that was never judged onto a path stands under a grant that was there before.
            if item.terms.is_none() {
                view.already_covered_by = grant.map(|g| g.to_string());
            }
            view.grant = grant.map(|g| g.to_string());
            (ItemState::Approved, Some(*at))
        }
        request::ItemState::Denied { by, reason, at } => {
            view.denied_by = by.map(|id| names.person(id));
            view.reasons = vec![reason.clone()];
            (ItemState::Denied, Some(*at))
        }
        request::ItemState::Withdrawn { at } => (ItemState::Withdrawn, Some(*at)),
        request::ItemState::Lapsed { at } => (ItemState::Lapsed, Some(*at)),
        request::ItemState::Narrowed { child, at } => {
            view.child = Some(child.to_string());
            (ItemState::Narrowed, Some(*at))
        }
    };
    view.state = state;
    view.decided = decided.map(at);
    Ok(Some(view))
}

fn stages(
    app: &App,
    names: Names<'_>,
    request: &AccessRequest,
    index: usize,
    item: &Item,
) -> Result<Vec<StageView>, AppError> {
    let Some(terms) = &item.terms else { return Ok(Vec::new()) };
    let open = app.who_could(names.0, request, index)?;
    let view = |(number, stage): (u16, &wane_domain::terms::Stage)| StageView {
        needs: u32::from(stage.quorum),
        have: u32::try_from(item.approvals_at(number)).unwrap_or(u32::MAX),
        // Only the open stage can be answered now.
        who_could: if open.stage == Some(number) { names.people(open.people.keys().copied()) } else { Vec::new() },
        standing_in: if open.stage == Some(number) { standing_in(names, &open) } else { BTreeMap::new() },
        text: stage.to_string(),
    };
    Ok((0u16..).zip(&terms.stages).map(view).collect())
}

fn escalated(one: &Escalated) -> EscalatedView {
    EscalatedView { stage: u32::from(one.stage), after: span(one.after), at: at(one.at) }
}

fn standing_in(names: Names<'_>, open: &WhoCould) -> BTreeMap<String, String> {
    let those = open.people.iter().filter_map(|(who, footing)| Some((*who, footing.instead_of?.person)));
    those.map(|(who, whom)| (names.person(who), names.person(whom))).collect()
}

pub(crate) fn approval(names: Names<'_>, approval: &Approval) -> ApprovalView {
    ApprovalView {
        by: names.person(approval.approver),
        instead_of: approval.instead_of.map(|instead| names.person(instead.person)),
        stage: u32::from(approval.stage),
        at: at(approval.at),
        signed: approval.signed.as_deref().and_then(signed),
    }
}
