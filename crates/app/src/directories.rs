//! Directories that push people and groups: adding, changing and rotating the token of one; which of them is calling.
//! Removing one is `removal`'s.
//!
//! Owns: what of a directory's word counts here, and its tokens. What a push does is `pushed`'s.

mod pace;
mod removal;
mod rules;

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::directory::{Directory, DirectoryRules};
use wane_domain::id::DirectoryId;
use wane_domain::secret::SecretOnce;
use wane_domain::text::Name;
use wane_domain::time::{Span, Time};
use wane_domain::world::World;
use wane_failpoint::point;
use wane_keys::token::BearerKind;
use wane_policy::schema::Action;
use wane_store::{EntrySort, Put, Seen, Token, TokenOwner, Versioned, Write};

use crate::caller::Caller;
use crate::change::Change;
use crate::error::AppError;
use crate::{App, decide};

pub(crate) use pace::{Ends, Paces, Turn};
pub use removal::{Orphans, Removed};

/// How long a token lasts, if it is not rotated: an end must not fail because one ran out unseen.
const TOKEN_LIFE: Span = Span::from_hours(24 * 3650);
/// A token's last use is written down at most this often.
const USE_GRAIN: Span = Span::from_mins(1);
/// The longest time for which a former token goes on.
const LONGEST_OVERLAP: Span = Span::from_hours(24 * 30);
/// Directories of one deployment.
const MOST: usize = 64;

/// A directory that is calling.
#[derive(Clone, Debug)]
pub struct DirectoryCaller {
    /// Which.
    pub directory: DirectoryId,
    /// What it is called.
    pub name: Name,
    /// What is its people's name here, as a path.
    pub name_path: String,
}

/// A directory, as it is shown.
#[derive(Clone, Debug)]
pub struct DirectoryShown {
    /// The directory.
    pub directory: Directory,
    /// How many people it keeps.
    pub people: usize,
    /// How many groups it keeps.
    pub groups: usize,
    /// When it last called.
    pub seen: Option<Time>,
    /// When each of its tokens ends, oldest first.
    pub tokens: Vec<Time>,
    /// How many of its calls were refused since the start.
    pub refused: u64,
    /// The last that was: when, and why.
    pub last_refused: Option<(Time, String)>,
}

impl App {
    /// Adds a directory, or brings one back that was removed: then it keeps again what it made.
    ///
    /// # Errors
    /// When policy does not let the caller, the name is taken, or a rule cannot be used.
    pub async fn add_directory(
        &self,
        caller: &Caller,
        name: &Name,
        rules: &DirectoryRules,
    ) -> Result<(DirectoryShown, SecretOnce), AppError> {
        let (directory, token) = decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManageDirectory)?;
            let keeper = Directory::keeper(name).map_err(|_| AppError::invalid("name", "use a shorter name"))?;
            self.check_rules(&world, &keeper, rules)?;
            let now = self.now();
            let (directory, seen) = match world.directory(name.as_str()) {
                Some(one) if one.removed.is_none() => {
                    return Err(AppError::Taken(format!("there is a directory `{name}` already; choose another name")));
                }
                Some(one) => {
                    let back = Directory { rules: rules.clone(), removed: None, ..one.clone() };
                    (back, self.store.seen(&one.id.to_string()).await?)
                }
                None if world.directories.len() >= MOST => {
                    return Err(AppError::Taken(format!("there are {MOST} directories, which is the most")));
                }
                None => {
                    let (id, name, rules) = (self.ambient.id(), name.clone(), rules.clone());
                    (Directory { id, name, rules, since: now, removed: None }, Seen::Nothing)
                }
            };
            let mut change = self.change_at(Actor::Person(caller.person), &world, now);
            change.note("directory.added", Outcome::Done, Subjects::default(), json!({ "directory": directory }));
            change.write(Write::Directory(Put { value: directory.clone(), seen }));
            let token = self.directory_token(&mut change, directory.id);
            change.commit(point!("app.directory.add.commit")).await?;
            Ok((directory, token))
        })?;
        Ok((self.shown(directory).await?, token))
    }

    /// Changes what of a directory's word counts. For those whom it made it does so with its next word of each.
    ///
    /// # Errors
    /// When policy does not let the caller, there is no such directory, or a rule cannot be used.
    pub async fn change_directory(
        &self,
        caller: &Caller,
        name: &str,
        rules: &DirectoryRules,
    ) -> Result<DirectoryShown, AppError> {
        let directory = decide!(async {
            let (world, before) = self.managed(caller, name).await?;
            self.check_rules(&world, &keeper(&before)?, rules)?;
            if before.rules.name != rules.name {
                return Err(AppError::invalid(
                    "rules.name",
                    "which attribute is the name stays as it is: the people have their names; add another directory",
                ));
            }
            let directory = Directory { rules: rules.clone(), ..before };
            let seen = self.store.seen(&directory.id.to_string()).await?;
            let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
            change.note("directory.changed", Outcome::Done, Subjects::default(), json!({ "directory": directory }));
            change.write(Write::Directory(Put { value: directory.clone(), seen }));
            change.commit(point!("app.directory.change.commit")).await?;
            Ok(directory)
        })?;
        self.shown(directory).await
    }

    /// Makes a directory another token. The newest of those before goes on for `overlap`, all others end now.
    ///
    /// # Errors
    /// When policy does not let the caller, or there is no such directory.
    pub async fn rotate_directory(
        &self,
        caller: &Caller,
        name: &str,
        overlap: Span,
    ) -> Result<(DirectoryShown, SecretOnce), AppError> {
        if overlap > LONGEST_OVERLAP {
            return Err(AppError::invalid("overlap", format!("at most {LONGEST_OVERLAP}")));
        }
        let (directory, token) = decide!(async {
            let (world, directory) = self.managed(caller, name).await?;
            let now = self.now();
            let mut former = self.store.tokens_of_directory(directory.id).await?;
            let newest = former.pop();
            let mut change = self.change_at(Actor::Person(caller.person), &world, now);
            let detail = json!({ "directory": directory.name, "overlap": overlap });
            change.note("directory.rotated", Outcome::Done, Subjects::default(), detail);
            for token in &former {
                change.write(Write::RemoveToken(token.value.id));
            }
            match newest {
                Some(token) if overlap > Span::from_secs(0) => {
                    let expires = token.value.expires.min(now.plus(overlap));
                    change.write(Write::Token(Put::over(&token, Token { expires, ..token.value.clone() })));
                }
                Some(token) => drop(change.write(Write::RemoveToken(token.value.id))),
                None => {}
            }
            let token = self.directory_token(&mut change, directory.id);
            change.commit(point!("app.directory.rotate.commit")).await?;
            Ok((directory, token))
        })?;
        Ok((self.shown(directory).await?, token))
    }

    /// The directories there are, by name.
    ///
    /// # Errors
    /// When policy does not let the caller.
    pub async fn directories(&self, caller: &Caller) -> Result<Vec<DirectoryShown>, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ManageDirectory)?;
        let mut there: Vec<_> = world.directories.values().filter(|one| one.removed.is_none()).cloned().collect();
        there.sort_by(|a, b| a.name.cmp(&b.name));
        let mut shown = Vec::new();
        for one in there {
            shown.push(self.shown(one).await?);
        }
        Ok(shown)
    }

    /// One directory.
    ///
    /// # Errors
    /// When policy does not let the caller, or there is none of that name.
    pub async fn directory(&self, caller: &Caller, name: &str) -> Result<DirectoryShown, AppError> {
        let (_, directory) = self.managed(caller, name).await?;
        self.shown(directory).await
    }

    /// Which directory a bearer token stands for.
    ///
    /// # Errors
    /// When it is no directory's token that holds; never says why.
    pub async fn authenticate_directory(&self, text: &str) -> Result<DirectoryCaller, AppError> {
        let token = self.token(BearerKind::Directory, text).await?;
        let TokenOwner::Directory(id) = token.value.owner else { return Err(AppError::SignedOut) };
        let world = self.world().await?;
        let directory = there(&world, id)?;
        self.note_use(&token, directory).await?;
        self.paces.heard(id, self.now());
        let (name, name_path) = (directory.name.clone(), directory.rules.name.clone());
        Ok(DirectoryCaller { directory: id, name, name_path })
    }

    async fn note_use(&self, token: &Versioned<Token>, directory: &Directory) -> Result<(), AppError> {
        let now = self.now();
        if now.since(token.value.used) < USE_GRAIN || self.is_storeless() {
            return Ok(());
        }
        let mut change = self.change(Actor::Directory(directory.id), now);
        let detail = json!({ "directory": directory.name, "token": token.value.id });
        change.note("directory.used", Outcome::Done, Subjects::default(), detail);
        change.write(Write::Token(Put::over(token, Token { used: now, ..token.value.clone() })));
        match self.in_time(change.commit(point!("app.directory.used.commit"))).await {
            // That it was used is a courtesy; another call may have written it first.
            Ok(_) | Err(AppError::Store(_) | AppError::Contended) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Counts a call that was refused, for whoever looks at the directory.
    pub fn note_refused_push(&self, by: &DirectoryCaller, why: &str) {
        self.paces.refused(by.directory, why, self.now());
    }

    async fn managed(&self, caller: &Caller, name: &str) -> Result<(std::sync::Arc<World>, Directory), AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ManageDirectory)?;
        let found = world.directory(name).filter(|one| one.removed.is_none()).cloned();
        found.map(|one| (world, one)).ok_or_else(|| AppError::missing("directory", name))
    }

    fn directory_token(&self, change: &mut Change<'_>, directory: DirectoryId) -> SecretOnce {
        self.mint_in(change, BearerKind::Directory, TokenOwner::Directory(directory), TOKEN_LIFE).0
    }

    async fn shown(&self, directory: Directory) -> Result<DirectoryShown, AppError> {
        let now = self.now();
        let tokens = self.store.tokens_of_directory(directory.id).await?;
        let written = tokens.iter().filter(|one| one.value.used > one.value.at).map(|one| one.value.used).max();
        let heard = self.paces.known(directory.id);
        Ok(DirectoryShown {
            people: self.store.count_entries(directory.id, EntrySort::Person).await?,
            groups: self.store.count_entries(directory.id, EntrySort::Group).await?,
            seen: written.max(heard.seen),
            tokens: tokens.iter().map(|one| one.value.expires).filter(|expires| *expires > now).collect(),
            refused: heard.refused,
            last_refused: heard.last_refused,
            directory,
        })
    }
}

/// A directory that is there.
pub(crate) fn there(world: &World, id: DirectoryId) -> Result<&Directory, AppError> {
    world.directories.get(&id).filter(|one| one.removed.is_none()).ok_or(AppError::SignedOut)
}

/// What it is called as a keeper.
pub(crate) fn keeper(directory: &Directory) -> Result<Name, AppError> {
    Directory::keeper(&directory.name).map_err(|e| AppError::Fault(e.to_string()))
}
