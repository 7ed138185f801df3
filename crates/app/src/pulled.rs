//! Pulls that people and groups come from: which people they keep, what they say of them, and since when
//! they have said nothing.
//!
//! Owns: what of a directory's word counts, and that it counts as soon as it is heard. Refuses to know: how a
//! directory is spoken to (`wane-ldap`).
//!
//! INVARIANT: who somebody is in a directory follows from the id of their entry alone, which somebody entered
//! here or the settings had entered; never from a name. Whom a directory does not keep it does not touch (held
//! by `nobody_is_joined_by_name`).

mod image;
mod keep;
mod listen;
mod plan;
mod read;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use wane_domain::id::PersonId;
use wane_domain::secret::Secret;
use wane_domain::text::Name;
use wane_domain::time::{Span, Time};
use wane_ldap::Place;

use crate::App;
use crate::error::AppError;

pub use listen::Followed;

/// A directory with the rules of this deployment for it.
#[derive(Debug)]
pub struct PulledDirectory {
    /// The rules.
    pub rules: PullRules,
    /// Where it is.
    pub place: Place,
    /// What proves there who we are.
    pub credential: Secret,
}

/// What of a directory's word counts here.
#[derive(Clone, Debug)]
pub struct PullRules {
    /// What it is called in the log and as the keeper of groups.
    pub name: Name,
    /// Below which people are.
    pub people_base: String,
    /// Which entries there are people.
    pub people_filter: String,
    /// Which of them may do nothing, besides those it marks so itself.
    pub disabled_filter: Option<String>,
    /// The attribute that is a person's name here.
    pub name_attribute: String,
    /// The attribute that is the name people read.
    pub display_attribute: String,
    /// What becomes of people it has and we have not.
    pub newcomers: Newcomers,
    /// From our attributes to its own.
    pub attributes: BTreeMap<Name, String>,
    /// From its groups to ours.
    pub groups: BTreeMap<String, Name>,
    /// The attribute that lists members.
    pub member_attribute: String,
    /// Which share of its people or memberships may go at once, in percent.
    pub shrink_percent: u8,
    /// How long it may be silent before nothing new begins for its people.
    pub stale_after: Span,
}

/// What becomes of people that a directory has and we have not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newcomers {
    /// Nothing, until an administrator says who they are.
    Left,
    /// They are entered.
    Entered,
}

/// How changes in a directory are heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hears {
    /// It tells of each (RFC 4533).
    AtOnce,
    /// It is read at its interval: it does not offer to tell.
    AtIntervals,
}

/// How a directory stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullStatus {
    /// What it is called.
    pub name: Name,
    /// How many people it keeps.
    pub people: usize,
    /// When it was last read and what it said was taken.
    pub read: Option<Time>,
    /// How changes in it are heard of; none while it is not.
    pub hears: Option<Hears>,
    /// Why it could not be read, if that is so.
    pub silent: Option<String>,
    /// Why what it says is held back, if it is.
    pub held_back: Option<String>,
    /// What it says that was not taken, a few of it.
    pub refused: Vec<String>,
    /// Whether nothing new begins for its people.
    pub is_stale: bool,
}

/// What is known of one directory.
#[derive(Clone, Debug)]
struct State {
    begun: Time,
    read: Option<Time>,
    hears: Option<Hears>,
    silent: Option<String>,
    held_back: Option<String>,
    refused: Vec<String>,
    kept: BTreeSet<PersonId>,
}

/// The directories of this process.
#[derive(Debug, Default)]
pub(crate) struct Pulls {
    all: OnceLock<Vec<PulledDirectory>>,
    states: Mutex<HashMap<Name, State>>,
}

impl Pulls {
    fn states(&self) -> MutexGuard<'_, HashMap<Name, State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> &[PulledDirectory] {
        self.all.get().map_or(&[], Vec::as_slice)
    }
}

/// What stands in the place of an issuer for identities in a directory: no provider can be called so, because
/// an issuer is an `https` address.
fn issuer_of(name: &Name) -> String {
    format!("ldap:{name}")
}

impl State {
    fn is_stale(&self, rules: &PullRules, now: Time) -> bool {
        now.since(self.read.unwrap_or(self.begun)) > rules.stale_after
    }
}

impl App {
    /// People and groups come from these as well. Said once.
    pub fn keep_by(&self, directories: Vec<PulledDirectory>) {
        let now = self.now();
        {
            let mut states = self.pulled.states();
            for one in &directories {
                let state = State {
                    begun: now,
                    read: None,
                    hears: None,
                    silent: None,
                    held_back: None,
                    refused: Vec::new(),
                    kept: BTreeSet::new(),
                };
                states.insert(one.rules.name.clone(), state);
            }
        }
        // A second word changes nothing: what was said first stands.
        let _ = self.pulled.all.set(directories);
    }

    /// How each directory stands.
    #[must_use]
    pub fn directory_statuses(&self) -> Vec<PullStatus> {
        let (now, states) = (self.now(), self.pulled.states());
        let status = |one: &PulledDirectory| {
            let state = states.get(&one.rules.name)?;
            Some(PullStatus {
                name: one.rules.name.clone(),
                people: state.kept.len(),
                read: state.read,
                hears: state.hears,
                silent: state.silent.clone(),
                held_back: state.held_back.clone(),
                refused: state.refused.clone(),
                is_stale: state.is_stale(&one.rules, now),
            })
        };
        self.pulled.all().iter().filter_map(status).collect()
    }

    /// How many directories are silent or held back.
    #[must_use]
    pub fn directories_behind(&self) -> u64 {
        let behind = self.directory_statuses().into_iter().filter(|s| s.silent.is_some() || s.held_back.is_some());
        u64::try_from(behind.count()).unwrap_or(u64::MAX)
    }

    /// Refuses what would begin for somebody whose directory has been silent for too long. What ends does not
    /// ask.
    pub(crate) fn heard_of(&self, person: PersonId, now: Time) -> Result<(), AppError> {
        let states = self.pulled.states();
        for one in self.pulled.all() {
            let Some(state) = states.get(&one.rules.name) else { continue };
            if state.kept.contains(&person) && state.is_stale(&one.rules, now) {
                return Err(AppError::Unheard { directory: one.rules.name.to_string() });
            }
        }
        Ok(())
    }

    pub(crate) fn pulled_directory(&self, name: &str) -> Option<&PulledDirectory> {
        self.pulled.all().iter().find(|one| one.rules.name.as_str() == name)
    }

    /// The issuer that stands for identities in a directory of this name.
    pub(crate) fn directory_issuer(&self, name: &str) -> Option<String> {
        self.pulled_directory(name).map(|one| issuer_of(&one.rules.name))
    }

    /// What the directory is called that an issuer stands for.
    pub(crate) fn directory_named(&self, issuer: &str) -> Option<String> {
        let found = self.pulled.all().iter().find(|one| issuer_of(&one.rules.name) == issuer);
        found.map(|one| one.rules.name.to_string())
    }

    fn state_of(&self, name: &Name, change: impl FnOnce(&mut State)) {
        if let Some(state) = self.pulled.states().get_mut(name) {
            change(state);
        }
    }
}
