//! The facts a decision is made over.
//!
//! Borrowed from one snapshot of the world, so that nothing can change between two questions.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use wane_domain::catalogue::{Owner, Resource, Role};
use wane_domain::directory::Person;
use wane_domain::id::{PersonId, ResourceId};
use wane_domain::proved::is_phishing_resistant;
use wane_domain::text::{Name, Task, Ticket};
use wane_domain::time::{Span, Time};
use wane_domain::workload::JobAsks;
use wane_domain::world::World;

/// A person and the groups they are in.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The person.
    pub person: &'a Person,
    /// Their groups, by name.
    pub groups: BTreeSet<&'a Name>,
}

impl<'a> Subject<'a> {
    /// A person as a snapshot has them.
    #[must_use]
    pub fn of(world: &'a World, person: PersonId) -> Option<Self> {
        world.people.get(&person).map(|found| Self { person: found, groups: world.groups_of(person) })
    }
}

/// A resource and who answers for it.
#[derive(Clone, Debug)]
pub struct Thing<'a> {
    /// The resource.
    pub resource: &'a Resource,
    /// Its owner.
    pub owner: Option<OwnedBy<'a>>,
}

/// Who answers for a resource.
#[derive(Clone, Debug)]
pub enum OwnedBy<'a> {
    /// One person.
    Person(Subject<'a>),
    /// A group, by name.
    Group(&'a Name),
}

impl<'a> Thing<'a> {
    /// A resource as a snapshot has it.
    #[must_use]
    pub fn of(world: &'a World, resource: ResourceId) -> Option<Self> {
        let resource = world.resources.get(&resource)?;
        let owner = match resource.owner {
            Some(Owner::Person(id)) => Subject::of(world, id).map(OwnedBy::Person),
            Some(Owner::Group(id)) => world.groups.get(&id).map(|g| OwnedBy::Group(&g.name)),
            None => None,
        };
        Some(Self { resource, owner })
    }
}

/// How and how long ago somebody proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof<'a> {
    /// How: `password+totp`, `passkey`, `oidc`…
    pub how: &'a str,
    /// How long ago.
    pub age: Span,
    /// Whether nothing that was shown can be shown to somebody else by mistake.
    pub phishing_resistant: bool,
}

impl<'a> Proof<'a> {
    /// A proof by its word.
    #[must_use]
    pub fn said(how: &'a str, age: Span) -> Self {
        Self { how, age, phishing_resistant: is_phishing_resistant(how) }
    }

    /// The proof of somebody who shows nothing right now: what they showed was judged then, and what they
    /// have to show is judged when they do.
    #[must_use]
    pub const fn assumed(how: &'a str) -> Self {
        Self { how, age: Span::ZERO, phishing_resistant: true }
    }
}

/// The moment a question is asked at, and the clock on the wall there.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The moment.
    pub now: Time,
    /// The deployment's time zone, for `context.local`. The caller looks it up: reading zone data is not pure.
    pub zone: &'a TimeZone,
}

/// What is asked, besides who, what and which role.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// For how long.
    pub duration: Span,
    /// How far ahead it starts; zero for now.
    pub start_in: Span,
    /// Whether a justification was given.
    pub justified: bool,
    /// Under which ticket.
    pub ticket: Option<&'a Ticket>,
    /// For which one command, if for one.
    pub task: Option<&'a Task>,
    /// What is known of the job that asks, if a workload does.
    pub job: Option<&'a JobAsks>,
    /// How identity was proved. For a live grant: what it holds.
    pub proof: Proof<'a>,
    /// When.
    pub moment: Moment<'a>,
    /// How long a session that is open may outlive its end on this resource, as its kind declares; none if nothing cuts it.
    pub residual_sessions: Option<Span>,
}

/// What this deployment and kind can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Sessions through the gateway.
    pub brokered: bool,
    /// Recording of such sessions.
    pub recording: bool,
}

/// Which ways to the target an ask leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ways {
    /// Whichever the terms allow.
    Any,
    /// Through the gateway only: nothing at the target could hold the holder to it.
    GatewayOnly,
}

/// One question about access: this person, this role on this resource, under these facts.
#[derive(Clone, Debug)]
pub struct AccessQuery<'a> {
    /// Who would hold it.
    pub who: Subject<'a>,
    /// On what.
    pub what: Thing<'a>,
    /// Which role.
    pub role: &'a Role,
    /// The ask.
    pub facts: Facts<'a>,
    /// Which ways the role and the task leave.
    pub ways: Ways,
    /// What can be served.
    pub serves: Capabilities,
}
