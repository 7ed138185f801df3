//! Something between Wane and the application: hands on what it is asked, but for what a test has it answer otherwise.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use wane_domain::catalogue::Resource;

use crate::stage::Stage;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// Whether it was asked for only as it was read.
    pub(crate) only_if: bool,
}

impl Asked {
    pub(crate) fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path.contains(path)
    }
}

/// A status and a body; nothing if the application is to answer.
pub(crate) type Answer = Option<(u16, String)>;

type Rule = Box<dyn Fn(&Asked) -> Answer + Send + Sync>;

/// Ends with the test.
pub(crate) struct Between {
    heard: Arc<Mutex<Vec<Asked>>>,
    rule: Arc<Mutex<Rule>>,
    _talking: JoinSet<()>,
}

impl Between {
    /// The same stage, with this between Wane and its application.
    pub(crate) async fn at(stage: Stage) -> (Self, Stage) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut settings = stage.resource.settings.clone();
        settings["url"] = json!(format!("http://{}/v2", listener.local_addr().unwrap()));
        let app = stage.app.port();
        let resource = Resource { settings, ..stage.resource.clone() };
        let (heard, rule) = (Arc::default(), Arc::new(Mutex::new(Box::new(|_: &Asked| None) as Rule)));
        let mut talking = JoinSet::new();
        let (all, rules) = (Arc::clone(&heard), Arc::clone(&rule));
        talking.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = one(stream, app, &all, &rules).await;
            }
        });
        (Self { heard, rule, _talking: talking }, Stage { resource, ..stage })
    }

    /// What is answered from now on.
    pub(crate) fn answers(&self, rule: impl Fn(&Asked) -> Answer + Send + Sync + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }

    /// What was asked since it was last read.
    pub(crate) fn heard(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

/// A list as an application answers it.
pub(crate) fn list(total: usize, resources: &[Value]) -> Answer {
    Some((200, json!({ "totalResults": total, "Resources": resources }).to_string()))
}

async fn one(mut stream: TcpStream, app: u16, heard: &Mutex<Vec<Asked>>, rule: &Mutex<Rule>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let header = |name: &str| {
        let named = |line: &str| {
            line.split_once(": ").filter(|(is, _)| is.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned())
        };
        head.lines().find_map(named)
    };
    let length: usize = header("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
    let mut words = head.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let asked = Asked { method, path, only_if: header("if-match").is_some() };
    let answer = (rule.lock().unwrap())(&asked);
    heard.lock().unwrap().push(asked);
    let said = match answer {
        Some((status, body)) => {
            format!("HTTP/1.1 {status} So\r\nContent-Type: application/scim+json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).into_bytes()
        }
        None => {
            let mut on = TcpStream::connect(("127.0.0.1", app)).await?;
            on.write_all(head.replacen("\r\n", "\r\nConnection: close\r\n", 1).as_bytes()).await?;
            on.write_all(&bytes[end..]).await?;
            let mut said = Vec::new();
            on.read_to_end(&mut said).await?;
            // Nothing more comes over this connection.
            let said = String::from_utf8_lossy(&said).into_owned();
            said.replacen("\r\n", "\r\nConnection: close\r\n", 1).into_bytes()
        }
    };
    stream.write_all(&said).await?;
    stream.shutdown().await
}
