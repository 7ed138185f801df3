//! Workloads, who is believed about their jobs, and the jobs.

use std::collections::{BTreeMap, BTreeSet};

use wane_domain::time::Span;
use wane_domain::workload::{Issuer, IssuerSort, JobAsks, JobClaims, Signing, Workload};

use super::fixture::{Fixture, told};
use super::{holds, same};
use crate::commit::{Put, Seen, Write};
use crate::port::{Store, StoreError};
use crate::rows::{Job, JobEnded, Versioned, job_token_key};

fn issuer(f: &mut Fixture) -> Result<Issuer, String> {
    Ok(Issuer {
        id: f.id(),
        name: "actions".parse().map_err(told)?,
        sort: IssuerSort::Github,
        issuer: "https://issuer.example".to_owned(),
        audience: "wane".to_owned(),
        algorithms: BTreeSet::from([Signing::RS256]),
        ca_pem: None,
        keys: None,
        since: f.now,
        removed: None,
    })
}

fn job(f: &mut Fixture, asks: &JobAsks, token: &str) -> Job {
    Job {
        id: f.id(),
        person: f.id(),
        token: job_token_key("https://issuer.example", token),
        asks: asks.clone(),
        bearer: f.id(),
        at: f.now,
        until: f.now.plus(Span::from_mins(60)),
        forget: f.now.plus(Span::from_mins(60)),
        ended: None,
    }
}

/// Both are part of the world; one token begins one job, for as long as it says anything.
pub(crate) async fn one_token_begins_one_job<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (issuer, person) = (issuer(f)?, f.person("deploy")?);
    let workload = Workload {
        id: f.id(),
        person: person.id,
        issuer: issuer.id,
        rule: BTreeMap::from([("repository_id".to_owned(), "74".parse().map_err(told)?)]),
        longest: Span::from_mins(60),
        silence: Span::from_mins(1),
        since: f.now,
        removed: None,
    };
    let epoch = s.world().await.map_err(told)?.epoch;
    let writes = vec![
        Write::Issuer(Put::new(issuer.clone())),
        Write::Person(Put::new(person.clone())),
        Write::Workload(Put::new(workload.clone())),
    ];
    s.commit(f.commit(writes)?).await.map_err(told)?;
    let world = s.world().await.map_err(told)?;
    same("a workload raises the epoch", &(world.epoch > epoch), &true)?;
    same("the issuer", &world.issuer("actions"), &Some(&issuer))?;
    same("the workload", &world.workload_of(person.id), &Some(&workload))?;
    same("its generation", &s.seen(&workload.id.to_string()).await, &Ok(Seen::Generation(1)))?;
    let removed = Workload { removed: Some(f.now), ..workload.clone() };
    let put = Put { value: removed, seen: Seen::Generation(1) };
    s.commit(f.commit(vec![Write::Workload(put)])?).await.map_err(told)?;
    holds("it stays a workload", s.world().await.map_err(told)?.is_workload(person.id).then_some(()))?;

    let claims: JobClaims = [("sub".to_owned(), "repo:octo/app".to_owned())].into_iter().collect();
    let asks = JobAsks { job: f.id(), issuer: issuer.id, issuer_name: issuer.name.clone(), claims };
    let (one, twin, other) = (job(f, &asks, "jti:1"), job(f, &asks, "jti:1"), job(f, &asks, "jti:2"));
    let writes = [&one, &other].map(|job| Write::Job(Put::new(job.clone())));
    s.commit(f.commit(writes.into())?).await.map_err(told)?;
    let kept = |value: &Job, generation| Versioned { value: value.clone(), generation };
    same("a job", &s.job(one.id).await, &Ok(Some(kept(&one, 1))))?;
    same("by its token", &s.job_of_token(&one.token).await, &Ok(Some(kept(&one, 1))))?;
    same("by no token", &s.job_of_token("none").await, &Ok(None))?;
    same("those that go on", &s.open_jobs().await, &Ok(vec![kept(&one, 1), kept(&other, 1)]))?;
    match s.commit(f.commit(vec![Write::Job(Put::new(twin.clone()))])?).await {
        Err(StoreError::Refused(_)) => {}
        done => return Err(format!("two of one token gave {done:?}")),
    }
    let ended = Some(JobEnded { at: f.now, how: "it said so".to_owned() });
    let over = Job { ended, ..one.clone() };
    let put = || Write::Job(Put { value: over.clone(), seen: Seen::Generation(1) });
    s.commit(f.commit(vec![put()])?).await.map_err(told)?;
    match s.commit(f.commit(vec![put()])?).await {
        Err(StoreError::Conflict(_)) => {}
        done => return Err(format!("ending it as it was before gave {done:?}")),
    }
    same("those that go on then", &s.open_jobs().await, &Ok(vec![kept(&other, 1)]))?;
    // Before its time it is kept, and one that goes on is kept whatever the time.
    s.commit(f.commit(vec![Write::ForgetJobs(f.now)])?).await.map_err(told)?;
    same("kept", &s.job(one.id).await, &Ok(Some(kept(&over, 2))))?;
    s.commit(f.commit(vec![Write::ForgetJobs(over.forget), Write::Job(Put::new(twin.clone()))])?)
        .await
        .map_err(told)?;
    same("forgotten", &s.job(one.id).await, &Ok(None))?;
    same("its token begins another", &s.job_of_token(&one.token).await, &Ok(Some(kept(&twin, 1))))?;
    same("the one that goes on", &s.job(other.id).await, &Ok(Some(kept(&other, 1))))
}
