//! Whom to believe, for how long, and what is said when a server does not answer.

use std::time::Duration;

use serde_json::json;
use wane_connector::{Artifact, ConnectError, EndOutcome, Kind, Presence};
use wane_domain::time::Span;
use wane_testkit::Postgres;

use crate::stage::{Stage, real_now};

/// The effects' own bound and some more.
const BOUND: Duration = Duration::from_secs(25);

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_unreachable_within_the_bound() {
    let mut stage = Stage::usual();
    let account = stage.account(&stage.readers()).await;
    stage.server.pause();
    let created = tokio::time::timeout(BOUND, stage.create(&account)).await.unwrap();
    let presence =
        tokio::time::timeout(BOUND, stage.effects().read_back(&stage.target(), account.data())).await.unwrap();
    let ended = tokio::time::timeout(BOUND, stage.try_end(&account)).await.unwrap();
    stage.server.resume();
    assert!(matches!(created, Err(ConnectError::Unreachable { .. })), "{created:?}");
    assert!(matches!(presence, Err(ConnectError::Unreachable { .. })), "{presence:?}");
    assert!(matches!(ended, Err(ConnectError::Unreachable { .. })), "{ended:?}");

    stage.server.stop().unwrap();
    let ended = stage.try_end(&account).await;
    assert!(matches!(&ended, Err(ConnectError::Unreachable { why, .. }) if why.contains("refused")), "{ended:?}");
    stage.server.start().unwrap();
    stage.end_for_good(&account).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_pinned_server_is_talked_to() {
    let mut stage = Stage::usual();
    let other = Postgres::launch().unwrap();
    let pin = spki(&stage.server);
    let address = stage.resource.settings["address"].clone();
    for (tls, trusted) in [
        (json!({ "spki_sha256": pin }), true),
        (json!({ "spki_sha256": pin, "ca_pem": stage.server.ca_pem().unwrap() }), true),
        (json!({ "spki_sha256": spki(&other) }), false),
        (json!({ "ca_pem": other.ca_pem().unwrap() }), false),
        (json!({ "spki_sha256": spki(&other), "ca_pem": stage.server.ca_pem().unwrap() }), false),
    ] {
        let settings = json!({ "address": address, "user": "wane", "databases": ["app"], "tls": tls });
        stage.resource.settings = stage.kind.settings(&settings).unwrap();
        let asked = stage.effects().clock_skew(&stage.target()).await;
        match asked {
            Ok(Some(skew)) => assert!(trusted && skew.abs() < 5, "{tls}: {skew}"),
            Err(ConnectError::Trust { .. }) => assert!(!trusted, "{tls}"),
            unexpected => panic!("{tls}: {unexpected:?}"),
        }
    }
}

fn spki(server: &Postgres) -> String {
    let script = format!(
        "openssl s_client -starttls postgres -connect 127.0.0.1:{} </dev/null 2>/dev/null | openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | sha256sum",
        server.port()
    );
    let out = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    String::from_utf8(out.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_connector_password_is_a_matter_of_trust() {
    let mut stage = Stage::usual();
    stage.secret = wane_domain::secret::Secret::new(b"wrong".to_vec());
    let said = stage.effects().inventory(&stage.target()).await.unwrap_err();
    assert!(matches!(said, ConnectError::Trust { .. }), "{said:?}");
    assert!(!said.to_string().contains("wrong"));
}

#[test]
fn settings_are_read_strictly() {
    let kind = wane_kind_postgres::PostgresKind::new(wane_testkit::FakeClock::at(real_now()).ambient(1));
    let base = json!({ "address": "db:5432", "user": "wane", "databases": ["app"], "tls": { "spki_sha256": "00".repeat(32) } });
    let with = |more: serde_json::Value| {
        let mut settings = base.clone();
        for (key, value) in more.as_object().unwrap() {
            match value {
                serde_json::Value::Null => drop(settings.as_object_mut().unwrap().remove(key)),
                value => settings[key] = value.clone(),
            }
        }
        settings
    };
    for (given, expected) in [
        (with(json!({})), ""),
        (with(json!({ "address": "[::1]:5432" })), ""),
        (with(json!({ "address": null, "tls": null, "socket": "/run/postgresql" })), ""),
        (with(json!({ "adress": "x:1" })), "did you mean `address`?"),
        (with(json!({ "tls": { "mode": "prefer" } })), "`mode` is unknown"),
        (with(json!({ "tls": null })), "no plaintext mode"),
        (with(json!({ "tls": {} })), "`ca_pem`"),
        (with(json!({ "tls": { "ca_pem": "no" } })), "no certificate"),
        (with(json!({ "tls": { "spki_sha256": "00" } })), "64 hexadecimal digits"),
        (with(json!({ "socket": "/run" })), "not both"),
        (with(json!({ "address": "db" })), "not host:port"),
        (with(json!({ "address": "a b:1" })), "not host:port"),
        (with(json!({ "databases": [] })), "at least one database"),
        (with(json!({ "databases": ["x".repeat(64)] })), "cut it at 63"),
        (with(json!({ "reassign_to": "wane" })), "must not be the connector"),
    ] {
        let said = kind.settings(&given).map(|normal| {
            assert_eq!(kind.settings(&normal).unwrap(), normal, "the normal form is its own");
            String::new()
        });
        let said = said.unwrap_or_else(|e| e.to_string());
        assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{given}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_the_server_keeps_is_moved_with_the_lease() {
    let stage = Stage::usual();
    let mut account = stage.account(&stage.readers()).await;
    let until = format!(
        "SELECT (extract(epoch FROM rolvaliduntil) * 1000000)::int8 FROM pg_roles WHERE oid = {}",
        account.oid()
    );
    assert_eq!(stage.sql("app", &until), account.lease.end.micros().to_string());
    let end = account.lease.end.plus(Span::from_mins(5));
    account.lease = account.lease.clone().apply(wane_domain::lease::LeaseEvent::Moved { end }, real_now()).unwrap().0;
    stage.effects().extend(&stage.target(), account.data()).await.unwrap();
    assert_eq!(stage.sql("app", &until), end.micros().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inventory_lists_ours_orphans_and_standing_privilege() {
    let stage = Stage::usual();
    stage.sql("app", "CREATE ROLE alice LOGIN; GRANT readers TO alice; GRANT SELECT ON t TO alice; CREATE ROLE root2 LOGIN SUPERUSER");
    let orphan = stage.account(&stage.readers()).await;
    stage.sql("app", "CREATE ROLE wane_00000000000000000000000000");
    let inventory = stage.effects().inventory(&stage.target()).await.unwrap();
    assert_eq!(inventory.marked.len(), 1, "{inventory:?}");
    let found = inventory.marked.first().unwrap();
    assert_eq!((found.name.as_str(), found.object.as_deref()), (orphan.name(), Some(orphan.oid())));
    let rights: Vec<String> = inventory.standing.iter().map(|s| format!("{}: {}", s.principal, s.right)).collect();
    for expected in
        ["alice: member of readers", "alice: has rights on 1 objects", "root2: superuser", "postgres: superuser"]
    {
        assert!(rights.iter().any(|r| r == expected), "{expected} is not in {rights:#?}");
    }
    assert!(!rights.iter().any(|r| r.starts_with("wane")), "{rights:#?}");
    assert!(inventory.findings.iter().any(|f| f.contains("wane_0000")), "{:?}", inventory.findings);

    // Only what is marked is removed.
    let stranger = Artifact { name: "alice".into(), object: None, detail: String::new() };
    assert!(matches!(
        stage.effects().remove_orphan(&stage.target(), &stranger).await.unwrap(),
        EndOutcome::Quarantined { .. }
    ));
    assert_eq!(stage.effects().remove_orphan(&stage.target(), found).await.unwrap(), EndOutcome::Done);
    assert!(matches!(stage.presence(&orphan).await, Presence::Absent { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_fails_half_way_leaves_nothing() {
    let stage = Stage::usual();
    // The grant in the second database comes after the account was committed, and is refused.
    stage.sql("other", "CREATE TABLE secret(x int)");
    let role = stage.role(&json!({"member_of": ["readers"], "grants": [{"database": "other", "on": "table", "schema": "public", "name": "secret", "privileges": ["SELECT"]}]}));
    let intended = stage.lease(&role);
    let said = stage.create(&intended).await.unwrap_err().to_string();
    assert!(said.contains("permission denied") || said.contains("GRANT OPTION"), "{said}");
    assert!(stage.server.log().unwrap().contains(&format!("CREATE ROLE \"{}\"", intended.name())));
    assert!(matches!(stage.presence(&intended).await, Presence::Absent { .. }));

    // A permit for another definition of the role is refused before anything is touched.
    let mut redefined = stage.lease(&stage.readers());
    redefined.role.definition = role.definition.clone();
    let said = stage.create(&redefined).await.unwrap_err().to_string();
    assert!(said.contains("permit"), "{said}");
}

/// The statements all succeed, and the account is not what was asked for: it is not handed out.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_came_out_otherwise_is_not_handed_out() {
    let stage = Stage::usual();
    stage.sql("app", "CREATE ROLE writers");
    for (spoil, word) in
        [("GRANT writers TO \"%\"", "its memberships"), ("ALTER ROLE \"%\" CREATEDB", "its attributes")]
    {
        let account = stage.account(&stage.readers()).await;
        stage.sql("app", &spoil.replace('%', account.name()));
        let said = stage.create(&account).await.unwrap_err().to_string();
        assert!(said.contains("read back") && said.contains(word), "{said}");
        // What came out otherwise is not left standing either.
        stage.end_for_good(&account).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_a_transport_of_its_own() {
    let mut stage = Stage::usual();
    let folder = stage.server.ca_path().parent().unwrap().join("sockets");
    let settings = json!({ "socket": folder, "port": stage.server.port(), "user": "wane", "databases": ["app"] });
    stage.resource.settings = stage.kind.settings(&settings).unwrap();
    let account = stage.account(&stage.readers()).await;
    assert!(stage.sql_as(&account, "app", "SELECT x FROM t").success());
    stage.end_for_good(&account).await;
    assert!(
        stage.server.log().unwrap().contains("connection authorized: user=wane database=app application_name=wane\n")
    );
}
