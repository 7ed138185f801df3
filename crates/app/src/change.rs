//! One use-case's writes with the records that say so, gathered and committed together.

use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_domain::grant::Grant;
use wane_domain::id::{EventId, GrantId};
use wane_domain::lease::Lease;
use wane_domain::request::AccessRequest;
use wane_domain::time::Time;
use wane_domain::transition::Fact;
use wane_domain::world::{Epoch, World};
use wane_failpoint::{Point, around};
use wane_store::{Commit, Due, DueWhat, StoreError, Write};

use crate::App;
use crate::answers;
use crate::error::AppError;
use crate::storeless::Agenda;

/// A change being put together.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    app: &'a App,
    actor: Actor,
    at: Time,
    epoch: Option<Epoch>,
    org: wane_domain::id::OrgId,
    writes: Vec<Write>,
    records: Vec<Record>,
}

impl App {
    /// Begins a change that is committed only while the world is as it was seen.
    pub(crate) fn change_at(&self, actor: Actor, world: &World, at: Time) -> Change<'_> {
        Change {
            app: self,
            actor,
            at,
            epoch: Some(world.epoch),
            org: world.org,
            writes: Vec::new(),
            records: Vec::new(),
        }
    }

    /// Begins a change that does not rest on the world: an end, a sign-in.
    pub(crate) fn change(&self, actor: Actor, at: Time) -> Change<'_> {
        Change { app: self, actor, at, epoch: None, org: self.org, writes: Vec::new(), records: Vec::new() }
    }
}

impl Change<'_> {
    /// When it happens.
    pub(crate) fn at(&self) -> Time {
        self.at
    }

    /// Adds a write.
    pub(crate) fn write(&mut self, write: Write) -> &mut Self {
        self.writes.push(write);
        self
    }

    /// Adds the record of a fact.
    pub(crate) fn fact(&mut self, about: Subjects, fact: Fact) -> &mut Self {
        let id = self.app.ambient.id::<EventId>();
        self.records.push(Record::of(id, self.org, self.at, self.actor.clone(), about, fact));
        self
    }

    /// Adds a record of something that is no transition.
    pub(crate) fn note(
        &mut self,
        event: &str,
        outcome: Outcome,
        about: Subjects,
        detail: serde_json::Value,
    ) -> &mut Self {
        let id = self.app.ambient.id::<EventId>();
        let (org, at, actor) = (self.org, self.at, self.actor.clone());
        self.records.push(Record { id, org, at, actor, event: event.to_owned(), outcome, about, detail });
        self
    }

    /// As [`note`](Self::note), of what somebody else does in the same change.
    pub(crate) fn note_of(
        &mut self,
        actor: Actor,
        event: &str,
        about: Subjects,
        detail: serde_json::Value,
    ) -> &mut Self {
        let id = self.app.ambient.id::<EventId>();
        let (org, at, outcome) = (self.org, self.at, Outcome::Done);
        self.records.push(Record { id, org, at, actor, event: event.to_owned(), outcome, about, detail });
        self
    }

    /// Commits all of it or nothing; returns once it is on disk. `step` is where a test may stop us.
    ///
    /// # Errors
    /// When somebody else wrote first, or the store cannot be written.
    pub(crate) async fn commit(self, step: Point) -> Result<u64, AppError> {
        let mut writes = self.writes;
        answers::mark(&mut writes, self.at);
        let commit = Commit::new(writes, self.records).map_err(|e| AppError::Fault(e.to_string()))?;
        let commit = match self.epoch {
            Some(epoch) => commit.at(epoch),
            None => commit,
        };
        let owed = owed(commit.writes(), self.at);
        let over = over(commit.writes());
        let storeless = &self.app.storeless;
        let changed = storeless.known.before(commit.writes());
        storeless.agenda.before(commit.writes());
        let gone = Agenda::gone(commit.writes());
        let news = self.app.sessions.news(commit.writes());
        let done = around(step, self.app.store.commit(commit)).await;
        storeless.known.after(&changed);
        let done = match done {
            Err(StoreError::Unavailable(why)) => {
                storeless.trouble.met(&why, self.app.now());
                return Err(AppError::Store(why));
            }
            done => done?,
        };
        self.app.sessions.spread(news);
        for grant in over {
            self.app.signer.get().into_iter().for_each(|signer| signer.ended(grant));
        }
        storeless.agenda.after(&gone);
        storeless.trouble.over();
        self.app.owe(owed);
        self.app.high_water.saw(self.at);
        answers::marked();
        Ok(done)
    }
}

/// The leases that a commit makes due by a moment.
fn owed(writes: &[Write], at: Time) -> Vec<Due> {
    let due = |write: &Write| {
        let Write::Lease(put) = write else { return None };
        let next = put.value.due().filter(|next| *next <= at)?;
        Some(Due { at: next, what: DueWhat::Lease(put.value.id, put.value.resource) })
    };
    writes.iter().filter_map(due).collect()
}

/// The grants that a commit ends and that people signed for.
fn over(writes: &[Write]) -> Vec<GrantId> {
    let over = |write: &Write| {
        let Write::Grant(put) = write else { return None };
        let signed = put.value.approvals.iter().any(|approval| approval.signed.is_some());
        (signed && !put.value.is_live()).then_some(put.value.id)
    };
    writes.iter().filter_map(over).collect()
}

/// What a record about a grant carries.
pub(crate) fn about_grant(grant: &Grant) -> Subjects {
    Subjects {
        person: Some(grant.holder),
        resource: Some(grant.item.resource),
        request: Some(grant.request),
        grant: Some(grant.id),
        lease: None,
        ticket: grant.ticket.clone(),
    }
}

/// What a record about a lease carries.
pub(crate) fn about_lease(lease: &Lease, grant: Option<&Grant>) -> Subjects {
    Subjects {
        person: Some(lease.holder),
        resource: Some(lease.resource),
        request: grant.map(|g| g.request),
        grant: Some(lease.grant),
        lease: Some(lease.id),
        ticket: grant.and_then(|g| g.ticket.clone()),
    }
}

/// What a record about a request carries.
pub(crate) fn about_request(request: &AccessRequest, item: Option<usize>) -> Subjects {
    Subjects {
        person: Some(request.ask.beneficiary),
        resource: item.and_then(|i| request.ask.items.get(i)).map(|i| i.resource),
        request: Some(request.id),
        grant: None,
        lease: None,
        ticket: request.ask.ticket.clone(),
    }
}
