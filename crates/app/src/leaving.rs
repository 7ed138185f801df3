//! What came of somebody's leaving: each thing they held, how it ended, and what is still owed.
//!
//! Everything here is read from the trail, from the grants and their leases, and from the targets themselves; that
//! somebody is gone is never concluded from having said so. Refuses to know: how anything ends.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::iter;
use serde_json::{Value, json};
use wane_audit::Actor;
use wane_domain::directory::Person;
use wane_domain::grant::{Grant, GrantState};
use wane_domain::id::{GrantId, PersonId, ResourceId};
use wane_domain::lease::Lease;
use wane_domain::time::Time;
use wane_domain::world::World;
use wane_policy::schema::Action;
use wane_store::{GrantFilter, GrantPhase, RecordFilter, Slice, whole};

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;
use crate::leave::LEFT;

/// Targets that are asked at once whom they know.
const ASKED_AT_ONCE: usize = 8;
/// How long a target may take to say so; one that does not answer keeps no report from being given.
const LONGEST_LOOK: Duration = Duration::from_secs(15);

/// The report.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// Who.
    pub person: Person,
    /// When they left.
    pub at: Time,
    /// Who sent them away; none if their time was over.
    pub by: Option<PersonId>,
    /// Why.
    pub why: String,
    /// Sessions that were ended.
    pub sessions: u64,
    /// One-time codes that were made void.
    pub codes: u64,
    /// Whether a password was taken away.
    pub password: bool,
    /// Passkeys that were taken away.
    pub passkeys: Vec<String>,
    /// Identities at providers, with who they are there: kept, and they let nobody in.
    pub identities: Vec<[String; 2]>,
    /// Groups they were taken out of.
    pub groups: Vec<String>,
    /// Groups that a provider keeps, with that provider: they are in them still, until it says otherwise.
    pub kept: Vec<[String; 2]>,
    /// Requests that were withdrawn.
    pub requests: Vec<String>,
    /// What they held, with what was made for it.
    pub held: Vec<(Grant, Vec<Lease>)>,
    /// What the targets know of them, if they were asked.
    pub strangers: Option<Strangers>,
}

/// What targets know by somebody's name that was never made here.
#[derive(Clone, Debug, Default)]
pub struct Strangers {
    /// Accounts of their name without our mark; nobody touched them.
    pub accounts: Vec<TheirAccount>,
    /// Targets that did not say.
    pub unseen: Vec<Unseen>,
}

/// An account of somebody's name that was never made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TheirAccount {
    /// At which target.
    pub resource: ResourceId,
    /// As what.
    pub principal: String,
    /// What it may do there.
    pub right: String,
}

/// A target that did not say whom it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// Which.
    pub resource: ResourceId,
    /// Why.
    pub why: String,
}

impl Leaving {
    /// Whether everything that they held is over, with evidence.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.held.iter().all(|(grant, leases)| {
            matches!(grant.state, GrantState::Closed { .. }) && leases.iter().all(|lease| !lease.is_open())
        })
    }
}

/// Whether targets are asked whom they know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// No; what is in the store is told.
    No,
    /// Yes, each of them.
    AtTargets,
}

impl App {
    /// What came of somebody's leaving.
    ///
    /// # Errors
    /// When policy does not let the caller, there is no such person, or they have not left.
    pub async fn leaving(&self, caller: &Caller, name: &str, look: Look) -> Result<Leaving, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ReadDirectory)?;
        self.allow(caller, &world, Action::ReadAccess)?;
        self.report_of(&world, name, look).await
    }

    /// The same for whoever has just sent them away.
    ///
    /// # Errors
    /// As [`App::leaving`].
    pub async fn left(&self, caller: &Caller, name: &str, look: Look) -> Result<Leaving, AppError> {
        let world = self.world().await?;
        // Whoever sent themselves away may see this once, and nothing after it.
        if caller.name.as_str() != name {
            self.allow(caller, &world, Action::ManageDirectory)?;
        }
        self.report_of(&world, name, look).await
    }

    async fn report_of(&self, world: &World, name: &str, look: Look) -> Result<Leaving, AppError> {
        let person = world.person(name).cloned().ok_or_else(|| AppError::missing("person", name))?;
        let Some(at) = person.stay.left else {
            return Err(AppError::Taken(format!("`{name}` has not left; `wane offboard {name}` has them leave")));
        };
        let filter = RecordFilter {
            person: Some(person.id),
            event: Some(LEFT.to_owned()),
            from: Some(at),
            ..RecordFilter::default()
        };
        let mut report = Leaving {
            person,
            at,
            by: None,
            why: String::new(),
            sessions: 0,
            codes: 0,
            password: false,
            passkeys: Vec::new(),
            identities: Vec::new(),
            groups: Vec::new(),
            kept: Vec::new(),
            requests: Vec::new(),
            held: Vec::new(),
            strangers: None,
        };
        let mut grants: Vec<GrantId> = Vec::new();
        for one in self.all_records(&filter).await? {
            if report.why.is_empty() {
                report.why = text(&one.record.detail, "why");
                report.by = match one.record.actor {
                    Actor::Person(by) => Some(by),
                    _ => None,
                };
            }
            report.read(&one.record.detail);
            grants.extend(texts(&one.record.detail, "grants").iter().filter_map(|id| id.parse::<GrantId>().ok()));
        }
        report.held = self.held_at(report.person.id, grants).await?;
        if look == Look::AtTargets {
            report.strangers = Some(self.strangers_of(&report.person, world.resources.keys().copied()).await);
        }
        Ok(report)
    }

    /// These grants, and whatever else of the person is not closed: an end that was owed before is owed still.
    async fn held_at(&self, person: PersonId, ids: Vec<GrantId>) -> Result<Vec<(Grant, Vec<Lease>)>, AppError> {
        let phases = vec![GrantPhase::Scheduled, GrantPhase::Active, GrantPhase::Ending];
        let open = GrantFilter { holder: Some(person), phases, ..GrantFilter::default() };
        let mut found = std::collections::BTreeMap::new();
        let named = ids.chunks(1_000).map(|some| GrantFilter { ids: some.to_vec(), ..GrantFilter::default() });
        for filter in named.chain([open]) {
            let grants = whole(Slice::first(1_000), |slice| self.store.grants(filter.clone(), slice)).await?;
            found.extend(grants.into_iter().map(|seen| (seen.value.id, self.as_it_is(seen.value))));
        }
        let mut out = Vec::with_capacity(found.len());
        for (id, grant) in found {
            out.push((grant, self.leases_of(id).await?));
        }
        Ok(out)
    }

    async fn strangers_of(&self, person: &Person, targets: impl Iterator<Item = ResourceId>) -> Strangers {
        let look = |id| async move { (id, tokio::time::timeout(LONGEST_LOOK, self.take_inventory(id)).await) };
        let mut answers: Vec<_> = iter(targets).map(look).buffer_unordered(ASKED_AT_ONCE).collect().await;
        answers.sort_by_key(|(id, _)| *id);
        let mut strangers = Strangers::default();
        for (resource, answer) in answers {
            let unseen = |why: String| Unseen { resource, why };
            match answer {
                Err(_) => strangers.unseen.push(unseen("it took too long to say".to_owned())),
                Ok(Err(error)) => strangers.unseen.push(unseen(error.to_string())),
                Ok(Ok(found)) => {
                    let theirs = found.inventory.standing.into_iter();
                    strangers.accounts.extend(
                        theirs
                            .filter(|right| right.principal.eq_ignore_ascii_case(person.name.as_str()))
                            .map(|right| TheirAccount { resource, principal: right.principal, right: right.right }),
                    );
                }
            }
        }
        strangers
    }
}

impl Leaving {
    /// Adds what one record says that was taken away.
    fn read(&mut self, detail: &Value) {
        let count = |key| detail.get(key).and_then(Value::as_u64).unwrap_or_default();
        self.sessions = self.sessions.saturating_add(count("sessions"));
        self.codes = self.codes.saturating_add(count("codes"));
        self.password |= detail.get("password") == Some(&json!(true));
        self.groups.extend(texts(detail, "groups"));
        self.requests.extend(texts(detail, "requests"));
        self.passkeys.extend(texts(detail, "passkeys"));
        pairs(&mut self.identities, detail, "identities", ["provider", "subject"]);
        pairs(&mut self.kept, detail, "kept", ["group", "kept_by"]);
    }
}

/// Adds what was not there yet.
fn pairs(to: &mut Vec<[String; 2]>, detail: &Value, key: &str, names: [&str; 2]) {
    for one in detail.get(key).and_then(Value::as_array).into_iter().flatten() {
        let pair = names.map(|name| text(one, name));
        if !to.contains(&pair) {
            to.push(pair);
        }
    }
}

fn text(of: &Value, key: &str) -> String {
    of.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn texts(of: &Value, key: &str) -> Vec<String> {
    let list = of.get(key).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}
