//! The news of access tokens that are over before they run out, for the servers they are for.

use wane_domain::id::{GrantId, ResourceId};
use wane_domain::lease::{Lease, LeaseKind, LeaseState};
use wane_domain::time::Time;
use wane_store::{LeaseFilter, Slice, Versioned};

use crate::App;
use crate::error::AppError;

/// What is written down when a lease ends.
const ENDING: &str = "lease.ending";
/// Records that are looked at in one go.
const AT_ONCE: u32 = 500;

/// Tokens that are over, before they run out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokensOver {
    /// Where that stands in the trail; nothing if it is not there yet.
    pub seq: Option<u64>,
    /// The grant they stood under.
    pub grant: GrantId,
    /// Since when.
    pub at: Time,
    /// Their ids.
    pub tokens: Vec<String>,
}

impl App {
    /// Tokens for a server that were said to be over after a place in the trail, and where the next call goes on. Waits
    /// until there is something new.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tokens_over_after(&self, server: ResourceId, after: u64) -> Result<(Vec<TokensOver>, u64), AppError> {
        self.store.changed(after).await;
        let records = self.store.records_after(after, AT_ONCE).await?;
        let last = records.last().map_or(after, |record| record.seq);
        let mut over = Vec::new();
        for entry in records {
            let record = entry.record;
            let (Some(resource), Some(grant), Some(id)) =
                (record.about.resource, record.about.grant, record.about.lease)
            else {
                continue;
            };
            if record.event != ENDING || resource != server {
                continue;
            }
            let Some(lease) = self.store.lease(id).await? else { continue };
            let tokens = self.tokens_under(&lease).await?;
            if !tokens.is_empty() {
                over.push(TokensOver { seq: Some(entry.seq), grant, at: record.at, tokens });
            }
        }
        Ok((over, last))
    }

    /// Every token for a server that is over and would still work: for whoever begins to listen.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tokens_over(&self, server: ResourceId) -> Result<Vec<TokensOver>, AppError> {
        let world = self.world().await?;
        let resource = world.resources.get(&server).ok_or(AppError::SignedOut)?;
        let mut over: Vec<TokensOver> = Vec::new();
        let mut leases = Vec::new();
        for issued in self.store.revoked(&resource.kind, self.now()).await? {
            if leases.contains(&issued.lease) {
                continue;
            }
            leases.push(issued.lease);
            let Some(lease) = self.store.lease(issued.lease).await? else { continue };
            if lease.value.resource != server {
                continue;
            }
            let at = match lease.value.state {
                LeaseState::Revoking { since, .. } => since,
                LeaseState::Gone { at, .. } => at,
                LeaseState::Intended | LeaseState::Live { .. } => continue,
            };
            let tokens = self.tokens_under(&lease).await?;
            over.push(TokensOver { seq: None, grant: lease.value.grant, at, tokens });
        }
        over.extend(self.tokens_over_from_memory(server).await?);
        Ok(over)
    }

    /// Those whose grant was ended while the store could not be written: they are not in the trail yet.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tokens_over_from_memory(&self, server: ResourceId) -> Result<Vec<TokensOver>, AppError> {
        let mut over = Vec::new();
        for (grant, at) in self.storeless.spool.all_said() {
            let filter = LeaseFilter { grant: Some(grant), ..LeaseFilter::default() };
            for lease in self.store.leases(filter, Slice::first(1000)).await?.items {
                let live = matches!(lease.value.state, LeaseState::Live { .. });
                if live && lease.value.resource == server && lease.value.what == LeaseKind::Credential {
                    let tokens = self.tokens_under(&lease).await?;
                    over.push(TokensOver { seq: None, grant, at, tokens });
                }
            }
        }
        Ok(over)
    }

    /// The ids of the tokens under a lease that have not run out.
    async fn tokens_under(&self, lease: &Versioned<Lease>) -> Result<Vec<String>, AppError> {
        let Some(tokens) = self.kind(&lease.value.kind)?.tokens() else { return Ok(Vec::new()) };
        let now = self.now();
        let issued = self.store.issuances(lease.value.id).await?;
        let running = issued.into_iter().filter(|one| now < one.not_after);
        Ok(running.map(|one| tokens.id(lease.value.id, one.serial)).collect())
    }
}
