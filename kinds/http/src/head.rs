//! Headers: which pass, which are taken away, which are set anew.
//!
//! INVARIANT: nothing that somebody outside sends reaches an application as a word of Wane's about who they are, where
//! they come from, or what is really asked for (held by `what_outside_says_about_identity_never_arrives`).

use std::net::IpAddr;

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::cookie;

/// The header with Wane's word on who asks.
pub(crate) const ASSERTION: HeaderName = HeaderName::from_static("wane-assertion");

/// Headers of one connection and not of what goes through it (RFC 9110 section 7.6.1), and what only a proxy is told.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "proxy",
];

/// What proxies say to applications about a request: never anybody else's to say. By the beginning of the name.
const SAID_BY_PROXIES: [&str; 27] = [
    "wane-",
    "x-wane-",
    "forwarded",
    "x-forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-client-cert",
    "true-client-",
    "x-cluster-client-",
    "cf-access-",
    "cf-connecting-",
    "fastly-client-",
    "x-remote-",
    "remote-",
    "x-auth-request-",
    "x-auth-user",
    "x-auth-email",
    "x-webauth-",
    "x-authenticated-",
    "impersonate-",
    "x-original-",
    "x-rewrite-",
    "x-envoy-",
    "x-pomerium-",
    "x-goog-iap-",
    "x-goog-authenticated-",
    "x-amzn-oidc-",
];
/// The same, whole; and what would have an application do something else than was decided about.
const SAID_WHOLE: [&str; 12] = [
    "x-user",
    "x-username",
    "x-user-id",
    "x-user-email",
    "x-email",
    "x-groups",
    "x-ms-client-principal",
    "x-ssl-client-cert",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "client-cert",
];

/// Who asks, from where, for what.
pub(crate) struct Asked<'a> {
    pub(crate) peer: IpAddr,
    /// The application's own host.
    pub(crate) host: &'a str,
    /// Headers that are set from here, so that nobody else sets them.
    pub(crate) ours: &'a [&'a str],
}

/// Whether a request may be framed like that: of two ways to say how long it is, two servers take one each
/// (RFC 9112 section 6.3).
pub(crate) fn is_framed_once(headers: &HeaderMap) -> bool {
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter().count();
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let coding = codings.next();
    let chunked = coding.is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    lengths <= 1 && codings.next().is_none() && chunked && !(lengths > 0 && coding.is_some())
}

/// Takes away what is of the connection, what `Connection` names included.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Makes of the headers of a request those that the application gets.
pub(crate) fn towards_upstream(headers: &mut HeaderMap, asked: &Asked<'_>) {
    // gRPC asks for trailers in a header that is of the connection; said anew, and only that (RFC 9110 section 10.1.4).
    let trailers = headers.get_all(header::TE).iter().any(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"));
    strip_hop_by_hop(headers);
    let foreign: Vec<HeaderName> =
        headers.keys().filter(|name| is_foreign(name.as_str(), asked.ours)).cloned().collect();
    for name in foreign {
        headers.remove(name);
    }
    headers.remove(header::EXPECT);
    // Nothing comes behind a request.
    headers.remove(header::TRAILER);
    headers.remove(header::HOST);
    headers.remove(header::CONTENT_LENGTH);
    cookie::hide_own(headers);
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    let peer = asked.peer.to_canonical();
    let node = match peer {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("\"[{v6}]\""),
    };
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("x-forwarded-for", peer.to_string());
    set("x-forwarded-proto", "https".to_owned());
    set("x-forwarded-host", asked.host.to_owned());
    set("forwarded", format!("for={node};host=\"{}\";proto=https", asked.host));
}

/// A header that nobody outside may say. One with `_` is read as one with `-` by many applications.
fn is_foreign(name: &str, ours: &[&str]) -> bool {
    name.contains('_')
        || SAID_BY_PROXIES.iter().any(|said| name.starts_with(said))
        || SAID_WHOLE.contains(&name)
        || ours.contains(&name)
}

/// Makes of the headers of an answer those that the person gets.
pub(crate) fn towards_person(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    // It would lead browsers around the gateway.
    headers.remove(header::ALT_SVC);
    headers.remove(ASSERTION);
    cookie::confine(headers);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&str, &str)]) -> HeaderMap {
        let mut out = HeaderMap::new();
        for (name, value) in all {
            out.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        out
    }

    fn asked<'a>(ours: &'a [&'a str]) -> Asked<'a> {
        Asked { peer: "192.0.2.7".parse().unwrap(), host: "app.example.com", ours }
    }

    #[test]
    fn what_outside_says_about_identity_never_arrives() {
        let evil = "evil-words";
        let names = [
            "Wane-Assertion",
            "wane-assertion",
            "WANE-ASSERTION",
            "X-Wane-User",
            "X-Forwarded-For",
            "X_Forwarded_For",
            "X-Forwarded-User",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
            "Forwarded",
            "X-Real-IP",
            "X-Client-IP",
            "True-Client-IP",
            "X-Remote-User",
            "Remote-User",
            "remote_user",
            "X-Auth-Request-Email",
            "X-WEBAUTH-USER",
            "X-Authenticated-User",
            "Impersonate-User",
            "Impersonate-Group",
            "X-Original-URL",
            "X-Rewrite-URL",
            "X-HTTP-Method-Override",
            "X-Http-Method",
            "X-Method-Override",
            "Proxy",
            "Proxy-Authorization",
            "X-Api-Key",
            "Cf-Access-Jwt-Assertion",
            "X-Goog-Iap-Jwt-Assertion",
            "X-Amzn-Oidc-Data",
            "X-Ms-Client-Principal",
            "X-User",
            "any_thing",
            "Te",
            "Upgrade",
            "Keep-Alive",
            "Http2-Settings",
            "X-Named",
        ];
        let mut all: Vec<(&str, &str)> = names.iter().map(|name| (*name, evil)).collect();
        all.extend(names.iter().map(|name| (*name, evil)));
        all.push(("Connection", "close, X-Named , wane-assertion"));
        all.push(("Accept", "text/html"));
        all.push(("Authorization", "Bearer theirs"));
        let mut headers = headers(&all);
        towards_upstream(&mut headers, &asked(&["x-api-key"]));
        let evil: Vec<&HeaderName> = headers.iter().filter(|(_, value)| *value == evil).map(|(name, _)| name).collect();
        assert!(evil.is_empty(), "{evil:?}");
        assert_eq!(headers["x-forwarded-for"], "192.0.2.7");
        assert_eq!(headers["x-forwarded-host"], "app.example.com");
        assert_eq!(headers["forwarded"], "for=192.0.2.7;host=\"app.example.com\";proto=https");
        assert_eq!(
            (&headers["accept"], &headers["authorization"]),
            (&"text/html".parse().unwrap(), &"Bearer theirs".parse().unwrap())
        );
        assert!(!headers.contains_key("connection"));
    }

    #[test]
    fn trailers_are_asked_for_and_nothing_else() {
        let mut grpc = headers(&[("te", "trailers"), ("connection", "te")]);
        towards_upstream(&mut grpc, &asked(&[]));
        assert_eq!(grpc["te"], "trailers");
        let mut other = headers(&[("te", "deflate, gzip;q=0.5")]);
        towards_upstream(&mut other, &asked(&[]));
        assert!(!other.contains_key("te"));
    }

    #[test]
    fn of_two_lengths_none_is_believed() {
        for (sent, once) in [
            (vec![], true),
            (vec![("content-length", "3")], true),
            (vec![("transfer-encoding", "chunked")], true),
            (vec![("transfer-encoding", "Chunked")], true),
            (vec![("content-length", "3"), ("transfer-encoding", "chunked")], false),
            (vec![("content-length", "3"), ("content-length", "3")], false),
            (vec![("transfer-encoding", "gzip, chunked")], false),
            (vec![("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], false),
            (vec![("transfer-encoding", "xchunked")], false),
            (vec![("transfer-encoding", "identity")], false),
        ] {
            assert_eq!(is_framed_once(&headers(&sent)), once, "{sent:?}");
        }
    }

    #[test]
    fn an_answer_leads_nobody_around_the_gateway() {
        let mut answer = headers(&[
            ("alt-svc", "h3=\":443\""),
            ("keep-alive", "timeout=5"),
            ("connection", "keep-alive"),
            ("wane-assertion", "echoed"),
            ("location", "https://elsewhere.example.com/"),
        ]);
        towards_person(&mut answer);
        assert_eq!(answer.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["location"]);
    }
}
