//! The policy set, why it decides as it does, and what could be asked for.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use wane_api::Page;
use wane_api::policy::{
    CheckPolicy, LoadPolicy, PolicyChecked, PolicyLoaded, PolicyRehearsed, PolicyVersionView, PolicyView, ProposalView,
    ProposalsView, ProposePolicy, RehearsePolicy, ThisProposal,
};
use wane_api::query::{Listing, Under};
use wane_api::why::{AskableView, RequestWhyView, Suppose, WhyView};
use wane_app::{AppError, Caller, Proposal, WhyInput};
use wane_domain::world::{PolicyVersion, World};
use wane_policy::schema::Action;
use wane_policy::set::LoadProblem;

use super::made;
use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Failure, Input, Named, Nothing, Of, Query};
use crate::shared::{Shared, Signed};
use crate::view::{Names, why};

/// The policy set in force.
#[utoipa::path(get, path = "/v1/policy", tag = "policy", responses((status = 200, body = PolicyView), Problems))]
pub(crate) async fn policy(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(Nothing {}): Query<Nothing>,
) -> Answer<Json<PolicyView>> {
    let policy = shared.app.policy_in_force(&caller).await?;
    let world = shared.app.world().await?;
    Ok(Json(why::policy(Names(&world), policy)))
}

/// Every version of the policy set, newest first, without texts.
#[utoipa::path(get, path = "/v1/policy/versions", tag = "policy", params(Listing), responses((status = 200, body = Page<PolicyVersionView>), Problems))]
pub(crate) async fn versions(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Listing>,
) -> Answer<Json<Page<PolicyVersionView>>> {
    let slice = read::slice(query.cursor.as_deref(), query.limit)?;
    let page = shared.app.policy_versions(&caller, slice).await?;
    let world = shared.app.world().await?;
    let items = page.items.iter().map(|entry| why::version(Names(&world), entry)).collect();
    Ok(Json(Page { items, next: page.next.map(|c| c.0) }))
}

/// One version of the policy set, with its text.
#[utoipa::path(get, path = "/v1/policy/versions/{version}", tag = "policy", params(("version" = u64, Path)), responses((status = 200, body = PolicyView), Problems))]
pub(crate) async fn version(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(version): Of<String>,
) -> Answer<Json<PolicyView>> {
    let number = version.parse().map_err(|_| AppError::missing("policy version", &version))?;
    let policy = shared.app.policy_version(&caller, number).await?;
    let world = shared.app.world().await?;
    Ok(Json(why::policy(Names(&world), policy)))
}

/// Loads a policy set. One that does not validate changes nothing.
#[utoipa::path(post, path = "/v1/policy", tag = "policy", request_body = LoadPolicy, responses((status = 200, body = PolicyLoaded), Problems))]
pub(crate) async fn load_policy(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<LoadPolicy>,
) -> Answer<Json<PolicyLoaded>> {
    let (version, warnings) = shared.app.load_policy(&caller, &input.text, input.seen_version).await?;
    Ok(Json(loaded(&version, &warnings)))
}

/// Checks a policy set and loads nothing.
#[utoipa::path(post, path = "/v1/policy/check", tag = "policy", request_body = CheckPolicy, responses((status = 200, body = PolicyChecked), Problems))]
pub(crate) async fn check_policy(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<CheckPolicy>,
) -> Answer<Json<PolicyChecked>> {
    Ok(Json(why::checked(shared.app.check_policy(&caller, &input.text).await?)))
}

/// What is proposed to be put in force, if anything is.
#[utoipa::path(get, path = "/v1/policy/proposal", tag = "policy", responses((status = 200, body = ProposalsView), Problems))]
pub(crate) async fn proposal(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(Nothing {}): Query<Nothing>,
) -> Answer<Json<ProposalsView>> {
    let proposal = shared.app.proposal(&caller).await?;
    let world = shared.app.world().await?;
    let proposal = proposal.map(|one| shown(&shared, &caller, &world, one)).transpose()?;
    Ok(Json(ProposalsView { proposal, may_propose: shared.app.may_propose(&caller, &world)? }))
}

fn shown(shared: &Shared, caller: &Caller, world: &World, proposal: Proposal) -> Result<ProposalView, AppError> {
    let may_activate = shared.app.may_activate(caller, world, proposal.by)?;
    Ok(why::proposal(Names(world), proposal, may_activate))
}

/// Proposes a policy set, in place of whatever was proposed before. Nothing is in force by this.
#[utoipa::path(post, path = "/v1/policy/proposal", tag = "policy", request_body = ProposePolicy, responses((status = 201, body = ProposalView), Problems))]
pub(crate) async fn propose(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<ProposePolicy>,
) -> Answer<(StatusCode, Json<ProposalView>)> {
    let proposal = shared.app.propose_policy(&caller, &input.text, input.seen_version, &input.note).await?;
    let world = shared.app.world().await?;
    Ok(made(shown(&shared, &caller, &world, proposal)?))
}

/// Takes a proposal back.
#[utoipa::path(delete, path = "/v1/policy/proposal", tag = "policy", request_body = ThisProposal, responses((status = 204), Problems))]
pub(crate) async fn withdraw_proposal(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<ThisProposal>,
) -> Answer<StatusCode> {
    shared.app.withdraw_proposal(&caller, read::text("digest", &input.digest)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Puts in force what was proposed, if it is what the digest says.
#[utoipa::path(post, path = "/v1/policy/proposal/activate", tag = "policy", request_body = ThisProposal, responses((status = 200, body = PolicyLoaded), Problems))]
pub(crate) async fn activate_proposal(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<ThisProposal>,
) -> Answer<Json<PolicyLoaded>> {
    let digest = read::text("digest", &input.digest)?;
    let (version, warnings) = shared.app.activate_proposal(&caller, digest).await?;
    Ok(Json(loaded(&version, &warnings)))
}

fn loaded(version: &PolicyVersion, warnings: &[LoadProblem]) -> PolicyLoaded {
    PolicyLoaded {
        version: version.version,
        digest: version.digest.to_string(),
        warnings: warnings.iter().map(ToString::to_string).collect(),
    }
}

/// What a policy set that is not in force says to those who asked of late, where that differs from the one in force.
/// Both are asked about the people, groups, resources and roles of today. Nothing is loaded.
#[utoipa::path(post, path = "/v1/policy/rehearse", tag = "policy", request_body = RehearsePolicy, responses((status = 200, body = PolicyRehearsed), Problems))]
pub(crate) async fn rehearse_policy(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<RehearsePolicy>,
) -> Answer<Json<PolicyRehearsed>> {
    let rehearsal = shared.app.rehearse_policy(&caller, &input.text).await?;
    let world = shared.app.world().await?;
    Ok(Json(why::rehearsed(Names(&world), rehearsal)))
}

/// How a supposed ask would be decided, and why. Nothing is asked.
#[utoipa::path(post, path = "/v1/why", tag = "policy", request_body = Suppose, responses((status = 200, body = WhyView), Problems))]
pub(crate) async fn why(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<Suppose>,
) -> Answer<Json<WhyView>> {
    let role = match input.role {
        Some(role) => role,
        None => only_role(&shared, &caller, &input.resource).await?,
    };
    let supposed = WhyInput {
        person: input.person,
        resource: input.resource,
        role,
        duration: input.duration.map(|d| read::duration("duration", &d)).transpose()?,
        start: None,
        reason: read::maybe("reason", input.reason.as_deref())?,
        ticket: read::maybe("ticket", input.ticket.as_deref())?,
        task: read::maybe("task", input.task.as_deref())?,
        policy_version: input.policy_version,
        policy_text: input.policy_text,
    };
    let answer = shared.app.why(&caller, &supposed).await?;
    let world = shared.app.world().await?;
    Ok(Json(why::why(Names(&world), answer)))
}

/// The role that is meant where none is named: the only one there is, or the only one open to those who may not
/// read the catalogue.
async fn only_role(shared: &Shared, caller: &Caller, resource: &str) -> Answer<String> {
    let world = shared.app.world().await?;
    if !shared.app.allows(caller, &world, Action::ReadCatalogue)? {
        let open = shared.app.askable(caller).await?;
        let mut open = open.into_iter().filter(|askable| askable.resource.name.as_str() == resource);
        return match (open.next(), open.next()) {
            (Some(only), None) => Ok(only.role.name.to_string()),
            (_, _) => Err(Failure::field("role", "name the role you mean")),
        };
    }
    let found = world.resource(resource).ok_or_else(|| AppError::missing("resource", resource))?;
    let mut roles = world.roles.values().filter(|r| r.kind == found.kind);
    match (roles.next(), roles.next()) {
        (Some(role), None) => Ok(role.name.to_string()),
        (None, _) => Err(Failure::field("role", format!("there is no role for `{resource}` yet; make one"))),
        (Some(_), Some(_)) => {
            Err(Failure::field("role", format!("`{resource}` has several roles; name the one you mean")))
        }
    }
}

/// What was decided about a grant, and how the policy set in force, or an older one, sees it with the facts of today.
#[utoipa::path(get, path = "/v1/grants/{id}/why", tag = "policy", params(("id" = String, Path), Under), responses((status = 200, body = WhyView), Problems))]
pub(crate) async fn why_grant(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Named(id): Named<String>,
    Query(under): Query<Under>,
) -> Answer<Json<WhyView>> {
    let (recorded, answer) = shared.app.why_grant(&caller, read::id("grant", &id)?, under.version).await?;
    let world = shared.app.world().await?;
    let recorded = why::recorded(Names(&world), &recorded);
    Ok(Json(WhyView { recorded: Some(recorded), ..why::why(Names(&world), answer) }))
}

/// Why the items of a request stand as they do: the recorded answer, what is missing, who could approve, what would
/// do with less.
#[utoipa::path(get, path = "/v1/requests/{id}/why", tag = "policy", params(("id" = String, Path), Under), responses((status = 200, body = RequestWhyView), Problems))]
pub(crate) async fn why_request(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Named(id): Named<String>,
    Query(under): Query<Under>,
) -> Answer<Json<RequestWhyView>> {
    let answer = shared.app.why_request(&caller, read::id("request", &id)?, under.version).await?;
    let world = shared.app.world().await?;
    Ok(Json(why::request(&shared.app, Names(&world), answer)?))
}

/// What the caller may ask for, by resource and role.
#[utoipa::path(get, path = "/v1/askable", tag = "policy", params(Listing), responses((status = 200, body = Page<AskableView>), Problems))]
pub(crate) async fn askable(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Listing>,
) -> Answer<Json<Page<AskableView>>> {
    let askable: Vec<_> = shared.app.askable(&caller).await?.into_iter().map(why::askable).collect();
    let key = |a: &AskableView| format!("{}:{}", a.resource, a.role);
    Ok(Json(read::page(askable, query.cursor.as_deref(), query.limit, key)?))
}
