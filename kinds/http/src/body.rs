//! Bodies on their way: each piece is reported before it passes, none is read faster than the other side takes it, and
//! none passes once the session is over.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use wane_connector::web::Stake;
use wane_recording::{Event, Side};

use crate::head;
use crate::session::{AppSession, Busy};
use crate::upstream::{Connection, Fault, Out};

type Waits<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A body that is reported as it passes.
pub(crate) struct Tapped {
    inner: Incoming,
    session: Arc<AppSession>,
    channel: u32,
    from: Side,
    /// A piece that is being reported.
    reporting: Option<Waits<Result<Frame<Bytes>, Fault>>>,
    /// That all of it passed is being reported.
    closing: Option<Waits<()>>,
    over: Waits<String>,
    done: bool,
    way: Option<Way>,
}

/// What an answer comes over.
pub(crate) struct Way {
    pub(crate) connection: Connection,
    pub(crate) stake: Arc<dyn Stake>,
    pub(crate) busy: Busy,
}

impl Tapped {
    /// What a person sends.
    pub(crate) fn request(inner: Incoming, session: Arc<AppSession>, channel: u32) -> Out {
        Self::new(inner, session, channel, Side::Client, None).boxed_unsync()
    }

    /// What an application answers.
    pub(crate) fn answer(inner: Incoming, session: Arc<AppSession>, channel: u32, way: Way) -> Out {
        Self::new(inner, session, channel, Side::Target, Some(way)).boxed_unsync()
    }

    fn new(inner: Incoming, session: Arc<AppSession>, channel: u32, from: Side, way: Option<Way>) -> Self {
        let over = {
            let session = Arc::clone(&session);
            Box::pin(async move { session.is_over().await })
        };
        Self { inner, session, channel, from, reporting: None, closing: None, over, done: false, way }
    }

    /// Reports a piece, and lets it go after that.
    fn report(&self, frame: Frame<Bytes>) -> Waits<Result<Frame<Bytes>, Fault>> {
        let (session, channel, from) = (Arc::clone(&self.session), self.channel, self.from);
        Box::pin(async move {
            if let Some(bytes) = frame.data_ref() {
                pass(&session, channel, from, bytes).await?;
            }
            Ok(frame)
        })
    }

    /// All of an answer passed: its connection is kept, and the end is reported.
    fn close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(mut way) = self.way.take() {
            if way.connection.is_idle(cx) {
                self.session.keep(way.connection);
            }
            let (session, channel) = (Arc::clone(&self.session), self.channel);
            self.closing = Some(Box::pin(async move {
                // Whether it is refused or not: nothing more passes.
                let _ = session.line.tap(&Event::Closed { channel }).await;
                drop((way.stake, way.busy));
            }));
        }
        if let Some(closing) = &mut self.closing {
            std::task::ready!(closing.as_mut().poll(cx));
            self.closing = None;
        }
        Poll::Ready(())
    }
}

/// Reports bytes that are about to pass.
pub(crate) async fn pass(session: &AppSession, channel: u32, from: Side, bytes: &[u8]) -> Result<(), Fault> {
    let event = if session.definition.bodies {
        Event::Data { channel, from, bytes: bytes.into() }
    } else {
        Event::Withheld { channel, from, bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX) }
    };
    Ok(session.line.tap(&event).await?)
}

impl Body for Tapped {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = self.get_mut();
        if let Poll::Ready(why) = this.over.as_mut().poll(cx) {
            this.way = None;
            return Poll::Ready(Some(Err(why.into())));
        }
        // Nothing comes but while the connection it comes over is driven; what is on it already does.
        if let Some(way) = &mut this.way {
            let _ = way.connection.poll_drive(cx);
        }
        loop {
            if let Some(reporting) = &mut this.reporting {
                let reported = std::task::ready!(reporting.as_mut().poll(cx));
                this.reporting = None;
                return Poll::Ready(Some(reported));
            }
            if this.done {
                std::task::ready!(this.close(cx));
                return Poll::Ready(None);
            }
            match std::task::ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                // INVARIANT: what comes behind a request is no header of it to anybody (held by
                // `trailers_pass_as_grpc_has_them`): some applications take the one for the other.
                Some(Ok(frame)) if this.from == Side::Client && frame.is_trailers() => {}
                Some(Ok(mut frame)) => {
                    if let Some(trailers) = frame.trailers_mut() {
                        head::towards_person(trailers);
                    }
                    this.reporting = Some(this.report(frame));
                }
                Some(Err(error)) => {
                    this.way = None;
                    return Poll::Ready(Some(Err(error.into())));
                }
                None => this.done = true,
            }
        }
    }

    /// Asked to the very end, so that the end is seen.
    fn is_end_stream(&self) -> bool {
        self.way.is_none() && self.closing.is_none() && self.reporting.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
