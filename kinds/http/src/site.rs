//! What browsers and programs connect to: whose request it is, the way to sign in and back, and our own answers. What
//! programs show is `shown`'s.

mod shown;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, USER_AGENT, WWW_AUTHENTICATE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use wane_connector::broker::{Opened, Pipe};
use wane_connector::web::{Holds, Porch, Site, Ticket, Visit};

use crate::book::{Book, Found};
use crate::cookie::{self, Mark, Token};
use crate::exchange::Exchange;
use crate::identity::AssertionKey;
use crate::key::{Key, Root};
use crate::opening::Openings;
use crate::pages::{self, Reader, Said};
use crate::session::{AppSession, Came};
use crate::settings::Origin;
use crate::splice::Splices;
use crate::upstream::Out;

pub(crate) use shown::is_ours;

/// How long a connection may take for the head of its next request.
const HEAD: Duration = Duration::from_secs(30);
const MOST_HEAD: usize = 64 * 1024;
const MOST_HEADERS: usize = 100;
const MOST_STREAMS: u32 = 64;
/// What is ours at each origin; no application ever gets a request for it.
const OWN: &str = "/.well-known/wane/";
const ENTER: &str = "/.well-known/wane/enter";
const LEAVE: &str = "/.well-known/wane/leave";
const KEYS: &str = "/.well-known/wane/jwks.json";
/// The proof of a key that comes with a token (RFC 9449).
pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");
/// Browsers say it of each request (Fetch Metadata), and nobody else does.
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
/// The longest path and query that a browser is sent back to after signing in.
const LONGEST_BACK: usize = 2048;

/// What people's browsers connect to.
pub(crate) struct HttpSite {
    inner: Arc<Inner>,
}

struct Inner {
    book: Arc<Book>,
    key: AssertionKey,
    root: Arc<Root>,
    home: String,
    opening: Openings,
}

impl HttpSite {
    pub(crate) fn new(book: Arc<Book>, key: AssertionKey, root: Arc<Root>, home: &str) -> Self {
        let opening = Openings::default();
        Self { inner: Arc::new(Inner { book, key, root, home: home.to_owned(), opening }) }
    }

    fn again(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }

    /// Where Wane's own pages are.
    pub(crate) fn home(&self) -> &str {
        &self.inner.home
    }

    pub(crate) fn key(&self) -> &AssertionKey {
        &self.inner.key
    }

    /// A key was used where or when it may not be: that is told, each key's once a minute.
    pub(crate) async fn misused(&self, porch: &Arc<dyn Porch>, key: &Key, why: &str) {
        if self.inner.book.tells(key.mark(), porch.now()) {
            porch.misused(key.grant, key.serial, why).await;
        }
    }

    /// That a session is over.
    pub(crate) fn over(&self, reader: Reader, why: &str, again: &str) -> Response<Out> {
        let said = Said { status: StatusCode::FORBIDDEN, title: "This session is over", text: why, again: Some(again) };
        let mut response = pages::say(reader, self.home(), &said);
        // The next time somebody opens the application they sign in anew; what a script asks for does not keep them
        // from being told.
        if reader == Reader::Person {
            response.headers_mut().append(SET_COOKIE, cookie::forget_session());
        }
        response
    }
}

#[async_trait]
impl Site for HttpSite {
    async fn serve(&self, pipe: Pipe, porch: Arc<dyn Porch>) {
        let splices = Arc::new(Splices::default());
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(MOST_HEAD)
            .max_headers(MOST_HEADERS);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MOST_STREAMS)
            .max_header_list_size(u32::try_from(MOST_HEAD).unwrap_or(u32::MAX))
            .keep_alive_interval(HEAD);
        let (site, held) = (self.again(), Arc::clone(&splices));
        let service = service_fn(move |request: Request<Incoming>| {
            let visitor = Visitor { site: site.again(), porch: Arc::clone(&porch), splices: Arc::clone(&held) };
            async move { Ok::<_, Infallible>(visitor.answer(request).await) }
        });
        if let Err(error) = builder.serve_connection_with_upgrades(TokioIo::new(pipe), service).await {
            tracing::debug!(%error, "a connection ended early");
        }
        if let Some(splice) = splices.take() {
            splice.carry().await;
        }
    }
}

/// One request, before it is known whose it is.
struct Visitor {
    site: HttpSite,
    porch: Arc<dyn Porch>,
    splices: Arc<Splices>,
}

impl Visitor {
    async fn answer(&self, request: Request<Incoming>) -> Response<Out> {
        let reader = Reader::of(&request);
        let Some(origin) = asked_for(&request) else {
            let text = "the request does not say clearly which host it is for";
            return self.refuse(reader, StatusCode::BAD_REQUEST, "Not a clear request", text);
        };
        match request.uri().path() {
            ENTER => return self.enter(&origin, &request).await,
            LEAVE => return self.leave(&origin, reader, &request),
            KEYS => return pages::with("application/jwk-set+json", self.site.key().published().to_string()),
            own if own.starts_with(OWN) => {
                return self.refuse(reader, StatusCode::NOT_FOUND, "Not there", "there is no such page");
            }
            _ => {}
        }
        if let Some(shown) = shown::key_in(request.headers()) {
            let opened = self.with_key(&origin, reader, &shown, &request).await;
            return match opened {
                Ok(session) => self.carry(session, reader, request).await,
                Err(refused) => refused,
            };
        }
        let mark = cookie::session(request.headers()).map(|token| token.mark());
        match self.site.inner.book.find(mark, origin.as_str()) {
            Found::Open(session) => return self.carry(session, reader, request).await,
            Found::Over(over) => return self.site.over(reader, &over.why, &over.again),
            Found::Unknown => {}
        }
        let Some(means) = self.means(&origin, &request) else {
            return self.stranger(&origin, reader, &request).await;
        };
        match self.with_means(&origin, reader, means, &request).await {
            Ok(session) => self.carry(session, reader, request).await,
            Err(refused) => refused,
        }
    }

    fn nowhere(&self, reader: Reader) -> Response<Out> {
        let text = "no application is registered for this address";
        self.refuse(reader, StatusCode::MISDIRECTED_REQUEST, "Not here", text)
    }

    async fn carry(&self, session: Arc<AppSession>, reader: Reader, request: Request<Incoming>) -> Response<Out> {
        let (site, porch, splices) = (&self.site, &self.porch, &*self.splices);
        Exchange { site, porch, splices, session, reader }.carry(request).await
    }

    fn refuse(&self, reader: Reader, status: StatusCode, title: &str, text: &str) -> Response<Out> {
        pages::say(reader, self.site.home(), &Said { status, title, text, again: None })
    }

    /// Nobody who is known. A program is told that a password is asked for, which is a key: many show one only then. A
    /// script in a page is not, or its browser would ask its person for one.
    fn unauthorised(&self, (reader, request): (Reader, &Request<Incoming>), title: &str, text: &str) -> Response<Out> {
        let mut response = self.refuse(reader, StatusCode::UNAUTHORIZED, title, text);
        if reader == Reader::Program && !request.headers().contains_key(SEC_FETCH_MODE) {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Wane\""));
        }
        response
    }

    /// Somebody without a session: a browser is sent to sign in.
    async fn stranger(&self, origin: &Origin, reader: Reader, request: &Request<Incoming>) -> Response<Out> {
        if self.porch.meant(origin.as_str()).await.is_none() {
            return self.nowhere(reader);
        }
        if reader == Reader::Program || request.method() != Method::GET {
            let text = format!("open {} in a browser to sign in", origin.as_str());
            return self.unauthorised((reader, request), "Sign in first", &text);
        }
        let token = cookie::begun(request.headers()).unwrap_or_else(|| self.token());
        let back = request.uri().path_and_query().map_or("/", |back| back.as_str());
        let back = if back.len() <= LONGEST_BACK { back } else { "/" };
        let visit = Visit { origin: origin.as_str().to_owned(), back: back.to_owned(), mark: token.marked() };
        match self.porch.visit(visit).await {
            Ok(link) => self.lead(reader, &link, &[cookie::keep_begun(&token)]),
            Err(refused) => self.refuse(reader, StatusCode::SERVICE_UNAVAILABLE, "Not now", &refused.0),
        }
    }

    fn lead(&self, reader: Reader, to: &str, cookies: &[HeaderValue]) -> Response<Out> {
        let Some(mut response) = pages::leads(to) else {
            return self.refuse(reader, StatusCode::INTERNAL_SERVER_ERROR, "Not now", "the address is no header");
        };
        for cookie in cookies {
            response.headers_mut().append(SET_COOKIE, cookie.clone());
        }
        response
    }

    fn token(&self) -> Token {
        let mut bytes = [0; 32];
        self.porch.fill(&mut bytes);
        Token::of(bytes)
    }

    /// A browser that comes back with a code: it becomes a session, in the browser it was begun in.
    async fn enter(&self, origin: &Origin, request: &Request<Incoming>) -> Response<Out> {
        let reader = Reader::Person;
        let query = request.uri().path_and_query().and_then(|whole| whole.as_str().split_once('?'));
        let code = query.and_then(|(_, query)| code_in(query));
        let (Some(code), Some(begun)) = (code, cookie::begun(request.headers())) else {
            let text =
                "this link is for the browser in which you began to sign in, and for once; open the application again";
            return self.refuse(reader, StatusCode::BAD_REQUEST, "Not signed in", text);
        };
        let ticket = Ticket {
            code: code.to_owned(),
            origin: origin.as_str().to_owned(),
            mark: begun.marked(),
            client: client(request.headers()),
        };
        let token = self.token();
        match self.porch.enter(ticket, self.holds(token.mark(), Came::Browser)).await {
            Ok(entered) => {
                let to = format!("{}{}", origin.as_str(), entered.back);
                self.lead(reader, &to, &[cookie::keep_session(&token), cookie::forget_begun()])
            }
            Err(refused) => self.refuse(reader, StatusCode::FORBIDDEN, "Not signed in", &refused.0),
        }
    }

    /// What holds the session that a browser or a program is known by.
    fn holds(&self, mark: Mark, came: Came) -> Holds {
        let (book, porch) = (Arc::clone(&self.site.inner.book), Arc::clone(&self.porch));
        Box::new(move |opened: Opened| {
            let made = AppSession::new(opened, came, porch.now()).map(Arc::new);
            if let Ok(session) = &made {
                book.enter(mark, Arc::clone(session));
            }
            Box::pin(async move {
                match made {
                    Ok(session) => session.hold(book, mark, porch).await,
                    Err(why) => why,
                }
            })
        })
    }

    /// Ends the session of a browser, if a page of this origin asks for that.
    fn leave(&self, origin: &Origin, reader: Reader, request: &Request<Incoming>) -> Response<Out> {
        let own = pages::is_from_own_origin(request.headers(), origin.as_str());
        if request.method() != Method::POST || !own {
            return self.refuse(
                reader,
                StatusCode::METHOD_NOT_ALLOWED,
                "Not left",
                "send a POST from a page of this address",
            );
        }
        let mark = cookie::session(request.headers()).map(|token| token.mark());
        if let Found::Open(session) = self.site.inner.book.find(mark, origin.as_str()) {
            session.leave();
        }
        let mut response = self.refuse(reader, StatusCode::OK, "Signed out", "this session is over");
        response.headers_mut().append(SET_COOKIE, cookie::forget_session());
        response
    }
}

/// The origin that a request is for: named once, or twice alike.
fn asked_for<B>(request: &Request<B>) -> Option<Origin> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().map(|host| host.to_str());
    let host = match (host, hosts.next()) {
        (Some(Ok(host)), None) => Some(host),
        (None, None) => None,
        (_, _) => return None,
    };
    let authority = request.uri().authority().map(hyper::http::uri::Authority::as_str);
    match (authority, host) {
        (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host) => Origin::of_host(host),
        (Some(_), Some(_)) | (None, None) => None,
        (Some(one), None) | (None, Some(one)) => Origin::of_host(one),
    }
}

/// The code in the query of a browser that comes back: said once, and nothing else beside it.
pub(crate) fn code_in(query: &str) -> Option<&str> {
    let code = query.strip_prefix("code=")?;
    (code.len() == 64 && code.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))).then_some(code)
}

/// What a browser calls itself.
fn client(headers: &HeaderMap) -> String {
    let said = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    said.chars().filter(|c| !c.is_control()).take(128).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_for_one_host() {
        for (uri, hosts, origin) in [
            ("/", vec!["a.example.com"], Some("https://a.example.com")),
            ("https://a.example.com/", vec![], Some("https://a.example.com")),
            ("https://a.example.com/", vec!["A.example.com"], Some("https://a.example.com")),
            ("https://a.example.com/", vec!["b.example.com"], None),
            ("/", vec!["a.example.com", "a.example.com"], None),
            ("/", vec!["a.example.com", "b.example.com"], None),
            ("/", vec!["a.example.com, b.example.com"], None),
            ("/", vec!["a.example.com@b.example.com"], None),
            ("/", vec![""], None),
            ("/", vec![], None),
        ] {
            let mut request = Request::builder().uri(uri);
            for host in &hosts {
                request = request.header(HOST, *host);
            }
            let read = asked_for(&request.body(()).unwrap());
            assert_eq!(read.as_ref().map(Origin::as_str), origin, "{uri} {hosts:?}");
        }
    }

    #[test]
    fn a_code_is_a_code() {
        let code = "0123456789abcdef".repeat(4);
        assert_eq!(code_in(&format!("code={code}")), Some(code.as_str()));
        for bad in [
            String::new(),
            format!("code={code}&code={code}"),
            format!("x=1&code={code}"),
            format!("code={}", code.to_uppercase()),
            "code=".to_owned(),
        ] {
            assert_eq!(code_in(&bad), None, "{bad}");
        }
    }
}
