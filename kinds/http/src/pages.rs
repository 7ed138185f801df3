//! What is answered by Wane itself: a page for people, a problem (RFC 9457) for programs. Whatever is not written here
//! is escaped.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, REFERRER_POLICY,
    WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use wane_markup::escaped;

use crate::upstream::Out;

/// Who is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Somebody who opened a page in a browser.
    Person,
    Program,
}

impl Reader {
    /// A browser says which of its requests somebody looks at (Fetch Metadata); an older one asks for a page.
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let headers = request.headers();
        let says = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
        let page = headers.get_all(ACCEPT).iter().any(|v| v.to_str().is_ok_and(|v| v.contains("text/html")));
        let navigates = says("sec-fetch-mode").is_none_or(|mode| mode == b"navigate");
        let looks =
            request.method() == Method::GET || request.method() == Method::HEAD || says("sec-fetch-mode").is_some();
        if page && navigates && looks { Self::Person } else { Self::Program }
    }
}

/// Why a request is not passed on, or has no answer.
pub(crate) struct Said<'a> {
    pub(crate) status: StatusCode,
    pub(crate) title: &'a str,
    pub(crate) text: &'a str,
    /// What asks for access, behind `wane request`, if that would help.
    pub(crate) again: Option<&'a str>,
}

/// Says it, as whoever reads it can.
pub(crate) fn say(reader: Reader, home: &str, said: &Said<'_>) -> Response<Out> {
    let mut response = match reader {
        Reader::Person => page(home, said),
        Reader::Program => problem(said),
    };
    *response.status_mut() = said.status;
    if said.status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Wane"));
    }
    response
}

fn page(home: &str, said: &Said<'_>) -> Response<Out> {
    let again = said.again.map_or_else(String::new, |again| {
        let line = escaped(&format!("wane request {again}"));
        let home = escaped(home);
        format!("<p><a href=\"{home}/ui/ask\">Ask again</a>, or in a terminal: <code>{line}</code></p>\n")
    });
    let text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<main>\n<h1>{title}</h1>\n<p>{text}</p>\n{again}</main>\n",
        title = escaped(said.title),
        text = escaped(said.text),
    );
    let mut response = with("text/html; charset=utf-8", text);
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    );
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn problem(said: &Said<'_>) -> Response<Out> {
    let mut body = json!({
        "type": "about:blank", "title": said.title, "status": said.status.as_u16(), "detail": said.text,
    });
    if let (Some(again), Some(body)) = (said.again, body.as_object_mut()) {
        body.insert("ask".to_owned(), Value::String(format!("wane request {again}")));
    }
    with("application/problem+json", body.to_string())
}

/// A document of ours.
pub(crate) fn with(media: &'static str, text: String) -> Response<Out> {
    let mut response = Response::new(whole(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Leads a browser on.
pub(crate) fn leads(to: &str) -> Option<Response<Out>> {
    let mut response = with("text/plain", String::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(LOCATION, HeaderValue::from_str(to).ok()?);
    Some(response)
}

/// A body that is there already.
pub(crate) fn whole(text: String) -> Out {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync()
}

/// Whether a request comes from a page of the same origin, as far as a browser says: every browser says so of what
/// changes something, and of each websocket.
pub(crate) fn is_from_own_origin(headers: &HeaderMap, origin: &str) -> bool {
    headers.get_all("origin").iter().all(|said| said.as_bytes() == origin.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut builder = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap()
    }

    #[test]
    fn people_get_pages_and_programs_problems() {
        for (method, headers, reader) in [
            ("GET", vec![("accept", "text/html,*/*")], Reader::Person),
            ("GET", vec![("accept", "text/html"), ("sec-fetch-mode", "navigate")], Reader::Person),
            ("POST", vec![("accept", "text/html"), ("sec-fetch-mode", "navigate")], Reader::Person),
            ("GET", vec![("accept", "text/html"), ("sec-fetch-mode", "cors")], Reader::Program),
            ("POST", vec![("accept", "text/html")], Reader::Program),
            ("GET", vec![("accept", "*/*")], Reader::Program),
            ("GET", vec![], Reader::Program),
        ] {
            assert_eq!(Reader::of(&request(method, &headers)), reader, "{method} {headers:?}");
        }
    }

    #[tokio::test]
    async fn what_others_say_is_never_markup() {
        let evil = "'\"><script>alert(1)</script>";
        let said = Said { status: StatusCode::FORBIDDEN, title: evil, text: evil, again: Some(evil) };
        let body =
            say(Reader::Person, "https://wane.example.com", &said).into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(!text.contains("<script") && !text.contains("'\""), "{text}");
        let program = say(Reader::Program, "https://wane.example.com", &said);
        assert_eq!(program.headers()[CONTENT_TYPE], "application/problem+json");
    }

    #[test]
    fn what_changes_something_comes_from_its_own_page() {
        let own = "https://a.example.com";
        for (origin, good) in [
            (None, true),
            (Some(own), true),
            (Some("https://b.example.com"), false),
            (Some("null"), false),
            (Some(""), false),
        ] {
            let headers = origin.map(|origin| ("origin", origin)).into_iter().collect::<Vec<_>>();
            assert_eq!(is_from_own_origin(request("POST", &headers).headers(), own), good, "{origin:?}");
        }
    }
}
