//! A snapshot of everything decisions rest on, besides the request itself.
//!
//! A decision is made over one snapshot, and commits only while the store is still at that
//! snapshot's epoch: whatever changed in between (a person disabled, a role redefined, a lock, a
//! new policy) makes the commit conflict and the decision be made again.

mod table;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::approval::ApproverKey;
use crate::canonical::Digest;
use crate::catalogue::{Owner, Resource, Role};
use crate::delegation::{Delegation, InsteadOf};
use crate::directory::{Directory, Group, Person, Standing};
use crate::id::{GrantId, OrgId, PackageId, PersonId, ResourceId, RoleId};
use crate::lock::Lock;
use crate::package::{Package, PackageItem};
use crate::terms::{Approvers, Stage};
use crate::text::Name;
use crate::time::{Span, Time};
use crate::workload::{Issuer, Workload};

pub use table::{Entry, Table};

/// Counts changes to the world. Every change to anything a decision rests on raises it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// A version of the policy set, as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// Counts up from 1.
    pub version: u64,
    /// Digest of the text.
    pub digest: Digest,
    /// Cedar.
    pub text: String,
    /// Who loaded it; none for the one the deployment began with.
    pub by: Option<PersonId>,
    /// When.
    pub at: Time,
}

/// The snapshot. A copy shares what it does not change.
#[derive(Clone, Debug)]
pub struct World {
    /// The organisation.
    pub org: OrgId,
    /// Which state of the world this is.
    pub epoch: Epoch,
    /// People by id.
    pub people: Table<Person>,
    /// Groups by id.
    pub groups: Table<Group>,
    /// Directories by id, those that were removed as well.
    pub directories: Table<Directory>,
    /// Resources by id.
    pub resources: Table<Resource>,
    /// Roles by id.
    pub roles: Table<Role>,
    /// Locks that hold, by id.
    pub locks: Table<Lock>,
    /// Access packages, by id.
    pub packages: Table<Package>,
    /// Keys that approvals are signed with, those that were taken away among them.
    pub approver_keys: Table<ApproverKey>,
    /// Who stands in for whom, what is over or was taken back among them: grants rest on it.
    pub delegations: Table<Delegation>,
    /// Who is believed about jobs, those that were removed among them.
    pub issuers: Table<Issuer>,
    /// What works by itself, what was removed among it.
    pub workloads: Table<Workload>,
    /// The policy set in force.
    pub policy: PolicyVersion,
}

impl World {
    /// A person by name.
    #[must_use]
    pub fn person(&self, name: &str) -> Option<&Person> {
        self.people.get(self.people.index().names.get(name)?)
    }

    /// A group by name.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(self.groups.index().names.get(name)?)
    }

    /// A directory by name, also one that was removed. There are few.
    #[must_use]
    pub fn directory(&self, name: &str) -> Option<&Directory> {
        self.directories.values().find(|one| one.name.as_str() == name)
    }

    /// An issuer by name, also one that was removed. There are few.
    #[must_use]
    pub fn issuer(&self, name: &str) -> Option<&Issuer> {
        self.issuers.values().find(|one| one.name.as_str() == name)
    }

    /// What makes a person a workload, if they are one, be it a removed one.
    #[must_use]
    pub fn workload_of(&self, person: PersonId) -> Option<&Workload> {
        self.workloads.get(self.workloads.index().of(person)?)
    }

    /// Whether somebody is a workload, and nobody at all.
    #[must_use]
    pub fn is_workload(&self, person: PersonId) -> bool {
        self.workload_of(person).is_some()
    }

    /// The directory that keeps what is kept by `keeper`, while it is there.
    #[must_use]
    pub fn keeper(&self, keeper: Option<&Name>) -> Option<&Directory> {
        let name = keeper?.as_str().strip_prefix("directory.")?;
        self.directory(name).filter(|one| one.removed.is_none())
    }

    /// A resource by name.
    #[must_use]
    pub fn resource(&self, name: &str) -> Option<&Resource> {
        self.resources.get(self.resources.index().get(name)?)
    }

    /// A role by kind and name.
    #[must_use]
    pub fn role(&self, kind: &Name, name: &str) -> Option<&Role> {
        self.roles.get(self.roles.index().get(kind, name)?)
    }

    /// A package by name.
    #[must_use]
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.values().find(|package| package.name.as_str() == name)
    }

    /// Whether a package gives this to a person now.
    #[must_use]
    pub fn is_packaged(&self, package: PackageId, person: PersonId, item: PackageItem) -> bool {
        let (Some(package), Some(person)) = (self.packages.get(&package), self.people.get(&person)) else {
            return false;
        };
        // What a workload holds is a job's, and nobody asks in its name.
        !self.is_workload(person.id)
            && package.items.contains(&item)
            && package.rule.means(person, &self.groups_of(person.id))
    }

    /// The groups a person is in, by name.
    #[must_use]
    pub fn groups_of(&self, person: PersonId) -> BTreeSet<&Name> {
        self.groups_with(person).map(|group| &group.name).collect()
    }

    /// The groups a person is in.
    pub fn groups_with(&self, person: PersonId) -> impl Iterator<Item = &Group> {
        self.groups.index().of(person).iter().filter_map(|id| self.groups.get(id))
    }

    /// The lock that covers an access, if any.
    #[must_use]
    pub fn lock_on(
        &self,
        person: PersonId,
        resource: ResourceId,
        role: RoleId,
        grant: Option<GrantId>,
    ) -> Option<&Lock> {
        self.locks.values().find(|l| l.covers(person, resource, role, grant))
    }

    /// Whether a person exists and may act.
    #[must_use]
    pub fn is_active(&self, person: PersonId) -> bool {
        self.people.get(&person).is_some_and(|p| p.standing == Standing::Active)
    }

    /// Whose time is over although nobody has booked that they left, soonest first.
    pub fn over(&self, now: Time) -> impl Iterator<Item = PersonId> + '_ {
        self.people.index().stays.iter().take_while(move |(until, _)| *until <= now).map(|(_, id)| *id)
    }

    /// When the time of somebody who has not left is over next, after `now`.
    #[must_use]
    pub fn next_over(&self, now: Time) -> Option<Time> {
        self.people.index().stays.iter().map(|(until, _)| *until).find(|until| *until > now)
    }

    /// Whether somebody has to be answered for, and nobody who may act does.
    #[must_use]
    pub fn is_unsponsored(&self, person: &Person) -> bool {
        person.stay.sponsor.is_some_and(|sponsor| !self.is_active(sponsor))
    }

    /// Whether one of two people answers for the other: an approval between them would be one's own.
    #[must_use]
    pub fn is_sponsored_between(&self, one: PersonId, other: PersonId) -> bool {
        let answers = |who: PersonId, of: PersonId| self.people.get(&of).is_some_and(|p| p.stay.sponsor == Some(who));
        answers(one, other) || answers(other, one)
    }

    /// The active people an approval rule means for this holder and resource, without the excluded and without
    /// those who answer for the holder or one of the excluded, or for whom these do; and no workload, whoever names it.
    ///
    /// INVARIANT: nobody approves through somebody they sponsor (held by `nobody_approves_through_whom_they_sponsor`),
    /// and a workload never approves (held by `a_workload_never_approves`).
    #[must_use]
    pub fn approvers(
        &self,
        rule: &[Approvers],
        holder: PersonId,
        resource: ResourceId,
        without: &[PersonId],
    ) -> BTreeSet<PersonId> {
        let mut out = BTreeSet::new();
        for who in rule {
            match who {
                Approvers::Manager => out.extend(self.people.get(&holder).and_then(|p| p.manager)),
                Approvers::Owner => match self.resources.get(&resource).and_then(|r| r.owner) {
                    Some(Owner::Person(id)) => out.extend([id]),
                    Some(Owner::Group(id)) => {
                        out.extend(self.groups.get(&id).into_iter().flat_map(|g| g.members.iter().copied()))
                    }
                    None => {}
                },
                Approvers::Group(name) => {
                    out.extend(self.group(name.as_str()).into_iter().flat_map(|g| g.members.iter().copied()))
                }
                Approvers::Person(name) => out.extend(self.person(name.as_str()).map(|p| p.id)),
            }
        }
        out.retain(|id| self.is_active(*id) && !without.contains(id));
        out.retain(|id| !self.is_workload(*id));
        out.retain(|id| !self.is_own(*id, holder, without));
        out
    }

    /// Whom a stage means: those it names, and those it names in addition who were asked after a stage had waited as
    /// long as `waited` says of them; with how long that had to be.
    #[must_use]
    pub fn meant(
        &self,
        stage: &Stage,
        waited: impl Fn(PersonId) -> Option<Span>,
        (holder, resource): (PersonId, ResourceId),
        without: &[PersonId],
    ) -> BTreeMap<PersonId, Option<Span>> {
        let named = self.approvers(&stage.approvers, holder, resource, without);
        let mut out: BTreeMap<PersonId, Option<Span>> = named.into_iter().map(|who| (who, None)).collect();
        for later in &stage.later {
            for who in self.approvers(&later.approvers, holder, resource, without) {
                if waited(who) >= Some(later.after) {
                    out.entry(who).or_insert(Some(later.after));
                }
            }
        }
        out
    }

    /// Whether what is decided for a holder would be decided for oneself: through whom one answers for, or by whom one
    /// is answered for.
    #[must_use]
    pub fn is_own(&self, person: PersonId, holder: PersonId, without: &[PersonId]) -> bool {
        without.iter().chain([&holder]).any(|them| self.is_sponsored_between(person, *them))
    }

    /// Who stands in now for one of these, who could approve in their own right; each for the one who said so first.
    /// Whoever could themselves stands in for nobody, and those are left out that [`World::approvers`] leaves out.
    ///
    /// INVARIANT: only in the place of somebody who could approve in their own right, so that nobody stands in for
    /// somebody who stands in (held by `whoever_stands_in_can_do_what_the_other_could_and_no_more`).
    #[must_use]
    pub fn stand_ins(
        &self,
        could: &BTreeSet<PersonId>,
        (resource, policy): (ResourceId, Option<&str>),
        holder: PersonId,
        without: &[PersonId],
        now: Time,
    ) -> BTreeMap<PersonId, InsteadOf> {
        let mut leave: Vec<&Delegation> = self.delegations.values().filter(|d| d.holds(now)).collect();
        leave.sort_by_key(|d| d.id);
        let mut out = BTreeMap::new();
        for d in leave {
            let may = could.contains(&d.by)
                && !could.contains(&d.to)
                && d.scope.covers(resource, policy)
                && self.is_active(d.to)
                && !self.is_workload(d.to)
                && ![d.by, holder].contains(&d.to)
                && !without.contains(&d.to)
                && !self.is_own(d.to, holder, without);
            if may {
                out.entry(d.to).or_insert(InsteadOf { person: d.by, delegation: d.id });
            }
        }
        out
    }

    /// Whether an approval that was given in somebody's place counts, for what was begun at `used`.
    #[must_use]
    pub fn stood_in(&self, who: PersonId, instead: InsteadOf, at: Time, used: Option<Time>) -> bool {
        let leave = self.delegations.get(&instead.delegation);
        self.is_active(who) && leave.is_some_and(|d| d.by == instead.person && d.to == who && d.counts_for(at, used))
    }
}
