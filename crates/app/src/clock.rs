//! A clock that was set back begins nothing.
//!
//! Owns: the latest moment this deployment is known to have seen, across restarts, because every
//! record carries its time. Refuses to know: why the clock went back. Ends do not come here:
//! nothing ever prevents them.

use std::sync::atomic::{AtomicI64, Ordering};

use wane_domain::ambient::TOLERANCE;
use wane_domain::time::{Span, Time};
use wane_store::{GrantFilter, GrantPhase, RecordFilter, Slice};

use crate::App;
use crate::error::AppError;

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
    /// INVARIANT: nothing begins while the clock is behind what was seen before, in this process or in
    /// the trail, and everything still ends (held by `a_clock_set_back_begins_nothing_and_ends_everything`,
    /// `a_machine_set_back_prolongs_nothing`).
    pub(crate) async fn steady_now(&self) -> Result<Time, AppError> {
        let newest = self.newest().await?;
        let now = self.now();
        if self.ambient.behind() > TOLERANCE || now.plus(TOLERANCE) < newest {
            return Err(AppError::ClockBehind { seen: newest.max(now) });
        }
        Ok(now)
    }

    /// Lets time begin where the trail ends: what was over for an earlier process is not to come again.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub async fn recall_time(&self) -> Result<(), AppError> {
        let newest = self.newest().await?;
        self.ambient.saw(newest);
        self.tell_behind();
        Ok(())
    }

    /// Waits for a machine that was ahead and is right now, once nothing is left that this could prolong.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn wait_for_machine(&self) -> Result<(), AppError> {
        if !self.tell_behind() {
            return Ok(());
        }
        let phases = vec![GrantPhase::Active, GrantPhase::Ending];
        let open = self.store.grants(GrantFilter { phases, ..GrantFilter::default() }, Slice::first(1)).await?;
        if open.items.is_empty() {
            self.ambient.let_stand();
        }
        Ok(())
    }

    /// Says in the log that the machine's clock is behind, if it is.
    fn tell_behind(&self) -> bool {
        let behind = self.ambient.behind();
        let much = behind > TOLERANCE;
        if much {
            tracing::error!(%behind, "the machine's clock was set back; nothing begins until it is right, all ends on time");
        }
        much
    }

    /// The latest moment that was seen.
    async fn newest(&self) -> Result<Time, AppError> {
        let mut newest = self.high_water.0.load(Ordering::SeqCst);
        if newest == i64::MIN {
            let mut latest = self.now();
            // A page holds what was written last, and that need not be what is furthest ahead.
            loop {
                let ahead = RecordFilter { from: Some(latest.plus(Span::from_micros(1))), ..RecordFilter::default() };
                let page = self.store.records(ahead, Slice::first(1000)).await?;
                match page.items.iter().map(|found| found.record.at).max() {
                    Some(later) => latest = later,
                    None => break,
                }
            }
            let latest = latest.micros();
            newest = self.high_water.0.fetch_max(latest, Ordering::SeqCst).max(latest);
        }
        Ok(Time::from_micros(newest))
    }
}
