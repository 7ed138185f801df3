//! Grants: used, given back, extended, told.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use wane_api::Page;
use wane_api::grant::{
    AcmeBindingView, CredentialView, DecisionView, DenyGrant, Extend, GrantView, NewCredential, StoryLine, StoryView,
};
use wane_api::query::Grants;
use wane_api::request::RequestView;
use wane_app::listing::{GrantFilter, GrantPhase, Sequenced};
use wane_app::{AppError, Caller, Telling};
use wane_domain::grant::Grant;
use wane_domain::id::ResourceId;
use wane_domain::world::World;
use wane_failpoint::point;
use wane_policy::schema::Action;

use super::{made, requests};
use crate::once::{HANDED_OUT, HandsOut};
use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Failure, Input, Nothing, Of, Query};
use crate::shared::{Shared, Signed};
use crate::view::{self, Names, at, sentence, trail};

/// Grants the caller may see, newest first: all of them for those who may read access, else one's own.
#[utoipa::path(get, path = "/v1/grants", tag = "grants", params(Grants), responses((status = 200, body = Page<GrantView>), Problems))]
pub(crate) async fn grants(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Grants>,
) -> Answer<Json<Page<GrantView>>> {
    let phases = query.state.as_deref().map(phases).transpose()?.unwrap_or_default();
    let slice = read::slice(query.cursor.as_deref(), query.limit)?;
    let world = shared.app.world().await?;
    let named = match &query.person {
        Some(name) if *name == caller.name.as_str() => Some(caller.person),
        Some(_) if query.mine => {
            return Err(Failure::field("person", "`mine` and somebody else's name exclude each other; give one"));
        }
        Some(name) => {
            shared.app.allow(&caller, &world, Action::ReadAccess)?;
            Some(world.person(name).ok_or_else(|| AppError::missing("person", name))?.id)
        }
        None if query.mine || !shared.app.allows(&caller, &world, Action::ReadAccess)? => Some(caller.person),
        None => None,
    };
    let resource = match &query.resource {
        Some(name) => match resource_named(&shared, &caller, &world, name)? {
            Some(id) => Some(id),
            None => return Ok(Json(Page { items: Vec::new(), next: None })),
        },
        None => None,
    };
    let filter = GrantFilter { holder: named, resource, phases, ..GrantFilter::default() };
    let page = shared.app.store().grants(filter, slice).await.map_err(AppError::from)?;
    let mut items = Vec::with_capacity(page.items.len());
    // To a job those of other jobs of its workload are not there.
    for grant in page.items.iter().filter(|grant| caller.has(&grant.value)) {
        let leases = shared.app.leases_of(grant.value.id).await?;
        items.push(view::grant::grant(&shared.app, Names(&world), &grant.value, &leases));
    }
    Ok(Json(Page { items, next: page.next.map(|c| c.0) }))
}

/// A resource to look for. To those who may not read the catalogue a name that nothing has looks like
/// one that they hold nothing on: none.
pub(super) fn resource_named(
    shared: &Shared,
    caller: &Caller,
    world: &World,
    name: &str,
) -> Answer<Option<ResourceId>> {
    match world.resource(name) {
        Some(resource) => Ok(Some(resource.id)),
        None if shared.app.allows(caller, world, Action::ReadCatalogue)? => {
            Err(AppError::missing("resource", name).into())
        }
        None => Ok(None),
    }
}

fn phases(given: &str) -> Answer<Vec<GrantPhase>> {
    let phase = |word: &str| match word {
        "scheduled" => Ok(GrantPhase::Scheduled),
        "active" => Ok(GrantPhase::Active),
        "ending" => Ok(GrantPhase::Ending),
        "closed" => Ok(GrantPhase::Closed),
        other => {
            let shown = other.chars().take(32).collect::<String>();
            Err(Failure::field("state", format!("`{shown}` is none of `scheduled`, `active`, `ending`, `closed`")))
        }
    };
    given.split(',').map(phase).collect()
}

/// One grant.
#[utoipa::path(get, path = "/v1/grants/{id}", tag = "grants", params(("id" = String, Path)), responses((status = 200, body = GrantView), Problems))]
pub(crate) async fn grant(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
) -> Answer<Json<GrantView>> {
    let world = shared.app.world().await?;
    let seen = shared.app.grant_for(&caller, &world, read::id("grant", &id)?).await?;
    let mut view = shown(&shared, &seen.value).await?;
    for lease in &mut view.leases {
        let issued = shared.app.issued(read::id("lease", &lease.id)?).await?;
        lease.issued = issued.into_iter().map(view::grant::issued).collect();
    }
    Ok(Json(view))
}

/// Has a credential issued, activating the grant if need be. A secret is handed out once: the same
/// call again is refused and what it handed out is ended.
#[utoipa::path(post, path = "/v1/grants/{id}/credential", tag = "grants", params(("id" = String, Path)), request_body = NewCredential, responses((status = 201, body = CredentialView), Problems))]
pub(crate) async fn credential(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
    Input(input): Input<NewCredential>,
) -> Answer<Response> {
    // A secret is never kept: in its place stands under which lease it was handed out.
    let say = |told: &Telling<'_>| {
        if told.secret {
            return Some((HANDED_OUT, serde_json::json!({ "lease": told.lease.to_string() })));
        }
        let (lease, not_after, grant_end) = (told.lease.to_string(), told.not_after.map(at), at(told.grant_end));
        let view = CredentialView::without_secret(lease, told.public.clone(), not_after, grant_end);
        serde_json::to_value(&view).ok().map(|body| (StatusCode::CREATED.as_u16(), body))
    };
    let handed = shared.app.hand_out_saying(&caller, read::id("grant", &id)?, &input.input, &say).await?;
    let hands_out = handed.secret.is_some().then_some(HandsOut(Some(handed.lease)));
    wane_failpoint::at(point!("http.credential.leaves")).await;
    let view = CredentialView {
        lease: handed.lease.to_string(),
        public: handed.public,
        secret: handed.secret.map(read::reveal),
        not_after: handed.not_after.map(at),
        grant_end: at(handed.grant_end),
    };
    Ok(match hands_out {
        Some(mark) => (Extension(mark), made(view)).into_response(),
        None => made(view).into_response(),
    })
}

/// Hands out a binding for a client of ACME (RFC 8555): its account stands under the grant, and is over with it. The
/// secret is handed out once.
#[utoipa::path(post, path = "/v1/grants/{id}/acme", tag = "grants", params(("id" = String, Path)), responses((status = 201, body = AcmeBindingView), Problems))]
pub(crate) async fn acme_binding(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<Response> {
    let offered = shared.app.acme_offer(&caller, read::id("grant", &id)?).await?;
    wane_failpoint::at(point!("http.acme_binding.leaves")).await;
    let view = AcmeBindingView {
        kid: offered.account.to_string(),
        hmac_key: read::reveal(offered.secret),
        directory: offered.directory,
        names: offered.names,
        until: at(offered.until),
    };
    Ok((Extension(HandsOut(None)), made(view)).into_response())
}

/// Gives a grant back: it ends now.
#[utoipa::path(post, path = "/v1/grants/{id}/return", tag = "grants", params(("id" = String, Path)), responses((status = 200, body = GrantView), Problems))]
pub(crate) async fn give_back(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<Json<GrantView>> {
    let grant = shared.app.give_back(&caller, read::id("grant", &id)?).await?;
    Ok(Json(shown(&shared, &grant).await?))
}

/// Asks for more time. It is judged like any other request.
#[utoipa::path(post, path = "/v1/grants/{id}/extend", tag = "grants", params(("id" = String, Path)), request_body = Extend, responses((status = 201, body = RequestView), Problems))]
pub(crate) async fn extend(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
    Input(input): Input<Extend>,
) -> Answer<(StatusCode, Json<RequestView>)> {
    let more = read::duration("duration", &input.duration)?;
    let reason = read::maybe("reason", input.reason.as_deref())?;
    let request = shared.app.extend(&caller, read::id("grant", &id)?, more, reason).await?;
    Ok(made(requests::shown(&shared, &request).await?))
}

/// Takes an approval back: the grant ends now.
#[utoipa::path(post, path = "/v1/grants/{id}/deny", tag = "grants", params(("id" = String, Path)), request_body = DenyGrant, responses((status = 200, body = GrantView), Problems))]
pub(crate) async fn deny_grant(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
    Input(input): Input<DenyGrant>,
) -> Answer<Json<GrantView>> {
    let reason = read::text("reason", &input.reason)?;
    let grant = shared.app.deny_granted(&caller, read::id("grant", &id)?, &reason).await?;
    Ok(Json(shown(&shared, &grant).await?))
}

/// The whole story of a grant, from ask to closure.
#[utoipa::path(get, path = "/v1/grants/{id}/story", tag = "grants", params(("id" = String, Path)), responses((status = 200, body = StoryView), Problems))]
pub(crate) async fn story(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
) -> Answer<Json<StoryView>> {
    let story = shared.app.story(&caller, read::id("grant", &id)?).await?;
    let world = shared.app.world().await?;
    let names = Names(&world);
    let grant = shown(&shared, &story.grant).await?;
    let basis = &story.grant.basis;
    let decision = DecisionView {
        policy_version: shared.app.version_of(basis.policy_set, basis.at).await?,
        policy_digest: basis.policy_set.to_string(),
        path: basis.path.clone(),
        determining: basis.determining.clone(),
        facts: basis.facts.to_string(),
        at: at(basis.at),
    };
    let line = |line: wane_app::StoryLine| StoryLine {
        at: at(line.record.at),
        text: sentence::sentence(names, &line.record),
        event: line.record.event.clone(),
        who: trail::actor(names, &line.record.actor),
        record: Some(trail::record(names, Sequenced { seq: line.seq, record: line.record })),
    };
    Ok(Json(StoryView {
        granted_after: story.granted_after().map(view::span),
        usable_after: story.usable_after().map(view::span),
        closure: grant.closure.clone(),
        request: view::request::request(&shared.app, names, &story.request)?,
        requests: story
            .requests
            .iter()
            .map(|request| view::request::request(&shared.app, names, request))
            .collect::<Result<_, _>>()?,
        decision,
        lines: story.lines.into_iter().map(line).collect(),
        grant,
    }))
}

async fn shown(shared: &Shared, grant: &Grant) -> Answer<GrantView> {
    let world = shared.app.world().await?;
    let leases = shared.app.leases_of(grant.id).await?;
    let mut shown = view::grant::grant(&shared.app, Names(&world), grant, &leases);
    shown.unbooked = shared.app.unbooked(grant.id).await.map(|kept| view::grant::unbooked(kept).to_owned());
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_named_as_they_stand() {
        assert_eq!(phases("active,ending").unwrap(), [GrantPhase::Active, GrantPhase::Ending]);
        for bad in ["", "Active", "active,", "open"] {
            assert!(phases(bad).is_err(), "{bad:?}");
        }
    }
}
