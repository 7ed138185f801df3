//! A browser that goes from one server to another and keeps each one's cookies: enough for pages that send
//! people around.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// What came back.
#[derive(Debug)]
pub(crate) struct Came {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) text: String,
}

impl Came {
    fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let name = name.to_ascii_lowercase();
        self.head.lines().filter_map(move |line| {
            let (key, value) = line.split_once(':')?;
            (key.to_ascii_lowercase() == name).then(|| value.trim())
        })
    }

    /// Where it sends whoever asked.
    pub(super) fn location(&self) -> Option<String> {
        self.headers("location").next().map(str::to_owned)
    }

    /// The cookies it sets, as they stand.
    pub(super) fn cookies(&self) -> Vec<String> {
        self.headers("set-cookie").map(str::to_owned).collect()
    }

    /// What the form of a page carries.
    pub(super) fn token(&self) -> String {
        let token =
            self.text.split_once("name=\"token\" value=\"").map_or("", |(_, rest)| rest.split('"').next().unwrap());
        token.to_owned()
    }
}

/// Somebody's browser.
#[derive(Default)]
pub(super) struct Roaming {
    /// By server and name.
    cookies: BTreeMap<(String, String), String>,
}

impl Roaming {
    pub(super) fn open(&mut self, url: &str) -> Came {
        self.send("GET", url, "", "")
    }

    /// Sends a form, as a page of that server does.
    pub(super) fn post(&mut self, url: &str, form: &str) -> Came {
        let origin = format!("http://{}", authority(url).0);
        let more = format!("Origin: {origin}\r\nContent-Type: application/x-www-form-urlencoded\r\n");
        self.send("POST", url, &more, form)
    }

    /// The cookie of a server.
    pub(super) fn cookie(&self, url: &str, name: &str) -> Option<&String> {
        self.cookies.get(&(authority(url).0.to_owned(), name.to_owned()))
    }

    fn send(&mut self, method: &str, url: &str, more: &str, body: &str) -> Came {
        let server = authority(url).0.to_owned();
        let ours: Vec<String> = self
            .cookies
            .iter()
            .filter(|((at, _), _)| *at == server)
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect();
        let cookie = if ours.is_empty() { String::new() } else { format!("Cookie: {}\r\n", ours.join("; ")) };
        let came = http(method, url, &format!("{cookie}{more}"), body);
        for set in came.cookies() {
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            let gone = value.is_empty() || set.to_ascii_lowercase().contains("max-age=0");
            let key = (server.clone(), name.to_owned());
            if gone {
                self.cookies.remove(&key)
            } else {
                self.cookies.insert(key, value.to_owned())
            };
        }
        came
    }
}

fn authority(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("http://").unwrap();
    rest.split_at(rest.find('/').unwrap_or(rest.len()))
}

/// One call.
pub(crate) fn http(method: &str, url: &str, more: &str, body: &str) -> Came {
    let (server, path) = authority(url);
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let (path, length) = (if path.is_empty() { "/" } else { path }, body.len());
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n{more}Content-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    // In one chunk, if it is in chunks.
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let text = if chunked {
        text.split_once("\r\n").map_or("", |(_, rest)| rest.split("\r\n0").next().unwrap())
    } else {
        text
    };
    Came { status, head: head.to_owned(), text: text.to_owned() }
}
