//! Uses that a role, or a credential under a grant, gives a number of: spent on disk before they are made.
//!
//! What is asked for at once under one grant shares one look at the store and one commit: numbers rise one by one, so
//! that each for itself would only meet the others there.
//!
//! INVARIANT: that a use is spent is on disk before its target is asked for anything, and there are no more of them than
//! are given, however many sessions race (held by `of_many_that_would_use_it_as_many_do_as_there_are_uses`,
//! `of_many_at_once_as_many_pass_as_there_are_uses`).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use wane_audit::{Actor, Outcome};
use wane_domain::id::{GrantId, SessionId};
use wane_domain::lease::Lease;
use wane_failpoint::point;
use wane_store::{Standing, Use, Write};

use crate::change::about_lease;
use crate::error::AppError;
use crate::spend::{OVER, goes_on};
use crate::turns::Turns;
use crate::{App, TRIES, decide};

/// Uses that the role itself gives.
const OF_ROLE: &str = "";
/// Uses that share a commit.
const MOST_AT_ONCE: usize = 256;

/// What waits to be spent, by grant, and whose turn it is to spend it.
#[derive(Debug, Default)]
pub(crate) struct Till {
    waiting: Mutex<HashMap<GrantId, Vec<Wish>>>,
    turns: Turns,
}

/// One use that a session would make.
#[derive(Debug)]
struct Wish {
    session: SessionId,
    /// What gives a number of uses besides the role, each with how many.
    more: Vec<(String, u64)>,
    tell: oneshot::Sender<Result<(), AppError>>,
}

impl Till {
    fn waiting(&self) -> MutexGuard<'_, HashMap<GrantId, Vec<Wish>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, grant: GrantId, wish: Wish) {
        self.waiting().entry(grant).or_default().push(wish);
    }

    /// Takes as many as share a commit, the first first; whoever hung up meanwhile spends nothing.
    fn take(&self, grant: GrantId) -> Vec<Wish> {
        let mut waiting = self.waiting();
        let Some(wishes) = waiting.get_mut(&grant) else { return Vec::new() };
        wishes.retain(|wish| !wish.tell.is_closed());
        let taken = wishes.drain(..wishes.len().min(MOST_AT_ONCE)).collect();
        if wishes.is_empty() {
            waiting.remove(&grant);
        }
        taken
    }
}

impl App {
    /// Whether a grant is over, or there is none.
    ///
    /// # Errors
    /// When this cannot be read.
    pub async fn is_over(&self, grant: GrantId) -> Result<bool, AppError> {
        let now = self.steady_now().await?;
        let seen = self.store.grant(grant).await?;
        Ok(seen.is_none_or(|seen| self.as_it_is(seen.value).usable_until(now).is_err()))
    }

    /// Lets a session make one more of the uses that its role gives, if it gives a number of them, and of those that
    /// what it was opened with gives: each named, with how many there are.
    ///
    /// # Errors
    /// When there is none left, the session or its grant is over, or this cannot be written down.
    pub async fn spend_use(&self, session: SessionId, more: &[(String, u64)]) -> Result<(), AppError> {
        let line = self.sessions.line(session.lease()).ok_or_else(|| AppError::missing("session", session))?;
        for _ in 0..TRIES {
            let (tell, mut told) = oneshot::channel();
            self.uses.wait(line.grant, Wish { session, more: more.to_vec(), tell });
            let _turn = self.uses.turns.of(line.grant).lock().await;
            let said = loop {
                match told.try_recv() {
                    // Of more than share a commit, it is not among the first.
                    Err(TryRecvError::Empty) => self.spend_waiting(line.grant).await,
                    Err(TryRecvError::Closed) => break None,
                    Ok(said) => break Some(said),
                }
            };
            if let Some(said) = said {
                // An end may have come from memory while the store was at work on this. Then it is spent, and not made.
                return said.and_then(|()| self.still_stands(line.grant));
            }
            // Whoever spent for several hung up in the middle of it: what is not known to be spent is asked for again.
        }
        Err(AppError::Contended)
    }

    /// Spends what waits under a grant, in one commit, and tells each who waits.
    async fn spend_waiting(&self, grant: GrantId) {
        let wishes = self.uses.take(grant);
        let spent = decide!(self.spend_all(grant, &wishes));
        match spent {
            Ok(each) => {
                for (wish, said) in wishes.into_iter().zip(each) {
                    let _ = wish.tell.send(said);
                }
            }
            Err(error) => {
                for wish in wishes {
                    let _ = wish.tell.send(Err(error.clone()));
                }
            }
        }
    }

    /// What comes of each; those that pass are on disk.
    async fn spend_all(&self, id: GrantId, wishes: &[Wish]) -> Result<Vec<Result<(), AppError>>, AppError> {
        let now = self.steady_now().await?;
        let world = self.world().await?;
        let held = self.store.standing(id).await?.ok_or_else(|| AppError::missing("grant", id))?;
        self.still_stands(id)?;
        held.grant.value.usable_until(now)?;
        let (resource, role) = self.grant_parts(&world, &held.grant.value)?;
        let broker = self.kind(&resource.kind)?.broker();
        let broker = broker.ok_or_else(|| AppError::missing("gateway for", &resource.name))?;
        let of_role = broker.uses(&role)?.map(|most| (OF_ROLE.to_owned(), most));
        let mut used = BTreeMap::new();
        for (of, _) in of_role.iter().chain(wishes.iter().flat_map(|wish| &wish.more)) {
            if !used.contains_key(of) {
                used.insert(of.clone(), self.store.uses(id, of).await?);
            }
        }
        let mut change = self.change(Actor::Person(held.grant.value.holder), now);
        let mut spends = false;
        let mut each = Vec::with_capacity(wishes.len());
        for wish in wishes {
            let given: Vec<&(String, u64)> = of_role.iter().chain(&wish.more).collect();
            let lease = match session_of(&held, wish.session).and_then(|lease| left(&used, &given).map(|()| lease)) {
                Ok(lease) => lease,
                Err(refused) => {
                    each.push(Err(refused));
                    continue;
                }
            };
            for (of, most) in given {
                let number = used.entry(of.clone()).or_default();
                *number = number.saturating_add(1);
                let detail = json!({ "session": wish.session, "number": *number, "of": most, "key": of });
                change.note("grant.used", Outcome::Done, about_lease(lease, Some(&held.grant.value)), detail);
                let of = of.clone();
                change.write(Write::Use(Use { grant: id, of, number: *number, session: wish.session, at: now }));
                spends = true;
            }
            each.push(Ok(()));
        }
        if spends {
            // A grant that ended meanwhile makes this conflict.
            change.write(Write::Still(id, held.grant.generation));
            change.commit(point!("app.brokered.use.commit")).await?;
        }
        Ok(each)
    }
}

/// The lease of a session that something may be spent in.
fn session_of(held: &Standing, session: SessionId) -> Result<&Lease, AppError> {
    let open = held.open.iter().find(|lease| lease.value.id == session.lease());
    let lease = open.ok_or_else(|| AppError::Taken(OVER.to_owned()))?;
    goes_on(&lease.value).map(|()| &lease.value)
}

/// Whether one more of each is left.
fn left(used: &BTreeMap<String, u64>, given: &[&(String, u64)]) -> Result<(), AppError> {
    let spent = |(of, most): &&&(String, u64)| used.get(of).is_some_and(|used| used >= most);
    match given.iter().find(spent) {
        None => Ok(()),
        Some((_, most)) => Err(AppError::UsedUp(*most)),
    }
}
