//! Compares what is written down about sessions with what lies there and runs. Shares no code with the
//! server, as the [auditor](super::auditor).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::auditor::sqlite;

/// What the ledger says about sessions.
pub(crate) struct Book {
    /// The leases of sessions.
    sessions: Vec<Value>,
    recordings: Vec<Value>,
    issued: Vec<Value>,
    /// Records of the trail, oldest first.
    trail: Vec<Value>,
}

impl Book {
    pub(crate) fn read(db: &Path) -> Self {
        let parsed =
            |column: &str, row: &Value| -> Value { serde_json::from_str(row[column].as_str().unwrap()).unwrap() };
        let read =
            |sql: &str, column: &str| -> Vec<Value> { sqlite(db, sql).iter().map(|row| parsed(column, row)).collect() };
        let sessions =
            "SELECT json_set(doc, '$.phase', phase) AS doc FROM leases WHERE json_extract(doc, '$.what') = 'session'";
        Self {
            sessions: read(sessions, "doc"),
            recordings: read("SELECT doc FROM recordings ORDER BY session", "doc"),
            issued: sqlite(db, "SELECT serial, lease FROM issuances"),
            trail: read("SELECT body FROM trail ORDER BY seq", "body"),
        }
    }

    fn about<'a>(&'a self, event: &'a str, lease: &'a Value) -> impl Iterator<Item = &'a Value> {
        self.trail.iter().filter(move |r| r["event"] == event && r["about"]["lease"] == *lease)
    }

    /// Whether no session is open.
    pub(crate) fn is_settled(&self) -> bool {
        self.sessions.iter().all(|lease| lease["phase"] == "gone")
            && self.recordings.iter().all(|recording| recording["end"].is_object())
    }

    /// Those recordings that are not deleted, by the ids of their sessions.
    pub(crate) fn recorded(&self) -> Vec<(String, bool)> {
        let kept = self.recordings.iter().filter(|r| r["deleted"].is_null());
        kept.map(|r| (r["session"].as_str().unwrap().to_owned(), r["end"]["state"] == "whole")).collect()
    }

    /// What of an event about logins by a link the trail has, by the login.
    fn arrivals(&self, event: &str) -> BTreeMap<&str, usize> {
        let mut found = BTreeMap::new();
        for record in self.trail.iter().filter(|r| r["event"] == event) {
            *found.entry(record["detail"]["arrival"].as_str().unwrap()).or_insert(0) += 1;
        }
        found
    }

    /// What is not as it must be, once nothing is carried any more (INV-14, INV-15, INV-7).
    pub(crate) fn complaints(&self, recordings: &Path) -> Vec<String> {
        let mut wrong = Vec::new();
        for lease in &self.sessions {
            let id = &lease["id"];
            if lease["phase"] != "gone" {
                wrong.push(format!("session {id} is still {}", lease["phase"]));
            }
            let opened: Vec<&Value> = self.about("session.opened", id).collect();
            let closed: Vec<&Value> = self.about("session.closed", id).collect();
            if opened.len() != 1 || closed.len() != 1 {
                wrong.push(format!("session {id} was opened {} times and closed {} times", opened.len(), closed.len()));
                continue;
            }
            if closed[0]["detail"]["basis"].is_null() {
                wrong.push(format!("session {id} was closed, and nothing says why that is known"));
            }
            let shown = self.issued.iter().filter(|row| row["lease"] == *id).count();
            if shown != 1 {
                wrong.push(format!("session {id} showed {shown} credentials to its host"));
            }
            let session = &opened[0]["detail"]["session"];
            let recording = self.recordings.iter().find(|recording| recording["session"] == *session);
            if opened[0]["detail"]["recorded"] == true && recording.is_none() {
                wrong.push(format!("session {session} was to be recorded, and nothing is known of it"));
            }
        }
        for record in self.trail.iter().filter(|r| r["event"] == "session.opened") {
            if !self.sessions.iter().any(|lease| lease["id"] == record["about"]["lease"]) {
                wrong.push(format!("a session was opened that there is no lease of: {}", record["about"]));
            }
        }
        for recording in &self.recordings {
            wrong.extend(self.recording(recording, recordings));
        }
        let (asked, confirmed) = (self.arrivals("arrival.asked"), self.arrivals("arrival.confirmed"));
        for (arrival, times) in &confirmed {
            if *times > 1 || !asked.contains_key(arrival) {
                wrong.push(format!("login {arrival} was confirmed {times} times"));
            }
        }
        let mut used = BTreeMap::new();
        for record in self.trail.iter().filter(|r| r["event"] == "session.opened") {
            if let Some(arrival) = record["detail"]["by"]["arrival"].as_str() {
                *used.entry(arrival).or_insert(0) += 1;
            }
        }
        for (arrival, times) in used {
            if times > 1 || !confirmed.contains_key(arrival) {
                wrong.push(format!("login {arrival} was used {times} times: {:?}", confirmed.get(arrival)));
            }
        }
        wrong
    }

    fn recording(&self, recording: &Value, folder: &Path) -> Option<String> {
        let session = &recording["session"];
        let gaps = self.trail.iter().filter(|r| r["event"] == "recording.gap" && r["detail"]["session"] == *session);
        let (gaps, end) = (gaps.count(), &recording["end"]);
        let deleted =
            self.trail.iter().filter(|r| r["event"] == "recording.deleted" && r["detail"]["session"] == *session);
        let deleted = (deleted.count(), !recording["deleted"].is_null());
        if ![(0, false), (1, true)].contains(&deleted) {
            return Some(format!("of recording {session} it is written down {} times that it went", deleted.0));
        }
        let size = fs::metadata(folder.join(format!("{}.wane-recording", session.as_str().unwrap()))).map(|m| m.len());
        match (end["state"].as_str(), size, gaps) {
            (Some("whole"), Ok(size), 0) if Some(size) == end["bytes"].as_u64() && end["root"].is_string() => None,
            (Some("cut"), Ok(size), 1..) if Some(size) >= end["bytes"].as_u64() => None,
            (Some("lost"), Err(_), 1..) => None,
            (Some(_), Err(_), _) if deleted.1 => None,
            (state, size, gaps) => {
                Some(format!("recording {session} is {state:?}, {gaps} findings say so, its file: {size:?}; {end}"))
            }
        }
    }
}

/// Connections to a port of this machine that are open, and processes of an account.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Alive {
    connections: usize,
    processes: usize,
}

impl Alive {
    pub(crate) const NOTHING: Self = Self { connections: 0, processes: 0 };

    pub(crate) fn at(port: u16, uid: u32) -> Self {
        // local address, remote address, state (proc(5)): 01 is open.
        let open = |line: &&str| {
            let mut words = line.split_whitespace().skip(1);
            let local = words.next().unwrap_or_default();
            let state = words.nth(1);
            local.ends_with(&format!(":{port:04X}")) && state == Some("01")
        };
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let connections = table.lines().filter(open).count();
        let mut processes = 0;
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
            let of = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
            if of("Uid:").split_whitespace().next() == Some(&uid.to_string()) && !of("State:").starts_with('Z') {
                processes += 1;
            }
        }
        Self { connections, processes }
    }
}
