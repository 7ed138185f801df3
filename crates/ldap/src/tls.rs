//! TLS to a directory: an authority, a pinned key, or both at once.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};
use wane_domain::time::Time;

use crate::place::Tls;

/// TLS that accepts this directory and no other. Validity is judged at `now`, so that a machine whose clock was
/// set back can still end what is there.
pub(crate) fn client_config(tls: &Tls, now: Time) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions: &[&rustls::SupportedProtocolVersion] =
        if tls.allow_tls12 { &[&rustls::version::TLS13, &rustls::version::TLS12] } else { &[&rustls::version::TLS13] };
    let authority = tls.ca_pem.as_deref().map(|pem| authority(pem, &provider)).transpose()?;
    let pin = match &tls.spki_sha256 {
        None => None,
        Some(hex) => {
            let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).unwrap_or_default();
            let digest: [u8; 32] =
                bytes.try_into().map_err(|_| "`spki_sha256` must be 64 hexadecimal digits".to_owned())?;
            Some(digest)
        }
    };
    if authority.is_none() && pin.is_none() {
        return Err("give `ca_pem`, the authority that signed the server's certificate, or `spki_sha256`, the digest of its key".to_owned());
    }
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now.seconds()).unwrap_or(0)));
    let algorithms = provider.signature_verification_algorithms;
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Believed { authority, pin, at, algorithms }))
        .with_no_client_auth();
    Ok(config)
}

fn authority(pem: &str, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for one in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        // What was met is not repeated: it may be part of a key that was given by mistake.
        let one = one.map_err(|_| "`ca_pem` is not PEM from `-----BEGIN` to `-----END`".to_owned())?;
        roots.add(one).map_err(|e| format!("`ca_pem` holds an unusable certificate: {e}"))?;
    }
    if roots.is_empty() {
        return Err("`ca_pem` holds no certificate".to_owned());
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    verifier.build().map_err(|e| e.to_string())
}

/// What the server must prove.
#[derive(Debug)]
struct Believed {
    authority: Option<Arc<WebPkiServerVerifier>>,
    pin: Option<[u8; 32]>,
    at: UnixTime,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Believed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _machine: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(authority) = &self.authority {
            authority.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, self.at)?;
        }
        if let Some(pin) = &self.pin {
            let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
            if <[u8; 32]>::from(Sha256::digest(key.as_ref())) != *pin {
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
