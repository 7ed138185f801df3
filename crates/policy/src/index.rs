//! Finds the policies whose scope can match a request, without asking the others.
//!
//! Cedar evaluates every policy of a set; with 10,000 that takes milliseconds. Most say in their
//! scope whom and what they are about, and a policy whose scope does not match neither applies nor
//! fails, because the scope is evaluated first.
//!
//! INVARIANT: the slice holds every policy whose scope matches
//! (held by `the_slice_and_the_whole_agree`).

use std::collections::{BTreeSet, HashMap};

use cedar_policy::{ActionConstraint, EntityTypeName, EntityUid, Policy, PrincipalConstraint, ResourceConstraint};

use crate::schema::Action;

/// Whom a policy's scope is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Whom {
    Anyone,
    Exactly(EntityUid),
    Within(EntityUid),
}

/// What a policy's scope is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum What {
    Anything,
    Typed(EntityTypeName),
    Exactly(EntityUid),
    Within(EntityUid),
}

/// A policy's scope.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) actions: BTreeSet<Action>,
    pub(crate) whom: Whom,
    pub(crate) what: What,
}

impl Scope {
    /// Reads a policy's scope. Where a constraint says two things, the broader key is kept: Cedar still checks both.
    pub(crate) fn of(policy: &Policy) -> Self {
        let named = |uid: &EntityUid| Action::named(uid.id().unescaped());
        let actions = match policy.action_constraint() {
            ActionConstraint::Any => Action::ALL.into_iter().collect(),
            ActionConstraint::Eq(uid) => named(&uid).into_iter().collect(),
            ActionConstraint::In(uids) => uids.iter().filter_map(named).collect(),
        };
        let whom = match policy.principal_constraint() {
            // People are the only principals.
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => Whom::Anyone,
            PrincipalConstraint::Eq(uid) => Whom::Exactly(uid),
            PrincipalConstraint::In(uid) | PrincipalConstraint::IsIn(_, uid) => Whom::Within(uid),
        };
        let what = match policy.resource_constraint() {
            ResourceConstraint::Any => What::Anything,
            ResourceConstraint::Is(name) => What::Typed(name),
            ResourceConstraint::Eq(uid) => What::Exactly(uid),
            ResourceConstraint::In(uid) | ResourceConstraint::IsIn(_, uid) => What::Within(uid),
        };
        Self { actions, whom, what }
    }
}

/// The keys under which policies about one request stand.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    whom: Vec<Whom>,
    what: Vec<What>,
}

impl Keys {
    /// The keys of a principal in groups and a resource under labels.
    pub(crate) fn new(principal: &EntityUid, groups: &[EntityUid], resource: &EntityUid, labels: &[EntityUid]) -> Self {
        // `in` holds between an entity and itself.
        let mut whom = vec![Whom::Anyone, Whom::Exactly(principal.clone()), Whom::Within(principal.clone())];
        whom.extend(groups.iter().cloned().map(Whom::Within));
        let mut what = vec![
            What::Anything,
            What::Typed(resource.type_name().clone()),
            What::Exactly(resource.clone()),
            What::Within(resource.clone()),
        ];
        what.extend(labels.iter().cloned().map(What::Within));
        Self { whom, what }
    }
}

type ByWhat = HashMap<What, Vec<usize>>;

/// Policies by action, whom and what; and by what alone, for what is told of other people's.
#[derive(Debug, Default)]
pub(crate) struct Index {
    buckets: HashMap<Action, HashMap<Whom, ByWhat>>,
    about: HashMap<Action, HashMap<What, Vec<(usize, Whom)>>>,
}

impl Index {
    pub(crate) fn insert(&mut self, at: usize, scope: &Scope) {
        for action in &scope.actions {
            let by_whom = self.buckets.entry(*action).or_default();
            by_whom.entry(scope.whom.clone()).or_default().entry(scope.what.clone()).or_default().push(at);
            let about = self.about.entry(*action).or_default();
            about.entry(scope.what.clone()).or_default().push((at, scope.whom.clone()));
        }
    }

    /// The policies whose scope matches, in the order of the text.
    pub(crate) fn slice(&self, action: Action, keys: &Keys) -> Vec<usize> {
        let Some(by_whom) = self.buckets.get(&action) else { return Vec::new() };
        let mut out = Vec::new();
        for by_what in keys.whom.iter().filter_map(|whom| by_whom.get(whom)) {
            collect(by_what, keys, &mut out);
        }
        out.sort_unstable();
        out
    }

    /// The policies about this resource whose scope is about other people, for explanations, in the order
    /// of the text. Found one after another: whoever wants twenty does not pay for ten thousand.
    pub(crate) fn for_others<'a>(&'a self, action: Action, keys: &'a Keys) -> impl Iterator<Item = usize> + 'a {
        let about = self.about.get(&action);
        let lists = keys.what.iter().filter_map(move |what| about?.get(what));
        let mut lists: Vec<_> = lists.map(|list| list.iter().peekable()).collect();
        std::iter::from_fn(move || {
            let next = lists.iter_mut().filter_map(|list| list.peek().map(|(at, _)| *at)).min()?;
            lists.iter_mut().find_map(|list| list.next_if(|(at, _)| *at == next))
        })
        .filter(|(_, whom)| !keys.whom.contains(whom))
        .map(|(at, _)| *at)
    }
}

fn collect(by_what: &ByWhat, keys: &Keys, out: &mut Vec<usize>) {
    for found in keys.what.iter().filter_map(|what| by_what.get(what)) {
        out.extend_from_slice(found);
    }
}
