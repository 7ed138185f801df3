//! Cookies: those that are ours are read once and go no further; those of an application stay with its one host.

use data_encoding::BASE64URL_NOPAD;
use hyper::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use sha2::{Digest as _, Sha256};

/// The session of an application. A name that begins with `__Host-` is only taken from this very host, over TLS,
/// without a domain (RFC 6265bis section 4.1.3.2).
const SESSION: &str = "__Host-wane-app";
/// The browser that is at Wane to sign in.
const BEGUN: &str = "__Host-wane-app-begun";
/// What all of ours begin with.
const OURS: &str = "__Host-wane";

/// A secret of 256 bits, as a browser keeps it.
#[derive(Clone)]
pub(crate) struct Token(String);

/// What is kept here of one: whoever reads it has not the cookie.
pub(crate) type Mark = [u8; 32];

impl Token {
    pub(crate) fn of(bytes: [u8; 32]) -> Self {
        Self(BASE64URL_NOPAD.encode(&bytes))
    }

    /// Reads what a browser sends; anything of another shape is none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        (bytes.len() == 32).then(|| Self(text.to_owned()))
    }

    pub(crate) fn mark(&self) -> Mark {
        Sha256::new().chain_update(b"wane.app.v1\n").chain_update(self.0.as_bytes()).finalize().into()
    }

    /// The mark, as text.
    pub(crate) fn marked(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.mark())
    }
}

/// The session that a browser says it has.
pub(crate) fn session(headers: &HeaderMap) -> Option<Token> {
    sent(headers, SESSION).and_then(Token::read)
}

/// The browser that a sign-in was begun in.
pub(crate) fn begun(headers: &HeaderMap) -> Option<Token> {
    sent(headers, BEGUN).and_then(Token::read)
}

/// Has a browser keep its session until it is closed.
pub(crate) fn keep_session(token: &Token) -> HeaderValue {
    value(format!("{SESSION}={}; Path=/; Secure; HttpOnly; SameSite=Lax", token.0))
}

pub(crate) fn keep_begun(token: &Token) -> HeaderValue {
    value(format!("{BEGUN}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600", token.0))
}

pub(crate) fn forget_begun() -> HeaderValue {
    HeaderValue::from_static("__Host-wane-app-begun=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
}

pub(crate) fn forget_session() -> HeaderValue {
    HeaderValue::from_static("__Host-wane-app=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
}

fn value(text: String) -> HeaderValue {
    // Letters of base64 and what stands here: always a header.
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The cookie of a name, if it is sent exactly once.
fn sent<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut named = pairs(headers).filter(|(key, _)| *key == name);
    match (named.next(), named.next()) {
        (Some((_, value)), None) => Some(value),
        (_, _) => None,
    }
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

fn is_ours(name: &str) -> bool {
    name.get(..OURS.len()).is_some_and(|head| head.eq_ignore_ascii_case(OURS))
}

/// Takes our cookies out of a request; the application gets the others, in one header: HTTP/2 has them in pieces
/// (RFC 9113 section 8.2.3).
pub(crate) fn hide_own(headers: &mut HeaderMap) {
    // What is no text cannot be looked through, and might hold ours.
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|text| text.split(';')).map(str::trim).filter(|pair| !pair.is_empty());
    let others = pairs.filter(|pair| !is_ours(pair.split('=').next().unwrap_or_default().trim()));
    let others = others.collect::<Vec<_>>().join("; ");
    headers.remove(COOKIE);
    if let (false, Ok(value)) = (others.is_empty(), HeaderValue::from_str(&others)) {
        headers.insert(COOKIE, value);
    }
}

/// Adds a cookie to a request.
pub(crate) fn add(headers: &mut HeaderMap, name: &str, value: &str) {
    let others: Vec<String> = pairs(headers).filter(|(key, _)| *key != name).map(|(k, v)| format!("{k}={v}")).collect();
    headers.remove(COOKIE);
    let all = others.into_iter().chain([format!("{name}={value}")]).collect::<Vec<_>>().join("; ");
    if let Ok(mut value) = HeaderValue::from_str(&all) {
        value.set_sensitive(true);
        headers.insert(COOKIE, value);
    }
}

/// Keeps the cookies of an application with its one host: none is for a wider domain, none is called like ours.
pub(crate) fn confine(headers: &mut HeaderMap) {
    let kept: Vec<HeaderValue> = headers
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|value| {
            let text = value.to_str().ok()?;
            let mut parts = text.split(';');
            let pair = parts.next()?;
            if is_ours(pair.split('=').next().unwrap_or_default().trim()) {
                return None;
            }
            let domain = |part: &&str| part.split('=').next().unwrap_or_default().trim().eq_ignore_ascii_case("domain");
            let others: Vec<&str> = parts.filter(|part| !domain(part)).collect();
            HeaderValue::from_str(&[&[pair], others.as_slice()].concat().join(";")).ok()
        })
        .collect();
    headers.remove(SET_COOKIE);
    for value in kept {
        headers.append(SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: hyper::header::HeaderName, all: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in all {
            headers.append(&name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_session_is_sent_once_and_whole() {
        let token = Token::of([7; 32]);
        let good = format!("{SESSION}={}", token.0);
        for (sent, read) in [
            (vec![good.as_str()], true),
            (vec!["a=b; ", &good], true),
            (vec![&good, &good], false),
            (vec!["__Host-wane-app=short"], false),
            (vec!["__host-wane-app=x"], false),
            (vec!["wane-app=x"], false),
            (vec![], false),
        ] {
            assert_eq!(session(&with(COOKIE, &sent)).is_some_and(|read| read.mark() == token.mark()), read, "{sent:?}");
        }
        assert!(!token.marked().contains(&token.0));
    }

    #[test]
    fn our_cookies_go_no_further() {
        let mut headers =
            with(COOKIE, &["a=1; __Host-wane-app=s; b=2", "__HOST-WANE-app-begun=x", "c=3;__Host-wane=y"]);
        hide_own(&mut headers);
        let left: Vec<_> = headers.get_all(COOKIE).iter().map(|v| v.to_str().unwrap()).collect();
        assert_eq!(left, ["a=1; b=2; c=3"]);
        add(&mut headers, "b", "injected");
        assert_eq!(headers[COOKIE], "a=1; c=3; b=injected");
    }

    #[test]
    fn an_applications_cookies_stay_with_it() {
        let mut headers = with(
            SET_COOKIE,
            &[
                "a=1; Path=/; Domain=example.com; Secure",
                "__Host-wane-app=evil; Path=/; Secure",
                "__host-WANE=x",
                "b=2; DOMAIN = .example.com",
            ],
        );
        confine(&mut headers);
        let kept: Vec<_> = headers.get_all(SET_COOKIE).iter().map(|v| v.to_str().unwrap()).collect();
        assert_eq!(kept, ["a=1; Path=/; Secure", "b=2"]);
    }

    #[test]
    fn what_a_browser_keeps_is_only_for_this_host() {
        let text = keep_session(&Token::of([1; 32])).to_str().unwrap().to_owned();
        for word in ["__Host-wane-app=", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
            assert!(text.contains(word), "{text}");
        }
    }
}
