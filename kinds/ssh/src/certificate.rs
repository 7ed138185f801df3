//! OpenSSH certificates (PROTOCOL.certkeys): what one is to say, signing it, and reading the
//! finished one back.
//!
//! INVARIANT: no certificate leaves whose text, parsed again, does not say field for field what was
//! meant (held by `a_certificate_that_differs_in_any_field_does_not_leave`). The signer reads the bytes it
//! signs itself: [`check_user_certificate`] (held by `the_signer_refuses_what_exceeds_the_permit`).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use russh::keys::signature;
use russh::keys::ssh_key;
use russh::keys::ssh_key::certificate::{Builder, CertType};
use russh::keys::ssh_key::encoding::Encode;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, Certificate, HashAlg};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wane_connector::{ConnectError, SignError, Signature};
use wane_domain::issue::{IssuePermit, Right};
use wane_domain::time::{Span, Time};

use crate::role::{EXTENSIONS, FORCE_COMMAND, SOURCE_ADDRESS, is_principal_for};

/// The longest one issue may be valid: what a stolen key is worth at most.
pub(crate) const LONGEST: Span = Span::from_mins(15);
/// How far a host's clock may be behind before a fresh certificate is not yet valid there.
pub(crate) const SKEW: Span = Span::from_secs(60);

/// What a certificate is to say.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) kind: CertType,
    pub(crate) key: KeyData,
    pub(crate) nonce: [u8; 32],
    pub(crate) serial: u64,
    pub(crate) key_id: String,
    pub(crate) principals: Vec<String>,
    pub(crate) valid_after: u64,
    pub(crate) valid_before: u64,
    pub(crate) critical_options: BTreeMap<String, String>,
    pub(crate) extensions: BTreeMap<String, String>,
}

impl Plan {
    /// What the issuance inventory keeps.
    pub(crate) fn inventory(&self) -> Value {
        json!({
            "serial": self.serial,
            "key_id": self.key_id,
            "principals": self.principals,
            "fingerprint": self.key.fingerprint(HashAlg::Sha256).to_string(),
            "valid_after": self.valid_after,
            "valid_before": self.valid_before,
        })
    }

    /// When it stops working by itself.
    pub(crate) fn not_after(&self) -> Time {
        Time::from_micros(i64::try_from(self.valid_before).unwrap_or(i64::MAX).saturating_mul(1_000_000))
    }
}

/// The nonce of what is certified under a permit. It keeps a holder from choosing the signed bytes: the
/// lease's own entropy does that. Ed25519 does not rest on collisions anyway.
pub(crate) fn nonce(what: &str, permit: &IssuePermit, key: &KeyData, serial: u64) -> [u8; 32] {
    let mut nonce = Sha256::new();
    nonce.update(format!(
        "{what}\n{}\n{serial}\n{}\n{}",
        permit.lease(),
        permit.not_before().micros(),
        key.fingerprint(HashAlg::Sha256)
    ));
    nonce.finalize().into()
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    /// The signer said no.
    #[error(transparent)]
    Sign(SignError),
    /// It cannot be encoded, or did not come out as meant.
    #[error("the certificate did not come out as meant: {0}")]
    Wrong(String),
}

impl From<ssh_key::Error> for CertificateError {
    fn from(e: ssh_key::Error) -> Self {
        Self::Wrong(e.to_string())
    }
}

impl From<CertificateError> for ConnectError {
    fn from(e: CertificateError) -> Self {
        match e {
            CertificateError::Sign(e) => Self::Sign(e),
            CertificateError::Wrong(why) => Self::Input(why),
        }
    }
}

/// Signs a certificate with the authority whose public key is `ca`, and reads it back.
pub(crate) fn sign<F>(plan: &Plan, ca: &KeyData, sign: F) -> Result<Certificate, CertificateError>
where
    F: FnOnce(&[u8]) -> Result<Signature, SignError>,
{
    // The library takes an empty list for "everybody".
    if plan.principals.is_empty() {
        return Err(CertificateError::Wrong("it has no principal".to_owned()));
    }
    let mut builder = Builder::new(plan.nonce, plan.key.clone(), plan.valid_after, plan.valid_before)?;
    builder.serial(plan.serial)?.cert_type(plan.kind)?.key_id(plan.key_id.as_str())?;
    for name in &plan.principals {
        builder.valid_principal(name.as_str())?;
    }
    for (name, data) in &plan.critical_options {
        builder.critical_option(name.as_str(), data.as_str())?;
    }
    for (name, data) in &plan.extensions {
        builder.extension(name.as_str(), data.as_str())?;
    }
    let once = SignOnce { ca: ca.clone(), sign: Mutex::new(Some(sign)), refused: Mutex::new(None) };
    let made = builder.sign(&once);
    if let Some(refused) = once.refused.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(CertificateError::Sign(refused));
    }
    let text = made?.to_openssh()?;
    read_back(plan, ca, &text)
}

/// Reads a finished certificate from its text and compares every field with what was meant.
pub(crate) fn read_back(plan: &Plan, ca: &KeyData, text: &str) -> Result<Certificate, CertificateError> {
    let cert = Certificate::from_openssh(text)?;
    let fields = [
        ("type", cert.cert_type() == plan.kind),
        ("key", cert.public_key() == &plan.key),
        ("nonce", cert.nonce() == plan.nonce),
        ("serial", cert.serial() == plan.serial),
        ("key id", cert.key_id() == plan.key_id),
        ("principals", cert.valid_principals() == plan.principals && !cert.valid_principals().is_empty()),
        ("start", cert.valid_after() == plan.valid_after),
        ("end", cert.valid_before() == plan.valid_before),
        ("critical options", cert.critical_options().0 == plan.critical_options),
        ("extensions", cert.extensions().0 == plan.extensions),
        ("authority", cert.signature_key() == ca),
    ];
    if let Some((field, _)) = fields.into_iter().find(|(_, same)| !same) {
        return Err(CertificateError::Wrong(format!("its {field} differs")));
    }
    cert.validate_at(plan.valid_after, &[ca.fingerprint(HashAlg::Sha256)])?;
    Ok(cert)
}

/// Whether a permit allows these to-be-signed bytes: the checker of the purpose `ssh-user-ca`.
///
/// # Errors
/// When they are no user certificate in its one encoding, or say more than the permit: another key
/// id than the grant, no principal or one that is not a login name at the permit's host, an option or extension no role
/// can name, or a time outside the permit or longer than 15 minutes. The role's own principals
/// are not in a permit, so which of the login names it may be is the issuer's to keep.
pub fn check_user_certificate(permit: &Right, tbs: &[u8]) -> Result<(), String> {
    let cert = parse_unsigned(tbs)?;
    let refuse = |why: &str| Err(why.to_owned());
    if cert.cert_type() != CertType::User {
        return refuse("it is not a user certificate");
    }
    if cert.key_id() != permit.grant().to_string() {
        return refuse("its key id is not the grant");
    }
    if cert.valid_principals().is_empty() {
        return refuse("it has no principal, which some servers take for all");
    }
    let host = permit.item().resource;
    if let Some(bad) = cert.valid_principals().iter().find(|name| !is_principal_for(name, permit.reach(), host)) {
        return Err(format!("its principal {bad:?} is not one login name at the permit's host"));
    }
    if let Some(odd) =
        cert.critical_options().keys().find(|name| ![FORCE_COMMAND, SOURCE_ADDRESS].contains(&name.as_str()))
    {
        return Err(format!("no role has the critical option {odd:?}"));
    }
    if let Some((odd, _)) =
        cert.extensions().iter().find(|(name, data)| !EXTENSIONS.contains(&name.as_str()) || !data.is_empty())
    {
        return Err(format!("no role has the extension {odd:?}"));
    }
    let earliest = seconds(permit.not_before().minus(SKEW));
    let latest = seconds(permit.not_after().min(permit.not_before().plus(LONGEST)));
    if cert.valid_after() < earliest {
        return refuse("it begins before the grant");
    }
    if cert.valid_before() > latest {
        return refuse("it outlives the grant or 15 minutes");
    }
    Ok(())
}

/// Reads to-be-signed bytes by giving them a signature of zeros, which nothing here verifies. Bytes
/// that have a second spelling are refused: what is read has to be what is signed.
pub(crate) fn parse_unsigned(tbs: &[u8]) -> Result<Certificate, String> {
    let zeros = ssh_key::Signature::new(Algorithm::Ed25519, vec![0; 64]).map_err(|e| e.to_string())?;
    let mut bytes = tbs.to_vec();
    zeros.encode_prefixed(&mut bytes).map_err(|e| e.to_string())?;
    let cert = Certificate::from_bytes(&bytes).map_err(|e| format!("it is no certificate: {e}"))?;
    if cert.to_bytes().map_err(|e| e.to_string())? == bytes {
        Ok(cert)
    } else {
        Err("it is not in its one encoding".to_owned())
    }
}

/// Whole seconds since the epoch, rounded down, so that a certificate never outlives its grant.
pub(crate) fn seconds(at: Time) -> u64 {
    u64::try_from(at.seconds()).unwrap_or(0)
}

/// Gives the library's builder our signer for one signature, and keeps why it refused.
struct SignOnce<F> {
    ca: KeyData,
    sign: Mutex<Option<F>>,
    refused: Mutex<Option<SignError>>,
}

impl<F> From<&SignOnce<F>> for KeyData {
    fn from(once: &SignOnce<F>) -> Self {
        once.ca.clone()
    }
}

impl<F> signature::Signer<ssh_key::Signature> for SignOnce<F>
where
    F: FnOnce(&[u8]) -> Result<Signature, SignError>,
{
    fn try_sign(&self, message: &[u8]) -> Result<ssh_key::Signature, signature::Error> {
        let sign = self.sign.lock().unwrap_or_else(PoisonError::into_inner).take();
        let sign = sign.ok_or_else(signature::Error::new)?;
        match sign(message) {
            Ok(Signature(bytes)) => {
                ssh_key::Signature::new(Algorithm::Ed25519, bytes).map_err(|_| signature::Error::new())
            }
            Err(refused) => {
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(refused);
                Err(signature::Error::new())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use russh::keys::PrivateKey;
    use russh::keys::signature::Signer as _;
    use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32])), "").unwrap()
    }

    fn plan() -> Plan {
        Plan {
            kind: CertType::User,
            key: key(1).public_key().key_data().clone(),
            nonce: [3; 32],
            serial: 4,
            key_id: "grt_x".to_owned(),
            principals: vec!["deploy".to_owned()],
            valid_after: 100,
            valid_before: 200,
            critical_options: BTreeMap::new(),
            extensions: BTreeMap::new(),
        }
    }

    fn signed(plan: &Plan, ca: &PrivateKey) -> Result<Certificate, CertificateError> {
        sign(plan, ca.public_key().key_data(), |tbs| {
            Ok(Signature(ca.try_sign(tbs).unwrap().as_bytes().try_into().unwrap()))
        })
    }

    #[test]
    fn a_certificate_that_differs_in_any_field_does_not_leave() {
        let ca = key(9);
        let text = signed(&plan(), &ca).unwrap().to_openssh().unwrap();
        let judge = |plan: &Plan, ca: &PrivateKey| read_back(plan, ca.public_key().key_data(), &text);
        judge(&plan(), &ca).unwrap();
        let some = BTreeMap::from([("permit-pty".to_owned(), String::new())]);
        for (other, field) in [
            (Plan { kind: CertType::Host, ..plan() }, "type"),
            (Plan { key: key(2).public_key().key_data().clone(), ..plan() }, "key"),
            (Plan { nonce: [0; 32], ..plan() }, "nonce"),
            (Plan { serial: 5, ..plan() }, "serial"),
            (Plan { key_id: "grt_y".to_owned(), ..plan() }, "key id"),
            (Plan { principals: vec!["root".to_owned()], ..plan() }, "principals"),
            (Plan { valid_after: 101, ..plan() }, "start"),
            (Plan { valid_before: 201, ..plan() }, "end"),
            (Plan { critical_options: some.clone(), ..plan() }, "critical options"),
            (Plan { extensions: some, ..plan() }, "extensions"),
        ] {
            assert_eq!(
                judge(&other, &ca).unwrap_err().to_string(),
                format!("the certificate did not come out as meant: its {field} differs")
            );
        }
        assert!(judge(&plan(), &key(8)).unwrap_err().to_string().contains("authority"));
    }

    #[test]
    fn what_the_signer_gives_is_verified() {
        let ca = key(9);
        let by_another = sign(&plan(), ca.public_key().key_data(), |tbs| {
            Ok(Signature(key(8).try_sign(tbs).unwrap().as_bytes().try_into().unwrap()))
        });
        assert!(matches!(by_another, Err(CertificateError::Wrong(_))));
        let refused = sign(&plan(), ca.public_key().key_data(), |_| Err(SignError::Sealed));
        assert!(matches!(refused, Err(CertificateError::Sign(SignError::Sealed))));
        assert!(signed(&Plan { principals: Vec::new(), ..plan() }, &ca).is_err(), "nobody is not everybody");
    }
}
