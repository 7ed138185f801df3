//! Workloads: who is believed about their jobs, which jobs are theirs, and the jobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use wane_api::workload::{
    IssuerView, Issuers, JobBeat, JobBegun, JobOver, JobView, Jobs, NewIssuer, NewJob, NewWorkload, WorkloadRule,
    WorkloadView, Workloads,
};
use wane_app::{IssuerInput, RuleInput, WorkloadShown};
use wane_domain::directory::Standing;
use wane_domain::time::Span;
use wane_domain::workload::{Issuer, IssuerSort, Signing};

use super::made;
use crate::once::HandsOut;
use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Failure, Input, Nothing, Of, Query};
use crate::shared::{Shared, Signed};
use crate::view::{Names, at, span};

/// How long a job lasts at most, and may be silent, if nothing is said.
const LONGEST: Span = Span::from_hours(1);
const SILENCE: Span = Span::from_mins(1);

/// Issuers of tokens about jobs, by name.
#[utoipa::path(get, path = "/v1/issuers", tag = "workloads", responses((status = 200, body = Issuers), Problems))]
pub(crate) async fn issuers(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(Nothing {}): Query<Nothing>,
) -> Answer<Json<Issuers>> {
    let there = shared.app.issuers(&caller).await?;
    Ok(Json(Issuers { items: there.iter().map(issuer_view).collect() }))
}

/// Enters an issuer. Nothing is asked of it before a job begins.
#[utoipa::path(post, path = "/v1/issuers", tag = "workloads", request_body = NewIssuer, responses((status = 201, body = IssuerView), Problems))]
pub(crate) async fn new_issuer(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<NewIssuer>,
) -> Answer<(StatusCode, Json<IssuerView>)> {
    let unknown = |field: &str, word: &str, known: &[&str]| {
        let shown: String = word.chars().take(32).collect();
        Failure::field(field, format!("`{shown}` is none of {}", known.join(", ")))
    };
    let sorts = IssuerSort::ALL.map(IssuerSort::name);
    let sort = IssuerSort::named(&input.sort).ok_or_else(|| unknown("sort", &input.sort, &sorts))?;
    let ways = Signing::ALL.map(Signing::name);
    let named = |name: &String| Signing::named(name).ok_or_else(|| unknown("algorithms", name, &ways));
    let keys = match &input.jwks {
        Some(text) => Some(serde_json::from_str(text).map_err(|e| Failure::field("jwks", e.to_string()))?),
        None => None,
    };
    let new = IssuerInput {
        name: read::text("name", &input.name)?,
        sort,
        issuer: input.issuer,
        audience: input.audience,
        algorithms: input.algorithms.iter().map(named).collect::<Answer<_>>()?,
        ca_pem: input.ca_pem,
        keys,
    };
    Ok(made(issuer_view(&shared.app.add_issuer_of_jobs(&caller, &new).await?)))
}

/// Removes an issuer: what its jobs hold ends.
#[utoipa::path(delete, path = "/v1/issuers/{name}", tag = "workloads", params(("name" = String, Path)), responses((status = 204), Problems))]
pub(crate) async fn remove_issuer(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<StatusCode> {
    shared.app.remove_issuer_of_jobs(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Workloads, by name.
#[utoipa::path(get, path = "/v1/workloads", tag = "workloads", responses((status = 200, body = Workloads), Problems))]
pub(crate) async fn workloads(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(Nothing {}): Query<Nothing>,
) -> Answer<Json<Workloads>> {
    let there = shared.app.workloads(&caller).await?;
    let world = shared.app.world().await?;
    Ok(Json(Workloads { items: there.iter().map(|one| view(Names(&world), one)).collect() }))
}

/// Enters a workload.
#[utoipa::path(post, path = "/v1/workloads", tag = "workloads", request_body = NewWorkload, responses((status = 201, body = WorkloadView), Problems))]
pub(crate) async fn new_workload(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<NewWorkload>,
) -> Answer<(StatusCode, Json<WorkloadView>)> {
    let new = wane_app::NewWorkload {
        name: read::text("name", &input.name)?,
        display: read::text("display", input.display.as_deref().unwrap_or(&input.name))?,
        sponsor: input.sponsor,
        rule: rule("rule.", input.rule)?,
    };
    let shown = shared.app.add_workload(&caller, &new).await?;
    let world = shared.app.world().await?;
    Ok(made(view(Names(&world), &shown)))
}

/// Changes which jobs are a workload's. What jobs hold that are not any more ends.
#[utoipa::path(put, path = "/v1/workloads/{name}/rule", tag = "workloads", params(("name" = String, Path)), request_body = WorkloadRule, responses((status = 200, body = WorkloadView), Problems))]
pub(crate) async fn workload_rule(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
    Input(input): Input<WorkloadRule>,
) -> Answer<Json<WorkloadView>> {
    let shown = shared.app.change_workload(&caller, &name, &rule("", input)?).await?;
    let world = shared.app.world().await?;
    Ok(Json(view(Names(&world), &shown)))
}

/// Removes a workload: it is disabled, and everything that its jobs hold ends.
#[utoipa::path(delete, path = "/v1/workloads/{name}", tag = "workloads", params(("name" = String, Path)), responses((status = 204), Problems))]
pub(crate) async fn remove_workload(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<StatusCode> {
    shared.app.remove_workload(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Jobs that go on, oldest first.
#[utoipa::path(get, path = "/v1/jobs", tag = "workloads", responses((status = 200, body = Jobs), Problems))]
pub(crate) async fn jobs(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(Nothing {}): Query<Nothing>,
) -> Answer<Json<Jobs>> {
    let there = shared.app.jobs(&caller).await?;
    let world = shared.app.world().await?;
    let shown = |one: &wane_app::JobShown| JobView {
        job: one.job.id.to_string(),
        workload: Names(&world).person(one.job.person),
        issuer: one.job.asks.issuer_name.to_string(),
        subject: one.job.asks.claims.subject().to_owned(),
        since: at(one.job.at),
        heard: at(one.heard),
        until: at(one.job.until),
    };
    Ok(Json(Jobs { items: there.iter().map(shown).collect() }))
}

/// Begins a job with a token of its issuer, which is good for that once.
#[utoipa::path(post, path = "/v1/jobs", tag = "workloads", security(()), request_body = NewJob, responses((status = 201, body = JobBegun), Problems))]
pub(crate) async fn begin_job(
    State(shared): State<Arc<Shared>>,
    Input(input): Input<NewJob>,
) -> Answer<(Extension<HandsOut>, (StatusCode, Json<JobBegun>))> {
    let begun = shared.app.begin_job(&read::secret(input.token), input.workload.as_deref()).await?;
    let view = JobBegun {
        job: begun.job.to_string(),
        workload: begun.workload.to_string(),
        token: read::reveal(begun.token),
        until: at(begun.until),
        silence: span(begun.silence),
    };
    Ok((Extension(HandsOut(None)), made(view)))
}

/// Says that the job goes on, as every other call of it does.
#[utoipa::path(post, path = "/v1/jobs/current/beat", tag = "workloads", responses((status = 200, body = JobBeat), Problems))]
pub(crate) async fn beat(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<Json<JobBeat>> {
    Ok(Json(JobBeat { until: at(shared.app.beat(&caller)?) }))
}

/// Says that the job is over: everything it asked for and holds ends.
#[utoipa::path(delete, path = "/v1/jobs/current", tag = "workloads", responses((status = 200, body = JobOver), Problems))]
pub(crate) async fn end_job(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<Json<JobOver>> {
    let grants = shared.app.end_own_job(&caller).await?;
    Ok(Json(JobOver { grants: grants.iter().map(ToString::to_string).collect() }))
}

fn rule(within: &str, input: WorkloadRule) -> Answer<RuleInput> {
    let time = |field: &str, given: Option<String>, usual: Span| match given {
        Some(given) => read::duration(&format!("{within}{field}"), &given),
        None => Ok(usual),
    };
    let claim = |(claim, pattern): (String, String)| {
        let field = format!("{within}claims.{}", claim.chars().take(64).collect::<String>());
        Ok((claim, read::text(&field, &pattern)?))
    };
    Ok(RuleInput {
        issuer: input.issuer,
        claims: input.claims.into_iter().map(claim).collect::<Answer<BTreeMap<_, _>>>()?,
        longest: time("longest", input.longest, LONGEST)?,
        silence: time("silence", input.silence, SILENCE)?,
    })
}

fn issuer_view(one: &Issuer) -> IssuerView {
    IssuerView {
        name: one.name.to_string(),
        sort: one.sort.name().to_owned(),
        issuer: one.issuer.clone(),
        audience: one.audience.clone(),
        algorithms: one.algorithms.iter().map(|algorithm| algorithm.name().to_owned()).collect(),
        keys_entered: one.keys.is_some(),
        since: at(one.since),
    }
}

fn view(names: Names<'_>, shown: &WorkloadShown) -> WorkloadView {
    let WorkloadShown { workload, person, issuer } = shown;
    WorkloadView {
        name: person.name.to_string(),
        display: person.display.to_string(),
        sponsor: person.stay.sponsor.map(|sponsor| names.person(sponsor)),
        rule: WorkloadRule {
            issuer: issuer.name.to_string(),
            claims: workload.rule.iter().map(|(claim, pattern)| (claim.clone(), pattern.to_string())).collect(),
            longest: Some(workload.longest.to_string()),
            silence: Some(workload.silence.to_string()),
        },
        active: person.standing == Standing::Active,
        since: at(workload.since),
    }
}
