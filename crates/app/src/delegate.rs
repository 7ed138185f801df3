//! Who stands in for an approver who is away: said by the approver, taken back by either, and what follows from that.
//!
//! Owns: saying so and taking it back. What somebody who stands in may answer is looked at where anybody answers
//! (`asked`), and counts where any approval does (`judge`).
//!
//! INVARIANT: nobody says it for another, and nobody by anything but being signed in themselves, just now (held by
//! `only_the_one_who_is_away_says_who_stands_in`).

use std::collections::BTreeSet;

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::delegation::{Delegation, Ended, Scope};
use wane_domain::id::{DelegationId, PersonId};
use wane_domain::request::Item;
use wane_domain::text::{Name, Reason};
use wane_domain::time::{Span, Time};
use wane_domain::world::World;
use wane_failpoint::point;
use wane_policy::schema::Action;
use wane_store::{Put, Write};

use crate::caller::Caller;
use crate::error::AppError;
use crate::{App, decide};

/// How fresh a proof has to be to say who stands in.
const FRESH: Span = Span::from_mins(10);
/// The longest that one stands in for another without that being said again.
const LONGEST: Span = Span::from_hours(24 * 92);
/// How many may stand in for one person, now or later.
const MOST: usize = 16;
/// Resources and policies that one delegation names.
const MOST_NAMED: usize = 64;

/// That somebody is to stand in for the caller.
#[derive(Clone, Debug)]
pub struct NewDelegation {
    /// Who, by name.
    pub to: String,
    /// From when; from now on if left out.
    pub from: Option<Time>,
    /// Until when.
    pub until: Time,
    /// What is asked on these resources; on all if none is named.
    pub resources: Vec<String>,
    /// What is asked on the paths of these policies; on all if none is named.
    pub policies: Vec<Name>,
    /// Why.
    pub reason: Option<Reason>,
}

/// Which delegations somebody wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichDelegations {
    /// Those that hold, or will.
    Open,
    /// Those that are over or were taken back, too.
    All,
}

impl App {
    /// Has somebody stand in for the caller.
    ///
    /// # Errors
    /// When the caller's last proof of identity is not fresh, a name does not resolve, or the times are unusable.
    pub async fn delegate(&self, caller: &Caller, new: &NewDelegation) -> Result<Delegation, AppError> {
        decide!(async {
            let (world, now) = (self.world().await?, self.steady_now().await?);
            if caller.is_by_credential() || caller.proof_age(now) > FRESH {
                let why = format!("prove your identity again first (`wane prove`): the last proof may be {FRESH} old");
                return Err(AppError::invalid("proof", why));
            }
            if !world.is_active(caller.person) {
                return Err(AppError::SignedOut);
            }
            let delegation = match self.drawn_up(caller, &world, new, now) {
                // That a name is somebody's can be tried out here: whoever does is on record.
                Err(hidden @ AppError::Missing { .. }) => {
                    let mut change = self.change_at(Actor::Person(caller.person), &world, now);
                    let detail = json!({ "to": new.to, "why": hidden.to_string() });
                    change.note("delegation.refused", Outcome::Denied, about(caller.person), detail);
                    change.commit(point!("app.delegate.refused.commit")).await?;
                    return Err(hidden);
                }
                drawn_up => drawn_up?,
            };
            let mut change = self.change_at(Actor::Person(caller.person), &world, now);
            change.note("delegation.given", Outcome::Done, about(caller.person), told(&delegation));
            change.write(Write::Delegation(Put::new(delegation.clone())));
            change.commit(point!("app.delegate.commit")).await?;
            Ok(delegation)
        })
    }

    fn drawn_up(&self, caller: &Caller, world: &World, new: &NewDelegation, now: Time) -> Result<Delegation, AppError> {
        // Whoever cannot act is as if they were not there: this says of nobody how they stand.
        let to = world.person(&new.to).filter(|p| world.is_active(p.id));
        let to = to.ok_or_else(|| AppError::missing("person", &new.to))?.id;
        if to == caller.person {
            return Err(AppError::invalid("to", "nobody stands in for themselves; name somebody else"));
        }
        let from = new.from.unwrap_or(now).max(now);
        if new.until <= from {
            return Err(AppError::invalid("until", format!("`{}` is not after `{from}`, when it begins", new.until)));
        }
        if new.until.since(now) > LONGEST {
            let why = format!("`{}` is more than {LONGEST} ahead; say a nearer end, and say it again then", new.until);
            return Err(AppError::invalid("until", why));
        }
        if new.resources.len() > MOST_NAMED || new.policies.len() > MOST_NAMED {
            let why = format!("name at most {MOST_NAMED} resources and {MOST_NAMED} policies, or none for all");
            return Err(AppError::invalid("resources", why));
        }
        let open = world.delegations.values().filter(|d| d.by == caller.person && !d.is_over(now)).count();
        if open >= MOST {
            let why = format!("{MOST} stand in for you already; take one back first: `wane delegate remove`");
            return Err(AppError::Taken(why));
        }
        let mut resources = BTreeSet::new();
        for name in &new.resources {
            let missing = || AppError::missing("resource", name);
            let id = world.resource(name).ok_or_else(missing)?.id;
            if !self.allows_on(caller, world, Action::ReadCatalogue, id)? {
                return Err(missing());
            }
            resources.insert(id);
        }
        let set = self.policy(world)?;
        for name in &new.policies {
            if set.terms_of(name.as_str()).is_none() {
                return Err(AppError::missing("policy that permits `access`", name));
            }
        }
        let policies = new.policies.iter().cloned().collect();
        Ok(Delegation {
            id: self.ambient.id(),
            by: caller.person,
            to,
            from,
            until: new.until,
            scope: Scope { resources, policies },
            reason: new.reason.clone(),
            since: now,
            ended: None,
        })
    }

    /// Who stands in for a person, and for whom they do, newest first; one's own without leave.
    ///
    /// # Errors
    /// When policy does not let the caller, or there is no such person.
    pub async fn delegations(
        &self,
        caller: &Caller,
        name: Option<&str>,
        which: WhichDelegations,
    ) -> Result<Vec<Delegation>, AppError> {
        let world = self.world().await?;
        let person = match name.filter(|name| *name != caller.name.as_str()) {
            None => caller.person,
            Some(name) => {
                self.allow(caller, &world, Action::ReadDirectory)?;
                world.person(name).ok_or_else(|| AppError::missing("person", name))?.id
            }
        };
        let now = self.now();
        let theirs = world.delegations.values().filter(|d| d.by == person || d.to == person);
        let wanted = theirs.filter(|d| which == WhichDelegations::All || !d.is_over(now));
        let mut found: Vec<Delegation> = wanted.cloned().collect();
        found.sort_by_key(|d| std::cmp::Reverse(d.id));
        Ok(found)
    }

    /// Takes it back, now. What was approved under it and nobody began to use has to be approved again.
    ///
    /// # Errors
    /// When there is none that is the caller's, as who is away or who stands in, or theirs to manage; or it is over.
    pub async fn end_delegation(&self, caller: &Caller, id: DelegationId) -> Result<(), AppError> {
        decide!(async {
            let (world, now) = (self.world().await?, self.now());
            let missing = || AppError::missing("delegation", id);
            let found = world.delegations.get(&id).ok_or_else(missing)?;
            let theirs = [found.by, found.to].contains(&caller.person);
            if !theirs && !self.allows(caller, &world, Action::ManageDirectory)? {
                return Err(missing());
            }
            if found.ended.is_some() {
                return Err(AppError::Taken(format!("`{id}` was taken back already")));
            }
            let ended = Delegation { ended: Some(Ended { by: caller.person, at: now }), ..found.clone() };
            let mut change = self.change_at(Actor::Person(caller.person), &world, now);
            change.note("delegation.ended", Outcome::Done, about(found.by), told(&ended));
            change.write(Write::Delegation(Put { value: ended, seen: self.seen(id).await? }));
            let under = |item: &Item| {
                let given = item.approvals.iter().filter(|a| a.instead_of.is_some_and(|i| i.delegation == id));
                given.map(|approval| approval.approver).collect()
            };
            self.void_in(&mut change, under).await?;
            change.commit(point!("app.delegate.end.commit")).await.map(|_| self.nudge())
        })
    }
}

fn told(delegation: &Delegation) -> serde_json::Value {
    json!({ "delegation": delegation })
}

fn about(person: PersonId) -> Subjects {
    Subjects { person: Some(person), ..Subjects::default() }
}
