//! Terminals in pages, by whoever speaks their protocol without a browser: what is opened, what is cut, what is refused.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::handshake::client::Response;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};
use wane_testkit::{PersonSession, wait_until};

use super::lab::{Lab, NOTHING, TERMINAL};
use crate::people::{SOON, ask_coming_out, granted, items, text};

/// How long nothing comes at once.
const WAIT: Duration = Duration::from_millis(50);
/// How often that is put up with: as long as anything is waited for here.
const MOST_WAITS: u32 = 1800;

fn is_wait(error: &tungstenite::Error) -> bool {
    let kinds = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
    matches!(error, tungstenite::Error::Io(e) if kinds.contains(&e.kind()))
}

struct Page {
    socket: WebSocket<TcpStream>,
    shown: String,
    said: Vec<Value>,
}

fn opens(lab: &Lab, person: &PersonSession, grant: &str, more: &str) -> Result<(Page, Response), String> {
    let url = lab.wane.server.url();
    let host = url.strip_prefix("http://").unwrap();
    let path = format!("ws://{host}/v1/grants/{grant}/terminal?columns=80&rows=24{more}");
    let mut request = path.into_client_request().unwrap();
    for (name, value) in [
        ("authorization", format!("Bearer {}", person.token().unwrap())),
        ("origin", url.clone()),
        ("sec-websocket-protocol", "wane.terminal.v1".to_owned()),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(WAIT)).unwrap();
    let config = WebSocketConfig::default();
    let mut shaking = tungstenite::client::client_with_config(request, stream, Some(config));
    loop {
        match shaking {
            Ok((socket, response)) => return Ok((Page { socket, shown: String::new(), said: Vec::new() }, response)),
            Err(tungstenite::HandshakeError::Interrupted(later)) => shaking = later.handshake(),
            Err(tungstenite::HandshakeError::Failure(why)) => return Err(why.to_string()),
        }
    }
}

fn open(lab: &Lab, person: &PersonSession, grant: &str) -> Page {
    let (mut page, response) = opens(lab, person, grant, "").unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "wane.terminal.v1");
    page.until("the terminal to be open", |page| page.has("open").is_some());
    page
}

impl Page {
    fn has(&self, what: &str) -> Option<&Value> {
        self.said.iter().find(|said| said["what"] == what)
    }

    fn types(&mut self, text: &str) {
        self.socket.send(Message::Binary(format!("{text}\r").into_bytes().into())).unwrap();
    }

    /// Reads on until that is so, or nothing comes any more.
    fn until(&mut self, what: &str, is: impl Fn(&Self) -> bool) {
        let mut waited = 0;
        while !is(self) {
            assert!(waited < MOST_WAITS, "{what}: {:?} {}", self.said, self.shown);
            match self.socket.read() {
                Ok(Message::Binary(bytes)) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Ok(Message::Text(text)) => self.said.push(serde_json::from_str(&text).unwrap()),
                Ok(_) => {}
                Err(error) if is_wait(&error) => waited += 1,
                Err(error) => panic!("{what}: {error}: {:?} {}", self.said, self.shown),
            }
        }
    }

    /// Reads until it is closed; whether anything was shown or said meanwhile.
    fn closes(&mut self) -> Option<Message> {
        let (mut waited, mut last) = (0, None);
        loop {
            assert!(waited < MOST_WAITS, "it stays open");
            match self.socket.read() {
                Ok(Message::Close(_)) => return last,
                Ok(message @ (Message::Binary(_) | Message::Text(_))) => last = Some(message),
                Ok(_) => {}
                Err(error) if is_wait(&error) => waited += 1,
                Err(_) => return last,
            }
        }
    }

    /// What is said before it is over, and that nothing comes after that.
    fn ends(&mut self, what: &str) -> Value {
        self.until(what, |page| page.has(what).is_some());
        let said = self.has(what).unwrap().clone();
        assert_eq!(self.closes(), None, "after `{what}`");
        said
    }
}

fn nobody_is_in(lab: &Lab) {
    wait_until("the board to be empty", SOON, || lab.sessions().is_empty())
        .unwrap_or_else(|e| panic!("{e}: {:?}", lab.sessions()));
}

#[test]
fn a_terminal_in_a_page_is_a_session_like_any_other() {
    let lab = Lab::new(TERMINAL);
    let (maya, ada) = (&lab.wane.maya, &lab.wane.ada);
    let grant = granted(maya, "deploy@web", "30m");
    let mut page = open(&lab, maya, &grant);
    page.types("echo one-$((1 + 1)); stty size");
    page.until("it to be said", |page| page.shown.contains("one-2\r\n24 80"));
    page.socket.send(Message::Text(json!({ "columns": 132, "rows": 43 }).to_string().into())).unwrap();
    page.types("echo two-$((1 + 2)); stty size");
    page.until("its size", |page| page.shown.contains("two-3\r\n43 132"));
    let sessions = lab.sessions();
    let seen = [&sessions[0]["person"], &sessions[0]["peer"], &sessions[0]["grant"]];
    assert_eq!((sessions.len(), seen), (1, [&json!("maya"), &json!("127.0.0.1"), &json!(grant)]), "{sessions:?}");
    assert!(text(&sessions[0]["client"]).contains("Wane_page"), "{sessions:?}");
    page.types("exit 3");
    let over = page.ends("over");
    assert_eq!(over["status"], 3, "{over}");
    nobody_is_in(&lab);
    assert!(lab.tally(&grant)["verdict"]["word"].is_string(), "{}", lab.tally(&grant));
    let recorded = ada.json(&["log", "--grant", &grant, "--event", "session.closed"]).unwrap();
    assert_eq!(items(&recorded)[0]["detail"]["recording"]["state"], "whole", "{recorded}");
    let events = lab.wane.events(&grant);
    for event in ["credential.issued", "session.opened", "session.closed"] {
        assert!(events.iter().any(|said| said == event), "{event}: {events:?}");
    }

    // Cut with its grant; the terminal says why, and nothing passes from then on.
    let mut page = open(&lab, maya, &grant);
    page.types("echo three-$((1 + 2))");
    page.until("it to be said", |page| page.shown.contains("three-3"));
    ada.json(&["revoke", &grant, "--reason", "drill over"]).unwrap();
    let over = page.ends("over");
    assert!(page.shown.contains("*** Wane:"), "{}", page.shown);
    assert_eq!(over["status"], 255, "{over}");
    nobody_is_in(&lab);
    assert_eq!(lab.wane.grant(&grant)["ending"]["cause"], "revoked");

    // Whoever is signed out has none, though their grant goes on.
    let other = granted(maya, "deploy@web", "20m");
    let mut page = open(&lab, maya, &other);
    assert_eq!(lab.sessions().len(), 1);
    assert!(maya.run(&["logout"]).unwrap().success());
    let left = page.ends("left");
    assert!(text(&left["why"]).contains("not signed in"), "{left}");
    nobody_is_in(&lab);
    assert_eq!(lab.wane.grant(&other)["state"], "active");
}

#[test]
fn what_a_page_may_not_have_is_refused_and_said() {
    let lab = Lab::new(TERMINAL);
    let (maya, ada) = (&lab.wane.maya, &lab.wane.ada);
    let grant = granted(maya, "deploy@web", "30m");
    let refused = |person: &PersonSession, grant: &str, more: &str| {
        let (mut page, _) = opens(&lab, person, grant, more).unwrap();
        page.ends("refused")["problem"].clone()
    };
    // Somebody else's, though they may see it; a login name that the role is not for.
    assert_eq!(refused(ada, &grant, "")["code"], "not-allowed");
    assert!(text(&refused(maya, &grant, "&login=root")["detail"]).contains("not for that login name"));
    assert!(
        opens(&lab, &lab.wane.approver("omar"), &grant, "").err().unwrap().contains("404"),
        "it is not theirs to see"
    );
    lab.wane.paper_host("nowhere", "gate=open");
    let away = granted(maya, "deploy@nowhere", "5m");
    let mut page = open(&lab, maya, &away);
    let over = page.ends("over");
    assert!(page.shown.contains("the host does not answer") && over["status"] == 255, "{over} {}", page.shown);

    // What is no size, and what is too long, ends it.
    let mut page = open(&lab, maya, &grant);
    page.socket.send(Message::Text("{\"columns\":0,\"rows\":1}".into())).unwrap();
    assert!(text(&page.ends("left")["why"]).contains("of that size"));
    let mut page = open(&lab, maya, &grant);
    let _ = page.socket.send(Message::Binary(vec![b'x'; 70_000].into()));
    page.closes();
    nobody_is_in(&lab);

    // Ended, there is none to be had.
    ada.json(&["revoke", &grant, "--reason", "over"]).unwrap();
    assert!(!refused(maya, &grant, "")["detail"].is_null());
    assert!(lab.sessions().is_empty());
}

#[test]
fn a_task_is_run_in_a_page_and_nothing_else_is() {
    let lab = Lab::new(TERMINAL);
    let asked =
        ask_coming_out(&lab.wane.maya, &["deploy@web", "--for", "20m", "--task", "echo task-$((4 + 4)); exit 6"], 0);
    let grant = text(&asked["items"][0]["grant"]);
    let mut page = open(&lab, &lab.wane.maya, &grant);
    let over = page.ends("over");
    assert!(page.shown.contains("task-8") && over["status"] == 6, "{over} {}", page.shown);
    lab.wane.wait_closed(&grant);
}

#[test]
fn a_role_without_a_terminal_has_none_in_a_page() {
    let lab = Lab::new(NOTHING);
    let grant = granted(&lab.wane.maya, "deploy@web", "30m");
    let (mut page, _) = opens(&lab, &lab.wane.maya, &grant, "").unwrap();
    let problem = page.ends("refused")["problem"].clone();
    assert!(text(&problem["detail"]).contains("does not let you have a terminal"), "{problem}");
    nobody_is_in(&lab);
}

#[test]
fn a_page_that_takes_nothing_holds_nothing_up() {
    let lab = Lab::new(TERMINAL);
    let grant = granted(&lab.wane.maya, "deploy@web", "30m");
    let mut page = open(&lab, &lab.wane.maya, &grant);
    page.types("yes a-long-line-that-is-said-again-and-again");
    page.until("it to begin", |page| page.shown.contains("again-and-again\r\na-long"));
    // Nothing is read any more; somebody else is served meanwhile, and the end of the first needs nobody to read it.
    let other = lab.visits(&lab.wane.maya, grant.clone());
    assert!(other.run("echo meanwhile").stdout.contains("meanwhile"));
    lab.wane.ada.json(&["revoke", &grant, "--reason", "over"]).unwrap();
    nobody_is_in(&lab);
}
