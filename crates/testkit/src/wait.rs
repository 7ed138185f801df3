//! Waiting on a condition. Owns the pace of polling, so that no test chooses a sleep of its own.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Short enough not to be felt in a test, long enough not to starve what is waited for.
const PACE: Duration = Duration::from_millis(10);

/// Blocks until `condition` holds, or fails after `deadline` naming `what` it waited for.
///
/// The condition is always tried at least once. In an async test use [`eventually`], which lets
/// the runtime's other tasks go on.
pub fn wait_until(what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) -> Result<()> {
    let begun = Instant::now();
    loop {
        if condition() {
            return Ok(());
        }
        if begun.elapsed() >= deadline {
            bail!("waited {deadline:?} for {what}, in vain");
        }
        std::thread::sleep(PACE);
    }
}

/// As [`wait_until`], for a condition that is itself asynchronous.
pub async fn eventually(what: &str, deadline: Duration, mut condition: impl AsyncFnMut() -> bool) -> Result<()> {
    let begun = Instant::now();
    loop {
        if condition().await {
            return Ok(());
        }
        if begun.elapsed() >= deadline {
            bail!("waited {deadline:?} for {what}, in vain");
        }
        tokio::time::sleep(PACE).await;
    }
}
