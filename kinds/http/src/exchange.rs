//! One request of a session, from its head to the head of its answer.
//!
//! INVARIANT: nothing is asked of an application that the role does not name, or before it was reported (held by
//! `what_the_role_does_not_name_never_reaches_the_application`).

use std::sync::Arc;

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_KEY,
    UPGRADE,
};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Uri};
use wane_connector::broker::{Refused, Unspent};
use wane_connector::web::{Porch, Stake};
use wane_recording::Event;

use crate::body::{Tapped, Way};
use crate::head::{self, Asked};
use crate::key::{Key, Use};
use crate::pages::{self, Reader, Said};
use crate::path::{Path, short};
use crate::session::{AppSession, Busy, Came};
use crate::site::{DPOP, HttpSite, is_ours};
use crate::splice::{Splice, Splices};
use crate::upstream::{Connection, Fault, Out, Unsent};

/// Headers that say nothing about anybody and are recorded; no other is.
const RECORDED: [HeaderName; 6] = [
    hyper::header::ACCEPT,
    hyper::header::CONTENT_TYPE,
    CONTENT_LENGTH,
    hyper::header::CONTENT_ENCODING,
    hyper::header::USER_AGENT,
    hyper::header::CACHE_CONTROL,
];
/// Headers of one request.
const MOST_HEADERS: usize = 100;

/// One request of a session on a connection.
pub(crate) struct Exchange<'a> {
    pub(crate) site: &'a HttpSite,
    pub(crate) porch: &'a Arc<dyn Porch>,
    pub(crate) splices: &'a Splices,
    pub(crate) session: Arc<AppSession>,
    pub(crate) reader: Reader,
}

/// Why a request is not passed on.
struct Not {
    status: StatusCode,
    title: &'static str,
    text: String,
    /// Whether asking for more access would help.
    ask: bool,
    /// Whether the key was used where it may not be.
    misuse: bool,
}

impl Not {
    fn new(status: StatusCode, title: &'static str, text: impl Into<String>) -> Self {
        Self { status, title, text: text.into(), ask: false, misuse: false }
    }
}

impl From<Refused> for Not {
    fn from(refused: Refused) -> Self {
        Self { ask: true, ..Self::new(StatusCode::FORBIDDEN, "Not passed on", refused.0) }
    }
}

impl Exchange<'_> {
    /// Passes a request on and its answer back; says why where that is not done.
    pub(crate) async fn carry(&self, request: Request<Incoming>) -> Response<Out> {
        let Some(stake) = self.porch.stake(self.session.id) else {
            return self.over(&self.session.ended().unwrap_or_else(|| "this session is over".to_owned()));
        };
        let busy = self.session.busy(self.porch.now());
        let carried = tokio::select! {
            carried = self.pass_on(request, stake, busy) => carried,
            // Whatever the application does meanwhile.
            why = self.session.is_over() => return self.over(&why),
        };
        match carried {
            Ok(response) => response,
            Err(_) if self.session.ended().is_some() => self.over(&self.session.ended().unwrap_or_default()),
            Err(not) => {
                let again = not.ask.then_some(self.session.kept.again.as_str());
                let said = Said { status: not.status, title: not.title, text: &not.text, again };
                pages::say(self.reader, self.site.home(), &said)
            }
        }
    }

    fn over(&self, why: &str) -> Response<Out> {
        self.site.over(self.reader, why, &self.session.kept.again)
    }

    async fn pass_on(
        &self,
        mut request: Request<Incoming>,
        stake: Arc<dyn Stake>,
        busy: Busy,
    ) -> Result<Response<Out>, Not> {
        let channel = self.session.channel();
        if let Err(not) = self.may_pass(&request) {
            let asked = format!("{} {}", short(request.method().as_str()), shown(request.uri().path()));
            self.session.line.tap(&Event::Refused { channel: None, what: asked.into() }).await?;
            if let (true, Some(key)) = (not.misuse, self.session.key()) {
                self.site.misused(self.porch, key, &not.text).await;
            }
            return Err(not);
        }
        let socket = is_websocket(request.headers()).then(|| hyper::upgrade::on(&mut request));
        let uses = self.session.key().map(Key::uses).unwrap_or_default();
        if self.session.definition.uses.is_some() || !uses.is_empty() {
            self.spend(&uses).await?;
        }
        let target = self.recorded_target(request.uri());
        let event = Event::Request {
            channel,
            method: request.method().as_str().into(),
            target: target.into(),
            headers: recorded(request.headers()),
        };
        self.session.line.tap(&event).await?;
        let (connection, answer) = self.ask(request, channel, socket.is_some()).await?;
        self.answered(channel, (connection, answer), socket, stake, busy).await
    }

    /// Spends a use, on disk.
    async fn spend(&self, uses: &[(String, u64)]) -> Result<(), Not> {
        let refused = match self.session.line.spend_use(uses).await {
            Ok(()) => return Ok(()),
            Err(Unspent::Not(refused)) => refused,
            Err(Unspent::UsedUp(refused)) => {
                if let Some(key) = self.session.key() {
                    self.site.misused(self.porch, key, &refused.0).await;
                }
                refused
            }
        };
        Err(refused.into())
    }

    /// Whether a request may be passed on at all.
    fn may_pass(&self, request: &Request<Incoming>) -> Result<(), Not> {
        let headers = request.headers();
        let bad = |text: &str| Not::new(StatusCode::BAD_REQUEST, "Not a clear request", text);
        if !head::is_framed_once(headers) {
            return Err(bad(
                "the request says in two ways how long it is, or in one that servers read in different ways",
            ));
        }
        if headers.len() > MOST_HEADERS {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Err(Not::new(status, "Too much", "the request has more than 100 headers"));
        }
        // INVARIANT: what is decided about is what is passed on (held by `a_path_is_read_in_one_way` and
        // `ambiguous_paths_never_reach_the_application`).
        let path = Path::read(request.uri().path()).map_err(|why| bad(&why.to_string()))?;
        let method = request.method().as_str();
        let definition = &self.session.definition;
        let beyond =
            |text: String| Not { ask: true, ..Not::new(StatusCode::FORBIDDEN, "Not part of your access", text) };
        if !definition.allows(method, &path) {
            let role = &self.session.kept.role;
            return Err(beyond(format!(
                "the role `{role}` does not give {} {}",
                short(method),
                shown(request.uri().path())
            )));
        }
        if let Some(key) = self.session.key() {
            let asked = Use { now: self.porch.now(), peer: self.porch.peer(), method, path: &path };
            if let Some(why) = key.refuses(&asked) {
                let not = Not::new(StatusCode::FORBIDDEN, "Not what this key is for", why);
                return Err(Not { misuse: true, ..not });
            }
        }
        let socket = is_websocket(headers);
        if socket && !definition.websocket {
            return Err(beyond(format!("the role `{}` gives no websockets", self.session.kept.role)));
        }
        // A browser says of each websocket which page opens it; a program that shows a credential is none.
        let unsaid = socket && matches!(self.session.came, Came::Browser) && !headers.contains_key(ORIGIN);
        let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        if unsaid || (changes || socket) && !pages::is_from_own_origin(headers, self.session.settings.origin.as_str()) {
            let text = "it was sent by a page of another site";
            return Err(Not::new(StatusCode::FORBIDDEN, "Not from here", text));
        }
        Ok(())
    }

    /// What of the address is recorded: the query may hold secrets, as bodies may.
    fn recorded_target(&self, uri: &Uri) -> String {
        let path = match uri.path_and_query() {
            Some(whole) if self.session.definition.bodies => whole.as_str(),
            Some(_) | None => uri.path(),
        };
        format!("{}{path}", self.session.settings.origin.as_str())
    }

    /// Sends the request to the application and waits for the head of its answer.
    async fn ask(
        &self,
        request: Request<Incoming>,
        channel: u32,
        socket: bool,
    ) -> Result<(Connection, Response<Incoming>), Not> {
        let away = |why: Fault| {
            tracing::info!(session = %self.session.id, %why, "an application does not answer");
            Not::new(
                StatusCode::BAD_GATEWAY,
                "The application does not answer",
                "Wane could not reach it, or it broke off",
            )
        };
        let http2 = self.session.settings.upstream.http2 && !socket;
        let mut request = self.made_over(request, channel, http2, socket).map_err(|why| away(why.into()))?;
        // One that was used before may have been closed meanwhile; what was not sent then is sent on a new one.
        if let Some(mut connection) = self.session.used_before().filter(|_| !socket) {
            match connection.send(request).await {
                Ok(answer) => return Ok((connection, answer)),
                Err(Unsent(Some(unsent), _)) => request = unsent,
                Err(Unsent(None, why)) => return Err(away(why.into())),
            }
        }
        let line = self.session.line.as_ref();
        let opened = Connection::open(line, &self.session.settings, self.session.tls.as_ref(), http2).await;
        let mut connection = opened.map_err(away)?;
        let answer = connection.send(request).await.map_err(|Unsent(_, why)| away(why.into()))?;
        Ok((connection, answer))
    }

    /// The request as the application gets it.
    fn made_over(
        &self,
        request: Request<Incoming>,
        channel: u32,
        http2: bool,
        socket: bool,
    ) -> Result<Request<Out>, String> {
        let (mut parts, body) = request.into_parts();
        let empty = parts.headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0");
        // Whatever else the session is known by: what is shown of ours is nobody's but ours.
        if matches!(self.session.came, Came::Key(_) | Came::Token) || is_ours(&parts.headers, self.site.home()) {
            parts.headers.remove(AUTHORIZATION);
            parts.headers.remove(DPOP);
        }
        let ours = self.session.ours();
        let asked = Asked { peer: self.porch.peer(), host: self.session.settings.origin.host(), ours: &ours };
        head::towards_upstream(&mut parts.headers, &asked);
        self.session.speak_for(&mut parts.headers, self.site.key(), self.porch.now())?;
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let host = self.session.host();
        if http2 {
            let scheme = if self.session.tls.is_some() { "https" } else { "http" };
            parts.uri = format!("{scheme}://{host}{path}").parse().map_err(|_| "the address is none".to_owned())?;
            parts.version = hyper::Version::HTTP_2;
        } else {
            parts.uri = path.parse().map_err(|_| "the path is none".to_owned())?;
            parts.version = hyper::Version::HTTP_11;
            parts.headers.insert(HOST, HeaderValue::from_str(&host).map_err(|e| e.to_string())?);
        }
        if socket {
            parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            parts.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        if empty && body.is_end_stream() {
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        // What asks for a switch of protocols must not go along.
        parts.extensions = hyper::http::Extensions::new();
        Ok(Request::from_parts(parts, Tapped::request(body, Arc::clone(&self.session), channel)))
    }

    /// The answer as the person gets it.
    async fn answered(
        &self,
        channel: u32,
        (connection, mut answer): (Connection, Response<Incoming>),
        socket: Option<OnUpgrade>,
        stake: Arc<dyn Stake>,
        busy: Busy,
    ) -> Result<Response<Out>, Not> {
        let switches = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
        let far = switches.then(|| hyper::upgrade::on(&mut answer));
        let (mut parts, body) = answer.into_parts();
        head::towards_person(&mut parts.headers);
        let (status, headers) = (parts.status.as_u16(), recorded(&parts.headers));
        self.session.line.tap(&Event::Answer { channel, status, headers }).await?;
        let session = Arc::clone(&self.session);
        match (far, socket) {
            (Some(far), Some(near)) => {
                // What passes from here on is nobody's to understand.
                let event = Event::Opened { channel, kind: "websocket".into(), about: "".into() };
                self.session.line.tap(&event).await?;
                stake.passing();
                parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
                parts.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                self.splices.put(Splice { session, channel, near, far, way: Way { connection, stake, busy } });
                parts.extensions = hyper::http::Extensions::new();
                Ok(Response::from_parts(parts, pages::whole(String::new())))
            }
            (Some(_), None) => Err(Not::new(
                StatusCode::BAD_GATEWAY,
                "The application does not answer",
                "it switches to another protocol",
            )),
            (None, _) => {
                stake.passing();
                parts.version = hyper::Version::HTTP_11;
                let nothing = body.is_end_stream();
                let mut body = Tapped::answer(body, session, channel, Way { connection, stake, busy });
                // What ends with its head passes as that: gRPC takes an empty piece behind it for a fault.
                if nothing {
                    body.frame().await.transpose().map_err(|over| Refused(over.to_string()))?;
                }
                Ok(Response::from_parts(parts, body.boxed_unsync()))
            }
        }
    }
}

/// Whether a request asks for a websocket (RFC 6455 section 4.1).
fn is_websocket(headers: &HeaderMap) -> bool {
    let says = |name: &HeaderName, word: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|said| said.trim().eq_ignore_ascii_case(word))
    };
    says(&UPGRADE, "websocket") && says(&CONNECTION, "upgrade") && headers.contains_key(SEC_WEBSOCKET_KEY)
}

fn recorded(headers: &HeaderMap) -> Vec<(String, String)> {
    let all = headers.iter().filter(|(name, _)| RECORDED.contains(name));
    all.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.chars().take(256).collect())))
        .collect()
}

/// A path, for a record or a page.
fn shown(path: &str) -> String {
    path.chars().take(256).collect()
}
