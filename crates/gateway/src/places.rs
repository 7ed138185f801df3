//! Who may connect: bounds on connections, the tighter ones for those that have not logged in.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wane_domain::time::{Span, Time};

/// What the gateway bounds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Those of them that have not logged in. One more, and whoever has been among them for longest has to go:
    /// a login takes a moment, and who holds a place takes all the time there is.
    pub unknown: usize,
    /// Those of these from one address.
    pub unknown_per_address: usize,
    /// Connections without a login from one address in a minute, before it has to wait for the next.
    pub failures_per_minute: u32,
    /// How long a connection has to log in.
    pub login: Duration,
    /// Attempts to log in on one connection.
    pub attempts: u32,
    /// How long a person has to hear that their session is over.
    pub goodbye: Duration,
    /// How often it is asked where a session stands.
    pub beat: Duration,
    /// Connections inside one at once.
    pub inside: usize,
    /// How long a connection stays that has none inside.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            unknown: 256,
            unknown_per_address: 16,
            failures_per_minute: 60,
            login: Duration::from_secs(30),
            attempts: 8,
            goodbye: Duration::from_millis(500),
            beat: Duration::from_secs(30),
            inside: 64,
            idle: Duration::from_secs(120),
        }
    }
}

/// How many addresses are remembered for their failures.
const MOST_ADDRESSES: usize = 10_000;
const MINUTE: Span = Span::from_secs(60);

/// Who is connected.
#[derive(Debug)]
pub(crate) struct Places {
    limits: Limits,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    connections: usize,
    /// Who has not logged in, in the order in which they came.
    unknown: BTreeMap<u64, CancellationToken>,
    came: u64,
    by_address: HashMap<IpAddr, usize>,
    failures: HashMap<IpAddr, (u32, Time)>,
}

/// One connection's place, given up when it goes.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    address: IpAddr,
    number: u64,
    crowded_out: CancellationToken,
    known: bool,
}

impl Places {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, inner: Mutex::default() })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection, if there is one.
    ///
    /// INVARIANT: strangers from many addresses keep nobody out who logs in at once (held by
    /// `who_has_been_a_stranger_for_longest_makes_room`).
    pub(crate) fn take(self: &Arc<Self>, peer: IpAddr, now: Time) -> Option<Place> {
        let address = whose(peer);
        let mut inner = self.inner();
        let here = inner.by_address.get(&address).copied().unwrap_or(0);
        let failed = inner.failures.get(&address).filter(|(_, since)| now < since.plus(MINUTE)).map_or(0, |(n, _)| *n);
        let full = inner.connections >= self.limits.connections
            || here >= self.limits.unknown_per_address
            || failed >= self.limits.failures_per_minute;
        if full {
            return None;
        }
        while inner.unknown.len() >= self.limits.unknown.max(1) {
            // It is no stranger's place any more, though the connection is still about to be cut.
            if let Some((_, longest)) = inner.unknown.pop_first() {
                longest.cancel();
            }
        }
        inner.connections += 1;
        inner.came += 1;
        let (number, crowded_out) = (inner.came, CancellationToken::new());
        inner.unknown.insert(number, crowded_out.clone());
        inner.by_address.insert(address, here + 1);
        Some(Place { places: Arc::clone(self), address, number, crowded_out, known: false })
    }
}

impl Place {
    /// Somebody logged in on it: it takes no place from strangers any more.
    pub(crate) fn known(&mut self) {
        if !std::mem::replace(&mut self.known, true) {
            self.places.inner().no_longer_unknown(self.number, self.address);
        }
    }

    /// Waits until somebody else needs the place more.
    pub(crate) fn crowded_out(&self) -> impl Future<Output = ()> + use<> {
        self.crowded_out.clone().cancelled_owned()
    }

    /// Nobody logged in on it.
    pub(crate) fn failed(&self, now: Time) {
        let mut inner = self.places.inner();
        if inner.failures.len() >= MOST_ADDRESSES {
            inner.failures.retain(|_, (_, since)| now < since.plus(MINUTE));
        }
        if inner.failures.len() >= MOST_ADDRESSES {
            inner.failures.clear();
        }
        let failures = inner.failures.entry(self.address).or_insert((0, now));
        if now >= failures.1.plus(MINUTE) {
            *failures = (0, now);
        }
        failures.0 = failures.0.saturating_add(1);
    }
}

impl Inner {
    fn no_longer_unknown(&mut self, number: u64, address: IpAddr) {
        self.unknown.remove(&number);
        if let Some(here) = self.by_address.get_mut(&address) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.places.inner();
        inner.connections = inner.connections.saturating_sub(1);
        if !self.known {
            inner.no_longer_unknown(self.number, self.address);
        }
    }
}

/// The address as one party: of IPv6, the network of 64 bits that a customer is given.
fn whose(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_000_000);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_has_been_a_stranger_for_longest_makes_room() {
        let places = Places::new(Limits { unknown: 3, ..Limits::default() });
        let mut first = places.take(ip("192.0.2.1"), NOW).unwrap();
        let second = places.take(ip("192.0.2.2"), NOW).unwrap();
        let third = places.take(ip("192.0.2.3"), NOW).unwrap();
        first.known();
        let fourth = places.take(ip("192.0.2.4"), NOW).unwrap();
        assert!([&first, &second, &third, &fourth].iter().all(|place| !place.crowded_out.is_cancelled()));
        let fifth = places.take(ip("192.0.2.5"), NOW).unwrap();
        let out = [&first, &second, &third, &fourth, &fifth].map(|place| place.crowded_out.is_cancelled());
        assert_eq!(out, [false, true, false, false, false], "who logged in stays, who came next goes");
        // Who goes gives back what was theirs, once.
        drop((second, third, fourth));
        let _more = [places.take(ip("192.0.2.6"), NOW).unwrap(), places.take(ip("192.0.2.7"), NOW).unwrap()];
        assert!(!fifth.crowded_out.is_cancelled());
    }

    #[test]
    fn strangers_have_few_places_and_sessions_take_none_of_them() {
        let limits = Limits { connections: 5, unknown: 3, unknown_per_address: 2, ..Limits::default() };
        let places = Places::new(limits);
        let mut first = places.take(ip("192.0.2.1"), NOW).unwrap();
        let second = places.take(ip("::ffff:192.0.2.1"), NOW).unwrap();
        assert!(places.take(ip("192.0.2.1"), NOW).is_none(), "one address");
        let third = places.take(ip("2001:db8::1"), NOW).unwrap();
        first.known();
        first.known();
        let _fourth = places.take(ip("192.0.2.1"), NOW).unwrap();
        drop((second, third));
        let mut more = [places.take(ip("2001:db8::2"), NOW).unwrap(), places.take(ip("2001:db8::3"), NOW).unwrap()];
        more.iter_mut().for_each(Place::known);
        let _last = places.take(ip("203.0.113.1"), NOW).unwrap();
        assert!(places.take(ip("203.0.113.2"), NOW).is_none(), "all together");
    }

    #[test]
    fn an_address_that_fails_again_and_again_waits() {
        let places = Places::new(Limits { failures_per_minute: 2, ..Limits::default() });
        for _ in 0..2 {
            places.take(ip("2001:db8::1"), NOW).unwrap().failed(NOW);
        }
        assert!(places.take(ip("2001:db8::ffff"), NOW).is_none(), "the same network");
        assert!(places.take(ip("192.0.2.1"), NOW).is_some());
        assert!(places.take(ip("2001:db8::1"), NOW.plus(MINUTE)).is_some());
    }
}
