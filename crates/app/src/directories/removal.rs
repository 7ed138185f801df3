//! Removing a directory that pushes, and what becomes of the people it kept.
//!
//! INVARIANT: unless they are to be kept, nobody of a directory that is removed may do anything: it is removed only once
//! all of them are disabled (held by `the_people_of_a_directory_that_is_removed_may_do_nothing`).

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::directory::{Directory, Person, Standing};
use wane_domain::text::Name;
use wane_domain::world::World;
use wane_failpoint::point;
use wane_store::{Put, Write};

use super::keeper;
use crate::caller::Caller;
use crate::error::AppError;
use crate::{App, decide};

/// How many people are disabled in one commit, with everything of theirs ended.
const AT_ONCE: usize = 32;

/// What becomes of the people of a directory that is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orphans {
    /// They are disabled, and everything they hold ends.
    Disabled,
    /// They stay as they are, and are this deployment's to change.
    Kept,
}

impl Orphans {
    const fn word(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Kept => "kept",
        }
    }
}

/// What came of removing a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// How many people it kept.
    pub people: usize,
    /// How many of them were disabled now.
    pub disabled: usize,
}

impl App {
    /// Removes a directory: its tokens end first, so that nobody comes any more; then its people, if they are not to be
    /// kept; then it. If that is cut off, saying it again goes on with it.
    ///
    /// # Errors
    /// When policy does not let the caller, there is no such directory, or the caller is one whom it would disable.
    pub async fn remove_directory(&self, caller: &Caller, name: &str, orphans: Orphans) -> Result<Removed, AppError> {
        let (world, directory) = self.managed(caller, name).await?;
        let keeper = keeper(&directory)?;
        let is_its = world.people.get(&caller.person).is_some_and(|person| is_kept(person, &keeper));
        if orphans == Orphans::Disabled && is_its {
            return Err(AppError::Taken(format!(
                "`{name}` keeps you as well, so that you would be disabled; let somebody else remove it, or keep its people"
            )));
        }
        decide!(self.silence(caller, name))?;
        let mut disabled = 0usize;
        loop {
            if let Some(people) = decide!(self.say_removed(caller, name, &keeper, orphans))? {
                return Ok(Removed { people, disabled });
            }
            let some = decide!(self.disable_orphans(caller, name, &keeper))?;
            disabled = disabled.saturating_add(some);
            self.nudge();
        }
    }

    /// Ends its tokens.
    async fn silence(&self, caller: &Caller, name: &str) -> Result<(), AppError> {
        let (world, directory) = self.managed(caller, name).await?;
        let tokens = self.store.tokens_of_directory(directory.id).await?;
        if tokens.is_empty() {
            return Ok(());
        }
        let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
        change.note("directory.silenced", Outcome::Done, Subjects::default(), json!({ "directory": directory.name }));
        for token in tokens {
            change.write(Write::RemoveToken(token.value.id));
        }
        change.commit(point!("app.directory.silence.commit")).await.map(|_| ())
    }

    /// Disables some of its people; how many.
    async fn disable_orphans(&self, caller: &Caller, name: &str, keeper: &Name) -> Result<usize, AppError> {
        let (world, directory) = self.managed(caller, name).await?;
        let some: Vec<&Person> = active(&world, keeper).take(AT_ONCE).collect();
        if some.is_empty() {
            return Ok(0);
        }
        let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
        for person in &some {
            let after = Person { standing: Standing::Disabled, ..(*person).clone() };
            let detail = json!({ "person": after, "directory": directory.name, "why": "the directory is removed" });
            let about = Subjects { person: Some(after.id), ..Subjects::default() };
            change.note("person.changed", Outcome::Done, about, detail);
            self.put_person(&mut change, &world, &after).await?;
        }
        change.commit(point!("app.directory.orphans.commit")).await?;
        Ok(some.len())
    }

    /// Says that it is removed; how many people it kept. Nothing if there is somebody to be disabled still.
    async fn say_removed(
        &self,
        caller: &Caller,
        name: &str,
        keeper: &Name,
        orphans: Orphans,
    ) -> Result<Option<usize>, AppError> {
        let (world, directory) = self.managed(caller, name).await?;
        if orphans == Orphans::Disabled && active(&world, keeper).next().is_some() {
            return Ok(None);
        }
        let people = world.people.values().filter(|person| is_kept(person, keeper)).count();
        let (now, seen) = (self.now(), self.store.seen(&directory.id.to_string()).await?);
        let mut change = self.change_at(Actor::Person(caller.person), &world, now);
        let detail = json!({ "directory": directory.name, "people": orphans.word(), "of": people });
        change.note("directory.removed", Outcome::Done, Subjects::default(), detail);
        // One that was made in between as well.
        for token in self.store.tokens_of_directory(directory.id).await? {
            change.write(Write::RemoveToken(token.value.id));
        }
        let value = Directory { removed: Some(now), ..directory };
        change.write(Write::Directory(Put { value, seen }));
        change.commit(point!("app.directory.remove.commit")).await.map(|_| Some(people))
    }
}

fn is_kept(person: &Person, keeper: &Name) -> bool {
    person.kept_by.as_ref() == Some(keeper)
}

fn active<'w>(world: &'w World, keeper: &'w Name) -> impl Iterator<Item = &'w Person> {
    world.people.values().filter(move |person| is_kept(person, keeper) && person.standing == Standing::Active)
}
