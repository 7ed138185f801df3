//! A grant: one person, one role on one resource, one window, one end.
//!
//! INVARIANT: a grant exists only because an approved item and a permit were consumed, and its end
//! only moves outward by consuming another pair, never past `since + max_ttl`
//! (held by `no_event_widens_a_grant`, `extension_never_passes_the_cap`).

use std::ops::Deref;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::canonical::Digest;
use crate::closure::{Closure, EndCause};
use crate::decision::{Basis, Permit};
use crate::id::{GrantId, JobId, LeaseId, PersonId, RequestId};
use crate::issue::{IssuePermit, Reach, Right};
use crate::lease::{Debt, Lease, LeaseData, LeaseEvent, LeaseKind, LeaseState, artifact_name};
use crate::request::{Approval, ApprovedItem, AskItem, Parent, Start};
use crate::session::SessionPermit;
use crate::task::{Spent, Task};
use crate::terms::{Mode, Need, Terms};
use crate::text::{Name, Ticket};
use crate::time::{Span, Time};
use crate::transition::{Fact, IllegalTransition};

/// When a grant may be activated, and the most it may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Not before.
    pub opens: Time,
    /// Not after; a grant that is still scheduled then is closed.
    pub activate_by: Time,
    /// How long access lasts once active.
    pub duration: Span,
    /// Never later than this, however late it was activated.
    pub latest_end: Time,
}

/// Where a grant stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum GrantState {
    /// Granted, not yet activated.
    Scheduled,
    /// Access may be used until `end`.
    Active {
        /// Since when.
        since: Time,
        /// Until when.
        end: Time,
    },
    /// Its end has begun; something under it is not yet proven gone.
    Ending {
        /// When it was activated; none if it never was.
        since: Option<Time>,
        /// Since when it is ending.
        at: Time,
        /// Why.
        cause: EndCause,
    },
    /// Everything under it ended, with evidence.
    Closed {
        /// When it was activated; none if it never was.
        since: Option<Time>,
        /// The evidence.
        closure: Closure,
    },
}

impl GrantState {
    /// The state's name, for people and tables.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Active { .. } => "active",
            Self::Ending { .. } => "ending",
            Self::Closed { .. } => "closed",
        }
    }
}

/// The stored shape of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantData {
    /// Its id.
    pub id: GrantId,
    /// The request it came from.
    pub request: RequestId,
    /// The digest of what was approved.
    pub digest: Digest,
    /// Who holds it.
    pub holder: PersonId,
    /// The role on the resource.
    pub item: AskItem,
    /// The ticket it stands under.
    pub ticket: Option<Ticket>,
    /// Who approved it.
    pub approvals: Vec<Approval>,
    /// The terms it was granted under.
    pub terms: Terms,
    /// The decision it rests on.
    pub basis: Basis,
    /// When it may be activated, and the most it may last.
    pub window: Window,
    /// When it was minted.
    pub at: Time,
    /// The job of the workload that holds it: it is that job's, and ends with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// That its task was let run, if it is for one and that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
    /// The requests that gave it more time, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extended_by: Vec<RequestId>,
    /// Where it stands.
    pub state: GrantState,
}

/// A grant. Made only by [`Grant::mint`], changed only by [`Grant::apply`].
///
/// ```compile_fail
/// fn forge(data: wane_domain::grant::GrantData) -> wane_domain::grant::Grant { wane_domain::grant::Grant { data } }
/// ```
/// ```compile_fail
/// let forged: wane_domain::grant::Grant = serde_json::from_str("{}").unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Grant {
    pub(crate) data: GrantData,
}

impl Deref for Grant {
    type Target = GrantData;
    fn deref(&self) -> &GrantData {
        &self.data
    }
}

/// What can happen to a grant.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, consumed at once, never stored")]
pub enum GrantEvent {
    /// The holder begins to use it; policy was judged again.
    Activate(Permit),
    /// More time, for an approved item that extends this grant.
    Extend(ApprovedItem, Permit),
    /// Policy judged again leaves less time.
    Shorten {
        /// The new end.
        end: Time,
    },
    /// The one task that it is for is let run: once, and only that.
    Spend {
        /// In which session.
        session: LeaseId,
        /// The digest of what is to run.
        task: Digest,
    },
    /// It ends.
    End(EndCause),
    /// Everything under it has ended.
    Close(Vec<Lease>),
}

impl GrantEvent {
    /// The event's name, for people and tables.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Activate(_) => "be activated",
            Self::Extend(..) => "be extended",
            Self::Shorten { .. } => "be shortened",
            Self::Spend { .. } => "run its task",
            Self::End(_) => "end",
            Self::Close(_) => "close",
        }
    }
}

fn refuse(state: &'static str, event: &'static str, detail: &str) -> IllegalTransition {
    let detail = (!detail.is_empty()).then(|| detail.to_owned());
    IllegalTransition { aggregate: "grant", state, event, detail }
}

impl Grant {
    /// Mints a grant out of an approved item and a fresh permit, consuming both.
    ///
    /// # Errors
    /// When the item extends a grant instead, or asks for longer than the permit's terms allow.
    pub fn mint(item: ApprovedItem, permit: Permit, now: Time) -> Result<(Self, Fact), IllegalTransition> {
        let mint = "be minted";
        if matches!(item.parent, Some(Parent::Extends { .. })) {
            return Err(refuse("new", mint, "the item extends a grant"));
        }
        let terms = &permit.terms;
        if item.duration > terms.max_ttl {
            return Err(refuse("new", mint, "longer than policy allows"));
        }
        let (opens, latest_end) = match item.start {
            Start::Now => (now, now.plus(terms.activation_window).plus(item.duration)),
            Start::At(start) => (start.max(now), start.plus(item.duration)),
        };
        let latest_end = permit.at_most(latest_end);
        if latest_end <= opens && permit.latest.is_some_and(|latest| latest <= opens) {
            return Err(refuse("new", mint, "its holder's time is over before it would begin"));
        }
        let activate_by = opens.plus(terms.activation_window).min(latest_end);
        if latest_end <= now {
            return Err(refuse("new", mint, "its whole window has passed"));
        }
        let window = Window { opens, activate_by, duration: item.duration, latest_end };
        let mut detail = json!({
            "grant": item.grant, "request": item.request, "digest": item.digest, "holder": item.holder,
            "resource": item.item.resource, "role": item.item.role, "window": window,
            "policy_set": permit.basis.policy_set, "path": permit.basis.path,
            "approvers": item.approvals.iter().map(|a| a.approver).collect::<Vec<_>>(),
        });
        if let (Some(task), Some(detail)) = (&item.item.task, detail.as_object_mut()) {
            detail.insert("task".to_owned(), json!(task));
        }
        if let (Some(job), Some(detail)) = (item.job, detail.as_object_mut()) {
            detail.insert("job".to_owned(), json!(job));
        }
        let fact = Fact::new("grant.minted", detail);
        let data = GrantData {
            id: item.grant,
            request: item.request,
            digest: item.digest,
            holder: item.holder,
            item: item.item,
            ticket: item.ticket,
            job: item.job,
            approvals: item.approvals,
            terms: permit.terms,
            basis: permit.basis,
            window,
            at: now,
            spent: None,
            extended_by: Vec::new(),
            state: GrantState::Scheduled,
        };
        Ok((Self { data }, fact))
    }

    /// The whole life of a grant in one function.
    ///
    /// INVARIANT: the task of a grant is let run at most once, and nothing else is in its place (held by
    /// `a_task_is_let_run_once_whatever_else_happens`).
    ///
    /// # Errors
    /// When the lifecycle has no such step.
    pub fn apply(mut self, event: GrantEvent, now: Time) -> Result<(Self, Fact), IllegalTransition> {
        let name = event.name();
        let d = &mut self.data;
        let id = d.id;
        let (next, fact) = match (&d.state, event) {
            (GrantState::Scheduled, GrantEvent::Activate(permit)) => {
                if now < d.window.opens {
                    return Err(refuse("scheduled", name, &format!("it opens at {}", d.window.opens)));
                }
                if now >= d.window.activate_by {
                    return Err(refuse("scheduled", name, "its window to be activated has passed"));
                }
                let span = d.window.duration.min(permit.terms.max_ttl);
                let end = permit.at_most(now.plus(span).min(d.window.latest_end));
                if end <= now {
                    return Err(refuse("scheduled", name, "its holder's time is over"));
                }
                let fact = Fact::new(
                    "grant.activated",
                    json!({ "grant": id, "end": end, "policy_set": permit.basis.policy_set, "path": permit.basis.path }),
                );
                d.terms = permit.terms;
                d.basis = permit.basis;
                (GrantState::Active { since: now, end }, fact)
            }
            (GrantState::Active { since, end }, GrantEvent::Extend(item, permit)) => {
                let extends = matches!(item.parent, Some(Parent::Extends { grant, .. }) if grant == id);
                if !extends || item.holder != d.holder || item.item != d.item {
                    return Err(refuse("active", name, "the approved item does not extend this grant"));
                }
                if now >= *end {
                    return Err(refuse("active", name, "its time is up; ask again"));
                }
                let wanted = permit.at_most(end.plus(item.duration).min(since.plus(permit.terms.max_ttl)));
                if wanted <= *end {
                    return Err(refuse("active", name, "it already lasts as long as policy allows"));
                }
                let fact = Fact::new(
                    "grant.extended",
                    json!({ "grant": id, "request": item.request, "digest": item.digest, "from": end, "end": wanted, "policy_set": permit.basis.policy_set }),
                );
                let since = *since;
                d.approvals.extend(item.approvals);
                d.extended_by.push(item.request);
                d.terms = permit.terms;
                d.basis = permit.basis;
                (GrantState::Active { since, end: wanted }, fact)
            }
            (GrantState::Active { since, end }, GrantEvent::Shorten { end: shorter }) => {
                if shorter >= *end {
                    return Err(refuse("active", name, "that is not shorter"));
                }
                let fact = Fact::new("grant.shortened", json!({ "grant": id, "from": end, "end": shorter }));
                (GrantState::Active { since: *since, end: shorter }, fact)
            }
            (GrantState::Active { since, end }, GrantEvent::Spend { session, task }) => {
                let refused = |why: &str| Err(refuse("active", name, why));
                let Some(approved) = d.item.task.as_ref().map(Task::digest) else {
                    return refused("it is not for one task");
                };
                if now >= *end {
                    return refused("its time is up; ask again");
                }
                if d.spent.is_some() {
                    return refused(RUN_ALREADY);
                }
                if approved != task {
                    return refused("that is not the task that was approved");
                }
                let fact = Fact::new("grant.task_spent", json!({ "grant": id, "session": session, "task": task }));
                d.spent = Some(Spent { session, at: now });
                (GrantState::Active { since: *since, end: *end }, fact)
            }
            (GrantState::Active { .. }, GrantEvent::End(EndCause::TaskDone { .. })) if d.spent.is_none() => {
                return Err(refuse("active", name, "its task was not run"));
            }
            (GrantState::Active { end, .. }, GrantEvent::End(EndCause::Expired)) if now < *end => {
                return Err(refuse("active", name, "its time is not up"));
            }
            (GrantState::Scheduled, GrantEvent::End(EndCause::NeverActivated)) if now < d.window.activate_by => {
                return Err(refuse("scheduled", name, "its window to be activated is still open"));
            }
            (
                GrantState::Scheduled,
                GrantEvent::End(EndCause::Expired | EndCause::TaskDone { .. } | EndCause::TakenAway { .. }),
            )
            | (GrantState::Active { .. }, GrantEvent::End(EndCause::NeverActivated)) => {
                return Err(refuse(d.state.name(), name, "not for that cause"));
            }
            // Nothing was made under a scheduled grant, so its end needs no proof from any target.
            (GrantState::Scheduled, GrantEvent::End(cause)) => {
                let fact = Fact::new("grant.closed", json!({ "grant": id, "cause": cause, "leases": [] }));
                (GrantState::Closed { since: None, closure: Closure { cause, leases: Vec::new(), at: now } }, fact)
            }
            (GrantState::Active { since, .. }, GrantEvent::End(cause)) => {
                let fact = Fact::new("grant.ending", json!({ "grant": id, "cause": cause }));
                (GrantState::Ending { since: Some(*since), at: now, cause }, fact)
            }
            (GrantState::Ending { since, cause, .. }, GrantEvent::Close(leases)) => {
                let mut ended = Vec::with_capacity(leases.len());
                for lease in &leases {
                    match lease.ended() {
                        Some(end) if lease.grant == id => ended.push(end),
                        Some(_) => return Err(refuse("ending", name, "a lease of another grant was given")),
                        None => {
                            return Err(refuse("ending", name, &format!("lease `{}` is not proven gone", lease.id)));
                        }
                    }
                }
                let closure = Closure { cause: cause.clone(), leases: ended, at: now };
                let fact = Fact::new(
                    "grant.closed",
                    json!({ "grant": id, "cause": cause, "word": closure.word(), "leases": closure.leases }),
                );
                (GrantState::Closed { since: *since, closure }, fact)
            }
            (
                GrantState::Scheduled,
                GrantEvent::Extend(..) | GrantEvent::Shorten { .. } | GrantEvent::Spend { .. } | GrantEvent::Close(_),
            )
            | (GrantState::Active { .. }, GrantEvent::Activate(_) | GrantEvent::Close(_))
            | (
                GrantState::Ending { .. },
                GrantEvent::Activate(_)
                | GrantEvent::Extend(..)
                | GrantEvent::Shorten { .. }
                | GrantEvent::Spend { .. }
                | GrantEvent::End(_),
            )
            | (
                GrantState::Closed { .. },
                GrantEvent::Activate(_)
                | GrantEvent::Extend(..)
                | GrantEvent::Shorten { .. }
                | GrantEvent::Spend { .. }
                | GrantEvent::End(_)
                | GrantEvent::Close(_),
            ) => return Err(refuse(d.state.name(), name, "")),
        };
        d.state = next;
        Ok((self, fact))
    }

    /// Begins a lease under this grant, ending with it at the latest.
    ///
    /// # Errors
    /// When the grant is not active, or its time is up.
    pub fn lease(
        &self,
        id: LeaseId,
        kind: Name,
        what: LeaseKind,
        now: Time,
    ) -> Result<(Lease, Fact), IllegalTransition> {
        let end = self.usable_until(now)?;
        let artifact = artifact_name(id);
        let fact = Fact::new(
            "lease.intended",
            json!({ "lease": id, "grant": self.id, "artifact": artifact, "what": what, "resource": self.item.resource, "end": end }),
        );
        let data = LeaseData {
            id,
            grant: self.id,
            holder: self.holder,
            resource: self.item.resource,
            kind,
            role: self.item.role,
            what,
            artifact,
            object: None,
            notes: serde_json::Value::Null,
            standing: None,
            end,
            at: now,
            confirmed: None,
            debt: Debt::default(),
            state: LeaseState::Intended,
        };
        Ok((Lease { data }, fact))
    }

    /// The right to make or issue what one of this grant's leases stands for, once; consumes a fresh judgement.
    ///
    /// # Errors
    /// When the grant is not active, its time is up, or the lease is not its own or no longer wanted.
    pub fn issue_permit(&self, lease: &Lease, permit: Permit, now: Time) -> Result<IssuePermit, IllegalTransition> {
        let end = permit.at_most(self.usable_until(now)?.min(lease.end).min(now.plus(permit.terms.max_ttl)));
        let wanted = matches!(lease.state, LeaseState::Intended | LeaseState::Live { .. });
        if lease.grant != self.id || !wanted {
            return Err(refuse("active", "issue", "the lease is not one of this grant's open leases"));
        }
        let right = Right {
            grant: self.id,
            lease: lease.id,
            holder: self.holder,
            item: self.item.clone(),
            not_before: now,
            not_after: end,
            reach: reach(&permit.terms, self.item.task.as_ref()),
            authority: None,
        };
        Ok(IssuePermit { right })
    }

    /// The right to open one session through the gateway, which is what `lease` stands for; consumes a
    /// fresh judgement.
    ///
    /// # Errors
    /// When the grant is not active, its task was run, the lease is not an intended session of its own, or the
    /// terms it is held under now ask for access of another sort.
    pub fn session_permit(&self, lease: &Lease, permit: Permit, now: Time) -> Result<SessionPermit, IllegalTransition> {
        let refused = |why: &str| Err(refuse("active", "open a session", why));
        if permit.terms.mode == Mode::Direct {
            return refused("its terms are a credential of one's own, straight to the target");
        }
        if lease.what != LeaseKind::Session || !matches!(lease.state, LeaseState::Intended) {
            return refused("the lease is no session that is about to begin");
        }
        if self.spent.is_some() {
            return refused(RUN_ALREADY);
        }
        // Of two terms the stricter: what it was given under, and what holds now.
        let recording = permit.terms.recording.max(self.terms.recording);
        let reproof = [permit.terms.reproof, self.terms.reproof].into_iter().flatten().min();
        let issue = self.issue_permit(lease, permit, now)?;
        // What the gateway itself shows to the target.
        let right = Right { reach: Reach::Target, ..issue.right };
        Ok(SessionPermit { issue: IssuePermit { right }, recording, reproof })
    }

    /// Until when it may be used, if it may be used now.
    ///
    /// # Errors
    /// When it is not active or its time is up; what verifies expiry never waits for a pass to run.
    pub fn usable_until(&self, now: Time) -> Result<Time, IllegalTransition> {
        match &self.state {
            GrantState::Active { end, .. } if now < *end => Ok(*end),
            GrantState::Active { .. } => Err(refuse("active", "be used", "its time is up; ask again")),
            state @ (GrantState::Scheduled | GrantState::Ending { .. } | GrantState::Closed { .. }) => {
                Err(refuse(state.name(), "be used", if self.spent.is_some() { RUN_ALREADY } else { "" }))
            }
        }
    }

    /// When something is due to happen to it by itself.
    #[must_use]
    pub fn due(&self) -> Option<Time> {
        match &self.state {
            GrantState::Scheduled => Some(self.window.activate_by),
            GrantState::Active { end, .. } => Some(*end),
            GrantState::Ending { .. } | GrantState::Closed { .. } => None,
        }
    }

    /// Whether it is scheduled or active.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.state, GrantState::Scheduled | GrantState::Active { .. })
    }
}

impl Lease {
    /// Moves the lease's end to its grant's, if the grant has moved.
    ///
    /// # Errors
    /// When the lease is no longer open for it.
    pub fn follow(self, grant: &Grant, now: Time) -> Result<(Self, Fact), IllegalTransition> {
        let end = grant.usable_until(now)?;
        self.apply(LeaseEvent::Moved { end }, now)
    }
}

const RUN_ALREADY: &str = "its task was let run already, which happens once; ask again";

/// Where something that is issued under these terms, for this task if for one, may be good.
///
/// INVARIANT: what has to go through the gateway, to be recorded, or to be held to one task, which only the
/// gateway does, opens nothing elsewhere (held by `what_has_to_go_through_the_gateway_opens_nothing_elsewhere`).
fn reach(terms: &Terms, task: Option<&Task>) -> Reach {
    let through = terms.mode == Mode::Brokered || terms.recording == Need::Required || task.is_some();
    if through { Reach::Gateway } else { Reach::Target }
}
