//! Many writers share a sync.

use tokio::task::JoinSet;
use wane_store::conformance::Fixture;
use wane_store::{Put, Store, Write};

use crate::fixture::{Writers, data_file};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_commits_share_a_sync() {
    const TASKS: u64 = 64;
    const EACH: u64 = 50;
    let (_folder, path) = data_file();
    let (mut f, mut writers) = (Fixture::new(), Writers::default());
    let (store, _) = writers.open(&path, f.founded()).await.expect("it opens");
    let start = store.head().await.expect("a head");
    let (person, resource, role) = (f.id(), f.id(), f.id());
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let mut commits = Vec::new();
        for _ in 0..EACH {
            let request = f.request(person, resource, role, 1).expect("a request");
            commits.push(f.commit(vec![Write::Request(Put::new(request))]).expect("a commit"));
        }
        let store = store.clone();
        tasks.spawn(async move {
            let mut last = 0;
            for commit in commits {
                let seq = store.commit(commit).await.expect("it is written");
                assert!(seq > last, "a later commit has an earlier place");
                last = seq;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("a task");
    }
    let stats = store.stats();
    assert_eq!(stats.commits, TASKS * EACH);
    // Everybody waits for the sync under way, so about one batch per round; a quarter leaves room for a slow start.
    assert!(stats.batches * 4 < stats.commits, "{stats:?}");
    assert_eq!(store.head().await, Ok(start + TASKS * EACH));
    assert_eq!(store.records_after(start, u32::MAX).await.expect("records").len() as u64, TASKS * EACH);
}
