//! What is asked again and again, kept in memory: tokens, grants with what their use is judged by, and
//! which idempotency keys were never used.
//!
//! Owns: being no older than the last commit that was answered, and how much room it takes. The writer says
//! what it wrote before it answers. A reader who has to ask the file takes a ticket first; a write in between
//! makes the ticket void, so that nothing read before a write is kept after it.
//!
//! INVARIANT: what memory says, the file says (held by `memory_says_what_the_file_says`). In doubt it says
//! nothing, and the file is asked.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wane_domain::id::{GrantId, PersonId, TokenId};
use wane_store::{Commit, Put, Seen, Standing, Token, Versioned, Write};

use crate::keys::Keys;

/// How many tokens are kept at most, twice over.
const TOKENS: usize = 4_096;
/// How many grants are kept at most, twice over; each with its request and leases is a few KiB.
const GRANTS: usize = 512;

/// What is kept.
#[derive(Debug)]
pub(crate) struct Memory {
    kept: Mutex<Kept>,
    keys: Keys,
}

#[derive(Debug)]
struct Kept {
    tokens: Shelf<TokenId, Versioned<Token>>,
    grants: Shelf<GrantId, Standing>,
}

/// Says that somebody is about to read something from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket(u64);

impl Default for Memory {
    fn default() -> Self {
        let kept = Kept { tokens: Shelf::of(TOKENS), grants: Shelf::of(GRANTS) };
        Self { kept: Mutex::new(kept), keys: Keys::default() }
    }
}

impl Memory {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token; or a ticket to read it with.
    pub(crate) fn token(&self, id: TokenId) -> Result<Versioned<Token>, Ticket> {
        self.kept().tokens.look(id)
    }

    /// What was read under a ticket.
    pub(crate) fn read_token(&self, ticket: Ticket, token: &Versioned<Token>) {
        self.kept().tokens.keep(ticket, token.value.id, token);
    }

    /// A grant with what its use is judged by; or a ticket to read it with.
    pub(crate) fn standing(&self, id: GrantId) -> Result<Standing, Ticket> {
        self.kept().grants.look(id)
    }

    /// What was read under a ticket.
    pub(crate) fn read_standing(&self, ticket: Ticket, standing: &Standing) {
        self.kept().grants.keep(ticket, standing.grant.value.id, standing);
    }

    /// Whether an idempotency key was certainly not used within the day.
    pub(crate) fn is_new(&self, person: PersonId, key: &str) -> bool {
        self.keys.is_new(&person.to_string(), key)
    }

    /// An idempotency key that was used before this process began.
    pub(crate) fn used_before(&self, person: &str, key: &str) {
        self.keys.used(person, key, None);
    }

    /// All keys that were used before are known.
    pub(crate) fn knows_all_keys(&self) {
        self.keys.known();
    }

    /// What is about to be written: a key counts as used even if it then is not.
    pub(crate) fn before(&self, commit: &Commit) {
        for write in commit.writes() {
            if let Write::Answer(answer) = write {
                self.keys.used(&answer.person.to_string(), &answer.key, Some(answer.at));
            }
        }
    }

    /// What is on disk now, in the order in which it was written.
    pub(crate) fn wrote<'a>(&self, commits: impl Iterator<Item = &'a Commit>) {
        let mut kept = self.kept();
        for write in commits.flat_map(Commit::writes) {
            kept.wrote(write);
        }
    }

    /// Nobody knows what is on disk now, or something was removed there.
    pub(crate) fn forget(&self) {
        let mut kept = self.kept();
        kept.tokens.clear();
        kept.grants.clear();
    }
}

impl Kept {
    fn wrote(&mut self, write: &Write) {
        match write {
            Write::Token(put) => self.tokens.put(put.value.id, || versioned(put)),
            Write::RemoveToken(id) => self.tokens.remove(*id),
            Write::Grant(put) => self.grants.change(put.value.id, |standing| standing.grant = versioned(put)),
            Write::Lease(put) => self.grants.change(put.value.grant, |standing| {
                let open = &mut standing.open;
                let at = open.partition_point(|lease| lease.value.id < put.value.id);
                if open.get(at).is_some_and(|lease| lease.value.id == put.value.id) {
                    open.remove(at);
                }
                if put.value.is_open() {
                    open.insert(at, versioned(put));
                }
            }),
            // A request that is new has no grant that could be kept; of another, nobody knows here which it has.
            Write::Request(Put { seen: Seen::Nothing, .. }) => {}
            Write::Request(put) => {
                self.grants.void_all();
                self.grants.change_all(|standing| {
                    if standing.request.value.id == put.value.id {
                        standing.request = versioned(put);
                    }
                });
            }
            Write::Person(_)
            | Write::Group(_)
            | Write::Directory(_)
            | Write::Resource(_)
            | Write::RemoveResource(..)
            | Write::Role(_)
            | Write::RemoveRole(..)
            | Write::Policy(_)
            | Write::Lock(_)
            | Write::Package(_)
            | Write::RemovePackage(..)
            | Write::ApproverKey(_)
            | Write::Delegation(_)
            | Write::Issuer(_)
            | Write::Workload(_)
            | Write::Job(_)
            | Write::ForgetJobs(_)
            | Write::RevokeIssuance(..)
            | Write::AcmeAccount(_)
            | Write::AcmeOrder(_)
            | Write::ForgetAcme(_)
            | Write::Still(..)
            | Write::Issuance(_)
            | Write::Use(_)
            | Write::Login(_)
            | Write::RemoveLogin(..)
            | Write::WayIn(_)
            | Write::RemoveWayIn(_)
            | Write::Entry(_)
            | Write::RemoveEntry(..)
            | Write::Sealed(_)
            | Write::RemoveSealed(_)
            | Write::Recording(_)
            | Write::Answer(_)
            | Write::EnterDelivery(_)
            | Write::Delivery(_)
            | Write::ForgetDeliveries(_)
            | Write::NoticesRead(..)
            | Write::CloseChannel(_)
            | Write::OpenChannel(_)
            | Write::Inventory(_)
            | Write::ForgetInventories(_) => {}
        }
    }
}

fn versioned<T: Clone>(put: &Put<T>) -> Versioned<T> {
    let generation = match put.seen {
        Seen::Nothing => 1,
        Seen::Generation(seen) => seen.saturating_add(1),
    };
    Versioned { value: put.value.clone(), generation }
}

/// Things by id: those looked at lately, and, until the next turn, those looked at before.
#[derive(Debug)]
struct Shelf<K, V> {
    new: HashMap<K, V>,
    old: HashMap<K, V>,
    most: usize,
    /// Tickets that hold.
    read: HashMap<K, u64>,
    last: u64,
}

impl<K: Copy + Eq + Hash, V: Clone> Shelf<K, V> {
    fn of(most: usize) -> Self {
        Self { new: HashMap::new(), old: HashMap::new(), most, read: HashMap::new(), last: 0 }
    }

    fn look(&mut self, id: K) -> Result<V, Ticket> {
        if let Some(found) = self.new.get(&id) {
            return Ok(found.clone());
        }
        if let Some(found) = self.old.remove(&id) {
            self.insert(id, found.clone());
            return Ok(found);
        }
        if self.read.len() >= self.most {
            self.read.clear();
        }
        self.last = self.last.wrapping_add(1);
        self.read.insert(id, self.last);
        Err(Ticket(self.last))
    }

    fn keep(&mut self, ticket: Ticket, id: K, value: &V) {
        if self.read.get(&id) == Some(&ticket.0) {
            self.read.remove(&id);
            self.insert(id, value.clone());
        }
    }

    fn insert(&mut self, id: K, value: V) {
        if self.new.len() >= self.most {
            self.old = std::mem::take(&mut self.new);
        }
        self.old.remove(&id);
        self.new.insert(id, value);
    }

    /// It was written whole; only what is looked at is kept.
    fn put(&mut self, id: K, value: impl FnOnce() -> V) {
        self.change(id, |kept| *kept = value());
    }

    /// It was written in part.
    fn change(&mut self, id: K, change: impl FnOnce(&mut V)) {
        self.read.remove(&id);
        if let Some(kept) = self.new.get_mut(&id).or_else(|| self.old.get_mut(&id)) {
            change(kept);
        }
    }

    fn change_all(&mut self, change: impl Fn(&mut V)) {
        self.new.values_mut().chain(self.old.values_mut()).for_each(change);
    }

    fn remove(&mut self, id: K) {
        self.read.remove(&id);
        self.new.remove(&id);
        self.old.remove(&id);
    }

    fn void_all(&mut self) {
        self.read.clear();
    }

    fn clear(&mut self) {
        self.new.clear();
        self.old.clear();
        self.read.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_a_write_is_not_kept_after_it() {
        let mut shelf = Shelf::<u32, &str>::of(4);
        let ticket = shelf.look(1).unwrap_err();
        shelf.put(1, || "new");
        shelf.keep(ticket, 1, &"old");
        let ticket = shelf.look(1).unwrap_err();
        shelf.keep(ticket, 1, &"new");
        assert_eq!(shelf.look(1).unwrap(), "new");
        shelf.put(1, || "newer");
        assert_eq!(shelf.look(1).unwrap(), "newer");
        let voids: [fn(&mut Shelf<u32, &str>); 3] = [|s| s.remove(1), |s| s.clear(), |s| s.void_all()];
        for void in voids {
            shelf.remove(1);
            let ticket = shelf.look(1).unwrap_err();
            void(&mut shelf);
            shelf.keep(ticket, 1, &"old");
            assert!(shelf.look(1).is_err());
        }
    }

    #[test]
    fn it_has_a_bound() {
        let mut shelf = Shelf::<u32, u32>::of(8);
        for id in 0..1_000 {
            let ticket = shelf.look(id).unwrap_err();
            shelf.keep(ticket, id, &id);
            assert_eq!(shelf.look(0).ok(), Some(0), "what is looked at stays, after {id}");
            shelf.look(10_000 + id).unwrap_err();
            assert!(shelf.new.len() + shelf.old.len() <= 16 && shelf.read.len() <= 8);
        }
    }
}
