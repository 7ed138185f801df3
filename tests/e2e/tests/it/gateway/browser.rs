//! A browser that sends forms: enough for a page without a program in it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use wane_testkit::{PersonSession, WaneServer};

/// What came back.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) text: String,
}

/// Somebody's browser.
pub(crate) struct Browser {
    authority: String,
    cookie: Option<String>,
}

impl Browser {
    /// In which somebody is signed in already.
    pub(crate) fn of(person: &PersonSession) -> Self {
        let authority = person.server().trim_start_matches("http://").to_owned();
        Self { authority, cookie: Some(person.token().unwrap()) }
    }

    /// In which nobody is signed in.
    pub(crate) fn empty(server: &WaneServer) -> Self {
        Self { authority: server.url().trim_start_matches("http://").to_owned(), cookie: None }
    }

    pub(crate) fn open(&self, path: &str) -> Page {
        self.send("GET", path, "", "")
    }

    /// What the form of a page carries; nothing if it has none.
    pub(crate) fn token(&self, path: &str) -> String {
        let shown = self.open(path).text;
        let token = shown.split_once("name=\"token\" value=\"").map_or("", |(_, rest)| rest.split('"').next().unwrap());
        token.to_owned()
    }

    /// Answers the question of a page, as its form does.
    pub(crate) fn answer(&self, path: &str, code: &str, answer: &str) -> Page {
        let token = self.token(path);
        self.post(path, &format!("token={token}&code={code}&answer={answer}"))
    }

    pub(crate) fn post(&self, path: &str, form: &str) -> Page {
        self.try_post(path, form).unwrap()
    }

    /// Nothing, if the server dies over it.
    pub(crate) fn try_post(&self, path: &str, form: &str) -> Option<Page> {
        let origin =
            format!("Origin: http://{}\r\nContent-Type: application/x-www-form-urlencoded\r\n", self.authority);
        self.try_send("POST", path, &origin, form)
    }

    fn send(&self, method: &str, path: &str, more: &str, body: &str) -> Page {
        self.try_send(method, path, more, body).unwrap()
    }

    fn try_send(&self, method: &str, path: &str, more: &str, body: &str) -> Option<Page> {
        let mut stream = TcpStream::connect(&self.authority).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let cookie = self.cookie.as_ref().map(|value| format!("Cookie: wane={value}\r\n")).unwrap_or_default();
        let (authority, length) = (&self.authority, body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n{cookie}{more}Content-Length: {length}\r\n\r\n{body}",
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, text) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Page { status, head: head.to_owned(), text: text.to_owned() })
    }
}
