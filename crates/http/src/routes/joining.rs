//! Joining a session: what its terminal shows, as it happens, and what is typed into it.
//!
//! INVARIANT: a place at a terminal outlives neither the right to it nor its person's sign-in: both are looked at
//! anew every few seconds (held by `whoever_loses_the_right_is_out`).

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use data_encoding::BASE64;
use futures::stream;
use tokio::sync::OwnedSemaphorePermit;
use wane_api::recording::EventLine;
use wane_api::{Class, SecretText};
use wane_app::{App, AppError, Seat, Seen};
use wane_domain::id::SessionId;
use wane_domain::time::Time;

use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Failure, Of};
use crate::shared::{Shared, Signed, presented};
use crate::view::recording as view;

/// Joins a session that goes on: what its terminal showed last and then what it shows, as lines of JSON, as it
/// happens. The first line is of the sort `place`; its text is the number under which you type. Its person is told
/// that you are there, and that you joined is written down before the first byte leaves. Whoever does not take what
/// comes is out; the session goes on.
#[utoipa::path(get, path = "/v1/sessions/{id}/join", tag = "sessions", params(("id" = String, Path, description = "A session")), responses((status = 200, body = EventLine, content_type = "application/x-ndjson"), Problems))]
pub(crate) async fn join_session(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let token = SecretText::new(presented(&headers, &shared).ok_or(AppError::SignedOut)?.to_owned());
    let full = |_| Failure::new(Class::Busy, "crowded", "too many streams are open; try again later").after(10);
    let place = Arc::clone(&shared.streams).try_acquire_owned().map_err(full)?;
    let seat = shared.app.join_session(&caller, session(&id)?).await?;
    let looked = shared.app.now();
    let joined = Joined { shared, token, seat: Some(seat), greeted: Greeted::NotYet, looked, _place: place };
    let parts = stream::unfold(joined, |mut joined| async move {
        joined.next().await.map(|bytes| (Ok::<Bytes, Infallible>(bytes), joined))
    });
    let mut response = Response::new(Body::from_stream(parts));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

/// Types at the terminal of a session that you have joined, under the number that was said first. The body is what
/// you type, as it is.
#[utoipa::path(post, path = "/v1/sessions/{id}/join/{place}", tag = "sessions", params(("id" = String, Path, description = "A session"), ("place" = String, Path, description = "The number that was said first")), request_body(content = String, content_type = "application/octet-stream"), responses((status = 204, description = "It goes in"), Problems))]
pub(crate) async fn type_in(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of((id, place)): Of<(String, String)>,
    body: Bytes,
) -> Answer<StatusCode> {
    shared.app.type_in(&caller, session(&id)?, &place, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn session(id: &str) -> Answer<SessionId> {
    read::id("open session", id)
}

/// Whether the first line was written.
enum Greeted {
    NotYet,
    Done,
}

struct Joined {
    shared: Arc<Shared>,
    token: SecretText,
    /// Not there after the end.
    seat: Option<Seat>,
    greeted: Greeted,
    looked: Time,
    _place: OwnedSemaphorePermit,
}

impl Joined {
    /// The next bytes; none when it is over.
    async fn next(&mut self) -> Option<Bytes> {
        let mut out = Vec::new();
        let seat = self.seat.as_mut()?;
        if let Greeted::NotYet = std::mem::replace(&mut self.greeted, Greeted::Done) {
            line(&mut out, "place", Some(seat.number().to_owned()));
            return Some(Bytes::from(out));
        }
        let again = App::looked_at_again();
        loop {
            let now = self.shared.app.now();
            if now.since(self.looked) >= again {
                self.looked = now;
                if !may_stay(&self.shared, &self.token, seat).await {
                    line(&mut out, "end", Some("you may not be there any more".to_owned()));
                    break;
                }
            }
            let shown = tokio::select! {
                () = self.shared.stop.cancelled() => None,
                shown = seat.next() => shown,
                () = tokio::time::sleep(again.to_std()) => continue,
            };
            match shown {
                Some(seen) => {
                    show(&mut out, &seen);
                    return Some(Bytes::from(out));
                }
                None => {
                    let why = if seat.is_over() { "the session is over" } else { "you did not keep up" };
                    line(&mut out, "end", Some(why.to_owned()));
                    break;
                }
            }
        }
        self.seat = None;
        Some(Bytes::from(out))
    }
}

/// Whether somebody may still be there, and is signed in still.
async fn may_stay(shared: &Shared, token: &SecretText, seat: &Seat) -> bool {
    match shared.app.authenticate(token.expose()).await {
        Ok(caller) => seat.still(&caller).await.is_ok(),
        Err(_) => false,
    }
}

fn show(out: &mut Vec<u8>, seen: &Seen) {
    let shown = match seen {
        Seen::Size(columns, rows) => {
            EventLine { what: "resized".to_owned(), size: Some((*columns, *rows)), ..EventLine::default() }
        }
        Seen::Output(bytes) => {
            let said = EventLine { what: "data".to_owned(), from: Some("target".to_owned()), ..EventLine::default() };
            match std::str::from_utf8(bytes) {
                Ok(text) => EventLine { text: Some(text.to_owned()), ..said },
                Err(_) => EventLine { base64: Some(BASE64.encode(bytes)), ..said },
            }
        }
    };
    view::line(out, &shown);
}

fn line(out: &mut Vec<u8>, what: &str, text: Option<String>) {
    view::line(out, &EventLine { what: what.to_owned(), text, ..EventLine::default() });
}
