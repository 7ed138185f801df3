//! The board of all access, and the open debts.

use wane_connector::Describe;
use wane_domain::grant::{Grant, GrantState};
use wane_domain::lease::{Lease, LeaseState};
use wane_domain::time::Time;
use wane_policy::schema::Action;
use wane_store::{GrantFilter, GrantPhase, LeaseFilter, LeasePhase, Slice, whole};

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;

/// One access that is live, or ending.
#[derive(Clone, Debug)]
pub struct LiveLine {
    /// The grant.
    pub grant: Grant,
    /// Its open leases.
    pub leases: Vec<Lease>,
    /// Until when; none while it is ending.
    pub end: Option<Time>,
    /// What ending it can and cannot do.
    pub residual: Describe,
}

/// One end that is not done.
#[derive(Clone, Debug)]
pub struct DebtLine {
    /// The lease.
    pub lease: Lease,
    /// Since when it is due.
    pub since: Time,
}

impl App {
    /// Every access that is live or ending: all of it for those who may read access, else the caller's own.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn live(&self, caller: &Caller) -> Result<Vec<LiveLine>, AppError> {
        let world = self.world().await?;
        let holder = if self.allows(caller, &world, Action::ReadAccess)? { None } else { Some(caller.person) };
        let phases = vec![GrantPhase::Active, GrantPhase::Ending];
        let filter = GrantFilter { holder, phases, ..GrantFilter::default() };
        let mut out = Vec::new();
        for grant in whole(Slice::first(1000), |slice| self.store.grants(filter.clone(), slice)).await? {
            let grant = self.as_it_is(grant.value);
            let Some(resource) = world.resources.get(&grant.item.resource) else { continue };
            let leases = self.open_leases(grant.id).await?.into_iter().map(|l| l.value).collect();
            let end = match &grant.state {
                GrantState::Active { end, .. } => Some(*end),
                GrantState::Scheduled | GrantState::Ending { .. } | GrantState::Closed { .. } => None,
            };
            let residual = self.kind(&resource.kind)?.describe(&resource.settings);
            out.push(LiveLine { leases, end, residual, grant });
        }
        // What ends soonest first; what is ending before all.
        out.sort_by_key(|line| line.end.unwrap_or(Time::from_micros(i64::MIN)));
        Ok(out)
    }

    /// Every end that is due and not done, oldest first: all for those who may read access, else the caller's own.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn debts(&self, caller: &Caller) -> Result<Vec<DebtLine>, AppError> {
        let world = self.world().await?;
        let all = self.allows(caller, &world, Action::ReadAccess)?;
        let filter = LeaseFilter { phases: vec![LeasePhase::Revoking], ..LeaseFilter::default() };
        let mut out = Vec::new();
        for lease in self.all_leases(filter).await? {
            let LeaseState::Revoking { since, .. } = lease.value.state else { continue };
            if all || lease.value.holder == caller.person {
                out.push(DebtLine { since, lease: lease.value });
            }
        }
        out.sort_by_key(|line| line.since);
        Ok(out)
    }
}
