//! Recordings of sessions: listed, searched, held against the log, played and watched.
//!
//! INVARIANT: a stream outlives neither the right to read nor its reader's session: both are looked at anew
//! every few seconds (held by `a_watcher_whose_right_goes_sees_no_more`).
//!
//! INVARIANT: what is replayed and does not come to its end breaks off, so that nobody keeps a part of it as the whole
//! (held by `a_replay_that_is_cut_breaks_off`). What is watched goes on; an end to that says so by having no last line.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use futures::{StreamExt as _, stream};
use tokio::sync::OwnedSemaphorePermit;
use wane_api::query::{Played, Recordings, Sought as SoughtQuery};
use wane_api::recording::{EventLine, RecordingView, SearchView, Verification};
use wane_api::{Class, Page, SecretText};
use wane_app::listing::RecordingFilter;
use wane_app::{App, AppError, Caller, Playing, Purpose, Sought, Verdict, Within};
use wane_domain::id::{PersonId, ResourceId, SessionId};
use wane_domain::time::Time;
use wane_domain::world::World;
use wane_policy::schema::Action;
use wane_recording::{Cast, Har, Piece};

use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Failure, Named, Of, Query};
use crate::shared::{Shared, Signed, presented};
use crate::view::{Names, recording as view};

/// How long a watcher waits before it looks again whether more was written.
const LOOK: Duration = Duration::from_millis(150);
/// How much is written before it is sent.
const ENOUGH: usize = 64 * 1024;

/// Recordings of sessions, newest first, and nothing of what is in them: all for those who may read access, else
/// one's own.
#[utoipa::path(get, path = "/v1/recordings", tag = "recordings", params(Recordings), responses((status = 200, body = Page<RecordingView>), Problems))]
pub(crate) async fn recordings(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Recordings>,
) -> Answer<Json<Page<RecordingView>>> {
    let slice = read::slice(query.cursor.as_deref(), query.limit)?;
    let world = shared.app.world().await?;
    let who = (query.person.as_deref(), query.resource.as_deref());
    let Some((holder, resource)) = named(&shared, &caller, &world, who)? else {
        return Ok(Json(Page { items: Vec::new(), next: None }));
    };
    let (from, until) = (query.from.map(read::time), query.until.map(read::time));
    if let Some(word) = query.verdict.as_deref()
        && !Verdict::ALL.iter().any(|known| known.name() == word)
    {
        return Err(Failure::field("verdict", "it is `inside`, `outside` or `unknown`"));
    }
    let verdict = query.verdict;
    let filter = RecordingFilter { holder, resource, from, until, verdict, ..RecordingFilter::default() };
    let page = shared.app.list_recordings(&caller, filter, slice).await?;
    let items = page.items.iter().map(|recording| view::recording(Names(&world), recording)).collect();
    Ok(Json(Page { items, next: page.next.map(|c| c.0) }))
}

/// The recordings in which a text stands, of those the caller may replay; each that is found is written down as
/// read. Reads a bounded number of them, the newest first.
#[utoipa::path(get, path = "/v1/recordings/search", tag = "recordings", params(SoughtQuery), responses((status = 200, body = SearchView), Problems))]
pub(crate) async fn search(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<SoughtQuery>,
) -> Answer<Json<SearchView>> {
    if query.text.trim().len() < 3 || query.text.len() > 200 {
        return Err(Failure::field("text", "what is searched for is 3 to 200 characters long"));
    }
    let world = shared.app.world().await?;
    let who = (query.person.as_deref(), query.resource.as_deref());
    let Some((holder, resource)) = named(&shared, &caller, &world, who)? else {
        return Ok(Json(SearchView { found: Vec::new(), read: 0, unread: Vec::new(), more: false }));
    };
    let (from, until) = (query.from.map(read::time), query.until.map(read::time));
    let within = match query.within.as_deref() {
        None => Within::All,
        Some("command") => Within::Commands,
        Some("file") => Within::Files,
        Some(_) => return Err(Failure::field("in", "it is `command` or `file`; leave it out to search everywhere")),
    };
    let sought = Sought { text: query.text, within, holder, resource, from, until };
    let searched = shared.app.search_recordings(&caller, sought).await?;
    Ok(Json(view::searched(Names(&world), &searched)))
}

/// Holds a recording against what the log says of it. Nothing of what is in it is shown.
#[utoipa::path(get, path = "/v1/sessions/{id}/recording/verification", tag = "recordings", params(("id" = String, Path, description = "A session")), responses((status = 200, body = Verification), Problems))]
pub(crate) async fn verify(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
) -> Answer<Json<Verification>> {
    let verified = shared.app.verify_recording(&caller, session(&id)?).await?;
    Ok(Json(view::verified(&verified)))
}

/// A recording, from its beginning to its end: as lines of JSON, one event each, or one channel of it as an
/// asciicast (version 3), or its requests to an application as one HAR document (version 1.2). Who reads it is written down before the first byte leaves.
/// Where the right to it goes or the server stops, the answer breaks off: a part never looks like the whole.
#[utoipa::path(get, path = "/v1/sessions/{id}/recording", tag = "recordings", params(("id" = String, Path, description = "A session"), Played), responses((status = 200, body = EventLine, content_type = "application/x-ndjson"), Problems))]
pub(crate) async fn play(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Named(id): Named<String>,
    Query(query): Query<Played>,
    headers: HeaderMap,
) -> Answer<Response> {
    let form = match query.form.as_deref() {
        None | Some("events") => Asked::Events,
        Some("asciicast") => Asked::Cast(query.channel.unwrap_or(0)),
        Some("har") => Asked::Har,
        Some(_) => return Err(Failure::field("form", "it is `events`, `asciicast` or `har`")),
    };
    streamed(shared, caller, session(&id)?, Purpose::Replay, form, &headers).await
}

/// A session that goes on, from its beginning and then as it happens, as lines of JSON. Ends with the session.
/// Who watches is written down before the first byte leaves.
#[utoipa::path(get, path = "/v1/sessions/{id}/watch", tag = "recordings", params(("id" = String, Path, description = "A session")), responses((status = 200, body = EventLine, content_type = "application/x-ndjson"), Problems))]
pub(crate) async fn watch(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    streamed(shared, caller, session(&id)?, Purpose::Watch, Asked::Events, &headers).await
}

fn session(id: &str) -> Answer<SessionId> {
    read::id("recording of session", id)
}

/// Who and what was named; none if nothing can be there for this caller.
fn named(
    shared: &Shared,
    caller: &Caller,
    world: &World,
    (person, resource): (Option<&str>, Option<&str>),
) -> Answer<Option<(Option<PersonId>, Option<ResourceId>)>> {
    let holder = match person {
        Some(name) if name == caller.name.as_str() => Some(caller.person),
        Some(name) => {
            let all = shared.app.allows(caller, world, Action::ReadAccess)?;
            let found = world.person(name).filter(|_| all);
            Some(found.ok_or_else(|| AppError::missing("person", name))?.id)
        }
        None => None,
    };
    let resource = match resource {
        Some(name) => match super::grants::resource_named(shared, caller, world, name)? {
            Some(id) => Some(id),
            None => return Ok(None),
        },
        None => None,
    };
    Ok(Some((holder, resource)))
}

/// In which form a recording is asked for.
#[derive(Clone, Copy)]
enum Asked {
    Events,
    /// Of one channel.
    Cast(u32),
    Har,
}

/// What is written of a recording.
enum Form {
    Events,
    Cast(Cast<Vec<u8>>),
    Har(Har<Vec<u8>>),
}

struct Stream {
    shared: Arc<Shared>,
    token: SecretText,
    /// Not there while it is read, and after the end.
    reading: Option<(Playing, Form)>,
    looked: Time,
    purpose: Purpose,
    _place: OwnedSemaphorePermit,
}

async fn streamed(
    shared: Arc<Shared>,
    caller: Caller,
    session: SessionId,
    purpose: Purpose,
    asked: Asked,
    headers: &HeaderMap,
) -> Answer<Response> {
    let token = SecretText::new(presented(headers, &shared).ok_or(AppError::SignedOut)?.to_owned());
    let full = |_| Failure::new(Class::Busy, "crowded", "too many streams are open; try again later").after(10);
    let place = Arc::clone(&shared.streams).try_acquire_owned().map_err(full)?;
    let playing = shared.app.read_recording(&caller, session, purpose).await?;
    // When it began, so that whoever plays it knows how far into it something is.
    let mut first = Vec::new();
    if matches!(asked, Asked::Events) {
        view::line(&mut first, &view::began(playing.header().began));
    }
    let (form, of) = match asked {
        Asked::Events => (Form::Events, "application/x-ndjson"),
        Asked::Cast(channel) => {
            (Form::Cast(Cast::of(playing.header(), channel, Vec::new())), "application/x-asciicast")
        }
        Asked::Har => (Form::Har(Har::of(Vec::new())), "application/json"),
    };
    let looked = shared.app.now();
    let stream = Stream { shared, token, reading: Some((playing, form)), looked, purpose, _place: place };
    let parts = stream::unfold(stream, |mut stream| async move { stream.next().await.map(|part| (part, stream)) });
    let first = stream::once(std::future::ready(Ok(Bytes::from(first))));
    let mut response = Response::new(Body::from_stream(first.chain(parts)));
    response.headers_mut().insert(CONTENT_TYPE, axum::http::HeaderValue::from_static(of));
    Ok(response)
}

impl Stream {
    /// The next bytes; none when it is over.
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            let (playing, form) = self.reading.take()?;
            if self.shared.stop.is_cancelled() {
                return self.cut("the server stops");
            }
            let Some(playing) = self.may_go_on(playing).await else {
                return self.cut("whoever reads it may not any more");
            };
            let read = tokio::task::spawn_blocking(move || some(playing, form)).await;
            let Ok((bytes, then)) = read else { return self.cut("it could not be read") };
            let waits = matches!(then, Then::Waits(..));
            match then {
                Then::On(playing, form) | Then::Waits(playing, form) => self.reading = Some((playing, form)),
                Then::Over => {}
            }
            if !bytes.is_empty() || self.reading.is_none() {
                return Some(Ok(Bytes::from(bytes)));
            }
            if waits {
                tokio::select! {
                    () = self.shared.stop.cancelled() => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
    }

    /// The end of what was not read to its end.
    fn cut(&self, why: &str) -> Option<io::Result<Bytes>> {
        match self.purpose {
            Purpose::Replay => Some(Err(io::Error::other(why.to_owned()))),
            Purpose::Watch => None,
        }
    }

    async fn may_go_on(&mut self, playing: Playing) -> Option<Playing> {
        let now = self.shared.app.now();
        if now.since(self.looked) < App::looked_at_again() {
            return Some(playing);
        }
        self.looked = now;
        let caller = self.shared.app.authenticate(self.token.expose()).await.ok()?;
        playing.still(&caller).await.ok().map(|()| playing)
    }
}

enum Then {
    On(Playing, Form),
    Waits(Playing, Form),
    Over,
}

/// As much as goes in one piece. Reads a disk.
fn some(mut playing: Playing, mut form: Form) -> (Vec<u8>, Then) {
    let mut out = Vec::new();
    while out.len() < ENOUGH {
        let mut failed = false;
        let read = playing.next(|at, event| match &mut form {
            Form::Events => view::line(&mut out, &view::event(at, &event)),
            Form::Cast(cast) => {
                failed |= cast.event(at, &event).is_err();
                out.append(cast.out());
            }
            Form::Har(har) => {
                failed |= har.event(at, &event).is_err();
                out.append(har.out());
            }
        });
        match (read, &form) {
            (Ok(Piece::Chunk), _) if !failed => {}
            (Ok(Piece::Waiting), _) => return (out, Then::Waits(playing, form)),
            (Ok(Piece::Damaged(damage)), Form::Events) => {
                view::line(&mut out, &view::damaged(&damage));
            }
            (Ok(Piece::Damaged(_)), Form::Cast(_) | Form::Har(_)) => {}
            (ended, Form::Events) => {
                view::line(&mut out, &view::ended(&ended));
                return (out, Then::Over);
            }
            (_, Form::Cast(_) | Form::Har(_)) => {
                let rest = match form {
                    Form::Cast(cast) => cast.finish().unwrap_or_default(),
                    Form::Har(har) => har.finish().unwrap_or_default(),
                    Form::Events => Vec::new(),
                };
                out.extend(rest);
                return (out, Then::Over);
            }
        }
    }
    (out, Then::On(playing, form))
}
