//! The kit every kind passes, at a real nginx that asks about each call; and what is claimed of an end, and when.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use wane_connector::conformance::{self, Given, Live, Subject, Used};
use wane_connector::{ConnectError, EndOutcome, Kind, Presence, Target, Tokens};
use wane_domain::catalogue::{Resource, Role};
use wane_domain::issue::IssuePermit;
use wane_domain::lease::{LeaseData, LeaseEvent};
use wane_domain::time::{Span, Time};
use wane_testkit::{Held, Nginx};
use zeroize::Zeroizing;

use crate::world::{AUDIENCE, With, World, machine_now};

/// A server behind nginx, which asks about each call. What it asks stands in for this server's own answer, as the kind
/// gives it, without the store.
struct Api {
    world: World,
    nginx: Nginx,
    over: Arc<AtomicBool>,
    resource: Resource,
    role: Role,
    held: Held,
    _folder: tempfile::TempDir,
}

fn answering(tokens: Arc<dyn Tokens>, over: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut token = String::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or_default() < 3 {
                    break;
                }
                if let Some(rest) = line.to_ascii_lowercase().strip_prefix("authorization: bearer ").map(str::len) {
                    token = line[line.len() - rest..].trim().to_owned();
                }
            }
            let now = machine_now();
            let read = tokens.read(&token, now);
            let good = read.is_some() && !over.load(Ordering::SeqCst);
            if let Some(read) = read {
                tokens.told(read.lease, good, read.until, now);
            }
            let status = if good { "204 No Content" } else { "401 Unauthorized" };
            let _ = (&stream).write_all(format!("HTTP/1.1 {status}\r\nconnection: close\r\n\r\n").as_bytes());
        }
    });
    port
}

impl Api {
    fn new(seed: u64) -> Self {
        let world = World::new(seed, With::P256);
        // Its clock is the machine's for as long as a test takes.
        world.clock.set(machine_now());
        let over = Arc::new(AtomicBool::new(false));
        let port = answering(world.tokens(), Arc::clone(&over));
        let folder = tempfile::tempdir().unwrap();
        let nginx = Nginx::asking(folder.path(), &format!("http://127.0.0.1:{port}/"), "none").unwrap();
        let resource = world.resource(&json!({ "audience": AUDIENCE, "hears": "introspection" }));
        let role = world.role(&json!({ "scopes": ["read"] }));
        let held = world.hold(&resource, &role, Span::from_hours(1));
        Self { world, nginx, over, resource, role, held, _folder: folder }
    }

    fn call(&self, token: &str, path: &str) -> Result<BufReader<TcpStream>, String> {
        let failed = |e: std::io::Error| e.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.nginx.port())).map_err(failed)?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(failed)?;
        let head =
            format!("GET {path} HTTP/1.1\r\nhost: api\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
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
impl Subject for Api {
    fn kind(&self) -> &dyn Kind {
        &self.world.kind
    }

    fn target(&self) -> Target<'_> {
        Target { resource: &self.resource, credential: None, now: machine_now() }
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
        let issuer = self.world.kind.issuer().unwrap();
        let issued = issuer.issue(&self.target(), &self.role, lease, permit, &Value::Null, 1)?;
        let debug = format!("{issued:?}");
        let secret = issued.handed.secret.map_or_else(Zeroizing::default, wane_domain::secret::SecretOnce::reveal);
        let (public, not_after) = (issued.handed.public, issued.handed.not_after);
        Ok(Given { object: None, notes: issued.notes, public, secret, not_after, debug })
    }

    async fn use_it(&self, given: &Given) -> Result<Used, String> {
        let mut status = String::new();
        self.call(&given.secret, "/")?.read_line(&mut status).map_err(|e| e.to_string())?;
        match status.split(' ').nth(1) {
            Some("200") => Ok(Used::Accepted),
            Some("401") => Ok(Used::Refused { why: status }),
            _ => Err(format!("{status}\n{}", self.nginx.log())),
        }
    }

    async fn open(&self, given: &Given) -> Result<Box<dyn Live>, String> {
        Ok(Box::new(Begun(self.call(&given.secret, "/slow")?)))
    }

    async fn revoke(&self, _lease: &LeaseData) -> Result<(), String> {
        self.over.store(true, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test]
async fn the_kit_holds_at_a_real_server() {
    let api = Api::new(50);
    let report = conformance::run(&api).await.unwrap_or_else(|e| panic!("{e}\n{}", api.nginx.log()));
    assert!(report.shown.iter().any(|claim| claim.contains("refused within the declared time")), "{report:?}");
}

#[tokio::test]
async fn an_end_claims_what_was_seen_and_never_more() {
    let world = World::new(51, With::P256);
    let role = world.role(&json!({ "scopes": ["read"], "life_secs": 600 }));
    let nothing = world.resource(&json!({ "audience": AUDIENCE }));
    let with = |settings: Value| Resource { settings: world.kind.settings(&settings).unwrap(), ..nothing.clone() };
    let asks = with(json!({ "audience": AUDIENCE, "hears": "introspection", "cache_secs": 30 }));
    let listens = with(json!({ "audience": AUDIENCE, "hears": "feed" }));
    let held = world.hold(&nothing, &role, Span::from_hours(1));
    let issued = world.issue(&held, &nothing, &role, &Value::Null).unwrap();
    let until = issued.handed.not_after.unwrap();
    let made = LeaseEvent::Made { object: None, notes: issued.notes };
    let live = held.lease.clone().apply(made, world.now()).unwrap().0;
    let seen = live.clone().apply(LeaseEvent::Confirmed, world.now()).unwrap().0;
    let effects = world.kind.effects();
    let end = async |resource: &Resource, lease: &LeaseData| effects.end(&world.target(resource), lease).await.unwrap();
    let read_back =
        async |resource: &Resource, lease: &LeaseData| effects.read_back(&world.target(resource), lease).await;
    // Nobody asked: nothing can be said but when it runs out.
    for resource in [&nothing, &asks, &listens] {
        let ended = end(resource, &live).await;
        let over = until.plus(wane_kind_oauth::SKEW);
        assert!(matches!(ended, EndOutcome::Unrecallable { until, .. } if until == over), "{ended:?}");
        assert!(read_back(resource, &live).await.is_err());
    }
    // A server that was seen to ask is told; and one that says it does not ask is not believed to.
    let ended = seen.clone().apply(LeaseEvent::End, world.now()).unwrap().0;
    assert_eq!(end(&asks, &ended).await, EndOutcome::Done);
    assert!(matches!(end(&nothing, &ended).await, EndOutcome::Unrecallable { .. }));
    assert!(matches!(end(&listens, &ended).await, EndOutcome::Unrecallable { .. }));
    // But an answer that it keeps is good until that is old.
    let within = read_back(&asks, &ended).await.unwrap();
    assert!(matches!(within, Presence::Present { .. }), "{within:?}");
    world.clock.advance(Span::from_secs(31));
    let after = read_back(&asks, &ended).await.unwrap();
    assert!(matches!(&after, Presence::LoginRefused { proof } if proof.contains("30 s")), "{after:?}");
    // One that asked after the end and was told is refused, whichever way it hears.
    let tokens = world.tokens();
    tokens.told(live.id, false, until, world.now());
    for resource in [&asks, &listens] {
        assert_eq!(end(resource, &ended).await, EndOutcome::Done);
        let told = read_back(resource, &ended).await.unwrap();
        assert!(matches!(&told, Presence::LoginRefused { proof } if proof.contains("was told")), "{told:?}");
    }
    // Of what nobody was seen to take a refusal proves nothing.
    assert!(matches!(end(&asks, &live).await, EndOutcome::Unrecallable { .. }));
    assert!(matches!(end(&listens, &live).await, EndOutcome::Unrecallable { .. }));
    // Told that it is good again (it cannot be, but if it were), it is not refused.
    tokens.told(live.id, true, until, world.now());
    let again = read_back(&asks, &ended).await.unwrap();
    assert!(matches!(again, Presence::Present { .. }), "{again:?}");
    assert!(read_back(&nothing, &ended).await.is_err());
    world.clock.set(until.plus(wane_kind_oauth::SKEW));
    let over = read_back(&nothing, &ended).await.unwrap();
    assert!(matches!(&over, Presence::LoginRefused { proof } if proof.contains("ran out by itself")), "{over:?}");
}
