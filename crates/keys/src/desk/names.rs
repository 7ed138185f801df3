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
pub(super) fn enter(root: &mut Root, named: &Named, now: Time) -> Result<(), String> {
    let held = root.holds == Names::Held;
    let release = |name: &str| format!("`wane signer names release {name}`, if that is meant");
    for name in &named.names {
        let full = root.names.len() >= MOST;
        let fresh = || Bound { whose: named.whose.clone(), since: now, keys: named.key.iter().cloned().collect() };
        match (root.names.get_mut(name), &named.key) {
            (None, None) => {}
            (None, Some(_)) if full => return Err(format!("{MOST} names are remembered already")),
            (None, Some(_)) => drop(root.names.insert(name.clone(), fresh())),
            (Some(bound), _) if held && bound.whose != named.whose => {
                return Err(format!("`{name}` is a name of {}; {}", bound.whose, release(name)));
            }
            (Some(_), None) => {}
            (Some(bound), Some(key)) if bound.whose == named.whose && bound.keys.contains(key) => {}
            (Some(bound), Some(key)) if bound.whose == named.whose && now <= bound.since.plus(JOINING) => {
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
