//! Every secret that goes in or out, looked for everywhere afterwards.
//!
//! Nothing is asked of the code: what the running binary has written anywhere, and what its process
//! shows, is searched for each secret as it is, in Base64, in hexadecimal and as JSON spells it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;

use serde_json::{Value, json};
use wane_testkit::{Postgres, WaneServer};

use crate::database::Shop;
use crate::people::{SOON, granted, items, text};
use crate::secrets::files_below;

/// Names and secrets, each told apart by what it is called.
#[derive(Default)]
struct Canaries(BTreeMap<&'static str, String>);

impl Canaries {
    fn add(&mut self, what: &'static str, secret: &str) {
        assert!(secret.len() >= 12, "{what} is too short to look for");
        self.0.insert(what, secret.to_owned());
    }

    /// No place holds any of them in any spelling.
    fn absent_from(&self, place: &str, bytes: &[u8]) {
        for (what, secret) in &self.0 {
            for spelling in spellings(secret) {
                let found = bytes.windows(spelling.len()).any(|part| part == spelling.as_bytes());
                assert!(!found, "{what} stands in {place} as `{spelling}`");
            }
        }
    }
}

fn spellings(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    // Whatever stands before it, one of three phases of Base64 is inside; its ends depend on the neighbours.
    let phases = (0..3).map(|phase| {
        let encoded = base64(&[&vec![0; phase][..], secret.as_bytes()].concat());
        encoded.get(4..encoded.len() - 4).unwrap_or_default().to_owned()
    });
    let json = Value::from(secret).to_string().trim_matches('"').to_owned();
    let list = secret.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(",");
    [secret.to_owned(), hex.to_uppercase(), hex, json, list.clone(), list.replace(',', ", ")]
        .into_iter()
        .chain(phases)
        .collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let all = three.iter().fold(0u32, |all, byte| all << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for n in 0..=three.len() {
            out.push(char::from(DIGITS[(all >> (18 - 6 * n) & 63) as usize]));
        }
    }
    out
}

/// The process of the server, by what it was started with.
fn process_of(server: &WaneServer) -> PathBuf {
    let data = server.data().display().to_string();
    let is_it = |path: &PathBuf| {
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        words.get(1).is_some_and(|word| word == "server") && words.iter().any(|word| *word == data)
    };
    fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path()).find(is_it).unwrap()
}

/// What the server answers to this body, as it came.
fn posted(server: &WaneServer, path: &str, header: &str, body: &str) -> String {
    let address = server.url().replace("http://", "");
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let head = format!("POST /v1/{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{header}");
    let length = body.len();
    let ask = format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(ask.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A secret that is known when it is seen, with what needs escaping in it.
fn chosen(password: &str) -> String {
    format!("{password}-\"7f\\3a\"-c4n4ry")
}

#[test]
fn a_canary_in_every_input_is_found_nowhere() {
    let builder = WaneServer::builder().set("log.level", "trace").set("log.format", "json");
    let mut shop = Shop::with(builder, "open");
    let mut canaries = Canaries::default();
    let ada = &shop.wane.ada;

    // Sign-ins: the codes, the passwords, the authenticators' seeds, the sessions' tokens; wrong ones too.
    ada.json(&["person", "add", "zoe"]).unwrap();
    let code = text(&ada.json(&["person", "enrol", "zoe"]).unwrap()["code"]);
    let mut zoe = shop.wane.server.person("zoe").unwrap();
    let password = chosen("zoes password");
    let file = zoe.home().join("chosen");
    fs::write(&file, &password).unwrap();
    let enrolled = zoe.json(&["enrol", &code, "--password-file", &file.display().to_string()]).unwrap();
    let otpauth = text(&enrolled["otpauth_url"]);
    zoe.keep_otpauth(&otpauth).unwrap();
    let seed = otpauth.split(['?', '&']).find_map(|part| part.strip_prefix("secret=")).unwrap();
    let wrong = chosen("a wrong password");
    let wrong_file = zoe.home().join("wrong");
    fs::write(&wrong_file, &wrong).unwrap();
    for (file, is_right) in [(&wrong_file, false), (&file, true)] {
        let totp = if is_right { zoe.totp().unwrap() } else { "000000".to_owned() };
        let words = ["login", "--person", "zoe", "--password-file", &file.display().to_string(), "--totp", &totp];
        assert_eq!(zoe.run(&words).unwrap().success(), is_right);
    }
    let session = zoe.token().unwrap();
    for (what, secret) in [
        ("a one-time code", code.as_str()),
        ("a password", &password),
        ("a wrong password", &wrong),
        ("an authenticator's seed", seed),
        ("a session's token", &session),
        ("the administrator's token", &ada.token().unwrap()),
    ] {
        canaries.add(what, secret);
    }

    // A connector's credential that is right, one that is not, and a host's join code.
    let right = fs::read_to_string(shop.wane.server.person("connector").unwrap().password_file()).unwrap();
    canaries.add("the connector's password", &right);
    let refused = chosen("a refused credential");
    fs::write(&wrong_file, &refused).unwrap();
    let settings = json!({
        "address": format!("localhost:{}", shop.postgres.port()), "user": "wane", "databases": ["shop"],
        "tls": { "ca_pem": shop.postgres.ca_pem().unwrap() },
    });
    let words = ["resource", "add", "other", "--kind", "postgres", "--settings", &settings.to_string()];
    let credential = wrong_file.display().to_string();
    let words = [&words[..], &["--credential-file", &credential]].concat();
    let outcome = ada.run(&words).unwrap();
    assert!(!outcome.success(), "{outcome:?}");
    canaries.add("a refused credential", &refused);
    shop.wane.paper_host("web", "gate=open");
    let join = ada.json(&["host", "join-code", "web"]).unwrap();
    canaries.add("a join code", &text(&join["code"]));

    // What is handed out.
    let grant = granted(&shop.wane.maya, "readonly@shop", "30m");
    let account = shop.account(&shop.wane.maya, &grant);
    canaries.add("an account's password", &account.password);
    assert!(shop.run(&account, "SELECT item FROM orders").success());

    // Sent where they do not belong: in a path, a query, a header, a body that is none.
    let sent = chosen("sent astray").replace(['"', '\\'], "x");
    canaries.add("a secret sent astray", &sent);
    let bearer = format!("Authorization: Bearer {sent}\r\n");
    for (path, header, body) in [
        ("enrolments", "", format!("{{\"code\":\"{sent}\",\"password\":{{")),
        ("enrolments", "", json!({ "code": sent, "password": sent }).to_string()),
        ("people", bearer.as_str(), json!({ "name": "x" }).to_string()),
        ("sessions", "", json!({ "person": "zoe", "password": sent, "x": 1 }).to_string()),
        ("sessions", "", json!({ "person": "zoe", "password": [sent] }).to_string()),
        ("hosts/join", "", json!({ "code": sent, "input": {} }).to_string()),
    ] {
        let said = posted(&shop.wane.server, path, header, &body);
        assert!(said.starts_with("HTTP/1.1 4"), "{said}");
        canaries.absent_from(&format!("the refusal of `{path}`"), said.as_bytes());
    }

    // Text of somebody's own begins no line and no record of its own.
    let reason = "line one\nline two \"quoted\" {\"event\":\"grant.closed\"}";
    shop.wane.maya.json(&["request", "readonly@shop", "--for", "10m", "--reason", reason]).unwrap();
    let trail = shop.wane.ada.json(&["log", "--all"]).unwrap();
    let said: Vec<&Value> = items(&trail).iter().filter(|record| record.to_string().contains("line two")).collect();
    assert!(!said.is_empty() && said.iter().all(|record| record["event"] != "grant.closed"), "{said:?}");
    let shown = shop.wane.ada.run(&["log", "--all"]).unwrap().into_stdout().unwrap();
    assert!(shown.lines().all(|line| !line.starts_with("line two")), "{shown}");

    // No core is left by a crash, and what others may read of the process tells nothing.
    let process = process_of(&shop.wane.server);
    let limits = fs::read_to_string(process.join("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "a core would hold secrets");
    for shown in ["cmdline", "environ"] {
        canaries.absent_from(shown, &fs::read(process.join(shown)).unwrap());
    }

    shop.wane.maya.json(&["done", &grant]).unwrap();
    shop.wane.wait_closed(&grant);
    everywhere(&shop, &canaries, &grant);
    // What a stop and a start write, and what SQLite folds into the database.
    shop.wane.server.restart().unwrap();
    everywhere(&shop, &canaries, &grant);
    assert!(shop.wane.server.log().contains("\"level\""), "nothing was logged at all");
}

/// Looks through all that was written.
fn everywhere(shop: &Shop, canaries: &Canaries, grant: &str) {
    let mut files = files_below(&shop.wane.server.data());
    files.push(shop.wane.server.log_path());
    // The server's own temporary files, if it made any, are in the folder it was given as home.
    let own = fs::read_dir(shop.wane.server.folder()).unwrap().map(|entry| entry.unwrap().path());
    files.extend(own.filter(|path| path.is_file()));
    assert!(files.iter().any(|file| file.ends_with("wane.db")), "{files:?}");
    for file in &files {
        canaries.absent_from(&format!("`{}`", file.display()), &fs::read(file).unwrap());
    }
    for words in [&["log", "--all"][..], &["story", grant], &["requests"], &["grants"], &["resources"], &["people"]] {
        let outcome = shop.wane.ada.run(&[&["--json"], words].concat()).unwrap();
        canaries.absent_from(&format!("`wane {}`", words.join(" ")), outcome.stdout.as_bytes());
    }
    one_event_one_line(&shop.wane.server.log());
    of_the_database(&shop.postgres, canaries);
}

/// Every line of the log is one JSON object: what was sent astray began no line of its own.
fn one_event_one_line(log: &str) {
    let (events, others): (Vec<&str>, Vec<&str>) = log.lines().partition(|line| line.starts_with('{'));
    for event in events {
        let read: Value = serde_json::from_str(event).unwrap_or_else(|e| panic!("{e}: {event}"));
        assert!(read["level"].is_string() && read["timestamp"].is_string(), "{event}");
    }
    assert!(others.iter().all(|line| line.starts_with("listening on ")), "{others:?}");
}

/// PostgreSQL logs every statement: a password came as a verifier, and stands nowhere else.
fn of_the_database(postgres: &Postgres, canaries: &Canaries) {
    let log = postgres.log().unwrap();
    assert!(log.contains("SCRAM-SHA-256$"), "no verifier is in the log of statements, so nothing was looked at");
    // The test itself gave the connector its password, in the clear and in this log.
    let log: String =
        log.lines().filter(|line| !line.contains("ALTER ROLE wane PASSWORD")).map(|line| format!("{line}\n")).collect();
    canaries.absent_from("the database's log", log.as_bytes());
    let sql = "SELECT count(*) FROM pg_authid WHERE rolpassword IS NOT NULL AND rolpassword NOT LIKE 'SCRAM-SHA-256$%'";
    assert_eq!(postgres.psql("postgres", sql).unwrap().trim(), "0");
}
