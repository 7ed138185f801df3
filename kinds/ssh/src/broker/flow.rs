//! Neither side is read faster than the other takes it.
//!
//! The library grants a peer new room as soon as its bytes are read, whatever became of them, so how
//! much waits is bounded here: while too much of what one side sent waits for the other, that side is not
//! read. Not being read, it cannot say either that it has room again, so a side is read on (up to a
//! harder bound) while something waits for *it*. A session that is stuck at the hard bound on both sides
//! is broken off.
//!
//! INVARIANT: what waits in memory for one session is bounded by [`HARD`] for each side (held by
//! `what_waits_is_bounded_and_moves_again`).

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use wane_connector::broker::Pipe;

use super::greeting::{Greeting, strict_kex};

/// From here on a side is not read, unless something waits for it.
const HIGH: i64 = 1024 * 1024;
/// From here on it is not read at all.
const HARD: i64 = 32 * 1024 * 1024;
/// What a message costs on top of its bytes.
const MESSAGE: i64 = 128;

/// What waits in one session, in both directions.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    waits: Mutex<Waits>,
    person: AtomicWaker,
    host: AtomicWaker,
    /// What the person's program calls itself.
    version: OnceLock<String>,
    jam: Notify,
}

#[derive(Debug, Default)]
struct Waits {
    /// From the person, for the host.
    up: i64,
    /// From the host, for the person.
    down: i64,
    /// Answers of the host that the person's side waits for: it is read on meanwhile.
    asked: u32,
}

/// A side of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Person,
    Host,
}

impl Waits {
    fn reads(&self, side: Side) -> bool {
        let (own, other) = match side {
            Side::Person => (self.up, self.down),
            Side::Host => (self.down, self.up),
        };
        let awaited = side == Side::Host && self.asked > 0;
        own <= HIGH || (own <= HARD && (other > 0 || awaited))
    }
}

impl Flow {
    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Waits)) {
        let (person, host, stuck) = {
            let mut waits = self.waits();
            let before = (waits.reads(Side::Person), waits.reads(Side::Host));
            change(&mut waits);
            let after = (waits.reads(Side::Person), waits.reads(Side::Host));
            (!before.0 && after.0, !before.1 && after.1, after == (false, false))
        };
        if stuck {
            self.jam.notify_one();
        }
        if person {
            self.person.wake();
        }
        if host {
            self.host.wake();
        }
    }

    /// What the person's program calls itself, in letters that move no terminal.
    pub(crate) fn version(&self) -> String {
        self.version.get().cloned().unwrap_or_default()
    }

    /// Waits until nothing can move any more.
    pub(crate) async fn stuck(&self) {
        loop {
            self.jam.notified().await;
            let waits = self.waits();
            if !waits.reads(Side::Person) && !waits.reads(Side::Host) {
                return;
            }
        }
    }

    /// Holds the host's side open until an answer is there.
    pub(crate) fn asks(self: &Arc<Self>) -> Asking {
        self.change(|waits| waits.asked = waits.asked.saturating_add(1));
        Asking(Arc::clone(self))
    }

    fn waker(&self, side: Side) -> &AtomicWaker {
        match side {
            Side::Person => &self.person,
            Side::Host => &self.host,
        }
    }
}

/// An answer is waited for.
#[derive(Debug)]
pub(crate) struct Asking(Arc<Flow>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.change(|waits| waits.asked = waits.asked.saturating_sub(1));
    }
}

/// What of one channel's waits in one direction. Whatever is left when it is done with is given back.
#[derive(Debug)]
pub(crate) struct Queue {
    flow: Arc<Flow>,
    from: Side,
    /// None once nobody takes from it any more.
    held: Mutex<Option<i64>>,
}

impl Queue {
    pub(crate) fn new(flow: &Arc<Flow>, from: Side) -> Self {
        Self { flow: Arc::clone(flow), from, held: Mutex::new(Some(0)) }
    }

    /// A message of so many bytes came in.
    pub(crate) fn came(&self, bytes: usize) {
        self.by(cost(bytes));
    }

    /// It went out.
    pub(crate) fn went(&self, bytes: usize) {
        self.by(cost(bytes).saturating_neg());
    }

    /// Nobody takes from it any more.
    pub(crate) fn done(&self) {
        let left = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.count(left.unwrap_or(0).saturating_neg());
    }

    fn by(&self, change: i64) {
        // Held while the sum changes, so that what is given back at the end is what was counted.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.as_mut() {
            *held = held.saturating_add(change);
            self.count(change);
        }
    }

    fn count(&self, change: i64) {
        self.flow.change(|waits| match self.from {
            Side::Person => waits.up = waits.up.saturating_add(change),
            Side::Host => waits.down = waits.down.saturating_add(change),
        });
    }
}

fn cost(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(HARD).saturating_add(MESSAGE)
}

/// A connection that is read only while there is room for what it brings.
pub(crate) struct Gated {
    pipe: Pipe,
    flow: Arc<Flow>,
    side: Side,
    /// What a person's program sent so far, until it is known whether its key exchange will be strict.
    greeting: Option<Vec<u8>>,
}

impl Gated {
    pub(crate) fn new(pipe: Pipe, flow: &Arc<Flow>, side: Side) -> Self {
        // The library tells us of the host's; of a person's it does not.
        let greeting = (side == Side::Person).then(Vec::new);
        Self { pipe, flow: Arc::clone(flow), side, greeting }
    }

    fn greeted(&mut self, new: &[u8]) -> io::Result<()> {
        let Some(greeting) = &mut self.greeting else { return Ok(()) };
        greeting.extend_from_slice(new);
        match strict_kex(greeting) {
            Greeting::More => Ok(()),
            Greeting::Strict => {
                let line = greeting.split(|byte| *byte == b'\r' || *byte == b'\n').next().unwrap_or_default();
                let graphic = line.iter().copied().filter(|byte| byte.is_ascii_graphic() || *byte == b' ');
                let _ = self.flow.version.set(graphic.take(128).map(char::from).collect());
                self.greeting = None;
                Ok(())
            }
            Greeting::Lax => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the client does not offer strict key exchange; it needs an update",
            )),
        }
    }
}

impl AsyncRead for Gated {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Registered first: a change after the look wakes us.
        this.flow.waker(this.side).register(cx.waker());
        if !this.flow.waits().reads(this.side) {
            // Nothing is taken, but a connection that was cut must be let go of at once (held by
            // `a_cut_is_noticed_behind_a_closed_gate`).
            let polled = Pin::new(&mut this.pipe).poll_read(cx, &mut ReadBuf::new(&mut []));
            return if matches!(polled, Poll::Ready(Err(_))) { polled } else { Poll::Pending };
        }
        let before = buf.filled().len();
        match Pin::new(&mut this.pipe).poll_read(cx, buf) {
            Poll::Ready(Ok(())) if this.greeting.is_some() => {
                let new = buf.filled().get(before..).unwrap_or_default().to_vec();
                Poll::Ready(this.greeted(&new))
            }
            polled => polled,
        }
    }
}

impl AsyncWrite for Gated {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().pipe).poll_write(cx, buf)
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().pipe).poll_flush(cx)
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().pipe).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn reads(flow: &Flow) -> (bool, bool) {
        let waits = flow.waits();
        (waits.reads(Side::Person), waits.reads(Side::Host))
    }

    #[test]
    fn what_waits_is_bounded_and_moves_again() {
        let flow = Arc::new(Flow::default());
        let (up, down) = (Queue::new(&flow, Side::Person), Queue::new(&flow, Side::Host));
        let (high, hard) = (usize::try_from(HIGH).unwrap(), usize::try_from(HARD).unwrap());
        up.came(high);
        assert_eq!(reads(&flow), (false, true), "too much waits for the host");
        down.came(1);
        assert_eq!(reads(&flow), (true, true), "something waits for the person, whose room we have to hear of");
        up.came(hard);
        assert_eq!(reads(&flow), (false, true), "there is a limit to that");
        down.came(hard);
        assert_eq!(reads(&flow), (false, false));
        assert!(flow.stuck().now_or_never().is_some(), "which is noticed");
        up.went(hard);
        up.went(high);
        assert_eq!(reads(&flow), (true, false), "it moves again");
        down.done();
        assert_eq!(reads(&flow), (true, true), "what nobody takes any more does not wait");
        down.came(hard);
        assert_eq!(reads(&flow), (true, true), "nor does what comes after");
    }

    struct Cut;

    impl AsyncRead for Cut {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
        }
    }

    impl AsyncWrite for Cut {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_cut_is_noticed_behind_a_closed_gate() {
        let flow = Arc::new(Flow::default());
        Queue::new(&flow, Side::Host).came(usize::try_from(HIGH).unwrap());
        assert!(!reads(&flow).1);
        let mut gated = Gated::new(Box::new(Cut), &flow, Side::Host);
        let read = tokio::io::AsyncReadExt::read(&mut gated, &mut [0; 1]).now_or_never();
        assert_eq!(read.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    }

    #[test]
    fn an_answer_is_heard_through_a_full_queue() {
        let flow = Arc::new(Flow::default());
        let down = Queue::new(&flow, Side::Host);
        down.came(usize::try_from(HIGH).unwrap());
        assert!(!reads(&flow).1);
        let asking = flow.asks();
        assert!(reads(&flow).1);
        drop(asking);
        assert!(!reads(&flow).1);
    }
}
