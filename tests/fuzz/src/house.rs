//! A deployment with no socket in front: the real routes, use-cases and store, one administrator, and
//! a host nobody connects to.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use wane_app::{App, Parts};
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_connector::{Kind, Registry};
use wane_domain::ambient::Ambient;
use wane_domain::directory::{Group, Person, Standing};
use wane_domain::world::PolicyVersion;
use wane_http::Limits;
use wane_keys::envelope::Keyring;
use wane_keys::password::Cost;
use wane_keys::seal::{Seal, SealName};
use wane_keys::token::Pepper;
use wane_kind_ssh::SshKind;
use wane_policy::set::PolicySet;
use wane_store::{Commit, Put, Store, Write};
use wane_store_sql::{Founding, SqlStore};
use wane_testkit::FakeClock;

use crate::access::{NOW, SeedSigner};

const POLICY: &str = r#"
@id("admins")
permit (
  principal in Group::"admins",
  action in [
    Action::"read_directory", Action::"manage_directory", Action::"read_catalogue", Action::"manage_catalogue",
    Action::"read_policy", Action::"manage_policy",
    Action::"read_access", Action::"read_log", Action::"lock", Action::"revoke"
  ],
  resource
);
@id("deploy")
@max_ttl("1h")
@approve("1 of group:admins")
permit (principal, action == Action::"access", resource is Host) when { context.role == "deploy" };
@id("everybody-sees-their-own")
permit (principal, action in [Action::"read_directory", Action::"simulate"], resource is Person) when { principal == resource };
"#;

/// Longer is not read.
pub(crate) const LONGEST_BODY: usize = 8192;
const PASSWORD: &str = "a long enough passphrase";

pub(crate) struct House {
    runtime: Runtime,
    router: Router,
    /// The administrator's session.
    pub(crate) token: String,
    _folder: tempfile::TempDir,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl House {
    pub(crate) fn built() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // In memory, if there is such a folder: what is tried here is no disk.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let router = runtime.block_on(open(folder.path()));
        let mut house = Self { runtime, router: router.0, token: String::new(), _folder: folder };
        house.token = house.signed_in(&router.1, &router.2);
        let role = json!({ "kind": "ssh", "name": "deploy", "definition": { "principals": ["deploy"] } });
        let host =
            json!({ "name": "web", "kind": "ssh", "settings": { "address": "127.0.0.1:1", "read_back": "none" } });
        for (path, body) in [("/v1/roles", role), ("/v1/resources", host)] {
            let said = house.asked("POST", path, Some(&house.token), &[], body.to_string().into_bytes());
            assert_eq!(said.status, StatusCode::CREATED, "{}", String::from_utf8_lossy(&said.body));
        }
        house
    }

    fn signed_in(&self, code: &str, clock: &FakeClock) -> String {
        let json = |said: &Said| serde_json::from_slice::<Value>(&said.body).unwrap();
        let body = json!({ "code": code, "password": PASSWORD }).to_string().into_bytes();
        let enrolled = json(&self.asked("POST", "/v1/enrolments", None, &[], body));
        let otpauth = enrolled["otpauth_url"].as_str().unwrap();
        let totp = totp_rs::Totp::from_url(otpauth).ok().unwrap().generate(clock_seconds(clock)).to_string();
        let body = json!({ "person": "ada", "password": PASSWORD, "totp": totp }).to_string().into_bytes();
        json(&self.asked("POST", "/v1/sessions", None, &[], body))["token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn asked(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Said {
        self.tried(method, path, token, headers, body).unwrap()
    }

    /// None if no HTTP message can say this.
    pub(crate) fn tried(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Option<Said> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, value.as_bytes());
        }
        let request = request.body(Body::from(body)).ok()?;
        let router = self.router.clone();
        self.runtime.block_on(async move {
            let response = router.oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let body = to_bytes(body, 16 << 20).await.unwrap().to_vec();
            Some(Said { status: parts.status, headers: parts.headers, body })
        })
    }
}

fn clock_seconds(clock: &FakeClock) -> u64 {
    use wane_domain::ambient::Clock as _;
    u64::try_from(clock.now().seconds()).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the writer of one deployment, for as long as its process")]
async fn open(folder: &std::path::Path) -> (Router, String, Arc<FakeClock>) {
    let clock = FakeClock::at(NOW);
    let ambient = clock.ambient(7);
    let org = ambient.id();
    let digest = PolicySet::digest_of(POLICY);
    let policy = PolicyVersion { version: 1, digest, text: POLICY.to_owned(), by: None, at: NOW };
    let founding = Founding { org, policy, event: ambient.id() };
    let (store, writer) = SqlStore::open(&folder.join("wane.db"), founding).await.unwrap();
    drop(tokio::spawn(writer.run()));
    let admin = Person {
        id: ambient.id(),
        name: "ada".parse().unwrap(),
        display: "Ada".parse().unwrap(),
        manager: None,
        attributes: Default::default(),
        standing: Standing::Active,
        since: NOW,
        stay: wane_domain::directory::Stay::default(),
        kept_by: None,
    };
    let admins = Group {
        id: ambient.id(),
        name: "admins".parse().unwrap(),
        description: "".parse().unwrap(),
        members: [admin.id].into(),
        kept_by: None,
    };
    let record = Record {
        id: ambient.id(),
        org,
        at: NOW,
        actor: Actor::System,
        event: "house.built".to_owned(),
        outcome: Outcome::Done,
        about: Subjects::default(),
        detail: Value::Null,
    };
    let writes = vec![Write::Person(Put::new(admin.clone())), Write::Group(Put::new(admins))];
    store.commit(Commit::new(writes, vec![record]).unwrap()).await.unwrap();
    let ring = |name: SealName, ambient: &Ambient| {
        let seal = Seal::open_machine(name, &folder.join("seals").join(name.as_str()), ambient).unwrap();
        Keyring::create(&seal, org, ambient).unwrap().0
    };
    let kind: Arc<dyn Kind> = Arc::new(SshKind::new(SeedSigner::shared()));
    let parts = Parts {
        store: Arc::new(store),
        kinds: Registry::new([kind]),
        org,
        ends: ring(SealName::Ends, &ambient),
        issuing: ring(SealName::Issuing, &ambient),
        pepper: Pepper::new(&Pepper::generate(&ambient)).unwrap(),
        cost: Cost::WeakForTests,
        zone: jiff::tz::TimeZone::UTC,
        limits: wane_app::Limits::default(),
        public_url: "http://wane.example".to_owned(),
        ambient,
    };
    let app = Arc::new(App::new(parts).unwrap());
    let (code, _) = app.first_code(admin.id).await.unwrap();
    let limits = Limits { body: LONGEST_BODY, streams: 1, ..Limits::default() };
    (wane_http::router(app, &limits, CancellationToken::new()), code.reveal().to_string(), clock)
}
