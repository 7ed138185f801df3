//! The feed of ends (Server-Sent Events): tokens that are over before they run out, told to the server they are for.
//!
//! INVARIANT: whoever begins to listen is told of everything that is over and would still work, and whoever goes on after
//! an event misses none behind it (held by `a_server_that_listens_is_told_of_every_end_once_it_listens_again`).

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use futures::stream::{self, Stream};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use wane_api::LAST_EVENT_ID;
use wane_app::{AppError, TokensOver};
use wane_domain::id::ResourceId;

use super::answer::Refusal;
use super::call::{Server, known};
use crate::shared::Shared;

/// How often it is looked whether something was ended from memory, and whether the server still is one.
const LOOK: Duration = Duration::from_millis(500);
/// Every so many looks something is sent, so that a dead connection is noticed.
const BEAT: u32 = 30;

struct Open {
    shared: Arc<Shared>,
    server: ResourceId,
    credential: String,
    after: u64,
    ready: VecDeque<Event>,
    /// Ends that are told of and are not in the trail.
    told: HashSet<String>,
    looks: u32,
    _place: OwnedSemaphorePermit,
}

/// Tokens for the server that are over, after the event that `Last-Event-ID` names, or all of them that would still work.
pub(crate) async fn feed(
    State(shared): State<Arc<Shared>>,
    Server(server): Server,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let credential = super::call::credential(&headers).ok_or_else(Refusal::client)?;
    let full =
        |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "too many streams are open");
    let place = Arc::clone(&shared.feeds).try_acquire_owned().map_err(full)?;
    // Read before what is over: whatever ends in between is told twice and not missed.
    let head = shared.app.store().head().await.map_err(AppError::from)?;
    let mut open = Open {
        shared: Arc::clone(&shared),
        server,
        credential,
        after: head,
        ready: VecDeque::new(),
        told: HashSet::new(),
        looks: 0,
        _place: place,
    };
    match headers.get(LAST_EVENT_ID) {
        Some(id) => {
            let after = id.to_str().ok().and_then(|id| id.parse::<u64>().ok()).filter(|after| *after <= head);
            open.after = after.ok_or_else(|| Refusal::invalid("`Last-Event-ID` is not the id of an event"))?;
        }
        None => {
            for over in shared.app.tokens_over(server).await? {
                open.push(&over);
            }
            // From here on it can be gone on after, though nothing ended yet.
            open.ready.push_back(Event::default().id(head.to_string()).event("listening").data("{}"));
        }
    }
    Ok(Sse::new(stream::unfold(open, |mut open| async move { open.next().await.map(|event| (Ok(event), open)) })))
}

impl Open {
    fn push(&mut self, over: &TokensOver) {
        let data = json!({ "grant": over.grant, "tokens": over.tokens, "at": crate::view::at(over.at) });
        let event = Event::default().event("over").data(data.to_string());
        match over.seq {
            Some(seq) => self.ready.push_back(event.id(seq.to_string())),
            None => {
                if self.told.insert(over.tokens.join(" ")) {
                    self.ready.push_back(event);
                }
            }
        }
    }

    /// The next event or beat; none when the stream is over.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let app = Arc::clone(&self.shared.app);
            let waited = tokio::select! {
                () = self.shared.stop.cancelled() => return None,
                waited = tokio::time::timeout(LOOK, app.tokens_over_after(self.server, self.after)) => waited,
            };
            if let Ok(found) = waited {
                let (all, last) = found.ok()?;
                for over in all {
                    self.push(&over);
                }
                self.after = last;
                continue;
            }
            // A credential that was taken away ends the stream that it opened.
            known(&self.shared, None, &self.credential).await.ok().filter(|server| *server == self.server)?;
            for over in app.tokens_over_from_memory(self.server).await.ok()? {
                self.push(&over);
            }
            self.looks = self.looks.wrapping_add(1);
            if self.looks.is_multiple_of(BEAT) {
                return Some(Event::default().comment("beat"));
            }
        }
    }
}
