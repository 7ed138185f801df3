//! Ports nobody else will take. Owns the agreement between test processes about who uses which.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result};

use crate::folder;

/// Below the range from which the kernel picks ports of outgoing connections, so that a port does
/// not vanish between being chosen and being listened on.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());
static TURN: AtomicU16 = AtomicU16::new(0);

/// Whether somebody listens at a loopback TCP port.
pub(crate) fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A loopback TCP port that is free now and that no other test process will be given while this
/// one lives.
///
/// Binding to port 0 and letting go would leave a gap in which a parallel test takes the port, so
/// each port has a lock file that stays held until the process ends.
pub fn free_port() -> Result<u16> {
    let locks = folder::shared()?.join("ports");
    fs::create_dir_all(&locks)?;
    // Processes begin at different places, only to try fewer locks in vain.
    let begin = u16::try_from(std::process::id().wrapping_mul(97) % u32::from(COUNT))?;
    for _ in 0..COUNT {
        let turn = TURN.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (begin.wrapping_add(turn) % COUNT);
        let lock = folder::open_lock(&locks.join(port.to_string()))?;
        if lock.try_lock().is_err() {
            continue;
        }
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            HELD.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(lock);
            return Ok(port);
        }
    }
    None.context("no free loopback port is left")
}
