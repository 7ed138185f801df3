//! What a provider says of somebody, as it counts here: their groups, attributes, and how strong their proof was.
//! Pure: rules and claims in, what is to be so out.

use std::collections::{BTreeMap, BTreeSet};

use wane_domain::directory::Person;
use wane_domain::proved::Strength;
use wane_domain::text::{Line, Name};
use wane_oidc::Claims;

use super::{ProviderRules, Says};

/// The most groups of a provider that are looked at.
const MOST_GROUPS: usize = 4096;

impl ProviderRules {
    /// The groups of ours that this provider puts somebody into.
    pub(super) fn groups_of(&self, claims: &Claims) -> BTreeSet<&Name> {
        let said = claims.texts(&self.groups_claim);
        said.into_iter().take(MOST_GROUPS).filter_map(|group| self.groups.get(group)).collect()
    }

    /// All groups of ours that this provider has a say in.
    pub(super) fn all_groups(&self) -> BTreeSet<&Name> {
        self.groups.values().collect()
    }

    /// Somebody with the attributes that the provider gives them, and without those it no longer gives.
    pub(super) fn described(&self, person: &Person, claims: &Claims) -> Person {
        let mut attributes = person.attributes.clone();
        for (name, claim) in &self.attributes {
            match fact(claims, claim) {
                Some(fact) => drop(attributes.insert(name.clone(), fact)),
                None => drop(attributes.remove(name)),
            }
        }
        Person { attributes, ..person.clone() }
    }

    /// The attributes of somebody new.
    pub(super) fn facts(&self, claims: &Claims) -> BTreeMap<Name, Line> {
        self.attributes.iter().filter_map(|(name, claim)| Some((name.clone(), fact(claims, claim)?))).collect()
    }

    /// How much the provider vouches for. What it does not say it does not vouch for.
    pub(super) fn strength(&self, claims: &Claims) -> Strength {
        if said(&self.phishing_resistant, claims) {
            Strength::PhishingResistant
        } else if said(&self.several_factors, claims) {
            Strength::SeveralFactors
        } else {
            Strength::Plain
        }
    }
}

fn said(says: &Says, claims: &Claims) -> bool {
    let acr = claims.text("acr").is_some_and(|acr| says.acr.iter().any(|one| one == acr));
    acr || claims.texts("amr").into_iter().any(|amr| says.amr.iter().any(|one| one == amr))
}

/// A claim as a fact for policy; nothing if it is none, or no line of text.
fn fact(claims: &Claims, claim: &str) -> Option<Line> {
    claims.plain(claim)?.parse().ok().filter(|line: &Line| !line.as_str().is_empty())
}
