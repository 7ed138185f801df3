//! The kit that every kind passes.

use std::time::Duration;

use async_trait::async_trait;
use wane_connector::conformance::{Given, Live, Subject, Used, run};
use wane_connector::{Kind, Target};
use wane_domain::catalogue::Role;
use wane_domain::grant::Grant;
use wane_domain::id::LeaseId;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::{Lease, LeaseData};
use wane_domain::time::Time;
use wane_testkit::Interactive;

use crate::stage::{Granted, SOON, Stage, real_now};

struct Real {
    stage: Stage,
    role: Role,
    grants: std::sync::Mutex<Vec<(LeaseId, Grant, Lease)>>,
}

struct Psql(Interactive, u32);

#[async_trait]
impl Live for Psql {
    async fn works(&mut self) -> Result<bool, String> {
        self.1 += 1;
        let answer = format!("answer {}", self.1);
        if !self.0.is_running() || self.0.send_line(&format!("SELECT '{answer}' FROM t;")).is_err() {
            return Ok(false);
        }
        wane_testkit::wait_until("an answer or the end", SOON, || {
            self.0.stdout().contains(&answer) || !self.0.is_running()
        })
        .map_err(|e| e.to_string())?;
        Ok(self.0.is_running())
    }
}

fn user(given: &Given) -> &str {
    given.public.get("user").and_then(serde_json::Value::as_str).unwrap()
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
    fn lease(&self) -> Result<LeaseData, String> {
        let granted = self.stage.lease(&self.role);
        let data = granted.data().clone();
        self.grants.lock().unwrap().push((data.id, granted.grant, granted.lease));
        Ok(data)
    }
    fn permit(&self, lease: &LeaseData) -> Result<IssuePermit, String> {
        let grants = self.grants.lock().unwrap();
        let (_, grant, lease) = grants.iter().find(|(id, ..)| *id == lease.id).ok_or("no such lease")?;
        let granted =
            Granted { grant: grant.clone(), lease: lease.clone(), role: self.role.clone(), password: String::new() };
        Ok(granted.permit())
    }
    fn now(&self) -> Time {
        real_now()
    }
    async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    async fn use_it(&self, given: &Given) -> Result<Used, String> {
        let user = user(given);
        let outcome = self.stage.server.psql_as(user, &given.secret, "app", "SELECT x FROM t").unwrap();
        Ok(if outcome.success() { Used::Accepted } else { Used::Refused { why: outcome.stderr } })
    }
    async fn open(&self, given: &Given) -> Result<Box<dyn Live>, String> {
        let user = user(given);
        let session = self.stage.server.client(user, &given.secret, "app").open().map_err(|e| e.to_string())?;
        Ok(Box::new(Psql(session, 0)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kind_passes_the_kit() {
    let stage = Stage::usual();
    let role = stage.readers();
    let subject = Real { stage, role, grants: std::sync::Mutex::default() };
    let report = run(&subject).await.unwrap();
    assert!(report.shown.len() >= 10, "{report:#?}");
    assert!(report.session_cut_after.is_some() && report.logins_refused_after.is_some());
}
