//! What programs show: a key of this gateway, or a credential that was handed out for something else and says who they
//! are. Each opens a session once, and is found by it from then on.

use std::sync::Arc;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use hyper::{Request, Response, StatusCode};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use wane_connector::web::{Introduced, Means, Shown, ShownToken, Uninvited};
use wane_domain::id::GrantId;

use super::{DPOP, Visitor, client};
use crate::book::Found;
use crate::cookie::Mark;
use crate::key::{self, Key};
use crate::pages::Reader;
use crate::session::{AppSession, Came};
use crate::settings::Origin;
use crate::upstream::Out;

impl Visitor {
    /// The session that a key opens, or opened before.
    pub(super) async fn with_key(
        &self,
        origin: &Origin,
        reader: Reader,
        shown: &str,
        request: &Request<Incoming>,
    ) -> Result<Arc<AppSession>, Response<Out>> {
        let unauthorised = |why: &str| self.unauthorised((reader, request), "Not a key for this", why);
        let read = Key::read(shown).and_then(|key| key.check(&self.site.inner.root).map(|()| key));
        let key = read.map_err(|why| {
            self.porch.failed();
            unauthorised(&why.to_string())
        })?;
        let mark = key.mark();
        // Whoever opens it is done: what is found from here on has begun, on disk.
        let _opening = self.site.inner.opening.turn(mark).await;
        if let Found::Open(session) = self.site.inner.book.find(Some(mark), origin.as_str()) {
            return Ok(session);
        }
        // Else it is opened anew: it may have been for a while that nobody used it.
        if self.porch.meant(origin.as_str()).await.as_deref() != Some(&key.resource) {
            self.site.misused(&self.porch, &key, "it was shown to another application").await;
            return Err(unauthorised("it is for another application"));
        }
        let shown = Shown {
            grant: key.grant,
            serial: key.serial,
            resource: key.resource.clone(),
            client: client(request.headers()),
        };
        if let Err(refused) = self.porch.present(shown, self.holds(mark, Came::Key(key.clone()))).await {
            // What is refused while its grant stands is no misuse.
            if self.porch.is_over(key.grant).await {
                self.site.misused(&self.porch, &key, &refused.0).await;
            }
            return Err(unauthorised(&refused.0));
        }
        match self.site.inner.book.find(Some(mark), origin.as_str()) {
            Found::Open(session) => Ok(session),
            Found::Over(over) => Err(self.site.over(reader, &over.why, &over.again)),
            Found::Unknown => Err(unauthorised("the session did not begin")),
        }
    }

    /// What says who somebody is, of what they show besides: a token of this server, or a certificate.
    pub(super) fn means(&self, origin: &Origin, request: &Request<Incoming>) -> Option<Means> {
        let certificate = self.porch.certificate();
        let Some(text) = token_in(request.headers(), self.site.home()) else {
            return certificate.map(Means::Certificate);
        };
        let proof = request.headers().get(&DPOP).and_then(|proof| proof.to_str().ok()).map(str::to_owned);
        let url = format!("{}{}", origin.as_str(), request.uri().path());
        let method = request.method().as_str().to_owned();
        Some(Means::Token(ShownToken { text: text.to_owned(), proof, method, url, certificate }))
    }

    /// The session that a credential opens which was handed out for something else, or opened before.
    pub(super) async fn with_means(
        &self,
        origin: &Origin,
        reader: Reader,
        means: Means,
        request: &Request<Incoming>,
    ) -> Result<Arc<AppSession>, Response<Out>> {
        let title = "Not known here";
        let no_good = || {
            let text =
                "what was shown is not good here: it is for something else, is over, or is not shown to be yours";
            self.unauthorised((reader, request), title, text)
        };
        let said = request.headers().get("wane-grant").map(|grant| grant.to_str().unwrap_or_default());
        let grant = match said.map(str::parse::<GrantId>) {
            None => None,
            Some(Ok(grant)) => Some(grant),
            Some(Err(_)) => {
                return Err(self.refuse(reader, StatusCode::BAD_REQUEST, title, "`Wane-Grant` is no grant"));
            }
        };
        let mark = mark_of(&means, grant);
        let came = if matches!(means, Means::Certificate(_)) { Came::Certificate } else { Came::Token };
        // A token that is bound to a key is shown to be its caller's with each call.
        let each = matches!(&means, Means::Token(token) if token.proof.is_some());
        let held = async || match self.site.inner.book.find(Some(mark), origin.as_str()) {
            Found::Open(session) if each => match self.porch.vouch(origin.as_str(), means.clone()).await {
                Ok(()) => Some(Ok(session)),
                Err(_) => Some(Err(no_good())),
            },
            Found::Open(session) => Some(Ok(session)),
            // Asked anew: it may have been for a while that nobody used it.
            Found::Over(_) | Found::Unknown => None,
        };
        // As with a key. The turn is not kept: that each call is shown to be its caller's may take a while.
        drop(self.site.inner.opening.turn(mark).await);
        if let Some(known) = held().await {
            return known;
        }
        let Some(resource) = self.porch.meant(origin.as_str()).await else { return Err(self.nowhere(reader)) };
        let _opening = self.site.inner.opening.turn(mark).await;
        if let Some(known) = held().await {
            return known;
        }
        let (origin, means) = (origin.as_str().to_owned(), means.clone());
        let who = Introduced { origin: origin.clone(), resource, means, grant, client: client(request.headers()) };
        match self.porch.introduce(who, self.holds(mark, came)).await {
            Ok(_) => {}
            Err(Uninvited::Credential) => return Err(no_good()),
            Err(Uninvited::Access(why)) => {
                return Err(self.refuse(reader, StatusCode::FORBIDDEN, "No access", &why.0));
            }
        }
        match self.site.inner.book.find(Some(mark), &origin) {
            Found::Open(session) => Ok(session),
            Found::Over(over) => Err(self.site.over(reader, &over.why, &over.again)),
            Found::Unknown => Err(no_good()),
        }
    }
}

/// The key that a program shows, if it shows one: as a bearer's (RFC 6750 section 2.1), or as a password whoever's
/// (RFC 7617), for programs that know nothing else; of two none.
pub(super) fn key_in(headers: &HeaderMap) -> Option<String> {
    key_of(the_one(headers)?)
}

/// What is shown, if it is shown once.
fn the_one(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut said = headers.get_all(AUTHORIZATION).iter();
    said.next().filter(|_| said.next().is_none())
}

/// Whether anything that is shown is a key or a token of ours.
pub(crate) fn is_ours(headers: &HeaderMap, issuer: &str) -> bool {
    let mut said = headers.get_all(AUTHORIZATION).iter();
    said.any(|said| key_of(said).is_some() || token_of(said, issuer).is_some())
}

fn key_of(said: &HeaderValue) -> Option<String> {
    let (scheme, text) = said.to_str().ok()?.split_once(' ')?;
    let key = if scheme.eq_ignore_ascii_case("basic") {
        let pair = String::from_utf8(BASE64.decode(text.as_bytes()).ok()?).ok()?;
        pair.split_once(':')?.1.to_owned()
    } else if scheme.eq_ignore_ascii_case("bearer") {
        text.to_owned()
    } else {
        return None;
    };
    key.starts_with(key::PREFIX).then_some(key)
}

/// The access token of this server that a program shows, if it shows one (RFC 6750 section 2.1, RFC 9449 section 7.1); of
/// two none. One of anybody else's is the application's affair.
fn token_in<'h>(headers: &'h HeaderMap, issuer: &str) -> Option<&'h str> {
    token_of(the_one(headers)?, issuer)
}

fn token_of<'h>(said: &'h HeaderValue, issuer: &str) -> Option<&'h str> {
    let (scheme, text) = said.to_str().ok()?.split_once(' ')?;
    let is_scheme = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("dpop");
    let claims = BASE64URL_NOPAD.decode(text.split('.').nth(1)?.as_bytes()).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    (is_scheme && claims.get("iss").and_then(Value::as_str) == Some(issuer)).then_some(text)
}

/// What is kept of what somebody shows: whoever reads it has not that.
fn mark_of(means: &Means, grant: Option<GrantId>) -> Mark {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update(bytes.len().to_be_bytes());
        hash.update(bytes);
    };
    part(b"wane.means.v1");
    part(grant.map(|grant| grant.to_string()).unwrap_or_default().as_bytes());
    match means {
        Means::Certificate(der) => part(der),
        Means::Token(token) => {
            part(token.text.as_bytes());
            part(token.certificate.as_deref().unwrap_or_default());
            part(&[u8::from(token.proof.is_some())]);
        }
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[&str]) -> HeaderMap {
        let mut out = HeaderMap::new();
        for value in all {
            out.append(AUTHORIZATION, value.parse().unwrap());
        }
        out
    }

    #[test]
    fn a_token_of_anybody_else_is_the_applications_affair() {
        let token = |claims: &str| format!("e30.{}.c2ln", BASE64URL_NOPAD.encode(claims.as_bytes()));
        let ours = token(r#"{"iss":"https://wane.example"}"#);
        let theirs = token(r#"{"iss":"https://app.example"}"#);
        for (sent, read) in [
            (vec![format!("Bearer {ours}")], true),
            (vec![format!("DPoP {ours}")], true),
            (vec![format!("bearer {ours}")], true),
            (vec![format!("Basic {ours}")], false),
            (vec![format!("Bearer {theirs}")], false),
            (vec![format!("Bearer {ours}"), format!("Bearer {ours}")], false),
            (vec!["Bearer wane_key_x".to_owned()], false),
            (vec!["Bearer a.b.c".to_owned()], false),
            (vec!["Bearer".to_owned()], false),
            (vec![], false),
        ] {
            let sent: Vec<&str> = sent.iter().map(String::as_str).collect();
            assert_eq!(token_in(&headers(&sent), "https://wane.example").is_some(), read, "{sent:?}");
        }
        // Of two none counts, and neither passes on.
        for (sent, is) in [
            (vec![format!("Bearer {theirs}"), format!("Bearer {ours}")], true),
            (vec!["Bearer theirs".to_owned(), "Bearer wane_key_x".to_owned()], true),
            (vec![format!("Bearer {theirs}"), "Basic bWF5YTp4".to_owned()], false),
        ] {
            let sent: Vec<&str> = sent.iter().map(String::as_str).collect();
            assert_eq!(is_ours(&headers(&sent), "https://wane.example"), is, "{sent:?}");
        }
    }

    #[test]
    fn a_key_is_a_bearers_or_a_password() {
        let basic = |pair: &str| format!("Basic {}", BASE64.encode(pair.as_bytes()));
        for (sent, read) in [
            (vec!["Bearer wane_key_x".to_owned()], Some("wane_key_x")),
            (vec![basic("wane:wane_key_x")], Some("wane_key_x")),
            (vec![basic(":wane_key_x")], Some("wane_key_x")),
            (vec![basic("wane_key_x:")], None),
            (vec![basic("maya:theirs")], None),
            (vec![basic("wane_key_x")], None),
            (vec!["Basic !".to_owned()], None),
            (vec!["Digest wane_key_x".to_owned()], None),
            (vec![basic("wane:wane_key_x"), "Bearer wane_key_x".to_owned()], None),
        ] {
            let sent: Vec<&str> = sent.iter().map(String::as_str).collect();
            assert_eq!(key_in(&headers(&sent)).as_deref(), read, "{sent:?}");
        }
    }

    #[test]
    fn what_is_shown_otherwise_is_another_session() {
        let token = |text: &str, proof: Option<&str>, certificate: Option<&[u8]>| {
            Means::Token(ShownToken {
                text: text.to_owned(),
                proof: proof.map(str::to_owned),
                method: "GET".to_owned(),
                url: "https://a.example".to_owned(),
                certificate: certificate.map(Into::into),
            })
        };
        let grant: GrantId = "grt_01j0000000000000000000000g".parse().unwrap();
        let marks = [
            mark_of(&token("a", None, None), None),
            mark_of(&token("b", None, None), None),
            mark_of(&token("a", Some("proof"), None), None),
            mark_of(&token("a", None, Some(b"certificate")), None),
            mark_of(&Means::Certificate(b"a".as_slice().into()), None),
            mark_of(&Means::Certificate(b"certificate".as_slice().into()), None),
        ];
        let all: std::collections::BTreeSet<Mark> = marks.into_iter().collect();
        assert_eq!(all.len(), marks.len());
        assert!(!all.contains(&mark_of(&token("a", None, None), Some(grant))));
        // One proof is as good as the next: it is looked at with each call.
        assert_eq!(mark_of(&token("a", Some("1"), None), None), mark_of(&token("a", Some("2"), None), None));
    }
}
