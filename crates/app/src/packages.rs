//! Access packages: what people get for who they are, asked for by nobody and judged as if they had asked.
//!
//! Owns: entering packages, and the pass that asks for what somebody is to have and has not. Whether what was given
//! out of one is kept is judged with every live grant (`rejudge`). Refuses to know: when the pass runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::catalogue::{Resource, Role};
use wane_domain::decision::{Decision, Permit, Why};
use wane_domain::directory::Person;
use wane_domain::grant::{Grant, GrantState};
use wane_domain::id::{PackageId, PersonId, RequestId};
use wane_domain::package::{Package, PackageItem, Rule};
use wane_domain::request::{AccessRequest, Ask, AskItem, ItemState, Opening, Start};
use wane_domain::text::{Line, Name};
use wane_domain::time::{Span, Time};
use wane_domain::world::{Epoch, World};
use wane_failpoint::point;
use wane_policy::schema::Action;
use wane_store::{GrantFilter, Put, RequestFilter, Slice, Write};

use crate::ask::MOST_DURATION;
use crate::caller::Caller;
use crate::change::about_request;
use crate::error::AppError;
use crate::judge::AskFacts;
use crate::{App, decide};

/// So long before the end of what is held it is asked for again, or a tenth of it if that is less.
const AHEAD: Span = Span::from_mins(10);
/// So long after somebody said no nobody is asked the same again.
const REST: Span = Span::from_hours(24);
/// Most items of one package.
const MOST_ITEMS: usize = 64;
/// Most packages.
const MOST_PACKAGES: usize = 1_000;
/// How far back the requests of a person are looked through for an answer.
const LOOKED_AT: u32 = 200;

/// A package to be entered.
#[derive(Clone, Debug)]
pub struct NewPackage {
    /// Unique name.
    pub name: Name,
    /// What it is for.
    pub description: Line,
    /// Roles on resources: role, resource.
    pub items: Vec<(String, String)>,
    /// Groups that one has to be in, all of them.
    pub groups: BTreeSet<Name>,
    /// Attributes that one has to have, all of them.
    pub attributes: BTreeMap<Name, Line>,
    /// The longest that one grant of it is asked for.
    pub at_most: Option<Span>,
}

impl App {
    /// Enters a package.
    ///
    /// # Errors
    /// When policy does not let the caller, the name is taken, or something in it is not there.
    pub async fn add_package(&self, caller: &Caller, new: &NewPackage) -> Result<Package, AppError> {
        let package = decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManageCatalogue)?;
            let package = self.packed(&world, new)?;
            let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
            change.note("package.entered", Outcome::Done, Subjects::default(), json!({ "package": package }));
            change.write(Write::Package(Put::new(package.clone())));
            change.commit(point!("app.package_add.commit")).await?;
            Ok(package)
        })?;
        self.nudge();
        Ok(package)
    }

    fn packed(&self, world: &World, new: &NewPackage) -> Result<Package, AppError> {
        if world.package(new.name.as_str()).is_some() {
            return Err(AppError::Taken(format!("there is a package `{}` already; choose another name", new.name)));
        }
        if world.packages.len() >= MOST_PACKAGES {
            return Err(AppError::Taken(format!("there are {MOST_PACKAGES} packages, which is the most")));
        }
        let rule = Rule { groups: new.groups.clone(), attributes: new.attributes.clone() };
        if rule.is_empty() {
            return Err(AppError::invalid("rule", "say whom it is for: a group, an attribute, or several"));
        }
        for group in &rule.groups {
            world.group(group.as_str()).ok_or_else(|| AppError::missing("group", group))?;
        }
        if new.items.is_empty() || new.items.len() > MOST_ITEMS {
            return Err(AppError::invalid("items", format!("put 1 to {MOST_ITEMS} roles on resources into it")));
        }
        if new.at_most.is_some_and(|most| most < Span::from_mins(1) || most > MOST_DURATION) {
            return Err(AppError::invalid("at_most", format!("write a minute to {MOST_DURATION}")));
        }
        let mut items = BTreeSet::new();
        for (role, resource) in &new.items {
            let found = world.resource(resource).ok_or_else(|| AppError::missing("resource", resource))?;
            let given = world.role(&found.kind, role).ok_or_else(|| AppError::missing("role", role))?;
            if !items.insert(PackageItem { resource: found.id, role: given.id }) {
                return Err(AppError::invalid("items", format!("`{role}` on `{resource}` is in it twice")));
            }
        }
        Ok(Package {
            id: self.ambient.id(),
            name: new.name.clone(),
            description: new.description.clone(),
            items,
            rule,
            at_most: new.at_most,
            since: self.now(),
        })
    }

    /// Takes a package out. What was granted out of it ends at once.
    ///
    /// # Errors
    /// When policy does not let the caller, or there is no such package.
    pub async fn remove_package(&self, caller: &Caller, name: &str) -> Result<(), AppError> {
        decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManageCatalogue)?;
            let package = world.package(name).ok_or_else(|| AppError::missing("package", name))?;
            let seen = self.store.seen(&package.id.to_string()).await?;
            let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
            change.note("package.removed", Outcome::Done, Subjects::default(), json!({ "package": package }));
            change.write(Write::RemovePackage(package.id, seen));
            change.commit(point!("app.package_remove.commit")).await.map(|_| ())
        })?;
        self.nudge();
        Ok(())
    }

    /// Asks for whatever somebody is to have out of a package and has not, or not for much longer. One that
    /// cannot be asked for keeps no other from it. Returns the epoch it looked at.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn give_packages(&self) -> Result<Epoch, AppError> {
        let world = self.world().await?;
        if world.packages.is_empty() {
            return Ok(world.epoch);
        }
        let mut held: HashMap<PersonId, Vec<Grant>> = HashMap::new();
        for grant in self.all_live_grants(GrantFilter::default()).await? {
            held.entry(grant.holder).or_default().push(grant);
        }
        let mut failed = None;
        for package in world.packages.values() {
            for person in world.people.values().filter(|person| world.is_active(person.id)) {
                if !package.rule.means(person, &world.groups_of(person.id)) {
                    continue;
                }
                let has = held.get(&person.id).map_or(&[][..], Vec::as_slice);
                for item in &package.items {
                    if !lasts(has, *item, self.now())
                        && let Err(error) = self.give(package.id, person.id, *item).await
                    {
                        tracing::warn!(package = %package.name, person = %person.name, %error, "what is in a package could not be asked for");
                        failed = Some(error);
                    }
                }
            }
        }
        match failed {
            Some(error @ AppError::Store(_)) => Err(error),
            Some(_) | None => Ok(world.epoch),
        }
    }

    /// Asks for one item, for somebody who is meant.
    async fn give(&self, package: PackageId, person: PersonId, item: PackageItem) -> Result<(), AppError> {
        decide!(async {
            let world = self.world().await?;
            let now = self.steady_now().await?;
            let (Some(package), Some(person)) = (world.packages.get(&package), world.people.get(&person)) else {
                return Ok(());
            };
            let parts = (world.resources.get(&item.resource), world.roles.get(&item.role));
            let (Some(resource), Some(role)) = parts else { return Ok(()) };
            let barred = world.lock_on(person.id, resource.id, role.id, None).is_some()
                || !world.is_active(person.id)
                || self.stays_not(&world, person, now).is_some();
            if barred || !world.is_packaged(package.id, person.id, item) {
                return Ok(());
            }
            // What is held is looked at once more: somebody else may have asked since.
            let filter = GrantFilter { holder: Some(person.id), resource: Some(resource.id), ..GrantFilter::default() };
            if lasts(&self.all_live_grants(filter).await?, item, now)
                || self.is_answered(package, person.id, item, now).await?
            {
                return Ok(());
            }
            let Some((permit, duration)) = self.longest(&world, package, person, resource, role, now)? else {
                return Ok(());
            };
            self.ask_out_of(&world, package, person, (resource, role), (permit, duration), now).await
        })
    }

    /// The longest that policy gives, if it gives anything; whoever has to approve is asked for that.
    fn longest(
        &self,
        world: &World,
        package: &Package,
        person: &Person,
        resource: &Resource,
        role: &Role,
        now: Time,
    ) -> Result<Option<(Permit, Span)>, AppError> {
        let mut duration = package.at_most.unwrap_or(MOST_DURATION);
        // Asked for too much, it says how much would do; asked for that, it says yes or another no.
        for _ in 0..2 {
            let facts = AskFacts::of_nobody(duration, now);
            match self.judge(world, person, resource, role, &facts)? {
                Decision::Permit(permit) => return Ok(Some((permit, duration))),
                Decision::Deny(denial) => {
                    let most = denial.reasons.iter().find_map(|why| match why {
                        Why::TooLong { most_micros } => Some(Span::from_micros(*most_micros)),
                        _ => None,
                    });
                    match most.filter(|most| *most > Span::ZERO && *most < duration) {
                        Some(most) => duration = most,
                        None => return Ok(None),
                    }
                }
            }
        }
        Ok(None)
    }

    async fn ask_out_of(
        &self,
        world: &World,
        package: &Package,
        person: &Person,
        (resource, role): (&Resource, &Role),
        (permit, duration): (Permit, Span),
        now: Time,
    ) -> Result<(), AppError> {
        let item = AskItem { resource: resource.id, role: role.id, role_digest: role.digest()?, task: None };
        let why = format!("package {}", package.name);
        let ask = Ask {
            org: self.org,
            requester: person.id,
            beneficiary: person.id,
            items: vec![item],
            start: Start::Now,
            duration,
            justification: Some(why.parse().map_err(|e: wane_domain::text::TextError| AppError::Fault(e.to_string()))?),
            ticket: None,
            parent: None,
            nonce: self.nonce(),
            arrival: None,
            package: Some(package.id),
            job: None,
        };
        let terms = permit.terms().clone();
        let at_once = terms.stages.is_empty();
        let lapses = now.plus(terms.approval_window);
        let path = permit.basis().path.clone().unwrap_or_default();
        let mut change = self.change_at(Actor::System, world, now);
        let opening = vec![Opening::Path { terms, path }];
        let (mut request, opened) = AccessRequest::open(self.ambient.id::<RequestId>(), ask, opening, now, lapses)?;
        change.fact(about_request(&request, None), opened);
        if at_once {
            let facts = AskFacts::of_nobody(duration, now);
            let Decision::Permit(begins) = self.judge(world, person, resource, role, &facts)? else { return Ok(()) };
            request = self.mint(&mut change, request, 0, permit, Some(begins), now)?;
        }
        change.write(Write::Request(Put::new(request)));
        change.commit(point!("app.package_give.commit")).await?;
        self.nudge();
        Ok(())
    }

    /// Whether the same was asked out of this package and waits, or somebody said no of late.
    async fn is_answered(
        &self,
        package: &Package,
        person: PersonId,
        item: PackageItem,
        now: Time,
    ) -> Result<bool, AppError> {
        let filter = RequestFilter { person: Some(person), waiting: None };
        let requests = self.store.requests(filter, Slice::first(LOOKED_AT)).await?;
        Ok(requests.items.iter().map(|seen| &seen.value).any(|request| {
            let same = request.ask.package == Some(package.id)
                && request.ask.items.iter().any(|i| i.resource == item.resource && i.role == item.role);
            same && request.items.iter().any(|i| match &i.state {
                ItemState::Waiting => true,
                ItemState::Denied { at, .. } | ItemState::Withdrawn { at } | ItemState::Lapsed { at } => {
                    at.plus(REST) > now
                }
                // Narrowed: the child is in the listing as well.
                ItemState::Approved { .. } | ItemState::Narrowed { .. } => false,
            })
        }))
    }

    /// Why what was asked out of a package is not to be had, or kept, any more.
    pub(crate) fn not_packaged(&self, world: &World, ask: &Ask) -> Option<String> {
        let package = ask.package?;
        let kept = ask.items.iter().all(|item| {
            world.is_packaged(package, ask.beneficiary, PackageItem { resource: item.resource, role: item.role })
        });
        if kept {
            return None;
        }
        Some(match world.packages.get(&package) {
            Some(package) => format!("package `{}` is not for them any more", package.name),
            None => "the package that it came from is gone".to_owned(),
        })
    }
}

/// Whether somebody has this and will have it for a while.
fn lasts(held: &[Grant], item: PackageItem, now: Time) -> bool {
    held.iter().filter(|g| g.item.task.is_none() && g.item.resource == item.resource && g.item.role == item.role).any(
        |grant| match &grant.state {
            GrantState::Scheduled => true,
            GrantState::Active { since, end } => {
                let ahead = AHEAD.min(Span::from_micros(end.since(*since).micros() / 10));
                now.plus(ahead) < *end
            }
            GrantState::Ending { .. } | GrantState::Closed { .. } => false,
        },
    )
}
