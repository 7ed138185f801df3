//! The web UI, as it was built into this binary: files that never change under their names, and the one page that is
//! shown under every address of it.
//!
//! Owns: what a browser is told about them. Refuses to know: who looks; the page asks the API, as everybody does.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use data_encoding::HEXLOWER;

use super::entrance;
use super::html;
use super::whither::Whither;
use crate::rim::layers;
use crate::shared::Shared;

/// Where somebody signs in who comes back to it.
pub(super) const SIGN_IN: &str = "/ui/sign-in";
const PAGE: &str = "index.html";
/// Below it each name says what is in the file.
const UNCHANGING: &str = "assets/";
/// The codings files lie in, the shorter first.
const CODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'; \
     require-trusted-types-for 'script'; trusted-types svelte-trusted-html";
const HEADERS: [(HeaderName, &str); 3] = [
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

/// What `cargo xtask web` made; nothing but a file of git's in a build without it.
#[derive(rust_embed::RustEmbed)]
#[folder = "../../web/dist"]
struct Built;

/// A file of the UI.
struct File {
    bytes: Cow<'static, [u8]>,
    digest: [u8; 32],
}

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(async || Redirect::to("/ui/")))
        .route("/ui", get(async || Redirect::to("/ui/")))
        .route("/ui/", get(async |headers: HeaderMap| served(&built, "", &headers)))
        .route("/ui/{*path}", get(file))
        .route(SIGN_IN, post(sign_in).get(async |headers: HeaderMap| served(&built, "sign-in", &headers)))
}

fn built(name: &str) -> Option<File> {
    let file = Built::get(name)?;
    Some(File { digest: file.metadata.sha256_hash(), bytes: file.data })
}

async fn sign_in(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    entrance::sign_in(&shared, &Whither::Ui, &headers, &body).await
}

async fn file(Path(path): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    if is_file(&path) && built(&path).is_none() {
        return layers::not_found(uri).await.into_response();
    }
    served(&built, &path, &headers)
}

/// Whether it can be nothing but a file: files lie in one folder or in none. Everything else is an address within the
/// page, such as that of somebody called `ann.smith`.
fn is_file(path: &str) -> bool {
    path.starts_with(UNCHANGING) || (!path.contains('/') && path.contains('.'))
}

/// The file of that name, or the page.
fn served(files: &dyn Fn(&str) -> Option<File>, path: &str, headers: &HeaderMap) -> Response {
    let name = if files(path).is_some() { path } else { PAGE };
    let Some(plain) = files(name) else { return not_built() };
    let tag = format!("\"{}\"", HEXLOWER.encode(&plain.digest));
    let coded = CODINGS.iter().filter(|(coding, _)| takes(headers, coding));
    let coded = coded.filter_map(|(coding, ending)| Some((*coding, files(&format!("{name}{ending}"))?))).next();
    let (coding, body) = coded.map_or((None, plain.bytes), |(coding, file)| (Some(coding), file.bytes));
    let known = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, kind_of(name))], Bytes::from(body.into_owned())).into_response()
    };
    let cached = if name.starts_with(UNCHANGING) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let said = response.headers_mut();
    said.insert(CACHE_CONTROL, HeaderValue::from_static(cached));
    said.insert(VARY, HeaderValue::from_static("accept-encoding"));
    said.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    said.extend(HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value))));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        said.insert(ETAG, tag);
    }
    if let Some(coding) = coding.filter(|_| !known) {
        said.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

/// Whether a browser takes a coding (RFC 9110 section 12.5.3).
fn takes(headers: &HeaderMap, coding: &str) -> bool {
    let all = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(',')).any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0));
        name.trim().eq_ignore_ascii_case(coding) && !refused
    })
}

fn kind_of(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("webmanifest") => "application/manifest+json",
        Some(_) | None => "application/octet-stream",
    }
}

/// What stands there in a build that was made without Node.
fn not_built() -> Response {
    let text = "This server was built without its web UI; `cargo xtask web` and building once more puts it in. Everything \
                else is here: sign in at /sign-in, and use the command line, `wane`.";
    html::notice("Wane", text).page(StatusCode::NOT_FOUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(name: &str) -> Option<File> {
        let bytes: &'static [u8] = match name {
            "index.html" => b"the page",
            "assets/a-1.js" => b"plain",
            "assets/a-1.js.br" => b"br",
            "assets/a-1.js.gz" => b"gz",
            _ => return None,
        };
        Some(File { bytes: Cow::Borrowed(bytes), digest: [1; 32] })
    }

    fn asked(header: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header, HeaderValue::from_static(value))])
    }

    #[test]
    fn what_never_changes_is_kept_and_the_page_is_asked_for_each_time() {
        for (path, kind, cached) in [
            ("", "text/html; charset=utf-8", "no-cache"),
            ("requests/req_1", "text/html; charset=utf-8", "no-cache"),
            ("assets/a-1.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        ] {
            let said = served(&files, path, &HeaderMap::new());
            assert_eq!(
                (said.status(), &said.headers()[CONTENT_TYPE]),
                (StatusCode::OK, &HeaderValue::from_static(kind))
            );
            assert_eq!(said.headers()[CACHE_CONTROL], cached, "{path}");
            let policy = said.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.contains("require-trusted-types-for 'script'") && !policy.contains("unsafe"), "{policy}");
            let tag = said.headers()[ETAG].to_str().unwrap().to_owned();
            let again = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_str(&tag).unwrap())]);
            assert_eq!(served(&files, path, &again).status(), StatusCode::NOT_MODIFIED);
        }
    }

    #[test]
    fn what_is_called_like_a_file_is_one_where_files_lie_and_nowhere_else() {
        for path in ["assets/gone-1.js", "assets/sub/x", "icon.svg", "robots.txt"] {
            assert!(is_file(path), "{path}");
        }
        for path in ["people/ann.smith", "resources/db.example.org", "packages/v1.2", "people", "requests/req_1"] {
            assert!(!is_file(path), "{path}");
        }
    }

    #[test]
    fn the_shortest_that_a_browser_takes_is_sent() {
        for (takes, coding) in [
            ("gzip, deflate, br", Some("br")),
            ("gzip", Some("gzip")),
            ("br;q=0, GZIP;q=0.5", Some("gzip")),
            ("br;q=0.0", None),
            ("identity", None),
        ] {
            let said = served(&files, "assets/a-1.js", &asked(ACCEPT_ENCODING, takes));
            let sent = said.headers().get(CONTENT_ENCODING).map(|value| value.to_str().unwrap());
            assert_eq!(sent, coding, "{takes}");
            assert_eq!(said.headers()[CONTENT_TYPE], "text/javascript; charset=utf-8");
        }
    }

    #[test]
    fn a_build_without_it_says_so() {
        let said = served(&|_| None, "", &HeaderMap::new());
        assert_eq!(said.status(), StatusCode::NOT_FOUND);
        assert_eq!(said.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
    }
}
