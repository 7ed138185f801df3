//! What passes, both ways, and what never does.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::lab::{Lab, SECRET};
use super::signing_in::headers;

#[test]
fn what_the_role_does_not_name_never_reaches_the_application() {
    let lab = Lab::new();
    lab.role(
        "reader",
        &json!({ "allow": [
        { "methods": ["GET"], "paths": ["/api/**", "/public/*"] }, { "methods": ["POST"], "paths": ["/api/runs"] },
    ] }),
    );
    let guest = lab.enters(&lab.wane.maya, "reader@app", "10m");
    let before = lab.asked().len();
    for (words, path) in [
        (&[][..], "/"),
        (&[], "/apix"),
        (&[], "/public/a/b"),
        (&["-X", "POST"], "/api/users"),
        (&["-X", "DELETE"], "/api/runs"),
        (&["-X", "TRACE"], "/api/x"),
        (&["-X", "get"], "/api/x"),
        (&["-X", "POST", "-H", "Origin: https://evil.example"], "/api/runs"),
        (
            &["-H", "Connection: upgrade", "--http1.1", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Key: x"],
            "/api/x",
        ),
    ] {
        let refused = guest.send(words, path);
        assert_eq!(refused.status, 403, "{words:?} {path}: {refused:?}");
        assert_eq!(refused.header("content-type").unwrap(), "application/problem+json");
    }
    lab.role("talks", &json!({ "allow": [{ "methods": ["GET"], "paths": ["/**"] }], "websocket": true }));
    let talks = lab.enters(&lab.wane.maya, "talks@app", "10m");
    let socket = [
        "--http1.1",
        "-H",
        "Connection: upgrade",
        "-H",
        "Upgrade: websocket",
        "-H",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    for origin in [&[][..], &["-H", "Origin: https://evil.example"], &["-H", "Origin: null"]] {
        assert_eq!(talks.send(&[&socket[..], origin].concat(), "/socket").status, 403, "{origin:?}");
    }
    // Ways to say another path than the one that is decided about (BUG-33).
    for path in [
        "/api/../admin",
        "/api/%2e%2e/admin",
        "/api/.%2E/admin",
        "//api/x",
        "/api//x",
        "/api/..%2fadmin",
        "/api%2fx",
        "/api/x;y",
        "/api/x%3by",
        "/api/x%5c..%5cadmin",
        "/api/%252e%252e/admin",
        "/api/x%00",
        "/api/x%0d%0aX:y",
        "/api/%c0%ae%c0%ae/",
    ] {
        let refused = guest.get(path);
        assert_eq!(refused.status, 400, "{path}: {refused:?}");
    }
    assert_eq!(lab.asked().len(), before, "{:?}", &lab.asked()[before..]);
    // What it names passes, byte for byte as it was decided about.
    for (words, path) in
        [(&[][..], "/api/a%20b/%C3%BC?q=%2e%2e/&x=//"), (&["-X", "POST"], "/api/runs"), (&[], "/public/x.css")]
    {
        let passed = guest.send(words, path);
        assert_eq!((passed.status, &passed.json()["url"]), (200, &json!(path)), "{passed:?}");
    }
    // That it was tried is in the record of the session.
    lab.wane.maya.json(&["done", &guest.grant]).unwrap();
    lab.wane.wait_closed(&guest.grant);
    let closed = &lab.events("session.closed")[0];
    assert_eq!(closed["detail"]["tally"]["verdict"]["word"], "outside", "{closed}");
    assert_eq!(closed["detail"]["tally"]["requests"], 3, "{closed}");
}

#[test]
fn no_word_about_identity_comes_from_outside() {
    let lab = Lab::new();
    lab.register("other", &json!({ "user_header": "X-Webauth-User" }), None);
    let guest = lab.enters(&lab.wane.maya, "viewer@other", "10m");
    let evil = "evil-words";
    let names = [
        "Wane-Assertion",
        "WANE-ASSERTION",
        "X-Wane-Grant",
        "X-Forwarded-For",
        "X_Forwarded_For",
        "X-Forwarded-User",
        "Forwarded",
        "X-Real-IP",
        "Remote-User",
        "X-Remote-User",
        "REMOTE_USER",
        "X-WebAuth-User",
        "x-webauth-user",
        "X-Auth-Request-Email",
        "Impersonate-User",
        "Impersonate-Group",
        "Impersonate-Extra-Scopes",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "X-Method-Override",
        "Proxy",
        "X-User",
        "X-Named",
    ];
    let lines: Vec<String> = names.iter().map(|name| format!("{name}: {evil}")).collect();
    // No header of one connection stands in HTTP/2.
    let connection: &[&str] = &["-H", "Connection: keep-alive, X-Named, Wane-Assertion, X-Webauth-User"];
    for (version, more) in [("--http1.1", connection), ("--http2", &[])] {
        let words = lines.iter().flat_map(|line| ["-H", line.as_str()]).chain(more.iter().copied());
        let words: Vec<&str> = words.chain(["-H", "X-Plain: passes", version]).collect();
        let said = guest.send(&words, "/echo").json();
        let sent = headers(&said);
        let foreign: Vec<_> =
            sent.iter().filter(|(_, value)| value.contains(evil)).filter(|(name, _)| name != "x-named").collect();
        assert!(foreign.is_empty(), "{version}: {foreign:?}");
        let users: Vec<_> = sent.iter().filter(|(name, _)| name == "x-webauth-user").collect();
        assert!(users.len() == 1 && users[0].1 == "maya", "{version}: {sent:?}");
        assert!(sent.contains(&("x-plain".to_owned(), "passes".to_owned())), "{version}: {sent:?}");
        if version == "--http1.1" {
            assert!(!sent.iter().any(|(name, _)| name == "x-named"), "what `Connection` names went on: {sent:?}");
        }
    }
}

#[test]
fn what_wane_shows_an_application_nobody_else_sees() {
    let lab = Lab::new();
    let inject = json!({ "as": "header", "name": "X-Api-Key", "prefix": "Key " });
    lab.register("other", &json!({ "inject": inject }), Some(SECRET));
    let guest = lab.enters(&lab.wane.maya, "viewer@other", "10m");
    let said = guest.send(&["-H", "X-Api-Key: theirs"], "/echo").json();
    let keys: Vec<_> = headers(&said).into_iter().filter(|(name, _)| name == "x-api-key").collect();
    assert_eq!(keys, [("x-api-key".to_owned(), format!("Key {SECRET}"))]);
    lab.wane.maya.json(&["done", &guest.grant]).unwrap();
    lab.wane.wait_closed(&guest.grant);
    let shown = [
        lab.wane.ada.json(&["resource", "show", "other"]).map(|v| v.to_string()).unwrap_or_default(),
        lab.wane.ada.json(&["log", "--all"]).unwrap().to_string(),
        lab.wane.server.log(),
    ];
    assert!(shown.iter().all(|text| !text.contains(SECRET)), "it is shown");
    let found = Command::new("grep").args(["-r", "-l", "-a", SECRET]).arg(lab.wane.server.data()).output().unwrap();
    assert!(found.stdout.is_empty(), "it lies there in the clear: {found:?}");
}

#[test]
fn redirects_cookies_and_bodies_pass_and_lead_nowhere_else() {
    let lab = Lab::new();
    let guest = lab.enters(&lab.wane.maya, "viewer@app", "10m");
    let moved = guest.get("/moved");
    assert_eq!(
        (moved.status, moved.location().as_deref()),
        (302, Some("http://elsewhere.invalid/")),
        "followed, or changed"
    );
    assert!(!moved.head.contains("stolen") && !moved.head.to_lowercase().contains("domain="), "{}", moved.head);
    assert!(moved.header("alt-svc").is_none(), "{}", moved.head);
    assert_eq!(guest.get("/echo").status, 200, "our cookie was replaced");
    // Much, both ways, in both versions; as a stream nobody knows the length of, too.
    let file = lab.wane.server.folder().join("much");
    fs::write(&file, vec![b'z'; 24 << 20]).unwrap();
    let sum = Command::new("sha256sum").arg(&file).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap()[..64].to_owned();
    let sent = format!("@{}", file.display());
    for words in [&["--http1.1"][..], &["--http2"], &["--http1.1", "-H", "Transfer-Encoding: chunked"]] {
        let up = guest.send(
            &[words, &["-X", "POST", "-H", "Content-Type: application/octet-stream", "--data-binary", &sent]].concat(),
            "/up",
        );
        assert_eq!((&up.json()["size"], &up.json()["sha256"]), (&json!(24 << 20), &json!(sum)), "{words:?}");
    }
    for version in ["--http1.1", "--http2"] {
        let down = guest.send(&[version], "/big?25165824");
        assert_eq!(down.body.len(), 24 << 20, "{version}");
    }
    assert_eq!(guest.send(&["-I"], "/echo").status, 200);
}

#[test]
fn trailers_pass_as_grpc_has_them() {
    let lab = Lab::new();
    let upstream = format!("http://127.0.0.1:{}", lab.upstream_two);
    lab.register("other", &json!({ "upstream": upstream, "http2": true }), None);
    let guest = lab.enters(&lab.wane.maya, "viewer@other", "10m");
    let words = [
        "--http2",
        "-X",
        "POST",
        "-H",
        "TE: trailers",
        "-H",
        "Content-Type: application/grpc",
        "--data-binary",
        "hello",
    ];
    let said = guest.send(&words, "/pkg.Service/Call");
    // curl puts trailers behind the body where it writes heads out.
    assert!(said.body.contains("hello") && said.body.to_lowercase().contains("grpc-status: 0"), "{said:?}");
    let asked = lab.asked();
    let asked = asked.iter().find(|one| one["two"] == true).unwrap();
    assert_eq!((&asked["te"], &asked["url"]), (&json!("trailers"), &json!("/pkg.Service/Call")));
    // What comes behind a request does not: some take it for headers.
    let host = guest.origin.trim_start_matches("https://");
    let behind = format!(
        "POST /behind HTTP/1.1\r\nHost: {host}\r\nCookie: {}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nx\r\n0\r\n\
         X-Words: evil-words\r\nWane-Assertion: evil-words\r\n\r\n",
        guest.cookie()
    );
    let said = lab.raw(&behind);
    assert!(said.contains("HTTP/1.1 200"), "{said}");
    let asked = json!(lab.asked()).to_string();
    assert!(asked.contains("/behind") && !asked.contains("evil-words"), "{asked}");
}

#[test]
fn one_request_is_one_request_to_everybody() {
    let lab = Lab::new();
    lab.role("narrow", &json!({ "allow": [{ "methods": ["GET", "POST"], "paths": ["/api/**"] }] }));
    let guest = lab.enters(&lab.wane.maya, "narrow@app", "10m");
    let (host, cookie) = (guest.origin.trim_start_matches("https://").to_owned(), guest.cookie());
    let head = |first: &str| format!("{first} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n");
    let inner = format!("GET /admin HTTP/1.1\r\nHost: {host}\r\nX: y\r\n\r\n");
    let post = head("POST /api/x");
    // BUG-78: each would have some server see a second request in it, or another host, or another length.
    for (what, sent) in [
        (
            "two ways of a length",
            format!("{post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
        ),
        (
            "the other way round",
            format!("{post}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{inner}"),
        ),
        ("two lengths", format!("{post}Content-Length: 0\r\nContent-Length: {}\r\n\r\n{inner}", inner.len())),
        ("a list of lengths", format!("{post}Content-Length: 0, {}\r\n\r\n{inner}", inner.len())),
        ("a length with a sign", format!("{post}Content-Length: +{}\r\n\r\n{inner}", inner.len())),
        ("a coding of another name", format!("{post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{inner}")),
        (
            "two codings",
            format!("{post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{inner}"),
        ),
        ("a coding before it", format!("{post}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n{inner}")),
        ("a blank before the colon", format!("{post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{inner}")),
        ("a folded line", format!("{post}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{inner}")),
        ("a bare line feed", format!("{post}X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}")),
        ("a blank behind a coding", format!("{post}Transfer-Encoding: chunked \x0b\r\n\r\n0\r\n\r\n{inner}")),
        ("a length that is hexadecimal", format!("{post}Content-Length: 0x0\r\n\r\n{inner}")),
        ("an empty length", format!("{post}Content-Length: \r\n\r\n{inner}")),
        ("a length of too many digits", format!("{post}Content-Length: 99999999999999999999\r\n\r\n{inner}")),
        (
            "a blank before the first header",
            format!(
                "POST /api/x HTTP/1.1\r\n Transfer-Encoding: chunked\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n0\r\n\r\n{inner}"
            ),
        ),
        ("a header with a zero in it", format!("{post}X: a\0b\r\n\r\n{inner}")),
        ("line feeds alone", post.replace("\r\n", "\n") + "\n" + &inner),
        (
            "a switch to HTTP/2",
            format!(
                "{post}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nContent-Length: 0\r\n\r\n"
            ),
        ),
        ("a fragment", format!("{}\r\n", head("GET /api/x#/../../admin"))),
        (
            "a size that is too long",
            format!(
                "{post}Transfer-Encoding: chunked\r\n\r\n00000000000000000000000000000001\r\nx\r\n0\r\n\r\n{inner}"
            ),
        ),
        (
            "an older version",
            format!(
                "GET /api/x HTTP/1.0\r\nHost: {host}\r\nCookie: {cookie}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"
            ),
        ),
        ("a size with a sign", format!("{post}Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n{inner}")),
        ("a size with a prefix", format!("{post}Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n{inner}")),
        ("two hosts", format!("{}Host: other.localhost\r\n\r\n", head("GET /api/x"))),
        ("a host in the target", format!("{}\r\n", head(&format!("GET https://other.localhost:{}/api/x", lab.port)))),
        ("a tunnel", format!("{}\r\n", head("CONNECT 127.0.0.1:9"))),
        ("a path that is none", format!("{}\r\n", head("OPTIONS *"))),
    ] {
        let before = lab.asked().len();
        let said = lab.raw(&sent);
        let asked = lab.asked();
        let seen: Vec<&Value> = asked[before..].iter().map(|one| &one["url"]).collect();
        assert!(
            seen.iter().all(|url| *url == "/api/x") && seen.len() <= 1,
            "{what}: the application saw {seen:?}; {said}"
        );
        assert!(!said.contains("HTTP/1.1 200") || seen.len() == 1, "{what}: {said}");
    }
    // What comes behind a body is no header, whoever announced it.
    let behind = format!(
        "{post}Trailer: X-Forwarded-User, Wane-Assertion\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nx\r\n0\r\n\
         X-Forwarded-User: evil-words\r\nWane-Assertion: evil-words\r\nCookie: evil-words\r\n\r\n"
    );
    let said = lab.raw(&behind);
    assert!(said.contains("HTTP/1.1 200") && said.contains(r#""trailers":[]"#), "{said}");
    assert!(!said.contains("evil-words") && !said.to_lowercase().contains("x-forwarded-user"), "{said}");
    // The same connection is good for what is asked for clearly.
    let twice = format!("{}\r\n{}Connection: close\r\n\r\n", head("GET /api/one"), head("GET /api/two"));
    assert_eq!(lab.raw(&twice).matches("HTTP/1.1 200").count(), 2);
}
