//! Another clock for one process: the time of day it is told is off by so much, its counters and
//! sleeps are sound. By libfaketime, which stands between a program and the C library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// Counters and sleeps are left alone. Both names of the same: the older and the newer.
const SOUND: [(&str, &str); 2] = [("DONT_FAKE_MONOTONIC", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];

/// Where Debian puts it: one folder per architecture.
fn library() -> Result<PathBuf> {
    let folders = fs::read_dir("/usr/lib")?.flatten().map(|entry| entry.path());
    let mut found = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    found.find(|path| path.exists()).context("libfaketime is not installed (package `faketime` on Debian)")
}

/// A process begun with this believes that the time is off by `secs`, for all its life.
pub(crate) fn set_off(command: &mut Command, secs: i64) -> Result<()> {
    preload(command)?.env("FAKETIME", format!("{secs:+}"));
    Ok(())
}

/// The words that begin a program whose time is off by `secs`, for a command that changes its account
/// first: what libfaketime shares between processes belongs to who is first.
pub(crate) fn words(secs: i64) -> Result<Vec<String>> {
    let sound = SOUND.map(|(name, value)| format!("{name}={value}"));
    let ours = ["env".to_owned(), format!("LD_PRELOAD={}", library()?.display()), format!("FAKETIME={secs:+}")];
    Ok(ours.into_iter().chain(sound).collect())
}

/// A process begun with this looks into `file` for how much the time is off, each time it asks.
pub(crate) fn follow(command: &mut Command, file: &Path) -> Result<()> {
    preload(command)?.env("FAKETIME_TIMESTAMP_FILE", file).env("FAKETIME_NO_CACHE", "1");
    Ok(())
}

/// Says how much the time is off for those who follow `file`.
pub(crate) fn tell(file: &Path, secs: i64) -> Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, format!("{secs:+}\n"))?;
    fs::rename(&new, file)?;
    Ok(())
}

fn preload(command: &mut Command) -> Result<&mut Command> {
    Ok(command.env("LD_PRELOAD", library()?).envs(SOUND))
}

/// Removes what a process leaves in shared memory that was killed.
pub(crate) fn sweep(pid: u32) {
    for name in ["faketime_shm_", "sem.faketime_sem_"] {
        let _ = fs::remove_file(format!("/dev/shm/{name}{pid}"));
    }
}
