//! The event stream: records as they happen (Server-Sent Events).
//!
//! INVARIANT: a stream outlives neither its session nor the right to read. Both are looked at anew
//! with each batch and at each beat.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use futures::stream::{self, Stream};
use tokio::sync::OwnedSemaphorePermit;
use wane_api::{Class, LAST_EVENT_ID, SecretText};
use wane_app::{AppError, Caller};

use crate::openapi::Problems;
use crate::rim::{Answer, Failure, Nothing, Query};
use crate::shared::{Shared, Signed, presented};
use crate::view::{Names, trail};

/// Something is sent at least this often, so that a dead connection is noticed.
const BEAT: Duration = Duration::from_secs(15);

struct Open {
    shared: Arc<Shared>,
    token: SecretText,
    caller: Caller,
    after: u64,
    ready: VecDeque<Event>,
    _place: OwnedSemaphorePermit,
}

/// Records the caller may see, as they happen, after the one that `Last-Event-ID` names or from now
/// on. The data of an event is a record, its id the record's `seq`.
#[utoipa::path(get, path = "/v1/events", tag = "boards", params(("Last-Event-ID" = Option<u64>, Header)), responses((status = 200, body = wane_api::trail::RecordView, content_type = "text/event-stream"), Problems))]
pub(crate) async fn events(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(Nothing {}): Query<Nothing>,
    headers: HeaderMap,
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let after = match headers.get(LAST_EVENT_ID) {
        None => shared.app.store().head().await.map_err(AppError::from)?,
        Some(id) => {
            let number = id.to_str().ok().and_then(|id| id.parse().ok());
            number
                .ok_or_else(|| Failure::field("Last-Event-ID", "it is not the id of an event; send a whole number"))?
        }
    };
    let token = SecretText::new(presented(&headers, &shared).ok_or(AppError::SignedOut)?.to_owned());
    let full = |_| Failure::new(Class::Busy, "crowded", "too many event streams are open; try again later").after(10);
    let place = Arc::clone(&shared.streams).try_acquire_owned().map_err(full)?;
    let open = Open { shared, token, caller, after, ready: VecDeque::new(), _place: place };
    Ok(Sse::new(stream::unfold(open, |mut open| async move { open.next().await.map(|event| (Ok(event), open)) })))
}

impl Open {
    /// The next event or beat; none when the stream is over.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let app = &self.shared.app;
            let waited = tokio::select! {
                () = self.shared.stop.cancelled() => return None,
                waited = tokio::time::timeout(BEAT, app.next_records(&self.caller, self.after)) => waited,
            };
            self.caller = app.authenticate(self.token.expose()).await.ok()?;
            let Ok(found) = waited else { return Some(Event::default().comment("beat")) };
            let (records, last) = found.ok()?;
            let world = app.world().await.ok()?;
            for entry in records {
                let id = entry.seq.to_string();
                self.ready.push_back(Event::default().id(id).json_data(trail::record(Names(&world), entry)).ok()?);
            }
            self.after = last;
        }
    }
}
