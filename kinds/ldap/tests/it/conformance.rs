//! The kit that every kind passes.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
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

use crate::stage::{PEOPLE, POSIX, Stage, UNIQUE, real_now};

struct Real {
    stage: Stage,
    role: Role,
    holder: Person,
    grants: Mutex<Vec<(LeaseId, Grant, Lease)>>,
}

impl Real {
    fn group(&self) -> (String, String, String) {
        let of = |key: &str| self.role.definition[key].as_str().unwrap().to_owned();
        let (group, attribute) = (of("group"), of("attribute"));
        let value = if attribute == "memberUid" { "alice".to_owned() } else { format!("uid=alice,{PEOPLE}") };
        (group, attribute, value)
    }

    fn past(&self, how: &str) -> Result<(), String> {
        let (group, attribute, value) = self.group();
        let ldif = format!("dn: {group}\nchangetype: modify\n{how}: {attribute}\n{attribute}: {value}\n");
        self.stage.server.modify(&ldif).map_err(|e| format!("{e:#}"))
    }

    /// Whoever is in `admins` reads what they guard; of the other groups the directory itself says who is in.
    fn is_let_in(&self) -> Result<bool, String> {
        let (group, attribute, value) = self.group();
        let said = match attribute.as_str() {
            "member" => self.stage.server.reads_secrets(&value),
            _ => self.stage.server.values(&group, &attribute).map(|all| all.contains(&value)),
        };
        said.map_err(|e| format!("{e:#}"))
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
        grant.issue_permit(lease, lax_permit(real_now()), real_now()).map_err(|e| e.to_string())
    }
    fn now(&self) -> Time {
        real_now()
    }
    async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    async fn use_it(&self, _given: &Given) -> Result<Used, String> {
        Ok(if self.is_let_in()? { Used::Accepted } else { Used::Refused { why: "not let in".to_owned() } })
    }
    async fn open(&self, _given: &Given) -> Result<Box<dyn Live>, String> {
        Ok(Box::new(Reader(self.is_let_in()?)))
    }
    async fn give_past_wane(&self) -> Result<(), String> {
        self.past("add")
    }
    async fn take_past_wane(&self) -> Result<(), String> {
        self.past("delete")
    }
}

async fn passes(stage: Stage, role: Role) {
    let holder = stage.person("alice");
    let subject = Real { stage, role, holder, grants: Mutex::default() };
    let report = run(&subject).await.unwrap();
    assert!(report.shown.len() >= 10, "{report:#?}");
    assert!(report.logins_refused_after.is_some() && report.session_cut_after.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kind_passes_the_kit() {
    let stage = Stage::usual();
    let role = stage.admins();
    passes(stage, role).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kind_passes_the_kit_with_every_sort_of_group() {
    for (group, attribute) in [(UNIQUE, "uniqueMember"), (POSIX, "memberUid")] {
        let stage = Stage::usual();
        let role = stage.role(group, attribute);
        passes(stage, role).await;
    }
}
