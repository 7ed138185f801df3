//! One session of an application: what its requests need, the connections to the application it may use again, and
//! holding it until it is over.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use data_encoding::BASE64;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use rustls::ClientConfig;
use tokio::sync::{Notify, watch};
use wane_connector::broker::{Kept, Line, Opened, Word};
use wane_connector::web::Porch;
use wane_domain::id::SessionId;
use wane_domain::time::{Span, Time};

use crate::book::{Book, Over};
use crate::cookie::{self, Mark};
use crate::identity::{AssertionKey, Says};
use crate::key::Key;
use crate::role::Definition;
use crate::settings::{HostSent, Inject, Settings};
use crate::upstream::{self, Connection};

/// Connections to an application that wait to be used again, of one session.
const MOST_IDLE: usize = 8;
/// How often it is looked whether a session is still used, and which of its connections still stand.
const LOOK: Duration = Duration::from_secs(5);
/// How often it is looked whether everybody who waits for an answer has one, once a session is over.
const LOOK_AT_END: Duration = Duration::from_millis(10);
/// An assertion is signed anew when less than this is left of it.
const FRESH: Span = Span::from_secs(60);

/// With what somebody comes.
#[derive(Clone, Debug)]
pub(crate) enum Came {
    /// A cookie, after they signed in.
    Browser,
    Key(Key),
    /// An access token, which goes no further.
    Token,
    /// A certificate.
    Certificate,
}

/// One session.
pub(crate) struct AppSession {
    pub(crate) id: SessionId,
    pub(crate) line: Arc<dyn Line>,
    pub(crate) settings: Settings,
    pub(crate) definition: Definition,
    pub(crate) kept: Kept,
    pub(crate) came: Came,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    shown: Option<Shown>,
    channels: AtomicU32,
    idle: Mutex<Vec<Connection>>,
    over: watch::Sender<Option<String>>,
    leaves: Notify,
    used: AtomicI64,
    busy: AtomicUsize,
    assertion: Mutex<Option<(HeaderValue, Time)>>,
}

/// The credential that Wane holds, as the application is shown it.
enum Shown {
    Header(HeaderName, HeaderValue),
    Cookie(String, HeaderValue),
}

impl AppSession {
    /// From what the gateway opened.
    pub(crate) fn new(opened: Opened, came: Came, now: Time) -> Result<Self, String> {
        let part = |name: &str| opened.pass.get(name).ok_or_else(|| format!("the session has no `{name}`"));
        let settings = Settings::read(part("settings")?).map_err(|e| e.to_string())?;
        let definition = Definition::read(part("definition")?).map_err(|e| e.to_string())?;
        let tls = upstream::tls(&settings, opened.kept.secret.as_ref())?;
        let shown = shown(&settings, &opened.kept)?;
        Ok(Self {
            id: opened.session,
            line: opened.line,
            settings,
            definition,
            kept: opened.kept,
            came,
            tls,
            shown,
            channels: AtomicU32::new(0),
            idle: Mutex::default(),
            over: watch::channel(None).0,
            leaves: Notify::new(),
            used: AtomicI64::new(now.micros()),
            busy: AtomicUsize::new(0),
            assertion: Mutex::default(),
        })
    }

    /// The key that opened it, if one did.
    pub(crate) fn key(&self) -> Option<&Key> {
        match &self.came {
            Came::Key(key) => Some(key),
            Came::Browser | Came::Token | Came::Certificate => None,
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the next exchange.
    pub(crate) fn channel(&self) -> u32 {
        self.channels.fetch_add(1, Ordering::Relaxed)
    }

    /// Something of it is under way until what this gives is dropped.
    pub(crate) fn busy(self: &Arc<Self>, now: Time) -> Busy {
        self.used.store(now.micros(), Ordering::Relaxed);
        self.busy.fetch_add(1, Ordering::SeqCst);
        Busy(Arc::clone(self))
    }

    /// Its person leaves.
    pub(crate) fn leave(&self) {
        self.leaves.notify_one();
    }

    /// Why it is over, if it is.
    pub(crate) fn ended(&self) -> Option<String> {
        self.over.borrow().clone()
    }

    /// Waits until it is over; says why.
    pub(crate) async fn is_over(&self) -> String {
        let mut over = self.over.subscribe();
        let why = over.wait_for(Option::is_some).await.map(|why| why.clone());
        match why {
            Ok(Some(why)) => why,
            // The sender is ours.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Headers that are set here, so that nobody outside sets them.
    pub(crate) fn ours(&self) -> Vec<&str> {
        let shown = match &self.shown {
            Some(Shown::Header(name, _)) => Some(name.as_str()),
            Some(Shown::Cookie(..)) | None => None,
        };
        shown.into_iter().chain(self.settings.user_header.as_deref()).collect()
    }

    /// Says to the application who asks, and shows it the credential.
    pub(crate) fn speak_for(&self, headers: &mut HeaderMap, key: &AssertionKey, now: Time) -> Result<(), String> {
        let assertion = self.assertion(key, now).ok_or("the assertion cannot be signed")?;
        headers.insert(crate::head::ASSERTION, assertion);
        if let Some(name) = &self.settings.user_header {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|e| e.to_string())?;
            headers.insert(name, HeaderValue::from_str(&self.kept.person).map_err(|e| e.to_string())?);
        }
        match &self.shown {
            Some(Shown::Header(name, value)) => drop(headers.insert(name, value.clone())),
            Some(Shown::Cookie(name, value)) => cookie::add(headers, name, value.to_str().unwrap_or_default()),
            None => {}
        }
        Ok(())
    }

    fn assertion(&self, key: &AssertionKey, now: Time) -> Option<HeaderValue> {
        let mut held = self.assertion.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((value, until)) = &*held
            && now.plus(FRESH) < *until
        {
            return Some(value.clone());
        }
        let session = self.id.to_string();
        let says = Says {
            person: &self.kept.person,
            grant: &self.kept.grant,
            role: &self.kept.role,
            session: &session,
            origin: self.settings.origin.as_str(),
        };
        let mut value = HeaderValue::from_str(&key.sign(&says, now)?).ok()?;
        value.set_sensitive(true);
        *held = Some((value.clone(), now.plus(crate::identity::LIFE)));
        Some(value)
    }

    /// Which host the application is asked for.
    pub(crate) fn host(&self) -> String {
        match self.settings.host {
            HostSent::Origin => self.settings.origin.host().to_owned(),
            HostSent::Upstream => self.settings.upstream.authority(),
        }
    }

    /// A connection that was used before, if one still stands.
    pub(crate) fn used_before(&self) -> Option<Connection> {
        let mut idle = self.idle();
        while let Some(mut connection) = idle.pop() {
            if connection.is_idle(&mut Context::from_waker(Waker::noop())) {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection for the next request.
    pub(crate) fn keep(&self, connection: Connection) {
        let mut idle = self.idle();
        // Looked at under the lock that the end takes.
        if self.over.borrow().is_none() && idle.len() < MOST_IDLE {
            idle.push(connection);
        }
    }

    /// Holds it until it is over, and says why. Whatever becomes of this, the book then knows.
    pub(crate) async fn hold(self: Arc<Self>, book: Arc<Book>, mark: Mark, porch: Arc<dyn Porch>) -> String {
        let _entry = Entry { session: Arc::clone(&self), book, mark };
        let mut look = tokio::time::interval(LOOK);
        let why = loop {
            tokio::select! {
                word = self.line.word() => match word {
                    Word::Over(why) => break why,
                    // There is nobody at a terminal to be told.
                    Word::Soon(_) => {}
                },
                () = self.leaves.notified() => break "its person signed out of it".to_owned(),
                _ = look.tick() => {
                    self.idle().retain_mut(|connection| connection.is_idle(&mut Context::from_waker(Waker::noop())));
                    if self.busy.load(Ordering::SeqCst) > 0 {
                        self.used.store(porch.now().micros(), Ordering::Relaxed);
                    }
                    let since = porch.now().since(Time::from_micros(self.used.load(Ordering::Relaxed)));
                    if self.busy.load(Ordering::SeqCst) == 0 && since.secs() >= self.settings.idle_secs {
                        break format!("nobody used it for {} minutes", self.settings.idle_secs / 60);
                    }
                }
            }
        };
        self.end(&why);
        while self.busy.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(LOOK_AT_END).await;
        }
        why
    }

    fn end(&self, why: &str) {
        let mut idle = self.idle();
        self.over.send_if_modified(|over| {
            let first = over.is_none();
            over.get_or_insert_with(|| why.to_owned());
            first
        });
        idle.clear();
    }
}

/// Something of a session that is under way.
pub(crate) struct Busy(Arc<AppSession>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A session's place in the book.
struct Entry {
    session: Arc<AppSession>,
    book: Arc<Book>,
    mark: Mark,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.session.end("the gateway let go of it");
        let over = Over {
            origin: self.session.settings.origin.as_str().to_owned(),
            why: self.session.ended().unwrap_or_default(),
            again: self.session.kept.again.clone(),
        };
        self.book.close(&self.mark, over);
    }
}

fn shown(settings: &Settings, kept: &Kept) -> Result<Option<Shown>, String> {
    if let Some(why) = settings.unusable_with(kept.secret.as_ref()) {
        return Err(why);
    }
    let secret = kept.secret.as_ref().and_then(|secret| std::str::from_utf8(secret.expose()).ok()).unwrap_or_default();
    let value = |text: String| {
        let value = HeaderValue::from_str(&text).map_err(|_| "the credential is no header".to_owned());
        value.map(|mut value| {
            value.set_sensitive(true);
            value
        })
    };
    Ok(match &settings.inject {
        Some(Inject::Header { name, prefix }) => {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|e| e.to_string())?;
            Some(Shown::Header(name, value(format!("{prefix}{secret}"))?))
        }
        Some(Inject::Basic { user }) => {
            let pair = BASE64.encode(format!("{user}:{secret}").as_bytes());
            Some(Shown::Header(AUTHORIZATION, value(format!("Basic {pair}"))?))
        }
        Some(Inject::Cookie { name }) => Some(Shown::Cookie(name.clone(), value(secret.to_owned())?)),
        Some(Inject::ClientCertificate) | None => None,
    })
}
