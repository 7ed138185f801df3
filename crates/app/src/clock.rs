//! A clock that was set back begins nothing.
//!
//! Owns: the latest moment this deployment is known to have seen, across restarts, because every
//! record carries its time. Refuses to know: why the clock went back. Ends do not come here:
//! nothing ever prevents them.

use std::sync::atomic::{AtomicI64, Ordering};

use wane_domain::time::{Span, Time};
use wane_store::{RecordFilter, Slice};

use crate::App;
use crate::error::AppError;

/// How far a clock may be behind what was seen before: corrections by network time are smaller.
const TOLERANCE: Span = Span::from_secs(2);

/// The latest moment seen.
#[derive(Debug)]
pub(crate) struct HighWater(AtomicI64);

impl HighWater {
    /// Nothing was seen yet, and the trail was not asked.
    pub(crate) const fn unknown() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }

    /// Something was recorded at this moment.
    pub(crate) fn saw(&self, at: Time) {
        // Until the trail was asked, one record of ours says nothing about those before it.
        if self.0.load(Ordering::SeqCst) != i64::MIN {
            self.0.fetch_max(at.micros(), Ordering::SeqCst);
        }
    }
}

impl App {
    /// The present moment, for whatever begins or prolongs an access.
    ///
    /// INVARIANT: nothing begins while the clock is behind what the trail has seen, and everything
    /// still ends (held by `a_clock_set_back_begins_nothing_and_ends_everything`).
    pub(crate) async fn steady_now(&self) -> Result<Time, AppError> {
        let now = self.now();
        let mut newest = self.high_water.0.load(Ordering::SeqCst);
        if newest == i64::MIN {
            let ahead = RecordFilter { from: Some(now), ..RecordFilter::default() };
            let found = self.store.records(ahead, Slice::first(1000)).await?.items;
            let latest = found.iter().map(|r| r.record.at.micros()).max().unwrap_or(now.micros());
            newest = self.high_water.0.fetch_max(latest, Ordering::SeqCst).max(latest);
        }
        let seen = Time::from_micros(newest);
        if now.plus(TOLERANCE) < seen { Err(AppError::ClockBehind { seen }) } else { Ok(now) }
    }
}
