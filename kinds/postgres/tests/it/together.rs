//! Ends that share a round at one server.

use wane_connector::{ConnectError, EndOutcome, Presence};
use wane_domain::lease::LeaseData;
use wane_testkit::Way;

use crate::faults::through_a_proxy;
use crate::liar::through_a_liar;
use crate::stage::{Granted, SOON, Stage};

fn data(all: &[Granted]) -> Vec<&LeaseData> {
    all.iter().map(Granted::data).collect()
}

async fn accounts(stage: &Stage, many: usize) -> Vec<Granted> {
    let mut all = Vec::new();
    for _ in 0..many {
        all.push(stage.account(&stage.readers()).await);
    }
    all
}

async fn together(stage: &Stage, all: &[Granted]) -> Result<Vec<Option<EndOutcome>>, ConnectError> {
    stage.effects().end_together(&stage.target(), &data(all)).await
}

/// Which of them are there, by the read-back that a round is followed by.
async fn there(stage: &Stage, all: &[Granted]) -> Vec<bool> {
    let seen = stage.effects().read_back_together(&stage.target(), &data(all)).await.unwrap();
    assert_eq!(seen.len(), all.len());
    seen.iter().map(|presence| matches!(presence, Presence::Present { .. })).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_end_in_one_round_and_nobody_else() {
    let stage = Stage::usual();
    let mut all = accounts(&stage, 5).await;
    let bystander = all.pop().unwrap();
    let mut open = Vec::new();
    for account in [&all[1], &all[2], &bystander] {
        let mut session = stage.server.client(account.name(), &account.password, "app").open().unwrap();
        session.send_line("SET ROLE readers; SELECT 'ready';").unwrap();
        session.wait_for("ready", SOON).unwrap();
        open.push(session);
    }
    assert_eq!(there(&stage, &all).await, [true; 4]);
    assert_eq!(together(&stage, &all).await.unwrap(), vec![Some(EndOutcome::Done); 4]);
    assert_eq!(there(&stage, &all).await, [false; 4]);
    for account in &all {
        assert!(!stage.sql_as(account, "app", "SELECT 1").success());
    }
    let mut untouched = open.pop().unwrap();
    for mut session in open {
        // Idle, psql only looks at its connection when it is asked for something.
        let _ = session.send_line("SELECT x FROM t;");
        assert!(session.wait_exit(SOON).unwrap().stderr.contains("terminating connection"));
    }
    untouched.send_line("SELECT x FROM t;").unwrap();
    untouched.wait_for("42", SOON).unwrap();
    assert!(stage.sql_as(&bystander, "app", "SELECT x FROM t").success());
    // What is gone already is left to be looked at by itself.
    assert_eq!(together(&stage, &all).await.unwrap(), vec![None; 4]);
    for account in all.iter().chain([&bystander]) {
        stage.end_for_good(account).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_dropped_spoils_no_others_end() {
    let stage = Stage::usual();
    // What is seen in time is left out of the round; what is not has the server refuse it: then each is
    // to be ended by itself, and everybody but the one can be.
    for (spoil, put_right, round) in [
        (
            "GRANT SELECT ON t TO {}",
            "REVOKE SELECT ON t FROM {}",
            vec![Some(EndOutcome::Done), None, Some(EndOutcome::Done)],
        ),
        ("ALTER ROLE {} SUPERUSER", "ALTER ROLE {} NOSUPERUSER", vec![None; 3]),
    ] {
        let all = accounts(&stage, 3).await;
        let name = all[1].name();
        stage.sql("app", &spoil.replace("{}", name));
        assert_eq!(together(&stage, &all).await.unwrap(), round, "{spoil}");
        stage.end_for_good(&all[0]).await;
        stage.end_for_good(&all[2]).await;
        let alone = stage.end(&all[1]).await;
        assert!(matches!(alone, EndOutcome::Quarantined { .. }), "{spoil}: {alone:?}");
        stage.sql("app", &put_right.replace("{}", name));
        stage.end_for_good(&all[1]).await;
    }
}

/// Whoever is not the one that was made is not touched, nor is a round that names them.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_in_a_round_is_left_alone() {
    let stage = Stage::usual();
    let all = accounts(&stage, 3).await;
    let (name, marked) = (all[1].name(), "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname");
    let comment = stage.sql("app", &format!("{marked} = '{name}'"));
    stage.sql("app", &format!("DROP ROLE {name}; CREATE ROLE {name} LOGIN; COMMENT ON ROLE {name} IS '{comment}'"));
    let ended = together(&stage, &all).await.unwrap();
    assert_eq!(ended, vec![Some(EndOutcome::Done), None, Some(EndOutcome::Done)]);
    assert_eq!(stage.sql("app", &format!("SELECT rolcanlogin FROM pg_roles WHERE rolname = '{name}'")), "t");
    assert_eq!(there(&stage, &all).await, [false, true, false]);
}

/// Cut after any number of bytes, a round is never taken for done while one of its accounts is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_round_that_is_cut_anywhere_is_done_by_the_next() {
    let (stage, proxy) = through_a_proxy();
    let (mut done, mut cut) = (0, 0);
    for after in (0..12_000).step_by(900) {
        let all = accounts(&stage, 3).await;
        proxy.set(Way::CutAfter(after));
        let outcome = together(&stage, &all).await;
        proxy.set(Way::Open);
        match outcome {
            Ok(ended) => {
                done += 1;
                assert_eq!(ended, vec![Some(EndOutcome::Done); 3], "after {after} bytes");
                assert_eq!(there(&stage, &all).await, [false; 3], "after {after} bytes");
            }
            Err(failed) => {
                cut += 1;
                assert!(matches!(failed, ConnectError::Unreachable { .. }), "{after}: {failed:?}");
            }
        }
        for account in &all {
            stage.end_for_good(account).await;
        }
    }
    assert!(done > 0 && cut > 0, "{done} were done, {cut} were cut");
}

/// A server that says a round was done and did not do it is not believed.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_of_a_round_is_read_back() {
    let (stage, liar) = through_a_liar();
    for lies in [&["DROP ROLE"][..], &["COMMIT"], &["DROP ROLE", "COMMIT", "ALTER ROLE", "REVOKE"]] {
        let all = accounts(&stage, 3).await;
        liar.lie(lies);
        let ended = together(&stage, &all).await;
        assert_eq!(there(&stage, &all).await, [true; 3], "{lies:?}: {ended:?}");
        match ended {
            Ok(ended) => assert_eq!(ended, vec![None; 3], "{lies:?}"),
            Err(failed) => assert!(failed.to_string().contains("still open"), "{lies:?}: {failed}"),
        }
        liar.lie(&[]);
        for account in &all {
            stage.end_for_good(account).await;
        }
    }
}
