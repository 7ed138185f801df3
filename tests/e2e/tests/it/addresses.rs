//! The server counts failed tries by the address that its proxy saw.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use wane_testkit::WaneServer;

/// Tries a code that is none, as a proxy would pass it on; returns the status.
fn try_code(server: &WaneServer, forwarded: &str) -> u16 {
    let authority = server.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&authority).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let body = r#"{"code":"wane_j_x"}"#;
    write!(
        stream,
        "POST /v1/hosts/join HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         X-Forwarded-For: {forwarded}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn failures_are_counted_by_the_address_that_the_proxy_saw() {
    for proxied in [true, false] {
        let mut server =
            WaneServer::builder().set("server.plaintext_behind_proxy", &proxied.to_string()).prepare().unwrap();
        server.init().unwrap();
        server.start().unwrap();
        // The first address of the header is whatever the caller said, and counts for nothing.
        let tries: Vec<u16> = (0..80).map(|n| try_code(&server, &format!("203.0.113.{n}, 192.0.2.1"))).collect();
        assert!(tries[..60].iter().all(|status| *status == 401), "{tries:?}");
        assert_eq!(tries.contains(&429), proxied, "{tries:?}");
        assert_eq!(try_code(&server, "192.0.2.1, 192.0.2.2"), 401, "another address waits too");
    }
}
