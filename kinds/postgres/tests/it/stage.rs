//! A server set up as an administrator would, and the grants tests work under.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use wane_connector::{Created, Effects, EndOutcome, Kind, Presence, Target};
use wane_domain::ambient::Ambient;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::grant::Grant;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::{Lease, LeaseData, LeaseEvent, LeaseKind};
use wane_domain::request::AskItem;
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};
use wane_kind_postgres::{PostgresKind, Setup, setup_sql};
use wane_testkit::{FakeClock, Outcome, Postgres, PostgresBuilder, hold, lax_permit, plain_ask};

pub(crate) const SOON: Duration = Duration::from_secs(30);
const CONNECTOR_PASSWORD: &str = "the connector's own";

pub(crate) struct Stage {
    pub(crate) server: Postgres,
    pub(crate) kind: PostgresKind,
    pub(crate) resource: Resource,
    pub(crate) ambient: Ambient,
    pub(crate) secret: Secret,
}

/// The machine's own time: the server compares it with its own.
#[expect(clippy::disallowed_methods, reason = "VALID UNTIL is judged by the real server's clock")]
pub(crate) fn real_now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time::from_micros(i64::try_from(since.as_micros()).unwrap())
}

impl Stage {
    /// Databases `app` and `other`; in `app` a table `t` and the group role `readers` that may read it.
    pub(crate) fn set(builder: PostgresBuilder) -> Self {
        let server = builder.start().unwrap();
        server.create_database("app").unwrap();
        server.create_database("other").unwrap();
        server
            .psql(
                "app",
                "CREATE ROLE readers; CREATE TABLE t(x int); INSERT INTO t VALUES (42); GRANT SELECT ON t TO readers",
            )
            .unwrap();
        let setup = Setup {
            connector: "wane",
            reassign_to: "wane_left_behind",
            groups: &["readers"],
            databases: &["app", "other"],
        };
        let sql = setup_sql(&setup).unwrap().replace("\\connect \"app\"", "");
        let (first, second) = sql.split_once("\\connect \"other\"").unwrap();
        server.psql("app", first).unwrap();
        server.psql("other", second).unwrap();
        server.psql("app", &format!("ALTER ROLE wane PASSWORD '{}'", CONNECTOR_PASSWORD.replace('\'', "''"))).unwrap();

        let ambient = FakeClock::at(real_now()).ambient(7);
        let kind = PostgresKind::new(ambient.clone());
        let settings = json!({
            "address": format!("127.0.0.1:{}", server.port()),
            "user": "wane",
            "databases": ["app", "other"],
            "tls": { "ca_pem": server.ca_pem().unwrap() },
        });
        let resource = Resource {
            id: ambient.id(),
            name: "orders".parse().unwrap(),
            kind: "postgres".parse().unwrap(),
            labels: BTreeMap::new(),
            owner: None,
            settings: kind.settings(&settings).unwrap(),
            since: real_now(),
        };
        Self { server, kind, resource, ambient, secret: Secret::new(CONNECTOR_PASSWORD.as_bytes().to_vec()) }
    }

    pub(crate) fn usual() -> Self {
        Self::set(Postgres::builder())
    }

    pub(crate) fn target(&self) -> Target<'_> {
        Target { resource: &self.resource, credential: Some(&self.secret), now: real_now() }
    }

    pub(crate) fn role(&self, definition: &Value) -> Role {
        Role {
            id: self.ambient.id(),
            name: "readonly".parse().unwrap(),
            kind: "postgres".parse().unwrap(),
            description: "reads".parse().unwrap(),
            definition: self.kind.definition(definition).unwrap(),
            since: real_now(),
        }
    }

    pub(crate) fn readers(&self) -> Role {
        self.role(&json!({ "member_of": ["readers"] }))
    }

    /// A grant and its lease as the use-cases would mint them.
    pub(crate) fn lease(&self, role: &Role) -> Granted {
        let now = real_now();
        let item =
            AskItem { resource: self.resource.id, role: role.id, role_digest: role.digest().unwrap(), task: None };
        let ask = plain_ask(&self.ambient, item, Span::from_mins(10));
        let held = hold(&self.ambient, ask, "postgres", LeaseKind::Account, now);
        let (grant, lease) = (held.grant, held.lease);
        Granted { grant, lease, role: role.clone(), password: String::new() }
    }

    /// Makes the account of a new lease.
    pub(crate) async fn account(&self, role: &Role) -> Granted {
        let mut granted = self.lease(role);
        let created = self.create(&granted).await.unwrap();
        granted.made(created);
        granted
    }

    pub(crate) async fn create(&self, granted: &Granted) -> Result<Created, wane_connector::ConnectError> {
        self.kind.effects().create(&self.target(), &granted.role, &granted.lease, granted.permit()).await
    }

    pub(crate) async fn end(&self, granted: &Granted) -> EndOutcome {
        self.try_end(granted).await.unwrap()
    }

    pub(crate) async fn try_end(&self, granted: &Granted) -> Result<EndOutcome, wane_connector::ConnectError> {
        self.kind.effects().end(&self.target(), &granted.lease).await
    }

    /// A session as the connector itself.
    pub(crate) fn connector(&self) -> wane_testkit::Interactive {
        self.server.client("wane", CONNECTOR_PASSWORD, "app").open().unwrap()
    }

    pub(crate) async fn presence(&self, granted: &Granted) -> Presence {
        self.kind.effects().read_back(&self.target(), &granted.lease).await.unwrap()
    }

    /// Ends it and proves that nothing is left.
    pub(crate) async fn end_for_good(&self, granted: &Granted) {
        assert_eq!(self.end(granted).await, EndOutcome::Done);
        let presence = self.presence(granted).await;
        assert!(matches!(presence, Presence::Absent { .. }), "{presence:?}");
    }

    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        self.server.psql(database, sql).unwrap()
    }

    pub(crate) fn sql_as(&self, granted: &Granted, database: &str, sql: &str) -> Outcome {
        self.server.psql_as(&granted.lease.artifact, &granted.password, database, sql).unwrap()
    }

    pub(crate) fn effects(&self) -> std::sync::Arc<dyn Effects> {
        self.kind.effects()
    }
}

pub(crate) struct Granted {
    pub(crate) grant: Grant,
    pub(crate) lease: Lease,
    pub(crate) role: Role,
    pub(crate) password: String,
}

impl Granted {
    pub(crate) fn permit(&self) -> IssuePermit {
        let now = real_now();
        self.grant.issue_permit(&self.lease, lax_permit(now), now).unwrap()
    }

    pub(crate) fn made(&mut self, created: Created) {
        let made = LeaseEvent::Made { object: created.object, notes: created.notes };
        self.lease = self.lease.clone().apply(made, real_now()).unwrap().0;
        self.password = created.handed.secret.unwrap().reveal().to_string();
    }

    pub(crate) fn name(&self) -> &str {
        &self.lease.artifact
    }

    pub(crate) fn oid(&self) -> &str {
        self.lease.object.as_deref().unwrap()
    }

    pub(crate) fn data(&self) -> &LeaseData {
        &self.lease
    }
}
