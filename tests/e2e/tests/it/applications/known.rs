//! Programs that come with a credential for something else: it says who they are, and their grant what they may do.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wane_testkit::{Ended, PersonSession};

use super::lab::{Answer, Lab};
use super::signing_in::headers;
use crate::certificates::authority;
use crate::people::{SOON, ask_coming_out, granted, items, text};
use crate::tokens::office::{next_second, token_key};

/// A gateway where certificates and tokens are issued besides: for the service `console`, and for the application `app`
/// and another as servers that take tokens.
fn lab() -> Lab {
    let mut lab = Lab::new();
    lab.wane.server.stop().unwrap();
    authority(&lab.wane.server, &["new"]);
    token_key(&lab.wane.server, &["new"]);
    lab.wane.server.start().unwrap();
    let origin = format!("https://app.localhost:{}", lab.port);
    let add = |name: &str, kind: &str, settings: &Value| {
        let settings = settings.to_string();
        let words = ["resource", "add", name, "--kind", kind, "--label", "gate=open", "--settings", &settings];
        lab.wane.ada.json(&words).unwrap();
    };
    add("console", "x509", &json!({}));
    add("app-api", "oauth", &json!({ "audience": origin, "hears": "introspection" }));
    add("orders", "oauth", &json!({ "audience": "https://orders.example" }));
    for (role, sets) in [
        ("x509/operate", &["use=client"][..]),
        ("x509/serve", &["use=server", r#"dns_names=["console.example"]"#]),
        ("oauth/use", &[r#"scopes=["all"]"#]),
        ("oauth/bound", &[r#"scopes=["all","bound"]"#, "bound=either"]),
    ] {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        lab.wane.ada.json(&["role", "add", role].into_iter().chain(sets).collect::<Vec<_>>()).unwrap();
    }
    lab
}

/// A pair by `wane cert`, as words to curl.
fn pair(lab: &Lab, person: &PersonSession, role: &str, name: &str) -> Vec<String> {
    let out = lab.wane.server.folder().join(name);
    let words = ["cert", "console", "--role", role, "--for", "10m", "--out", out.to_str().unwrap()];
    let done = person.run(&words).unwrap();
    assert!(done.success(), "{done:?}");
    let file = |file: &str| out.join("current").join(file).display().to_string();
    ["--cert".to_owned(), file("cert.pem"), "--key".to_owned(), file("key.pem")].to_vec()
}

fn send(lab: &Lab, name: &str, words: &[&[String]], path: &str) -> Answer {
    let words: Vec<&str> = words.iter().flat_map(|words| words.iter().map(String::as_str)).collect();
    lab.guest(name, "program", String::new()).send(&words, path)
}

fn header(line: String) -> Vec<String> {
    vec!["-H".to_owned(), line]
}

/// The grants of somebody's at a place that are live.
fn live(person: &PersonSession, resource: &str) -> Vec<String> {
    let page = person.json(&["grants", "--mine", "--resource", resource]).unwrap();
    items(&page).iter().filter(|one| one["state"] == "active").map(|one| text(&one["id"])).collect()
}

#[test]
fn a_certificate_says_who_somebody_is_and_no_more() {
    let lab = lab();
    let maya = &lab.wane.maya;
    lab.register("other", &json!({}), None);
    lab.role("reader", &json!({ "allow": [{ "methods": ["GET"], "paths": ["/echo", "/ticks"] }] }));
    let cert = pair(&lab, maya, "operate", "pair");
    // Who holds nothing there is told what to ask for; nobody is asked to sign in.
    let none = send(&lab, "app", &[&cert], "/echo");
    assert_eq!(none.status, 403, "{none:?}\n{}", lab.wane.server.log());
    assert!(none.body.contains("wane request reader@app"), "{none:?}");
    let grant = granted(maya, "reader@app", "10m");
    let said = send(&lab, "app", &[&cert], "/echo");
    assert_eq!(said.status, 200, "{said:?}\n{}", lab.wane.server.log());
    let sent = headers(&said.json());
    assert!(sent.iter().any(|(name, _)| name == "wane-assertion"), "{sent:?}");
    assert!(!sent.iter().any(|(name, value)| name.contains("cert") || value.contains("BEGIN CERT")), "{sent:?}");
    // It gives what the grant gives.
    let before = lab.asked().len();
    assert_eq!(send(&lab, "app", &[&cert], "/other").status, 403);
    assert_eq!(send(&lab, "other", &[&cert], "/echo").status, 403);
    // Of several grants the one that is said; and it is one session each.
    let asked = ask_coming_out(maya, &["viewer@app", "--for", "10m", "--reason", "to see the other page"], 0);
    let wide = text(&asked["items"][0]["grant"]);
    let which = send(&lab, "app", &[&cert, &header(format!("Wane-Grant: {wide}"))], "/other");
    assert_eq!(which.status, 200, "{which:?}");
    assert!(!headers(&which.json()).iter().any(|(name, _)| name == "wane-grant"), "{which:?}");
    assert_eq!(send(&lab, "app", &[&cert, &header("Wane-Grant: nonsense".to_owned())], "/echo").status, 400);
    assert_eq!(lab.asked().len() - before, 1);
    let opened = lab.events("session.opened");
    assert_eq!(opened.len(), 2, "{opened:?}");
    assert!(opened.iter().all(|one| one["detail"]["login"] == "certificate"), "{opened:?}");
    // A server's certificate is for the other end of a connection.
    let other = pair(&lab, maya, "serve", "server");
    let mut command = lab.guest("app", "program", String::new()).curl();
    let refused = command.args(&other).arg(format!("https://app.localhost:{}/echo", lab.port)).output().unwrap();
    assert!(!refused.status.success() || !String::from_utf8_lossy(&refused.stdout).contains("\"size\""), "{refused:?}");
    // What it was handed out under ends: what it opened is cut, and it opens nothing more.
    let words: Vec<&str> = cert.iter().map(String::as_str).chain(["-H"]).collect();
    let said_grant = format!("Wane-Grant: {grant}");
    let ticks = lab.guest("app", "program", String::new()).streams(&[&words[..], &[&said_grant]].concat(), "/ticks");
    ticks.wait_for("tick", SOON).unwrap();
    let issued_under = live(maya, "console");
    for one in &issued_under {
        maya.json(&["done", one]).unwrap();
    }
    let ended = ticks.wait_exit(SOON).unwrap();
    assert!(matches!(ended.ended, Ended::Code(code) if code != 0), "it went on: {ended:?}");
    let before = lab.asked().len();
    let after = send(&lab, "app", &[&cert, &header(said_grant)], "/echo");
    assert_eq!(after.status, 401, "{after:?}");
    assert_eq!(lab.asked().len(), before);
    assert_eq!(lab.wane.grant(&grant)["state"], "active", "the grant itself goes on");
    // Nobody's certificate is refused before anything is asked for.
    let folder = lab.wane.server.folder().join("foreign");
    fs::create_dir(&folder).unwrap();
    let theirs = foreign(&folder);
    let mut command = lab.guest("app", "program", String::new()).curl();
    let refused = command.args(&theirs).arg(format!("https://app.localhost:{}/echo", lab.port)).output().unwrap();
    assert!(!refused.status.success(), "{refused:?}");
    assert_eq!(lab.asked().len(), before);
    // And who shows none is asked for nothing more than before.
    assert_eq!(send(&lab, "app", &[], "/echo").status, 401);
}

/// What an authority issues that came while the server ran is known at this door as well.
#[test]
fn a_certificate_of_an_authority_that_took_over_is_known() {
    let lab = lab();
    let (ada, maya) = (&lab.wane.ada, &lab.wane.maya);
    granted(maya, "viewer@app", "10m");
    let former = pair(&lab, maya, "operate", "former");
    assert_eq!(send(&lab, "app", &[&former], "/echo").status, 200);
    ada.json(&["authority", "--live", "new"]).unwrap();
    ada.json(&["authority", "--live", "take-over"]).unwrap();
    let next = pair(&lab, maya, "operate", "next");
    let said = send(&lab, "app", &[&next], "/echo");
    assert_eq!(said.status, 200, "{said:?}\n{}", lab.wane.server.log());
    assert_eq!(send(&lab, "app", &[&former], "/echo").status, 200, "what the former issued works on");
}

/// A certificate that nobody here issued.
fn foreign(folder: &Path) -> Vec<String> {
    let at = |name: &str| folder.join(name).display().to_string();
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"])
        .args(["-subj", "/CN=maya", "-addext", "extendedKeyUsage=clientAuth", "-keyout", &at("key.pem"), "-out"])
        .arg(at("cert.pem"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    ["--cert".to_owned(), at("cert.pem"), "--key".to_owned(), at("key.pem")].to_vec()
}

/// A token in a file, by `wane token`.
fn token(lab: &Lab, resource: &str, role: &str, name: &str, more: &[&str]) -> (PathBuf, String) {
    let out = lab.wane.server.folder().join(name);
    let words = ["token", resource, "--role", role, "--for", "10m", "--out", out.to_str().unwrap()];
    let done = lab.wane.maya.run(&[&words, more].concat()).unwrap();
    assert!(done.success(), "{done:?}");
    let text = fs::read_to_string(&out).unwrap().trim().to_owned();
    (out, text)
}

#[test]
fn a_token_says_who_somebody_is_where_it_is_for_that() {
    let lab = lab();
    let maya = &lab.wane.maya;
    let (_, good) = token(&lab, "app-api", "use", "good", &[]);
    let (_, elsewhere) = token(&lab, "orders", "use", "elsewhere", &[]);
    let bearer = |token: &str| header(format!("Authorization: Bearer {token}"));
    assert_eq!(send(&lab, "app", &[&bearer(&good)], "/echo").status, 403, "there is no grant yet");
    let grant = granted(maya, "viewer@app", "10m");
    let said = send(&lab, "app", &[&bearer(&good)], "/echo");
    assert_eq!(said.status, 200, "{said:?}\n{}", lab.wane.server.log());
    let sent = headers(&said.json());
    assert!(!sent.iter().any(|(_, value)| value.contains(&good)), "the token went on: {sent:?}");
    assert!(sent.iter().any(|(name, _)| name == "wane-assertion"));
    let before = lab.asked().len();
    let (head, signature) = good.rsplit_once('.').unwrap();
    let tampered = format!("{head}.{}", signature.chars().rev().collect::<String>());
    for (what, token) in [("for another server", &elsewhere), ("tampered with", &tampered)] {
        assert_eq!(send(&lab, "app", &[&bearer(token)], "/echo").status, 401, "{what}");
    }
    next_second();
    // Bound to a key: a proof with each call, once, for that call.
    let key = lab.wane.server.folder().join("key.pem");
    let (file, bound) = token(&lab, "app-api", "bound", "bound", &["--dpop-key", key.to_str().unwrap()]);
    let proof = |method: &str, path: &str| {
        let url = format!("https://app.localhost:{}{path}", lab.port);
        let words = ["token-proof", method, &url, "--key", key.to_str().unwrap(), "--token", file.to_str().unwrap()];
        text(&maya.json(&words).unwrap()["dpop"])
    };
    let call =
        |proof: &str| [header(format!("Authorization: DPoP {bound}")), header(format!("DPoP: {proof}"))].concat();
    assert_eq!(send(&lab, "app", &[&bearer(&bound)], "/echo").status, 401, "a copy alone");
    assert_eq!(lab.asked().len(), before, "it reached the application");
    let first = call(&proof("GET", "/echo"));
    let passed = send(&lab, "app", &[&first], "/echo?x=1");
    assert_eq!(passed.status, 200, "{passed:?}");
    assert!(!headers(&passed.json()).iter().any(|(name, _)| name == "dpop" || name == "authorization"));
    assert_eq!(send(&lab, "app", &[&first], "/echo").status, 401, "a proof is taken once");
    assert_eq!(send(&lab, "app", &[&call(&proof("GET", "/echo"))], "/echo").status, 200, "the next call has one too");
    assert_eq!(send(&lab, "app", &[&call(&proof("GET", "/other"))], "/echo").status, 401, "for another address");
    assert_eq!(send(&lab, "app", &[&header(format!("Authorization: DPoP {bound}"))], "/echo").status, 401, "without");
    // Bound to a certificate: with that one in the handshake.
    let cert = pair(&lab, maya, "operate", "pair");
    let (_, tied) = token(&lab, "app-api", "bound", "tied", &["--certificate", &cert[1]]);
    assert_eq!(send(&lab, "app", &[&bearer(&tied)], "/echo").status, 401, "without the certificate");
    assert_eq!(send(&lab, "app", &[&bearer(&tied), &cert], "/echo").status, 200);
    // The end of what it was handed out under.
    let words = bearer(&good);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ticks = lab.guest("app", "program", String::new()).streams(&words, "/ticks");
    ticks.wait_for("tick", SOON).unwrap();
    for one in live(maya, "app-api") {
        maya.json(&["done", &one]).unwrap();
    }
    let ended = ticks.wait_exit(SOON).unwrap();
    assert!(matches!(ended.ended, Ended::Code(code) if code != 0), "it went on: {ended:?}");
    let before = lab.asked().len();
    assert_eq!(send(&lab, "app", &[&bearer(&good)], "/echo").status, 401);
    assert_eq!(lab.asked().len(), before);
    assert_eq!(lab.wane.grant(&grant)["state"], "active");
    // What was tried is in the trail, with whose it is; and no token is.
    let refused = lab.events("token.refused");
    let whys: Vec<String> = refused.iter().map(|one| text(&one["detail"]["why"])).collect();
    for why in ["another server", "without a proof", "without that", "after the end"] {
        assert!(whys.iter().any(|said| said.contains(why)), "{why}: {whys:?}");
    }
    let all = lab.wane.ada.json(&["log", "--all"]).unwrap().to_string();
    assert!(
        ![&good, &elsewhere, &bound, &tied].iter().any(|token| all.contains(token.as_str())),
        "a token is written down"
    );
}
