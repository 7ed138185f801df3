//! Decision by decision: what a group role may be, and why membership and not `GRANT ON ALL`.

use serde_json::json;
use wane_connector::Kind;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_group_role_that_can_make_or_own_things_is_refused() {
    let stage = Stage::usual();
    let readers = stage.readers();
    let problem =
        async || stage.kind.probe(&stage.target(), std::slice::from_ref(&readers)).await.unwrap().remove(0).problem;
    assert_eq!(problem().await, None);
    for (broken, mended, expected) in [
        (
            "GRANT CREATE ON SCHEMA public TO readers",
            "REVOKE CREATE ON SCHEMA public FROM readers",
            "CREATE on schema public of database app",
        ),
        (
            "GRANT TEMP ON DATABASE other TO PUBLIC",
            "REVOKE TEMP ON DATABASE other FROM PUBLIC",
            "TEMPORARY on database other",
        ),
        (
            "GRANT CREATE ON DATABASE app TO readers",
            "REVOKE CREATE ON DATABASE app FROM readers",
            "CREATE on database app",
        ),
        ("CREATE TABLE o(x int); ALTER TABLE o OWNER TO readers", "DROP TABLE o", "owns table public.o"),
        (
            "CREATE FUNCTION d() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; ALTER FUNCTION d() OWNER TO readers",
            "DROP FUNCTION d()",
            "runs with its owner's rights",
        ),
        ("ALTER ROLE readers LOGIN", "ALTER ROLE readers NOLOGIN", "can log in"),
        ("REVOKE readers FROM wane", "GRANT readers TO wane WITH ADMIN OPTION", "WITH ADMIN OPTION"),
    ] {
        stage.sql("app", broken);
        let said = problem().await.unwrap_or_default();
        assert!(said.contains(expected), "{broken}: {said}");
        if !expected.contains("log in") && !expected.contains("ADMIN") {
            let findings = stage.effects().inventory(&stage.target()).await.unwrap().findings;
            assert!(findings.iter().any(|f| f.contains(expected)), "{broken}: {findings:?}");
        }
        stage.sql("app", mended);
    }
    assert_eq!(problem().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_back_door_can_be_left_under_the_group_role() {
    let stage = Stage::usual();
    let account = stage.account(&stage.readers()).await;
    for attempt in [
        "CREATE TABLE back(x int)",
        "CREATE TEMP TABLE back(x int)",
        "CREATE SCHEMA back",
        "CREATE FUNCTION public.back() RETURNS SETOF t LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM t'",
    ] {
        let tried = stage.sql_as(&account, "app", &format!("SET ROLE readers; {attempt}"));
        assert!(!tried.success() && tried.stderr.contains("permission denied"), "{attempt}: {tried:?}");
    }
    stage.end_for_good(&account).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_with_too_much_or_too_little_is_refused_with_the_way_out() {
    let stage = Stage::usual();
    for (broken, mended, expected) in [
        ("ALTER ROLE wane SUPERUSER", "ALTER ROLE wane NOSUPERUSER", "must not be superuser"),
        ("ALTER ROLE wane NOCREATEROLE", "ALTER ROLE wane CREATEROLE", "needs CREATEROLE"),
        ("REVOKE pg_signal_backend FROM wane", "GRANT pg_signal_backend TO wane", "pg_signal_backend"),
        ("GRANT readers TO wane_left_behind", "REVOKE readers FROM wane_left_behind", "quarantine role"),
    ] {
        stage.sql("app", broken);
        let said = stage.kind.probe(&stage.target(), &[stage.readers()]).await.unwrap_err().to_string();
        assert!(said.contains(expected) && said.contains("GRANT \"readers\" TO \"wane\" WITH ADMIN OPTION"), "{said}");
        stage.sql("app", mended);
    }
    assert!(stage.kind.probe(&stage.target(), &[]).await.unwrap().is_empty());
}

/// `GRANT ON ALL TABLES` per account fails as soon as two run at once; membership does not.
#[test]
fn rights_per_account_collide_and_memberships_do_not() {
    let stage = Stage::usual();
    stage.sql("app", "CREATE SCHEMA m; DO $$ BEGIN FOR i IN 1..60 LOOP EXECUTE format('CREATE TABLE m.t%s(x int)', i); END LOOP; END $$");
    let run = |word: &str, statement: &(dyn Fn(&str) -> String + Sync)| -> Vec<String> {
        std::thread::scope(|scope| {
            let lanes: Vec<_> = (0..6)
                .map(|lane| {
                    let stage = &stage;
                    scope.spawn(move || {
                        let mut sql = String::from("\\set ON_ERROR_STOP 0\n");
                        for n in 0..25 {
                            let name = format!("{word}_{lane}_{n}");
                            sql.push_str(&format!("CREATE ROLE {name};\n{};\n", statement(&name)));
                        }
                        let password = stage.server.superuser_password();
                        stage.server.psql_as(stage.server.superuser(), password, "app", &sql).unwrap().stderr
                    })
                })
                .collect();
            lanes.into_iter().map(|lane| lane.join().unwrap()).collect()
        })
    };
    let direct = run("direct", &|name| format!("GRANT SELECT ON ALL TABLES IN SCHEMA m TO {name}"));
    assert!(direct.iter().any(|said| said.contains("tuple concurrently updated")), "{direct:?}");
    let member = run("member", &|name| format!("GRANT readers TO {name}"));
    assert!(member.iter().all(|said| !said.contains("ERROR")), "{member:?}");
}

/// Each direct grant makes the table's list of rights longer, up to where no row holds it.
#[tokio::test(flavor = "multi_thread")]
async fn rights_per_account_pile_up_on_the_table_and_memberships_do_not() {
    let stage = Stage::usual();
    let size = || {
        stage.sql("app", "SELECT cardinality(relacl), pg_column_size(relacl) FROM pg_class WHERE oid = 't'::regclass")
    };
    let many = |word: &str, statement: &str| {
        let sql = format!(
            "DO $$ BEGIN FOR i IN 1..300 LOOP EXECUTE format('CREATE ROLE {word}%s', i); EXECUTE format('{statement}', '{word}' || i); END LOOP; END $$"
        );
        stage.sql("app", &sql);
    };
    let before = size();
    many("member", "GRANT readers TO %I");
    assert_eq!(size(), before);
    many("direct", "GRANT SELECT ON t TO %I");
    let after = size();
    let entries: u32 = after.split_once('|').unwrap().0.parse().unwrap();
    assert!(entries >= 300, "{before} {after}");

    // Ours leave the list as it was, also where single objects are granted and many are made at once.
    stage.sql("app", "CREATE TABLE u(x int); GRANT SELECT ON u TO wane WITH GRANT OPTION; GRANT USAGE ON SCHEMA public TO wane WITH GRANT OPTION");
    let list = || stage.sql("app", "SELECT cardinality(relacl) FROM pg_class WHERE oid = 'u'::regclass");
    let before = list();
    let single = stage.role(&json!({"grants": [{"database": "app", "on": "table", "schema": "public", "name": "u", "privileges": ["SELECT"]}]}));
    let accounts = futures::future::join_all((0..8).map(|_| stage.account(&single))).await;
    for account in &accounts {
        assert!(stage.sql_as(account, "app", "SELECT * FROM u").success());
    }
    futures::future::join_all(accounts.iter().map(|account| stage.end_for_good(account))).await;
    assert_eq!(list(), before);
}
