//! What a running process has used so far, as the kernel counts it.

use std::fs;

use anyhow::{Context, Result};

/// Seconds of processor time that a process has used, its own and the kernel's on its behalf
/// (`/proc/PID/stat`, fields 14 and 15; proc(5)).
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))?;
    let (_, rest) = stat.rsplit_once(')').with_context(|| format!("`{path}` names no program"))?;
    let field = |number: usize| -> Result<f64> {
        let text = rest.split_whitespace().nth(number - 3).with_context(|| format!("`{path}` is short"))?;
        Ok(text.parse::<f64>()?)
    };
    Ok((field(14)? + field(15)?) / ticks_per_second()?)
}

/// KiB of memory that a process holds resident (`/proc/PID/smaps_rollup`, `Rss`).
pub(crate) fn resident_kib(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))?;
    let line =
        text.lines().find_map(|line| line.strip_prefix("Rss:")).with_context(|| format!("no Rss in `{path}`"))?;
    let number = line.split_whitespace().next().with_context(|| format!("no Rss in `{path}`"))?;
    Ok(number.parse::<f64>()?)
}

fn ticks_per_second() -> Result<f64> {
    Ok(crate::command::output("getconf", &["CLK_TCK"])?.trim().parse::<f64>()?)
}
