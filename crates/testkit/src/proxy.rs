//! A way to a server that can be spoilt: what a network, a firewall or a half-dead host does to a
//! connection, byte by byte. Knows no protocol.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;

use crate::port;

/// How often a thread that waits for bytes looks whether things have changed.
const LOOK: Duration = Duration::from_millis(20);

/// What happens to connections from now on. Bytes are those the server sent on the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Everything passes.
    Open,
    /// Accepted, and nothing ever comes back.
    Silent,
    /// Accepted, and reset at once.
    Reset,
    /// After so many bytes nothing comes any more, and the connection stays.
    StallAfter(usize),
    /// After so many bytes the connection is reset.
    CutAfter(usize),
}

/// A proxy on loopback that ends with this value.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    upstream: u16,
    way: Mutex<Option<Way>>,
    accepted: AtomicUsize,
}

impl Shared {
    /// None: it is over.
    fn way(&self) -> MutexGuard<'_, Option<Way>> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Proxy {
    /// A proxy to a loopback port; open.
    pub fn to(upstream: u16) -> Result<Self> {
        let port = port::free_port()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let shared = Arc::new(Shared { upstream, way: Mutex::new(Some(Way::Open)), accepted: AtomicUsize::new(0) });
        let of = Arc::clone(&shared);
        let accepting = Some(std::thread::spawn(move || accept(&listener, &of)));
        Ok(Self { port, shared, accepting })
    }

    /// The port that clients are given.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What happens from now on, also to connections that are open.
    pub fn set(&self, way: Way) {
        *self.shared.way() = Some(way);
    }

    /// How many connections were accepted so far.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        *self.shared.way() = None;
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut connections = Vec::new();
    loop {
        if shared.way().is_none() {
            break;
        }
        match listener.accept() {
            Ok((client, _)) => {
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                // Asked once somebody is there: it may have changed while nobody was.
                if *shared.way() == Some(Way::Reset) {
                    reset(&client);
                    continue;
                }
                let of = Arc::clone(shared);
                connections.push(std::thread::spawn(move || {
                    let _ = carry(&client, &of);
                    reset(&client);
                }));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
        connections.retain(|connection| !connection.is_finished());
    }
    for connection in connections {
        let _ = connection.join();
    }
}

/// With nothing left unsent to linger for, closing sends a reset.
fn reset(stream: &TcpStream) {
    let now = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    let _ = nix::sys::socket::setsockopt(stream, nix::sys::socket::sockopt::Linger, &now);
    let _ = stream.shutdown(Shutdown::Read);
}

fn carry(client: &TcpStream, shared: &Arc<Shared>) -> std::io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.upstream))?;
    for stream in [client, &server] {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(LOOK))?;
        stream.set_nodelay(true)?;
    }
    std::thread::scope(|threads| {
        let there = threads.spawn(|| pour(client, &server, shared, |_| Allowed::All));
        let back = pour(&server, client, shared, |way| match way {
            Way::Open => Allowed::All,
            Way::Silent | Way::Reset => Allowed::UpTo(0),
            Way::StallAfter(most) | Way::CutAfter(most) => Allowed::UpTo(most),
        });
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
        let _ = there.join();
        back
    })
}

enum Allowed {
    All,
    UpTo(usize),
}

/// Carries bytes one way until an end closes, or what happens to connections says so.
fn pour(
    mut from: &TcpStream,
    mut to: &TcpStream,
    shared: &Shared,
    allowed: impl Fn(Way) -> Allowed,
) -> std::io::Result<()> {
    let mut carried = 0usize;
    let mut buffer = [0; 16 * 1024];
    loop {
        let Some(way) = *shared.way() else { return Ok(()) };
        let most = match allowed(way) {
            Allowed::All => buffer.len(),
            Allowed::UpTo(most) => most.saturating_sub(carried).min(buffer.len()),
        };
        if most == 0 {
            if matches!(way, Way::CutAfter(_) | Way::Reset) {
                return Ok(());
            }
            // Whoever gave up ends it; until then it only hangs.
            if is_closed(to)? {
                return Ok(());
            }
            std::thread::sleep(LOOK);
            continue;
        }
        // What comes after a change goes by it, although it was waited for before.
        let nothing_came = from.peek(&mut [0]).is_err_and(|waiting| is_to_come(&waiting));
        if nothing_came || *shared.way() != Some(way) {
            continue;
        }
        let Some(room) = buffer.get_mut(..most) else { return Ok(()) };
        match from.read(room) {
            // Passed on, or the other end would wait for ever for somebody who has gone.
            Ok(0) => return to.shutdown(Shutdown::Write),
            Ok(read) => {
                to.write_all(room.get(..read).unwrap_or_default())?;
                carried = carried.saturating_add(read);
            }
            Err(waiting) if is_to_come(&waiting) => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_to_come(waiting: &std::io::Error) -> bool {
    matches!(waiting.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn is_closed(stream: &TcpStream) -> std::io::Result<bool> {
    match stream.peek(&mut [0]) {
        Ok(read) => Ok(read == 0),
        Err(waiting) if is_to_come(&waiting) => Ok(false),
        Err(error) => Err(error),
    }
}
