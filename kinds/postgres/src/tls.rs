//! Whom to believe that it is the server: an authority, a pinned key, or both at once.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};
use wane_domain::time::Time;

use crate::settings::Tls;

/// TLS that accepts this server and no other. INVARIANT: whether its certificate is valid is judged at
/// `now` and not by the machine's clock, so that one that was set back keeps no end from the server (held
/// by `a_server_started_with_its_clock_set_back_begins_nothing_and_ends_everything`).
pub(crate) fn client_config(tls: &Tls, now: Time) -> Result<ClientConfig, String> {
    let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now.seconds()).unwrap_or(0)));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions: &[&rustls::SupportedProtocolVersion] =
        if tls.allow_tls12 { &[&rustls::version::TLS13, &rustls::version::TLS12] } else { &[&rustls::version::TLS13] };
    let chain = tls.ca_pem.as_deref().map(|pem| authority(pem, &provider)).transpose()?;
    let pin = tls.spki_sha256.as_deref().map(pin).transpose()?;
    if chain.is_none() && pin.is_none() {
        return Err("give `ca_pem`, the authority that signed the server's certificate, or `spki_sha256`, the digest of its key".to_owned());
    }
    let verifier = Identity { chain, pin, now, algorithms: provider.signature_verification_algorithms };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

fn authority(pem: &str, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        // What the parser met is not repeated: it spells out bytes, and they may be of a key by mistake.
        let certificate = certificate.map_err(|_| {
            "`ca_pem` is not PEM; send the certificate from its `-----BEGIN` line to its `-----END` line".to_owned()
        })?;
        roots.add(certificate).map_err(|e| format!("`ca_pem` holds an unusable certificate: {e}"))?;
    }
    if roots.is_empty() {
        return Err("`ca_pem` holds no certificate".to_owned());
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|e| e.to_string())
}

fn pin(text: &str) -> Result<[u8; 32], String> {
    data_encoding::HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| "`spki_sha256` must be 64 hexadecimal digits".to_owned())
}

/// What the server must prove.
#[derive(Debug)]
struct Identity {
    chain: Option<Arc<WebPkiServerVerifier>>,
    pin: Option<[u8; 32]>,
    now: UnixTime,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Identity {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _machine: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(chain) = &self.chain {
            chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, self.now)?;
        }
        if let Some(pin) = &self.pin {
            let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
            let digest: [u8; 32] = Sha256::digest(key.as_ref()).into();
            if digest != *pin {
                return Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure));
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
