//! One pass: a directory is read, and what it says is kept here, step by step, each a commit of its own. A pass
//! that is cut off is taken up by the next.

use std::collections::BTreeSet;

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::directory::{Group, Person, Standing};
use wane_domain::id::PersonId;
use wane_domain::text::{Line, Name};
use wane_domain::time::Time;
use wane_failpoint::point;
use wane_store::{EnteredBy, Put, Way, WayIn, Write, identity_key};

use super::image::{Told, Word};
use super::plan::{self, Kept, Loss, Step};
use super::{PulledDirectory, issuer_of};
use crate::error::AppError;
use crate::{App, decide};

/// How much of what is not taken is kept to be shown.
const MOST_REFUSED: usize = 50;

impl App {
    /// Keeps what a directory says.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub(super) async fn take_word(
        &self,
        directory: &PulledDirectory,
        word: Word,
        now: Time,
        loss: &mut Loss,
    ) -> Result<(), AppError> {
        let rules = &directory.rules;
        let kept = self.kept_people(directory).await?;
        self.state_of(&rules.name, |state| state.silent = None);
        let world = self.world().await?;
        let lost = match plan::too_much(&world, rules, &kept, &word, *loss) {
            Ok(lost) => lost,
            Err(why) => return self.hold_back(directory, why).await,
        };
        let mut refused = word.refused.clone();
        for step in plan::people(&world, rules, &kept, &word, &mut refused) {
            match step {
                Step::Enter { name, entry } => {
                    if let Some(told) = word.people.get(&entry) {
                        decide!(self.enter_kept(directory, &name, &entry, told))?;
                    }
                }
                Step::Describe(person) => decide!(self.change_kept(directory, &person, None))?,
                Step::Disable(person, why) => decide!(self.change_kept(directory, &person, Some(why)))?,
            }
        }
        let kept = self.kept_people(directory).await?;
        let world = self.world().await?;
        for (group, members) in plan::groups(&world, rules, &kept, &word, &mut refused) {
            decide!(self.set_kept_group(directory, &group, &members))?;
        }
        *loss = lost;
        refused.truncate(MOST_REFUSED);
        self.state_of(&rules.name, |state| {
            state.kept = kept.values().map(|p| p.id).collect();
            state.read = Some(now);
            state.held_back = None;
            if state.refused != refused {
                tracing::warn!(directory = %rules.name, ?refused, "not all that a directory says was taken");
                state.refused = refused;
            }
        });
        self.nudge();
        Ok(())
    }

    /// The people a directory keeps: who has an identity there.
    pub(super) async fn kept_people(&self, directory: &PulledDirectory) -> Result<Kept, AppError> {
        let world = self.world().await?;
        let mut kept = Kept::new();
        for way in self.store.identities_at(&issuer_of(&directory.rules.name)).await? {
            if let (Way::Identity { subject, .. }, Some(person)) = (way.what, world.people.get(&way.person)) {
                kept.insert(subject, person.clone());
            }
        }
        Ok(kept)
    }

    /// Says once that what a directory says is held back. It stays as stale as it was.
    async fn hold_back(&self, directory: &PulledDirectory, why: String) -> Result<(), AppError> {
        let name = &directory.rules.name;
        let mut is_new = false;
        self.state_of(name, |state| is_new = state.held_back.replace(why.clone()).as_ref() != Some(&why));
        if is_new {
            tracing::error!(directory = %name, %why, "what a directory says is held back; nothing changes");
            let mut change = self.change(Actor::System, self.now());
            let detail = json!({ "directory": name, "why": why });
            change.note("directory.held_back", Outcome::Denied, Subjects::default(), detail);
            change.commit(point!("app.pulled.held.commit")).await?;
        }
        Ok(())
    }

    async fn enter_kept(
        &self,
        directory: &PulledDirectory,
        name: &Name,
        entry: &str,
        told: &Told,
    ) -> Result<(), AppError> {
        let (world, now, rules) = (self.world().await?, self.now(), &directory.rules);
        // Looked for in the world that the commit rests on: somebody may have been entered since.
        if world.person(name.as_str()).is_some() {
            return Ok(());
        }
        let line = |text: &str| text.parse::<Line>().map_err(|e| AppError::Fault(e.to_string()));
        let bare = Person {
            id: self.ambient.id(),
            name: name.clone(),
            display: line(name.as_str())?,
            manager: None,
            attributes: std::collections::BTreeMap::new(),
            standing: Standing::Active,
            since: now,
            stay: wane_domain::directory::Stay::default(),
            kept_by: None,
        };
        let person = plan::described(rules, &bare, told);
        let issuer = issuer_of(&rules.name);
        let way = WayIn {
            id: self.ambient.id(),
            key: identity_key(&issuer, entry),
            person: person.id,
            name: line(rules.name.as_str())?,
            at: now,
            entered_by: EnteredBy::Settings,
            used: None,
            what: Way::Identity { issuer: issuer.clone(), subject: entry.to_owned() },
        };
        let mut change = self.change_at(Actor::System, &world, now);
        let detail = json!({ "person": person, "directory": rules.name });
        change.note("person.entered", Outcome::Done, about(person.id), detail);
        change.write(Write::Person(Put::new(person.clone())));
        let detail = json!({ "way": way.id, "issuer": issuer, "subject": entry, "directory": rules.name });
        change.note("identity.linked", Outcome::Done, about(person.id), detail);
        change.write(Write::WayIn(Put::new(way)));
        change.commit(point!("app.pulled.enter.commit")).await.map(|_| ())
    }

    /// Writes somebody as the directory has them; `gone` is why they may do nothing any more.
    async fn change_kept(
        &self,
        directory: &PulledDirectory,
        wanted: &Person,
        gone: Option<&str>,
    ) -> Result<(), AppError> {
        let (world, now, rules) = (self.world().await?, self.now(), &directory.rules);
        let Some(present) = world.people.get(&wanted.id) else { return Ok(()) };
        // Only what the directory has a say in; everything else as it is by now.
        let mut person = Person { display: wanted.display.clone(), ..present.clone() };
        for name in rules.attributes.keys() {
            match wanted.attributes.get(name) {
                Some(value) => drop(person.attributes.insert(name.clone(), value.clone())),
                None => drop(person.attributes.remove(name)),
            }
        }
        if gone.is_some() {
            person.standing = Standing::Disabled;
        }
        if person == *present {
            return Ok(());
        }
        let mut change = self.change_at(Actor::System, &world, now);
        let detail = json!({ "person": person, "directory": rules.name, "why": gone });
        change.note("person.changed", Outcome::Done, about(person.id), detail);
        self.put_person(&mut change, &world, &person).await?;
        change.commit(point!("app.pulled.change.commit")).await?;
        self.nudge();
        Ok(())
    }

    async fn set_kept_group(
        &self,
        directory: &PulledDirectory,
        name: &Name,
        members: &BTreeSet<PersonId>,
    ) -> Result<(), AppError> {
        let (world, now, keeper) = (self.world().await?, self.now(), &directory.rules.name);
        let (mut group, seen) = match world.group(name.as_str()) {
            Some(group) if group.kept_by.as_ref() == Some(keeper) => (group.clone(), self.seen(group.id).await?),
            // Somebody made one of that name since: it is theirs.
            Some(_) => return Ok(()),
            None => {
                let description = format!("kept by the directory {keeper}");
                let description = description.parse::<Line>().map_err(|e| AppError::Fault(e.to_string()))?;
                let (id, members) = (self.ambient.id(), BTreeSet::new());
                let kept_by = Some(keeper.clone());
                (Group { id, name: name.clone(), description, members, kept_by }, wane_store::Seen::Nothing)
            }
        };
        group.members.clone_from(members);
        let mut change = self.change_at(Actor::System, &world, now);
        let detail = json!({ "group": group, "directory": keeper });
        change.note("group.changed", Outcome::Done, Subjects::default(), detail);
        change.write(Write::Group(Put { value: group, seen }));
        change.commit(point!("app.pulled.group.commit")).await?;
        self.nudge();
        Ok(())
    }
}

fn about(person: PersonId) -> Subjects {
    Subjects { person: Some(person), ..Subjects::default() }
}
