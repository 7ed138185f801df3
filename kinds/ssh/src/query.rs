//! Asks a host whether it would accept a certificate, without holding its key.
//!
//! RFC 4252 section 7: a client may offer a public key without a signature; the server says
//! `SSH_MSG_USERAUTH_PK_OK` if a signature with it would do, or refuses. The host proves itself
//! first, with a host certificate of our own authority: there is no trust on first use.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{self, AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, Certificate, EcdsaCurve, HashAlg, PublicKeyOrCertificate};
use russh::{Disconnect, MethodKind};
use wane_connector::ConnectError;
use wane_domain::time::Time;
use wane_failpoint::{around, point};

use crate::certificate::seconds;
use crate::settings::Settings;

const PATIENCE: Duration = Duration::from_secs(10);

/// What the host said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A signature with it would do.
    Accepted,
    /// It would not.
    Refused {
        /// The ways of logging in the host offers instead.
        instead: String,
    },
}

/// Which host, and what it has to prove.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) target: &'a str,
    pub(crate) settings: &'a Settings,
    pub(crate) host_ca: KeyData,
    pub(crate) now: Time,
}

/// Offers a certificate for a login name.
pub(crate) async fn offer(asked: &Asked<'_>, user: &str, cert: Certificate) -> Result<Answer, ConnectError> {
    let hash = matches!(cert.algorithm(), Algorithm::Rsa { .. }).then_some(HashAlg::Sha512);
    within(asked.target, async {
        let mut session = connect(asked).await?;
        let mut signer = NoKey;
        let offering = session.authenticate_certificate_with(user, cert, hash, &mut signer);
        let answer = match around(point!("ssh.offer"), offering).await {
            Err(QueryEnd::AskedToSign) => Ok(Answer::Accepted),
            Ok(AuthResult::Failure { remaining_methods, .. }) => {
                Ok(Answer::Refused { instead: shown(&remaining_methods) })
            }
            // Nothing was proved, and yet the door is open.
            Ok(AuthResult::Success) => Ok(Answer::Accepted),
            Err(QueryEnd::Lost(e)) => Err(unreachable(asked.target, e)),
        };
        // The answer is in; whether the goodbye arrives is all the same.
        let _ = session.disconnect(Disconnect::ByApplication, "", "").await;
        answer
    })
    .await
}

/// Connects only as far as the host's proof of itself.
pub(crate) async fn greet(asked: &Asked<'_>) -> Result<(), ConnectError> {
    within(asked.target, async {
        let session = connect(asked).await?;
        let _ = session.disconnect(Disconnect::ByApplication, "", "").await;
        Ok(())
    })
    .await
}

async fn within<T>(target: &str, what: impl Future<Output = Result<T, ConnectError>>) -> Result<T, ConnectError> {
    match tokio::time::timeout(PATIENCE, what).await {
        Ok(answer) => answer,
        Err(_) => Err(unreachable(target, format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

async fn connect(asked: &Asked<'_>) -> Result<Handle<HostCheck>, ConnectError> {
    let mut config = client::Config { inactivity_timeout: Some(PATIENCE), nodelay: true, ..client::Config::default() };
    // Without this a server shows its bare key even when it has a certificate.
    config.preferred.host_key_certificates = Cow::Borrowed(&HOST_CERTIFICATES);
    let distrust = Arc::new(Mutex::new(None));
    let check = HostCheck::new(asked.settings, asked.host_ca.clone(), asked.now, &distrust);
    let address = (asked.settings.address.host.as_str(), asked.settings.address.port);
    let connecting = client::connect(Arc::new(config), address, check);
    around(point!("ssh.connect"), connecting).await.map_err(|e| {
        match distrust.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(why) => ConnectError::Trust { target: asked.target.to_owned(), why },
            None => unreachable(asked.target, e),
        }
    })
}

pub(crate) const HOST_CERTIFICATES: [Algorithm; 6] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

fn unreachable(target: &str, why: impl std::fmt::Display) -> ConnectError {
    ConnectError::Unreachable { target: target.to_owned(), why: why.to_string() }
}

fn shown(methods: &[MethodKind]) -> String {
    let words: Vec<&'static str> = methods.iter().map(<&'static str>::from).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// Why a host was not believed, for whoever connects to it.
pub(crate) type Distrust = Arc<Mutex<Option<String>>>;

/// Judges the host by its certificate, or by a key that was registered with it.
pub(crate) struct HostCheck {
    names: Vec<String>,
    pins: Vec<KeyData>,
    host_ca: KeyData,
    now: u64,
    distrust: Distrust,
}

impl HostCheck {
    pub(crate) fn new(settings: &Settings, host_ca: KeyData, now: Time, distrust: &Distrust) -> Self {
        Self {
            names: settings.host_names.clone(),
            pins: settings.host_keys.clone(),
            host_ca,
            now: seconds(now),
            distrust: Arc::clone(distrust),
        }
    }

    /// Whether the host is believed; if not, it is kept why.
    pub(crate) fn believes(&self, shown: &PublicKeyOrCertificate) -> bool {
        match self.judge(shown) {
            Ok(()) => true,
            Err(why) => {
                *self.distrust.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
                false
            }
        }
    }

    fn judge(&self, shown: &PublicKeyOrCertificate) -> Result<(), String> {
        let cert = match shown {
            PublicKeyOrCertificate::Certificate(cert) => cert,
            PublicKeyOrCertificate::PublicKey { key, .. } if self.pins.contains(key.key_data()) => return Ok(()),
            PublicKeyOrCertificate::PublicKey { .. } if self.pins.is_empty() => {
                return Err("it shows a bare host key and no certificate; run `wane host setup` on it".to_owned());
            }
            PublicKeyOrCertificate::PublicKey { .. } => {
                return Err("it shows another host key than was registered with it".to_owned());
            }
        };
        if cert.cert_type() != CertType::Host {
            return Err("what it shows is not a host certificate".to_owned());
        }
        if cert.signature_key() != &self.host_ca {
            return Err("its host certificate is by another authority".to_owned());
        }
        cert.validate_at(self.now, &[self.host_ca.fingerprint(HashAlg::Sha256)])
            .map_err(|_| "its host certificate has run out or is not signed by our authority".to_owned())?;
        if !cert.critical_options().is_empty() {
            return Err("its host certificate has conditions that nobody here knows".to_owned());
        }
        if !cert.valid_principals().iter().any(|name| self.names.contains(name)) {
            return Err(format!(
                "its host certificate is for `{}`, not for `{}`",
                cert.valid_principals().join(", "),
                self.names.join(", ")
            ));
        }
        Ok(())
    }
}

impl client::Handler for HostCheck {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(self.believes(shown))
    }
}

/// Stands where a key would be. Being asked to sign is the answer; nothing is ever signed.
struct NoKey;

/// How an offer ended without an answer to the login itself.
#[derive(Debug)]
enum QueryEnd {
    AskedToSign,
    Lost(russh::SendError),
}

impl From<russh::SendError> for QueryEnd {
    fn from(e: russh::SendError) -> Self {
        Self::Lost(e)
    }
}

impl russh::Signer for NoKey {
    type Error = QueryEnd;

    async fn auth_sign(
        &mut self,
        _key: &AgentIdentity,
        _hash: Option<HashAlg>,
        _message: Vec<u8>,
    ) -> Result<Vec<u8>, Self::Error> {
        Err(QueryEnd::AskedToSign)
    }
}
