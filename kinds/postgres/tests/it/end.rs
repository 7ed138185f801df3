//! What an account can leave behind, and that it does not.

use serde_json::json;
use wane_connector::{EndOutcome, Kind, Presence};

use crate::stage::{SOON, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_lives_and_is_gone() {
    let stage = Stage::usual();
    let account = stage.account(&stage.readers()).await;
    assert_eq!(stage.sql_as(&account, "app", "SELECT x FROM t").into_stdout().unwrap(), "42");
    assert!(matches!(stage.presence(&account).await, Presence::Present { .. }));
    stage.end_for_good(&account).await;
    assert!(!stage.sql_as(&account, "app", "SELECT 1").success());
    // Any number of times.
    stage.end_for_good(&account).await;
    // And what was only intended.
    stage.end_for_good(&stage.lease(&stage.readers())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_of_any_number_of_rounds_lets_its_password_in() {
    let mut stage = Stage::usual();
    for rounds in [1, 4_096, 10_000] {
        let mut settings = stage.resource.settings.clone();
        settings["scram_iterations"] = json!(rounds);
        stage.resource.settings = stage.kind.settings(&settings).unwrap();
        let account = stage.account(&stage.readers()).await;
        let kept = stage.sql("app", &format!("SELECT rolpassword FROM pg_authid WHERE oid = {}", account.oid()));
        assert!(kept.starts_with(&format!("SCRAM-SHA-256${rounds}:")), "{kept}");
        assert_eq!(stage.sql_as(&account, "app", "SELECT x FROM t").into_stdout().unwrap(), "42");
        stage.end_for_good(&account).await;
    }
    for wrong in [0, 100_001] {
        let mut settings = stage.resource.settings.clone();
        settings["scram_iterations"] = json!(wrong);
        assert!(stage.kind.settings(&settings).is_err(), "{wrong} was taken");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_sessions_are_cut_also_after_set_role() {
    let stage = Stage::usual();
    let account = stage.account(&stage.readers()).await;
    let mut sessions = Vec::new();
    for first in ["SELECT 'ready';", "SET ROLE readers; SELECT 'ready';"] {
        let mut session = stage.server.client(account.name(), &account.password, "app").open().unwrap();
        session.send_line(first).unwrap();
        session.wait_for("ready", SOON).unwrap();
        session.send_line("SELECT x FROM t;").unwrap();
        session.wait_for("42", SOON).unwrap();
        session.send_line("SELECT pg_sleep(600);").unwrap();
        sessions.push(session);
    }
    stage.end_for_good(&account).await;
    for session in sessions {
        let outcome = session.wait_exit(SOON).unwrap();
        assert!(outcome.stderr.contains("terminating connection"), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_outlived_its_role_is_found_by_oid_and_cut() {
    let stage = Stage::usual();
    let account = stage.account(&stage.readers()).await;
    let mut session = stage.server.client(account.name(), &account.password, "app").open().unwrap();
    session.send_line("SET ROLE readers; SELECT 'ready';").unwrap();
    session.wait_for("ready", SOON).unwrap();
    stage.sql("app", &format!("DROP ROLE {}", account.name()));
    // The very thing: the role is gone and its session reads on.
    session.send_line("SELECT x FROM t;").unwrap();
    session.wait_for("42", SOON).unwrap();
    let presence = stage.presence(&account).await;
    assert!(matches!(&presence, Presence::Present { seen } if seen.contains("1 sessions")), "{presence:?}");
    stage.end_for_good(&account).await;
    // Idle, psql only looks at its connection when it is asked for something.
    session.send_line("SELECT x FROM t;").unwrap();
    assert!(session.wait_exit(SOON).unwrap().stderr.contains("terminating connection"));
}

/// Eight kinds of objects, hostile names among them.
const MAKE: &str = "CREATE TABLE s.\"it's \"\" a table\"(a serial PRIMARY KEY); CREATE SEQUENCE s.sq; \
    CREATE VIEW s.v AS SELECT * FROM s.\"it's \"\" a table\"; \
    CREATE FUNCTION s.f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; \
    CREATE TYPE s.ty AS ENUM ('a'); CREATE SCHEMA \"x\"\"; drop schema s cascade; --\"; SELECT lo_create(4242); \
    ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO PUBLIC; \
    CREATE MATERIALIZED VIEW s.mv AS SELECT 1; CREATE DOMAIN s.d AS int";

#[tokio::test(flavor = "multi_thread")]
async fn owned_objects_of_every_kind_in_two_databases_are_given_away() {
    let stage = Stage::usual();
    for database in ["app", "other"] {
        stage.sql(database, "CREATE SCHEMA s; GRANT USAGE, CREATE ON SCHEMA s TO wane WITH GRANT OPTION");
        stage.sql(database, &format!("GRANT CREATE ON DATABASE {database} TO wane WITH GRANT OPTION"));
    }
    let grants: Vec<_> = ["app", "other"]
        .into_iter()
        .flat_map(|db| {
            [
                json!({"database": db, "on": "schema", "schema": "s", "privileges": ["USAGE", "CREATE"]}),
                json!({"database": db, "on": "database", "privileges": ["CREATE"]}),
            ]
        })
        .collect();
    let before = stage.effects().traces(&stage.target()).await.unwrap();
    let account = stage.account(&stage.role(&json!({ "grants": grants }))).await;
    for database in ["app", "other"] {
        let made = stage.sql_as(&account, database, MAKE);
        assert!(made.success(), "{made:?}");
    }
    stage.end_for_good(&account).await;

    for database in ["app", "other"] {
        let owner = |what: &str| stage.sql(database, what);
        assert_eq!(owner("SELECT tableowner FROM pg_tables WHERE schemaname = 's'"), "wane_left_behind");
        assert_eq!(owner("SELECT count(*) FROM pg_default_acl"), "0");
        assert_eq!(owner("SELECT lomowner::regrole FROM pg_largeobject_metadata WHERE oid = 4242"), "wane_left_behind");
        // Nothing left behind runs with its owner's rights.
        assert_eq!(
            owner("SELECT prosecdef FROM pg_proc WHERE proname = 'f' AND pronamespace = 's'::regnamespace"),
            "f"
        );
        assert_eq!(owner("SELECT reloptions FROM pg_class WHERE oid = 's.v'::regclass"), "{security_invoker=true}");
    }
    // The quarantine role holds nothing but what it owns, and nobody's rights.
    assert_eq!(
        stage.sql("app", "SELECT count(*) FROM pg_auth_members WHERE member = 'wane_left_behind'::regrole"),
        "0"
    );

    let after = stage.effects().traces(&stage.target()).await.unwrap();
    let left: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
    for what in [
        "it's \"\" a table",
        "sequence s.sq",
        "view s.v",
        "function s.f()",
        "type s.ty",
        "large object 4242",
        "in database other",
    ] {
        assert!(left.iter().any(|line| line.contains(what)), "{what} is not in {left:#?}");
    }
    assert!(!left.iter().any(|line| line.contains(account.name())), "{left:#?}");
    let inventory = stage.effects().inventory(&stage.target()).await.unwrap();
    assert!(
        inventory.findings.iter().any(|f| f.contains("left behind") && f.contains("s.sq")),
        "{:#?}",
        inventory.findings
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn prepared_transactions_are_rolled_back() {
    let stage = Stage::usual();
    stage.sql("other", "GRANT CREATE ON SCHEMA public TO wane WITH GRANT OPTION; GRANT USAGE ON SCHEMA public TO wane WITH GRANT OPTION");
    let role = stage.role(&json!({"grants": [{"database": "other", "on": "schema", "schema": "public", "privileges": ["USAGE", "CREATE"]}]}));
    let account = stage.account(&role).await;
    let prepared = stage.sql_as(&account, "other", "BEGIN; CREATE TABLE p(x int); PREPARE TRANSACTION 'it''s; \"x\"'");
    assert!(prepared.success(), "{prepared:?}");
    let traces = stage.effects().traces(&stage.target()).await.unwrap();
    assert!(
        traces.iter().any(|line| line.contains("prepared transaction") && line.contains(account.name())),
        "{traces:#?}"
    );
    stage.end_for_good(&account).await;
    assert_eq!(stage.sql("other", "SELECT count(*) FROM pg_prepared_xacts"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_dropped_is_harmless_and_said() {
    let stage = Stage::usual();
    let account = stage.account(&stage.readers()).await;
    // Somebody else gives it a right that the connector cannot take away.
    stage.sql("app", &format!("GRANT SELECT ON t TO {}", account.name()));
    let outcome = stage.end(&account).await;
    let EndOutcome::Quarantined { why } = &outcome else { panic!("{outcome:?}") };
    assert!(why.contains("privileges for table public.t"), "{why}");
    assert!(!stage.sql_as(&account, "app", "SELECT 1").success());
    let harmless = format!(
        "SELECT rolcanlogin, (SELECT count(*) FROM pg_auth_members WHERE member = r.oid) FROM pg_roles r WHERE oid = {}",
        account.oid()
    );
    assert_eq!(stage.sql("app", &harmless), "f|0");
    assert!(matches!(stage.presence(&account).await, Presence::Present { .. }));
    stage.sql("app", &format!("REVOKE SELECT ON t FROM {}", account.name()));
    stage.end_for_good(&account).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_no_connections_quarantines() {
    let stage = Stage::usual();
    stage.sql("other", "GRANT USAGE ON SCHEMA public TO wane WITH GRANT OPTION");
    let role = stage
        .role(&json!({"grants": [{"database": "other", "on": "schema", "schema": "public", "privileges": ["USAGE"]}]}));
    let account = stage.account(&role).await;
    stage.sql("app", "ALTER DATABASE other ALLOW_CONNECTIONS false");
    let outcome = stage.end(&account).await;
    let EndOutcome::Quarantined { why } = &outcome else { panic!("{outcome:?}") };
    assert!(why.contains("database `other`"), "{why}");
    stage.sql("app", "ALTER DATABASE other ALLOW_CONNECTIONS true");
    stage.end_for_good(&account).await;
}
