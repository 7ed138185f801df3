//! What this process is making at targets right now.
//!
//! An end may overtake the making of what it ends: the target then truthfully says "not there",
//! and a moment later it is. So an absence proves nothing while the making is under way, and an
//! intent that this process is still working on is not abandoned.

use std::collections::HashMap;
use std::sync::Mutex;

use wane_domain::id::LeaseId;

/// The leases being made.
#[derive(Debug, Default)]
pub(crate) struct Making(Mutex<HashMap<LeaseId, usize>>);

/// Held while something is made; a caller that goes away lets go as well.
#[derive(Debug)]
pub(crate) struct UnderWay<'a> {
    making: &'a Making,
    lease: LeaseId,
}

impl Making {
    /// Says that a lease is being made until what is returned is dropped.
    pub(crate) fn begin(&self, lease: LeaseId) -> UnderWay<'_> {
        let count = |count: &mut usize| *count = count.saturating_add(1);
        count(self.lock().entry(lease).or_default());
        UnderWay { making: self, lease }
    }

    /// Whether a lease is being made.
    pub(crate) fn has(&self, lease: LeaseId) -> bool {
        self.lock().contains_key(&lease)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<LeaseId, usize>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut leases = self.making.lock();
        if let Some(count) = leases.get_mut(&self.lease) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                leases.remove(&self.lease);
            }
        }
    }
}
