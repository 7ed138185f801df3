//! What applications are made of: a real nginx that asks for certificates, aiohttp, gRPC's own server and client; and much
//! that passes in little memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use wane_testkit::{Ended, Interactive, Nginx, ServerCertificate, free_port};

use super::lab::Lab;
use crate::people::{SOON, granted, text};

/// Python, with a library from PyPI.
pub(super) fn python(library: &str, script: &str) -> Command {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = here.join(format!("../../target/{library}/venv/bin/python"));
    assert!(python.exists(), "run `cargo xtask deps` first: {} is not there", python.display());
    let mut command = Command::new(python);
    command.arg(here.join("python").join(script)).env("PYTHONUNBUFFERED", "1");
    command
}

fn started(mut command: Command) -> Interactive {
    let process = Interactive::spawn(command.stdin(Stdio::null())).unwrap();
    process.wait_for("listening", SOON).unwrap_or_else(|e| panic!("{e}: {}", process.stderr()));
    process
}

/// A key of Maya's for an application.
fn key(lab: &Lab, name: &str, role: &str) -> String {
    text(&lab.wane.maya.json(&["key", "new", name, "--role", role, "--for", "10m"]).unwrap()["key"])
}

/// A pair that vouches for itself, with the name that it is shown by.
pub(super) fn pair(folder: &Path) -> (PathBuf, PathBuf) {
    let (cert, key) = (folder.join("client.pem"), folder.join("client.key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"])
        .args(["-subj", "/CN=wane-gateway", "-addext", "extendedKeyUsage=clientAuth", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    (cert, key)
}

#[test]
fn nginx_is_shown_a_certificate_that_nobody_else_has() {
    let lab = Lab::new();
    // Of its own: whoever serves is nobody, and does not get into that of the server.
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let own = ServerCertificate::generate(folder).unwrap();
    let (cert, private) = pair(folder);
    let nginx = Nginx::application(folder, (own.certificate_path(), own.key_path()), &cert).unwrap();
    let settings = json!({
        "upstream": format!("https://localhost:{}", nginx.port()), "upstream_ca": fs::read_to_string(own.ca_path()).unwrap(),
        "inject": { "as": "client_certificate" },
    });
    let credential = fs::read_to_string(&cert).unwrap() + &fs::read_to_string(&private).unwrap();
    lab.register("other", &settings, Some(&credential));
    let guest = lab.enters(&lab.wane.maya, "viewer@other", "10m");
    for version in ["--http1.1", "--http2"] {
        let said = guest.send(&[version], "/");
        let expected = format!("hello CN=wane-gateway at other.localhost:{} by https", lab.port);
        assert_eq!(
            (said.status, said.body.trim()),
            (200, expected.as_str()),
            "{}\n{}",
            nginx.log(),
            lab.wane.server.log()
        );
    }
    // What it does with requests is its own affair, and passes as it says it.
    let whole = guest.get("/file");
    assert_eq!((whole.status, whole.body.len()), (200, 1 << 20));
    let etag = whole.header("etag").unwrap();
    let kept = guest.send(&["-H", &format!("If-None-Match: {etag}")], "/file");
    assert_eq!((kept.status, kept.body.as_str()), (304, ""));
    let part = guest.send(&["-H", "Range: bytes=1048570-"], "/file");
    assert_eq!((part.status, part.body.as_str()), (206, "ffffff"), "{part:?}");
    assert_eq!(part.header("content-range").as_deref(), Some("bytes 1048570-1048575/1048576"));
    assert_eq!(guest.send(&["-I"], "/file").header("content-length").as_deref(), Some("1048576"));
    assert_eq!(guest.get("/gone").status, 410);
    // nginx does not wait for the body; over HTTP/2 what is left of that is reset, and curl takes that for a fault at times.
    assert_eq!(guest.send(&["--http1.1", "-X", "POST", "-d", "x"], "/file").status, 405);
    let moved = guest.get("/moved");
    assert_eq!(moved.status, 301, "{moved:?}");
    // Around the gateway nobody comes in who has not that certificate.
    let around = Command::new("curl")
        .args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"])
        .arg(own.ca_path())
        .arg(format!("https://localhost:{}/", nginx.port()))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&around.stdout), "400");
}

#[test]
fn an_aiohttp_application_streams_and_talks_until_the_end() {
    let lab = Lab::new();
    let port = free_port().unwrap();
    let mut serves = python("aiohttp", "application.py");
    serves.arg(port.to_string());
    let application = started(serves);
    lab.register("other", &json!({ "upstream": format!("http://127.0.0.1:{port}") }), None);
    lab.role("talks", &json!({ "allow": [{ "methods": ["GET", "POST"], "paths": ["/**"] }], "websocket": true }));
    let guest = lab.enters(&lab.wane.maya, "talks@other", "10m");
    let posted = guest.send(&["-X", "POST", "-d", "a=b&c=d"], "/form?x=%20y");
    let said: Value = posted.json();
    assert_eq!((&said["url"], &said["size"]), (&json!("/form?x=%20y"), &json!(7)), "{posted:?}");
    let key = key(&lab, "other", "talks");
    let mut talks = python("aiohttp", "websocket.py");
    talks.arg(format!("wss://other.localhost:{}/socket", lab.port)).arg(&lab.ca);
    let mut talks = Interactive::spawn(talks.stdin(Stdio::piped())).unwrap();
    talks.send_line(&key).unwrap();
    talks.wait_for("number 3", SOON).unwrap_or_else(|e| panic!("{e}: {} {}", talks.stdout(), talks.stderr()));
    let ticks = guest.streams(&[], "/ticks");
    ticks.wait_for("tick", SOON).unwrap();
    lab.wane.maya.json(&["done", &guest.grant]).unwrap();
    let talked = talks.wait_exit(SOON).unwrap();
    assert!(talked.stdout.ends_with("cut\n"), "{talked:?}");
    let ended = ticks.wait_exit(SOON).unwrap();
    assert!(matches!(ended.ended, Ended::Code(code) if code != 0), "it ran out: {ended:?}");
    for gone in ["/ticks", "/socket"] {
        application
            .wait_for(&json!({ "gone": gone }).to_string(), SOON)
            .unwrap_or_else(|e| panic!("{e}: {}", application.stdout()));
    }
}

#[test]
fn grpc_calls_pass_and_its_streams_are_cut_at_the_end() {
    let lab = Lab::new();
    let port = free_port().unwrap();
    let mut serves = python("grpcio", "grpc_both.py");
    serves.args(["server", &port.to_string()]);
    let server = started(serves);
    lab.register("other", &json!({ "upstream": format!("http://127.0.0.1:{port}"), "http2": true }), None);
    lab.role("calls", &json!({ "allow": [{ "methods": ["POST"], "paths": ["/pkg.Greeter/*"] }] }));
    let grant = granted(&lab.wane.maya, "calls@other", "10m");
    let key = key(&lab, "other", "calls");
    let mut calls = python("grpcio", "grpc_both.py");
    calls.args(["client", &format!("other.localhost:{}", lab.port)]).arg(&lab.ca);
    let mut client = Interactive::spawn(calls.stdin(Stdio::piped())).unwrap();
    client.send_line(&key).unwrap();
    client.wait_for("ticking", SOON).unwrap_or_else(|e| {
        panic!("{e}: {} {}\n{}\n{}", client.stdout(), client.stderr(), server.stderr(), lab.wane.server.log())
    });
    let said = client.stdout();
    let hello = said.lines().next().unwrap().to_owned();
    // Its trailers pass, and so does who asks; the key does not.
    assert!(hello.starts_with("hello maya ") && hello.ends_with(" yes") && hello.contains("wane-assertion"), "{said}");
    assert!(!hello.contains("authorization"), "the key went on: {hello}");
    assert!(said.contains("FAILED_PRECONDITION not like that"), "{said}");
    assert!(said.contains("other: PERMISSION_DENIED"), "{said}");
    assert!(!server.stdout().contains("/pkg.Other/Call"), "what the role does not name was called");
    lab.wane.maya.json(&["done", &grant]).unwrap();
    let ended = client.wait_exit(SOON).unwrap();
    assert!(ended.stdout.contains("broke off: "), "{ended:?}");
    server.wait_for("gone", SOON).unwrap();
    lab.wane.wait_closed(&grant);
}

/// The most that the server ever had in memory, in KiB.
fn peak(lab: &Lab) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", lab.wane.server.pid().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

#[test]
fn a_gibibyte_passes_each_way_in_little_memory() {
    const SIZE: usize = 1 << 30;
    let lab = Lab::new();
    let guest = lab.enters(&lab.wane.maya, "viewer@app", "10m");
    assert_eq!(guest.get("/big?16777216").body.len(), 16 << 20);
    let before = peak(&lab);
    // Nobody on the way says how long it is.
    let mut up = guest.curl();
    up.args(["-X", "POST", "-T", "-"]).arg(format!("{}/up", guest.origin)).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut up = up.spawn().unwrap();
    let mut zeros = Command::new("head")
        .args(["-c", &SIZE.to_string(), "/dev/zero"])
        .stdout(up.stdin.take().unwrap())
        .spawn()
        .unwrap();
    assert!(zeros.wait().unwrap().success());
    let said: Value = serde_json::from_slice(&up.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(said["size"], json!(SIZE));
    let mut down = guest.curl();
    down.args(["-o", "/dev/null", "-w", "%{size_download}"]).arg(format!("{}/big?{SIZE}", guest.origin));
    let down = down.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&down.stdout), SIZE.to_string(), "{down:?}");
    let grown = peak(&lab).saturating_sub(before);
    assert!(grown < 48 << 10, "it grew by {grown} KiB");
}
