//! People whom a directory pushes: entered, changed, disabled, gone.

use serde_json::{Value, json};
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::directory::{Directory, Person, Standing};
use wane_domain::id::PersonId;
use wane_failpoint::point;
use wane_scim::resource::Sent;
use wane_scim::schema::ResourceKind;
use wane_scim::{Kind, Refused};
use wane_store::{EnteredBy, Entry, EntryId, Put, Seen, Versioned, Way, WayIn, Write, identity_key};

use super::words::{described, name_of, whole};
use super::{IfMatch, Pushed, Reading, Sending, sent_of, standing, version, written_version};
use crate::change::Change;
use crate::directories::{DirectoryCaller, Ends, keeper};
use crate::error::AppError;
use crate::ways_in::{MOST_WAYS, came_by};
use crate::{App, decide};

impl App {
    /// Enters somebody.
    ///
    /// # Errors
    /// When what was sent is unusable, or the name is somebody's.
    pub async fn push_person(&self, by: &DirectoryCaller, body: Value) -> Result<Pushed, AppError> {
        let mut sent = wane_scim::resource::read(ResourceKind::User, body)?;
        // What a directory does not say of somebody new is so.
        sent.doc.entry("active").or_insert(Value::Bool(true));
        let _turn = self.push_turn(by, Ends::No).await?;
        let pushed = decide!(self.enter_pushed(by, &sent))?;
        self.nudge();
        Ok(pushed)
    }

    async fn enter_pushed(&self, by: &DirectoryCaller, sent: &Sent) -> Result<Pushed, AppError> {
        let (world, directory) = standing(self, by).await?;
        let (keeper, now, said) = (keeper(&directory)?, self.now(), whole(sent));
        let name = name_of(&directory, &said)?;
        if world.person(name.as_str()).is_some() {
            let why = format!(
                "there is or was a `{name}` here; a name is never used for a second person, and nobody is joined to somebody by what they are called"
            );
            return Err(AppError::Scim(Refused::new(Kind::Uniqueness, why)));
        }
        let id: PersonId = self.ambient.id();
        let active = says_active(sent).unwrap_or(true);
        let person = Person {
            id,
            display: name.as_str().parse().map_err(|e| AppError::invalid("name", e))?,
            name,
            manager: None,
            attributes: std::collections::BTreeMap::new(),
            standing: if active { Standing::Active } else { Standing::Disabled },
            since: now,
            stay: wane_domain::directory::Stay::default(),
            kept_by: Some(keeper.clone()),
        };
        let person = described(&world, &directory, &keeper, &said, &person)?;
        let entry = Entry {
            id: EntryId::Person(id),
            directory: directory.id,
            key: key_of(sent),
            external: sent.external.clone(),
            active,
            held: false,
            made: now,
            changed: now,
            doc: Value::Object(sent.doc.clone()),
        };
        self.is_free(&directory, &entry).await?;
        let mut change = self.change_at(Actor::Directory(directory.id), &world, now);
        let detail = json!({ "person": person, "directory": directory.name });
        change.note("person.entered", Outcome::Done, about(id), detail);
        change.write(Write::Person(Put::new(person)));
        change.write(Write::Entry(Put::new(entry.clone())));
        self.link_pushed(&mut change, &directory, id, &said).await?;
        change.commit(point!("app.pushed.person_new.commit")).await?;
        self.pushed(&world, &directory, &entry, written_version(1))
    }

    /// Changes somebody. If that is refused and would have ended what they hold, it is ended all the same.
    ///
    /// # Errors
    /// When there is nobody of that id, they are not at the version that was named, or what was sent is unusable.
    pub async fn change_pushed_person(
        &self,
        by: &DirectoryCaller,
        id: &str,
        matching: &IfMatch,
        sending: Sending,
    ) -> Result<Pushed, AppError> {
        let ends = if wane_scim::patch::ends(sending.body()) { Ends::Yes } else { Ends::No };
        let _turn = self.push_turn(by, ends).await?;
        let changed = match sending.read(ResourceKind::User) {
            Ok(reading) => decide!(self.change_pushed(by, id, matching, &reading)),
            Err(refused) => Err(refused.into()),
        };
        match changed {
            Err(AppError::Scim(refused))
                if ends == Ends::Yes && !matches!(refused.kind, Kind::Missing | Kind::Stale) =>
            {
                decide!(self.only_end(by, id, matching))?;
                self.nudge();
                let detail = format!("{}; that they are not active any more was taken all the same", refused.detail);
                Err(AppError::Scim(Refused { detail, ..refused }))
            }
            Ok(pushed) => {
                self.nudge();
                Ok(pushed)
            }
            Err(error) => Err(error),
        }
    }

    async fn change_pushed(
        &self,
        by: &DirectoryCaller,
        id: &str,
        matching: &IfMatch,
        reading: &Reading,
    ) -> Result<Pushed, AppError> {
        let (world, directory) = standing(self, by).await?;
        let (seen, person) = self.kept_person(&world, by, id, matching).await?;
        let mut sent = reading.of(ResourceKind::User, sent_of(&world, &seen.value))?;
        let active = says_active(&sent).unwrap_or(seen.value.active);
        if let Reading::Whole(_) = reading {
            // Whoever says all and nothing of this means what was so.
            sent.doc.entry("active").or_insert(Value::Bool(active));
        }
        self.write_pushed(by, (&world, &directory), (&seen, &person), (&sent, active)).await
    }

    /// Somebody is not active any more, and that alone.
    async fn only_end(&self, by: &DirectoryCaller, id: &str, matching: &IfMatch) -> Result<(), AppError> {
        let (world, directory) = standing(self, by).await?;
        let (seen, person) = self.kept_person(&world, by, id, matching).await?;
        let mut doc = seen.value.doc.clone();
        if let Some(doc) = doc.as_object_mut() {
            doc.insert("active".to_owned(), Value::Bool(false));
        }
        let entry = Entry { active: false, doc, changed: self.now(), ..seen.value.clone() };
        let after = Person { standing: Standing::Disabled, ..person.clone() };
        let mut change = self.change_at(Actor::Directory(directory.id), &world, self.now());
        let detail = json!({ "person": after, "directory": directory.name });
        change.note("person.changed", Outcome::Done, about(person.id), detail);
        self.put_person(&mut change, &world, &after).await?;
        change.write(Write::Entry(Put::over(&seen, entry)));
        change.commit(point!("app.pushed.person_ended.commit")).await.map(|_| ())
    }

    async fn write_pushed(
        &self,
        by: &DirectoryCaller,
        (world, directory): (&wane_domain::world::World, &Directory),
        (seen, person): (&Versioned<Entry>, &Person),
        (sent, active): (&Sent, bool),
    ) -> Result<Pushed, AppError> {
        let (keeper, now, said) = (keeper(directory)?, self.now(), whole(sent));
        let name = name_of(directory, &said)?;
        if name != person.name {
            let why = format!(
                "`{}` is what they are called here, `{}`, and a name stays with its person; leave it as it is",
                directory.rules.name, person.name
            );
            return Err(AppError::Scim(Refused::new(Kind::Mutability, why)));
        }
        let mut after = described(world, directory, &keeper, &said, person)?;
        after.standing = match active {
            false => Standing::Disabled,
            // Who was disabled by hand stays so until a hand enables them.
            true if seen.value.held => person.standing,
            // And so does who has left.
            true if person.stay.left.is_some() => person.standing,
            true => Standing::Active,
        };
        let entry = Entry {
            key: key_of(sent),
            external: sent.external.clone(),
            active,
            doc: Value::Object(sent.doc.clone()),
            ..seen.value.clone()
        };
        self.is_free(directory, &entry).await?;
        let mut change = self.change_at(Actor::Directory(by.directory), world, now);
        let linked = self.link_pushed(&mut change, directory, person.id, &said).await?;
        if after == *person && entry == seen.value && linked == Linked::AsItWas {
            return self.pushed(world, directory, &entry, version(seen));
        }
        let entry = Entry { changed: now, ..entry };
        let detail = json!({ "person": after, "directory": directory.name });
        change.note("person.changed", Outcome::Done, about(person.id), detail);
        if after != *person {
            change.write(Write::Person(Put { value: after.clone(), seen: self.seen(person.id).await? }));
        }
        change.write(Write::Entry(Put::over(seen, entry.clone())));
        if after.standing == Standing::Disabled {
            self.disable_in(&mut change, world, person).await?;
        }
        change.commit(point!("app.pushed.person.commit")).await?;
        self.pushed(world, directory, &entry, written_version(seen.generation.saturating_add(1)))
    }

    /// Somebody is gone: disabled, out of the directory's groups, and nobody keeps them any more. The person stays
    /// for whoever reads what was, and their name is never used again.
    ///
    /// # Errors
    /// When there is nobody of that id, or they are not at the version that was named.
    pub async fn remove_pushed_person(
        &self,
        by: &DirectoryCaller,
        id: &str,
        matching: &IfMatch,
    ) -> Result<(), AppError> {
        let _turn = self.push_turn(by, Ends::Yes).await?;
        decide!(async {
            let (world, directory) = standing(self, by).await?;
            let (keeper, now) = (keeper(&directory)?, self.now());
            let (seen, person) = self.kept_person(&world, by, id, matching).await?;
            let after = Person { standing: Standing::Disabled, kept_by: None, ..person.clone() };
            let mut change = self.change_at(Actor::Directory(directory.id), &world, now);
            let detail = json!({ "person": after, "directory": directory.name });
            change.note("person.left", Outcome::Done, about(person.id), detail);
            self.put_person(&mut change, &world, &after).await?;
            change.write(Write::RemoveEntry(seen.value.id, Seen::Generation(seen.generation)));
            for way in self.ways_of_directory(&directory, person.id).await? {
                self.unlink_pushed(&mut change, &directory, &way).await?;
            }
            for group in world.groups_with(person.id).filter(|group| group.kept_by.as_ref() == Some(&keeper)) {
                let mut without = group.clone();
                without.members.remove(&person.id);
                let detail = super::group::said(&directory, &without, &[], &[person.id]);
                change.note("group.changed", Outcome::Done, about(person.id), detail);
                change.write(Write::Group(Put { value: without, seen: self.seen(group.id).await? }));
                if let Some(entry) = self.store.entry(EntryId::Group(group.id)).await? {
                    change.write(Write::Entry(Put::over(&entry, Entry { changed: now, ..entry.value.clone() })));
                }
            }
            change.commit(point!("app.pushed.person_left.commit")).await.map(|_| ())
        })?;
        self.nudge();
        Ok(())
    }

    /// Somebody of the calling directory, and the entry that says so.
    async fn kept_person(
        &self,
        world: &wane_domain::world::World,
        by: &DirectoryCaller,
        id: &str,
        matching: &IfMatch,
    ) -> Result<(Versioned<Entry>, Person), AppError> {
        let seen = self.entry_of(by, ResourceKind::User, id, matching).await?;
        let EntryId::Person(id) = seen.value.id else { return Err(AppError::Contended) };
        let person = world.people.get(&id).cloned().ok_or(AppError::Contended)?;
        Ok((seen, person))
    }

    /// Says who somebody is where the directory's people sign in, and takes back what is not so any more.
    async fn link_pushed(
        &self,
        change: &mut Change<'_>,
        directory: &Directory,
        person: PersonId,
        said: &serde_json::Map<String, Value>,
    ) -> Result<Linked, AppError> {
        let before = self.ways_of_directory(directory, person).await?;
        let subject = match &directory.rules.sign_in {
            None => None,
            Some(sign_in) => {
                let Ok(one) = self.provider(sign_in.provider.as_str()) else {
                    tracing::warn!(directory = %directory.name, provider = %sign_in.provider, "the provider where a directory's people sign in is not in the settings; they stay who they were there");
                    return Ok(Linked::AsItWas);
                };
                let subject = wane_scim::path::text(ResourceKind::User, &sign_in.subject, said)?;
                subject.map(|subject| (sign_in.provider.clone(), one.provider.issuer().to_owned(), subject))
            }
        };
        let key = subject.as_ref().map(|(_, issuer, subject)| identity_key(issuer, subject));
        let mut linked = Linked::AsItWas;
        for way in before.iter().filter(|way| Some(&way.value.key) != key.as_ref()) {
            self.unlink_pushed(change, directory, way).await?;
            linked = Linked::Anew;
        }
        let (Some((provider, issuer, subject)), Some(key)) = (subject, key) else { return Ok(linked) };
        if before.iter().any(|way| way.value.key == key) {
            return Ok(linked);
        }
        let taken = |why: &str| AppError::Scim(Refused::new(Kind::Uniqueness, why));
        if self.store.way_in(&key).await?.is_some() {
            return Err(taken("who they are where they sign in is somebody here already"));
        }
        if self.store.ways_in(person).await?.len() >= MOST_WAYS {
            return Err(taken("they have the most ways to sign in that somebody can have"));
        }
        let way = WayIn {
            id: self.ambient.id(),
            key,
            person,
            name: provider.as_str().parse().map_err(|e| AppError::invalid("provider", e))?,
            at: change.at(),
            entered_by: EnteredBy::Directory(directory.id),
            used: None,
            what: Way::Identity { issuer: issuer.clone(), subject: subject.clone() },
        };
        let detail = json!({ "way": way.id, "issuer": issuer, "subject": subject, "directory": directory.name });
        change.note("identity.linked", Outcome::Done, about(person), detail);
        change.write(Write::WayIn(Put::new(way)));
        Ok(Linked::Anew)
    }

    async fn unlink_pushed(
        &self,
        change: &mut Change<'_>,
        directory: &Directory,
        way: &Versioned<WayIn>,
    ) -> Result<(), AppError> {
        let person = way.value.person;
        let detail = json!({ "way": way.value.id, "name": way.value.name, "directory": directory.name });
        change.note("identity.unlinked", Outcome::Done, about(person), detail);
        change.write(Write::RemoveWayIn(way.value.id));
        for token in self.store.tokens_of(person).await? {
            if came_by(&token, &way.value.what) {
                change.write(Write::RemoveToken(token.value.id));
            }
        }
        Ok(())
    }

    async fn ways_of_directory(
        &self,
        directory: &Directory,
        person: PersonId,
    ) -> Result<Vec<Versioned<WayIn>>, AppError> {
        let mut ways = self.store.ways_in(person).await?;
        ways.retain(|way| way.value.entered_by == EnteredBy::Directory(directory.id));
        Ok(ways)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Linked {
    AsItWas,
    Anew,
}

fn says_active(sent: &Sent) -> Option<bool> {
    sent.doc.get("active").and_then(Value::as_bool)
}

/// What somebody is looked up by within their directory.
fn key_of(sent: &Sent) -> String {
    sent.doc.get("userName").and_then(Value::as_str).unwrap_or_default().to_lowercase()
}

fn about(person: PersonId) -> Subjects {
    Subjects { person: Some(person), ..Subjects::default() }
}
