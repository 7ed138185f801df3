//! What is to be done about a directory's word. Pure: people, groups and the word in, what changes out.
//!
//! INVARIANT: a directory never makes anybody active again, and never extends anything: it enters, describes,
//! disables, and says who is in its groups (held by `who_is_disabled_here_stays_so`).

use std::collections::{BTreeMap, BTreeSet};

use wane_domain::directory::{Group, Person, Standing};
use wane_domain::id::PersonId;
use wane_domain::text::{Line, Name};
use wane_domain::world::World;

use super::image::{Told, Word};
use super::{Newcomers, PullRules};

/// Fewer than this may always go: one or two who leave are no mistake.
const FEW: usize = 3;

/// A change that a directory brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Somebody is new: under which name, and which entry they are.
    Enter { name: Name, entry: String },
    /// Somebody is described otherwise.
    Describe(Person),
    /// Somebody may do nothing any more, and why.
    Disable(Person, &'static str),
}

/// The people a directory keeps, by the ids of their entries.
pub(super) type Kept = BTreeMap<String, Person>;

/// What changes about people; what the directory says that is not taken is added to `refused`.
pub(super) fn people(
    world: &World,
    rules: &PullRules,
    kept: &Kept,
    word: &Word,
    refused: &mut Vec<String>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for (entry, person) in kept {
        let gone = match word.people.get(entry) {
            None => Some("is not in the directory any more"),
            Some(told) if told.disabled => Some("is disabled in the directory"),
            Some(told) => {
                let described = described(rules, person, told);
                if described != *person {
                    steps.push(Step::Describe(described));
                }
                None
            }
        };
        if let Some(why) = gone
            && person.standing == Standing::Active
        {
            steps.push(Step::Disable(Person { standing: Standing::Disabled, ..person.clone() }, why));
        }
    }
    if rules.newcomers == Newcomers::Left {
        return steps;
    }
    let mut names = BTreeSet::new();
    for (entry, told) in word.people.iter().filter(|(entry, told)| !kept.contains_key(*entry) && !told.disabled) {
        let said = told.name.as_deref().unwrap_or_default();
        // As it stands: to change a letter of it could make it somebody else's.
        match said.parse::<Name>() {
            Err(_) => {
                let shown: String = said.chars().take(64).filter(|c| !c.is_control()).collect();
                refused.push(format!("{entry}: `{shown}` is no name that people have here: a-z, 0-9, `.`, `_` and `-`"));
            }
            Ok(name) if world.person(name.as_str()).is_some() || !names.insert(name.clone()) => refused.push(format!(
                "{entry}: there is a `{name}` here already, who may be somebody else; if it is them: `wane person identity add {name} --provider {} --subject {entry}`",
                rules.name
            )),
            Ok(name) => steps.push(Step::Enter { name, entry: entry.clone() }),
        }
    }
    steps
}

/// Somebody with what the directory says of them, and without what it no longer says.
pub(super) fn described(rules: &PullRules, person: &Person, told: &Told) -> Person {
    let mut described = person.clone();
    if let Some(display) = told.display.as_ref().and_then(|text| text.parse::<Line>().ok()) {
        described.display = display;
    }
    for name in rules.attributes.keys() {
        match told.attributes.get(name).and_then(|text| text.parse::<Line>().ok()) {
            Some(value) => drop(described.attributes.insert(name.clone(), value)),
            None => drop(described.attributes.remove(name)),
        }
    }
    described
}

/// The groups that change: as they are to be.
pub(super) fn groups(
    world: &World,
    rules: &PullRules,
    kept: &Kept,
    word: &Word,
    refused: &mut Vec<String>,
) -> Vec<(Name, BTreeSet<PersonId>)> {
    let mut changed = Vec::new();
    for (name, entries) in &word.groups {
        let said = |entry: &String| word.people.get(entry).is_some_and(|told| !told.disabled);
        let members: BTreeSet<PersonId> =
            entries.iter().filter(|entry| said(entry)).filter_map(|entry| Some(kept.get(entry)?.id)).collect();
        match world.group(name.as_str()) {
            Some(group) if group.kept_by.as_ref() != Some(&rules.name) => {
                refused.push(format!("group `{name}` is kept here or by somebody else, and stays as it is"));
            }
            Some(group) if group.members == members => {}
            None if members.is_empty() => {}
            Some(_) | None => changed.push((name.clone(), members)),
        }
    }
    changed
}

/// How much a directory has lost since its interval began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Loss {
    people: usize,
    memberships: usize,
}

/// How much a directory has lost with this word, and before it; or why the word is held back: it has lost so many
/// people or memberships that the directory, or how it is read, is more likely wrong than they are gone.
pub(super) fn too_much(
    world: &World,
    rules: &PullRules,
    kept: &Kept,
    word: &Word,
    before: Loss,
) -> Result<Loss, String> {
    let share = usize::from(rules.shrink_percent);
    let active: Vec<(&String, &Person)> = kept.iter().filter(|(_, p)| p.standing == Standing::Active).collect();
    let is_gone = |entry: &String| word.people.get(entry).is_none_or(|told| told.disabled);
    let gone = active.iter().filter(|(entry, _)| is_gone(entry)).count();
    // Those who went before count on both sides: many one by one are as many as many at once.
    let says = |now: usize, before: usize, of: usize, what: &str| {
        let (lost, of) = (now.saturating_add(before), of.saturating_add(before));
        let much = now > 0 && lost >= FEW && lost.saturating_mul(100) > of.saturating_mul(share);
        if much {
            Err(format!("{lost} of {of} {what} would go at once, and `shrink_percent` is {share}"))
        } else {
            Ok(lost)
        }
    };
    if word.people.is_empty() && !active.is_empty() {
        return Err(format!("it shows nobody at all, and kept {}", active.len()));
    }
    let people = says(gone, before.people, active.len(), "people")?;
    let ours = |group: &&Group| group.kept_by.as_ref() == Some(&rules.name);
    let by_id: BTreeMap<PersonId, &String> = kept.iter().map(|(entry, person)| (person.id, entry)).collect();
    let (mut lost, mut of) = (0usize, 0usize);
    for group in world.groups.values().filter(ours) {
        let Some(entries) = word.groups.get(&group.name) else { continue };
        of = of.saturating_add(group.members.len());
        // Who is gone altogether is counted above.
        let left = |id: &&PersonId| by_id.get(id).is_some_and(|entry| !entries.contains(*entry) && !is_gone(entry));
        lost = lost.saturating_add(group.members.iter().filter(left).count());
    }
    let memberships = says(lost, before.memberships, of, "memberships")?;
    Ok(Loss { people, memberships })
}
