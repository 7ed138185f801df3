//! A snapshot of everything decisions rest on, besides the request itself.
//!
//! A decision is made over one snapshot, and commits only while the store is still at that
//! snapshot's epoch: whatever changed in between (a person disabled, a role redefined, a lock, a
//! new policy) makes the commit conflict and the decision be made again.

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::approval::ApproverKey;
use crate::canonical::Digest;
use crate::catalogue::{Owner, Resource, Role};
use crate::directory::{Directory, Group, Person, Standing};
use crate::id::{ApproverKeyId, DirectoryId, GrantId, GroupId, LockId, OrgId, PackageId, PersonId, ResourceId, RoleId};
use crate::lock::Lock;
use crate::package::{Package, PackageItem};
use crate::terms::Approvers;
use crate::text::Name;
use crate::time::Time;

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

/// The snapshot.
#[derive(Clone, Debug)]
pub struct World {
    /// The organisation.
    pub org: OrgId,
    /// Which state of the world this is.
    pub epoch: Epoch,
    /// People by id.
    pub people: HashMap<PersonId, Person>,
    /// Groups by id.
    pub groups: HashMap<GroupId, Group>,
    /// Directories by id, those that were removed as well.
    pub directories: HashMap<DirectoryId, Directory>,
    /// Resources by id.
    pub resources: HashMap<ResourceId, Resource>,
    /// Roles by id.
    pub roles: HashMap<RoleId, Role>,
    /// Locks that hold, by id.
    pub locks: HashMap<LockId, Lock>,
    /// Access packages, by id.
    pub packages: HashMap<PackageId, Package>,
    /// Keys that approvals are signed with, those that were taken away among them.
    pub approver_keys: HashMap<ApproverKeyId, ApproverKey>,
    /// The policy set in force.
    pub policy: PolicyVersion,
    /// Where names lead.
    pub names: Names,
}

/// Where names lead in one snapshot, worked out at the first look-up.
///
/// INVARIANT: it says what the snapshot says. Whoever changes people, groups, resources or roles
/// changes a clone that was not looked into yet; a clone begins without an index (held by
/// `names_lead_where_a_search_does`).
#[derive(Debug, Default)]
pub struct Names(OnceLock<Index>);

impl Clone for Names {
    fn clone(&self) -> Self {
        Self::default()
    }
}

#[derive(Debug, Default)]
struct Index {
    people: HashMap<Name, PersonId>,
    groups: HashMap<Name, GroupId>,
    resources: HashMap<Name, ResourceId>,
    roles: HashMap<Name, HashMap<Name, RoleId>>,
    /// The groups each person is in.
    memberships: HashMap<PersonId, Vec<GroupId>>,
    /// Whose time ends when, of those who have not left, soonest first.
    stays: Vec<(Time, PersonId)>,
}

impl Index {
    fn of(world: &World) -> Self {
        let mut index = Self {
            people: world.people.values().map(|p| (p.name.clone(), p.id)).collect(),
            groups: world.groups.values().map(|g| (g.name.clone(), g.id)).collect(),
            resources: world.resources.values().map(|r| (r.name.clone(), r.id)).collect(),
            ..Self::default()
        };
        for role in world.roles.values() {
            index.roles.entry(role.kind.clone()).or_default().insert(role.name.clone(), role.id);
        }
        for group in world.groups.values() {
            for member in &group.members {
                index.memberships.entry(*member).or_default().push(group.id);
            }
        }
        let staying = world.people.values().filter(|p| p.stay.left.is_none());
        index.stays = staying.filter_map(|p| p.stay.until.map(|until| (until, p.id))).collect();
        index.stays.sort_unstable();
        index
    }
}

impl World {
    fn index(&self) -> &Index {
        self.names.0.get_or_init(|| Index::of(self))
    }

    /// A person by name.
    #[must_use]
    pub fn person(&self, name: &str) -> Option<&Person> {
        self.people.get(self.index().people.get(name)?)
    }

    /// A group by name.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(self.index().groups.get(name)?)
    }

    /// A directory by name, also one that was removed. There are few.
    #[must_use]
    pub fn directory(&self, name: &str) -> Option<&Directory> {
        self.directories.values().find(|one| one.name.as_str() == name)
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
        self.resources.get(self.index().resources.get(name)?)
    }

    /// A role by kind and name.
    #[must_use]
    pub fn role(&self, kind: &Name, name: &str) -> Option<&Role> {
        self.roles.get(self.index().roles.get(kind)?.get(name)?)
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
        package.items.contains(&item) && package.rule.means(person, &self.groups_of(person.id))
    }

    /// The groups a person is in, by name.
    #[must_use]
    pub fn groups_of(&self, person: PersonId) -> BTreeSet<&Name> {
        let groups = self.index().memberships.get(&person).into_iter().flatten();
        groups.filter_map(|id| self.groups.get(id)).map(|g| &g.name).collect()
    }

    /// The groups a person is in.
    pub fn groups_with(&self, person: PersonId) -> impl Iterator<Item = &Group> {
        let groups = self.index().memberships.get(&person).into_iter().flatten();
        groups.filter_map(|id| self.groups.get(id))
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
        self.index().stays.iter().take_while(move |(until, _)| *until <= now).map(|(_, id)| *id)
    }

    /// When the time of somebody who has not left is over next, after `now`.
    #[must_use]
    pub fn next_over(&self, now: Time) -> Option<Time> {
        self.index().stays.iter().map(|(until, _)| *until).find(|until| *until > now)
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
    /// those who answer for the holder or one of the excluded, or for whom these do.
    ///
    /// INVARIANT: nobody approves through somebody they sponsor (held by `nobody_approves_through_whom_they_sponsor`).
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
        let own = |id: PersonId| without.iter().chain([&holder]).any(|them| self.is_sponsored_between(id, *them));
        out.retain(|id| self.is_active(*id) && !without.contains(id));
        out.retain(|id| !own(*id));
        out
    }
}
