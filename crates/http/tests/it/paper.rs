//! A kind with nothing behind it: its accounts are names in a set.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wane_connector::contract::{
    Artifact, ConnectError, Created, Describe, Effects, EndOutcome, Handed, Inventory, Presence, Target,
};
use wane_connector::kind::{Kind, KindError, RoleProbe};
use wane_domain::catalogue::Role;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::{LeaseData, LeaseKind};
use wane_domain::secret::SecretOnce;

#[derive(Clone, Debug, Default)]
pub(crate) struct Paper(Arc<Mutex<BTreeSet<String>>>);

#[async_trait::async_trait]
impl Kind for Paper {
    fn name(&self) -> &'static str {
        "paper"
    }
    fn entity(&self) -> &'static str {
        "Paper"
    }
    fn settings(&self, given: &Value) -> Result<Value, KindError> {
        Ok(given.clone())
    }
    fn definition(&self, given: &Value) -> Result<Value, KindError> {
        Ok(given.clone())
    }
    fn is_narrower(&self, _: &Value, _: &Value) -> bool {
        false
    }
    fn describe(&self, _: &Value) -> Describe {
        Describe {
            hands_out: "a name on paper".to_owned(),
            revokes_logins: true,
            kills_sessions: true,
            residual_logins_secs: 0,
            residual_sessions_secs: Some(0),
            survives: String::new(),
        }
    }
    fn gives(&self) -> LeaseKind {
        LeaseKind::Account
    }
    fn needs_credential(&self) -> bool {
        false
    }
    async fn probe(&self, _: &Target<'_>, roles: &[Role]) -> Result<Vec<RoleProbe>, ConnectError> {
        Ok(roles.iter().map(|r| RoleProbe { role: r.name.to_string(), problem: None }).collect())
    }
    fn effects(&self) -> Arc<dyn Effects> {
        Arc::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Effects for Paper {
    async fn create(
        &self,
        _: &Target<'_>,
        _: &Role,
        lease: &LeaseData,
        _: IssuePermit,
    ) -> Result<Created, ConnectError> {
        self.0.lock().unwrap().insert(lease.artifact.clone());
        let secret = Some(SecretOnce::new(format!("canary-{}", lease.artifact)));
        let handed = Handed { public: json!({ "user": lease.artifact }), secret, not_after: None };
        Ok(Created { object: None, notes: Value::Null, handed })
    }
    async fn extend(&self, _: &Target<'_>, _: &LeaseData) -> Result<(), ConnectError> {
        Ok(())
    }
    async fn end(&self, _: &Target<'_>, lease: &LeaseData) -> Result<EndOutcome, ConnectError> {
        self.0.lock().unwrap().remove(&lease.artifact);
        Ok(EndOutcome::Done)
    }
    async fn read_back(&self, _: &Target<'_>, lease: &LeaseData) -> Result<Presence, ConnectError> {
        let there = self.0.lock().unwrap().contains(&lease.artifact);
        let said = |word: &str| format!("the paper {word} it");
        Ok(if there { Presence::Present { seen: said("has") } } else { Presence::Absent { proof: said("lacks") } })
    }
    async fn inventory(&self, _: &Target<'_>) -> Result<Inventory, ConnectError> {
        Ok(Inventory::default())
    }
    async fn remove_orphan(&self, _: &Target<'_>, _: &Artifact) -> Result<EndOutcome, ConnectError> {
        Ok(EndOutcome::Done)
    }
    async fn traces(&self, _: &Target<'_>) -> Result<Vec<String>, ConnectError> {
        Ok(Vec::new())
    }
    async fn clock_skew(&self, _: &Target<'_>) -> Result<Option<i64>, ConnectError> {
        Ok(None)
    }
}
