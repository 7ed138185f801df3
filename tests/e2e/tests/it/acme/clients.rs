//! Clients as people run them.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use wane_testkit::{free_port, wait_until};

use super::office::{Binding, NAMES, Office, serial, target};
use crate::people::{SOON, granted, text};

/// certbot with a folder of its own.
struct Certbot {
    folder: PathBuf,
}

impl Certbot {
    fn new(office: &Office) -> Self {
        let folder = office.folder().join("certbot");
        fs::create_dir(&folder).unwrap();
        Self { folder }
    }

    fn run(&self, words: &[&str]) -> (bool, String) {
        let mut command = Command::new(target("certbot/venv/bin/certbot"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &self.folder);
        command.args(words).arg("--non-interactive");
        for (name, at) in [("--config-dir", "config"), ("--work-dir", "work"), ("--logs-dir", "logs")] {
            command.arg(name).arg(self.folder.join(at));
        }
        let done = command.output().unwrap();
        let said = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
        (done.status.success(), said)
    }

    fn must(&self, words: &[&str]) -> String {
        let (done, said) = self.run(words);
        assert!(done, "certbot {words:?}: {said}\n{}", self.log());
        said
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("logs/letsencrypt.log")).unwrap_or_default()
    }

    fn live(&self, file: &str) -> PathBuf {
        self.folder.join("config/live/shop.example").join(file)
    }
}

/// A server with this pair accepts connections of whoever trusts the authority, by this name.
fn is_served(office: &Office, chain: &Path, key: &Path, name: &str) {
    let port = free_port().unwrap();
    let folder = office.folder();
    let mut server = Command::new("openssl");
    server.args(["s_server", "-www", "-accept", &port.to_string(), "-cert"]).arg(chain).arg("-key").arg(key);
    let mut server = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("openssl to listen", SOON, || TcpStream::connect(("127.0.0.1", port)).is_ok()).unwrap();
    let trust = office.paper("trust.pem");
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"]).arg(trust);
    curl.args(["--resolve", &format!("{name}:{port}:127.0.0.1")]).arg(format!("https://{name}:{port}/"));
    let said = curl.current_dir(folder).output().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(said.stdout, b"200", "{}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn certbot_obtains_renews_and_revokes_while_its_grant_lives() {
    let office = Office::new();
    let certbot = Certbot::new(&office);
    let grant = office.grant("serve");
    let settings = office.folder().join("certbot.ini");
    let said = office.wane.maya.run(&["acme", &grant, "--certbot", settings.to_str().unwrap()]).unwrap();
    assert!(said.success() && !said.stdout.contains("hmac"), "{said:?}");
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(&settings).unwrap().permissions().mode() & 0o777, 0o600);
    let config = settings.to_str().unwrap();
    // Its keys are RSA where nobody says otherwise; the challenge is never asked for.
    certbot.must(&[
        "certonly",
        "--config",
        config,
        "--agree-tos",
        "--register-unsafely-without-email",
        "--standalone",
        "-d",
        NAMES[0],
        "-d",
        NAMES[1],
    ]);
    let first = serial(&certbot.live("cert.pem"));
    is_served(&office, &certbot.live("fullchain.pem"), &certbot.live("privkey.pem"), NAMES[0]);
    is_served(&office, &certbot.live("fullchain.pem"), &certbot.live("privkey.pem"), NAMES[1]);
    certbot.must(&["renew", "--force-renewal", "--no-random-sleep-on-renew"]);
    let second = serial(&certbot.live("cert.pem"));
    assert_ne!(first, second);
    assert_eq!(office.listed(), Vec::<String>::new(), "what was renewed is not revoked");
    // The account is bound: another certificate needs no binding.
    let server = format!("{}/acme/directory", office.wane.server.url());
    certbot.must(&["certonly", "--server", &server, "--standalone", "-d", NAMES[1], "--cert-name", "www"]);
    let www = serial(&certbot.folder.join("config/live/www/cert.pem"));
    let revoke = certbot.live("cert.pem");
    certbot.must(&[
        "revoke",
        "--server",
        &server,
        "--cert-path",
        revoke.to_str().unwrap(),
        "--reason",
        "superseded",
        "--no-delete-after-revoke",
    ]);
    assert_eq!(office.listed(), std::slice::from_ref(&second), "that one, and what else there is goes on");
    let (done, said) = certbot.run(&["certonly", "--server", &server, "--standalone", "-d", "other.example"]);
    assert!(!done && said.contains("does not give this name"), "{said}");

    office.wane.maya.json(&["done", &grant]).unwrap();
    let mut listed = office.listed();
    listed.sort();
    let mut all = [first, second, www];
    all.sort();
    assert_eq!(listed, all, "everything that was issued is on the list from its end on");
    let (done, said) = certbot.run(&["renew", "--force-renewal", "--no-random-sleep-on-renew"]);
    assert!(!done, "{said}");
    assert!(certbot.log().contains("ask for it again, and for another binding"), "{}", certbot.log());
    assert_eq!(office.count(&grant, "credential.issued"), 3);
}

#[test]
fn certbot_gives_its_account_up() {
    let office = Office::new();
    let certbot = Certbot::new(&office);
    let grant = office.grant("serve");
    let Binding { kid, secret } = office.binding(&grant);
    let server = format!("{}/acme/directory", office.wane.server.url());
    let settings = office.folder().join("cli.ini");
    fs::write(&settings, format!("eab-kid = {kid}\neab-hmac-key = {secret}\n")).unwrap();
    let words = ["register", "--server", &server, "--agree-tos", "--register-unsafely-without-email", "--config"];
    certbot.must(&[&words[..], &[settings.to_str().unwrap()]].concat());
    certbot.must(&["unregister", "--server", &server]);
    assert_eq!(office.count(&grant, "acme.given_up"), 1);
    // Whoever has the binding after that makes no second account with it.
    let (done, said) = certbot.run(&[&words[..], &[settings.to_str().unwrap()]].concat());
    assert!(!done && said.contains("the external account binding is not good"), "{said}");
    assert_eq!(office.count(&grant, "acme.binding_refused"), 1, "that somebody has it is written down");
}

#[test]
fn lego_obtains_and_renews() {
    let office = Office::new();
    let grant = office.grant("serve");
    let Binding { kid, secret } = office.binding(&grant);
    let folder = office.folder().join("lego");
    let run = |more: &[&str]| {
        let mut command = Command::new("lego");
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LEGO_EAB_KID", &kid).env("LEGO_EAB_HMAC", &secret);
        command.args(["--server", &format!("{}/acme/directory", office.wane.server.url())]);
        command.args(["--accept-tos", "--email", "ops@shop.example", "--eab", "--kid", &kid, "--hmac", &secret]);
        command.arg("--path").arg(&folder).args(["--http", "--domains", NAMES[0]]);
        // It revokes what it keeps under each of them, and keeps it under the first.
        let names: &[&str] = if more == ["revoke"] { &[] } else { &["--domains", NAMES[1]] };
        command.args(names).args(more);
        let done = command.output().unwrap();
        assert!(done.status.success(), "lego {more:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let file = |ending: &str| folder.join(format!("certificates/{}.{ending}", NAMES[0]));
    run(&["run"]);
    let first = serial(&file("crt"));
    is_served(&office, &file("crt"), &file("key"), NAMES[1]);
    run(&["renew", "--days", "30", "--no-random-sleep"]);
    assert_ne!(first, serial(&file("crt")));
    assert_eq!(office.count(&grant, "credential.issued"), 2);
    run(&["revoke"]);
    assert_eq!(office.listed().len(), 1);
}

/// Caddy gets its certificate by itself and serves with it; with its grant that is over.
#[test]
fn caddy_serves_with_what_it_orders() {
    let office = Office::new();
    let grant = granted(&office.wane.maya, "brief@shop", "30m");
    let Binding { kid, secret } = office.binding(&grant);
    let (port, folder) = (free_port().unwrap(), office.folder().join("caddy"));
    fs::create_dir(&folder).unwrap();
    let lines = format!(
        "{{\n admin off\n renew_interval 5s\n auto_https disable_redirects\n http_port {}\n https_port {port}\n storage file_system {}\n}}\n\
         https://brief.example:{port} {{\n bind 127.0.0.1\n tls {{\n issuer acme {{\n dir {}/acme/directory\n\
         eab {kid} {secret}\n }}\n }}\n respond hello\n}}\n",
        free_port().unwrap(),
        folder.display(),
        office.wane.server.url(),
    );
    fs::write(folder.join("Caddyfile"), lines).unwrap();
    let log = fs::File::create(folder.join("log")).unwrap();
    let mut command = Command::new("caddy");
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &folder).current_dir(&folder);
    command.args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]);
    let mut caddy = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let trust = office.paper("trust.pem");
    let serves = || {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--cacert"]).arg(&trust).args(["--resolve", &format!("brief.example:{port}:127.0.0.1")]);
        let said = curl.arg(format!("https://brief.example:{port}/")).output().unwrap();
        said.stdout == b"hello"
    };
    let served = wait_until("Caddy to serve", SOON, serves);
    let renewed =
        served.and_then(|()| wait_until("Caddy to renew", SOON, || office.count(&grant, "credential.issued") > 1));
    caddy.kill().unwrap();
    caddy.wait().unwrap();
    renewed.unwrap_or_else(|e| panic!("{e}: {}", fs::read_to_string(folder.join("log")).unwrap_or_default()));
}

#[test]
fn a_binding_is_for_names_and_for_whoever_holds_the_grant() {
    let office = Office::new();
    let maya = &office.wane.maya;
    // Found, or asked for.
    let made = maya.json(&["acme", "serve@shop", "--for", "10m"]).unwrap();
    assert_eq!(made["names"], json!(["shop.example", "www.shop.example", "127.0.0.1"]), "{made}");
    assert!(text(&made["kid"]).starts_with("acm_"), "{made}");
    let client = granted(maya, "call@shop", "10m");
    let outcome = maya.run(&["acme", &client]).unwrap();
    assert!(!outcome.success() && outcome.stderr.contains("by their names"), "{outcome:?}");
    let grant = office.grant("serve");
    let outcome = office.wane.ada.run(&["acme", &grant]).unwrap();
    assert!(!outcome.success(), "{outcome:?}");
    maya.json(&["done", &grant]).unwrap();
    let outcome = maya.run(&["acme", &grant]).unwrap();
    assert!(!outcome.success() && outcome.stdout.is_empty(), "{outcome:?}");
}
