//! What people connect to: the gateway's own key and certificate, the algorithms, one connection.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Certificate, PrivateKey};
use russh::{Disconnect, MethodKind, MethodSet, Preferred, SshId, cipher, compression, kex, mac, server};
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use wane_connector::broker::{Door, Front, Pipe, Word};
use wane_connector::{ConnectError, PublishPermit, Signer};
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};
use wane_failpoint::{around_call, point};
use wane_recording::Event;
use zeroize::Zeroizing;

use super::GATEWAY;
use super::flow::{Flow, Gated, Side};
use super::jump::Place;
use super::person::Person;
use super::pump::STDERR;
use super::session::{Session, Task};
use crate::certificate::{self, CertificateError, Plan, SKEW, seconds};
use crate::{HOST_CA, USER_CA, key};

/// Messages of one channel that may wait; how many bytes, [`Flow`] says.
pub(super) const QUEUE: usize = 1 << 20;
/// The gateway's certificate; made anew long before it runs out.
pub(crate) const CERTIFIED: Span = Span::from_hours(48);
/// How long a connection that was refused gets to hear so.
const GOODBYE: Duration = Duration::from_millis(150);

/// Modern algorithms only, no compression; and these curves, for whoever has nothing better.
///
/// AEAD ciphers alone, so that no MAC is negotiated that is not encrypt-then-MAC.
pub(super) fn preferred(curves: &[kex::Name]) -> Preferred {
    let modern = [kex::MLKEM768X25519_SHA256, kex::CURVE25519, kex::CURVE25519_PRE_RFC_8731];
    let extensions = [
        kex::EXTENSION_SUPPORT_AS_CLIENT,
        kex::EXTENSION_SUPPORT_AS_SERVER,
        kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
        kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
    ];
    Preferred {
        kex: Cow::Owned([&modern, curves, &extensions].concat()),
        key: Cow::Borrowed(&crate::query::HOST_CERTIFICATES),
        host_key_certificates: Cow::Borrowed(&[]),
        cipher: Cow::Borrowed(&[cipher::AES_256_GCM, cipher::AES_128_GCM, cipher::CHACHA20_POLY1305]),
        mac: Cow::Borrowed(&[mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM]),
        compression: Cow::Borrowed(&[compression::NONE]),
    }
}

/// What people connect to.
pub(super) struct SshFront {
    config: Arc<server::Config>,
    pub(super) user_ca: KeyData,
}

impl SshFront {
    pub(super) fn new(
        signer: &dyn Signer,
        secret: &Secret,
        names: &[String],
        now: Time,
        serial: u64,
    ) -> Result<Self, ConnectError> {
        let unusable = |why: String| ConnectError::Input(why);
        let seed: Zeroizing<[u8; 32]> = Zeroizing::new(
            secret.expose().try_into().map_err(|_| unusable("the gateway's key is not 32 bytes long".to_owned()))?,
        );
        let own = PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed)), "")
            .map_err(|e| unusable(e.to_string()))?;
        let host_ca = key::own(signer.public_key(HOST_CA)?);
        let subject = own.public_key().key_data().clone();
        let mut nonce = Sha256::new();
        nonce.update(format!("wane.ssh.gateway-nonce.v1\n{serial}\n{}", now.micros()));
        let plan = Plan {
            kind: CertType::Host,
            key: subject,
            nonce: nonce.finalize().into(),
            serial,
            key_id: GATEWAY.to_owned(),
            principals: names.to_vec(),
            valid_after: seconds(now.minus(SKEW)),
            valid_before: seconds(now.plus(CERTIFIED)),
            critical_options: Default::default(),
            extensions: Default::default(),
        };
        let permit = PublishPermit { what: "host certificate of the gateway".to_owned() };
        let cert = certificate::sign(&plan, &host_ca, |tbs| {
            around_call(point!("ssh.gateway.sign"), || signer.publish(HOST_CA, permit, tbs))
        })
        .map_err(|e| match e {
            CertificateError::Sign(e) => ConnectError::Sign(e),
            CertificateError::Wrong(why) => unusable(why),
        })?;
        Ok(Self { config: Arc::new(config(own, cert)), user_ca: key::own(signer.public_key(USER_CA)?) })
    }
}

/// How the gateway speaks that shows this key, certified.
pub(super) fn config(own: PrivateKey, cert: Certificate) -> server::Config {
    server::Config {
        // Which version this is, and of what, is nobody's business before the login.
        server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-Wane")),
        methods: MethodSet::from(&[MethodKind::PublicKey, MethodKind::KeyboardInteractive][..]),
        // Nothing here can be guessed: attempts are counted, not slowed.
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![own],
        certificates: vec![cert],
        channel_buffer_size: QUEUE,
        event_buffer_size: 64,
        preferred: preferred(&[]),
        max_auth_attempts: 16,
        // The gateway bounds how long a login takes; a session may be silent for as long as its grant lives.
        inactivity_timeout: None,
        // The gateway has the system look whether the other side is still there: OpenSSH takes a message of
        // this layer before the login, while its person types a reason, for an error and leaves.
        keepalive_interval: None,
        nodelay: true,
        ..server::Config::default()
    }
}

#[async_trait]
impl Front for SshFront {
    async fn serve(&self, pipe: Pipe, door: Arc<dyn Door>) {
        speak(Arc::clone(&self.config), self.user_ca.clone(), Place::Front, pipe, door).await;
    }
}

/// Speaks with one person from the first byte to the last.
pub(super) async fn speak(
    config: Arc<server::Config>,
    user_ca: KeyData,
    place: Place,
    pipe: Pipe,
    door: Arc<dyn Door>,
) {
    let flow = Arc::new(Flow::default());
    let (tasks, mut given) = mpsc::unbounded_channel::<Task>();
    let (begun, mut began) = watch::channel(None::<Arc<Session>>);
    let own = Arc::new(OnceLock::new());
    let person = Person::new((user_ca, place), door, Arc::clone(&flow), tasks, begun, Arc::clone(&own));
    let gated = Gated::new(pipe, &flow, Side::Person);
    let mut running = match server::run_stream(config, gated, person).await {
        Ok(running) => running,
        Err(_) => return,
    };
    let _ = own.set(running.handle());
    let _left = Leaves(began.clone());
    let mut beside = JoinSet::new();
    loop {
        let session = began.borrow().clone();
        let word = async {
            match &session {
                Some(session) => session.line.word().await,
                None => std::future::pending().await,
            }
        };
        let lost = async {
            match &session {
                Some(session) => session.lost().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = &mut running => break,
            Some(task) = given.recv() => drop(beside.spawn(task)),
            Some(done) = beside.join_next(), if !beside.is_empty() => {
                // A task that died leaves its channel without anybody: the whole connection goes.
                if done.is_err() {
                    break;
                }
            }
            Ok(()) = began.changed(), if session.is_none() => {}
            () = flow.stuck() => {
                if let Some(session) = &session {
                    say_over(session, "this session is over: neither side takes what the other sends", &mut running).await;
                }
                break;
            }
            () = lost => {
                let Some(session) = &session else { break };
                // Who cut the host off knows better why.
                let why = match tokio::time::timeout(GOODBYE, session.line.word()).await {
                    Ok(Word::Over(text)) => text,
                    Ok(Word::Soon(_)) | Err(_) => "the connection to the host was lost".to_owned(),
                };
                say_over(session, &why, &mut running).await;
                break;
            }
            word = word => match (word, &session) {
                (Word::Soon(text), Some(session)) => warn(session, &text).await,
                (Word::Over(text), Some(session)) => {
                    say_over(session, &text, &mut running).await;
                    break;
                }
                (Word::Soon(_) | Word::Over(_), None) => {}
            },
        }
    }
    let session = began.borrow().clone();
    if let Some(Ok(host)) = session.as_ref().and_then(|session| session.host.borrow().clone()) {
        let bye = host.disconnect(Disconnect::ByApplication, "", "");
        let _ = tokio::time::timeout(GOODBYE, bye).await;
    }
    beside.shutdown().await;
}

/// Whoever waits for the other side's answer stops waiting when nobody carries the connection any more.
struct Leaves(watch::Receiver<Option<Arc<Session>>>);

impl Drop for Leaves {
    fn drop(&mut self) {
        if let Some(session) = &*self.0.borrow() {
            session.nobody_answers();
        }
    }
}

/// A line in every terminal of the session.
async fn warn(session: &Session, text: &str) {
    let Some(person) = session.person.get() else { return };
    for link in session.all().iter().filter(|link| link.is_terminal()) {
        let said = format!("\r\n*** Wane: {text} ***\r\n");
        let event =
            Event::Data { channel: link.number, from: wane_recording::Side::Wane, bytes: said.as_bytes().into() };
        // Recorded like all that is shown there, and shown to whoever joined.
        if session.tap(&event).await.is_ok() {
            let _ = person.data(link.person_id, said).await;
        }
    }
}

/// A line on every channel that a program runs on, and the end of all of them.
async fn say_over(session: &Session, text: &str, running: &mut server::RunningSession<Person>) {
    let Some(person) = session.person.get() else { return };
    let said = async {
        for link in session.all() {
            let _ = if link.is_terminal() {
                person.data(link.person_id, format!("\r\n*** Wane: {text} ***\r\n")).await
            } else if link.runs() {
                person.extended_data(link.person_id, STDERR, format!("Wane: {text}\n")).await
            } else {
                Ok(())
            };
            if link.runs() {
                let _ = person.exit_status_request(link.person_id, ENDED).await;
            }
            let _ = person.close(link.person_id).await;
        }
    };
    // A person who takes nothing is told nothing.
    let _ = tokio::time::timeout(GOODBYE, said).await;
    // Most programs leave once their channels are closed. One that is told to leave at once shows nothing of
    // what it was sent just before.
    if tokio::time::timeout(GOODBYE, &mut *running).await.is_err() {
        let bye = person.disconnect(Disconnect::ByApplication, text.to_owned(), String::new());
        let _ = tokio::time::timeout(GOODBYE, bye).await;
        let _ = tokio::time::timeout(GOODBYE, running).await;
    }
}

/// What a program that was cut comes out as: as if the connection had been lost.
pub(super) const ENDED: u32 = 255;
