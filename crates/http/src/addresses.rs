//! How many sign-ins, codes and proofs may fail from one address, whatever the names are.
//!
//! An account's own count closes its door; this one keeps one address from trying every door. A place
//! is taken before a try and given back if it did not fail, so that asking faster passes no limit.
//! Kept in memory, within a bound, and forgotten at a restart.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use wane_api::Problem;
use wane_domain::time::{Span, Time};

use crate::pages;
use crate::rim::{Answer, Failure};
use crate::shared::Shared;

/// Where a call came from, as whoever accepted the connection saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// Failures that an address has free.
const FREE: u64 = 60;
/// One failure is forgiven after so long.
const FORGIVEN: Span = Span::from_secs(5);
/// How many addresses are told apart; beyond that, the rest share one count.
const MOST: usize = 10_000;
/// What can be tried without a session, or to raise one.
const GUARDED: [&str; 6] =
    ["/v1/sessions", "/v1/sessions/proof", "/v1/enrolments", "/v1/hosts/join", "/v1/devices/token", "/v1/jobs"];

/// Refuses tries from an address from which too many failed.
pub(crate) async fn bounded(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Answer<Response> {
    let path = request.uri().path();
    let tried = request.method() == Method::POST
        && (GUARDED.contains(&path) || crate::oauth::GUARDED.contains(&path) || pages::is_sign_in(path));
    let guarded = tried || pages::is_answer(path) || path.starts_with(crate::scim::ROOT);
    let peer = request.extensions().get::<Peer>().copied().filter(|_| guarded);
    let Some(key) = peer.and_then(key) else { return Ok(next.run(request).await) };
    shared.addresses.take(key, shared.app.now()).map_err(too_many)?;
    let response = next.run(request).await;
    if response.status() != StatusCode::UNAUTHORIZED {
        shared.addresses.give_back(key);
    }
    Ok(response)
}

fn too_many(wait: Span) -> Failure {
    let detail = "too many failed attempts from your address; wait and try again";
    Failure::from(Problem::with_status(429, "closed-for-now", detail)).after(wait.secs().saturating_add(1))
}

/// What is counted as one address: an IPv6 network of 64 bits is one customer's. The machine itself is not counted.
fn key(Peer(address): Peer) -> Option<IpAddr> {
    let address = address.to_canonical();
    if address.is_loopback() {
        return None;
    }
    Some(match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    })
}

/// Failures that are not forgiven yet, by address: each is remembered as the moment at which all will be.
#[derive(Debug, Default)]
pub(crate) struct Addresses(Mutex<HashMap<IpAddr, Time>>);

impl Addresses {
    /// Takes a place for a try; if there is none, says how long until there is.
    fn take(&self, key: IpAddr, now: Time) -> Result<(), Span> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(&key) {
            all.retain(|_, until| *until > now);
        }
        let rest = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let key = if all.len() >= MOST && !all.contains_key(&key) { rest } else { key };
        let until = all.entry(key).or_insert(now);
        let after = (*until).max(now).plus(FORGIVEN);
        let most = now.plus(Span::from_secs(FREE.saturating_mul(FORGIVEN.secs())));
        if after > most {
            return Err(after.since(most));
        }
        *until = after;
        Ok(())
    }

    /// Gives a place back: the try did not fail.
    fn give_back(&self, key: IpAddr) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = all.get_mut(&key) {
            *until = until.minus(FORGIVEN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_is_one_address_and_the_machine_is_none() {
        for (address, counted) in [
            ("192.0.2.7", Some("192.0.2.7")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::")),
            ("127.0.0.9", None),
            ("::1", None),
            ("::ffff:127.0.0.1", None),
        ] {
            assert_eq!(key(Peer(ip(address))), counted.map(ip), "{address}");
        }
    }

    #[test]
    fn failures_are_forgiven_one_by_one() {
        let (addresses, now) = (Addresses::default(), Time::from_micros(1_000_000_000));
        for _ in 0..FREE {
            addresses.take(ip("192.0.2.7"), now).unwrap();
        }
        let wait = addresses.take(ip("192.0.2.7"), now).unwrap_err();
        assert_eq!(wait, FORGIVEN);
        addresses.take(ip("192.0.2.8"), now).unwrap();
        addresses.take(ip("192.0.2.7"), now.plus(wait)).unwrap();
        assert!(addresses.take(ip("192.0.2.7"), now.plus(wait)).is_err());
        addresses.give_back(ip("192.0.2.7"));
        addresses.take(ip("192.0.2.7"), now.plus(wait)).unwrap();
    }

    #[test]
    fn a_flood_of_addresses_has_a_bound_and_passes_no_limit() {
        let (addresses, now) = (Addresses::default(), Time::from_micros(1_000_000_000));
        let all = (0..30_000u32).map(|n| IpAddr::V4((0x0A00_0000 + n).into()));
        let refused = all.filter(|address| addresses.take(*address, now).is_err()).count();
        assert!(refused > 19_000, "{refused}");
        assert!(addresses.0.lock().unwrap().len() <= MOST + 1);
        addresses.take(ip("192.0.2.7"), now.plus(Span::from_hours(1))).unwrap();
        assert!(addresses.0.lock().unwrap().len() < 10);
    }
}
