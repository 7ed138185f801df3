//! Signing in at a provider: whom it knows, what becomes of its groups and attributes here, and its word
//! that somebody signed out.
//!
//! Owns: which person an identity is, and what of a provider's word counts. Refuses to know: how a provider is
//! spoken to and when its tokens are believed (`wane-oidc`).
//!
//! INVARIANT: who somebody is follows from issuer and subject alone, compared exactly; never from an address, a
//! name or anything else that is said (held by `nobody_becomes_somebody_by_what_they_are_called`).

mod begun;
mod heard;
mod mapping;
mod returned;
mod signed_out;

use std::collections::BTreeMap;

use wane_domain::text::Name;
use wane_oidc::Provider;

use crate::App;
use crate::error::AppError;

pub(crate) use begun::BegunBook;
pub(crate) use heard::Heard;
pub use returned::{Freshness, Returned};
pub use wane_oidc::Answer as ProviderAnswer;

/// A provider with the rules of this deployment for it.
#[derive(Debug)]
pub struct Federated {
    /// The rules.
    pub rules: ProviderRules,
    /// The provider.
    pub provider: Provider,
}

/// What of a provider's word counts here.
#[derive(Clone, Debug)]
pub struct ProviderRules {
    /// What it is called in addresses, in the log and as the keeper of groups.
    pub name: Name,
    /// What people read.
    pub display: String,
    /// What becomes of people it knows and we do not.
    pub strangers: Strangers,
    /// The claim that is the name people read.
    pub display_claim: String,
    /// The claim that lists groups.
    pub groups_claim: String,
    /// From its groups to ours.
    pub groups: BTreeMap<String, Name>,
    /// From our attributes to its claims.
    pub attributes: BTreeMap<Name, String>,
    /// What says that several factors were shown.
    pub several_factors: Says,
    /// What says that nothing that was shown can be phished.
    pub phishing_resistant: Says,
}

/// What becomes of people that a provider knows and we do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strangers {
    /// They are refused until an administrator says who they are.
    Refused,
    /// They are entered, under the name that this claim is.
    Entered {
        /// The claim.
        name_claim: String,
    },
}

/// What a provider says when a proof was of some strength: any of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Says {
    /// Values of `acr`.
    pub acr: Vec<String>,
    /// Values of `amr`.
    pub amr: Vec<String>,
}

/// A provider that somebody can choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderChoice {
    /// What it is called in addresses.
    pub name: String,
    /// What people read.
    pub display: String,
}

impl App {
    /// People sign in at these as well. Said once.
    pub fn federate(&self, providers: Vec<Federated>) {
        // A second word changes nothing: what was said first stands.
        let _ = self.providers.set(providers);
    }

    /// The providers that somebody can choose.
    #[must_use]
    pub fn provider_choices(&self) -> Vec<ProviderChoice> {
        let choice =
            |one: &Federated| ProviderChoice { name: one.rules.name.to_string(), display: one.rules.display.clone() };
        self.federated().iter().map(choice).collect()
    }

    /// A mark by which one browser is known while it is at a provider: 64 random hexadecimal digits.
    #[must_use]
    pub fn browser_mark(&self) -> String {
        format!("{}{}", self.nonce(), self.nonce())
    }

    fn federated(&self) -> &[Federated] {
        self.providers.get().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn provider(&self, name: &str) -> Result<&Federated, AppError> {
        let found = self.federated().iter().find(|one| one.rules.name.as_str() == name);
        found.ok_or_else(|| AppError::missing("provider", name))
    }

    /// Whether a provider of this name says who is in its groups.
    pub(crate) fn is_provider(&self, name: &Name) -> bool {
        self.federated().iter().any(|one| one.rules.name == *name)
    }

    /// What the provider of an issuer is called; the issuer itself once there is none any more.
    pub(crate) fn provider_named(&self, issuer: &str) -> String {
        let found = self.federated().iter().find(|one| one.provider.issuer() == issuer);
        let provider = found.map(|one| one.rules.name.to_string());
        provider.or_else(|| self.directory_named(issuer)).unwrap_or_else(|| issuer.to_owned())
    }
}
