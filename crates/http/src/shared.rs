//! What every route is given, and who is calling.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use wane_api::settings::SettingView;
use wane_app::{App, AppError, Caller};
use wane_domain::id::{PersonId, ResourceId};

use crate::addresses::Addresses;
use crate::pages;
use crate::rim::{Answer, Failure};

/// What a deployment sets: bounds, and what is told of everything that it set.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest body, in bytes.
    pub body: usize,
    /// The longest a call may take; event streams excepted.
    pub call: Duration,
    /// Open event streams.
    pub streams: usize,
    /// Every setting of the server, for those who may read them.
    pub settings: Vec<SettingView>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 1024 * 1024, call: Duration::from_secs(30), streams: 256, settings: Vec::new() }
    }
}

/// What every route is given.
pub(crate) struct Shared {
    pub(crate) app: Arc<App>,
    pub(crate) streams: Arc<Semaphore>,
    /// Feeds of resource servers: people's streams take none of their places.
    pub(crate) feeds: Arc<Semaphore>,
    /// Ends event streams, which would otherwise keep a server from stopping.
    pub(crate) stop: CancellationToken,
    /// What the server was started with.
    pub(crate) settings: Vec<SettingView>,
    /// Failed tries by address.
    pub(crate) addresses: Addresses,
    in_flight: Mutex<HashSet<(PersonId, String)>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(app: Arc<App>, limits: &Limits, stop: CancellationToken) -> Arc<Self> {
        let streams = Arc::new(Semaphore::new(limits.streams));
        let feeds = Arc::new(Semaphore::new(limits.streams));
        let settings = limits.settings.clone();
        let (addresses, in_flight) = (Addresses::default(), Mutex::default());
        Arc::new(Self { app, streams, feeds, stop, settings, addresses, in_flight })
    }

    /// Takes an idempotency key for the time of one call; none if a call under it is under way.
    pub(crate) fn take_key(self: &Arc<Self>, person: PersonId, key: &str) -> Option<KeyInUse> {
        let taken = (person, key.to_owned());
        let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        in_flight.insert(taken.clone()).then(|| KeyInUse { shared: Arc::clone(self), taken })
    }
}

/// An idempotency key while the call under it is under way.
#[derive(Debug)]
pub(crate) struct KeyInUse {
    shared: Arc<Shared>,
    taken: (PersonId, String),
}

impl Drop for KeyInUse {
    fn drop(&mut self) {
        self.shared.in_flight.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.taken);
    }
}

/// A signed-in person is calling.
#[derive(Debug)]
pub(crate) struct Signed(pub(crate) Caller);

/// A joined host is calling.
#[derive(Debug)]
pub(crate) struct Host(pub(crate) ResourceId);

impl FromRequestParts<Arc<Shared>> for Signed {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Answer<Self> {
        // Whoever looked up the idempotency key knows already who it is.
        let caller = match parts.extensions.get::<Caller>() {
            Some(caller) => caller.clone(),
            None => {
                let token = presented(&parts.headers, shared).ok_or(AppError::SignedOut)?;
                shared.app.authenticate_any(token).await?
            }
        };
        let at = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        if caller.job.is_some() && !is_for_jobs(&parts.method, at) {
            return Err(AppError::NotAllowed { what: "call this as a workload" }.into());
        }
        Ok(Self(caller))
    }
}

/// What a job of a workload may call: what it takes to ask for access, use it and give it back. Nothing that lasts
/// longer than it does, and nothing about anybody else.
const FOR_JOBS: [(Method, &str); 15] = [
    (Method::GET, "/v1/me"),
    (Method::GET, "/v1/gateways"),
    (Method::GET, "/v1/askable"),
    (Method::POST, "/v1/why"),
    (Method::GET, "/v1/requests"),
    (Method::POST, "/v1/requests"),
    (Method::GET, "/v1/requests/{id}"),
    (Method::POST, "/v1/requests/{id}/withdraw"),
    (Method::GET, "/v1/grants"),
    (Method::GET, "/v1/grants/{id}"),
    (Method::POST, "/v1/grants/{id}/credential"),
    (Method::POST, "/v1/grants/{id}/return"),
    (Method::POST, "/v1/grants/{id}/extend"),
    (Method::POST, "/v1/jobs/current/beat"),
    (Method::DELETE, "/v1/jobs/current"),
];

fn is_for_jobs(method: &Method, path: &str) -> bool {
    FOR_JOBS.iter().any(|(of, at)| of == method && *at == path)
}

impl FromRequestParts<Arc<Shared>> for Host {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Answer<Self> {
        let token = bearer(&parts.headers).ok_or(AppError::SignedOut)?;
        Ok(Self(shared.app.authenticate_host(token).await?))
    }
}

/// The token of the session that a call is made in: the bearer's, or that of the browser whose page of ours makes it.
pub(crate) fn presented<'h>(headers: &'h HeaderMap, shared: &Shared) -> Option<&'h str> {
    if headers.contains_key(AUTHORIZATION) { bearer(headers) } else { pages::of_page(headers, shared.app.public_url()) }
}

/// The token of `Authorization: Bearer …` (RFC 6750 section 2.1), sent exactly once.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_sent_once_and_plainly() {
        for (sent, read) in [
            (vec!["Bearer wns_x"], Some("wns_x")),
            (vec!["bearer  wns_x"], Some("wns_x")),
            (vec!["Basic wns_x"], None),
            (vec!["Bearer"], None),
            (vec!["Bearer "], None),
            (vec!["wns_x"], None),
            (vec!["Bearer a", "Bearer b"], None),
            (vec![], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in &sent {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            assert_eq!(bearer(&headers), read, "{sent:?}");
        }
    }
}
