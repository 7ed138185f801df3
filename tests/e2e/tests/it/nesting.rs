//! What is nested a hundred thousand deep is refused wherever it is read, and brings nobody down.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use wane_testkit::{Ended, Outcome};

use crate::people::Deployment;

const DEEP: usize = 100_000;

/// `before` and `after` around something, again and again.
fn nested(before: &str, inside: &str, after: &str, size: usize) -> String {
    let times = (size / (before.len() + after.len())).min(DEEP);
    [&before.repeat(times), inside, &after.repeat(times)].concat()
}

fn is_refused(outcome: &Outcome, what: &str) {
    assert!(
        matches!(outcome.ended, Ended::Code(code) if code != 0),
        "{what}: {:?} {:.500}",
        outcome.ended,
        outcome.stderr
    );
}

/// BUG-93.
#[test]
fn what_is_nested_without_end_is_refused_and_brings_nobody_down() {
    let mut wane = Deployment::new();
    // Less than the largest body that is read, as text within JSON.
    let size = 400_000;
    for (what, condition) in [
        ("brackets", nested("(", "true", ")", size)),
        ("negations", nested("!", "true", "", size)),
        ("signs", format!("1 == {}", nested("-", "1", "", size))),
        ("sets", format!("{} == []", nested("[", "1", "]", size))),
        ("records", format!("{} == {{}}", nested("{a:", "1", "}", size))),
        ("choices", nested("if true then ", "true", " else false", size)),
        ("members", format!("principal{}", ".a".repeat(DEEP))),
        ("calls", format!("principal{}", ".contains(1)".repeat(DEEP / 4))),
        ("indexes", format!("principal{}", "[\"a\"]".repeat(DEEP / 2))),
        ("conjunctions", format!("true{}", " && true".repeat(DEEP / 2))),
        ("sums", format!("1 == 1{}", " + 1".repeat(DEEP))),
        ("arguments", format!("ip{} == 1", nested("(ip", "(\"\")", ")", size))),
    ] {
        let text = format!(
            "@id(\"x\") @max_ttl(\"1h\") permit (principal, action == Action::\"access\", resource) when {{ {condition} }};"
        );
        let outcome = wane.ada.run_with(&["policy", "load", "-"], &text).unwrap();
        assert!(wane.server.died().is_none(), "{what}: {:.2000}", wane.server.log());
        is_refused(&outcome, what);
        assert!(outcome.stderr.len() < 20_000, "{what}: a complaint of {} bytes", outcome.stderr.len());
    }
    for (what, inside) in [("lists", nested("[", "1", "]", size)), ("objects", nested("{\"a\":", "1", "}", size))] {
        for (path, body) in [
            ("/v1/requests", inside.clone()),
            ("/v1/roles", format!("{{\"kind\":\"ssh\",\"name\":\"x\",\"definition\":{inside}}}")),
            ("/v1/resources", format!("{{\"kind\":\"ssh\",\"name\":\"x\",\"settings\":{inside}}}")),
            ("/v1/policies", format!("{{\"text\":{inside}}}")),
            ("/v1/enrolments", inside.clone()),
        ] {
            let status = posted(&wane, path, &body);
            assert!((400..500).contains(&status), "{what} to {path}: {status}");
        }
        let outcome = wane.ada.run(&["credential", "grt_00000000000000000000000000", "--input", &inside]);
        // The system itself takes no argument as long as that.
        if let Ok(outcome) = outcome {
            is_refused(&outcome, what);
        }
    }
    assert!(wane.server.died().is_none(), "{:.2000}", wane.server.log());
    assert!(wane.ada.run(&["me"]).unwrap().success());

    // Settings, which are read before anything else is there.
    let file = wane.server.folder().join("nested.toml");
    for (what, text) in [
        ("lists", format!("a = {}", nested("[", "1", "]", size))),
        ("tables", format!("a = {}", nested("{a=", "1", "}", size))),
        ("keys", format!("a{} = 1", ".a".repeat(DEEP))),
        ("headers", format!("[a{}]", ".a".repeat(DEEP))),
    ] {
        fs::write(&file, text).unwrap();
        let outcome = wane.ada.run(&["config", "check", "--config", &file.display().to_string()]).unwrap();
        is_refused(&outcome, what);
    }
    assert!(!wane.server.log().contains("panic"), "{:.2000}", wane.server.log());
}

/// The status of an answer.
fn posted(wane: &Deployment, path: &str, body: &str) -> u16 {
    let authority = wane.ada.server().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&authority).unwrap();
    stream.set_read_timeout(Some(crate::people::SOON)).unwrap();
    let (token, length) = (wane.ada.token().unwrap(), body.len());
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    // A server that has read enough may answer, and close, before it has all of it.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}
