//! A deployment with a gateway to applications, a real application behind it, and curl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use wane_testkit::{
    Interactive, PersonSession, ServerCertificate, WaneServer, WaneServerBuilder, free_port, wait_until,
};

use crate::gateway::browser::Browser;
use crate::people::{Deployment, SOON, ask_coming_out, text};
use crate::signing_in::roaming::http;

/// What Wane shows the application, which nobody else is to see.
pub(super) const SECRET: &str = "injected-7d1f-secret";

/// A gateway at `app.localhost` and `other.localhost`, and an application behind both.
pub(super) struct Lab {
    pub(super) wane: Deployment,
    pub(super) port: u16,
    pub(super) application: Interactive,
    pub(super) upstream: u16,
    pub(super) upstream_two: u16,
    pub(super) ca: PathBuf,
    marks: AtomicUsize,
}

impl Lab {
    pub(super) fn new() -> Self {
        Self::with(WaneServer::builder())
    }

    pub(super) fn with(builder: WaneServerBuilder) -> Self {
        let (port, upstream, upstream_two) = (free_port().unwrap(), free_port().unwrap(), free_port().unwrap());
        let server = builder.set("gateway.http.listen", &format!("127.0.0.1:{port}")).prepare().unwrap();
        let folder = server.folder().join("tls");
        fs::create_dir(&folder).unwrap();
        let names = ["app.localhost", "other.localhost", "127.0.0.1"];
        let made = ServerCertificate::generate_for(&folder, &names).unwrap();
        let mut server = server;
        server.set("gateway.http.cert", &made.certificate_path().display().to_string());
        server.set("gateway.http.key", &made.key_path().display().to_string());
        let wane = Deployment::on(server);
        let here = Self {
            application: application(upstream, upstream_two),
            wane,
            port,
            upstream,
            upstream_two,
            ca: made.ca_path().to_owned(),
            marks: AtomicUsize::new(0),
        };
        here.register("app", &json!({}), None);
        here.role("viewer", &json!({ "allow": [{ "methods": ["GET", "HEAD", "POST"], "paths": ["/**"] }] }));
        here
    }

    /// Registers the application once more, under another name and at the origin of that name.
    pub(super) fn register(&self, name: &str, more: &Value, credential: Option<&str>) {
        let mut settings = json!({
            "origin": format!("https://{name}.localhost:{}", self.port), "upstream": format!("http://127.0.0.1:{}", self.upstream),
        });
        for (key, value) in more.as_object().unwrap() {
            settings[key] = value.clone();
        }
        let settings = settings.to_string();
        let words =
            ["--json", "resource", "add", name, "--kind", "http", "--label", "gate=open", "--settings", &settings];
        let stdin: &[&str] = if credential.is_some() { &["--credential-stdin"] } else { &[] };
        let made = self.wane.ada.run_with(&[&words, stdin].concat(), credential.unwrap_or_default()).unwrap();
        assert!(made.success(), "{made:?}");
    }

    pub(super) fn role(&self, name: &str, definition: &Value) {
        let sets: Vec<String> =
            definition.as_object().unwrap().iter().map(|(key, value)| format!("{key}={value}")).collect();
        let mut words = vec!["role".to_owned(), "add".to_owned(), format!("http/{name}")];
        words.extend(sets.into_iter().flat_map(|set| ["--set".to_owned(), set]));
        self.wane.ada.json(&words.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    }

    /// Somebody who holds a grant, signed in at the application in a browser of their own.
    pub(super) fn enters(&self, person: &PersonSession, item: &str, duration: &str) -> Guest<'_> {
        let asked = ask_coming_out(person, &[item, "--for", duration, "--reason", "to see what passes"], 0);
        let grant = text(&asked["items"][0]["grant"]);
        let name = item.split_once('@').unwrap().1;
        let guest = self.guest(name, &format!("jar-{grant}"), grant);
        let code = guest.is_given_a_code(person);
        let entered = guest.get(&format!("/.well-known/wane/enter?code={code}"));
        assert_eq!(entered.status, 303, "{entered:?}\n{}", self.wane.server.log());
        assert_eq!(entered.location(), Some(format!("{}/page?x=1", guest.origin)));
        guest
    }

    /// A browser in which nobody is signed in.
    pub(super) fn guest(&self, name: &str, jar: &str, grant: String) -> Guest<'_> {
        let origin = format!("https://{name}.localhost:{}", self.port);
        Guest { lab: self, jar: self.wane.server.folder().join(jar), origin, grant }
    }

    /// What the application was asked so far. It says things in order: once it has said that we asked it, past the
    /// gateway, it has said whatever came before that.
    pub(super) fn asked(&self) -> Vec<Value> {
        const MARK: &str = "/mark-";
        let mark = format!("{MARK}{}", self.marks.fetch_add(1, Ordering::Relaxed));
        http("GET", &format!("http://127.0.0.1:{}{mark}", self.upstream), "", "");
        let mut asked = Vec::new();
        wait_until("the application to say what it was asked", SOON, || {
            asked = self.said();
            asked.iter().any(|one| one["url"] == mark)
        })
        .unwrap_or_else(|e| panic!("{e}: {}", self.application.stdout()));
        asked.retain(|one| !one["url"].as_str().is_some_and(|url| url.starts_with(MARK)));
        asked
    }

    fn said(&self) -> Vec<Value> {
        let said = self.application.stdout();
        let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line.get("method").is_some())
            .collect()
    }

    /// Waits until the application saw that something broke off.
    pub(super) fn wait_gone(&self, url: &str) {
        let gone = json!({ "gone": url }).to_string();
        wait_until("the application to be left", SOON, || self.application.stdout().lines().any(|line| line == gone))
            .unwrap_or_else(|e| panic!("{e}: {}", self.application.stdout()));
    }

    /// Sends bytes to the gateway over TLS, as they are; what comes back until it hangs up, or for a while if it was
    /// not asked to.
    pub(super) fn raw(&self, bytes: &str) -> String {
        let mut stream = self.open_raw();
        // It may hang up before it has heard all of it.
        let _ = stream.send_line(bytes.strip_suffix('\n').unwrap());
        let patience = if bytes.contains("Connection: close") { SOON } else { Duration::from_secs(3) };
        stream.wait_exit(patience).unwrap().stdout
    }

    /// Opens something over TLS that stays open, as bytes.
    pub(super) fn open_raw(&self) -> Interactive {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-servername", "app.localhost", "-connect"]);
        command.arg(format!("127.0.0.1:{}", self.port)).arg("-CAfile").arg(&self.ca);
        Interactive::spawn(&mut command).unwrap()
    }

    pub(super) fn events(&self, event: &str) -> Vec<Value> {
        let page = self.wane.ada.json(&["log", "--event", event, "--all"]).unwrap();
        page["items"].as_array().unwrap().clone()
    }
}

fn application(port: u16, port2: u16) -> Interactive {
    let mut node = Command::new("node");
    node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("node/application.mjs"));
    node.args([port.to_string(), port2.to_string()]).stdin(Stdio::null());
    let process = Interactive::spawn(&mut node).unwrap();
    process.wait_for("listening", SOON).unwrap_or_else(|e| panic!("{e}: {}", process.stderr()));
    process
}

/// A browser at an application: curl, with what it keeps.
pub(super) struct Guest<'l> {
    lab: &'l Lab,
    jar: PathBuf,
    pub(super) origin: String,
    pub(super) grant: String,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let line = |line: &str| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        self.head.lines().find_map(line)
    }

    pub(super) fn location(&self) -> Option<String> {
        self.header("location")
    }

    /// What the application says it was sent.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

impl Guest<'_> {
    /// Begins to sign in, and has a person's browser at Wane lead back; the code it leads back with.
    pub(super) fn is_given_a_code(&self, person: &PersonSession) -> String {
        let led = self.send(&["-H", "Accept: text/html"], "/page?x=1");
        assert_eq!(led.status, 303, "{led:?}\n{}", self.lab.wane.server.log());
        let link = led.location().unwrap();
        let path = link.strip_prefix(&self.lab.wane.server.url()).unwrap_or_else(|| panic!("{link}"));
        let browser = Browser::of(person);
        assert!(browser.open(path).text.contains(&format!("{path}/go")));
        let go = format!("{path}/go");
        let mut shown = browser.open(&go);
        // Of several grants that would do, the one that is meant.
        if shown.text.contains("Which access?") {
            let token = browser.token(&go);
            shown = browser.post(&go, &format!("token={token}&grant={}", self.grant));
        }
        let code = shown.text.split("enter?code=").nth(1).unwrap_or_else(|| panic!("{shown:?}"));
        code.chars().take_while(char::is_ascii_alphanumeric).collect()
    }

    pub(super) fn curl(&self) -> Command {
        let mut command = Command::new("curl");
        let at = format!("{}:127.0.0.1", self.origin.strip_prefix("https://").unwrap());
        command.args(["-sS", "--path-as-is", "--cacert"]).arg(&self.lab.ca);
        command.args(["--resolve", &at, "-b"]).arg(&self.jar);
        command
    }

    /// With these words to curl.
    pub(super) fn send(&self, words: &[&str], path: &str) -> Answer {
        let mut command = self.curl();
        command.arg("-c").arg(&self.jar).args(["-D", "-"]).args(words).arg(format!("{}{path}", self.origin));
        command.args(["--max-time", "60"]);
        let done = command.output().unwrap();
        let answer = Answer::read(&String::from_utf8_lossy(&done.stdout));
        answer.unwrap_or_else(|| panic!("{words:?} {path}: {done:?}\n{}", self.lab.wane.server.log()))
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.send(&[], path)
    }

    /// Something that stays open. It keeps no cookies: whenever it ends it would empty the jar for a moment, while another
    /// may be reading it.
    pub(super) fn streams(&self, words: &[&str], path: &str) -> Interactive {
        let mut command = self.curl();
        command.arg("-N").args(words).arg(format!("{}{path}", self.origin));
        Interactive::spawn(&mut command).unwrap()
    }

    /// The cookie that this browser's session is kept by, as it is sent.
    pub(super) fn cookie(&self) -> String {
        let jar = fs::read_to_string(&self.jar).unwrap();
        let line = jar.lines().find(|line| line.contains("\t__Host-wane-app\t")).unwrap_or_else(|| panic!("{jar}"));
        format!("__Host-wane-app={}", line.rsplit('\t').next().unwrap())
    }
}

impl Answer {
    fn read(said: &str) -> Option<Self> {
        // That the body may be sent is an answer by itself.
        let said = said.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(said);
        let (head, body) = said.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, head: head.to_owned(), body: body.to_owned() })
    }
}
