//! Servers and networks that fail in the middle, and what is changed at a server behind our back.

use std::time::Duration;

use serde_json::json;
use wane_connector::{ConnectError, EndOutcome, Kind, Presence};
use wane_domain::secret::Secret;
use wane_testkit::{Interactive, Postgres, Proxy, Way};

use crate::stage::{SOON, Stage};

/// The effects' own bound and some more.
const BOUND: Duration = Duration::from_secs(25);

/// A stage whose server is reached through a way that can be spoilt.
pub(crate) fn through_a_proxy() -> (Stage, Proxy) {
    let mut stage = Stage::usual();
    let proxy = Proxy::to(stage.server.port()).unwrap();
    let mut settings = stage.resource.settings.clone();
    let address = json!(format!("127.0.0.1:{}", proxy.port()));
    settings.as_object_mut().unwrap().insert("address".to_owned(), address);
    stage.resource.settings = stage.kind.settings(&settings).unwrap();
    (stage, proxy)
}

/// Idle, psql only looks at its connection when it is asked for something.
fn assert_cut(mut open: Interactive) {
    let _ = open.send_line("SELECT 1;");
    let outcome = open.wait_exit(SOON).unwrap();
    assert!(outcome.stderr.contains("terminating connection"), "its session was not cut: {outcome:?}");
}

fn is_clean(failed: &ConnectError) -> bool {
    matches!(failed, ConnectError::Unreachable { .. } | ConnectError::Trust { .. } | ConnectError::Refused { .. })
}

/// Cut after any number of bytes, a making leaves nothing that its name does not find and end.
#[tokio::test(flavor = "multi_thread")]
async fn a_making_that_is_cut_anywhere_can_be_ended() {
    let (stage, proxy) = through_a_proxy();
    let mut made = 0;
    for after in (0..9_000).step_by(300) {
        let mut intended = stage.lease(&stage.readers());
        proxy.set(Way::CutAfter(after));
        let outcome = stage.create(&intended).await;
        proxy.set(Way::Open);
        match outcome {
            Ok(created) => {
                made += 1;
                intended.made(created);
                assert!(stage.sql_as(&intended, "app", "SELECT x FROM t").success());
            }
            Err(failed) => assert!(is_clean(&failed), "after {after} bytes: {failed:?}"),
        }
        stage.end_for_good(&intended).await;
    }
    let left = stage.sql("app", r"SELECT count(*) FROM pg_roles WHERE rolname LIKE 'wane\_%' AND rolcanlogin");
    assert_eq!(left, "0");
    assert!(made > 0, "it never got as far as the answer");
}

/// Cut after any number of bytes, an end is never taken for done while the account is there.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_cut_anywhere_is_done_by_the_next() {
    let (stage, proxy) = through_a_proxy();
    for after in (0..9_000).step_by(450) {
        let account = stage.account(&stage.readers()).await;
        proxy.set(Way::CutAfter(after));
        let outcome = stage.try_end(&account).await;
        proxy.set(Way::Open);
        match outcome {
            Ok(EndOutcome::Done) => {
                assert!(matches!(stage.presence(&account).await, Presence::Absent { .. }), "after {after} bytes");
            }
            Ok(other) => panic!("after {after} bytes: {other:?}"),
            Err(failed) => assert!(matches!(failed, ConnectError::Unreachable { .. }), "{after}: {failed:?}"),
        }
        stage.end_for_good(&account).await;
    }
}

/// One that answers the login and then stalls costs its bound and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stalls_in_the_middle_costs_its_bound() {
    let (stage, proxy) = through_a_proxy();
    let account = stage.account(&stage.readers()).await;
    proxy.set(Way::StallAfter(3_000));
    let ended = tokio::time::timeout(BOUND, stage.try_end(&account)).await.unwrap();
    proxy.set(Way::Open);
    assert!(matches!(&ended, Err(ConnectError::Unreachable { .. })), "{ended:?}");
    stage.end_for_good(&account).await;
}

/// What the server's people change under our feet is told as what it is, and an end that is owed is
/// done once it is put right.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_behind_our_back_is_told_and_ends_follow() {
    let mut stage = Stage::usual();
    let account = stage.account(&stage.readers()).await;
    let refused = async |stage: &Stage, expected: &str| {
        // Who is in stays in; what is kept for the next effect is cut, as by a restart.
        stage.sql("app", "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = 'wane'");
        let intended = stage.lease(&stage.readers());
        let made = stage.create(&intended).await.unwrap_err();
        let ended = stage.try_end(&account).await.unwrap_err();
        for failed in [made, ended] {
            assert!(matches!(&failed, ConnectError::Trust { .. }), "{expected}: {failed:?}");
            assert!(failed.to_string().contains(expected), "{expected}: {failed}");
        }
        let name = intended.name();
        assert_eq!(stage.sql("app", &format!("SELECT count(*) FROM pg_roles WHERE rolname = '{name}'")), "0");
    };

    stage.sql("app", "ALTER ROLE wane PASSWORD 'another one'");
    refused(&stage, "password authentication failed").await;
    stage.secret = Secret::new(b"another one".to_vec());

    stage.server.rules("hostssl all postgres 127.0.0.1/32 scram-sha-256\n").unwrap();
    refused(&stage, "pg_hba.conf").await;
    stage.server.usual_rules().unwrap();

    stage.server.replace_certificate().unwrap();
    refused(&stage, "certificate").await;
    let mut settings = stage.resource.settings.clone();
    let tls = json!({ "ca_pem": stage.server.ca_pem().unwrap() });
    settings.as_object_mut().unwrap().insert("tls".to_owned(), tls);
    stage.resource.settings = stage.kind.settings(&settings).unwrap();

    stage.end_for_good(&account).await;
}

/// An account belongs to the whole server: that one database is gone, or closed, keeps none alive.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_ends_though_its_database_was_dropped() {
    let stage = Stage::usual();
    let account = stage.account(&stage.readers()).await;
    let mut open = stage.server.client(account.name(), &account.password, "postgres").open().unwrap();
    open.send_line("SELECT 'ready';").unwrap();
    open.wait_for("ready", SOON).unwrap();
    stage.sql("postgres", "DROP DATABASE app WITH (FORCE)");
    let made = stage.create(&stage.lease(&stage.readers())).await.unwrap_err();
    assert!(made.to_string().contains("database \"app\" does not exist"), "{made}");
    stage.end_for_good(&account).await;
    assert_cut(open);
}

/// One database whose rules shut the connector out holds up neither the rest nor the others' ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_shuts_us_out_quarantines() {
    let stage = Stage::usual();
    stage.sql("other", "GRANT USAGE ON SCHEMA public TO wane WITH GRANT OPTION");
    let role = stage
        .role(&json!({"grants": [{"database": "other", "on": "schema", "schema": "public", "privileges": ["USAGE"]}]}));
    let account = stage.account(&role).await;
    stage.server.rules("hostssl other wane 127.0.0.1/32 reject\nhostssl all all 127.0.0.1/32 scram-sha-256\n").unwrap();
    let outcome = stage.end(&account).await;
    let EndOutcome::Quarantined { why } = &outcome else { panic!("{outcome:?}") };
    assert!(why.contains("database `other`") && why.contains("pg_hba.conf"), "{why}");
    assert!(!stage.sql_as(&account, "app", "SELECT 1").success());
    stage.server.usual_rules().unwrap();
    stage.end_for_good(&account).await;
}

/// No end rests on `VALID UNTIL` or on the password: a server that lets people in without either
/// lets nobody in whose account is gone, and cuts who is there.
#[tokio::test(flavor = "multi_thread")]
async fn no_end_rests_on_a_date_or_a_password() {
    let stage = Stage::usual();
    stage
        .server
        .rules("hostssl all wane,postgres 127.0.0.1/32 scram-sha-256\nhostssl all all 127.0.0.1/32 trust\n")
        .unwrap();
    let mut account = stage.account(&stage.readers()).await;
    // Its own password is the account's to change; its last moment is not, and means nothing here.
    assert!(stage.sql_as(&account, "app", &format!("ALTER ROLE {} PASSWORD 'mine now'", account.name())).success());
    assert!(!stage.sql_as(&account, "app", &format!("ALTER ROLE {} VALID UNTIL 'infinity'", account.name())).success());
    stage.sql("app", &format!("ALTER ROLE {} VALID UNTIL '2001-01-01'", account.name()));
    account.password = "anything".to_owned();
    assert!(stage.sql_as(&account, "app", "SELECT x FROM t").success(), "the server looks at the date after all");
    let mut open = stage.server.client(account.name(), &account.password, "app").open().unwrap();
    open.send_line("SELECT 'ready';").unwrap();
    open.wait_for("ready", SOON).unwrap();
    stage.end_for_good(&account).await;
    assert!(!stage.sql_as(&account, "app", "SELECT 1").success());
    assert_cut(open);
}

/// A server whose clock is behind would let an account in for as much longer, one that is ahead would
/// not let it in at all: the end is ours, and neither matters to it.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_waits_for_no_clock_of_the_servers() {
    for off in [-300, 900] {
        let stage = Stage::set(Postgres::builder().clock_off(off));
        let skew = stage.effects().clock_skew(&stage.target()).await.unwrap().unwrap();
        assert!((skew - off).abs() < 30, "{off}: {skew}");
        // Ten minutes, by our clock.
        let account = stage.account(&stage.readers()).await;
        assert_eq!(stage.sql_as(&account, "app", "SELECT x FROM t").success(), off < 0, "{off}");
        stage.end_for_good(&account).await;
        assert!(!stage.sql_as(&account, "app", "SELECT 1").success());
    }
}

/// INV-9: a server that answers before a commit is on its disk loses the last ones in a crash; not ours.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_proven_gone_stays_gone_after_a_crash_of_a_server_that_writes_late() {
    let late = Postgres::builder().setting("synchronous_commit", "off").setting("wal_writer_delay", "10s");
    let mut stage = Stage::set(late);
    let account = stage.account(&stage.readers()).await;
    stage.sql("app", "CHECKPOINT");
    let found =
        |stage: &Stage| stage.sql("app", r"SELECT count(*) FROM pg_roles WHERE rolname LIKE 'wane\_%' AND rolcanlogin");
    assert_eq!(found(&stage), "1");
    stage.end_for_good(&account).await;
    stage.server.crash().unwrap();
    stage.server.start().unwrap();
    assert_eq!(found(&stage), "0");
}
