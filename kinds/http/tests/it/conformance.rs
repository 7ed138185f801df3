//! The kit every kind passes: keys, at a real nginx that takes nobody but the gateway.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::watch;
use wane_app::Standing;
use wane_connector::conformance::{self, Given, Live, Subject, Used};
use wane_connector::{ConnectError, Kind, Target};
use wane_domain::catalogue::{Resource, Role};
use wane_domain::issue::IssuePermit;
use wane_domain::lease::{LeaseData, LeaseKind};
use wane_domain::request::AskItem;
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};
use wane_kind_http::HttpKind;
use wane_testkit::{FakeClock, Held, Nginx, ServerCertificate, plain_ask};
use zeroize::Zeroizing;

use crate::gate::Gate;

/// An application behind the gateway, and a grant on it.
struct Application {
    gate: Arc<Gate>,
    at: SocketAddr,
    nginx: Nginx,
    held: Held,
    _folder: tempfile::TempDir,
}

#[expect(clippy::disallowed_methods, reason = "what a real server judges by")]
fn machine_now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time::from_micros(i64::try_from(since.as_micros()).unwrap())
}

impl Application {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let own = ServerCertificate::generate(folder.path()).unwrap();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"])
            .args(["-subj", "/CN=wane-gateway", "-addext", "extendedKeyUsage=clientAuth", "-keyout"])
            .args([at("client.key"), "-out".into(), at("client.pem")])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let read = |name: &str| std::fs::read(at(name)).unwrap();
        let credential = Secret::new([read("client.pem"), read("client.key")].concat());
        let nginx =
            Nginx::application(folder.path(), (own.certificate_path(), own.key_path()), &at("client.pem")).unwrap();
        let ambient = FakeClock::at(machine_now()).ambient(seed);
        let kind = Arc::new(HttpKind::new(Some(&Secret::new(vec![9; 32]))));
        let settings = json!({
            "origin": "https://app.example.com", "upstream": format!("https://localhost:{}", nginx.port()),
            "upstream_ca": std::fs::read_to_string(own.ca_path()).unwrap(), "inject": { "as": "client_certificate" },
        });
        let resource = Resource {
            id: ambient.id(),
            name: "app".parse().unwrap(),
            kind: "http".parse().unwrap(),
            labels: Default::default(),
            owner: None,
            settings: kind.settings(&settings).unwrap(),
            since: ambient.now(),
        };
        let definition = json!({ "allow": [{ "methods": ["GET"], "paths": ["/**"] }] });
        let role = Role {
            id: ambient.id(),
            name: "viewer".parse().unwrap(),
            kind: "http".parse().unwrap(),
            description: String::new().try_into().unwrap(),
            definition: kind.definition(&definition).unwrap(),
            since: ambient.now(),
        };
        let item = AskItem { resource: resource.id, role: role.id, role_digest: role.digest().unwrap(), task: None };
        let ask = plain_ask(&ambient, item, Span::from_hours(1));
        let held = wane_testkit::hold(&ambient, ask, "http", LeaseKind::Credential, ambient.now());
        let told = watch::channel(Standing::Until(ambient.now().plus(Span::from_hours(1)))).0;
        let (grant, closed, misused) = (held.grant.clone(), AtomicU64::new(0), AtomicU64::new(0));
        let gate = Arc::new(Gate { kind, ambient, resource, role, credential, grant, told, closed, misused });
        let at = gate.serve();
        Self { gate, at, nginx, held, _folder: folder }
    }

    /// The key of this number under the lease.
    fn key(&self, lease: &LeaseData, permit: IssuePermit, serial: u64) -> Result<Given, ConnectError> {
        let issuer = self.gate.kind.issuer().unwrap();
        let issued = issuer.issue(&self.target(), &self.gate.role, lease, permit, &json!({}), serial)?;
        let debug = format!("{issued:?}");
        let secret = issued.handed.secret.map_or_else(Zeroizing::default, wane_domain::secret::SecretOnce::reveal);
        let (public, not_after): (Value, _) = (issued.handed.public, issued.handed.not_after);
        Ok(Given { object: None, notes: issued.notes, public, secret, not_after, debug })
    }

    fn call(&self, key: &str, path: &str) -> Result<BufReader<TcpStream>, String> {
        let failed = |e: std::io::Error| e.to_string();
        let mut stream = TcpStream::connect(self.at).map_err(failed)?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(failed)?;
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: app.example.com\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).map_err(failed)?;
        Ok(BufReader::new(stream))
    }
}

/// A long answer that was begun.
struct Begun(BufReader<TcpStream>);

#[async_trait]
impl Live for Begun {
    async fn works(&mut self) -> Result<bool, String> {
        let mut some = [0_u8; 4096];
        Ok(self.0.read(&mut some).is_ok_and(|read| read > 0))
    }
}

#[async_trait]
impl Subject for Application {
    fn kind(&self) -> &dyn Kind {
        &*self.gate.kind
    }

    fn target(&self) -> Target<'_> {
        Target { resource: &self.gate.resource, credential: Some(&self.gate.credential), now: machine_now() }
    }

    fn role(&self) -> &Role {
        &self.gate.role
    }

    fn lease(&self) -> Result<LeaseData, String> {
        Ok((*self.held.lease).clone())
    }

    fn permit(&self, _lease: &LeaseData) -> Result<IssuePermit, String> {
        Ok(self.held.permit(self.gate.ambient.now()))
    }

    fn now(&self) -> Time {
        machine_now()
    }

    async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    async fn give(&self, lease: &LeaseData, permit: IssuePermit) -> Result<Given, ConnectError> {
        self.key(lease, permit, 1)
    }
    async fn use_it(&self, given: &Given) -> Result<Used, String> {
        let mut status = String::new();
        self.call(&given.secret, "/file")?.read_line(&mut status).map_err(|e| e.to_string())?;
        match status.split(' ').nth(1) {
            Some("200") => Ok(Used::Accepted),
            Some("401" | "403") => Ok(Used::Refused { why: status }),
            _ => Err(format!("{status}\n{}", self.nginx.log())),
        }
    }

    async fn open(&self, given: &Given) -> Result<Box<dyn Live>, String> {
        Ok(Box::new(Begun(self.call(&given.secret, "/slow")?)))
    }

    async fn revoke(&self, _lease: &LeaseData) -> Result<(), String> {
        self.gate.told.send_replace(Standing::Over("its person gave it back".to_owned()));
        Ok(())
    }
}

/// Whatever refuses a key while its grant stands, a full disk say, nobody is told that somebody else has it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_while_its_grant_stands_is_no_misuse() {
    let application = Application::new(71);
    let gate = &application.gate;
    let issue = || application.held.permit(gate.ambient.now());
    // The port takes the first key alone.
    let second = application.key(&application.held.lease, issue(), 2).unwrap();
    assert!(matches!(application.use_it(&second).await, Ok(Used::Refused { .. })));
    assert_eq!(gate.misused.load(Ordering::SeqCst), 0);
    application.revoke(&application.lease().unwrap()).await.unwrap();
    assert!(matches!(application.use_it(&second).await, Ok(Used::Refused { .. })));
    assert_eq!(gate.misused.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kit_holds_at_a_real_application() {
    let application = Application::new(70);
    let report = conformance::run(&application).await.unwrap_or_else(|e| panic!("{e}\n{}", application.nginx.log()));
    for claim in ["refused within the declared time", "the open session is cut"] {
        assert!(report.shown.iter().any(|shown| shown.contains(claim)), "{report:?}");
    }
    let deadline = Duration::from_secs(20);
    let closed = async || application.gate.closed.load(Ordering::SeqCst) >= 1;
    wane_testkit::eventually("the session to be closed", deadline, closed).await.unwrap();
}
