//! The kit that every kind passes.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use wane_connector::conformance::{Given, Live, Subject, Used, run};
use wane_connector::{Kind, Target};
use wane_domain::catalogue::Role;
use wane_domain::directory::Person;
use wane_domain::grant::Grant;
use wane_domain::id::LeaseId;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::{Lease, LeaseData};
use wane_domain::time::Time;
use wane_testkit::lax_permit;

use crate::stage::Stage;

struct Real {
    stage: Stage,
    role: Role,
    holder: Person,
    grants: Mutex<Vec<(LeaseId, Grant, Lease)>>,
}

impl Real {
    fn is_of_a_group(&self) -> bool {
        self.role.definition.get("group").is_some()
    }

    fn name(&self) -> &str {
        self.holder.name.as_str()
    }

    fn is_let_in(&self) -> bool {
        if self.is_of_a_group() {
            self.stage.is_admin(&self.stage.alice)
        } else {
            self.stage.app.is_active(self.name()).unwrap()
        }
    }
}

struct Reader(bool);

#[async_trait]
impl Live for Reader {
    async fn works(&mut self) -> Result<bool, String> {
        Ok(self.0)
    }
}

#[async_trait]
impl Subject for Real {
    fn kind(&self) -> &dyn Kind {
        &self.stage.kind
    }
    fn target(&self) -> Target<'_> {
        self.stage.target()
    }
    fn role(&self) -> &Role {
        &self.role
    }
    fn holder(&self) -> Result<&Person, String> {
        Ok(&self.holder)
    }
    fn lease(&self) -> Result<LeaseData, String> {
        let (grant, lease) = self.stage.lease(&self.role);
        let data = LeaseData::clone(&lease);
        self.grants.lock().unwrap().push((data.id, grant, lease));
        Ok(data)
    }
    fn permit(&self, lease: &LeaseData) -> Result<IssuePermit, String> {
        let grants = self.grants.lock().unwrap();
        let (_, grant, lease) = grants.iter().find(|(id, ..)| *id == lease.id).ok_or("no such lease")?;
        let now = self.stage.now();
        grant.issue_permit(lease, lax_permit(now), now).map_err(|e| e.to_string())
    }
    fn now(&self) -> Time {
        self.stage.now()
    }
    async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    async fn use_it(&self, _given: &Given) -> Result<Used, String> {
        Ok(if self.is_let_in() { Used::Accepted } else { Used::Refused { why: "not let in".to_owned() } })
    }
    async fn open(&self, _given: &Given) -> Result<Box<dyn Live>, String> {
        Ok(Box::new(Reader(self.is_let_in())))
    }
    async fn give_past_wane(&self) -> Result<(), String> {
        let app = &self.stage.app;
        let done = if self.is_of_a_group() {
            app.add(&self.stage.admins, &self.stage.alice)
        } else if let Some(user) = app.find_user(self.name()).map_err(|e| format!("{e:#}"))? {
            app.set_active(user["id"].as_str().unwrap(), &json!(true))
        } else {
            app.user(self.name()).map(drop)
        };
        done.map_err(|e| format!("{e:#}"))
    }
    async fn take_past_wane(&self) -> Result<(), String> {
        let app = &self.stage.app;
        let done = if self.is_of_a_group() {
            app.remove(&self.stage.admins, &self.stage.alice)
        } else {
            let user = app.find_user(self.name()).map_err(|e| format!("{e:#}"))?.unwrap();
            app.set_active(user["id"].as_str().unwrap(), &json!(false))
        };
        done.map_err(|e| format!("{e:#}"))
    }
}

async fn passes(definition: serde_json::Value, holder: &str) {
    let stage = Stage::usual();
    let (role, holder) = (stage.role(&definition), stage.person(holder));
    let subject = Real { stage, role, holder, grants: Mutex::default() };
    let report = run(&subject).await.unwrap();
    assert!(report.shown.len() >= 10, "{report:#?}");
    assert!(report.logins_refused_after.is_some() && report.session_cut_after.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kind_passes_the_kit() {
    passes(json!({ "group": "Admins" }), "alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kind_passes_the_kit_with_accounts() {
    passes(json!({ "account": "deactivated" }), "bob").await;
    passes(json!({ "account": "deleted" }), "bob").await;
}
