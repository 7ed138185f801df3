//! Residue: what a target shows that an ended lease may have left behind, and booking what was found.
//!
//! Owns: asking a target for its traces, and the records. Refuses to know: when a scan is due and
//! what is compared with what (that is the engine's bookkeeping).

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;
use wane_audit::{Actor, Outcome};
use wane_connector::ConnectError;
use wane_domain::id::{LeaseId, ResourceId};
use wane_domain::lease::LeaseState;
use wane_domain::time::Time;
use wane_failpoint::{around, point};

use crate::change::about_lease;
use crate::error::AppError;
use crate::{App, decide};

/// A kind bounds its own calls; this bounds the kind.
const LONGEST_SCAN: Duration = Duration::from_secs(60);

/// What comparing the traces before a lease with those after it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Residue {
    /// The lease that ended.
    pub lease: LeaseId,
    /// The traces before it were taken then.
    pub since: Time,
    /// The traces after it were taken then.
    pub until: Time,
    /// What is there now and was not there before it; some of it, if it is much.
    pub left: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

impl App {
    /// Everything at a target that an artifact could leave behind, one line each.
    ///
    /// # Errors
    /// When the target cannot be asked.
    pub async fn traces(&self, id: ResourceId) -> Result<Vec<String>, AppError> {
        let handle = self.target(id).await?;
        let effects = handle.kind.effects();
        let target = handle.target(self.now());
        let lines = tokio::time::timeout(LONGEST_SCAN, around(point!("app.traces"), effects.traces(&target)))
            .await
            .unwrap_or_else(|_| {
                let why = "listing its traces took longer than 60 s".to_owned();
                Err(ConnectError::Unreachable { target: handle.resource.name.to_string(), why })
            })?;
        Ok(lines)
    }

    /// Which of these leases were open at a moment, or later: what carries their name is nobody's residue.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open_since(&self, leases: &[LeaseId], moment: Time) -> Result<HashSet<LeaseId>, AppError> {
        let mut open = HashSet::new();
        for id in leases {
            let stands = self.store.lease(*id).await?.is_some_and(|lease| match lease.value.state {
                LeaseState::Intended | LeaseState::Live { .. } | LeaseState::Revoking { .. } => true,
                LeaseState::Gone { at, .. } => at >= moment,
            });
            if stands {
                open.insert(*id);
            }
        }
        Ok(open)
    }

    /// Books what was found, one record for each lease, all in one commit.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn book_residue(&self, found: &[Residue]) -> Result<(), AppError> {
        decide!(async {
            let mut change = self.change(Actor::System, self.now());
            let mut records = 0usize;
            for one in found {
                let Some(lease) = self.store.lease(one.lease).await? else { continue };
                let lease = lease.value;
                let grant = self.store.grant(lease.grant).await?;
                let about = about_lease(&lease, grant.as_ref().map(|g| &g.value));
                if one.left.is_empty() {
                    let detail =
                        json!({ "artifact": lease.artifact, "since": one.since, "until": one.until, "left": [] });
                    change.note("residue.scanned", Outcome::Done, about, detail);
                } else {
                    let detail = json!({
                        "artifact": lease.artifact,
                        "since": one.since,
                        "until": one.until,
                        "left": one.left,
                        "more": one.more,
                        "note": format!("appeared between {} and {}; may belong to others", one.since, one.until),
                    });
                    change.note("residue.found", Outcome::Failed, about, detail);
                }
                records += 1;
            }
            if records == 0 {
                return Ok(());
            }
            change.commit(point!("app.residue.commit")).await.map(|_| ())
        })
    }
}
