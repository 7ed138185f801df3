//! A deployment in a temporary folder: the real use-cases on the real store, one administrator.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use wane_app::{App, Parts};
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_connector::{Kind, Registry};
use wane_domain::ambient::Ambient;
use wane_domain::directory::{Group, Person, Standing};
use wane_domain::time::Span;
use wane_domain::world::PolicyVersion;
use wane_http::Limits;
use wane_keys::envelope::Keyring;
use wane_keys::password::Cost;
use wane_keys::seal::{Seal, SealName};
use wane_keys::token::Pepper;
use wane_policy::set::PolicySet;
use wane_store::{Commit, Put, Store, Write};
use wane_store_sql::{Founding, SqlStore};
use wane_testkit::FakeClock;

use crate::paper::Paper;

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
@id("staff-read")
@description("staff read what is on paper once an administrator has agreed")
@max_ttl("1h")
@approve("1 of group:admins")
permit (principal in Group::"staff", action == Action::"access", resource is Paper) when { context.role == "read" };
@id("whoever-is-asked-may-approve")
permit (principal, action == Action::"approve", resource);
@id("everybody-sees-their-own")
permit (principal, action in [Action::"read_directory", Action::"simulate"], resource is Person) when { principal == resource };
"#;

pub(crate) const PASSWORD: &str = "a long enough passphrase";

pub(crate) struct House {
    pub(crate) router: Router,
    pub(crate) app: Arc<App>,
    pub(crate) stop: CancellationToken,
    pub(crate) clock: Arc<FakeClock>,
    /// The administrator's session.
    pub(crate) token: String,
    writer: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Drop for House {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl House {
    #[expect(clippy::disallowed_methods, reason = "the writer of one test")]
    pub(crate) async fn built() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = FakeClock::at("2026-11-21T09:00:00Z".parse().unwrap());
        let ambient = clock.ambient(7);
        let now = ambient.now();
        let org = ambient.id();
        let policy = PolicyVersion {
            version: 1,
            digest: PolicySet::digest_of(POLICY),
            text: POLICY.to_owned(),
            by: None,
            at: now,
        };
        let founding = Founding { org, policy, event: ambient.id() };
        let (store, writer) = SqlStore::open(&folder.path().join("wane.db"), founding).await.unwrap();
        let writer = tokio::spawn(writer.run());
        let admin = Person {
            id: ambient.id(),
            name: "ada".parse().unwrap(),
            display: "Ada".parse().unwrap(),
            manager: None,
            attributes: std::collections::BTreeMap::new(),
            standing: Standing::Active,
            since: now,
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
            at: now,
            actor: Actor::System,
            event: "house.built".to_owned(),
            outcome: Outcome::Done,
            about: Subjects::default(),
            detail: Value::Null,
        };
        let writes = vec![Write::Person(Put::new(admin.clone())), Write::Group(Put::new(admins))];
        store.commit(Commit::new(writes, vec![record]).unwrap()).await.unwrap();

        let ring = |name: SealName, ambient: &Ambient| {
            let seal = Seal::open_machine(name, &folder.path().join("seals").join(name.as_str()), ambient).unwrap();
            Keyring::create(&seal, org, ambient).unwrap().0
        };
        let app = App::new(Parts {
            store: Arc::new(store),
            kinds: Registry::new([Arc::new(Paper::default()) as Arc<dyn Kind>]),
            org,
            ends: ring(SealName::Ends, &ambient),
            issuing: ring(SealName::Issuing, &ambient),
            pepper: Pepper::new(&Pepper::generate(&ambient)).unwrap(),
            cost: Cost::WeakForTests,
            zone: jiff::tz::TimeZone::UTC,
            limits: wane_app::Limits::default(),
            public_url: "http://wane.example".to_owned(),
            ambient,
        })
        .unwrap();
        let app = Arc::new(app);
        let (code, _) = app.first_code(admin.id).await.unwrap();
        let stop = CancellationToken::new();
        let limits = Limits { body: 4096, streams: 1, ..Limits::default() };
        let router = wane_http::router(Arc::clone(&app), &limits, stop.clone());
        let mut house = Self { router, app, stop, clock, token: String::new(), writer, _folder: folder };
        house.token = house.enrolled("ada", code.reveal().as_str()).await;
        house
    }

    /// Sets up somebody's sign-in and signs them in; returns their token.
    pub(crate) async fn enrolled(&self, name: &str, code: &str) -> String {
        let said = self.call("POST", "/v1/enrolments", None, None, json!({ "code": code, "password": PASSWORD })).await;
        assert_eq!(said.status, StatusCode::CREATED, "{said:?}");
        let totp = totp_rs::Totp::from_url(said.body["otpauth_url"].as_str().unwrap()).ok().unwrap();
        // No code is good twice.
        let now = self.clock.advance(Span::from_secs(60)).seconds();
        let code = totp.generate(u64::try_from(now).unwrap()).to_string();
        let input = json!({ "person": name, "password": PASSWORD, "totp": code });
        let said = self.call("POST", "/v1/sessions", None, None, input).await;
        assert_eq!(said.status, StatusCode::CREATED, "{said:?}");
        said.body["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn get(&self, path: &str) -> Said {
        self.call("GET", path, Some(&self.token), None, Value::Null).await
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        key: Option<&str>,
        body: Value,
    ) -> Said {
        let response = self.open(method, path, token, key, body).await;
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Said { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn open(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        key: Option<&str>,
        body: Value,
    ) -> Response {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap()
    }
}
