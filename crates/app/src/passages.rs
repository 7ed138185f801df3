//! The book of connections at the gateway that carry sessions inside: whose each is, and by what that is known.
//!
//! It is memory only, as the connections are. Refuses to know: sockets, hosts, the store, policy.
//!
//! INVARIANT: what is known of a connection is known of that one alone, and as long as it is there (held by
//! `a_passage_is_one_connections_and_goes_with_it`).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wane_domain::id::{ArrivalId, GrantId, PersonId};

use crate::caller::Caller;

/// Such connections of one person at once. A program that reaches many hosts has one for each.
const MOST_OF_ONE: usize = 128;

/// By what it is known who is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KnownBy {
    /// They hold the key of this credential of this grant.
    Credential { grant: GrantId, serial: u64 },
    /// They confirmed the connection, signed in.
    Confirmed,
}

/// One such connection.
#[derive(Clone, Debug)]
pub(crate) struct Passage {
    pub(crate) caller: Caller,
    pub(crate) by: KnownBy,
    pub(crate) peer: IpAddr,
    pub(crate) client: String,
}

/// The book.
#[derive(Debug, Default)]
pub(crate) struct Passages(Mutex<HashMap<ArrivalId, Passage>>);

impl Passages {
    fn book(&self) -> MutexGuard<'_, HashMap<ArrivalId, Passage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a connection; false if its person has too many.
    pub(crate) fn enter(&self, id: ArrivalId, passage: Passage) -> bool {
        let mut book = self.book();
        let theirs = book.values().filter(|other| other.caller.person == passage.caller.person).count();
        if theirs >= MOST_OF_ONE {
            return false;
        }
        book.insert(id, passage);
        true
    }

    pub(crate) fn get(&self, id: ArrivalId) -> Option<Passage> {
        self.book().get(&id).cloned()
    }

    /// Whose connection it is.
    pub(crate) fn person(&self, id: ArrivalId) -> Option<PersonId> {
        self.book().get(&id).map(|passage| passage.caller.person)
    }

    /// Strikes a connection off: it is over.
    pub(crate) fn strike(&self, id: ArrivalId) -> Option<Passage> {
        self.book().remove(&id)
    }
}

#[cfg(test)]
mod tests {
    use wane_domain::ambient::Ambient;
    use wane_domain::time::Span;
    use wane_testkit::FakeClock;

    use super::*;

    fn passage(ambient: &Ambient, person: PersonId) -> Passage {
        let now = ambient.now();
        let caller = Caller {
            person,
            name: "maya".parse().unwrap(),
            token: Some(ambient.id()),
            proved: now,
            proof: "password+totp".to_owned(),
            expires: now.plus(Span::from_hours(8)),
            job: None,
        };
        Passage { caller, by: KnownBy::Confirmed, peer: IpAddr::from([192, 0, 2, 7]), client: "ssh".to_owned() }
    }

    #[test]
    fn a_passage_is_one_connections_and_goes_with_it() {
        let clock = FakeClock::at("2026-11-22T09:00:00Z".parse().unwrap());
        let (ambient, book) = (clock.ambient(1), Passages::default());
        let (maya, dan) = (ambient.id(), ambient.id());
        let id = ambient.id();
        assert!(book.enter(id, passage(&ambient, maya)));
        assert_eq!(book.person(id), Some(maya));
        assert_eq!(book.person(ambient.id()), None, "another connection");
        for _ in 1..MOST_OF_ONE {
            assert!(book.enter(ambient.id(), passage(&ambient, maya)));
        }
        assert!(!book.enter(ambient.id(), passage(&ambient, maya)), "they have enough");
        assert!(book.enter(ambient.id(), passage(&ambient, dan)), "which is nobody else's trouble");
        assert!(book.strike(id).is_some());
        assert!(book.person(id).is_none() && book.strike(id).is_none());
    }
}
