//! What happens where, as text. Owns the parser. Refuses to know how it is done.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::PlanError;

/// Which side of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    After,
}

/// What happens at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Kill,
    Delay(Duration),
    Hold(PathBuf),
}

/// At which hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    From(u64),
    Only(u64),
}

/// One line of a plan, and how often its place was hit since.
#[derive(Debug)]
struct Rule {
    place: String,
    action: Action,
    when: When,
    hits: AtomicU64,
}

/// What happens where.
#[derive(Debug, Default)]
pub(crate) struct Plan(Vec<Rule>);

impl Side {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// A name with its side, as in plans and traces.
pub(crate) fn place(name: &str, side: Option<Side>) -> String {
    side.map_or_else(|| name.to_owned(), |side| format!("{name}:{}", side.word()))
}

impl Plan {
    /// Counts the hit and says what is to happen, in order.
    pub(crate) fn hit(&self, place: &str) -> Vec<Action> {
        let here = self.0.iter().filter(|rule| rule.place == place);
        here.filter_map(|rule| {
            let hit = rule.hits.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            let due = match rule.when {
                When::From(first) => hit >= first,
                When::Only(one) => hit == one,
            };
            due.then(|| rule.action.clone())
        })
        .collect()
    }
}

impl FromStr for Plan {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let parts = text.split([';', '\n']).map(str::trim).filter(|part| !part.is_empty());
        parts.map(rule).collect::<Result<_, _>>().map(Self)
    }
}

fn rule(text: &str) -> Result<Rule, PlanError> {
    let shape = || PlanError::Shape(text.to_owned());
    let (place, action) = text.split_once('=').ok_or_else(shape)?;
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_');
    let name = place.strip_suffix(":before").or_else(|| place.strip_suffix(":after")).unwrap_or(place);
    if name.is_empty() || !name.chars().all(letters) {
        return Err(shape());
    }
    let (action, when) = self::action(action).ok_or_else(|| PlanError::Action(action.to_owned()))?;
    Ok(Rule { place: place.to_owned(), action, when, hits: AtomicU64::new(0) })
}

fn action(text: &str) -> Option<(Action, When)> {
    if let Some(file) = text.strip_prefix("hold:").filter(|file| !file.is_empty()) {
        return Some((Action::Hold(PathBuf::from(file)), When::From(1)));
    }
    let (what, when) = match text.split_once('@') {
        Some((what, when)) => (what, Some(when)),
        None => (text, None),
    };
    let number = |text: &str| text.parse::<u64>().ok().filter(|n| *n > 0);
    if what == "kill" {
        let when = when.map_or(Some(1), number)?;
        return Some((Action::Kill, When::Only(when)));
    }
    let wait = what.strip_prefix("delay:")?.parse().ok().map(Duration::from_millis)?;
    let when = when.map_or(Some(1), |when| number(when.strip_suffix("..")?))?;
    Some((Action::Delay(wait), When::From(when)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_read_strictly() {
        for (text, expected) in [
            ("", Ok(0)),
            (" a.b:before=kill ; a.b:after=delay:500\n", Ok(2)),
            ("a=kill@3;b=delay:1@2..;c:after=hold:/tmp/x", Ok(3)),
            ("a", Err("is no failpoint")),
            ("=kill", Err("is no failpoint")),
            ("A b=kill", Err("is no failpoint")),
            ("a:during=kill", Err("is no failpoint")),
            ("a=die", Err("is no action")),
            ("a=kill@0", Err("is no action")),
            ("a=kill@x", Err("is no action")),
            ("a=delay:5@2", Err("is no action")),
            ("a=delay:soon", Err("is no action")),
            ("a=hold:", Err("is no action")),
        ] {
            let read = text.parse::<Plan>().map(|plan| plan.0.len()).map_err(|e| e.to_string());
            match (read, expected) {
                (Ok(found), Ok(rules)) => assert_eq!(found, rules, "{text}"),
                (Err(found), Err(words)) => assert!(found.contains(words), "{text}: {found}"),
                (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn hits_are_counted_for_each_rule() {
        let plan: Plan = "a=kill@2;a=delay:1@2..;b=hold:/x".parse().unwrap();
        assert_eq!(plan.hit("a"), []);
        assert_eq!(plan.hit("a"), [Action::Kill, Action::Delay(Duration::from_millis(1))]);
        assert_eq!(plan.hit("a"), [Action::Delay(Duration::from_millis(1))]);
        assert_eq!(plan.hit("b"), [Action::Hold("/x".into())]);
        assert_eq!(plan.hit("b:before"), []);
    }
}
