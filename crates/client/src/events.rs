//! The event stream (Server-Sent Events), which goes on where it broke off.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::stream::{self, BoxStream, Stream, StreamExt};
use reqwest::header::ACCEPT;
use sse_stream::{Sse, SseByteStream};
use wane_api::trail::RecordView;
use wane_api::{Class, LAST_EVENT_ID};

use crate::connect::Client;
use crate::error::ClientError;

/// The most one event may weigh, comments before it included.
const LARGEST_EVENT: usize = 1024 * 1024;
/// The server sends something every 15 s; a stream that is silent for longer is dead.
const LONGEST_SILENCE: Duration = Duration::from_secs(45);
/// The first wait before the stream is opened again; doubles up to the last.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LAST_WAIT: Duration = Duration::from_secs(10);

/// Records as they happen. See [`Client::events`].
pub struct Events(BoxStream<'static, Result<RecordView, ClientError>>);

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

impl Stream for Events {
    type Item = Result<RecordView, ClientError>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

/// Why an open stream is over.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("nothing came for too long")]
    Silent,
    #[error("an event is too long")]
    TooLong,
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

type Open = BoxStream<'static, Result<Sse, sse_stream::Error>>;

struct State {
    client: Client,
    after: Option<u64>,
    open: Option<Open>,
    /// Bytes since the last event.
    weight: Arc<AtomicUsize>,
    wait: Duration,
    over: bool,
}

impl Client {
    /// Records the caller may see, after the one numbered `after`, or from now on. A stream that
    /// breaks off is opened again where it was. Each failure to open it is one `Err`: after one that
    /// is worth trying again (not reachable, busy) the stream goes on, after any other it ends.
    #[must_use]
    pub fn events(&self, after: Option<u64>) -> Events {
        let state = State {
            client: self.clone(),
            after,
            open: None,
            weight: Arc::default(),
            wait: Duration::ZERO,
            over: false,
        };
        Events(stream::unfold(state, |mut state| async move { state.next().await.map(|item| (item, state)) }).boxed())
    }

    async fn open_events(&self, after: Option<u64>, weight: Arc<AtomicUsize>) -> Result<Open, ClientError> {
        let mut request = self.http.get(self.url(&["v1", "events"])?).header(ACCEPT, "text/event-stream");
        if let Some(after) = after {
            request = request.header(LAST_EVENT_ID, after.to_string());
        }
        let opened = tokio::time::timeout(LONGEST_SILENCE, self.open(request, self.token.as_ref())).await;
        let response = opened.map_err(|_| ClientError::Transport {
            server: self.server().to_owned(),
            what: "did not answer in time",
            why: "the event stream did not open".to_owned(),
            todo: "try again, or check the server's log",
        })??;
        weight.store(0, Ordering::Relaxed);
        let chunks = stream::try_unfold(response, move |mut response| {
            let weight = Arc::clone(&weight);
            async move {
                let chunk =
                    tokio::time::timeout(LONGEST_SILENCE, response.chunk()).await.map_err(|_| Broken::Silent)??;
                let Some(chunk) = chunk else { return Ok(None) };
                if weight.fetch_add(chunk.len(), Ordering::Relaxed) + chunk.len() > LARGEST_EVENT {
                    return Err(Broken::TooLong);
                }
                Ok(Some((chunk, response)))
            }
        });
        Ok(SseByteStream::new(Box::pin(chunks)).boxed())
    }
}

impl State {
    async fn next(&mut self) -> Option<Result<RecordView, ClientError>> {
        while !self.over {
            let Some(open) = self.open.as_mut() else {
                tokio::time::sleep(self.wait).await;
                self.wait = (self.wait * 2).clamp(FIRST_WAIT, LAST_WAIT);
                match self.client.open_events(self.after, Arc::clone(&self.weight)).await {
                    Ok(open) => self.open = Some(open),
                    Err(error) => {
                        self.over = !matches!(error.class(), Class::Busy);
                        return Some(Err(error));
                    }
                }
                continue;
            };
            match open.next().await {
                Some(Ok(Sse { data: Some(data), .. })) => {
                    self.weight.store(0, Ordering::Relaxed);
                    self.wait = FIRST_WAIT;
                    return Some(self.record(&data));
                }
                Some(Ok(Sse { data: None, .. })) => self.weight.store(0, Ordering::Relaxed),
                Some(Err(_)) | None => self.open = None,
            }
        }
        None
    }

    fn record(&mut self, data: &str) -> Result<RecordView, ClientError> {
        match serde_json::from_str::<RecordView>(data) {
            Ok(record) => {
                self.after = Some(record.seq);
                Ok(record)
            }
            Err(e) => {
                self.over = true;
                Err(ClientError::decode(self.client.server(), e))
            }
        }
    }
}
