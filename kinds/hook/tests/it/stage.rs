//! A target with its declaration, and the grants tests work under.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde_json::{Value, json};
use wane_connector::conformance::{Given, Live, Subject, Used};
use wane_connector::{ConnectError, Created, Effects, EndOutcome, Kind, Presence, Target};
use wane_domain::ambient::Ambient;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::grant::Grant;
use wane_domain::id::LeaseId;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::{Lease, LeaseData, LeaseEvent, LeaseKind};
use wane_domain::request::AskItem;
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};
use wane_kind_hook::{HookKind, ProgramSettings};
use wane_testkit::{FakeClock, hold, lax_permit, plain_ask};

pub(crate) const CREDENTIAL: &str = "the connector's own";

/// The machine's own time: certificates and ends are judged by it.
#[expect(clippy::disallowed_methods, reason = "real servers judge by the real clock")]
pub(crate) fn real_now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time::from_micros(i64::try_from(since.as_micros()).unwrap())
}

pub(crate) struct Stage {
    pub(crate) kind: HookKind,
    pub(crate) resource: Resource,
    pub(crate) role: Role,
    pub(crate) ambient: Ambient,
    pub(crate) secret: Option<Secret>,
}

/// How programs of a folder are run in tests: by the launcher alone.
pub(crate) fn programs_in(folder: &Path) -> ProgramSettings {
    ProgramSettings {
        folder: Some(folder.to_owned()),
        launcher: (env!("CARGO_BIN_EXE_wane-hook-child").into(), vec![wane_kind_hook::confine::WORD.to_owned()]),
        without_landlock: false,
    }
}

impl Stage {
    pub(crate) fn new(settings: &Value, role: &Value, credential: Option<&str>) -> Self {
        Self::with_programs(settings, role, credential, ProgramSettings::none())
    }

    pub(crate) fn with_programs(
        settings: &Value,
        role: &Value,
        credential: Option<&str>,
        programs: ProgramSettings,
    ) -> Self {
        let ambient = FakeClock::at(real_now()).ambient(7);
        let kind = HookKind::new(ambient.clone(), programs);
        let resource = Resource {
            id: ambient.id(),
            name: "tickets".parse().unwrap(),
            kind: "hook".parse().unwrap(),
            labels: BTreeMap::new(),
            owner: None,
            settings: kind.settings(settings).unwrap(),
            since: real_now(),
        };
        let role = Role {
            id: ambient.id(),
            name: "usual".parse().unwrap(),
            kind: "hook".parse().unwrap(),
            description: "what people need".parse().unwrap(),
            definition: kind.definition(role).unwrap(),
            since: real_now(),
        };
        let secret = credential.map(|text| Secret::new(text.as_bytes().to_vec()));
        Self { kind, resource, role, ambient, secret }
    }

    pub(crate) fn target(&self) -> Target<'_> {
        Target { resource: &self.resource, credential: self.secret.as_ref(), now: real_now() }
    }

    pub(crate) fn effects(&self) -> Arc<dyn Effects> {
        self.kind.effects()
    }

    /// A grant and its lease as the use-cases would mint them.
    pub(crate) fn lease(&self) -> Granted {
        let now = real_now();
        let item = AskItem {
            resource: self.resource.id,
            role: self.role.id,
            role_digest: self.role.digest().unwrap(),
            task: None,
        };
        let held =
            hold(&self.ambient, plain_ask(&self.ambient, item, Span::from_mins(10)), "hook", LeaseKind::Account, now);
        Granted { grant: held.grant, lease: held.lease, secret: String::new(), public: Value::Null }
    }

    pub(crate) async fn create(&self, granted: &Granted) -> Result<Created, ConnectError> {
        self.effects().create(&self.target(), &self.role, &granted.lease, granted.permit()).await
    }

    /// Makes what a new lease stands for.
    pub(crate) async fn make(&self) -> Granted {
        let mut granted = self.lease();
        granted.made(self.create(&granted).await.unwrap());
        granted
    }

    pub(crate) async fn end(&self, granted: &Granted) -> Result<EndOutcome, ConnectError> {
        self.effects().end(&self.target(), &granted.lease).await
    }

    pub(crate) async fn presence(&self, granted: &Granted) -> Result<Presence, ConnectError> {
        self.effects().read_back(&self.target(), &granted.lease).await
    }

    /// Ends it and proves that nothing is left.
    pub(crate) async fn end_for_good(&self, granted: &Granted) {
        assert_eq!(self.end(granted).await.unwrap(), EndOutcome::Done);
        let presence = self.presence(granted).await.unwrap();
        assert!(matches!(presence, Presence::Absent { .. }), "{presence:?}");
    }

    pub(crate) async fn probe(&self) -> Result<Vec<Option<String>>, ConnectError> {
        let probes = self.kind.probe(&self.target(), std::slice::from_ref(&self.role)).await?;
        Ok(probes.into_iter().map(|probe| probe.problem).collect())
    }
}

pub(crate) struct Granted {
    pub(crate) grant: Grant,
    pub(crate) lease: Lease,
    pub(crate) secret: String,
    pub(crate) public: Value,
}

impl Granted {
    pub(crate) fn permit(&self) -> IssuePermit {
        let now = real_now();
        self.grant.issue_permit(&self.lease, lax_permit(now), now).unwrap()
    }

    pub(crate) fn made(&mut self, created: Created) {
        let made = LeaseEvent::Made { object: created.object, notes: created.notes };
        self.lease = self.lease.clone().apply(made, real_now()).unwrap().0;
        self.public = created.handed.public;
        self.secret = created.handed.secret.map(|secret| secret.reveal().to_string()).unwrap_or_default();
    }

    pub(crate) fn name(&self) -> &str {
        &self.lease.artifact
    }
}

/// How what is handed out is used at a target.
#[async_trait]
pub(crate) trait Use: Send + Sync {
    async fn use_it(&self, name: &str, secret: &str) -> Result<Used, String>;
    async fn open(&self, name: &str, secret: &str) -> Result<Box<dyn Live>, String>;
}

/// A stage as the kit sees it.
pub(crate) struct Real<U> {
    pub(crate) stage: Stage,
    pub(crate) using: U,
    grants: Mutex<Vec<(LeaseId, Grant, Lease)>>,
}

impl<U> Real<U> {
    pub(crate) fn new(stage: Stage, using: U) -> Self {
        Self { stage, using, grants: Mutex::default() }
    }
}

#[async_trait]
impl<U: Use> Subject for Real<U> {
    fn kind(&self) -> &dyn Kind {
        &self.stage.kind
    }
    fn target(&self) -> Target<'_> {
        self.stage.target()
    }
    fn role(&self) -> &Role {
        &self.stage.role
    }
    fn lease(&self) -> Result<LeaseData, String> {
        let granted = self.stage.lease();
        let data = (*granted.lease).clone();
        self.grants.lock().unwrap().push((data.id, granted.grant, granted.lease));
        Ok(data)
    }
    fn permit(&self, lease: &LeaseData) -> Result<IssuePermit, String> {
        let grants = self.grants.lock().unwrap();
        let (_, grant, lease) = grants.iter().find(|(id, ..)| *id == lease.id).ok_or("no such lease")?;
        let now = real_now();
        grant.issue_permit(lease, lax_permit(now), now).map_err(|e| e.to_string())
    }
    fn now(&self) -> Time {
        real_now()
    }
    async fn pause(&self) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    async fn use_it(&self, given: &Given) -> Result<Used, String> {
        self.using.use_it(name(given)?, &given.secret).await
    }
    async fn open(&self, given: &Given) -> Result<Box<dyn Live>, String> {
        self.using.open(name(given)?, &given.secret).await
    }
}

fn name(given: &Given) -> Result<&str, String> {
    given.public.get("name").and_then(Value::as_str).ok_or_else(|| "no name was handed out".to_owned())
}

/// A small declaration that has everything, for a simulator that lists things under `/things`.
pub(crate) fn things(port: u16) -> Value {
    json!({
        "of": "things", "hands_out": "a token", "url": format!("http://127.0.0.1:{port}/"),
        "auth": { "as": "header", "name": "x-key" },
        "residual": { "logins_secs": 1 },
        "create": { "path": "/things", "json": { "name": "{name}" }, "id": { "at": "/id" }, "secret": { "at": "/token" } },
        "revoke": { "path": "/things/{id}" },
        "verify_absent": { "path": "/things/{id}" },
        "inventory": { "path": "/things", "items": "", "name": { "at": "/name" }, "id": "/id" },
        "extend": { "method": "PUT", "path": "/things/{id}", "json": { "until": "{end.unix}" } },
    })
}

pub(crate) fn thing() -> Value {
    json!({ "of": "things" })
}
