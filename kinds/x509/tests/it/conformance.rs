//! The kit every kind passes, and what is read back, against a real server that asks for client certificates.

use std::process::Command;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use wane_connector::conformance::{self, Given, Live, Subject, Used};
use wane_connector::{ConnectError, EndOutcome, Kind, Presence, Revoked, Target};
use wane_domain::catalogue::{Resource, Role};
use wane_domain::issue::IssuePermit;
use wane_domain::lease::{LeaseData, LeaseEvent};
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};
use wane_testkit::{Held, Interactive, Stunnel};
use zeroize::Zeroizing;

use crate::world::{Bench, P256, With, World, machine_now};

/// A service with a certificate by the authority, which its clients' are by as well.
struct Service {
    world: World,
    bench: Bench,
    stunnel: Stunnel,
    resource: Resource,
    role: Role,
    held: Held,
}

impl Service {
    fn new(seed: u8, with: With) -> Self {
        let (world, bench) = (World::new(seed, with), Bench::new());
        let own = world.resource(&json!({}));
        let role = world.role(&json!({ "use": "server", "ip_addresses": ["127.0.0.1"], "life_secs": 3600 }));
        let held = world.hold(&own, &role, Span::from_hours(1));
        let server = world.issue(&held, &own, &role, &bench.request(P256, "")).unwrap();
        let certificate = server.handed.public["certificate"].as_str().unwrap();
        let (trust, list) = (world.paper("trust.pem", 1, &[]), world.paper("crl.pem", 1, &[]));
        let stunnel = Stunnel::start(bench.path(), certificate, &bench.read("key.pem"), &trust, &list).unwrap();
        let address = format!("127.0.0.1:{}", stunnel.port());
        let resource = world.resource(&json!({ "address": address, "read_back": "handshake", "crl_pull_secs": 30 }));
        let role = world.role(&json!({ "use": "client" }));
        let held = world.hold(&resource, &role, Span::from_hours(1));
        Self { world, bench, stunnel, resource, role, held }
    }

    /// `openssl s_client` with what was handed out.
    fn client(&self, given: &Given) -> Command {
        let put = |name: &str, text: &str| self.bench.put(name, text);
        let certificate = put("client.pem", given.public["certificate"].as_str().unwrap());
        let key = put("client.key", &given.secret);
        let trust = put("client.trust", given.public["trust"].as_str().unwrap());
        let mut command = Command::new("openssl");
        command
            .args(["s_client", "-quiet", "-verify_return_error", "-connect"])
            .arg(format!("127.0.0.1:{}", self.stunnel.port()))
            .arg("-cert")
            .arg(certificate)
            .arg("-key")
            .arg(key)
            .arg("-CAfile")
            .arg(trust);
        command
    }
}

struct Open(Interactive);

#[async_trait]
impl Live for Open {
    async fn works(&mut self) -> Result<bool, String> {
        let before = self.0.stdout().matches("hello").count();
        if self.0.send_line("hello").is_err() {
            return Ok(false);
        }
        let said = wane_testkit::wait_until("the echo", Duration::from_secs(20), || {
            self.0.stdout().matches("hello").count() > before
        });
        Ok(said.is_ok())
    }
}

#[async_trait]
impl Subject for Service {
    fn kind(&self) -> &dyn Kind {
        &self.world.kind
    }

    fn target(&self) -> Target<'_> {
        self.world.target(&self.resource)
    }

    fn role(&self) -> &Role {
        &self.role
    }

    fn lease(&self) -> Result<LeaseData, String> {
        Ok((*self.held.lease).clone())
    }

    fn permit(&self, _lease: &LeaseData) -> Result<IssuePermit, String> {
        Ok(self.held.permit(self.world.now()))
    }

    fn now(&self) -> Time {
        machine_now()
    }

    async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    async fn give(&self, lease: &LeaseData, permit: IssuePermit) -> Result<Given, ConnectError> {
        let sent = self.bench.request(P256, "");
        let issuer = self.world.kind.issuer().unwrap();
        let issued = issuer.issue(&self.target(), &self.role, lease, permit, &sent, 1)?;
        let debug = format!("{issued:?}");
        let key = Secret::new(self.bench.read("key.pem").into_bytes());
        let secret = Zeroizing::new(String::from_utf8_lossy(key.expose()).into_owned());
        self.bench.put("inventory.json", issued.inventory.to_string());
        let (public, not_after) = (issued.handed.public, issued.handed.not_after);
        Ok(Given { object: None, notes: issued.notes, public, secret, not_after, debug })
    }

    async fn use_it(&self, given: &Given) -> Result<Used, String> {
        let mut client = Interactive::spawn(&mut self.client(given)).map_err(|e| e.to_string())?;
        // One that was refused is gone, and nothing can be said to it.
        let _ = client.send_line("hello");
        let heard = wane_testkit::wait_until("an answer", Duration::from_secs(20), || {
            client.stdout().contains("hello") || !client.is_running()
        });
        heard.map_err(|e| e.to_string())?;
        if client.stdout().contains("hello") { Ok(Used::Accepted) } else { Ok(Used::Refused { why: client.stderr() }) }
    }

    async fn open(&self, given: &Given) -> Result<Box<dyn Live>, String> {
        Interactive::spawn(&mut self.client(given)).map(|open| Box::new(Open(open)) as _).map_err(|e| e.to_string())
    }

    async fn revoke(&self, _lease: &LeaseData) -> Result<(), String> {
        let inventory: Value = serde_json::from_str(&self.bench.read("inventory.json")).unwrap();
        let list = self.world.paper("crl.pem", 2, &[Revoked { inventory, since: self.world.now() }]);
        self.stunnel.give_list(&list).map_err(|e| format!("{e:#}"))
    }
}

#[tokio::test]
async fn the_kit_holds_at_a_real_server() {
    let service = Service::new(30, With::P256);
    let report = conformance::run(&service).await.unwrap_or_else(|e| panic!("{e}\n{}", service.stunnel.log()));
    assert!(report.shown.iter().any(|claim| claim.contains("refused within the declared time")), "{report:?}");
}

#[tokio::test]
async fn reading_back_needs_no_key_and_lets_nobody_in() {
    let service = Service::new(31, With::Ed25519);
    let lease = service.lease().unwrap();
    let given = service.give(&lease, service.permit(&lease).unwrap()).await.unwrap();
    let effects = service.world.kind.effects();
    let event = LeaseEvent::Made { object: None, notes: given.notes.clone() };
    let live = service.held.lease.clone().apply(event, service.world.now()).unwrap().0;
    let confirmed = live.clone().apply(LeaseEvent::Confirmed, service.world.now()).unwrap().0;
    let ask = async || effects.read_back(&service.target(), &live).await.unwrap();
    let seen = ask().await;
    assert!(matches!(seen, Presence::Present { .. }), "{seen:?}");
    // Not seen accepted, a refusal would prove nothing; and what is not asked is waited for.
    let ended = effects.end(&service.target(), &live).await.unwrap();
    let until = given.not_after.unwrap().plus(wane_kind_x509::SKEW);
    assert!(matches!(ended, EndOutcome::Unrecallable { until: at, .. } if at == until), "{ended:?}");
    assert_eq!(effects.end(&service.target(), &confirmed).await.unwrap(), EndOutcome::Done);
    service.revoke(&live).await.unwrap();
    let refused = ask().await;
    assert!(
        matches!(&refused, Presence::LoginRefused { proof } if proof.contains("CertificateRevoked")),
        "{refused:?}"
    );
    let log = service.stunnel.log();
    assert!(!log.contains("connected remote") && !log.contains("s_connect: connected"), "nobody was let in: {log}");
    // A service that is not asked, and one that reads no list.
    for settings in [json!({}), json!({ "crl_pull_secs": 30 })] {
        let resource = service.world.resource(&settings);
        let target = service.world.target(&resource);
        assert!(
            matches!(effects.end(&target, &confirmed).await.unwrap(), EndOutcome::Unrecallable { .. }),
            "{settings}"
        );
        assert!(effects.read_back(&target, &confirmed).await.is_err(), "{settings}");
    }
    service.world.clock.advance(Span::from_mins(20));
    let plain = service.world.resource(&json!({}));
    let over = effects.read_back(&service.world.target(&plain), &confirmed).await.unwrap();
    assert!(matches!(over, Presence::LoginRefused { .. }), "{over:?}");
}
