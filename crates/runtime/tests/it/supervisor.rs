use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use tokio::sync::mpsc;
use wane_runtime::{Backoff, Cause, Supervisor};

const QUICK: Backoff = Backoff { first: Duration::from_millis(1), most: Duration::from_millis(4) };
const GRACE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_failing_task_is_begun_again_until_it_is_done() {
    let mut supervisor = Supervisor::new(QUICK);
    let (begun, mut beginnings) = mpsc::unbounded_channel();
    let count = Arc::new(AtomicU32::new(0));
    supervisor.spawn("flaky", move |_| {
        let (n, begun) = (count.fetch_add(1, Ordering::SeqCst), begun.clone());
        async move {
            begun.send(n).map_err(|e| e.to_string())?;
            match n {
                0 => Err("it failed".to_owned()),
                1 => panic!("it panicked"),
                _ => Ok(()),
            }
        }
    });
    for n in 0..3 {
        assert_eq!(beginnings.recv().await, Some(n));
    }
    // The task is done and dropped, so nothing can be sent any more.
    assert_eq!(beginnings.recv().await, None);
}

#[tokio::test]
async fn shutdown_cancels_waits_and_cuts_off() {
    let mut supervisor = Supervisor::new(QUICK);
    let (ended, mut ends) = mpsc::unbounded_channel();
    let (begun, mut beginnings) = mpsc::unbounded_channel();
    let deaf_begun = begun.clone();
    supervisor.spawn("orderly", move |token| {
        let (begun, ended) = (begun.clone(), ended.clone());
        async move {
            begun.send(()).map_err(|e| e.to_string())?;
            token.cancelled().await;
            ended.send(()).map_err(|e| e.to_string())
        }
    });
    supervisor.spawn("deaf", move |_| {
        let begun = deaf_begun.clone();
        async move {
            begun.send(()).map_err(|e| e.to_string())?;
            pending::<()>().await;
            Ok::<(), String>(())
        }
    });
    assert_eq!((beginnings.recv().await, beginnings.recv().await), (Some(()), Some(())));
    supervisor.token().cancel();
    let shutdown = supervisor.run_until_shutdown(Duration::from_millis(200)).await.unwrap();
    assert_eq!((shutdown.cause, shutdown.cut_off), (Cause::Asked, vec!["deaf"]));
    assert_eq!(ends.recv().await, Some(()));
    assert_eq!(ends.recv().await, None, "it was begun again after shutdown");
}

#[tokio::test]
async fn a_failing_task_is_not_begun_again_after_shutdown() {
    let mut supervisor = Supervisor::new(Backoff { first: GRACE, most: GRACE });
    let (begun, mut beginnings) = mpsc::unbounded_channel();
    supervisor.spawn("failing", move |_| {
        let sent = begun.send(());
        async move {
            sent.map_err(|e| e.to_string())?;
            Err::<(), _>("it failed".to_owned())
        }
    });
    assert_eq!(beginnings.recv().await, Some(()));
    supervisor.token().cancel();
    let shutdown = supervisor.run_until_shutdown(GRACE).await.unwrap();
    assert_eq!(shutdown.cut_off, Vec::<&str>::new());
    assert_eq!(beginnings.recv().await, None);
}

#[tokio::test]
async fn kept_tasks_outlive_shutdown_and_their_loss_causes_it() {
    let mut supervisor = Supervisor::new(QUICK);
    let (stop, mut stopped) = mpsc::channel::<()>(1);
    let (last_word, mut last_words) = mpsc::unbounded_channel();
    supervisor.keep("writer", async move {
        stopped.recv().await;
        last_word.send("closed").unwrap();
    });
    supervisor.token().cancel();
    supervisor.run_until_shutdown(GRACE).await.unwrap();
    assert!(last_words.try_recv().is_err(), "the writer ended with the others");
    stop.send(()).await.unwrap();
    assert_eq!(supervisor.finish(GRACE).await, Vec::<&str>::new());
    assert_eq!(last_words.recv().await, Some("closed"));

    for panics in [false, true] {
        let mut supervisor = Supervisor::new(QUICK);
        supervisor.keep("stays", pending());
        supervisor.keep("writer", async move { assert!(!panics, "lost") });
        let shutdown = supervisor.run_until_shutdown(GRACE).await.unwrap();
        assert_eq!(shutdown.cause, Cause::Lost("writer"), "panics: {panics}");
        assert!(supervisor.token().is_cancelled());
        assert_eq!(supervisor.finish(Duration::from_millis(10)).await, vec!["stays"]);
    }
}

#[tokio::test]
async fn signals_end_everything() {
    for (sent, name) in [(Signal::SIGTERM, "SIGTERM"), (Signal::SIGINT, "SIGINT")] {
        // The first poll installs the handlers; before it, the signal would end the test itself.
        let hold = (
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap(),
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()).unwrap(),
        );
        let mut supervisor = Supervisor::new(QUICK);
        let (running, mut is_running) = mpsc::channel(1);
        let ending = async { supervisor.run_until_shutdown(GRACE).await.unwrap() };
        let sending = async {
            running.send(()).await.unwrap();
            is_running.recv().await;
            raise(sent).unwrap();
        };
        let (shutdown, ()) = tokio::join!(ending, sending);
        assert_eq!(shutdown.cause, Cause::Signal(name));
        drop(hold);
    }
}
