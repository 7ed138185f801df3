//! X.509 certificates at a real nginx, with curl and OpenSSL: good within their grant and nowhere after it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use wane_testkit::{Ended, Nginx, PersonSession, WaneServer, WaneServerBuilder, wait_until};

use crate::machines::lab::{Actions, Runner};
use crate::people::{Deployment, SOON, granted, items, text};

/// A deployment with an authority, the service `web`, and roles for both ends of a connection to it.
struct Office {
    wane: Deployment,
}

/// What curl came back with.
#[derive(Debug)]
struct Heard {
    status: String,
    body: String,
}

impl Office {
    fn with(builder: WaneServerBuilder) -> Self {
        let mut wane = Deployment::with(builder);
        wane.server.stop().unwrap();
        let made = authority(&wane.server, &["new"]);
        assert_eq!(made["items"][0]["state"], "issuing", "{made}");
        wane.server.start().unwrap();
        let here = Self { wane };
        let ada = &here.wane.ada;
        let settings = json!({ "crl_pull_secs": 5 }).to_string();
        ada.json(&["resource", "add", "web", "--kind", "x509", "--label", "gate=open", "--settings", &settings])
            .unwrap();
        for (role, sets) in [
            ("x509/operate", &["use=client", "common_name=operator"][..]),
            ("x509/brief", &["use=client", "life_secs=12"]),
            ("x509/serve", &["use=server", r#"ip_addresses=["127.0.0.1"]"#, "life_secs=3600"]),
        ] {
            let sets = sets.iter().flat_map(|set| ["--set", set]);
            ada.json(&["role", "add", role].into_iter().chain(sets).collect::<Vec<_>>()).unwrap();
        }
        here
    }

    /// Fetches a paper with curl, as a cron job would.
    fn paper(&self, name: &str) -> PathBuf {
        let path = self.wane.server.folder().join(name);
        let url = format!("{}/v1/published/x509/{name}", self.wane.server.url());
        let done = Command::new("curl").args(["-fsS", "-o"]).arg(&path).arg(url).status().unwrap();
        assert!(done.success(), "{name}");
        path
    }

    /// An nginx whose own certificate is by the authority as well.
    fn nginx(&self) -> Nginx {
        let folder = self.wane.server.folder().join("nginx");
        fs::create_dir(&folder).unwrap();
        let pair = self.pair("serve", "nginx-pair");
        Nginx::start(&folder, &pair, &self.paper("trust.pem"), &self.paper("crl.pem")).unwrap()
    }

    /// A pair for a role, by `wane cert`; the folder in which it is.
    fn pair(&self, role: &str, name: &str) -> PathBuf {
        let out = self.wane.server.folder().join(name);
        let said = self.wane.maya.run(&["cert", "web", "--role", role, "--for", "10m", "--out", out.to_str().unwrap()]);
        assert!(said.as_ref().is_ok_and(wane_testkit::Outcome::success), "{said:?}");
        out.join("current")
    }

    /// The serial numbers on the list, as OpenSSL reads them, and its number.
    fn listed(&self) -> (Vec<String>, String) {
        let shown = Command::new("openssl").args(["crl", "-noout", "-text", "-in"]).arg(self.paper("crl.pem")).output();
        let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
        let after = |mark: &str| -> Vec<String> {
            shown
                .lines()
                .filter_map(|line| line.trim().strip_prefix(mark))
                .map(|rest| rest.trim().to_lowercase())
                .collect()
        };
        let number = shown.lines().skip_while(|line| !line.contains("CRL Number")).nth(1).unwrap_or_default();
        (after("Serial Number:"), number.trim().to_owned())
    }
}

/// `wane authority` with these words; the server is stopped.
pub(crate) fn authority(server: &WaneServer, words: &[&str]) -> Value {
    let settings = server.server_words();
    let mut command = Command::new(server.binary());
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", server.folder());
    let done = command.arg("--json").arg("authority").args(&settings[1..]).args(words).output().unwrap();
    assert!(done.status.success(), "wane authority {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

fn curl(port: u16, trust: &Path, pair: Option<&Path>) -> Heard {
    let mut command = Command::new("curl");
    command.args(["-sS", "-w", "\n%{http_code}", "--cacert"]).arg(trust);
    if let Some(pair) = pair {
        command.arg("--cert").arg(pair.join("cert.pem")).arg("--key").arg(pair.join("key.pem"));
    }
    let done = command.arg(format!("https://127.0.0.1:{port}/")).output().unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    let (body, status) = said.rsplit_once('\n').unwrap();
    Heard { status: status.to_owned(), body: format!("{body}{}", String::from_utf8_lossy(&done.stderr)) }
}

fn serial(pair: &Path) -> String {
    let shown = Command::new("openssl").args(["x509", "-noout", "-serial", "-in"]).arg(pair.join("cert.pem")).output();
    let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
    shown.trim().trim_start_matches("serial=").to_lowercase()
}

#[test]
fn a_certificate_is_on_the_list_from_its_end_on() {
    let office = Office::with(WaneServer::builder());
    let nginx = office.nginx();
    let trust = office.paper("trust.pem");
    let pair = office.pair("operate", "client");
    let heard = curl(nginx.port(), &trust, Some(&pair));
    assert!(heard.status == "200" && heard.body.contains("CN=operator"), "{heard:?}\n{}", nginx.log());
    assert_eq!(curl(nginx.port(), &trust, None).status, "400", "nobody without a certificate");
    use std::os::unix::fs::PermissionsExt as _;
    for file in ["cert.pem", "key.pem", "trust.pem"] {
        assert_eq!(fs::metadata(pair.join(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    let (before, first) = office.listed();
    assert_eq!(before, Vec::<String>::new());

    let grant = heard.body.split("UID=").nth(1).or_else(|| heard.body.split("0.9.2342.19200300.100.1.1=").nth(1));
    let grant = grant.map(|rest| rest.chars().take(30).collect::<String>()).unwrap_or_else(|| panic!("{heard:?}"));
    office.wane.maya.json(&["done", &grant]).unwrap();
    let (after, second) = office.listed();
    assert_eq!(after, [serial(&pair)], "it is on the list as soon as the end is said");
    assert_ne!(first, second);
    nginx.reload().unwrap();
    let heard = curl(nginx.port(), &trust, Some(&pair));
    assert!(heard.status == "400" && heard.body.contains("SSL certificate error"), "{heard:?}");
    assert!(nginx.log().contains("certificate revoked"), "{}", nginx.log());
    // Nothing claims that it is gone: the service is not asked.
    let shown = office.wane.grant(&grant);
    assert_ne!(shown["state"], "closed", "{shown:#}");
    assert!(office.wane.events(&grant).contains(&"credential.issued".to_owned()));
    // And nothing is handed out under it any more.
    let late = office.wane.maya.run(&["credential", &grant, "--input", "{}"]).unwrap();
    assert!(!late.success(), "{late:?}");
    // Everybody may read it, and nothing else under its name.
    let url = format!("{}/v1/published/x509/none.pem", office.wane.server.url());
    let missing = Command::new("curl").args(["-s", "-o", "/dev/null", "-w", "%{http_code}", &url]).output().unwrap();
    assert_eq!(missing.stdout, b"404");
}

#[test]
fn a_pair_is_kept_fresh_and_goes_with_its_grant() {
    let office = Office::with(WaneServer::builder());
    let nginx = office.nginx();
    let trust = office.paper("trust.pem");
    let maya: &PersonSession = &office.wane.maya;
    let grant = granted(maya, "brief@web", "10m");
    let (out, told) = (office.wane.server.folder().join("kept"), office.wane.server.folder().join("told"));
    let reload = format!("echo told >> {}", told.display());
    let words = ["cert", "web", "--role", "brief", "--out", out.to_str().unwrap(), "--keep", "--reload", &reload];
    let mut keeping = maya.interactive(&words).unwrap();
    let pair = out.join("current");
    wait_until("the first pair", SOON, || pair.join("key.pem").exists())
        .unwrap_or_else(|e| panic!("{e}: {}", keeping.stderr()));
    let old = office.wane.server.folder().join("old");
    fs::create_dir(&old).unwrap();
    for file in ["cert.pem", "key.pem"] {
        fs::copy(pair.join(file), old.join(file)).unwrap();
    }
    assert_eq!(curl(nginx.port(), &trust, Some(&old)).status, "200", "{}", nginx.log());
    wait_until("another pair", SOON, || serial(&pair) != serial(&old))
        .unwrap_or_else(|e| panic!("{e}: {}", keeping.stderr()));
    wait_until("the first to have run out", SOON, || curl(nginx.port(), &trust, Some(&old)).status == "400").unwrap();
    assert!(nginx.log().contains("certificate has expired"), "{}", nginx.log());
    assert_eq!(curl(nginx.port(), &trust, Some(&pair)).status, "200", "{}", nginx.log());
    wait_until("the program to be told", SOON, || {
        fs::read_to_string(&told).is_ok_and(|told| told.lines().count() >= 2)
    })
    .unwrap();
    assert!(keeping.is_running());
    maya.json(&["done", &grant]).unwrap();
    let outcome = keeping.wait_exit(SOON).unwrap();
    assert_eq!(outcome.ended, Ended::Code(0), "{outcome:?}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "nothing is left of the pair");
}

/// A job shows who it is with a pair in memory, which goes with it; kubectl is given one as its plugins give it.
#[test]
fn a_job_shows_a_certificate_that_goes_with_it() {
    let office = Office::with(WaneServer::builder());
    let nginx = office.nginx();
    let trust = office.paper("trust.pem");
    let (actions, runner) = (Actions::for_deployment(&office.wane), Runner::of(&office.wane));
    let looks = format!(
        "stat -f -c 'on %T' \"$WANE_KEY_FILE\"; stat -L -c 'mode %a' \"$WANE_KEY_FILE\"; \
         curl -sS --cacert {} --cert \"$WANE_CERT_FILE\" --key \"$WANE_KEY_FILE\" https://127.0.0.1:{}/",
        trust.display(),
        nginx.port()
    );
    let outcome = runner.run(&actions.token(), &["exec", "--role", "operate", "--on", "web", "--", "sh", "-c", &looks]);
    assert!(outcome.success() && outcome.stdout.starts_with("on tmpfs\nmode 600\n"), "{outcome:?}");
    assert!(outcome.stdout.contains("CN=operator"), "{outcome:?}\n{}", nginx.log());
    runner.assert_clean(&[]);
    assert_eq!(office.listed().0.len(), 1, "it is on the list from the end of the job on");
    let words = ["cert", "web", "--role", "operate", "--for", "10m", "--out", "-", "--format", "exec-credential"];
    let said = office.wane.maya.run(&words).unwrap().into_stdout().unwrap();
    let credential: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(credential["apiVersion"], "client.authentication.k8s.io/v1", "{said}");
    let status = &credential["status"];
    assert!(text(&status["clientCertificateData"]).starts_with("-----BEGIN CERTIFICATE-----"), "{said}");
    assert!(text(&status["clientKeyData"]).contains("PRIVATE KEY-----"), "{said}");
    assert!(text(&status["expirationTimestamp"]).ends_with('Z'), "{said}");
}

#[test]
fn an_issue_that_was_cut_off_is_booked_and_listed_or_was_never_handed_out() {
    let mut office = Office::with(WaneServer::builder().failpoints());
    let folder = office.wane.server.folder().to_owned();
    let request = Command::new("openssl")
        .args(["req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=x"])
        .args(["-keyout", "crash.key", "-out", "crash.csr"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(request.status.success());
    let input = json!({ "csr": fs::read_to_string(folder.join("crash.csr")).unwrap() }).to_string();
    let mut listed = 0;
    for (place, booked) in
        [("x509.sign:before", 1), ("x509.sign:after", 1), ("app.sign.commit:before", 1), ("app.sign.commit:after", 2)]
    {
        let grant = granted(&office.wane.maya, "operate@web", "5m");
        let words = ["credential", &grant, "--input", &input];
        office.wane.server.plan(&format!("{place}=kill")).unwrap();
        let cut = office.wane.maya.run(&words).unwrap();
        assert!(!cut.success() && !cut.stdout.contains("BEGIN CERTIFICATE"), "{place}: {cut:?}");
        wait_until("the server to be dead", SOON, || office.wane.server.died().is_some()).unwrap();
        office.wane.server.plan("").unwrap();
        office.wane.server.start().unwrap();
        let again = office.wane.maya.json(&words).unwrap();
        let certificate = text(&again["public"]["certificate"]);
        assert!(certificate.contains("BEGIN CERTIFICATE"), "{place}: {again}");
        let events = office.wane.events(&grant);
        assert_eq!(events.iter().filter(|event| *event == "credential.issued").count(), booked, "{place}: {events:?}");
        office.wane.maya.json(&["done", &grant]).unwrap();
        listed += booked;
        let (serials, _) = office.listed();
        assert_eq!(serials.len(), listed, "{place}: everything that was booked is on the list");
        assert!(serials.contains(&text(&again["public"]["serial"])), "{place}: {serials:?}");
    }
    let grants = office.wane.ada.json(&["grants", "--all"]).unwrap();
    assert_eq!(items(&grants).len(), 4, "{grants}");
}
