//! A channel of one connection as the pipe of another inside it.
//!
//! What has come in on the channel and was not taken yet counts as waiting in the outer connection, which is not
//! read while too much does (see [`super::flow`]).

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use russh::{Channel, ChannelStream, server};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::flow::{Flow, Queue, Side};

/// What came in on a channel and waits to be taken.
pub(super) struct Waiting {
    queue: Queue,
    /// The messages, by their size.
    sizes: Mutex<VecDeque<usize>>,
}

impl Waiting {
    pub(super) fn new(flow: &Arc<Flow>) -> Arc<Self> {
        Arc::new(Self { queue: Queue::new(flow, Side::Person), sizes: Mutex::default() })
    }

    /// A message came in.
    pub(super) fn came(&self, bytes: usize) {
        self.queue.came(bytes);
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner).push_back(bytes);
    }

    /// So many bytes were taken: a message counts as gone once all of it is.
    fn taken(&self, mut bytes: usize, of_first: &mut usize) {
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(size) = sizes.front().copied() {
            let left = size.saturating_sub(*of_first);
            if bytes < left {
                *of_first = of_first.saturating_add(bytes);
                return;
            }
            bytes = bytes.saturating_sub(left);
            *of_first = 0;
            sizes.pop_front();
            self.queue.went(size);
            if bytes == 0 {
                return;
            }
        }
    }
}

/// The pipe.
pub(super) struct Nested {
    stream: ChannelStream<server::Msg>,
    waiting: Arc<Waiting>,
    /// How much of the first message that waits was taken.
    of_first: usize,
}

impl Nested {
    pub(super) fn new(channel: Channel<server::Msg>, waiting: Arc<Waiting>) -> Self {
        Self { stream: channel.into_stream(), waiting, of_first: 0 }
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        // What nobody takes any more does not wait: the outer connection goes on.
        self.waiting.queue.done();
    }
}

impl AsyncRead for Nested {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Whoever only looks whether the pipe is whole takes nothing, and must not be told that it has ended.
        if buf.remaining() == 0 {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buf);
        let taken = buf.filled().len().saturating_sub(before);
        if taken > 0 {
            this.waiting.taken(taken, &mut this.of_first);
        }
        polled
    }
}

impl AsyncWrite for Nested {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_in_parts_is_counted_by_messages() {
        let flow = Arc::new(Flow::default());
        let waiting = Waiting::new(&flow);
        let left = || waiting.sizes.lock().unwrap().iter().copied().collect::<Vec<_>>();
        for size in [10, 1, 5] {
            waiting.came(size);
        }
        let mut of_first = 0;
        waiting.taken(4, &mut of_first);
        assert_eq!((left(), of_first), (vec![10, 1, 5], 4));
        waiting.taken(8, &mut of_first);
        assert_eq!((left(), of_first), (vec![5], 1));
        waiting.taken(4, &mut of_first);
        assert_eq!((left(), of_first), (vec![], 0));
    }
}
