//! Asks a service whether it would accept a certificate, without holding its key.
//!
//! A TLS server judges the certificate it is shown before the signature that proves its key (RFC 8446, section 4.4.2.4).
//! So it is shown with a signature that proves nothing: one that accepts the certificate complains about the signature
//! (`decrypt_error`), one that does not complains about the certificate. Nobody is ever let in by that. The service
//! proves itself first. Servers that judge only after the handshake (nginx) answer alike to both, and are registered as
//! not to be asked.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{AlertDescription, ClientConfig, Error, RootCertStore, SignatureAlgorithm, SignatureScheme};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wane_connector::ConnectError;
use wane_domain::time::Time;
use wane_failpoint::{around, point};

use crate::authority::Authorities;
use crate::settings::Address;

const PATIENCE: Duration = Duration::from_secs(10);

/// What the service said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A signature with it would do.
    Accepted,
    /// It would not.
    Refused { alert: String },
}

/// Which service, and who vouches for it.
pub(crate) struct Asked<'a> {
    pub(crate) target: &'a str,
    pub(crate) address: &'a Address,
    pub(crate) server_ca: Option<&'a str>,
    pub(crate) authorities: &'a Authorities,
    pub(crate) now: Time,
}

/// The certificates of a text in PEM.
pub(crate) fn roots(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().map_err(|e| e.to_string())
}

/// Shows a certificate (in PEM, what is between it and the root behind it) without its key.
pub(crate) async fn offer(asked: &Asked<'_>, certificate: &str) -> Result<Answer, ConnectError> {
    let refused = |why: String| ConnectError::Refused { target: asked.target.to_owned(), why };
    let shown = Arc::new(Shown::new(certificate).map_err(refused)?);
    let config = config(asked, Arc::clone(&shown)).map_err(refused)?;
    let name = ServerName::try_from(asked.address.host.clone()).map_err(|e| refused(e.to_string()))?;
    let talk = async {
        let address = (asked.address.host.as_str(), asked.address.port);
        let stream = TcpStream::connect(address).await?;
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        // With TLS 1.3 the judgement comes after the client's last words.
        let mut byte = [0_u8; 1];
        stream.read(&mut byte).await.map(drop)
    };
    let ended = around(point!("x509.offer"), tokio::time::timeout(PATIENCE, talk)).await;
    let unreachable = |why: String| ConnectError::Unreachable { target: asked.target.to_owned(), why };
    let error = match ended {
        Err(_) => return Err(unreachable(format!("no judgement within {} s", PATIENCE.as_secs()))),
        Ok(Ok(())) if !shown.asked.load(Ordering::Relaxed) => {
            return Err(refused("it asks for no client certificate; see `ssl_verify_client` or the like".to_owned()));
        }
        Ok(Ok(())) => return Err(unreachable("it went away without a judgement".to_owned())),
        Ok(Err(error)) => error,
    };
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::AlertReceived(alert)) => {
            judged(*alert).ok_or_else(|| unreachable(format!("its alert {alert:?} says neither")))
        }
        Some(Error::InvalidCertificate(why)) => {
            Err(ConnectError::Trust { target: asked.target.to_owned(), why: format!("its own certificate: {why}") })
        }
        Some(_) | None => Err(unreachable(error.to_string())),
    }
}

/// What an alert says of the certificate that was shown.
fn judged(alert: AlertDescription) -> Option<Answer> {
    match alert {
        AlertDescription::DecryptError => Some(Answer::Accepted),
        AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => Some(Answer::Refused { alert: format!("{alert:?}") }),
        _ => None,
    }
}

fn config(asked: &Asked<'_>, shown: Arc<Shown>) -> Result<ClientConfig, String> {
    let mut trusted = RootCertStore::empty();
    match asked.server_ca {
        Some(pem) => {
            for root in roots(pem)? {
                trusted.add(root).map_err(|e| e.to_string())?;
            }
        }
        None => {
            let all = asked.authorities.all();
            for root in all.iter().filter_map(|ca| ca.chain.last()) {
                trusted.add(CertificateDer::from(root.clone())).map_err(|e| e.to_string())?;
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let details = Arc::new(At(asked.now));
    let mut config = ClientConfig::builder_with_details(provider, details)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(trusted)
        .with_client_cert_resolver(shown);
    // A session that is resumed is not judged again.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// Our own moment: a machine that was set back judges by it as everything else here does.
#[derive(Debug)]
struct At(Time);

impl rustls::time_provider::TimeProvider for At {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        let secs = u64::try_from(self.0.seconds()).ok()?;
        Some(rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_secs(secs)))
    }
}

/// The certificate, and nothing where its key would be.
struct Shown {
    key: Arc<CertifiedKey>,
    asked: AtomicBool,
}

impl Shown {
    fn new(pem: &str) -> Result<Self, String> {
        let chain = roots(pem)?;
        let first = chain.first().ok_or("there is no certificate to show")?;
        let read = <x509_cert::Certificate as x509_cert::der::Decode>::from_der(first).map_err(|e| e.to_string())?;
        let spki = x509_cert::der::Encode::to_der(read.tbs_certificate().subject_public_key_info());
        let sort = crate::key::of_spki(&spki.map_err(|e| e.to_string())?)?.sort;
        let scheme = match sort {
            crate::key::Sort::P256 => SignatureScheme::ECDSA_NISTP256_SHA256,
            crate::key::Sort::P384 => SignatureScheme::ECDSA_NISTP384_SHA384,
            crate::key::Sort::Ed25519 => SignatureScheme::ED25519,
            crate::key::Sort::Rsa => SignatureScheme::RSA_PSS_SHA256,
        };
        Ok(Self { key: Arc::new(CertifiedKey::new(chain, Arc::new(NoKey(scheme)))), asked: AtomicBool::new(false) })
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        Some(Arc::clone(&self.key))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Stands where a key would be, and signs nothing.
#[derive(Debug)]
struct NoKey(SignatureScheme);

impl SigningKey for NoKey {
    fn choose_scheme(&self, _offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(Self(self.0)))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.0 {
            SignatureScheme::ED25519 => SignatureAlgorithm::ED25519,
            SignatureScheme::RSA_PSS_SHA256 => SignatureAlgorithm::RSA,
            _ => SignatureAlgorithm::ECDSA,
        }
    }
}

impl Signer for NoKey {
    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(vec![0; 64])
    }

    fn scheme(&self) -> SignatureScheme {
        self.0
    }
}
