//! What an ended session left behind at a real database, told in the story of its grant.

use std::sync::Arc;

use serde_json::json;
use wane_app::{App, Limits, NewResource, NewRole, Parts, StoryLine};
use wane_audit::Outcome;
use wane_connector::{Kind, Registry, Signer};
use wane_domain::ambient::Ambient;
use wane_domain::id::GrantId;
use wane_domain::lease::artifact_name;
use wane_domain::secret::Secret;
use wane_domain::time::Span;
use wane_keys::envelope::Keyring;
use wane_keys::password::Cost;
use wane_keys::seal::{Seal, SealName};
use wane_keys::signer::{LocalSigner, SignerKeys};
use wane_keys::token::Pepper;
use wane_kind_postgres::{PostgresKind, Setup, setup_sql};
use wane_kind_ssh::{HOST_CA, KRL, SshKind, USER_CA, check_user_certificate};
use wane_runtime::{OsEntropy, SystemClock};
use wane_testkit::Postgres;

use crate::gated::GatedKind;
use crate::house::{House, name};
use crate::running::{SOON, by_the_clock, run, until};

const PASSWORD: &str = "the connector's own";
const DATABASES: &str = "@id(\"databases\") @max_ttl(\"8h\")
permit (principal in Group::\"engineers\", action == Action::\"access\", resource is Database);

";

/// A company with the database `shop` and its role `readonly`.
struct Shop {
    house: House,
    postgres: Postgres,
    _folder: tempfile::TempDir,
}

impl Shop {
    async fn new() -> Self {
        let mut house = by_the_clock().await;
        let (app, folder) = app(&house).await;
        house.app = app;
        let first = "@id(\"whoever-is-asked\")";
        house.change_policy(first, &format!("{DATABASES}{first}")).await;
        Self { house, postgres: server(), _folder: folder }
    }

    async fn register(&self) {
        let root = self.house.caller("root").await;
        let settings = json!({
            "address": format!("127.0.0.1:{}", self.postgres.port()),
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
    async fn works(&self, who: &str, sql: &str) -> GrantId {
        let id = self.house.hold(who, "shop", "readonly", 1).await;
        let handed = self.house.hand_out(who, id).await.unwrap();
        let user = handed.public["user"].as_str().unwrap();
        let password = handed.secret.unwrap().reveal();
        let outcome = self.postgres.psql_as(user, &password, "shop", sql).unwrap();
        assert!(outcome.success(), "{outcome:?}");
        id
    }

    async fn returns(&self, who: &str, id: GrantId) {
        self.house.app.give_back(&self.house.caller(who).await, id).await.unwrap();
        until(&self.house, id, "closed").await;
    }

    async fn residue(&self, id: GrantId) -> Option<StoryLine> {
        let story = self.house.app.story(&self.house.caller("root").await, id).await.unwrap();
        let mut lines = story.lines.into_iter().filter(|line| line.record.event.starts_with("residue."));
        let line = lines.next();
        assert_eq!(lines.next().map(|line| line.record), None, "said twice");
        line
    }

    /// What is said about residue of a grant, once it is.
    async fn judged(&self, id: GrantId) -> StoryLine {
        wane_testkit::eventually("a scan", SOON, async || self.residue(id).await.is_some()).await.unwrap();
        self.residue(id).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_names_what_the_session_left_and_says_when_it_left_nothing() {
    let shop = Shop::new().await;
    let _engine = run(&shop.house, Span::from_hours(1));
    shop.register().await;
    // Ben is at work all the time; what carries his name is not Ann's.
    let bens = shop.works("ben", "SELECT lo_create(77)").await;

    // Who began before the first look is not judged; sooner or later one begins after it.
    let mut clean = vec![];
    let judged = loop {
        let id = shop.works("ann", "SELECT count(*) FROM orders").await;
        shop.returns("ann", id).await;
        clean.push(id);
        let mut judged = None;
        for id in &clean {
            judged = judged.or(shop.residue(*id).await);
        }
        if let Some(line) = judged {
            break line.record;
        }
        assert!(clean.len() < 100, "nobody was judged");
    };
    assert_eq!(
        (judged.event.as_str(), judged.outcome, &judged.detail["left"]),
        ("residue.scanned", Outcome::Done, &json!([]))
    );
    assert!(judged.about.grant.is_some() && judged.about.resource.is_some(), "{:?}", judged.about);

    let id = shop.works("ann", "SELECT lo_create(4242)").await;
    shop.returns("ann", id).await;
    let found = shop.judged(id).await.record;
    let lease = shop.house.leases(id).await[0].id;
    assert_eq!((found.event.as_str(), found.outcome), ("residue.found", Outcome::Failed));
    assert_eq!((found.about.grant, found.about.lease), (Some(id), Some(lease)));
    assert_eq!(found.detail["artifact"], artifact_name(lease));
    let left = found.detail["left"].as_array().unwrap();
    let told = found.detail["left"].to_string();
    assert_eq!(left.len(), 1, "{told}");
    assert!(told.contains("large object 4242") && told.contains("wane_left_behind"), "{told}");
    assert!(found.detail["note"].as_str().unwrap().contains("may belong to others"), "{}", found.detail);

    // It stands there still and is not laid at the door of whoever comes next.
    let next = shop.works("ann", "SELECT 1").await;
    shop.returns("ann", next).await;
    assert_eq!(shop.judged(next).await.record.event, "residue.scanned");
    shop.returns("ben", bens).await;
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

/// The company's use-cases with databases among the kinds.
async fn app(house: &House) -> (Arc<App>, tempfile::TempDir) {
    let ambient = Ambient::new(Arc::new(SystemClock::new()), Arc::new(OsEntropy));
    let org = house.app.world().await.unwrap().org;
    let folder = tempfile::tempdir().unwrap();
    let ring = |name, file: &str| {
        let seal = Seal::open_machine(name, &folder.path().join(file), &ambient).unwrap();
        Keyring::create(&seal, org, &ambient).unwrap().0
    };
    let keys = SignerKeys::generate(&[USER_CA, HOST_CA, KRL], &ambient);
    let signer: Arc<dyn Signer> = Arc::new(LocalSigner::new(keys, vec![(USER_CA, check_user_certificate)]).unwrap());
    let kinds: [Arc<dyn Kind>; 3] = [
        Arc::new(SshKind::new(signer)),
        Arc::new(GatedKind(Arc::clone(&house.gate))),
        Arc::new(PostgresKind::new(ambient.clone())),
    ];
    let parts = Parts {
        store: Arc::new(house.store.clone()),
        kinds: Registry::new(kinds),
        org,
        ends: ring(SealName::Ends, "ends"),
        issuing: ring(SealName::Issuing, "issuing"),
        pepper: Pepper::new(&Secret::new(vec![9; 32])).unwrap(),
        cost: Cost::WeakForTests,
        zone: jiff::tz::TimeZone::UTC,
        limits: Limits::default(),
        ambient,
    };
    (Arc::new(App::new(parts).unwrap()), folder)
}
