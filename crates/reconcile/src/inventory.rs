//! Visiting every target: what carries our mark and belongs to nobody is removed after two sightings, and
//! whether what carries none is still there is looked at.

use std::collections::HashMap;
use std::future::Future;

use wane_app::{App, AppError};
use wane_connector::EndOutcome;
use wane_domain::id::ResourceId;

/// Artifacts seen once that belong to no lease, by target and name.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    once: HashMap<(ResourceId, String), ()>,
}

impl Sightings {
    /// Visits one target.
    pub(crate) async fn visit(&mut self, app: &App, target: ResourceId) -> Result<(), AppError> {
        let confirmed = async { app.confirm_memberships(target).await.map(drop) };
        either_way(confirmed, self.look(app, target)).await
    }

    /// Looks at what stands at one target. An artifact is removed only at its second sighting: at the first, the
    /// commit that makes it ours may be on its way.
    async fn look(&mut self, app: &App, target: ResourceId) -> Result<(), AppError> {
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

/// Both, one after the other; what the first met, or else the second.
///
/// INVARIANT: that a target does not say whether what was given is there keeps nobody from seeing what stands there (held by
/// `what_one_look_meets_keeps_nobody_from_the_other`).
async fn either_way(
    first: impl Future<Output = Result<(), AppError>>,
    second: impl Future<Output = Result<(), AppError>>,
) -> Result<(), AppError> {
    let met = first.await;
    let then = second.await;
    met.and(then)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_one_look_meets_keeps_nobody_from_the_other() {
        let missing = |name: &str| AppError::Missing { what: "resource", name: name.to_owned() };
        for (first, second, met) in [
            (Ok(()), Ok(()), None),
            (Err(missing("one")), Ok(()), Some("one")),
            (Ok(()), Err(missing("two")), Some("two")),
            (Err(missing("one")), Err(missing("two")), Some("one")),
        ] {
            let mut looked = false;
            let second = async {
                looked = true;
                second
            };
            let said = either_way(async { first }, second).await.err().map(|e| e.to_string());
            assert!(looked, "{said:?}");
            assert_eq!(said.is_some(), met.is_some(), "{said:?}");
            assert!(met.is_none_or(|met| said.is_some_and(|said| said.contains(met))));
        }
    }
}
