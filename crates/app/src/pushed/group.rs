//! Groups that a directory pushes: made, renamed, filled, emptied.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::directory::{Directory, Group};
use wane_domain::id::PersonId;
use wane_domain::text::Name;
use wane_domain::world::World;
use wane_failpoint::point;
use wane_scim::resource::Sent;
use wane_scim::schema::ResourceKind;
use wane_scim::{Kind, Refused};
use wane_store::{Entry, EntryId, Put, Seen, Versioned, Write};

use super::words::{group_name, is_kept, wrong};
use super::{IfMatch, Pushed, Reading, Sending, sent_of, standing, version, written_version};
use crate::directories::{DirectoryCaller, Ends, keeper};
use crate::error::AppError;
use crate::{App, decide};

impl App {
    /// Makes a group; one that this directory had and deleted becomes it again.
    ///
    /// # Errors
    /// When what was sent is unusable, or the name is another group's.
    pub async fn push_group(&self, by: &DirectoryCaller, body: Value) -> Result<Pushed, AppError> {
        let sent = wane_scim::resource::read(ResourceKind::Group, body)?;
        let _turn = self.push_turn(by, Ends::No).await?;
        let pushed = decide!(self.make_pushed(by, &sent))?;
        self.nudge();
        Ok(pushed)
    }

    async fn make_pushed(&self, by: &DirectoryCaller, sent: &Sent) -> Result<Pushed, AppError> {
        let (world, directory) = standing(self, by).await?;
        let (keeper, now) = (keeper(&directory)?, self.now());
        let name = group_name(&directory, display(sent))?;
        let members = members(&world, &keeper, sent, &BTreeSet::new())?;
        let (group, seen) = match world.group(name.as_str()) {
            Some(there) => {
                let emptied = there.kept_by.as_ref() == Some(&keeper)
                    && self.store.entry(EntryId::Group(there.id)).await?.is_none();
                if !emptied {
                    return Err(taken(&name));
                }
                (Group { members, ..there.clone() }, self.seen(there.id).await?)
            }
            None => {
                let description = format!("kept by the directory {}", directory.name);
                let description = description.parse().map_err(|e| AppError::invalid("description", e))?;
                (Group { id: self.ambient.id(), name, description, members, kept_by: Some(keeper) }, Seen::Nothing)
            }
        };
        let entry = Entry {
            id: EntryId::Group(group.id),
            directory: directory.id,
            key: display(sent).to_owned(),
            external: sent.external.clone(),
            active: true,
            held: false,
            made: now,
            changed: now,
            doc: Value::Object(sent.doc.clone()),
        };
        self.is_free(&directory, &entry).await?;
        let mut change = self.change_at(Actor::Directory(directory.id), &world, now);
        let added: Vec<_> = group.members.iter().copied().collect();
        change.note("group.changed", Outcome::Done, Subjects::default(), said(&directory, &group, &added, &[]));
        change.write(Write::Group(Put { value: group, seen }));
        change.write(Write::Entry(Put::new(entry.clone())));
        change.commit(point!("app.pushed.group_new.commit")).await?;
        // As it is now: who is in it is the world's.
        let world = self.world().await?;
        self.pushed(&world, &directory, &entry, written_version(1))
    }

    /// Changes a group: its name, who is in it.
    ///
    /// # Errors
    /// When there is none of that id, it is not at the version that was named, or what was sent is unusable.
    pub async fn change_pushed_group(
        &self,
        by: &DirectoryCaller,
        id: &str,
        matching: &IfMatch,
        sending: Sending,
    ) -> Result<Pushed, AppError> {
        let _turn = self.push_turn(by, Ends::No).await?;
        let reading = sending.read(ResourceKind::Group)?;
        let pushed = decide!(self.change_kept_group(by, id, matching, &reading))?;
        self.nudge();
        Ok(pushed)
    }

    async fn change_kept_group(
        &self,
        by: &DirectoryCaller,
        id: &str,
        matching: &IfMatch,
        reading: &Reading,
    ) -> Result<Pushed, AppError> {
        let (world, directory) = standing(self, by).await?;
        let (keeper, now) = (keeper(&directory)?, self.now());
        let (seen, group) = self.kept_group(&world, by, id, matching).await?;
        let sent = reading.of(ResourceKind::Group, sent_of(&world, &seen.value))?;
        let mut after = group.clone();
        after.members = members(&world, &keeper, &sent, &group.members)?;
        after.name = group_name(&directory, display(&sent))?;
        if after.name != group.name && world.group(after.name.as_str()).is_some() {
            return Err(taken(&after.name));
        }
        let entry = Entry {
            key: display(&sent).to_owned(),
            external: sent.external.clone(),
            doc: Value::Object(sent.doc.clone()),
            ..seen.value.clone()
        };
        if after == group && entry == seen.value {
            return self.pushed(&world, &directory, &entry, version(&seen));
        }
        self.is_free(&directory, &entry).await?;
        let entry = Entry { changed: now, ..entry };
        let added: Vec<_> = after.members.difference(&group.members).copied().collect();
        let removed: Vec<_> = group.members.difference(&after.members).copied().collect();
        let mut change = self.change_at(Actor::Directory(directory.id), &world, now);
        change.note("group.changed", Outcome::Done, Subjects::default(), said(&directory, &after, &added, &removed));
        if after != group {
            change.write(Write::Group(Put { value: after, seen: self.seen(group.id).await? }));
        }
        change.write(Write::Entry(Put::over(&seen, entry.clone())));
        change.commit(point!("app.pushed.group.commit")).await?;
        let world = self.world().await?;
        self.pushed(&world, &directory, &entry, written_version(seen.generation.saturating_add(1)))
    }

    /// A group is gone: nobody is in it. Its name waits for this directory, and for nobody else.
    ///
    /// # Errors
    /// When there is none of that id, or it is not at the version that was named.
    pub async fn remove_pushed_group(
        &self,
        by: &DirectoryCaller,
        id: &str,
        matching: &IfMatch,
    ) -> Result<(), AppError> {
        let _turn = self.push_turn(by, Ends::Yes).await?;
        decide!(async {
            let (world, directory) = standing(self, by).await?;
            let (seen, group) = self.kept_group(&world, by, id, matching).await?;
            let removed: Vec<_> = group.members.iter().copied().collect();
            let emptied = Group { members: BTreeSet::new(), ..group };
            let mut change = self.change_at(Actor::Directory(directory.id), &world, self.now());
            let detail = said(&directory, &emptied, &[], &removed);
            change.note("group.left", Outcome::Done, Subjects::default(), detail);
            let value = emptied.clone();
            change.write(Write::Group(Put { value, seen: self.seen(emptied.id).await? }));
            change.write(Write::RemoveEntry(seen.value.id, Seen::Generation(seen.generation)));
            change.commit(point!("app.pushed.group_left.commit")).await.map(|_| ())
        })?;
        self.nudge();
        Ok(())
    }

    async fn kept_group(
        &self,
        world: &World,
        by: &DirectoryCaller,
        id: &str,
        matching: &IfMatch,
    ) -> Result<(Versioned<Entry>, Group), AppError> {
        let seen = self.entry_of(by, ResourceKind::Group, id, matching).await?;
        let EntryId::Group(id) = seen.value.id else { return Err(AppError::Contended) };
        let group = world.groups.get(&id).cloned().ok_or(AppError::Contended)?;
        Ok((seen, group))
    }
}

/// What a record says of a group: who came and who went, for one that is large.
pub(super) fn said(directory: &Directory, group: &Group, added: &[PersonId], removed: &[PersonId]) -> Value {
    json!({
        "group": { "id": group.id, "name": group.name },
        "added": added,
        "removed": removed,
        "directory": directory.name,
    })
}

/// Who is to be in it. Whoever is in it already is not looked at again.
fn members(
    world: &World,
    keeper: &Name,
    sent: &Sent,
    before: &BTreeSet<PersonId>,
) -> Result<BTreeSet<PersonId>, Refused> {
    let one = |id: &String| {
        let known = id.parse().ok().filter(|id| before.contains(id) || is_kept(world, keeper, *id));
        known.ok_or_else(|| {
            let shown: String = id.chars().filter(|c| !c.is_control()).take(64).collect();
            wrong(format!("`{shown}` is nobody of this directory; push the person first"))
        })
    };
    sent.members.iter().map(one).collect()
}

fn display(sent: &Sent) -> &str {
    sent.doc.get("displayName").and_then(Value::as_str).unwrap_or_default()
}

fn taken(name: &Name) -> AppError {
    let why = format!("there is a group `{name}` already, which stays whose it is");
    AppError::Scim(Refused::new(Kind::Uniqueness, why))
}
