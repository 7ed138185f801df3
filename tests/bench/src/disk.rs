//! What the disk takes to make a small write durable, beside what a server takes that does so.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::rank;

#[derive(Deserialize)]
struct Plan {
    /// On whose disk.
    folder: PathBuf,
    /// How many.
    times: u32,
}

/// Writes 4 KiB and has them synced (`fdatasync(2)`), over and over.
pub(crate) fn run(plan: &str) -> Result<Value> {
    let plan: Plan = serde_json::from_str(plan)?;
    let path = plan.folder.join("wane-bench-disk");
    let file = File::create(&path)?;
    // Written once before, so that no sync has to make the file longer.
    let block = [7_u8; 4096];
    for at in 0..64 {
        file.write_all_at(&block, at * 4096)?;
    }
    file.sync_all()?;
    let mut took = Vec::new();
    for number in 0..plan.times {
        let begun = Instant::now();
        file.write_all_at(&block, u64::from(number % 64) * 4096)?;
        file.sync_data()?;
        took.push(begun.elapsed().as_secs_f64());
    }
    std::fs::remove_file(&path)?;
    took.sort_by(f64::total_cmp);
    let at = |share: f64| rank::at(&took, share).map(|seconds| seconds * 1e3);
    Ok(json!({ "p50_ms": at(0.5), "p99_ms": at(0.99) }))
}
