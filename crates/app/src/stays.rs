//! People who are here for a time: from its end on they may do nothing, whoever has booked that.
//!
//! Owns: who may act now, who answers for whom, that the end of somebody's time is booked. Refuses to know:
//! when it is looked for (that is `reconcile`), and what leaving takes with it.

use std::sync::{Arc, Mutex};

use wane_audit::Actor;
use wane_domain::decision::Why;
use wane_domain::directory::{Person, Standing};
use wane_domain::id::PersonId;
use wane_domain::time::Time;
use wane_domain::world::World;

use crate::App;
use crate::error::AppError;
use crate::leave::Farewell;

/// Why somebody is booked as left whom nobody sent away.
pub(crate) const TIME_IS_OVER: &str = "their time is over";

/// The last world in which somebody's time was over, so that it is not worked out for every question.
#[derive(Debug, Default)]
pub(crate) struct Overdue(Mutex<Option<Worked>>);

#[derive(Debug)]
struct Worked {
    from: Arc<World>,
    over: usize,
    to: Arc<World>,
}

impl App {
    /// The world in which those may do nothing whose time is over.
    ///
    /// INVARIANT: from that moment on nothing works for them, booked or not, with a store or without (held by
    /// `nothing_works_once_ones_time_is_over`, `an_end_of_time_needs_no_store`).
    pub(crate) fn without_those_over(&self, world: Arc<World>) -> Arc<World> {
        let over: Vec<PersonId> = world.over(self.now()).collect();
        if over.is_empty() {
            return world;
        }
        let mut kept = self.overdue.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(worked) = kept.as_ref().filter(|w| Arc::ptr_eq(&w.from, &world) && w.over == over.len()) {
            return Arc::clone(&worked.to);
        }
        let mut without = World::clone(&world);
        for id in &over {
            without.people.edit(id, |person| person.standing = Standing::Disabled);
        }
        let to = Arc::new(without);
        *kept = Some(Worked { from: world, over: over.len(), to: Arc::clone(&to) });
        to
    }

    /// A person as the store has them, whatever the hour.
    pub(crate) async fn stored_person(&self, world: &World, name: &str) -> Result<Person, AppError> {
        let id = world.person(name).ok_or_else(|| AppError::missing("person", name))?.id;
        let stored = self.store.world().await?;
        stored.people.get(&id).cloned().ok_or_else(|| AppError::missing("person", name))
    }

    /// Books that somebody has left whose time is over; whoever was given more time stays.
    ///
    /// # Errors
    /// When the store cannot be used; it is to be tried again.
    pub async fn leave_if_over(&self, id: PersonId) -> Result<(), AppError> {
        let over = self.world().await?.people.get(&id).is_some_and(|p| p.stay.is_over(self.now()));
        if over { self.leave(Actor::System, id, Farewell::TimeIsOver, TIME_IS_OVER).await } else { Ok(()) }
    }

    /// Why somebody may ask for nothing, if it is for how long they are here or for who answers for them.
    pub(crate) fn stays_not(&self, world: &World, person: &Person, start: Time) -> Option<Why> {
        if world.is_unsponsored(person) {
            return Some(Why::Unsponsored);
        }
        person.stay.until.filter(|until| start >= *until).map(|until| Why::TimeOver { until })
    }

    /// A moment at which somebody's time may be said to end.
    pub(crate) fn check_until(&self, until: Time) -> Result<Time, AppError> {
        if until <= self.now() {
            let why = format!("`{until}` is not ahead of us; to have somebody leave now: `wane offboard PERSON`");
            return Err(AppError::invalid("until", why));
        }
        Ok(until)
    }

    /// Who may answer for somebody: active, and with nobody who would have to answer for them.
    ///
    /// INVARIANT: nobody answers for themselves, be it through others (held by `nobody_answers_for_themselves`).
    pub(crate) fn check_sponsor(&self, world: &World, person: PersonId, sponsor: &str) -> Result<PersonId, AppError> {
        let found = world.person(sponsor).ok_or_else(|| AppError::missing("person", sponsor))?;
        let refused = |why: String| Err(AppError::invalid("sponsor", why));
        if found.id == person {
            return refused("nobody answers for themselves; name somebody else".to_owned());
        }
        if !world.is_active(found.id) {
            return refused(format!("`{sponsor}` is disabled; name somebody who is here"));
        }
        if world.is_workload(found.id) {
            return refused(format!("`{sponsor}` is a workload; name a person"));
        }
        if found.stay.sponsor.is_some() {
            return refused(format!("`{sponsor}` is answered for by somebody else; name that person"));
        }
        if world.people.values().any(|p| p.stay.sponsor == Some(person)) {
            return refused("this person answers for others; have somebody else answer for those first".to_owned());
        }
        Ok(found.id)
    }
}
