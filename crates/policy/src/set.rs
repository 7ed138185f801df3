//! A policy set: text, compiled once, found by scope.

use std::collections::HashMap;
use std::fmt;

use cedar_policy::{Authorizer, Effect, Entities, Request};
use serde::{Deserialize, Serialize};
use wane_domain::canonical::Digest;
use wane_domain::terms::Terms;

use crate::annotation::Part;
use crate::index::Index;
use crate::schema::SchemaParts;
use crate::verify;

/// Longest text of a policy set, in bytes.
pub const MOST_TEXT: usize = 16 * 1024 * 1024;
/// Most policies in a set.
pub const MOST_POLICIES: usize = 50_000;

/// One thing wrong with a text, or worth knowing about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadProblem {
    /// The line it concerns, from 1; none if it concerns the whole.
    pub line: Option<u64>,
    /// The policy's `@id`, if it has one.
    pub policy: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for LoadProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(policy) = &self.policy {
            write!(f, "policy `{policy}`: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

/// A policy of the set, alone in a Cedar set of its own: evaluating a slice copies nothing.
pub(crate) struct Compiled {
    pub(crate) id: String,
    pub(crate) line: Option<u64>,
    pub(crate) description: Option<String>,
    pub(crate) effect: Effect,
    pub(crate) part: Part,
    /// Whether what it says can depend on the terms of a path. If not, it is asked once.
    pub(crate) speaks_of_terms: bool,
    pub(crate) alone: cedar_policy::PolicySet,
}

impl Compiled {
    pub(crate) fn terms(&self) -> Option<&Terms> {
        match &self.part {
            Part::Path(terms) => Some(terms),
            Part::Guard { .. } | Part::Other => None,
        }
    }

    pub(crate) fn reason(&self) -> Option<&str> {
        match &self.part {
            Part::Guard { reason } => reason.as_deref(),
            Part::Path(_) | Part::Other => None,
        }
    }
}

/// What one policy said to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It does not apply.
    Nothing,
    /// It applies.
    Applies,
    /// It failed, which is doubt, which is a no.
    Failed(String),
}

/// A policy set, compiled, strictly validated and indexed. Text that does not load changes nothing.
pub struct PolicySet {
    pub(crate) digest: Digest,
    pub(crate) policies: Vec<Compiled>,
    pub(crate) by_id: HashMap<String, usize>,
    pub(crate) index: Index,
    pub(crate) parts: SchemaParts,
    pub(crate) warnings: Vec<LoadProblem>,
    authorizer: Authorizer,
}

impl PolicySet {
    /// Reads, validates and indexes a text.
    ///
    /// # Errors
    /// Everything wrong with it, in the order of its lines; never empty.
    pub fn load(text: &str, parts: &SchemaParts) -> Result<Self, Vec<LoadProblem>> {
        let (policies, warnings) = verify::compile(text, parts)?;
        let mut index = Index::default();
        let mut by_id = HashMap::with_capacity(policies.len());
        for (at, (compiled, scope)) in policies.iter().enumerate() {
            index.insert(at, scope);
            by_id.insert(compiled.id.clone(), at);
        }
        Ok(Self {
            digest: Self::digest_of(text),
            policies: policies.into_iter().map(|(compiled, _)| compiled).collect(),
            by_id,
            index,
            parts: parts.clone(),
            warnings,
            authorizer: Authorizer::new(),
        })
    }

    /// The digest a text has as a policy set.
    #[must_use]
    pub fn digest_of(text: &str) -> Digest {
        Digest::of_bytes("wane.policyset.v1", text.as_bytes())
    }

    /// The digest of its text.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How many policies it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.policies.len()
    }

    /// Whether it has none, so that nothing is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// What is worth knowing about it though it loaded, such as policies that can never apply.
    #[must_use]
    pub fn warnings(&self) -> &[LoadProblem] {
        &self.warnings
    }

    /// The terms of a path, by policy id.
    #[must_use]
    pub fn terms_of(&self, path: &str) -> Option<&Terms> {
        self.by_id.get(path).and_then(|at| self.policies.get(*at)).and_then(Compiled::terms)
    }

    pub(crate) fn ask(&self, policy: &Compiled, request: &Request, entities: &Entities) -> Said {
        let response = self.authorizer.is_authorized(request, &policy.alone, entities);
        let diagnostics = response.diagnostics();
        if let Some(error) = diagnostics.errors().next() {
            return Said::Failed(error.to_string());
        }
        if diagnostics.reason().next().is_some() { Said::Applies } else { Said::Nothing }
    }
}

impl fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicySet")
            .field("digest", &self.digest)
            .field("policies", &self.policies.len())
            .finish_non_exhaustive()
    }
}
