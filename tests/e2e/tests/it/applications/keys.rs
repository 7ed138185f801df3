//! API keys: for programs, narrowed before they are passed on, good where and while they may be used.

use serde_json::{Value, json};
use wane_testkit::{MailWay, PersonSession, PostServer, WaneServer};

use super::lab::{Answer, Lab};
use super::signing_in::headers;
use crate::notices::{gets_mail, wait_for_mail, with_mail};
use crate::people::{granted, text};

/// A key under a grant that is held, by `wane key new`.
fn made(person: &PersonSession, words: &[&str]) -> String {
    text(&person.json(&[&["key", "new", "app", "--role", "viewer"], words].concat()).unwrap()["key"])
}

fn narrowed(person: &PersonSession, key: &str, words: &[&str]) -> String {
    let outcome = person.run_with(&[&["--json", "key", "narrow"], words].concat(), key).unwrap();
    let said: Value = serde_json::from_str(&outcome.into_stdout().unwrap()).unwrap();
    text(&said["key"])
}

fn with(lab: &Lab, name: &str, key: &str, words: &[&str], path: &str) -> Answer {
    let bearer = format!("Authorization: Bearer {key}");
    lab.guest(name, "program", String::new()).send(&[words, &["-H", &bearer]].concat(), path)
}

/// Who comes first opens the session; whoever comes meanwhile waits until it has begun.
#[test]
fn a_fresh_key_is_used_by_several_at_once() {
    let lab = Lab::with(WaneServer::builder().failpoints());
    lab.wane.server.plan("app.brokered.begun.commit:before=delay:1000").unwrap();
    let maya = &lab.wane.maya;
    granted(maya, "viewer@app", "10m");
    for _ in 0..3 {
        let key = made(maya, &["--uses", "6"]);
        let used = || with(&lab, "app", &key, &[], "/echo").status;
        let all: Vec<u16> = std::thread::scope(|scope| {
            let each: Vec<_> = (0..6).map(|_| scope.spawn(used)).collect();
            each.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(all, [200; 6], "{}", lab.wane.server.log());
        assert_eq!(used(), 403, "there are no more");
    }
    assert_eq!(lab.events("key.refused").len(), 3);
}

/// Whatever else a session is known by, what is shown of ours goes no further.
#[test]
fn a_key_beside_a_session_goes_no_further() {
    let lab = Lab::new();
    let guest = lab.enters(&lab.wane.maya, "viewer@app", "10m");
    let key = format!("Authorization: Bearer {}", made(&lab.wane.maya, &[]));
    for (words, goes_on) in
        [(&["-H", "Authorization: Bearer theirs"][..], 1), (&["-H", "Authorization: Bearer theirs", "-H", &key], 0)]
    {
        let said = guest.send(words, "/echo");
        assert_eq!(said.status, 200, "{said:?}");
        let sent = headers(&said.json());
        assert_eq!(sent.iter().filter(|(name, _)| name == "authorization").count(), goes_on, "{words:?}: {sent:?}");
    }
}

#[test]
fn a_key_opens_what_its_grant_gives_and_nothing_after_it() {
    let lab = Lab::new();
    lab.register("other", &json!({}), None);
    let maya = &lab.wane.maya;
    let grant = granted(maya, "viewer@app", "10m");
    let key = made(maya, &[]);
    assert!(key.starts_with("wane_key_"), "{key}");
    let said = with(&lab, "app", &key, &[], "/echo");
    assert_eq!(said.status, 200, "{said:?}\n{}", lab.wane.server.log());
    let sent = headers(&said.json());
    assert!(!sent.iter().any(|(_, value)| value.contains("wane_key_")), "the key went on: {sent:?}");
    assert!(sent.iter().any(|(name, _)| name == "wane-assertion"));
    // One key is one session, however often it comes.
    assert_eq!(with(&lab, "app", &key, &["-X", "POST"], "/echo").status, 200);
    assert_eq!(lab.events("session.opened").len(), 1);
    let before = lab.asked().len();
    // At another application, forged, cut, with what it is narrowed to taken off.
    let narrow = narrowed(maya, &key, &["--path", "/api/**", "--method", "GET"]);
    let forged = key.replace("wane_key_", "wane_key_A");
    for (what, name, key) in [
        ("elsewhere", "other", key.as_str()),
        ("forged", "app", &forged),
        ("cut", "app", &key[..key.len() - 1]),
        ("none", "app", "wane_key_"),
    ] {
        assert_eq!(with(&lab, name, key, &[], "/echo").status, 401, "{what}");
    }
    // A narrower one opens less.
    assert_eq!(with(&lab, "app", &narrow, &[], "/echo").status, 403);
    assert_eq!(with(&lab, "app", &narrow, &["-X", "POST"], "/api/x").status, 403);
    assert_eq!(lab.asked().len(), before, "it reached the application");
    assert_eq!(with(&lab, "app", &narrow, &[], "/api/x").status, 200);
    let elsewhere = narrowed(maya, &key, &["--from", "192.0.2.1"]);
    assert_eq!(with(&lab, "app", &elsewhere, &[], "/echo").status, 403);
    let late = narrowed(maya, &key, &["--until", "2020-01-01T00:00:00Z"]);
    assert_eq!(with(&lab, "app", &late, &[], "/echo").status, 403);
    // What was tried is in the trail, with whose grant it is.
    let refused = lab.events("key.refused");
    let whys: Vec<String> = refused.iter().map(|one| text(&one["detail"]["why"])).collect();
    for why in ["another application", "not for this path", "may not be used from 127.0.0.1", "shorter time"] {
        assert!(whys.iter().any(|said| said.contains(why)), "{why}: {whys:?}");
    }
    // A stream that it opened is cut with the grant, and no key of it opens anything after that.
    let bearer = format!("Authorization: Bearer {key}");
    let guest = lab.guest("app", "program", String::new());
    let ticks = guest.streams(&["-H", &bearer], "/ticks");
    ticks.wait_for("tick", crate::people::SOON).unwrap();
    maya.json(&["done", &grant]).unwrap();
    ticks.wait_exit(crate::people::SOON).unwrap();
    let closed = lab.wane.wait_closed(&grant);
    let after = lab.asked().len();
    for key in [&key, &narrow, &elsewhere] {
        assert_eq!(with(&lab, "app", key, &[], "/api/x").status, 401, "after the end");
    }
    assert_eq!(lab.asked().len(), after);
    let sorts: Vec<&Value> = closed["leases"].as_array().unwrap().iter().map(|lease| &lease["what"]).collect();
    assert!(sorts.contains(&&json!("credential")), "{closed:#}");
    let all = lab.wane.ada.json(&["log", "--all"]).unwrap().to_string();
    assert!(!all.contains("wane_key_") && !lab.wane.server.log().contains("wane_key_"), "a key is written down");
    let found = std::process::Command::new("grep")
        .args(["-r", "-l", "-a", &key[20..60]])
        .arg(lab.wane.server.data())
        .output()
        .unwrap();
    assert!(found.stdout.is_empty(), "it lies there: {found:?}");
}

#[test]
fn a_key_for_one_use_is_used_once_by_whoever_comes_first() {
    let lab = Lab::new();
    let maya = &lab.wane.maya;
    granted(maya, "viewer@app", "10m");
    let once = made(maya, &["--uses", "1"]);
    // What is narrowed from it has no use of its own.
    let narrow = narrowed(maya, &once, &["--path", "/echo"]);
    let more = narrowed(maya, &once, &["--uses", "5"]);
    let before = lab.asked().len();
    let statuses: Vec<u16> =
        [&narrow, &once, &more, &once].iter().map(|key| with(&lab, "app", key, &[], "/echo").status).collect();
    assert_eq!(statuses, [200, 403, 403, 403]);
    assert_eq!(lab.asked().len() - before, 1);
    assert_eq!(lab.events("grant.used").len(), 1);
    assert!(lab.events("key.refused").iter().any(|one| text(&one["detail"]["why"]).contains("the one use")));
}

#[test]
fn who_holds_a_key_that_is_misused_is_told() {
    let post = PostServer::mailbox(&MailWay::Plain).unwrap();
    let lab = Lab::with(with_mail(WaneServer::builder(), &post));
    for name in ["maya", "ada"] {
        gets_mail(&lab.wane, name);
    }
    let maya = &lab.wane.maya;
    let grant = granted(maya, "viewer@app", "10m");
    let key = made(maya, &["--path", "/api/**"]);
    assert_eq!(with(&lab, "app", &key, &[], "/echo").status, 403);
    // Its holder; and whoever looks after the application: it has no owner, so whoever may end access to it.
    for name in ["maya", "ada"] {
        let mail = wait_for_mail(&lab.wane, &post, name, "an API key of viewer on app of");
        let plain = text(&mail["plain"]);
        for words in ["it is not for this path", "It came from 127.0.0.1.", &format!("wane done {grant}")] {
            assert!(plain.contains(words), "{words}: {plain}");
        }
        assert!(!plain.contains("wane_key_"), "{plain}");
    }
}
