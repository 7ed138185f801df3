//! The policy set, why it decides as it does, and what could be asked for.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wane_api::Page;
use wane_api::policy::{CheckPolicy, LoadPolicy, PolicyChecked, PolicyLoaded, PolicyVersionView, PolicyView};
use wane_api::query::{Listing, Under};
use wane_api::why::{AskableView, RequestWhyView, Suppose, WhyView};
use wane_app::{AppError, Caller, WhyInput};
use wane_policy::schema::Action;

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
    Ok(Json(PolicyLoaded {
        version: version.version,
        digest: version.digest.to_string(),
        warnings: warnings.iter().map(ToString::to_string).collect(),
    }))
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
