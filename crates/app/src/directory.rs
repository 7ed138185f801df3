//! People and groups.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::directory::{Group, Person, Standing, Stay};
use wane_domain::id::PersonId;
use wane_domain::text::{Line, Name};
use wane_domain::time::Time;
use wane_domain::world::World;
use wane_failpoint::point;
use wane_policy::schema::Action;
use wane_store::{Entry, EntryId, Put, Write};

use crate::caller::Caller;
use crate::change::Change;
use crate::error::AppError;
use crate::{App, decide};

/// A person to be entered.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// Login name.
    pub name: Name,
    /// The name people read.
    pub display: Line,
    /// Who manages them, by name.
    pub manager: Option<String>,
    /// Facts for policy.
    pub attributes: BTreeMap<Name, Line>,
    /// How long they are here, and who answers for them.
    pub stay: NewStay,
}

/// How long somebody is here, and who answers for them.
#[derive(Clone, Debug, Default)]
pub struct NewStay {
    /// When their time is over; none if that is not known.
    pub until: Option<Time>,
    /// Who answers for them, by name.
    pub sponsor: Option<String>,
}

/// What changes about a person; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct PersonChange {
    /// The name people read.
    pub display: Option<Line>,
    /// Who manages them, by name; `Some(None)` for nobody.
    pub manager: Option<Option<String>>,
    /// All attributes.
    pub attributes: Option<BTreeMap<Name, Line>>,
    /// Whether they may do anything.
    pub standing: Option<Standing>,
    /// When their time is over; `Some(None)` for never.
    pub until: Option<Option<Time>>,
    /// Who answers for them, by name; `Some(None)` for nobody.
    pub sponsor: Option<Option<String>>,
}

impl App {
    /// Enters a person.
    ///
    /// # Errors
    /// When policy does not let the caller, or the name is taken.
    pub async fn add_person(&self, caller: &Caller, new: &NewPerson) -> Result<Person, AppError> {
        decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManageDirectory)?;
            let now = self.now();
            let manager = match &new.manager {
                Some(name) => Some(world.person(name).ok_or_else(|| AppError::missing("person", name))?.id),
                None => None,
            };
            let id = self.ambient.id();
            let until = new.stay.until.map(|until| self.check_until(until)).transpose()?;
            let sponsor = new.stay.sponsor.as_ref().map(|name| self.check_sponsor(&world, id, name)).transpose()?;
            let person = Person {
                id,
                name: new.name.clone(),
                display: new.display.clone(),
                manager,
                attributes: new.attributes.clone(),
                standing: Standing::Active,
                since: now,
                stay: Stay { until, sponsor, left: None },
                kept_by: None,
            };
            let mut change = self.change_at(Actor::Person(caller.person), &world, now);
            change.note("person.entered", Outcome::Done, about(person.id), json!({ "person": person }));
            change.write(Write::Person(Put::new(person.clone())));
            change.commit(point!("app.person_add.commit")).await?;
            Ok(person)
        })
    }

    /// Changes a person. Disabling ends their sessions and what they hold in the same commit; a nearer end of their
    /// time brings the ends of what they hold forward with the next judgement of live grants.
    ///
    /// # Errors
    /// When policy does not let the caller, or there is no such person.
    pub async fn change_person(&self, caller: &Caller, name: &str, wanted: &PersonChange) -> Result<Person, AppError> {
        let person = decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManageDirectory)?;
            let now = self.now();
            let mut person = self.stored_person(&world, name).await?;
            let entry = self.check_kept(&world, &person, wanted).await?;
            if let Some(display) = &wanted.display {
                person.display = display.clone();
            }
            if let Some(manager) = &wanted.manager {
                person.manager = match manager {
                    Some(name) => Some(world.person(name).ok_or_else(|| AppError::missing("person", name))?.id),
                    None => None,
                };
                if person.manager == Some(person.id) {
                    return Err(AppError::invalid("manager", "nobody manages themselves"));
                }
            }
            if let Some(attributes) = &wanted.attributes {
                person.attributes = attributes.clone();
            }
            if let Some(until) = wanted.until {
                person.stay.until = until.map(|until| self.check_until(until)).transpose()?;
            }
            if matches!(wanted.sponsor, Some(None)) && world.is_workload(person.id) {
                return Err(AppError::invalid("sponsor", "somebody answers for every workload; name whom"));
            }
            if let Some(sponsor) = &wanted.sponsor {
                let named = sponsor.as_ref().map(|name| self.check_sponsor(&world, person.id, name));
                person.stay.sponsor = named.transpose()?;
            }
            if let Some(standing) = wanted.standing {
                person.standing = standing;
                if standing == Standing::Active {
                    if let Some(until) = person.stay.until.filter(|until| *until <= now) {
                        let why = format!("their time was over at {until}; say until when they are here now as well");
                        return Err(AppError::invalid("standing", why));
                    }
                    person.stay.left = None;
                }
            }
            if person.standing == Standing::Disabled {
                self.check_not_last(caller, &world, person.id)?;
            }
            let mut change = self.change_at(Actor::Person(caller.person), &world, now);
            change.note("person.changed", Outcome::Done, about(person.id), json!({ "person": person }));
            self.put_person(&mut change, &world, &person).await?;
            if let Some(entry) = entry {
                change.write(Write::Entry(entry));
            }
            change.commit(point!("app.person_change.commit")).await?;
            Ok(person)
        })?;
        self.nudge();
        Ok(person)
    }

    /// Writes a person as they are to be; of one who is disabled, with everything of theirs ended.
    pub(crate) async fn put_person(
        &self,
        change: &mut Change<'_>,
        world: &World,
        person: &Person,
    ) -> Result<(), AppError> {
        let seen = self.seen(person.id).await?;
        change.write(Write::Person(Put { value: person.clone(), seen }));
        if person.standing == Standing::Disabled {
            self.disable_in(change, world, person).await?;
        }
        Ok(())
    }

    /// Refuses what only somebody's directory says. To disable them a hand is enough, and then only a hand enables
    /// them again: what is to be written down for that.
    async fn check_kept(
        &self,
        world: &World,
        person: &Person,
        wanted: &PersonChange,
    ) -> Result<Option<Put<Entry>>, AppError> {
        let Some(directory) = world.keeper(person.kept_by.as_ref()) else { return Ok(None) };
        let theirs = |what: &str| {
            let (name, called) = (&directory.name, &person.name);
            Err(AppError::Taken(format!("the directory `{name}` says {what} of `{called}`; change it there")))
        };
        if wanted.display.is_some() || wanted.manager.is_some() {
            return theirs("the name people read and the manager");
        }
        if let Some(attributes) = &wanted.attributes {
            for mapped in directory.rules.attributes.keys() {
                if attributes.get(mapped) != person.attributes.get(mapped) {
                    return theirs(&format!("the attribute `{mapped}`"));
                }
            }
        }
        let Some(entry) = self.store.entry(EntryId::Person(person.id)).await? else { return Ok(None) };
        match wanted.standing {
            None => Ok(None),
            Some(Standing::Active) if !entry.value.active => theirs("that they are not active"),
            Some(standing) => {
                let held = standing == Standing::Disabled;
                Ok(Some(Put::over(&entry, Entry { held, ..entry.value.clone() })))
            }
        }
    }

    /// Makes a group.
    ///
    /// # Errors
    /// When policy does not let the caller, or the name is taken.
    pub async fn add_group(&self, caller: &Caller, name: &Name, description: &Line) -> Result<Group, AppError> {
        let group = decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManageDirectory)?;
            // Looked for in the world that the commit rests on: of two at once, one is told.
            if world.group(name.as_str()).is_some() {
                return Err(AppError::Taken(format!("there is a group `{name}` already; choose another name")));
            }
            let (id, description) = (self.ambient.id(), description.clone());
            let group = Group { id, name: name.clone(), description, members: BTreeSet::new(), kept_by: None };
            let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
            change.note("group.changed", Outcome::Done, Subjects::default(), json!({ "group": group }));
            change.write(Write::Group(Put::new(group.clone())));
            change.commit(point!("app.group_new.commit")).await?;
            Ok(group)
        })?;
        self.nudge();
        Ok(group)
    }

    /// Puts a person into a group, or takes them out.
    ///
    /// # Errors
    /// When policy does not let the caller, or either does not exist.
    pub async fn set_member(
        &self,
        caller: &Caller,
        group: &Name,
        person: &str,
        member: Membership,
    ) -> Result<Group, AppError> {
        let group = decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManageDirectory)?;
            let now = self.now();
            let mut group = world.group(group.as_str()).cloned().ok_or_else(|| AppError::missing("group", group))?;
            let seen = self.seen(group.id).await?;
            if let Some(directory) = world.keeper(group.kept_by.as_ref()) {
                let why =
                    format!("the directory `{}` says who is in `{}`; change it there", directory.name, group.name);
                return Err(AppError::Taken(why));
            }
            let keeps = |keeper: &&Name| self.is_provider(keeper) || self.pulled_directory(keeper.as_str()).is_some();
            if let Some(keeper) = group.kept_by.as_ref().filter(keeps) {
                let why = format!("the provider `{keeper}` says who is in `{}`; change it there", group.name);
                return Err(AppError::Taken(why));
            }
            let person = world.person(person).ok_or_else(|| AppError::missing("person", person))?.id;
            match member {
                Membership::In => group.members.insert(person),
                Membership::Out => group.members.remove(&person),
            };
            let mut change = self.change_at(Actor::Person(caller.person), &world, now);
            change.note("group.changed", Outcome::Done, about(person), json!({ "group": group }));
            change.write(Write::Group(Put { value: group.clone(), seen }));
            change.commit(point!("app.group.commit")).await?;
            Ok(group)
        })?;
        self.nudge();
        Ok(group)
    }
}

/// Whether somebody is to be in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// In it.
    In,
    /// Not in it.
    Out,
}

fn about(person: PersonId) -> Subjects {
    Subjects { person: Some(person), ..Subjects::default() }
}
