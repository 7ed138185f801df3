//! The port's kit.

use std::cell::Cell;

use tokio::sync::Mutex;

use crate::fixture::Writers;

#[tokio::test]
async fn the_port_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let (count, writers) = (Cell::new(0), Mutex::new(Writers::default()));
    let make = async |founded| {
        count.set(count.get() + 1);
        let path = folder.path().join(format!("{}.db", count.get()));
        writers.lock().await.open(&path, founded).await.map(|(store, _)| store).map_err(|e| e.to_string())
    };
    wane_store::conformance::run(make).await.expect("the kit passes");
}
