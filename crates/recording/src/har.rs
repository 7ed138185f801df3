//! Requests to an application, as [HAR 1.2](http://www.softwareishard.com/blog/har-12-spec/), which browsers and proxies
//! read and write: one JSON document, an entry for each request.
//!
//! A request with no answer has the status 0 there, as browsers have it. Bodies stand in it where they were recorded, up
//! to a bound; else only how long they were.

use std::collections::BTreeMap;
use std::io::Write;

use data_encoding::BASE64;
use serde_json::{Value, json};
use wane_domain::time::Time;

use crate::cast::CastError;
use crate::event::{Event, Side};

/// The most of one body that is written out.
const MOST_BODY: usize = 1024 * 1024;
/// Requests that are under way at once; beyond them the oldest is written out as it is.
const MOST_OPEN: usize = 1024;

/// A session, being written as HAR. Give it the session's events in order.
#[derive(Debug)]
pub struct Har<W> {
    out: W,
    open: BTreeMap<u32, Entry>,
    has_begun: bool,
    has_entries: bool,
}

#[derive(Debug)]
struct Entry {
    began: Time,
    last: Time,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    sent: Body,
    answered: Option<Head>,
    received: Body,
}

/// The head of an answer.
#[derive(Debug)]
struct Head {
    at: Time,
    status: u16,
    headers: Vec<(String, String)>,
}

/// What passed of a body, and how much it was.
#[derive(Debug, Default)]
struct Body {
    bytes: Vec<u8>,
    size: u64,
    recorded: bool,
}

impl Body {
    fn add(&mut self, bytes: &[u8]) {
        self.recorded = true;
        self.size = self.size.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let room = MOST_BODY.saturating_sub(self.bytes.len());
        self.bytes.extend(bytes.iter().take(room));
    }

    fn withheld(&mut self, size: u64) {
        self.size = self.size.saturating_add(size);
    }

    fn is_cut(&self) -> bool {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX) < self.size
    }
}

impl<W: Write> Har<W> {
    /// Written there.
    pub fn of(out: W) -> Self {
        Self { out, open: BTreeMap::new(), has_begun: false, has_entries: false }
    }

    /// Where it is written, so that what is there can be taken away.
    pub fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// # Errors
    /// When it cannot be written out.
    pub fn event(&mut self, at: Time, event: &Event<'_>) -> Result<(), CastError> {
        match event {
            Event::Request { channel, method, target, headers } => {
                if self.open.len() >= MOST_OPEN
                    && let Some((_, oldest)) = self.open.pop_first()
                {
                    self.entry(&oldest)?;
                }
                let entry = Entry {
                    began: at,
                    last: at,
                    method: method.to_string(),
                    target: target.to_string(),
                    headers: headers.clone(),
                    sent: Body::default(),
                    answered: None,
                    received: Body::default(),
                };
                self.open.insert(*channel, entry);
            }
            Event::Answer { channel, status, headers } => {
                self.at(*channel, at, |entry| {
                    entry.answered = Some(Head { at, status: *status, headers: headers.clone() })
                });
            }
            Event::Data { channel, from: Side::Client, bytes } => {
                self.at(*channel, at, |entry| entry.sent.add(bytes));
            }
            Event::Data { channel, from: Side::Target, bytes } => {
                self.at(*channel, at, |entry| entry.received.add(bytes));
            }
            Event::Withheld { channel, from: Side::Client, bytes } => {
                self.at(*channel, at, |entry| entry.sent.withheld(*bytes));
            }
            Event::Withheld { channel, from: Side::Target, bytes } => {
                self.at(*channel, at, |entry| entry.received.withheld(*bytes));
            }
            Event::Closed { channel } => {
                if let Some(mut entry) = self.open.remove(channel) {
                    entry.last = at;
                    self.entry(&entry)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn at(&mut self, channel: u32, at: Time, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.open.get_mut(&channel) {
            entry.last = at;
            change(entry);
        }
    }

    /// Writes what is left and gives the sink back.
    ///
    /// # Errors
    /// When it cannot be written out.
    pub fn finish(mut self) -> Result<W, CastError> {
        for (_, entry) in std::mem::take(&mut self.open) {
            self.entry(&entry)?;
        }
        self.head()?;
        writeln!(self.out, "]}}}}")?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn head(&mut self) -> Result<(), CastError> {
        if std::mem::replace(&mut self.has_begun, true) {
            return Ok(());
        }
        let creator = json!({ "name": "wane", "version": env!("CARGO_PKG_VERSION") });
        Ok(write!(self.out, "{{\"log\":{{\"version\":\"1.2\",\"creator\":{creator},\"entries\":[")?)
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), CastError> {
        self.head()?;
        let comma = if std::mem::replace(&mut self.has_entries, true) { "," } else { "" };
        Ok(write!(self.out, "{comma}\n{}", entry.json())?)
    }
}

impl Entry {
    fn json(&self) -> Value {
        let (answered, status, headers) = match &self.answered {
            Some(Head { at, status, headers }) => (*at, *status, headers.as_slice()),
            None => (self.last, 0, [].as_slice()),
        };
        let (wait, receive) = (millis(answered.since(self.began).micros()), millis(self.last.since(answered).micros()));
        let mut request = json!({
            "method": self.method, "url": self.target, "httpVersion": "HTTP", "cookies": [], "headers": named(&self.headers),
            "queryString": [], "headersSize": -1, "bodySize": self.sent.size,
        });
        if let (true, Some(request)) = (self.sent.recorded, request.as_object_mut()) {
            let mut data = text(&self.sent);
            data.insert("mimeType".to_owned(), json!(media(&self.headers)));
            request.insert("postData".to_owned(), Value::Object(data));
        }
        let mut content = if self.received.recorded { text(&self.received) } else { serde_json::Map::new() };
        content.insert("size".to_owned(), json!(self.received.size));
        content.insert("mimeType".to_owned(), json!(media(headers)));
        json!({
            "startedDateTime": self.began.to_string(), "time": wait + receive, "request": request,
            "response": {
                "status": status, "statusText": "", "httpVersion": "HTTP", "cookies": [], "headers": named(headers),
                "content": content, "redirectURL": "", "headersSize": -1, "bodySize": self.received.size,
            },
            "cache": {}, "timings": { "send": 0, "wait": wait, "receive": receive },
        })
    }
}

fn named(headers: &[(String, String)]) -> Value {
    headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

fn media(headers: &[(String, String)]) -> &str {
    headers.iter().find(|(name, _)| name == "content-type").map_or("", |(_, value)| value)
}

fn text(body: &Body) -> serde_json::Map<String, Value> {
    let mut out = serde_json::Map::new();
    match std::str::from_utf8(&body.bytes) {
        Ok(text) => drop(out.insert("text".to_owned(), json!(text))),
        Err(_) => {
            out.insert("text".to_owned(), json!(BASE64.encode(&body.bytes)));
            out.insert("encoding".to_owned(), json!("base64"));
        }
    }
    if body.is_cut() {
        out.insert("comment".to_owned(), json!("cut off here"));
    }
    out
}

/// Exact for any session shorter than 285 years.
fn millis(micros: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "2^53 microseconds are 285 years")]
    let micros = micros as f64;
    micros / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_become_entries() {
        let at = |micros: i64| Time::from_micros(1_795_255_200_000_000 + micros);
        let mut har = Har::of(Vec::new());
        let plain = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        let request = |channel, method: &'static str, target: &'static str| Event::Request {
            channel,
            method: method.into(),
            target: target.into(),
            headers: plain("content-type", "text/plain"),
        };
        let answer = |channel, status| Event::Answer { channel, status, headers: plain("content-type", "image/png") };
        let data = |channel, from, bytes: &'static [u8]| Event::Data { channel, from, bytes: bytes.into() };
        for (micros, event) in [
            (0, request(0, "POST", "/a")),
            (1, request(1, "GET", "/b")),
            (1_000, data(0, Side::Client, b"sent")),
            (2_000, answer(0, 200)),
            (3_000, data(0, Side::Target, b"\xff\x00")),
            (3_500, Event::Withheld { channel: 1, from: Side::Target, bytes: 7 }),
            (4_000, Event::Closed { channel: 0 }),
            (5_000, Event::Closed { channel: 9 }),
        ] {
            har.event(at(micros), &event).unwrap();
        }
        let read: Value = serde_json::from_slice(&har.finish().unwrap()).unwrap();
        let entries = read["log"]["entries"].as_array().unwrap();
        let (a, b) = (&entries[0], &entries[1]);
        assert_eq!((&read["log"]["version"], entries.len()), (&json!("1.2"), 2));
        assert_eq!((&a["request"]["method"], &a["request"]["postData"]["text"]), (&json!("POST"), &json!("sent")));
        assert_eq!((&a["response"]["status"], &a["response"]["content"]["encoding"]), (&json!(200), &json!("base64")));
        assert_eq!(
            (&a["timings"]["wait"], &a["timings"]["receive"], &a["time"]),
            (&json!(2.0), &json!(2.0), &json!(4.0))
        );
        assert_eq!((&b["response"]["status"], &b["response"]["content"]["size"]), (&json!(0), &json!(7)));
        assert!(b["response"]["content"].get("text").is_none(), "{b}");
        assert_eq!(a["startedDateTime"], "2026-11-21T10:00:00Z", "a moment");
    }

    #[test]
    fn an_empty_session_is_a_document() {
        let read: Value = serde_json::from_slice(&Har::of(Vec::new()).finish().unwrap()).unwrap();
        assert_eq!(read["log"]["entries"], json!([]));
    }

    #[test]
    fn a_body_is_written_up_to_a_bound() {
        let mut har = Har::of(Vec::new());
        let at = Time::from_micros(0);
        har.event(at, &Event::Request { channel: 0, method: "GET".into(), target: "/".into(), headers: Vec::new() })
            .unwrap();
        let piece = vec![b'x'; MOST_BODY];
        for _ in 0..3 {
            har.event(at, &Event::Data { channel: 0, from: Side::Target, bytes: piece.as_slice().into() }).unwrap();
        }
        let read: Value = serde_json::from_slice(&har.finish().unwrap()).unwrap();
        let content = &read["log"]["entries"][0]["response"]["content"];
        assert_eq!((content["text"].as_str().unwrap().len(), &content["comment"]), (MOST_BODY, &json!("cut off here")));
        assert_eq!(content["size"], json!(3 * MOST_BODY));
    }
}
