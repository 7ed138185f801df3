//! From an application to the sign-in and back: in the browser it was begun in, once, at its own origin.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;
use wane_testkit::wait_until;

use super::backends::python;
use super::lab::Lab;
use crate::gateway::browser::Browser;
use crate::people::{SOON, granted, text};
use crate::signing_in::passkeys::Chromium;

#[test]
fn an_application_knows_who_asks_by_a_signed_word() {
    let lab = Lab::new();
    let guest = lab.enters(&lab.wane.maya, "viewer@app", "10m");
    let said = guest.send(&["-H", "Wane-Assertion: forged", "-H", "X-Forwarded-For: 203.0.113.9"], "/echo").json();
    let headers = headers(&said);
    let all =
        |name: &str| headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect::<Vec<_>>();
    let assertion = all("wane-assertion");
    assert!(assertion.len() == 1 && assertion[0] != "forged", "{headers:?}");
    assert_eq!(all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(all("x-forwarded-proto"), ["https"]);
    assert_eq!(all("host"), [guest.origin.trim_start_matches("https://")]);
    assert!(all("cookie").is_empty(), "our cookie went on: {headers:?}");
    // Read as any application would: with the published key, by somebody else's library.
    let keys = guest.get("/.well-known/wane/jwks.json").body;
    let program = "const [keys, token] = process.argv.slice(1); const c = require('crypto'); const [h, p, s] = token.split('.');
        const read = (part) => JSON.parse(Buffer.from(part, 'base64url')); const jwk = JSON.parse(keys).keys.find((k) => k.kid === read(h).kid);
        const good = c.verify(null, Buffer.from(`${h}.${p}`), c.createPublicKey({ key: jwk, format: 'jwk' }), Buffer.from(s, 'base64url'));
        console.log(JSON.stringify({ good, ...read(p) }));";
    let read = Command::new("node").args(["-e", program, "--", &keys, assertion[0]]).output().unwrap();
    let read: serde_json::Value = serde_json::from_slice(&read.stdout).unwrap_or_else(|e| panic!("{e}: {read:?}"));
    assert_eq!((&read["good"], &read["sub"], &read["aud"]), (&json!(true), &json!("maya"), &json!(guest.origin)));
    assert_eq!(
        (&read["grant"], &read["role"], &read["iss"]),
        (&json!(guest.grant), &json!("viewer"), &json!(lab.wane.server.url()))
    );
    assert!(read["exp"].as_i64().unwrap() - read["iat"].as_i64().unwrap() <= 120, "{read}");
    let python = |token: &str, audience: &str| {
        let asked = json!({ "token": token, "keys": keys, "issuer": lab.wane.server.url(), "audience": audience });
        let mut reads = python("pyjwt", "assertion.py");
        let mut reads = reads.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        reads.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
        serde_json::from_slice::<serde_json::Value>(&reads.wait_with_output().unwrap().stdout).unwrap()
    };
    let read = python(assertion[0], &guest.origin);
    assert_eq!((&read["good"], &read["sub"]), (&json!(true), &json!("maya")), "{read}");
    assert_eq!(python(assertion[0], "https://other.localhost")["why"], "InvalidAudienceError");
    let (head, signature) = assertion[0].rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    assert_eq!(python(&forged, &guest.origin)["good"], false);
    // It is a session like any other: on the board, and in the log with how its person was known.
    let sessions = lab.wane.ada.json(&["sessions"]).unwrap();
    assert_eq!((&sessions["items"][0]["resource"], &sessions["items"][0]["person"]), (&json!("app"), &json!("maya")));
    let opened = lab.events("session.opened");
    assert!(opened[0]["detail"]["by"]["arrival"].is_string(), "{opened:?}");
    // Whoever leaves is asked again, and what they hold is not touched.
    let left = guest.send(&["-X", "POST", "-H", &format!("Origin: {}", guest.origin)], "/.well-known/wane/leave");
    assert_eq!(left.status, 200, "{left:?}");
    wait_until("the session to be closed", SOON, || !lab.events("session.closed").is_empty()).unwrap();
    assert_eq!(guest.send(&["-H", "Accept: text/html"], "/page").status, 303);
    assert_eq!(lab.wane.grant(&guest.grant)["state"], "active");
}

#[test]
fn a_session_is_good_at_its_own_origin_only() {
    let lab = Lab::new();
    lab.register("other", &json!({}), None);
    let guest = lab.enters(&lab.wane.maya, "viewer@app", "10m");
    assert_eq!(guest.get("/echo").status, 200);
    let cookie = format!("Cookie: {}", guest.cookie());
    let elsewhere = lab.guest("other", "elsewhere", String::new());
    let before = lab.asked().len();
    let refused = elsewhere.send(&["-H", &cookie], "/echo");
    assert_eq!(refused.status, 401, "{refused:?}");
    // Nor where the one is named and the other is meant.
    let host = format!("Host: {}", elsewhere.origin.trim_start_matches("https://"));
    assert_eq!(guest.send(&["-H", &host], "/echo").status, 401);
    assert_eq!(lab.asked().len(), before, "it reached an application");
    // An origin that nobody registered is nobody's, and the one of our own pages is never an application's.
    let unknown = guest.send(&["-H", "Host: unknown.localhost"], "/echo");
    assert_eq!(unknown.status, 421, "{unknown:?}");
    let settings = json!({ "origin": "https://127.0.0.1", "upstream": "http://127.0.0.1:9" }).to_string();
    let words = ["resource", "add", "own", "--kind", "http", "--label", "gate=open", "--settings", &settings];
    assert!(!lab.wane.ada.run(&words).unwrap().success(), "an address is no origin");
    // Nor is one registered that another has, or changed to be that.
    let twin = json!({ "origin": guest.origin, "upstream": "http://127.0.0.1:9" }).to_string();
    for words in [
        &["resource", "add", "twin", "--kind", "http", "--label", "gate=open", "--settings", &twin][..],
        &["resource", "change", "other", "--settings", &twin],
    ] {
        let refused = lab.wane.ada.run(words).unwrap();
        assert!(refused.stderr.contains("`app` is opened at"), "{words:?}: {refused:?}");
    }
}

#[test]
fn a_code_is_good_once_in_the_browser_it_was_begun_in() {
    let lab = Lab::new();
    let maya = &lab.wane.maya;
    let grant = granted(maya, "viewer@app", "10m");
    let victim = lab.guest("app", "victim", grant.clone());
    let code = victim.is_given_a_code(maya);
    let path = format!("/.well-known/wane/enter?code={code}");
    // Somebody who reads the link, and has begun a sign-in of their own.
    let thief = lab.guest("app", "thief", grant.clone());
    assert_eq!(thief.send(&["-H", "Accept: text/html"], "/").status, 303);
    let stolen = thief.get(&path);
    assert_eq!(stolen.status, 403, "{stolen:?}");
    assert_eq!(victim.get(&path).status, 403, "it was shown in another browser, and is still good");
    let code = victim.is_given_a_code(maya);
    let path = format!("/.well-known/wane/enter?code={code}");
    assert_eq!(victim.get(&path).status, 303);
    assert_eq!(victim.get("/echo").status, 200);
    assert_ne!(victim.get(&path).status, 303, "twice");
    assert_eq!(lab.guest("app", "nobody", grant).get(&path).status, 400, "without having begun");
    // A session is no use to whoever holds nothing: they are told what to ask for.
    let stranger = lab.wane.server.newcomer(&lab.wane.ada, "noor", &["engineers"]).unwrap();
    let led = lab.guest("app", "noor", String::new()).send(&["-H", "Accept: text/html"], "/");
    let link = led.location().unwrap();
    let shown = Browser::of(&stranger).open(&format!("{}/go", link.strip_prefix(&lab.wane.server.url()).unwrap()));
    assert_eq!(shown.status, 403);
    assert!(shown.text.contains("wane request viewer@app") && shown.text.contains("/ui/"), "{}", shown.text);
    // And nobody signs in for a page that nobody began.
    let none = Browser::of(maya).open("/app/0123456789abcdef0123456789abcdef/go");
    assert_eq!(none.status, 404);
}

#[test]
fn a_browser_signs_in_and_sees_the_end() {
    let lab = Lab::new();
    let maya = &lab.wane.maya;
    let mut chromium = Chromium::trusting_everything(&lab.wane.server.url());
    let token = maya.token().unwrap();
    chromium.act(&json!({ "do": "as", "name": "wane", "value": token, "url": lab.wane.server.url() }));
    let origin = format!("https://app.localhost:{}", lab.port);
    let goto = |chromium: &mut Chromium, path: &str| {
        drop(chromium.act(&json!({ "do": "goto", "url": format!("{origin}{path}") })))
    };
    goto(&mut chromium, "/page");
    let page = chromium.sees("hold no access to");
    assert!(page.contains("wane request viewer@app"), "{page}");
    let grant = granted(maya, "viewer@app", "10m");
    goto(&mut chromium, "/page?y=2");
    chromium.sees("The application");
    assert_eq!(text(&chromium.act(&json!({ "do": "url" }))), format!("{origin}/page?y=2"));
    let kept = chromium.act(&json!({ "do": "kept", "url": origin }));
    let ours: Vec<_> = kept.as_array().unwrap().iter().filter(|one| one["name"] == "__Host-wane-app").collect();
    assert!(
        ours.len() == 1 && ours[0]["httpOnly"] == true && ours[0]["secure"] == true && ours[0]["sameSite"] == "Lax",
        "{kept}"
    );
    maya.json(&["done", &grant]).unwrap();
    goto(&mut chromium, "/page");
    let page = chromium.sees("This session is over");
    assert!(page.contains("wane request viewer@app --for 10m") && page.contains("Ask again"), "{page}");
    goto(&mut chromium, "/page");
    chromium.sees("hold no access to");
}

/// Headers as the application had them, names in lower case.
pub(super) fn headers(said: &serde_json::Value) -> Vec<(String, String)> {
    let raw: Vec<String> = said["headers"].as_array().unwrap().iter().map(text).collect();
    raw.chunks(2).map(|pair| (pair[0].to_lowercase(), pair[1].clone())).collect()
}
