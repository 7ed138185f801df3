//! Reaching a resource: its kind, its settings, the connector's own credential.

use std::sync::Arc;

use wane_connector::{Artifact, EndOutcome, Inventory, Kind, Target};
use wane_domain::catalogue::Resource;
use wane_domain::id::{GrantId, LeaseId, ResourceId};
use wane_domain::lease::{Lease, LeaseKind, lease_of_artifact};
use wane_domain::secret::Secret;
use wane_domain::text::Name;
use wane_domain::time::Time;
use wane_failpoint::{around, point};
use wane_keys::envelope::Place;
use wane_store::{Issuance, LeaseFilter, LeasePhase, Slice, Versioned, whole};

use crate::App;
use crate::error::AppError;

/// A resource with everything needed to reach it.
pub struct TargetHandle {
    /// Its kind.
    pub kind: Arc<dyn Kind>,
    /// The resource.
    pub resource: Resource,
    credential: Option<Secret>,
}

impl std::fmt::Debug for TargetHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TargetHandle").field("resource", &self.resource.name).finish_non_exhaustive()
    }
}

impl TargetHandle {
    /// The target, at a moment.
    #[must_use]
    pub fn target(&self, now: Time) -> Target<'_> {
        Target { resource: &self.resource, credential: self.credential.as_ref(), now }
    }

    /// The connector's credential, for whoever goes on with it.
    pub(crate) fn take_credential(&mut self) -> Option<Secret> {
        self.credential.take()
    }
}

/// What stands at a target, with what of it belongs to nobody.
#[derive(Clone, Debug)]
pub struct CheckedInventory {
    /// As the kind listed it.
    pub inventory: Inventory,
    /// Marked artifacts without an open lease.
    pub orphans: Vec<Artifact>,
}

/// Which place in the store a connector's credential is sealed to.
fn connector_place(key: &str) -> Place<'_> {
    Place { table: "sealed", row: key, column: "credential" }
}

const CONNECTOR: &str = "connector/";

/// The key a connector's credential is kept under.
pub(crate) fn connector_key(id: ResourceId) -> String {
    format!("{CONNECTOR}{id}")
}

/// Whether what is kept under a key is a connector's credential.
pub(crate) fn is_connector_key(key: &str) -> bool {
    key.starts_with(CONNECTOR)
}

impl App {
    /// A kind by name.
    pub(crate) fn kind(&self, name: &Name) -> Result<Arc<dyn Kind>, AppError> {
        let known = || self.kinds.iter().map(|k| k.name()).collect::<Vec<_>>().join(", ");
        self.kinds.get(name.as_str()).cloned().ok_or_else(|| {
            AppError::invalid("kind", format!("there is no kind `{name}`; this server has: {}", known()))
        })
    }

    /// Reaches a registered resource.
    ///
    /// # Errors
    /// When there is none, or its credential cannot be opened.
    pub async fn target(&self, id: ResourceId) -> Result<TargetHandle, AppError> {
        let world = self.world().await?;
        let resource = world.resources.get(&id).cloned().ok_or_else(|| AppError::missing("resource", id))?;
        let kind = self.kind(&resource.kind)?;
        let credential = self.connector_secret(id).await?;
        Ok(TargetHandle { kind, resource, credential })
    }

    /// The connector's own credential at a target, if one is kept.
    pub(crate) async fn connector_secret(&self, id: ResourceId) -> Result<Option<Secret>, AppError> {
        let key = connector_key(id);
        let Some(sealed) = self.sealed(&key).await? else { return Ok(None) };
        self.ends.open(&connector_place(&key), &sealed).map(Some).map_err(|e| AppError::Seal(e.to_string()))
    }

    /// A target that is not registered yet.
    pub(crate) fn new_target(
        &self,
        kind: Arc<dyn Kind>,
        resource: Resource,
        credential: Option<Secret>,
    ) -> TargetHandle {
        TargetHandle { kind, resource, credential }
    }

    /// Seals a connector's credential to its place.
    pub(crate) fn seal_connector(&self, id: ResourceId, credential: &Secret) -> Result<Vec<u8>, AppError> {
        self.ends
            .seal(&connector_place(&connector_key(id)), credential.expose())
            .map_err(|e| AppError::Seal(e.to_string()))
    }

    /// Leases under a grant that are not yet known to be gone.
    pub(crate) async fn open_leases(&self, grant: GrantId) -> Result<Vec<Versioned<Lease>>, AppError> {
        let phases = vec![LeasePhase::Intended, LeasePhase::Live, LeasePhase::Revoking];
        self.all_leases(LeaseFilter { grant: Some(grant), phases, ..LeaseFilter::default() }).await
    }

    /// All leases that match.
    pub(crate) async fn all_leases(&self, filter: LeaseFilter) -> Result<Vec<Versioned<Lease>>, AppError> {
        Ok(whole(Slice::first(1000), |slice| self.store.leases(filter.clone(), slice)).await?)
    }

    /// All leases under a grant.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn leases_of(&self, grant: GrantId) -> Result<Vec<Lease>, AppError> {
        let filter = LeaseFilter { grant: Some(grant), ..LeaseFilter::default() };
        Ok(self.all_leases(filter).await?.into_iter().map(|l| l.value).collect())
    }

    /// Every issue under a lease, oldest first. Who may see it is the caller's to have asked.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn issued(&self, lease: LeaseId) -> Result<Vec<Issuance>, AppError> {
        Ok(self.store.issuances(lease).await?)
    }

    /// Lists what stands at a target and finds what belongs to no open lease.
    ///
    /// # Errors
    /// When the target does not answer.
    pub async fn take_inventory(&self, id: ResourceId) -> Result<CheckedInventory, AppError> {
        let handle = self.target(id).await?;
        let target = handle.target(self.now());
        let effects = handle.kind.effects();
        let inventory = if handle.kind.gives() == LeaseKind::Membership {
            let leases = self.memberships_at(id).await?;
            around(point!("app.inventory.beside"), effects.inventory_beside(&target, &leases)).await?
        } else {
            around(point!("app.inventory"), effects.inventory(&target)).await?
        };
        let mut orphans = Vec::new();
        for artifact in &inventory.marked {
            let lease = match lease_of_artifact(&artifact.name) {
                Some(lease) => self.store.lease(lease).await?,
                None => None,
            };
            // Two resources can be of one target, and each lists what the other made. INVARIANT: what an open lease has is
            // no orphan there either (held by `what_another_resource_of_the_kind_made_is_no_orphan`).
            let is_somebodys = lease
                .is_some_and(|l| l.value.is_open() && (l.value.resource == id || l.value.kind == handle.resource.kind));
            if !is_somebodys {
                orphans.push(artifact.clone());
            }
        }
        Ok(CheckedInventory { inventory, orphans })
    }

    /// Ends something that carries our mark and belongs to no open lease. The log says that it will be ended,
    /// then what came of it.
    ///
    /// INVARIANT: the intent is on disk before the target is touched (held by
    /// `an_orphan_is_touched_after_the_log_says_so`).
    ///
    /// # Errors
    /// When the target does not answer or the store cannot be written.
    pub async fn remove_orphan(&self, id: ResourceId, artifact: &Artifact) -> Result<EndOutcome, AppError> {
        let handle = self.target(id).await?;
        let target = handle.target(self.now());
        let effects = handle.kind.effects();
        let about = wane_audit::Subjects { resource: Some(id), ..wane_audit::Subjects::default() };
        let detail = serde_json::json!({ "artifact": artifact.name, "object": artifact.object });
        let mut intent = self.change(wane_audit::Actor::System, self.now());
        intent.note("orphan.ending", wane_audit::Outcome::Done, about.clone(), detail);
        intent.commit(point!("app.orphan.intend.commit")).await?;
        let outcome = around(point!("app.orphan"), effects.remove_orphan(&target, artifact)).await?;
        let done = matches!(outcome, EndOutcome::Done);
        let mut change = self.change(wane_audit::Actor::System, self.now());
        let said = if done { wane_audit::Outcome::Done } else { wane_audit::Outcome::Failed };
        let detail = serde_json::json!({ "artifact": artifact.name, "object": artifact.object, "outcome": format!("{outcome:?}") });
        change.note("orphan.removed", said, about, detail);
        change.commit(point!("app.orphan.commit")).await?;
        Ok(outcome)
    }
}
