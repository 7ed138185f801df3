//! One bound connection to one server of a directory: what is asked of it, and how its answers are read.
//!
//! Owns: that nothing is believed that was not answered here. Referrals are not followed: who is believed is
//! what the settings say, not what a server says. An answer that is no LDAP ends the connection and nothing
//! else. There is no task behind it: the connection is driven while something is asked, and closed when it is
//! dropped.

mod listen;

pub use listen::{Listening, Notice, Offer, Watched};

use std::collections::HashSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use ldap3::controls::PagedResults;
use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Mod, ResultEntry, Scope, SearchEntry, SearchOptions,
    StdStream,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use wane_domain::secret::Secret;
use wane_domain::time::Time;

use crate::entry::{Entry, IDS};
use crate::place::Place;
use crate::{screen, tls};

/// The bound on letting us in, per server.
const REACH: Duration = Duration::from_secs(4);
/// The bound on one answer.
const ANSWER: Duration = Duration::from_secs(8);
/// How many entries one page has.
const PAGE: i32 = 500;
/// How many ranges of one attribute are read at most.
const RANGES: usize = 10_000;

/// Result codes (RFC 4511, appendix A).
pub mod code {
    /// `unavailableCriticalExtension`.
    pub const NO_EXTENSION: u32 = 12;
    /// `noSuchAttribute`.
    pub const NO_SUCH_ATTRIBUTE: u32 = 16;
    /// `attributeOrValueExists`.
    pub const EXISTS: u32 = 20;
    /// `noSuchObject`.
    pub const NO_SUCH_OBJECT: u32 = 32;
    /// `objectClassViolation`.
    pub const CLASS_VIOLATION: u32 = 65;
    /// `sizeLimitExceeded`.
    pub const SIZE_LIMIT: u32 = 4;
    /// `referral`.
    pub const REFERRAL: u32 = 10;
    /// `invalidCredentials`.
    pub const INVALID_CREDENTIALS: u32 = 49;
    /// `busy`.
    pub const BUSY: u32 = 51;
    /// `unavailable`.
    pub const UNAVAILABLE: u32 = 52;
}

/// Why something could not be asked or done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fail {
    /// No server answers, or not in time.
    #[error("{0}")]
    Unreachable(String),
    /// It is not who it should be, or does not let us in.
    #[error("{0}")]
    Trust(String),
    /// It said no.
    #[error("{why}")]
    Refused {
        /// Its result code.
        code: u32,
        /// Its words.
        why: String,
    },
}

impl Fail {
    /// A refusal of our own.
    pub fn refused(why: impl Into<String>) -> Self {
        Self::Refused { code: 0, why: why.into() }
    }

    /// Whether it is this answer of the server's.
    #[must_use]
    pub fn is(&self, wanted: u32) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == wanted)
    }
}

type Driver = Pin<Box<dyn Future<Output = String> + Send>>;

/// A bound connection.
pub struct Session {
    /// Which server it is.
    pub url: String,
    ldap: Ldap,
    driver: Driver,
    over: Option<String>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Session {
    /// The first server that answers, bound as Wane.
    ///
    /// # Errors
    /// When none answers, or one does not let us in: the others are its copies and would not either.
    pub async fn open(place: &Place, credential: Option<&Secret>, now: Time) -> Result<Self, Fail> {
        let password = credential
            .and_then(Secret::expose_str)
            .ok_or_else(|| Fail::Trust("the credential of the bind is missing or not text".to_owned()))?;
        // INVARIANT: a bind without a password succeeds as nobody (RFC 4513, 5.1.2), so there is none (held by
        // `an_empty_password_is_no_bind`).
        if password.is_empty() {
            return Err(Fail::Trust(
                "the credential of the bind is empty; a directory would let in nobody by that".to_owned(),
            ));
        }
        let mut met = Vec::new();
        for url in &place.urls {
            let tried = tokio::time::timeout(REACH, Self::reach(place, url, password, now)).await;
            match tried.unwrap_or_else(|_| Err(Fail::Unreachable(format!("no answer within {} s", REACH.as_secs())))) {
                Err(Fail::Unreachable(why)) => met.push(format!("{url}: {why}")),
                other => return other,
            }
        }
        Err(Fail::Unreachable(met.join("; ")))
    }

    async fn reach(place: &Place, url: &str, password: &str, now: Time) -> Result<Self, Fail> {
        let server = connect(place, url, now).await?;
        let (ours, theirs) = UnixStream::pair().and_then(|(a, b)| Ok((a, b.into_std()?))).map_err(unreachable)?;
        let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(theirs));
        let (connection, ldap) = LdapConnAsync::with_settings(settings, "ldapi:///").await.map_err(failed)?;
        let driver = async move {
            let driven = AssertUnwindSafe(connection.drive()).catch_unwind();
            tokio::select! {
                end = driven => match end {
                    Ok(Ok(())) => "the server closed the connection".to_owned(),
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => no_ldap().to_string(),
                },
                end = screen::carry(server, ours) => match end {
                    Ok(()) => "the server closed the connection".to_owned(),
                    Err(error) => error.to_string(),
                },
            }
        };
        let mut session = Self { url: url.to_owned(), ldap, driver: Box::pin(driver), over: None };
        let mut ldap = session.ldap.clone();
        let bind = async move { ldap.simple_bind(&place.bind_dn, password).await };
        match done(session.run(bind).await?) {
            Err(no) if no.is(code::INVALID_CREDENTIALS) => {
                Err(Fail::Trust(format!("the bind as `{}` was refused: {no}", place.bind_dn)))
            }
            Err(other) => Err(other),
            Ok(()) => Ok(session),
        }
    }

    /// Waits for one answer, while the connection is driven.
    async fn run<T>(&mut self, asked: impl Future<Output = Result<T, LdapError>>) -> Result<T, Fail> {
        if let Some(over) = &self.over {
            return Err(Fail::Unreachable(over.clone()));
        }
        let asked = AssertUnwindSafe(tokio::time::timeout(ANSWER, asked)).catch_unwind();
        tokio::select! {
            biased;
            answer = asked => match answer {
                Ok(Ok(answer)) => answer.map_err(failed),
                Ok(Err(_)) => Err(Fail::Unreachable(format!("no answer within {} s", ANSWER.as_secs()))),
                Err(_) => {
                    self.over = Some(no_ldap().to_string());
                    Err(no_ldap())
                }
            },
            over = &mut self.driver => {
                self.over = Some(over.clone());
                Err(Fail::Unreachable(over))
            }
        }
    }

    /// The entry of a name; nothing if the server says that there is none.
    ///
    /// # Errors
    /// When it says anything else.
    pub async fn entry(&mut self, dn: &str, attributes: &[&str]) -> Result<Option<Entry>, Fail> {
        match self.few(dn, Scope::Base, "(objectClass=*)", attributes).await {
            Ok(mut found) => Ok(found.pop()),
            Err(no) if no.is(code::NO_SUCH_OBJECT) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Up to two entries: enough to know that there is exactly one.
    ///
    /// # Errors
    /// When the server says no.
    pub async fn few(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
    ) -> Result<Vec<Entry>, Fail> {
        let wanted = wanted(attributes);
        let mut ldap = self.ldap.clone();
        ldap.with_search_options(SearchOptions::new().sizelimit(2));
        let found = self.run(async move { ldap.search(base, scope, filter, wanted).await }).await?;
        let entries = read(found.0)?;
        match done(found.1) {
            // More than two; two are too many already.
            Err(more) if more.is(code::SIZE_LIMIT) && entries.len() > 1 => Ok(entries),
            Err(no) => Err(no),
            Ok(()) => Ok(entries),
        }
    }

    /// All entries, page by page (RFC 2696), and not more than `most` of them.
    ///
    /// # Errors
    /// When the server says no, or tells of more: half a list is no list.
    pub async fn all(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
        most: usize,
    ) -> Result<Vec<Entry>, Fail> {
        let mut all = Vec::new();
        let mut cookie = Vec::new();
        loop {
            let wanted = wanted(attributes);
            let mut ldap = self.ldap.clone();
            let page = PagedResults { size: PAGE, cookie };
            ldap.with_controls(vec![page.into()]);
            let found = self.run(async move { ldap.search(base, scope, filter, wanted).await }).await?;
            let next = found.1.ctrls.iter().find_map(|control| match control.0 {
                Some(ldap3::controls::ControlType::PagedResults) => Some(control.1.clone()),
                Some(_) | None => None,
            });
            done(found.1)?;
            all.extend(read(found.0)?);
            if all.len() > most {
                return Err(Fail::refused(format!("the server tells of more than {most} entries below `{base}`")));
            }
            if next.as_ref().is_some_and(|raw| !raw.val.as_deref().is_some_and(screen::is_shallow)) {
                return Err(no_ldap());
            }
            let parsed = next.map(|raw| std::panic::catch_unwind(AssertUnwindSafe(|| raw.parse::<PagedResults>())));
            cookie = match parsed {
                None => return Ok(all),
                Some(Ok(page)) if page.cookie.is_empty() => return Ok(all),
                Some(Ok(page)) => page.cookie,
                Some(Err(_)) => return Err(no_ldap()),
            };
        }
    }

    /// All values of an attribute of one entry, range by range where the server tells them so.
    ///
    /// # Errors
    /// When the server says no, or tells of more than `most`.
    pub async fn values(&mut self, dn: &str, attribute: &str, most: usize) -> Result<Vec<String>, Fail> {
        let mut all = Vec::new();
        let mut asked = attribute.to_owned();
        for _ in 0..RANGES {
            let Some(entry) = self.entry(dn, &[&asked]).await? else { return Ok(all) };
            let Some((part, next)) = entry.next_range(attribute) else {
                all.extend(entry.texts(attribute).map(str::to_owned));
                break;
            };
            all.extend(part.into_iter().map(str::to_owned));
            let Some(next) = next.filter(|next| *next >= all.len()) else { break };
            if all.len() > most {
                break;
            }
            asked = format!("{attribute};range={next}-*");
        }
        if all.len() > most {
            return Err(Fail::refused(format!("`{dn}` has more than {most} values of `{attribute}`")));
        }
        Ok(all)
    }

    /// Whether an entry has this value, by the server's own rules of what is equal. Asks for nothing else, so
    /// that a group of a hundred thousand is as quick as one of two.
    ///
    /// # Errors
    /// When the server says anything but yes or no.
    pub async fn has(&mut self, dn: &str, attribute: &str, value: &str) -> Result<bool, Fail> {
        let mut ldap = self.ldap.clone();
        let answer = self.run(async move { ldap.compare(dn, attribute, value).await }).await?.0;
        match answer.rc {
            5 => Ok(false),
            6 => Ok(true),
            // None of that attribute at all.
            code::NO_SUCH_ATTRIBUTE => Ok(false),
            _ => Err(refused(&answer)),
        }
    }

    /// Adds and takes values of one attribute, all or nothing.
    ///
    /// # Errors
    /// When the server says no.
    pub async fn change(&mut self, dn: &str, attribute: &str, add: &[&str], take: &[&str]) -> Result<(), Fail> {
        let mut changes = Vec::new();
        let values = |of: &[&str]| of.iter().map(|v| (*v).to_owned()).collect::<HashSet<String>>();
        if !add.is_empty() {
            changes.push(Mod::Add(attribute.to_owned(), values(add)));
        }
        if !take.is_empty() {
            changes.push(Mod::Delete(attribute.to_owned(), values(take)));
        }
        let mut ldap = self.ldap.clone();
        done(self.run(async move { ldap.modify(dn, changes).await }).await?)
    }
}

/// The attributes asked for, with those that say which entry it is.
fn wanted(attributes: &[&str]) -> Vec<String> {
    IDS.iter().chain(attributes).map(|a| (*a).to_owned()).collect()
}

fn read(found: Vec<ResultEntry>) -> Result<Vec<Entry>, Fail> {
    let read = || {
        let entries = found.into_iter().filter(|e| !e.is_ref() && !e.is_intermediate());
        entries.map(|e| Entry::of(SearchEntry::construct(e))).collect()
    };
    std::panic::catch_unwind(AssertUnwindSafe(read)).map_err(|_| no_ldap())
}

fn done(answer: LdapResult) -> Result<(), Fail> {
    if answer.rc == 0 { Ok(()) } else { Err(refused(&answer)) }
}

fn refused(answer: &LdapResult) -> Fail {
    match answer.rc {
        code::BUSY | code::UNAVAILABLE => Fail::Unreachable(answer.to_string()),
        code::REFERRAL => Fail::Refused {
            code: code::REFERRAL,
            why: "the server refers to another, which is not followed; name the server that holds it in `urls`"
                .to_owned(),
        },
        code => Fail::Refused { code, why: answer.to_string() },
    }
}

/// A stream to a server, as it is or in TLS.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// `LDAPMessage` 1: an extended request for StartTLS (RFC 4511, 4.14.1).
const START_TLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
/// How the answer to it begins that says yes, behind its length: message 1, an extended response, `success`.
const MAY_START: [&[u8]; 2] = [b"\x02\x01\x01\x78", b"\x0a\x01\x00"];
/// The longest answer to it.
const LONGEST_START: usize = 4096;

async fn connect(place: &Place, url: &str, now: Time) -> Result<Box<dyn Wire>, Fail> {
    let (host, port, secure) = place.server(url).ok_or_else(|| Fail::refused(format!("`{url}` is no server")))?;
    let mut stream = TcpStream::connect((host, port)).await.map_err(unreachable)?;
    if !secure && !place.starttls {
        return Ok(Box::new(stream));
    }
    let tls = place.tls.as_ref().ok_or_else(|| Fail::Trust("there is nobody to be believed: set `tls`".to_owned()))?;
    let config = Arc::new(tls::client_config(tls, now).map_err(Fail::Trust)?);
    if place.starttls {
        start_tls(&mut stream).await?;
    }
    let name = rustls::pki_types::ServerName::try_from(host.to_owned()).map_err(|e| Fail::Trust(e.to_string()))?;
    let stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await.map_err(untrusted)?;
    Ok(Box::new(stream))
}

/// Asks for TLS. What comes after the answer in the clear is believed by nobody, so there must be nothing.
async fn start_tls(stream: &mut TcpStream) -> Result<(), Fail> {
    stream.write_all(START_TLS).await.map_err(unreachable)?;
    let mut answer = Vec::new();
    while !screen::is_shallow(&answer) || answer.is_empty() {
        let mut part = [0; 512];
        let count = stream.read(&mut part).await.map_err(unreachable)?;
        answer.extend_from_slice(part.get(..count).unwrap_or_default());
        if count == 0 || answer.len() > LONGEST_START {
            return Err(no_ldap());
        }
    }
    let head = if answer.get(1).is_some_and(|length| *length < 0x80) {
        2
    } else {
        answer.get(1).map_or(2, |l| usize::from(l & 0x7f).saturating_add(2))
    };
    let [message, success] = MAY_START;
    let inner = answer.get(head..).and_then(|rest| rest.strip_prefix(message)).unwrap_or_default();
    let body = match inner.first() {
        Some(length) if *length < 0x80 => inner.get(1..),
        Some(length) => inner.get(usize::from(length & 0x7f).saturating_add(1)..),
        None => None,
    };
    let one_message = answer.get(1).is_some_and(|l| *l >= 0x80 || usize::from(*l).saturating_add(2) == answer.len());
    if one_message && body.is_some_and(|body| body.starts_with(success)) {
        Ok(())
    } else {
        Err(Fail::Trust("the server does not begin TLS when it is asked to".to_owned()))
    }
}

fn unreachable(error: std::io::Error) -> Fail {
    Fail::Unreachable(error.to_string())
}

/// A failed handshake: whether the server is somebody else, or nobody.
fn untrusted(error: std::io::Error) -> Fail {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(is) => Fail::Trust(is.to_string()),
        None => unreachable(error),
    }
}

fn no_ldap() -> Fail {
    Fail::Unreachable("what it answers is no LDAP".to_owned())
}

fn failed(error: LdapError) -> Fail {
    match error {
        LdapError::LdapResult { result } => refused(&result),
        LdapError::Io { source } => unreachable(source),
        other => Fail::Unreachable(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_empty_password_is_no_bind() {
        // Nobody listens there: the refusal comes before anybody is asked.
        let place = Place {
            urls: vec!["ldap://127.0.0.1:1".to_owned()],
            starttls: false,
            tls: None,
            bind_dn: "cn=wane".to_owned(),
        };
        for credential in [Some(Secret::new(Vec::new())), Some(Secret::new(vec![0xff])), None] {
            let met = Session::open(&place, credential.as_ref(), Time::from_micros(0)).await.unwrap_err();
            assert!(matches!(met, Fail::Trust(_)), "{met:?}");
        }
        let met = Session::open(&place, Some(&Secret::new(b"x".to_vec())), Time::from_micros(0)).await.unwrap_err();
        assert!(matches!(met, Fail::Unreachable(_)), "{met:?}");
    }
}
