//! A terminal in a page: a WebSocket on one side, a session through the gateway on the other.
//!
//! Owns: which page may open one, and how much either side may have on its way. Refuses to know: what speaks with the
//! gateway, and what a session is.
//!
//! INVARIANT: no page of anybody else opens one (held by `only_a_page_of_ours_opens_a_terminal`), and it outlives
//! neither its grant nor the sign-in of whoever opened it (held by `a_terminal_in_a_page_is_a_session_like_any_other`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, ORIGIN};
use axum::http::request::Parts;
use axum::response::Response;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use wane_api::terminal::{TERMINAL, TerminalQuery, TerminalSaid, TerminalSize};
use wane_api::{Class, SecretText};
use wane_app::{App, AppError, Caller, Over, Shown, Size, Terminal, TerminalAsk};

use crate::addresses::Peer;
use crate::openapi::Problems;
use crate::pages;
use crate::read;
use crate::rim::{Answer, Failure, Named, Query};
use crate::shared::{Shared, bearer};

/// The longest message that is read: a page sends what is pasted in pieces.
const LONGEST: usize = 64 * 1024;
/// What may wait for a page that does not take it, in bytes.
const WAITING: usize = 256 * 1024;
/// How long a page has to take what is shown.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is asked whether the page is still there.
const PING: Duration = Duration::from_secs(20);
/// After how long without an answer it is not.
const SILENT: Duration = Duration::from_secs(60);

/// Opens a terminal under a grant of one's own, as a WebSocket of the subprotocol `wane.terminal.v1`. It is a session
/// through the gateway like any other: judged, written down, recorded, and cut with its grant. Binary messages are what
/// is typed and what is shown; text messages are JSON. The handshake has to carry this server's own `Origin`.
#[utoipa::path(get, path = "/v1/grants/{id}/terminal", tag = "sessions", params(("id" = String, Path), TerminalQuery), responses((status = 101, description = "A WebSocket; what is said on it besides what is shown", body = TerminalSaid), Problems))]
pub(crate) async fn terminal(
    State(shared): State<Arc<Shared>>,
    FromOurs { token, caller }: FromOurs,
    Named(id): Named<String>,
    Query(query): Query<TerminalQuery>,
    peer: Option<Extension<Peer>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer<Response> {
    let size = size(query.columns, query.rows)?;
    let upgrade = upgrade.map_err(|why| {
        let detail = format!("this is a WebSocket, and the call does not ask for one: {why}");
        Failure::status(StatusCode::UPGRADE_REQUIRED, "no-websocket", detail)
    })?;
    let Some(Extension(Peer(peer))) = peer else {
        return Err(Failure::new(Class::Fault, "no-address", "it is not known where this call comes from"));
    };
    let ask = TerminalAsk { grant: read::id("grant", &id)?, login: query.login, size, peer };
    // Whoever may not know of the grant learns so as everywhere; all else is said on the socket, which a page can read.
    let world = shared.app.world().await?;
    shared.app.grant_for(&caller, &world, ask.grant).await?;
    let full = |_| Failure::new(Class::Busy, "crowded", "too many streams are open; try again later").after(10);
    let place = Arc::clone(&shared.streams).try_acquire_owned().map_err(full)?;
    let open = Open { shared, token, ask, typed: AtomicBool::new(false), _place: place };
    Ok(upgrade
        .protocols([TERMINAL])
        .max_frame_size(LONGEST)
        .max_message_size(LONGEST)
        .write_buffer_size(0)
        .max_write_buffer_size(WAITING)
        .on_upgrade(move |socket| open.carry(socket)))
}

/// Somebody signed in, on a page of this server; or a program that says so and has their bearer.
pub(crate) struct FromOurs {
    token: SecretText,
    caller: Caller,
}

impl FromRequestParts<Arc<Shared>> for FromOurs {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Answer<Self> {
        let (headers, own) = (&parts.headers, shared.app.public_url());
        let mut origins = headers.get_all(ORIGIN).iter();
        let is_own = matches!((origins.next(), origins.next()), (Some(one), None) if one.as_bytes() == own.as_bytes());
        let by_bearer = headers.contains_key(AUTHORIZATION);
        let session = if by_bearer { bearer(headers) } else { pages::of_socket(headers, own) };
        let known = match session {
            Some(token) => shared.app.authenticate(token).await,
            None => Err(AppError::SignedOut),
        };
        match (known, session) {
            (Ok(caller), Some(token)) if is_own => Ok(Self { token: SecretText::new(token.to_owned()), caller }),
            (Err(error), _) if is_own || !headers.contains_key(ORIGIN) => Err(error.into()),
            _ => {
                let detail = format!("terminals are opened from pages of this server; send `Origin: {own}`");
                Err(Failure::new(Class::Denied, "foreign-origin", detail))
            }
        }
    }
}

fn size(columns: u16, rows: u16) -> Answer<Size> {
    let most = Size::MOST;
    Size::new(columns, rows)
        .ok_or_else(|| Failure::field("columns", format!("columns and rows are between 1 and {most}")))
}

/// A page with a terminal.
struct Open {
    shared: Arc<Shared>,
    token: SecretText,
    ask: TerminalAsk,
    /// Whether anything was typed since it was looked.
    typed: AtomicBool,
    _place: OwnedSemaphorePermit,
}

type Out = SplitSink<WebSocket, Message>;

impl Open {
    async fn carry(self, socket: WebSocket) {
        let (mut out, mut come) = socket.split();
        let said = match self.begin().await {
            Ok(terminal) => self.show(terminal, &mut out, &mut come).await,
            Err(error) => {
                let problem = Box::<wane_api::Problem>::from(Failure::from(error));
                Some(TerminalSaid { what: "refused".to_owned(), problem: Some(*problem), ..TerminalSaid::default() })
            }
        };
        if let Some(said) = said {
            let _ = tell(&mut out, &said).await;
        }
        let _ = tokio::time::timeout(PATIENCE, out.close()).await;
    }

    async fn begin(&self) -> Result<Terminal, AppError> {
        let caller = self.shared.app.authenticate(self.token.expose()).await?;
        self.shared.app.open_terminal(&caller, &self.ask).await
    }

    /// Both directions until either is over. What is to be said at the end, if there is anybody to hear it.
    async fn show(&self, terminal: Terminal, out: &mut Out, come: &mut SplitStream<WebSocket>) -> Option<TerminalSaid> {
        let Terminal { mut screen, keys } = terminal;
        let heard = std::sync::Mutex::new(Instant::now());
        let up = async {
            while let Some(Ok(message)) = come.next().await {
                if let Ok(mut heard) = heard.lock() {
                    *heard = Instant::now();
                }
                let done = match message {
                    Message::Binary(bytes) => {
                        self.typed.store(true, Ordering::Relaxed);
                        keys.types(&bytes).await
                    }
                    Message::Text(text) => match resized(&text) {
                        Ok(size) => keys.resized(size).await,
                        Err(why) => return Some(left(&why)),
                    },
                    Message::Ping(_) | Message::Pong(_) => Ok(()),
                    Message::Close(_) => return None,
                };
                if done.is_err() {
                    // What it showed last is still to come, and then the end.
                    std::future::pending::<()>().await;
                }
            }
            None
        };
        let down = async {
            let opened = TerminalSaid { what: "open".to_owned(), ..TerminalSaid::default() };
            tell(out, &opened).await.ok()?;
            let mut look = tokio::time::interval(App::looked_at_again().to_std());
            let mut asked = Instant::now();
            loop {
                tokio::select! {
                    shown = screen.next() => match shown {
                        Shown::Output(bytes) => send(out, Message::Binary(Bytes::from(bytes))).await.ok()?,
                        Shown::Over(over) => return Some(ended(over)),
                    },
                    _ = look.tick() => {
                        if self.still().await.is_err() {
                            return Some(left("you are not signed in any more"));
                        }
                        let silent = heard.lock().map(|heard| heard.elapsed()).unwrap_or_default();
                        if silent > SILENT {
                            return None;
                        }
                        if asked.elapsed() >= PING {
                            asked = Instant::now();
                            send(out, Message::Ping(Bytes::new())).await.ok()?;
                        }
                    }
                    () = self.shared.stop.cancelled() => return Some(left("the server stops")),
                }
            }
        };
        let said = tokio::select! {
            said = up => said,
            said = down => said,
        };
        keys.hangs_up().await;
        said
    }

    /// Whether whoever opened it is signed in still. Looking on is no use of a session; typing is.
    async fn still(&self) -> Result<(), AppError> {
        let token = self.token.expose();
        let known = if self.typed.swap(false, Ordering::Relaxed) {
            self.shared.app.authenticate(token).await
        } else {
            self.shared.app.still_signed_in(token).await
        };
        match known {
            // What cannot be asked is asked again: the gateway ends the session by its own clock.
            Err(error) if error.class() == wane_app::Class::Fault => Ok(()),
            known => known.map(drop),
        }
    }
}

fn resized(text: &str) -> Result<Size, String> {
    let TerminalSize { columns, rows } =
        serde_json::from_str(text).map_err(|e| format!("a message of the page cannot be read: {e}"))?;
    Size::new(columns, rows).ok_or_else(|| "no terminal is of that size".to_owned())
}

fn left(why: &str) -> TerminalSaid {
    TerminalSaid { what: "left".to_owned(), why: Some(why.to_owned()), ..TerminalSaid::default() }
}

fn ended(Over { status, signal }: Over) -> TerminalSaid {
    TerminalSaid { what: "over".to_owned(), status, signal, ..TerminalSaid::default() }
}

/// Nobody is there.
struct Gone;

async fn tell(out: &mut Out, said: &TerminalSaid) -> Result<(), Gone> {
    let text = serde_json::to_string(said).map_err(|_| Gone)?;
    send(out, Message::Text(text.into())).await
}

/// Waits until a page takes it, and not for ever: meanwhile nothing more is read of the session.
async fn send(out: &mut Out, message: Message) -> Result<(), Gone> {
    match tokio::time::timeout(PATIENCE, out.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Gone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_sizes_and_nothing_else() {
        assert_eq!(resized(r#"{"columns":80,"rows":24}"#).ok(), Size::new(80, 24));
        for bad in
            ["", "{}", r#"{"columns":0,"rows":24}"#, r#"{"columns":80,"rows":24,"x":1}"#, r#"{"columns":-1,"rows":1}"#]
        {
            assert!(resized(bad).is_err(), "{bad}");
        }
    }
}
