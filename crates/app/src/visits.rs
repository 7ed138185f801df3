//! The book of browsers that are on their way from an application to the sign-in and back.
//!
//! It is memory only: a browser that is not in the book begins again. Refuses to know: grants, policy, the store.
//!
//! INVARIANT: a code is good once, for a minute, at the origin it was begun at and in the browser it was begun in (held
//! by `a_code_is_good_once_where_it_was_begun`).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wane_connector::web::{Ticket, Visit};
use wane_domain::ambient::Ambient;
use wane_domain::canonical::Digest;
use wane_domain::id::GrantId;
use wane_domain::time::{Span, Time};

use crate::arrivals::{is_same, network};
use crate::caller::Caller;

/// How long somebody has to sign in.
const TO_SIGN_IN: Span = Span::from_mins(30);
/// How long a code is good.
const CODE: Span = Span::from_secs(60);
/// Browsers under way, of everybody together and from one address.
const MOST: usize = 10_000;
const MOST_HERE: usize = 200;

/// One browser.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    /// The resource it came from, by name.
    pub(crate) resource: String,
    pub(crate) visit: Visit,
    peer: IpAddr,
    until: Time,
    admitted: Option<Admitted>,
}

/// Somebody was let in.
#[derive(Clone, Debug)]
struct Admitted {
    caller: Caller,
    grant: GrantId,
    role: String,
    /// What is kept of the code.
    code: String,
}

/// What a code was good for.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) resource: String,
    pub(crate) caller: Caller,
    pub(crate) grant: GrantId,
    pub(crate) role: String,
    pub(crate) back: String,
}

/// The book.
#[derive(Debug, Default)]
pub(crate) struct Visits(Mutex<HashMap<String, Guest>>);

impl Visits {
    fn book(&self) -> MutexGuard<'_, HashMap<String, Guest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a browser under a reference; false if too many are under way.
    pub(crate) fn enter(&self, reference: &str, resource: String, visit: Visit, peer: IpAddr, now: Time) -> bool {
        let mut book = self.book();
        book.retain(|_, guest| now < guest.until);
        let here = book.values().filter(|guest| network(guest.peer) == network(peer)).count();
        if book.len() >= MOST || here >= MOST_HERE {
            return false;
        }
        let guest = Guest { resource, visit, peer, until: now.plus(TO_SIGN_IN), admitted: None };
        book.insert(reference.to_owned(), guest);
        true
    }

    /// The browser under a reference, if nobody was let in yet.
    pub(crate) fn open(&self, reference: &str, now: Time) -> Option<Guest> {
        let book = self.book();
        book.get(reference).filter(|guest| guest.admitted.is_none() && now < guest.until).cloned()
    }

    /// Lets somebody in under a grant; the code that their browser brings back, if nobody was before.
    pub(crate) fn admit(
        &self,
        reference: &str,
        (caller, grant, role): (Caller, GrantId, String),
        ambient: &Ambient,
    ) -> Option<String> {
        let now = ambient.now();
        let mut book = self.book();
        let guest = book.get_mut(reference).filter(|guest| guest.admitted.is_none() && now < guest.until)?;
        let code: String = ambient.bytes::<32>().iter().map(|b| format!("{b:02x}")).collect();
        guest.admitted = Some(Admitted { caller, grant, role, code: kept(&code) });
        guest.until = now.plus(CODE);
        Some(code)
    }

    /// Takes what a code is good for. Whatever is wrong with where it is shown, it is no good any more.
    pub(crate) fn take(&self, ticket: &Ticket, now: Time) -> Option<Taken> {
        let shown = kept(&ticket.code);
        let mut book = self.book();
        let is_it = |guest: &Guest| guest.admitted.as_ref().is_some_and(|admitted| is_same(&admitted.code, &shown));
        let reference = book.iter().find(|(_, guest)| is_it(guest)).map(|(reference, _)| reference.clone())?;
        let guest = book.remove(&reference)?;
        let here = guest.visit.origin == ticket.origin && is_same(&guest.visit.mark, &ticket.mark);
        let Admitted { caller, grant, role, .. } = guest.admitted.filter(|_| here && now < guest.until)?;
        Some(Taken { resource: guest.resource, caller, grant, role, back: guest.visit.back })
    }
}

/// What is kept of a code: whoever reads it has not the code.
fn kept(code: &str) -> String {
    Digest::of_bytes("wane.visit.v1", code.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use wane_domain::id::TypedId as _;
    use wane_testkit::FakeClock;

    use super::*;

    const NOW: Time = Time::from_micros(1_795_255_200_000_000);

    fn visit(origin: &str, mark: &str) -> Visit {
        Visit { origin: origin.to_owned(), back: "/x?y=1".to_owned(), mark: mark.to_owned() }
    }

    fn caller() -> Caller {
        Caller {
            person: wane_domain::id::PersonId::mint(NOW, &[1; 10]),
            name: "maya".parse().unwrap(),
            token: None,
            proved: NOW,
            proof: "password".to_owned(),
            expires: NOW.plus(Span::from_hours(1)),
            job: None,
        }
    }

    #[test]
    fn a_code_is_good_once_where_it_was_begun() {
        let clock = FakeClock::at(NOW);
        let ambient = clock.ambient(1);
        let peer = IpAddr::from([192, 0, 2, 1]);
        let grant = GrantId::mint(NOW, &[2; 10]);
        let begin = |visits: &Visits, reference: &str| {
            assert!(visits.enter(reference, "app".to_owned(), visit("https://a", "m"), peer, clock.ambient(1).now()));
            visits.admit(reference, (caller(), grant, "viewer".to_owned()), &ambient).unwrap()
        };
        let ticket = |code: &str, origin: &str, mark: &str| Ticket {
            code: code.to_owned(),
            origin: origin.to_owned(),
            mark: mark.to_owned(),
            client: String::new(),
        };
        let visits = Visits::default();
        assert!(visits.enter("shown", "app".to_owned(), visit("https://a", "m"), peer, NOW));
        let open = |now| visits.open("shown", now).map(|guest| guest.resource);
        assert_eq!((open(NOW), open(NOW.plus(TO_SIGN_IN))), (Some("app".to_owned()), None));
        let code = begin(&visits, "r0");
        assert!(visits.take(&ticket("made up", "https://a", "m"), NOW).is_none(), "nobody's");
        assert!(visits.admit("r0", (caller(), grant, String::new()), &ambient).is_none(), "two were let in");
        assert!(visits.open("r0", NOW).is_none(), "it was answered");
        let taken = visits.take(&ticket(&code, "https://a", "m"), NOW).unwrap();
        assert_eq!((taken.grant, taken.back.as_str(), taken.resource.as_str()), (grant, "/x?y=1", "app"));
        assert!(visits.take(&ticket(&code, "https://a", "m"), NOW).is_none(), "twice");
        // Shown in the wrong place once, it is no good in the right one.
        for (n, (origin, mark)) in [("https://b", "m"), ("https://a", "n"), ("https://a", "")].into_iter().enumerate() {
            let code = begin(&visits, &format!("w{n}"));
            assert!(visits.take(&ticket(&code, origin, mark), NOW).is_none(), "{origin} {mark}");
            assert!(visits.take(&ticket(&code, "https://a", "m"), NOW).is_none(), "{origin} {mark}: still good");
        }
        let code = begin(&visits, "late");
        assert!(visits.take(&ticket(&code, "https://a", "m"), NOW.plus(CODE)).is_none(), "too late");
        assert!(visits.take(&ticket("", "https://a", "m"), NOW).is_none());
        clock.advance(TO_SIGN_IN);
        assert!(visits.admit("shown", (caller(), grant, String::new()), &ambient).is_none(), "they took too long");
    }

    #[test]
    fn one_address_keeps_no_other_out() {
        let visits = Visits::default();
        let enter = |n: usize, last: u8, now| {
            visits.enter(
                &n.to_string(),
                "app".to_owned(),
                visit("https://a", "m"),
                IpAddr::from([192, 0, 2, last]),
                now,
            )
        };
        assert!((0..MOST_HERE).all(|n| enter(n, 1, NOW)));
        assert!(!enter(MOST_HERE, 1, NOW) && enter(MOST_HERE, 2, NOW));
        assert!(enter(MOST_HERE + 1, 1, NOW.plus(TO_SIGN_IN)), "the time of the others is over");
    }
}
