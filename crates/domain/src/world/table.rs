//! Values of one sort in a snapshot, by id, with whatever else leads to them.
//!
//! Owns: that a copy shares what it does not change, so that the next snapshot costs what differs and not what there
//! is; that the index says what the values say. Refuses to know: what the values mean.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use imbl::{HashMap, OrdSet};

use crate::approval::ApproverKey;
use crate::catalogue::{Resource, Role};
use crate::delegation::Delegation;
use crate::directory::{Directory, Group, Person};
use crate::id::{
    ApproverKeyId, DelegationId, DirectoryId, GroupId, IssuerId, LockId, PackageId, PersonId, ResourceId, RoleId,
    WorkloadId,
};
use crate::lock::Lock;
use crate::package::Package;
use crate::text::Name;
use crate::time::Time;
use crate::workload::{Issuer, Workload};

/// What a table may hold.
pub trait Entry: Clone {
    /// What it is known by.
    type Id: Copy + Eq + Hash;
    /// What else leads to it; nothing where there are few.
    type Index: Clone + Default;

    /// What it is known by.
    fn id(&self) -> Self::Id;

    /// Moves the index along with a value that came, went or changed.
    fn follow(index: &mut Self::Index, before: Option<&Self>, after: Option<&Self>);
}

/// Values by id. A copy of it shares them all.
///
/// INVARIANT: the index says what the values say: both change here and nowhere else (held by
/// `names_lead_where_a_search_does`).
#[derive(Clone)]
pub struct Table<V: Entry> {
    all: HashMap<V::Id, Arc<V>>,
    index: V::Index,
}

impl<V: Entry> Default for Table<V> {
    fn default() -> Self {
        Self { all: HashMap::new(), index: V::Index::default() }
    }
}

impl<V: Entry> fmt::Debug for Table<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({})", self.all.len())
    }
}

impl<V: Entry + PartialEq> PartialEq for Table<V> {
    fn eq(&self, other: &Self) -> bool {
        self.all == other.all
    }
}

impl<V: Entry> FromIterator<V> for Table<V> {
    fn from_iter<I: IntoIterator<Item = V>>(values: I) -> Self {
        let mut table = Self::default();
        values.into_iter().for_each(|value| table.put(value));
        table
    }
}

impl<V: Entry> Table<V> {
    /// The one of an id.
    #[must_use]
    pub fn get(&self, id: &V::Id) -> Option<&V> {
        self.all.get(id).map(Arc::as_ref)
    }

    /// Whether there is one of an id.
    #[must_use]
    pub fn contains_key(&self, id: &V::Id) -> bool {
        self.all.contains_key(id)
    }

    /// Enters a value, in place of the one of its id if there is one.
    pub fn put(&mut self, value: V) {
        V::follow(&mut self.index, self.all.get(&value.id()).map(Arc::as_ref), Some(&value));
        self.all.insert(value.id(), Arc::new(value));
    }

    /// Takes the one of an id out.
    pub fn remove(&mut self, id: &V::Id) {
        if let Some(gone) = self.all.remove(id) {
            V::follow(&mut self.index, Some(&gone), None);
        }
    }

    /// Changes the one of an id, which stays its id.
    pub fn edit(&mut self, id: &V::Id, change: impl FnOnce(&mut V)) {
        if let Some(mut value) = self.get(id).cloned() {
            change(&mut value);
            self.put(value);
        }
    }

    /// All of them, in no order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.all.values().map(Arc::as_ref)
    }

    /// The ids of all, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &V::Id> {
        self.all.keys()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) const fn index(&self) -> &V::Index {
        &self.index
    }
}

/// What a name leads to.
#[derive(Clone, Debug)]
pub struct ByName<I>(HashMap<Name, I>);

impl<I> Default for ByName<I> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<I: Copy + Eq> ByName<I> {
    pub(super) fn get(&self, name: &str) -> Option<&I> {
        self.0.get(name)
    }

    fn follow(&mut self, before: Option<(&Name, I)>, after: Option<(&Name, I)>) {
        if before == after {
            return;
        }
        // Another may have come by the name meanwhile.
        if let Some((name, id)) = before
            && self.0.get(name) == Some(&id)
        {
            self.0.remove(name);
        }
        if let Some((name, id)) = after {
            self.0.insert(name.clone(), id);
        }
    }
}

/// What leads to people.
#[derive(Clone, Debug, Default)]
pub struct PeopleIndex {
    pub(super) names: ByName<PersonId>,
    /// Whose time ends when, of those who have not left, soonest first.
    pub(super) stays: OrdSet<(Time, PersonId)>,
}

impl Entry for Person {
    type Id = PersonId;
    type Index = PeopleIndex;

    fn id(&self) -> PersonId {
        self.id
    }

    fn follow(index: &mut PeopleIndex, before: Option<&Self>, after: Option<&Self>) {
        index.names.follow(before.map(|p| (&p.name, p.id)), after.map(|p| (&p.name, p.id)));
        let end = |of: Option<&Self>| of.filter(|p| p.stay.left.is_none()).and_then(|p| Some((p.stay.until?, p.id)));
        let (before, after) = (end(before), end(after));
        if before != after {
            before.map(|end| index.stays.remove(&end));
            after.map(|end| index.stays.insert(end));
        }
    }
}

/// What leads to groups.
#[derive(Clone, Debug, Default)]
pub struct GroupIndex {
    pub(super) names: ByName<GroupId>,
    of: HashMap<PersonId, Arc<[GroupId]>>,
}

impl GroupIndex {
    /// The groups somebody is in.
    pub(super) fn of(&self, person: PersonId) -> &[GroupId] {
        self.of.get(&person).map_or(&[], Arc::as_ref)
    }

    fn set(&mut self, person: PersonId, change: impl FnOnce(&mut Vec<GroupId>)) {
        let mut groups = self.of(person).to_vec();
        change(&mut groups);
        if groups.is_empty() {
            self.of.remove(&person)
        } else {
            self.of.insert(person, groups.into())
        };
    }
}

impl Entry for Group {
    type Id = GroupId;
    type Index = GroupIndex;

    fn id(&self) -> GroupId {
        self.id
    }

    fn follow(index: &mut GroupIndex, before: Option<&Self>, after: Option<&Self>) {
        index.names.follow(before.map(|g| (&g.name, g.id)), after.map(|g| (&g.name, g.id)));
        let nobody = BTreeSet::new();
        let Some(id) = after.or(before).map(|group| group.id) else { return };
        let was = before.map_or(&nobody, |group| &group.members);
        let is = after.map_or(&nobody, |group| &group.members);
        for left in was.difference(is) {
            index.set(*left, |groups| groups.retain(|group| *group != id));
        }
        for joined in is.difference(was) {
            index.set(*joined, |groups| groups.push(id));
        }
    }
}

impl Entry for Resource {
    type Id = ResourceId;
    type Index = ByName<ResourceId>;

    fn id(&self) -> ResourceId {
        self.id
    }

    fn follow(index: &mut ByName<ResourceId>, before: Option<&Self>, after: Option<&Self>) {
        index.follow(before.map(|r| (&r.name, r.id)), after.map(|r| (&r.name, r.id)));
    }
}

/// What leads to roles: a name within a kind.
#[derive(Clone, Debug, Default)]
pub struct RoleIndex(HashMap<Name, ByName<RoleId>>);

impl RoleIndex {
    pub(super) fn get(&self, kind: &Name, name: &str) -> Option<&RoleId> {
        self.0.get(kind)?.get(name)
    }
}

impl Entry for Role {
    type Id = RoleId;
    type Index = RoleIndex;

    fn id(&self) -> RoleId {
        self.id
    }

    fn follow(index: &mut RoleIndex, before: Option<&Self>, after: Option<&Self>) {
        if let Some(role) = before {
            index.0.entry(role.kind.clone()).or_default().follow(Some((&role.name, role.id)), None);
        }
        if let Some(role) = after {
            index.0.entry(role.kind.clone()).or_default().follow(None, Some((&role.name, role.id)));
        }
    }
}

/// What leads to workloads: whom one acts as, which never changes.
#[derive(Clone, Debug, Default)]
pub struct WorkloadIndex(HashMap<PersonId, WorkloadId>);

impl WorkloadIndex {
    pub(super) fn of(&self, person: PersonId) -> Option<&WorkloadId> {
        self.0.get(&person)
    }
}

impl Entry for Workload {
    type Id = WorkloadId;
    type Index = WorkloadIndex;

    fn id(&self) -> WorkloadId {
        self.id
    }

    fn follow(index: &mut WorkloadIndex, before: Option<&Self>, after: Option<&Self>) {
        if let Some(gone) = before {
            index.0.remove(&gone.person);
        }
        if let Some(there) = after {
            index.0.insert(there.person, there.id);
        }
    }
}

/// Those of which there are few are looked through.
macro_rules! few {
    ($($value:ty, $id:ty;)+) => {$(
        impl Entry for $value {
            type Id = $id;
            type Index = ();

            fn id(&self) -> $id {
                self.id
            }

            fn follow((): &mut (), _: Option<&Self>, _: Option<&Self>) {}
        }
    )+};
}

few! {
    Directory, DirectoryId;
    Lock, LockId;
    Package, PackageId;
    ApproverKey, ApproverKeyId;
    Delegation, DelegationId;
    Issuer, IssuerId;
}
