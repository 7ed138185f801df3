//! Applications that answer with anything, and visitors that send anything: only that one request comes to nothing.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::lab::Lab;

/// Answers with what the path of the request says.
fn evil(mut stream: TcpStream) {
    let mut head = [0; 4096];
    let read = stream.read(&mut head).unwrap_or(0);
    let asked = String::from_utf8_lossy(&head[..read]).into_owned();
    let what = asked.split(' ').nth(1).unwrap_or_default();
    let endless = |stream: &mut TcpStream, piece: &str| {
        for _ in 0..2_000_000 {
            if stream.write_all(piece.as_bytes()).is_err() {
                return;
            }
        }
    };
    let _ = match what {
        "/garbage" => stream.write_all(&[0x16, 0x03, 0xff, 0, 0, 13, 10, 13, 10]),
        "/silent" => Ok(()),
        "/half" => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
        "/switches" => {
            stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: evil\r\nConnection: upgrade\r\n\r\nevil")
        }
        "/two-lengths" => stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\n"),
        "/split" => stream.write_all(b"HTTP/1.1 200 OK\r\nX: a\r\n\tb\r\nContent-Length: 2\r\n\r\nok"),
        "/endless-header" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
            endless(&mut stream, &"x".repeat(4096));
            Ok(())
        }
        "/endless-headers" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
            endless(&mut stream, "X-Y: z\r\n");
            Ok(())
        }
        "/endless-early" => {
            endless(&mut stream, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
            Ok(())
        }
        _ => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    };
    thread::sleep(Duration::from_millis(50));
}

#[test]
fn a_hostile_application_costs_its_own_request_only() {
    let lab = Lab::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || evil(stream));
        }
    });
    lab.register("other", &json!({ "upstream": at }), None);
    let guest = lab.enters(&lab.wane.maya, "viewer@other", "10m");
    let before = memory(&lab);
    for what in
        ["/garbage", "/silent", "/switches", "/two-lengths", "/endless-header", "/endless-headers", "/endless-early"]
    {
        let answer = guest.send(&["--max-time", "30"], what);
        assert_eq!(answer.status, 502, "{what}: {answer:?}");
        assert_eq!(guest.get("/fine").body, "ok", "after {what}");
    }
    let grown = memory(&lab).saturating_sub(before);
    assert!(grown < 64 << 10, "it grew by {grown} KiB");
}

/// What the server has in memory, in KiB.
fn memory(lab: &Lab) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", lab.wane.server.pid().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

#[test]
fn visitors_that_send_anything_keep_nobody_out() {
    let lab = Lab::new();
    let guest = lab.enters(&lab.wane.maya, "viewer@app", "10m");
    // One that says nothing, one that never ends its head, one with too much in it.
    let _silent = TcpStream::connect(("127.0.0.1", lab.port)).unwrap();
    let long = format!("GET /echo HTTP/1.1\r\nHost: app.localhost\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    assert!(!lab.raw(&long).contains(" 200 "));
    let many: String = (0..200).map(|n| format!("X-{n}: y\r\n")).collect();
    assert!(!lab.raw(&format!("GET /echo HTTP/1.1\r\nHost: app.localhost\r\n{many}\r\n")).contains(" 200 "));
    assert!(lab.raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").is_empty() || !lab.asked().iter().any(|one| one["url"] == "*"));
    for cookie in ["", "short", &"x".repeat(43), "'; DROP TABLE", &"A".repeat(5000)] {
        let words = ["-H", &format!("Cookie: __Host-wane-app={cookie}")];
        let nobody = lab.guest("app", "nobody", String::new());
        assert_eq!(nobody.send(&words, "/echo").status, 401, "{cookie}");
    }
    let twice = format!("Cookie: {0}; {0}", guest.cookie());
    assert_eq!(lab.guest("app", "nobody", String::new()).send(&["-H", &twice], "/echo").status, 401, "two of one name");
    assert_eq!(guest.get("/echo").status, 200);
}
