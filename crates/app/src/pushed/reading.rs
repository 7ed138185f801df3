//! What a directory reads back: one of its people or groups, or those that a filter means. Nothing that is not its.

use wane_domain::directory::Directory;
use wane_domain::world::World;
use wane_scim::filter::{Exact, Filter};
use wane_scim::schema::ResourceKind;
use wane_scim::{Page, render};
use wane_store::{Entry, EntryId, EntryKey, EntrySort, Versioned};

use super::{Pushed, standing, version};
use crate::App;
use crate::directories::DirectoryCaller;
use crate::error::AppError;

/// How many entries are read at once.
const AT_ONCE: usize = 500;

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Of what kind.
    pub kind: ResourceKind,
    /// Those that this means; none for all.
    pub filter: Option<&'a Filter>,
    /// Which part of them.
    pub page: Page,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The part that was asked for.
    pub found: Vec<Pushed>,
    /// How many there are in all.
    pub total: usize,
}

impl App {
    /// One person or group of the calling directory.
    ///
    /// # Errors
    /// When there is none of that id.
    pub async fn pushed_one(&self, by: &DirectoryCaller, kind: ResourceKind, id: &str) -> Result<Pushed, AppError> {
        let (world, directory) = standing(self, by).await?;
        let entry = self.entry_of(by, kind, id, &None).await?;
        self.pushed(&world, &directory, &entry.value, version(&entry))
    }

    /// People or groups of the calling directory, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn pushed_list(&self, by: &DirectoryCaller, wanted: &Wanted<'_>) -> Result<Listed, AppError> {
        let (world, directory) = standing(self, by).await?;
        let shown = |entry: &Versioned<Entry>| self.pushed(&world, &directory, &entry.value, version(entry));
        let sort = match wanted.kind {
            ResourceKind::User => EntrySort::Person,
            ResourceKind::Group => EntrySort::Group,
        };
        let Page { skip, most } = wanted.page;
        let Some(filter) = wanted.filter else {
            let total = self.store.count_entries(directory.id, sort).await?;
            let entries = self.store.entries(directory.id, sort, skip, most).await?;
            let found = entries.iter().map(shown).collect::<Result<_, _>>()?;
            return Ok(Listed { found, total });
        };
        if let Some(exact) = filter.exact(wanted.kind) {
            let entry = self.exactly(&directory, sort, exact).await?;
            let found = entry.iter().map(shown).collect::<Result<Vec<_>, _>>()?;
            let (total, page) = (found.len(), found.into_iter().skip(skip).take(most));
            return Ok(Listed { found: page.collect(), total });
        }
        self.looked_through(&world, &directory, sort, wanted, filter).await
    }

    async fn exactly(
        &self,
        directory: &Directory,
        sort: EntrySort,
        exact: Exact,
    ) -> Result<Option<Versioned<Entry>>, AppError> {
        let key = match exact {
            Exact::Id(id) => {
                let id = match sort {
                    EntrySort::Person => id.parse().map(EntryId::Person),
                    EntrySort::Group => id.parse().map(EntryId::Group),
                };
                let Ok(id) = id else { return Ok(None) };
                let entry = self.store.entry(id).await?;
                return Ok(entry.filter(|entry| entry.value.directory == directory.id));
            }
            Exact::External(external) => EntryKey::External(external),
            Exact::Named(name) => EntryKey::Named(match sort {
                EntrySort::Person => name.to_lowercase(),
                EntrySort::Group => name,
            }),
        };
        Ok(self.store.entry_by(directory.id, sort, key).await?)
    }

    /// Every entry held against a filter, few of them in memory at a time.
    async fn looked_through(
        &self,
        world: &World,
        directory: &Directory,
        sort: EntrySort,
        wanted: &Wanted<'_>,
        filter: &Filter,
    ) -> Result<Listed, AppError> {
        let (mut listed, mut read) = (Listed { found: Vec::new(), total: 0 }, 0usize);
        loop {
            let some = self.store.entries(directory.id, sort, read, AT_ONCE).await?;
            read = read.saturating_add(some.len());
            for entry in &some {
                let one = self.pushed(world, directory, &entry.value, version(entry))?;
                if !filter.matches(wanted.kind, &render(wanted.kind, &one.sent, &one.meta, &one.groups)) {
                    continue;
                }
                if listed.total >= wanted.page.skip && listed.found.len() < wanted.page.most {
                    listed.found.push(one);
                }
                listed.total = listed.total.saturating_add(1);
            }
            if some.len() < AT_ONCE {
                return Ok(listed);
            }
            // Others have their turn between.
            tokio::task::yield_now().await;
        }
    }
}
