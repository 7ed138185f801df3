//! The keys of a signer in this process, some of which change while it signs.
//!
//! Owns: that those are put in place of one another all at once. Refuses to know which takes over from which, and when, and
//! what is asked before any of them signs: whoever sits in front of them (the desk) asks that of each, whichever there are.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use crate::signer::LocalSigner;

/// Keys that can be put in place of others.
pub struct Turning(RwLock<All>);

/// The keys there are, and those there were while they are put in place of one another.
struct All {
    now: Arc<LocalSigner>,
    before: Option<Arc<LocalSigner>>,
}

impl Turning {
    /// With these keys, to begin with.
    #[must_use]
    pub fn new(keys: LocalSigner) -> Self {
        Self(RwLock::new(All { now: Arc::new(keys), before: None }))
    }

    /// Puts other keys in place of those there are. While `told` tells whoever uses them, those that are to go still sign.
    pub fn become_others(&self, keys: LocalSigner, told: impl FnOnce()) {
        {
            let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
            let before = std::mem::replace(&mut all.now, Arc::new(keys));
            all.before = Some(before);
        }
        told();
        self.0.write().unwrap_or_else(PoisonError::into_inner).before = None;
    }

    /// Those that sign for a purpose right now.
    pub(crate) fn of(&self, purpose: &str) -> Arc<LocalSigner> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let before = all.before.as_ref().filter(|_| !all.now.purposes().contains(purpose));
        Arc::clone(before.unwrap_or(&all.now))
    }

    /// Every purpose there is a key for right now.
    pub(crate) fn purposes(&self) -> BTreeSet<&'static str> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut purposes = all.now.purposes();
        purposes.extend(all.before.iter().flat_map(|before| before.purposes()));
        purposes
    }
}

impl std::fmt::Debug for Turning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turning").field("purposes", &self.purposes()).finish_non_exhaustive()
    }
}
