//! Who looks at a page: a session in a cookie, which the API reads of a call only that comes from a page of ours.

use axum::http::header::{COOKIE, SEC_WEBSOCKET_PROTOCOL};
use axum::http::{HeaderMap, HeaderName};
use subtle::ConstantTimeEq as _;
use wane_api::terminal::TERMINAL_PAGE;
use wane_app::Caller;
use wane_domain::canonical::Digest;

use super::form::is_from_own_page;
use crate::shared::Shared;

/// In which a call of a page says that the page is ours: a word that only they are told. No page of anybody else can send
/// it along, because no call from elsewhere is let have headers of its own.
const PAGE: HeaderName = HeaderName::from_static("wane-page");
/// What that word is about; no form has it.
const CALLS: &str = "calls";

/// Somebody signed in.
pub(super) struct Visitor {
    pub(super) caller: Caller,
    /// Says of a form that it comes from a page shown to this session, and is derived from nothing else.
    bearer: String,
}

impl Visitor {
    pub(super) async fn of(shared: &Shared, headers: &HeaderMap) -> Option<Self> {
        let bearer = sent(headers, name(shared.app.public_url()))?.to_owned();
        let caller = shared.app.authenticate(&bearer).await.ok()?;
        Some(Self { caller, bearer })
    }

    /// What the forms of this session about one login carry.
    pub(super) fn token(&self, reference: &str) -> String {
        token(&self.bearer, reference)
    }

    /// What calls of our pages in this session carry.
    pub(super) fn page(&self) -> String {
        token(&self.bearer, CALLS)
    }

    /// Whether a form carries it.
    pub(super) fn wrote(&self, reference: &str, token: &str) -> bool {
        self.token(reference).as_bytes().ct_eq(token.as_bytes()).into()
    }
}

fn token(bearer: &str, reference: &str) -> String {
    Digest::of_bytes("wane.page.v1", format!("{bearer}\n{reference}").as_bytes()).to_string()
}

/// The session in whose browser a page of ours makes a call; none, if it does not come from there.
pub(crate) fn of_page<'h>(headers: &'h HeaderMap, public_url: &str) -> Option<&'h str> {
    let mut said = headers.get_all(PAGE).iter();
    let (Some(said), None) = (said.next(), said.next()) else { return None };
    spoken_in(headers, said.as_bytes(), public_url)
}

/// The same for a page that opens a WebSocket, which says the word among the subprotocols it offers.
pub(crate) fn of_socket<'h>(headers: &'h HeaderMap, public_url: &str) -> Option<&'h str> {
    let offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let mut said = offered.flat_map(|value| value.split(',')).filter_map(|one| one.trim().strip_prefix(TERMINAL_PAGE));
    let (Some(said), None) = (said.next(), said.next()) else { return None };
    spoken_in(headers, said.as_bytes(), public_url)
}

fn spoken_in<'h>(headers: &'h HeaderMap, said: &[u8], public_url: &str) -> Option<&'h str> {
    let session = sent(headers, name(public_url))?;
    let is_ours: bool = token(session, CALLS).as_bytes().ct_eq(said).into();
    (is_ours && is_from_own_page(headers, public_url)).then_some(session)
}

/// A cookie that begins with `__Host-` is only taken from this very host over TLS (RFC 6265bis section 4.1.3.2).
fn name(public_url: &str) -> &'static str {
    if public_url.starts_with("https:") { "__Host-wane" } else { "wane" }
}

/// What a browser is to remember until it is closed.
pub(super) fn cookie(public_url: &str, token: &str) -> String {
    let name = name(public_url);
    let secure = if name.starts_with("__Host-") { "; Secure" } else { "" };
    format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict{secure}")
}

/// What has a browser forget that.
pub(super) fn forget(public_url: &str) -> String {
    format!("{}; Max-Age=0", cookie(public_url, ""))
}

/// The cookie of a browser that is at a provider. It comes back from there, so it is sent along with what another
/// site leads to; it says nothing but that it is the same browser.
fn begun_name(public_url: &str) -> &'static str {
    if public_url.starts_with("https:") { "__Host-wane-begun" } else { "wane-begun" }
}

/// What a browser is to remember while it is at a provider.
pub(super) fn begun_cookie(public_url: &str, browser: &str) -> String {
    let name = begun_name(public_url);
    let secure = if name.starts_with("__Host-") { "; Secure" } else { "" };
    format!("{name}={browser}; Path=/; HttpOnly; SameSite=Lax; Max-Age=1800{secure}")
}

/// Which browser it is.
pub(super) fn begun(public_url: &str, headers: &HeaderMap) -> Option<String> {
    let browser = sent(headers, begun_name(public_url))?;
    (browser.len() == 64 && browser.bytes().all(|b| b.is_ascii_hexdigit())).then(|| browser.to_owned())
}

/// The cookie of a name, sent exactly once.
fn sent<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut ours = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut ours = ours.by_ref().filter(|(key, _)| *key == name);
    match (ours.next(), ours.next()) {
        (Some((_, value)), None) => Some(value),
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_sent_once() {
        for (sent_as, read) in [
            (vec!["wane=a"], Some("a")),
            (vec!["x=1; wane=a"], Some("a")),
            (vec!["wane=a; wane=b"], None),
            (vec!["wane=a", "wane=b"], None),
            (vec!["__Host-wane=a"], None),
            (vec![], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in &sent_as {
                headers.append(COOKIE, value.parse().unwrap());
            }
            assert_eq!(sent(&headers, "wane"), read, "{sent_as:?}");
        }
    }

    #[test]
    fn a_cookie_stays_where_it_is_from() {
        let plain = cookie("http://127.0.0.1:1", "t");
        let secure = cookie("https://wane.example", "t");
        assert_eq!(plain, "wane=t; Path=/; HttpOnly; SameSite=Strict");
        assert_eq!(secure, "__Host-wane=t; Path=/; HttpOnly; SameSite=Strict; Secure");
    }
}
