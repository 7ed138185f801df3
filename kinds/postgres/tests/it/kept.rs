//! Connections that are kept, many effects at once, and what is under way when an end begins.

use std::time::Duration;

use tokio::task::JoinSet;
use wane_connector::{ConnectError, EndOutcome};
use wane_domain::ambient::Ambient;
use wane_domain::secret::Secret;
use wane_testkit::Postgres;

use crate::stage::{SOON, Stage};

fn logins(stage: &Stage) -> usize {
    stage.server.log().unwrap().matches("connection authorized: user=wane database=app").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_serves_nobody_else() {
    let mut stage = Stage::usual();
    let (right, ambient): (_, Ambient) = (stage.resource.clone(), stage.ambient.clone());
    for _ in 0..5 {
        let account = stage.account(&stage.readers()).await;
        stage.end_for_good(&account).await;
    }
    assert_eq!(logins(&stage), 1, "one effect after the other needs one connection");

    // Another credential, other settings, another resource: each is let in by itself, or not.
    let secret = std::mem::replace(&mut stage.secret, Secret::new(b"wrong".to_vec()));
    let refused = stage.create(&stage.lease(&stage.readers())).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Trust { .. }), "{refused:?}");
    stage.resource.id = ambient.id();
    let refused = stage.create(&stage.lease(&stage.readers())).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Trust { .. }), "{refused:?}");
    stage.secret = secret;
    stage.resource = right;
    let other = Postgres::launch().unwrap();
    let ca = std::mem::replace(&mut stage.resource.settings["tls"]["ca_pem"], other.ca_pem().unwrap().into());
    let refused = stage.create(&stage.lease(&stage.readers())).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Trust { .. }), "{refused:?}");
    stage.resource.settings["tls"]["ca_pem"] = ca;
    let account = stage.account(&stage.readers()).await;
    stage.end_for_good(&account).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_that_broke_is_no_failure_of_the_server() {
    let mut stage = Stage::usual();
    let first = stage.account(&stage.readers()).await;
    stage.server.stop().unwrap();
    stage.server.start().unwrap();
    stage.end_for_good(&first).await;
    let second = stage.account(&stage.readers()).await;
    stage.sql("app", "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = 'wane'");
    stage.end_for_good(&second).await;
}

/// Its maker was cut off from a server that went on: nothing is there yet, and a moment later it is.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_being_made_is_not_absent() {
    let stage = std::sync::Arc::new(Stage::usual());
    let intended = stage.lease(&stage.readers());
    let name = intended.name().to_owned();
    let mut maker = stage.connector();
    let made = format!(
        "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('{name}', 7593448861401907558)); CREATE ROLE {name} LOGIN; \
         COMMENT ON ROLE {name} IS 'wane resource={} grant={}'; SELECT 'half made';",
        intended.data().resource,
        intended.data().grant,
    );
    maker.send_line(&made).unwrap();
    maker.wait_for("half made", SOON).unwrap();
    let mut ending = JoinSet::new();
    let ender = std::sync::Arc::clone(&stage);
    ending.spawn(async move { ender.end(&intended).await });
    let waits = || stage.sql("app", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == "1";
    wane_testkit::wait_until("an end that waits for the maker", SOON, waits).unwrap();
    maker.send_line("COMMIT;").unwrap();
    assert_eq!(ending.join_next().await.unwrap().unwrap(), EndOutcome::Done);
    assert_eq!(stage.sql("app", &format!("SELECT count(*) FROM pg_roles WHERE rolname = '{name}'")), "0");
}

/// The server takes a second between letting somebody in and showing the session.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_under_way_does_not_outlive_the_end() {
    let stage = Stage::set(Postgres::builder().setting("post_auth_delay", "1"));
    let account = stage.account(&stage.readers()).await;
    let mut session = stage.server.client(account.name(), &account.password, "app").open().unwrap();
    session.send_line("SELECT x FROM t;").unwrap();
    let let_in = format!("connection authorized: user={}", account.name());
    wane_testkit::wait_until("somebody who is let in", SOON, || stage.server.log().unwrap().contains(&let_in)).unwrap();
    stage.end_for_good(&account).await;
    let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE usesysid = {}", account.oid());
    // Asking takes longer than that second.
    assert_eq!(stage.sql("app", &sessions), "0", "it came in after the end");
    let outcome = session.wait_exit(SOON).unwrap();
    assert!(!outcome.success(), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_neither_fail_nor_hinder_each_other() {
    // Three for each place at the server: more would only wait, on a slow machine for longer than an effect may take.
    const MANY: usize = 24;
    let stage = std::sync::Arc::new(Stage::usual());
    let readers = stage.readers();
    let mut making = JoinSet::new();
    for _ in 0..MANY {
        let (stage, readers) = (std::sync::Arc::clone(&stage), readers.clone());
        making.spawn(async move { stage.account(&readers).await });
    }
    let accounts = making.join_all().await;
    let mut sessions = Vec::new();
    for account in accounts.iter().take(4) {
        let mut session = stage.server.client(account.name(), &account.password, "app").open().unwrap();
        session.send_line("SELECT x FROM t;").unwrap();
        session.wait_for("42", SOON).unwrap();
        sessions.push(session);
    }
    let mut ending = JoinSet::new();
    for account in accounts {
        let stage = std::sync::Arc::clone(&stage);
        ending.spawn(async move { stage.end_for_good(&account).await });
    }
    tokio::time::timeout(Duration::from_secs(120), ending.join_all()).await.unwrap();
    assert_eq!(stage.sql("app", "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'wane\\_%' AND rolcanlogin"), "0");
    let most: usize = stage.sql("app", "SELECT count(*) FROM pg_stat_activity WHERE usename = 'wane'").parse().unwrap();
    assert!(most <= 16, "{most} connections are kept");
}
