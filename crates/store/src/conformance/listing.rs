//! Pages and filters.

use std::collections::BTreeSet;

use wane_domain::closure::EndCause;
use wane_domain::grant::GrantEvent;
use wane_domain::id::{GrantId, LeaseId, RequestId};
use wane_domain::lease::LeaseEvent;
use wane_domain::time::{Span, Time};

use super::fixture::{Fixture, told};
use super::same;
use crate::commit::{Put, Write};
use crate::port::Store;
use crate::query::{GrantFilter, GrantPhase, LeaseFilter, LeasePhase, RequestFilter, Slice};

pub(crate) async fn pages_have_no_gap_and_no_repeat<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (person, resource, role) = (f.id(), f.id(), f.id());
    let mut there: Vec<RequestId> = Vec::new();
    for n in 0..25 {
        // Several in one millisecond, then the next.
        f.now = f.now.plus(Span::from_micros(if n % 5 == 0 { 1_000 } else { 0 }));
        let request = f.request(person, resource, role, 1)?;
        there.push(request.id);
        s.commit(f.commit(vec![Write::Request(Put::new(request))])?).await.map_err(told)?;
    }
    there.reverse();
    let filter = RequestFilter { person: Some(person), waiting: Some(true) };
    let mut slice = Slice::first(7);
    let mut got = Vec::new();
    for turn in 0.. {
        let page = s.requests(filter.clone(), slice.clone()).await.map_err(told)?;
        got.extend(page.items.iter().map(|r| r.value.id));
        let late = f.request(person, resource, role, 1)?;
        s.commit(f.commit(vec![Write::Request(Put::new(late))])?).await.map_err(told)?;
        match page.next {
            Some(next) if turn < 10 => slice.after = Some(next),
            Some(_) => return Err("the listing does not end".to_owned()),
            None => break,
        }
    }
    same("the requests that were there when the listing began", &got, &there)?;
    let exact = s.requests(filter, Slice::first(29)).await.map_err(told)?;
    same("how many there are now", &exact.items.len(), &29)?;
    same("whether a page that is exactly full has a next", &exact.next, &None)
}

pub(crate) async fn filters_mean_what_they_say<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (ada, ben) = (f.id(), f.id());
    let (db, host) = (f.id(), f.id());
    let role = f.id();
    let waiting = f.request(ada, db, role, 1)?;
    let (asked, scheduled) = f.granted(ada, db, role)?;
    let (asked_too, active, lease) = f.leased(ben, host, role)?;
    let mut writes = Fixture::writes((&asked_too, &active, &lease));
    writes.extend([
        Write::Request(Put::new(waiting.clone())),
        Write::Request(Put::new(asked.clone())),
        Write::Grant(Put::new(scheduled.clone())),
    ]);
    s.commit(f.commit(writes)?).await.map_err(told)?;

    let requests = [
        (RequestFilter::default(), vec![asked_too.id, asked.id, waiting.id]),
        (RequestFilter { person: Some(ada), waiting: None }, vec![asked.id, waiting.id]),
        (RequestFilter { person: Some(ada), waiting: Some(true) }, vec![waiting.id]),
        (RequestFilter { person: None, waiting: Some(false) }, vec![asked_too.id, asked.id]),
        (RequestFilter { person: Some(f.id()), waiting: None }, vec![]),
    ];
    for (filter, want) in requests {
        let page = s.requests(filter.clone(), Slice::first(10)).await.map_err(told)?;
        same(&format!("{filter:?}"), &page.items.iter().map(|r| r.value.id).collect::<Vec<_>>(), &want)?;
    }
    let end = active.due().ok_or("an active grant has no end")?;
    let lasting =
        |at: Time| GrantFilter { phases: vec![GrantPhase::Active], due_from: Some(at), ..GrantFilter::default() };
    let covering = |role, at| GrantFilter { holder: Some(ben), resource: Some(host), role: Some(role), ..lasting(at) };
    let grants: [(GrantFilter, Vec<GrantId>); 16] = [
        (GrantFilter::default(), vec![active.id, scheduled.id]),
        (GrantFilter { holder: Some(ben), ..GrantFilter::default() }, vec![active.id]),
        (GrantFilter { resource: Some(db), ..GrantFilter::default() }, vec![scheduled.id]),
        (GrantFilter { role: Some(role), ..GrantFilter::default() }, vec![active.id, scheduled.id]),
        (GrantFilter { request: Some(asked.id), ..GrantFilter::default() }, vec![scheduled.id]),
        (
            GrantFilter { ids: vec![scheduled.id, f.id(), active.id], ..GrantFilter::default() },
            vec![active.id, scheduled.id],
        ),
        (GrantFilter { ids: vec![active.id], holder: Some(ada), ..GrantFilter::default() }, vec![]),
        (
            GrantFilter { phases: vec![GrantPhase::Active, GrantPhase::Ending], ..GrantFilter::default() },
            vec![active.id],
        ),
        (GrantFilter { holder: Some(ada), phases: vec![GrantPhase::Active], ..GrantFilter::default() }, vec![]),
        (lasting(end), vec![active.id]),
        (lasting(end.plus(Span::from_micros(1))), vec![]),
        (covering(role, end), vec![active.id]),
        (covering(role, end.plus(Span::from_micros(1))), vec![]),
        (covering(f.id(), end), vec![]),
        (GrantFilter { resource: Some(db), ..covering(role, end) }, vec![]),
        (
            GrantFilter {
                holder: Some(ada),
                phases: vec![GrantPhase::Scheduled, GrantPhase::Active],
                ..GrantFilter::default()
            },
            vec![scheduled.id],
        ),
    ];
    for (filter, want) in grants {
        let page = s.grants(filter.clone(), Slice::first(10)).await.map_err(told)?;
        same(&format!("{filter:?}"), &page.items.iter().map(|g| g.value.id).collect::<Vec<_>>(), &want)?;
    }

    let (second, _) = active.lease(f.id(), lease.kind.clone(), lease.what, f.now).map_err(told)?;
    let seen = s.lease(lease.id).await.map_err(told)?.ok_or("the lease is gone")?;
    let (ending, _) = lease.clone().apply(LeaseEvent::End, f.now).map_err(told)?;
    let seen_grant = s.grant(active.id).await.map_err(told)?.ok_or("the grant is gone")?;
    let (ended, _) = active.clone().apply(GrantEvent::End(EndCause::Returned), f.now).map_err(told)?;
    let writes = vec![
        Write::Lease(Put::new(second.clone())),
        Write::Lease(Put::over(&seen, ending)),
        Write::Grant(Put::over(&seen_grant, ended)),
    ];
    s.commit(f.commit(writes)?).await.map_err(told)?;
    let at_host = |phases| LeaseFilter { resource: Some(host), phases, ..LeaseFilter::default() };
    let leases: [(LeaseFilter, Vec<LeaseId>); 12] = [
        (LeaseFilter::default(), vec![lease.id, second.id]),
        (LeaseFilter { grant: Some(active.id), ..LeaseFilter::default() }, vec![lease.id, second.id]),
        (LeaseFilter { grants: vec![f.id(), active.id], ..LeaseFilter::default() }, vec![lease.id, second.id]),
        (LeaseFilter { ids: vec![second.id, f.id()], ..LeaseFilter::default() }, vec![second.id]),
        (
            LeaseFilter {
                grants: vec![active.id],
                ids: vec![lease.id, second.id],
                phases: vec![LeasePhase::Revoking],
                ..LeaseFilter::default()
            },
            vec![lease.id],
        ),
        (LeaseFilter { resource: Some(db), ..LeaseFilter::default() }, vec![]),
        (LeaseFilter { phases: vec![LeasePhase::Revoking], ..LeaseFilter::default() }, vec![lease.id]),
        (
            LeaseFilter { phases: vec![LeasePhase::Intended, LeasePhase::Live], ..LeaseFilter::default() },
            vec![second.id],
        ),
        (at_host(vec![LeasePhase::Revoking]), vec![lease.id]),
        (at_host(vec![LeasePhase::Revoking, LeasePhase::Gone]), vec![lease.id]),
        (at_host(vec![]), vec![lease.id, second.id]),
        (LeaseFilter { resource: Some(db), ..at_host(vec![LeasePhase::Revoking]) }, vec![]),
    ];
    for (filter, want) in leases {
        let page = s.leases(filter.clone(), Slice::first(10)).await.map_err(told)?;
        same(&format!("{filter:?}"), &page.items.iter().map(|l| l.value.id).collect::<Vec<_>>(), &want)?;
    }
    let ending = GrantFilter { phases: vec![GrantPhase::Ending], ..GrantFilter::default() };
    let page = s.grants(ending, Slice::first(10)).await.map_err(told)?;
    same("ending grants", &page.items.iter().map(|g| g.value.id).collect::<BTreeSet<_>>(), &BTreeSet::from([active.id]))
}
