//! The book of logins that wait at the gateway for their person: who confirmed which, and what it waits for.
//!
//! It is memory only, as the connections are: a login that is not in the book is not waiting. Refuses to
//! know: grants, policy, the store.
//!
//! INVARIANT: one confirmation lets one connection in once, by whoever enters the code that only that
//! connection was shown (held by `a_login_is_confirmed_once_by_its_code` and `one_confirmation_is_one_session`).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use subtle::ConstantTimeEq as _;
use tokio::sync::Notify;
use wane_connector::broker::Goal;
use wane_domain::ambient::Ambient;
use wane_domain::id::{ArrivalId, GrantId, PersonId, RequestId};
use wane_domain::time::{Span, Time};

use crate::caller::Caller;

/// Letters that are not taken for each other and spell no words (RFC 8628 section 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
pub(crate) const CODE: usize = 8;
/// Wrong codes before a login comes to nothing.
pub(crate) const MOST_MISTAKES: u8 = 5;

/// What the book bounds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Logins that wait, of everybody together.
    pub all: usize,
    /// Those from one address (of IPv6, one /64) that nobody has confirmed.
    pub per_address: usize,
    /// Those that one person has confirmed.
    pub per_person: usize,
    /// How long one waits to be confirmed.
    pub confirm: Span,
    /// How long one waits for a reason, or for approval.
    pub approval: Span,
}

impl Default for Limits {
    fn default() -> Self {
        Self { all: 1000, per_address: 16, per_person: 8, confirm: Span::from_mins(5), approval: Span::from_mins(10) }
    }
}

/// Somebody who wants in and has shown nothing yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arriving {
    /// Where to.
    pub goal: Goal,
    /// Where they come from.
    pub peer: IpAddr,
    /// What their program calls itself.
    pub client: String,
}

/// Where a login stands.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    /// Nobody confirmed it.
    Asked,
    /// Somebody is confirming it: their record is being written.
    Confirming,
    /// This person did; what they may do is yet to be found out.
    Confirmed(Caller),
    /// They hold several grants that would do, and are asked which.
    Choosing(Caller, Vec<GrantId>),
    /// They are asked what a request needs.
    Asking(Caller, Wish),
    /// Their request waits for approval; this was said about it last.
    Waiting(Caller, RequestId, String),
    /// They may come in under this grant.
    Ready(Caller, GrantId),
    /// It comes to nothing.
    Over(String),
}

/// A request that is being put together.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) role: String,
    pub(crate) duration: Span,
    pub(crate) reason: Asked,
    pub(crate) ticket: Asked,
}

/// Something a request may need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Unneeded,
    Needed,
    Given(String),
}

/// One login.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) who: Arriving,
    pub(crate) reference: String,
    code: [u8; CODE],
    pub(crate) until: Time,
    mistakes: u8,
    /// Who alone may answer it, if it is known already who is there.
    only: Option<PersonId>,
    pub(crate) stage: Stage,
    heard: Arc<Notify>,
}

/// Why nothing can be confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotThere {
    /// There is no such login, or it is over.
    Gone,
    /// Somebody answered it.
    Answered,
    /// The code is another; so many tries are left.
    Mistaken { left: u8 },
    /// This person has confirmed too many that still wait.
    TooMany,
}

/// The book.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    limits: Limits,
    book: Mutex<HashMap<ArrivalId, Arrival>>,
}

impl Arrivals {
    fn book(&self) -> MutexGuard<'_, HashMap<ArrivalId, Arrival>> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a login; none if too many wait.
    pub(crate) fn enter(&self, who: Arriving, ambient: &Ambient, reference: String) -> Option<(ArrivalId, String)> {
        let (now, id) = (ambient.now(), ambient.id());
        let mut book = self.book();
        let address = network(who.peer);
        let unconfirmed = |a: &&Arrival| matches!(a.stage, Stage::Asked | Stage::Confirming);
        let here = book.values().filter(unconfirmed).filter(|a| network(a.who.peer) == address).count();
        if book.len() >= self.limits.all || here >= self.limits.per_address {
            return None;
        }
        let code = code(ambient);
        let until = now.plus(self.limits.confirm);
        let (stage, heard) = (Stage::Asked, Arc::default());
        book.insert(id, Arrival { who, reference, code, until, mistakes: 0, only: None, stage, heard });
        Some((id, shown(code)))
    }

    /// Enters the login of somebody who is known already; none if too many wait.
    pub(crate) fn enter_known(
        &self,
        who: Arriving,
        caller: Caller,
        ambient: &Ambient,
        reference: String,
    ) -> Option<ArrivalId> {
        let (now, id) = (ambient.now(), ambient.id());
        let mut book = self.book();
        // Those that were asked again are theirs too, or one certificate would take all places there are.
        let theirs = book.values().filter(|a| a.only.or(a.caller().map(|c| c.person)) == Some(caller.person)).count();
        if book.len() >= self.limits.all || theirs >= self.limits.per_person {
            return None;
        }
        let (code, until, only) = (code(ambient), now.plus(self.limits.confirm), Some(caller.person));
        let (stage, heard) = (Stage::Confirmed(caller), Arc::default());
        book.insert(id, Arrival { who, reference, code, until, mistakes: 0, only, stage, heard });
        Some(id)
    }

    /// Enters the login of somebody who was let in already, under this grant: it waits for nothing any more.
    pub(crate) fn enter_ready(
        &self,
        who: Arriving,
        caller: Caller,
        grant: GrantId,
        ambient: &Ambient,
        reference: String,
    ) -> ArrivalId {
        let (now, id, only) = (ambient.now(), ambient.id(), Some(caller.person));
        let (code, until) = (code(ambient), now.plus(self.limits.confirm));
        let (stage, heard) = (Stage::Ready(caller, grant), Arc::default());
        self.book().insert(id, Arrival { who, reference, code, until, mistakes: 0, only, stage, heard });
        id
    }

    /// Has a login that was known be confirmed all the same, by that same person.
    pub(crate) fn ask_again(&self, id: ArrivalId, now: Time) -> Option<(Arrival, String)> {
        let mut book = self.book();
        let arrival = book.get_mut(&id)?;
        arrival.stage = Stage::Asked;
        arrival.until = now.plus(self.limits.confirm);
        Some((arrival.clone(), shown(arrival.code)))
    }

    /// One login.
    pub(crate) fn get(&self, id: ArrivalId) -> Option<Arrival> {
        self.book().get(&id).cloned()
    }

    /// Moves a login on, and whoever waits for it hears of it; false if nobody does any more.
    pub(crate) fn put(&self, id: ArrivalId, stage: Stage) -> bool {
        let mut book = self.book();
        let Some(arrival) = book.get_mut(&id) else { return false };
        arrival.stage = stage;
        arrival.heard.notify_one();
        true
    }

    /// Gives a login more time: from now on it waits for something else.
    pub(crate) fn renew(&self, id: ArrivalId, now: Time) {
        if let Some(arrival) = self.book().get_mut(&id) {
            arrival.until = now.plus(self.limits.approval);
        }
    }

    /// Strikes a login off.
    pub(crate) fn strike(&self, id: ArrivalId) -> Option<Arrival> {
        self.book().remove(&id)
    }

    /// The login under a reference, wherever it stands.
    pub(crate) fn find(&self, reference: &str) -> Option<(ArrivalId, Arrival)> {
        self.book().iter().find(|(_, a)| is_same(&a.reference, reference)).map(|(id, a)| (*id, a.clone()))
    }

    /// The login that a page is about, if it still waits for an answer.
    pub(crate) fn open(&self, reference: &str, person: PersonId, now: Time) -> Result<Arrival, NotThere> {
        let book = self.book();
        let arrival = book.values().find(|a| is_same(&a.reference, reference)).ok_or(NotThere::Gone)?;
        arrival.is_for(person)?;
        arrival.still_asks(now)?;
        Ok(arrival.clone())
    }

    /// Takes a login for a person who is confirming it. Nobody else can after that.
    pub(crate) fn claim(
        &self,
        reference: &str,
        code: &str,
        person: PersonId,
        now: Time,
    ) -> Result<(ArrivalId, Arrival), NotThere> {
        let mut book = self.book();
        let theirs = book.values().filter(|a| a.caller().is_some_and(|caller| caller.person == person)).count();
        let (id, arrival) = book.iter_mut().find(|(_, a)| is_same(&a.reference, reference)).ok_or(NotThere::Gone)?;
        arrival.is_for(person)?;
        arrival.still_asks(now)?;
        if !is_same(&shown(arrival.code), &spelled(code)) {
            arrival.mistakes = arrival.mistakes.saturating_add(1);
            let left = MOST_MISTAKES.saturating_sub(arrival.mistakes);
            if left == 0 {
                arrival.stage = Stage::Over("a wrong code was entered too often".to_owned());
                arrival.heard.notify_one();
            }
            return Err(NotThere::Mistaken { left });
        }
        if theirs >= self.limits.per_person {
            return Err(NotThere::TooMany);
        }
        arrival.stage = Stage::Confirming;
        Ok((*id, arrival.clone()))
    }

    /// Ends a login that its person refuses.
    pub(crate) fn refuse(
        &self,
        reference: &str,
        person: PersonId,
        now: Time,
    ) -> Result<(ArrivalId, Arrival), NotThere> {
        let mut book = self.book();
        let (id, arrival) = book.iter_mut().find(|(_, a)| is_same(&a.reference, reference)).ok_or(NotThere::Gone)?;
        arrival.is_for(person)?;
        arrival.still_asks(now)?;
        arrival.stage = Stage::Over("it was refused in the browser".to_owned());
        arrival.heard.notify_one();
        Ok((*id, arrival.clone()))
    }

    /// Takes what a login was confirmed for, once.
    pub(crate) fn take(&self, id: ArrivalId, grant: GrantId, who: &Arriving) -> Option<Caller> {
        let mut book = self.book();
        let ready = |a: &&Arrival| a.who == *who && matches!(&a.stage, Stage::Ready(_, ready) if *ready == grant);
        book.get(&id).filter(ready)?;
        // Struck off: however long the session lasts, it takes no place of those who wait.
        match book.remove(&id)?.stage {
            Stage::Ready(caller, _) => Some(caller),
            _ => None,
        }
    }

    /// Takes what a login was confirmed for that is to have sessions inside it, once.
    pub(crate) fn take_passage(&self, id: ArrivalId, peer: IpAddr) -> Option<Caller> {
        let mut book = self.book();
        let passes =
            |a: &&Arrival| a.who.goal == Goal::Passage && a.who.peer == peer && matches!(a.stage, Stage::Confirmed(_));
        book.get(&id).filter(passes)?;
        match book.remove(&id)?.stage {
            Stage::Confirmed(caller) => Some(caller),
            _ => None,
        }
    }
}

impl Arrival {
    /// Whoever confirmed it.
    pub(crate) fn caller(&self) -> Option<&Caller> {
        match &self.stage {
            Stage::Confirmed(caller)
            | Stage::Choosing(caller, _)
            | Stage::Asking(caller, _)
            | Stage::Waiting(caller, ..)
            | Stage::Ready(caller, _) => Some(caller),
            Stage::Asked | Stage::Confirming | Stage::Over(_) => None,
        }
    }

    /// Waits until somebody answers.
    pub(crate) async fn heard(&self) {
        self.heard.notified().await;
    }

    /// To anybody else it is not there.
    fn is_for(&self, person: PersonId) -> Result<(), NotThere> {
        if self.only.is_none_or(|only| only == person) { Ok(()) } else { Err(NotThere::Gone) }
    }

    fn still_asks(&self, now: Time) -> Result<(), NotThere> {
        match self.stage {
            Stage::Asked if now < self.until => Ok(()),
            Stage::Asked | Stage::Over(_) => Err(NotThere::Gone),
            Stage::Confirming
            | Stage::Confirmed(_)
            | Stage::Choosing(..)
            | Stage::Asking(..)
            | Stage::Waiting(..)
            | Stage::Ready(..) => Err(NotThere::Answered),
        }
    }
}

pub(crate) fn code(ambient: &Ambient) -> [u8; CODE] {
    let mut code = [0; CODE];
    for letter in &mut code {
        // One of 20 from 32 bits: no letter is likelier than another by more than one in a hundred million.
        let drawn = u32::from_le_bytes(ambient.bytes()) % 20;
        *letter = usize::try_from(drawn).ok().and_then(|at| LETTERS.get(at)).copied().unwrap_or(b'B');
    }
    code
}

/// As it is shown: `BCDF-GHJK`.
pub(crate) fn shown(code: [u8; CODE]) -> String {
    let letters: String = code.iter().copied().map(char::from).collect();
    let (head, tail) = letters.split_at(CODE / 2);
    format!("{head}-{tail}")
}

/// As it is shown, however it was typed.
pub(crate) fn spelled(typed: &str) -> String {
    let letters: String =
        typed.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_uppercase()).take(CODE + 1).collect();
    match letters.split_at_checked(CODE / 2) {
        Some((head, tail)) => format!("{head}-{tail}"),
        None => letters,
    }
}

/// Whether two texts are the same, in a time that says nothing about how far they are.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// What counts as one address: an IPv6 network of 64 bits is one customer's.
pub(crate) fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests;
