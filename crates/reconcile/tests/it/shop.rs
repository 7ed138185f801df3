//! A company with a real database in it.

use std::sync::Arc;

use serde_json::json;
use wane_app::{Limits, NewResource, NewRole, StoryLine};
use wane_domain::id::GrantId;
use wane_domain::secret::Secret;
use wane_domain::time::Span;
use wane_kind_postgres::{PostgresKind, Setup, setup_sql};
use wane_testkit::Postgres;

use crate::house::{House, name};
use crate::running::{SOON, by_the_clock, until};

const PASSWORD: &str = "the connector's own";
const DATABASES: &str = "@id(\"databases\") @max_ttl(\"8h\")
permit (principal in Group::\"engineers\", action == Action::\"access\", resource is Database);

";

/// A company with the database `shop` and its role `readonly`.
pub(crate) struct Shop {
    pub(crate) house: House,
    pub(crate) postgres: Postgres,
}

impl Shop {
    pub(crate) async fn new() -> Self {
        Self::of(by_the_clock().await, Limits::default().retry_cap).await
    }

    /// In a company that goes by its own clock, with the longest wait between tries.
    pub(crate) async fn of(mut house: House, retry_cap: Span) -> Self {
        let databases = Arc::new(PostgresKind::new(house.ambient.clone()));
        let limits = Limits { retry_cap, ..Limits::default() };
        house.reopen_over(Arc::new(house.store.clone()), vec![databases], limits);
        let first = "@id(\"whoever-is-asked\")";
        house.change_policy(first, &format!("{DATABASES}{first}")).await;
        Self { house, postgres: server() }
    }

    pub(crate) async fn register(&self) {
        self.register_at(self.postgres.port()).await;
    }

    /// Reached through a port that may be another than its own.
    pub(crate) async fn register_at(&self, port: u16) {
        let root = self.house.caller("root").await;
        let settings = json!({
            "address": format!("127.0.0.1:{port}"),
            "user": "wane",
            "databases": ["shop"],
            "tls": { "ca_pem": self.postgres.ca_pem().unwrap() },
        });
        let resource = NewResource {
            name: name("shop"),
            kind: name("postgres"),
            labels: std::collections::BTreeMap::new(),
            owner: None,
            settings,
            credential: Some(Secret::new(PASSWORD.into())),
        };
        self.house.app.add_resource(&root, resource).await.unwrap();
        let role = NewRole {
            name: name("readonly"),
            kind: name("postgres"),
            description: String::new().try_into().unwrap(),
            definition: json!({ "member_of": ["readers"] }),
        };
        self.house.app.add_role(&root, &role).await.unwrap();
    }

    /// Holds an account and runs something with it.
    pub(crate) async fn works(&self, who: &str, sql: &str) -> GrantId {
        let id = self.house.hold(who, "shop", "readonly", 1).await;
        let handed = self.house.hand_out(who, id).await.unwrap();
        let user = handed.public["user"].as_str().unwrap();
        let password = handed.secret.unwrap().reveal();
        let outcome = self.postgres.psql_as(user, &password, "shop", sql).unwrap();
        assert!(outcome.success(), "{outcome:?}");
        id
    }

    pub(crate) async fn returns(&self, who: &str, id: GrantId) {
        self.house.app.give_back(&self.house.caller(who).await, id).await.unwrap();
        until(&self.house, id, "closed").await;
    }

    pub(crate) async fn residue(&self, id: GrantId) -> Option<StoryLine> {
        let story = self.house.app.story(&self.house.caller("root").await, id).await.unwrap();
        let mut lines = story.lines.into_iter().filter(|line| line.record.event.starts_with("residue."));
        let line = lines.next();
        assert_eq!(lines.next().map(|line| line.record), None, "said twice");
        line
    }

    /// What is said about residue of a grant, once it is.
    pub(crate) async fn judged(&self, id: GrantId) -> StoryLine {
        wane_testkit::eventually("a scan", SOON, async || self.residue(id).await.is_some()).await.unwrap();
        self.residue(id).await.unwrap()
    }
}

fn server() -> Postgres {
    let postgres = Postgres::launch().unwrap();
    postgres.create_database("shop").unwrap();
    let before = "CREATE ROLE readers; CREATE TABLE orders (x int); GRANT SELECT ON orders TO readers";
    postgres.psql("shop", before).unwrap();
    let setup =
        Setup { connector: "wane", reassign_to: "wane_left_behind", groups: &["readers"], databases: &["shop"] };
    postgres.psql("shop", &setup_sql(&setup).unwrap().replace("\\connect \"shop\"", "")).unwrap();
    postgres.psql("shop", &format!("ALTER ROLE wane PASSWORD '{}'", PASSWORD.replace('\'', "''"))).unwrap();
    postgres
}
