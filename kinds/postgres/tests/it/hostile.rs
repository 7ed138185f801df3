//! Hostile names, secrets in logs, and accounts that are not ours.

use serde_json::json;
use wane_connector::{EndOutcome, Presence};

use crate::stage::Stage;

const HOSTILE: &[&str] =
    &["x\"; drop role readers; --", "$$", "it's", "a\\'b", "ünï\u{202e}code", "tab\tnew\nline", "%I %s"];

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_are_names_and_nothing_else() {
    let stage = Stage::usual();
    let mut definition = json!({ "member_of": [], "grants": [], "settings": { "search_path": HOSTILE } });
    for name in HOSTILE {
        let quoted = name.replace('"', "\"\"");
        stage.sql("app", &format!("CREATE ROLE \"{quoted}\"; GRANT \"{quoted}\" TO wane WITH ADMIN OPTION"));
        stage.sql(
            "app",
            &format!("CREATE SCHEMA \"{quoted}\"; CREATE TABLE \"{quoted}\".\"{quoted}\"(x int); GRANT USAGE ON SCHEMA \"{quoted}\" TO wane WITH GRANT OPTION; GRANT SELECT ON \"{quoted}\".\"{quoted}\" TO wane WITH GRANT OPTION"),
        );
        definition["member_of"].as_array_mut().unwrap().push(json!(name));
        definition["grants"].as_array_mut().unwrap().extend([
            json!({"database": "app", "on": "schema", "schema": name, "privileges": ["USAGE"]}),
            json!({"database": "app", "on": "table", "schema": name, "name": name, "privileges": ["SELECT"]}),
        ]);
    }
    let role = stage.role(&definition);
    let probes = wane_connector::Kind::probe(&stage.kind, &stage.target(), std::slice::from_ref(&role)).await.unwrap();
    assert_eq!(probes.first().unwrap().problem, None);
    let account = stage.account(&role).await;
    // The path is the list of all of them, so the first schema's table is found without its schema.
    let first = HOSTILE.first().unwrap().replace('"', "\"\"");
    let read = stage.sql_as(&account, "app", &format!("SELECT count(*) FROM \"{first}\""));
    assert_eq!(read.into_stdout().unwrap(), "0");
    stage.end_for_good(&account).await;
    assert_eq!(stage.sql("app", "SELECT count(*) FROM pg_roles WHERE rolname = 'readers'"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_reaches_the_server_log() {
    let stage = Stage::usual();
    let mut account = stage.account(&stage.readers()).await;
    let first = account.password.clone();
    let again = stage.create(&account).await.unwrap();
    assert_eq!(again.object.as_deref(), Some(account.oid()));
    let debug = format!("{again:?} {:?}", stage.target());
    account.password = again.handed.secret.unwrap().reveal().to_string();
    assert_ne!(first, account.password);
    assert_eq!(account.password.len(), 43);
    // One account, and only the new secret.
    assert_eq!(stage.sql("app", "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'wane\\_0%'"), "1");
    assert!(!stage.server.psql_as(account.name(), &first, "app", "SELECT 1").unwrap().success());
    assert!(stage.sql_as(&account, "app", "SELECT x FROM t").success());
    let inventory = serde_json::to_string(&stage.effects().inventory(&stage.target()).await.unwrap()).unwrap();
    stage.end_for_good(&account).await;
    let log = stage.server.log().unwrap();
    assert!(log.contains(account.name()) && log.contains("SCRAM-SHA-256$"), "the log must show the statements");
    for secret in [&first, &account.password] {
        assert!(
            !log.contains(secret.as_str()) && !debug.contains(secret.as_str()) && !inventory.contains(secret.as_str())
        );
    }
    // The connector was never more than it should be.
    assert_eq!(stage.sql("app", "SELECT rolsuper FROM pg_roles WHERE rolname = 'wane'"), "f");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_under_our_name_is_left_alone() {
    let stage = Stage::usual();
    // Somebody was there first.
    let intended = stage.lease(&stage.readers());
    stage.sql("app", &format!("CREATE ROLE {}", intended.name()));
    let refused = stage.create(&intended).await.unwrap_err().to_string();
    assert!(refused.contains("not marked as ours"), "{refused}");
    assert!(matches!(stage.end(&intended).await, EndOutcome::Quarantined { .. }));
    assert_eq!(stage.sql("app", &format!("SELECT count(*) FROM pg_roles WHERE rolname = '{}'", intended.name())), "1");

    // Somebody replaced ours.
    let account = stage.account(&stage.readers()).await;
    stage.sql("app", &format!("DROP ROLE {0}; CREATE ROLE {0}", account.name()));
    assert!(
        matches!(stage.end(&account).await, EndOutcome::Quarantined { why } if why.contains("not the one we made"))
    );
    assert!(matches!(stage.presence(&account).await, Presence::Present { .. }));

    // Ours under another name is still ours.
    let renamed = stage.account(&stage.readers()).await;
    stage.sql("app", &format!("ALTER ROLE {} RENAME TO \"re\"\"named\"", renamed.name()));
    stage.end_for_good(&renamed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_never_come_near_the_length_that_is_cut() {
    let stage = Stage::usual();
    let account = stage.account(&stage.readers()).await;
    assert!(account.name().len() <= 32 && account.name().is_ascii());
    assert_eq!(
        stage.sql("app", &format!("SELECT rolname FROM pg_roles WHERE oid = {}", account.oid())),
        account.name()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_reads_back_what_was_quoted() {
    // Comments pass through the same quoting as every literal, schemas through that of every name.
    let stage = Stage::usual();
    for name in HOSTILE {
        stage.sql(
            "app",
            &format!("CREATE ROLE \"{0}\"; GRANT \"{0}\" TO wane WITH ADMIN OPTION", name.replace('"', "\"\"")),
        );
    }
    let account =
        stage.account(&stage.role(&json!({ "member_of": HOSTILE, "settings": { "search_path": HOSTILE } }))).await;
    let path = stage.sql("app", &format!("SELECT rolconfig FROM pg_roles WHERE oid = {}", account.oid()));
    for name in HOSTILE {
        let groups = format!(
            "SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE member = {} AND rolname = $n${name}$n$",
            account.oid()
        );
        assert_eq!(stage.sql("app", &groups), "1", "{name:?}");
    }
    assert!(path.contains("search_path"), "{path}");
}
