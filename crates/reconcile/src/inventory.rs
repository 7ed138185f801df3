//! Visiting every target: what carries our mark and belongs to nobody is removed after two sightings, and
//! whether what carries none is still there is looked at.

use std::collections::HashMap;

use wane_app::{App, AppError};
use wane_connector::EndOutcome;
use wane_domain::id::ResourceId;

/// Artifacts seen once that belong to no lease, by target and name.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    once: HashMap<(ResourceId, String), ()>,
}

impl Sightings {
    /// Visits one target. An artifact is removed only at its second sighting: at the first, the
    /// commit that makes it ours may be on its way.
    pub(crate) async fn visit(&mut self, app: &App, target: ResourceId) -> Result<(), AppError> {
        app.confirm_memberships(target).await?;
        let found = app.take_inventory(target).await?;
        if let Err(error) = app.keep_inventory(target, &found).await {
            tracing::warn!(%target, %error, "what stands at a target could not be written down");
        }
        for finding in &found.inventory.findings {
            tracing::warn!(%target, %finding, "found at a target");
        }
        let mut seen = HashMap::new();
        for orphan in &found.orphans {
            let key = (target, orphan.name.clone());
            if !self.once.contains_key(&key) {
                tracing::warn!(%target, artifact = %orphan.name, "an artifact with our mark belongs to no lease");
                seen.insert(key, ());
                continue;
            }
            match app.remove_orphan(target, orphan).await? {
                EndOutcome::Done => tracing::warn!(%target, artifact = %orphan.name, "an orphan was removed"),
                EndOutcome::Retry { why } | EndOutcome::Quarantined { why } | EndOutcome::Unrecallable { why, .. } => {
                    tracing::warn!(%target, artifact = %orphan.name, %why, "an orphan is still there");
                    seen.insert(key, ());
                }
            }
        }
        self.once.retain(|(of, _), ()| *of != target);
        self.once.extend(seen);
        Ok(())
    }
}
