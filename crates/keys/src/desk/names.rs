//! Whose names are whose: what is certified under no grant is certified for names, and a name is one host's.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use wane_connector::Named;
use wane_domain::time::{Span, Time};

use super::root::Root;

/// How long after its first key a host's others are taken: it shows all it has when it joins.
const JOINING: Span = Span::from_mins(10);
/// Names that are remembered.
const MOST: usize = 20_000;
/// Keys of one name: a host has one of each sort, and says at most eight.
const MOST_KEYS: usize = 16;
/// Names in one certificate: a host is registered with sixteen at the most, and a gateway has a few.
const MOST_AT_ONCE: usize = 64;

/// Whether names stay with who had them first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Names {
    /// They follow whom the server says they are of.
    #[default]
    Open,
    /// They stay, until somebody where the seal is says otherwise.
    Held,
}

/// A name that was certified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// For whom.
    pub whose: String,
    /// Since when.
    pub since: Time,
    /// Which keys it was certified for.
    pub keys: BTreeSet<String>,
}

/// Enters what a document names, or says why it may not.
///
/// INVARIANT: where names are held, no host's name is certified for another host, nor for a key that it did not join with (held
/// by `no_name_of_a_host_is_certified_for_another`). A key of the moment, which stands for a host for minutes, enters nothing.
///
/// INVARIANT: whoever asks, what is remembered has a bound (held by `what_is_remembered_has_a_bound`). Beyond it nothing new is
/// certified where names are held, until somebody where the seal is releases some; where they are open, it is and is not remembered.
pub(super) fn enter(root: &mut Root, named: &Named, now: Time) -> Result<(), String> {
    if named.names.len() > MOST_AT_ONCE {
        return Err(format!("{} names are too many at once; the most is {MOST_AT_ONCE}", named.names.len()));
    }
    let held = root.holds == Names::Held;
    let release = |name: &str| format!("`wane signer names release {name}`, if that is meant");
    for name in &named.names {
        let full = root.names.len() >= MOST;
        let fresh = || Bound { whose: named.whose.clone(), since: now, keys: named.key.iter().cloned().collect() };
        match (root.names.get_mut(name), &named.key) {
            (None, None) => {}
            (None, Some(_)) if full && held => {
                return Err(format!("{MOST} names are remembered already; {}", release("all")));
            }
            (None, Some(_)) if full => {}
            (None, Some(_)) => drop(root.names.insert(name.clone(), fresh())),
            (Some(bound), _) if held && bound.whose != named.whose => {
                return Err(format!("`{name}` is a name of {}; {}", bound.whose, release(name)));
            }
            (Some(_), None) => {}
            (Some(bound), Some(key)) if bound.whose == named.whose && bound.keys.contains(key) => {}
            (Some(bound), Some(key)) if joins(bound, named, now) => {
                bound.keys.insert(key.clone());
            }
            (Some(_), Some(_)) if held => {
                return Err(format!("`{name}` has other keys; {}", release(name)));
            }
            (Some(bound), Some(_)) => *bound = fresh(),
        }
    }
    Ok(())
}

/// Whether a host that shows all its keys is still at it.
fn joins(bound: &Bound, named: &Named, now: Time) -> bool {
    bound.whose == named.whose && now <= bound.since.plus(JOINING) && bound.keys.len() < MOST_KEYS
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_795_255_200_000_000);

    fn named(names: &[String], whose: &str, key: &str) -> Named {
        Named { names: names.to_vec(), whose: whose.to_owned(), key: Some(key.to_owned()) }
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        for holds in [Names::Held, Names::Open] {
            let mut root = Root { holds, ..Root::default() };
            // As many keys as a host has, and then no more.
            let one = ["web1".to_owned()];
            let taken = (0..100).filter(|n| enter(&mut root, &named(&one, "res_a", &format!("key {n}")), NOW).is_ok());
            assert_eq!(taken.count(), if holds == Names::Held { MOST_KEYS } else { 100 });
            assert!(root.names.get("web1").unwrap().keys.len() <= MOST_KEYS, "{holds:?}");
            // As many names at once as anybody has.
            let many: Vec<String> = (0..=MOST_AT_ONCE).map(|n| format!("many{n}")).collect();
            assert!(enter(&mut root, &named(&many, "res_a", "key 0"), NOW).is_err());
            enter(&mut root, &named(&many[1..], "res_a", "key 0"), NOW).unwrap();
            // And as many in all as there is room for.
            let all = (0..MOST + 100).map(|n| ([format!("all{n}")], format!("res_{n}")));
            let taken = all.filter(|(name, whose)| enter(&mut root, &named(name, whose, "key"), NOW).is_ok()).count();
            assert_eq!(root.names.len(), MOST, "{holds:?}");
            assert_eq!(taken, if holds == Names::Held { MOST - 1 - MOST_AT_ONCE } else { MOST + 100 }, "{holds:?}");
            // Who was there before goes on, and what is held is nobody else's.
            enter(&mut root, &named(&one, "res_a", "key 0"), NOW).unwrap();
            let late = enter(&mut root, &named(&["late".to_owned()], "res_b", "key"), NOW);
            assert_eq!(late.is_ok(), holds == Names::Open, "{late:?}");
            if let Err(why) = late {
                assert!(why.contains("wane signer names release all"), "{why}");
            }
        }
    }
}
