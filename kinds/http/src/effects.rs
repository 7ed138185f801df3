//! What happens at an application when access ends: nothing. All of it is with the gateway, as sessions.

use async_trait::async_trait;
use serde_json::Value;
use wane_connector::{Artifact, ConnectError, Created, Effects, EndOutcome, Inventory, Presence, Target};
use wane_domain::catalogue::Role;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::{LeaseData, LeaseState};

/// The effects of the kind.
pub(crate) struct HttpEffects;

#[async_trait]
impl Effects for HttpEffects {
    async fn create(
        &self,
        target: &Target<'_>,
        _role: &Role,
        _lease: &LeaseData,
        _permit: IssuePermit,
    ) -> Result<Created, ConnectError> {
        Err(target.refuses("nothing is made at an application: open it in a browser, at its own address"))
    }

    async fn extend(&self, _target: &Target<'_>, _lease: &LeaseData) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn end(&self, _target: &Target<'_>, _lease: &LeaseData) -> Result<EndOutcome, ConnectError> {
        Ok(EndOutcome::Done)
    }

    async fn read_back(&self, _target: &Target<'_>, lease: &LeaseData) -> Result<Presence, ConnectError> {
        let serial = lease.notes.get("serial").and_then(Value::as_u64);
        Ok(match (serial, &lease.state) {
            (Some(serial), LeaseState::Intended | LeaseState::Live { .. }) => {
                Presence::Present { seen: format!("the gateway takes the key of issue {serial}") }
            }
            (Some(_), LeaseState::Revoking { .. } | LeaseState::Gone { .. }) => Presence::Absent {
                proof: "nothing was made at the application, and no gateway takes a key of a grant that is over"
                    .to_owned(),
            },
            (None, _) => Presence::Absent { proof: "no key was ever made".to_owned() },
        })
    }

    async fn inventory(&self, _target: &Target<'_>) -> Result<Inventory, ConnectError> {
        Ok(Inventory::default())
    }

    async fn remove_orphan(&self, target: &Target<'_>, _artifact: &Artifact) -> Result<EndOutcome, ConnectError> {
        Err(target.refuses("an application holds nothing of ours that could be removed"))
    }

    async fn traces(&self, _target: &Target<'_>) -> Result<Vec<String>, ConnectError> {
        Ok(Vec::new())
    }

    async fn clock_skew(&self, _target: &Target<'_>) -> Result<Option<i64>, ConnectError> {
        // The `Date` of an answer is the application's to say, and often a cache's.
        Ok(None)
    }
}
