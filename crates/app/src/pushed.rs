//! What directories push: people and groups that are theirs, each push one commit, judged again at once.
//!
//! INVARIANT: a directory touches what it keeps, and nothing else: nobody it did not make, no group of others; and
//! nobody is joined to somebody who is here by what they are called (held by
//! `a_directory_touches_what_it_keeps_and_nothing_else`).
//!
//! INVARIANT: what a directory says of an end is done, though the rest of what it says is refused (held by
//! `an_end_is_done_though_the_rest_is_refused`).

mod group;
mod person;
mod reading;
mod words;

use serde_json::Value;
use wane_domain::directory::Directory;
use wane_domain::time::Time;
use wane_domain::world::World;
use wane_scim::resource::Sent;
use wane_scim::schema::ResourceKind;
use wane_scim::{Kind, Meta, Refused};
use wane_store::{Entry, EntryId, EntryKey, Versioned};

use crate::App;
use crate::directories::{DirectoryCaller, Ends, keeper, there};
use crate::error::AppError;

pub use reading::{Listed, Wanted};

/// A person or group of a directory, as the directory sees it.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// What it is.
    pub kind: ResourceKind,
    /// What was said of it.
    pub sent: Sent,
    /// What the server says of it.
    pub meta: Meta,
    /// Ids and names of the groups somebody is in.
    pub groups: Vec<(String, String)>,
}

/// How a resource is to become another.
#[derive(Clone, Debug)]
pub enum Sending {
    /// As a whole.
    Whole(Value),
    /// By operations.
    Patch(Value),
}

impl Sending {
    fn body(&self) -> &Value {
        let (Self::Whole(body) | Self::Patch(body)) = self;
        body
    }

    /// Read once, before anything is decided.
    fn read(self, kind: ResourceKind) -> Result<Reading, Refused> {
        match self {
            Self::Whole(body) => wane_scim::resource::read(kind, body).map(Reading::Whole),
            Self::Patch(body) => wane_scim::patch::read(kind, body).map(Reading::Patch),
        }
    }
}

/// What was read of it.
#[derive(Clone, Debug)]
enum Reading {
    Whole(Sent),
    Patch(Vec<wane_scim::patch::Operation>),
}

impl Reading {
    fn of(&self, kind: ResourceKind, before: Sent) -> Result<Sent, Refused> {
        match self {
            Self::Whole(sent) => Ok(sent.clone()),
            Self::Patch(operations) => {
                let mut sent = before;
                wane_scim::patch::apply(kind, &mut sent, operations.clone())?;
                Ok(sent)
            }
        }
    }
}

/// The versions of which one a resource must be at; none for any.
pub type IfMatch = Option<Vec<String>>;

impl App {
    /// Its turn, at its pace. An end does not wait for the pace.
    async fn push_turn(&self, by: &DirectoryCaller, ends: Ends) -> Result<crate::directories::Turn, AppError> {
        if ends == Ends::No {
            let now = self.now();
            self.paces.take(by.directory, now).map_err(|wait| AppError::Closed { until: now.plus(wait), wait })?;
        }
        self.paces.turn(by.directory, ends).await.ok_or(AppError::Crowded)
    }

    /// Whether a directory may call once more now.
    ///
    /// # Errors
    /// When it called too often.
    pub fn pace_of(&self, by: &DirectoryCaller) -> Result<(), AppError> {
        let now = self.now();
        self.paces.take(by.directory, now).map_err(|wait| AppError::Closed { until: now.plus(wait), wait })
    }

    /// An entry of the calling directory, at a version.
    async fn entry_of(
        &self,
        by: &DirectoryCaller,
        kind: ResourceKind,
        id: &str,
        matching: &IfMatch,
    ) -> Result<Versioned<Entry>, AppError> {
        let missing = || AppError::Scim(Refused::new(Kind::Missing, format!("there is no {} of that id", kind.name())));
        let id = match kind {
            ResourceKind::User => id.parse().map(EntryId::Person),
            ResourceKind::Group => id.parse().map(EntryId::Group),
        };
        let found = self.store.entry(id.map_err(|_| missing())?).await?;
        let entry = found.filter(|entry| entry.value.directory == by.directory).ok_or_else(missing)?;
        match matching {
            Some(versions) if !versions.contains(&version(&entry)) => Err(AppError::Scim(Refused::new(
                Kind::Stale,
                format!("it is at version {} now; read it again", version(&entry)),
            ))),
            Some(_) | None => Ok(entry),
        }
    }

    /// Refuses what another of the directory is called already.
    async fn is_free(&self, directory: &Directory, entry: &Entry) -> Result<(), AppError> {
        let mut keys = vec![(EntryKey::Named(entry.key.clone()), "name")];
        keys.extend(entry.external.clone().map(|external| (EntryKey::External(external), "`externalId`")));
        for (key, what) in keys {
            let taken = self.store.entry_by(directory.id, entry.id.sort(), key).await?;
            if let Some(taken) = taken.filter(|taken| taken.value.id != entry.id) {
                let why = format!("`{}` has that {what} already", taken.value.id);
                return Err(AppError::Scim(Refused::new(Kind::Uniqueness, why)));
            }
        }
        Ok(())
    }

    fn pushed(&self, world: &World, directory: &Directory, entry: &Entry, version: String) -> Result<Pushed, AppError> {
        let sent = sent_of(world, entry);
        let keeper = keeper(directory)?;
        let (kind, groups) = match entry.id {
            EntryId::Person(id) => {
                let groups = world.groups_with(id).filter(|group| group.kept_by.as_ref() == Some(&keeper));
                (ResourceKind::User, groups.map(|group| (group.id.to_string(), group.name.to_string())).collect())
            }
            EntryId::Group(_) => (ResourceKind::Group, Vec::new()),
        };
        let meta = Meta {
            id: entry.id.to_string(),
            created: written(entry.made),
            changed: written(entry.changed),
            version,
            base: self.scim_base(),
        };
        Ok(Pushed { kind, sent, meta, groups })
    }

    /// Where directories push to, without a slash at the end.
    #[must_use]
    pub fn scim_base(&self) -> String {
        format!("{}/scim/v2", self.public_url())
    }
}

/// What was said of an entry, members and all.
fn sent_of(world: &World, entry: &Entry) -> Sent {
    let members = match entry.id {
        EntryId::Person(_) => std::collections::BTreeSet::new(),
        EntryId::Group(id) => {
            world.groups.get(&id).into_iter().flat_map(|group| group.members.iter().map(ToString::to_string)).collect()
        }
    };
    let doc = entry.doc.as_object().cloned().unwrap_or_default();
    Sent { doc, external: entry.external.clone(), members }
}

/// A version as it is written in a header: weak, because two forms of one state are not the same bytes.
fn version(entry: &Versioned<Entry>) -> String {
    written_version(entry.generation)
}

fn written_version(generation: u64) -> String {
    format!("W/\"{generation}\"")
}

fn written(time: Time) -> String {
    jiff::Timestamp::from_microsecond(time.micros()).map(|at| at.to_string()).unwrap_or_default()
}

/// The world and the directory in it, which is there.
async fn standing(app: &App, by: &DirectoryCaller) -> Result<(std::sync::Arc<World>, Directory), AppError> {
    let world = app.world().await?;
    let directory = there(&world, by.directory)?.clone();
    Ok((world, directory))
}
