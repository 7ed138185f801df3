//! Many operations in one call: each by itself, in an order in which what is referred to is made first.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use wane_app::{DirectoryCaller, Sending};
use wane_scim::bulk::{Done, Method, Operation, referred};
use wane_scim::schema::ResourceKind;
use wane_scim::{Kind, Refused};

use super::answer::{Refusal, answer};
use super::call::{Body, Pushing};
use super::routes::{change, heard, location, remove};
use crate::shared::Shared;

pub(crate) async fn bulk(
    State(shared): State<Arc<Shared>>,
    Pushing(by): Pushing,
    Body(body): Body,
) -> Result<Response, Refusal> {
    let bulk = heard(&shared, &by, wane_scim::bulk::read(body))?;
    let mut done: Vec<Option<Done>> = vec![None; bulk.operations.len()];
    let mut made = BTreeMap::new();
    let (mut errors, mut stopped) = (0usize, false);
    // What refers to something that comes later waits for the next round; a round in which nothing was done is the
    // last: what is left refers to what is never made.
    loop {
        let mut progress = false;
        for (operation, slot) in bulk.operations.iter().zip(&mut done) {
            if slot.is_some() || stopped {
                continue;
            }
            let Some(ready) = referred(operation, &made) else { continue };
            let (one, id) = run(&shared, &by, ready).await;
            if let (Some(name), Some(id)) = (&operation.bulk_id, id) {
                made.insert(name.clone(), id);
            }
            errors = errors.saturating_add(usize::from(one.error.is_some()));
            stopped = bulk.stop_after.is_some_and(|most| errors >= most);
            *slot = Some(one);
            progress = true;
        }
        if !progress || stopped {
            break;
        }
    }
    if !stopped {
        for slot in done.iter_mut().filter(|slot| slot.is_none()) {
            let why = "it refers to something that no operation of this call made";
            *slot = Some(failed(&Refused::new(Kind::InvalidValue, why).into()));
        }
    }
    let pairs = bulk.operations.iter().zip(&done).filter_map(|(operation, done)| Some((operation, done.as_ref()?)));
    Ok(answer(200, &wane_scim::bulk::answer(pairs)))
}

/// Does one; what it made, if it made something.
async fn run(shared: &Shared, by: &DirectoryCaller, operation: Operation) -> (Done, Option<String>) {
    let Operation { method, kind, id, version, data, .. } = operation;
    let matching = version.map(|version| vec![version]);
    let id = id.unwrap_or_default();
    let result = match method {
        Method::Post => {
            let made = match kind {
                ResourceKind::User => shared.app.push_person(by, data).await,
                ResourceKind::Group => shared.app.push_group(by, data).await,
            };
            made.map(|one| (201, Some(one)))
        }
        Method::Put => {
            change(shared, by, (kind, &id), &matching, Sending::Whole(data)).await.map(|one| (200, Some(one)))
        }
        Method::Patch => {
            change(shared, by, (kind, &id), &matching, Sending::Patch(data)).await.map(|one| (200, Some(one)))
        }
        Method::Delete => remove(shared, by, (kind, &id), &matching).await.map(|()| (204, None)),
    };
    match heard(shared, by, result) {
        Ok((status, one)) => {
            let made = one.as_ref().filter(|_| method == Method::Post).map(|one| one.meta.id.clone());
            let version = one.as_ref().map(|one| one.meta.version.clone());
            (Done { status, location: one.as_ref().map(location), version, error: None }, made)
        }
        Err(refusal) => (failed(&refusal), None),
    }
}

fn failed(refusal: &Refusal) -> Done {
    Done { status: refusal.status, location: None, version: None, error: Some(refusal.body()) }
}
