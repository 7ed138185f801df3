//! Certificates (RFC 5280): what one is to say, signing it, and reading the finished one back.
//!
//! INVARIANT: no certificate leaves that, read again by other code, does not say field for field what was meant (held by
//! `a_certificate_that_differs_in_any_field_does_not_leave`). The signer reads the bytes it signs itself:
//! [`check_certificate`] (held by `the_signer_refuses_what_exceeds_the_permit`).

use std::collections::BTreeSet;
use std::net::IpAddr;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyUsagePurpose, SanType,
    SerialNumber,
};
use serde_json::{Value, json};
use time::OffsetDateTime;
use wane_connector::{SignError, Signature};
use wane_domain::id::GrantId;
use wane_domain::issue::{Reach, Right};
use wane_domain::time::{Span, Time};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};

use crate::authority::Ca;
use crate::key::{HolderKey, verify};
use crate::role::{Usage, is_path};
use crate::said::{self, Said};
use crate::sign::{Once, WriteError};

/// The longest a certificate may be valid.
pub const LONGEST: Span = Span::from_hours(1);
/// How far the clock of a service may be behind before a fresh certificate is not yet valid there.
pub const SKEW: Span = Span::from_secs(60);
/// The shortest serial number: none is guessed, and none comes twice.
const SERIAL: usize = 15;

/// What a certificate is to say.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) serial: [u8; 16],
    pub(crate) grant: GrantId,
    pub(crate) common_name: String,
    pub(crate) usage: Usage,
    pub(crate) uri: String,
    pub(crate) dns_names: BTreeSet<String>,
    pub(crate) ip_addresses: BTreeSet<IpAddr>,
    pub(crate) key: HolderKey,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

impl Plan {
    /// What the issuance inventory keeps.
    pub(crate) fn inventory(&self, ca: &Ca) -> Value {
        json!({
            "serial": hex(&self.serial),
            "authority": ca.id(),
            "use": self.usage.word(),
            "identity": self.uri,
            "common_name": self.common_name,
            "dns_names": self.dns_names,
            "ip_addresses": self.ip_addresses,
            "key_sha256": hex(&self.key.id()),
            "not_before": self.not_before,
            "not_after": self.not_after,
        })
    }

    /// When it stops working by itself.
    pub(crate) fn not_after(&self) -> Time {
        Time::from_micros(self.not_after.saturating_mul(1_000_000))
    }

    fn said(&self, ca: &Ca) -> Said {
        let significant = self.serial.iter().position(|byte| *byte != 0).unwrap_or(self.serial.len());
        Said {
            serial: self.serial.get(significant..).unwrap_or_default().to_vec(),
            issuer: ca.subject.clone(),
            authority_key_id: ca.key_id.clone(),
            not_before: self.not_before,
            not_after: self.not_after,
            common_name: self.common_name.clone(),
            grant: self.grant.to_string(),
            usage: self.usage,
            uri: self.uri.clone(),
            dns_names: self.dns_names.clone(),
            ip_addresses: self.ip_addresses.clone(),
            spki: self.key.spki.clone(),
            subject_key_id: self.key.id(),
        }
    }

    fn params(&self) -> Result<CertificateParams, WriteError> {
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, self.common_name.as_str());
        name.push(DnType::from_oid(&said::USER_ID), self.grant.to_string());
        let text = |text: &str| text.try_into().map_err(|_| WriteError::Wrong("a name is not plain text".to_owned()));
        let mut names = vec![SanType::URI(text(&self.uri)?)];
        for dns in &self.dns_names {
            names.push(SanType::DnsName(text(dns)?));
        }
        names.extend(self.ip_addresses.iter().copied().map(SanType::IpAddress));
        let mut params = CertificateParams::default();
        params.not_before = moment(self.not_before)?;
        params.not_after = moment(self.not_after)?;
        params.serial_number = Some(SerialNumber::from_slice(&self.serial));
        params.subject_alt_names = names;
        params.distinguished_name = name;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match self.usage {
            Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
            Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
        }];
        params.use_authority_key_identifier_extension = true;
        params.key_identifier_method = KeyIdMethod::PreSpecified(self.key.id());
        Ok(params)
    }
}

/// A moment as the library takes it.
pub(crate) fn moment(secs: i64) -> Result<OffsetDateTime, WriteError> {
    OffsetDateTime::from_unix_timestamp(secs).map_err(|e| WriteError::Wrong(e.to_string()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// The identity of somebody who acts under a grant.
pub(crate) fn grant_uri(grant: GrantId) -> String {
    format!("urn:wane:grant:{grant}")
}

/// Signs a certificate with an authority, and reads it back; in DER.
pub(crate) fn sign<F>(plan: &Plan, ca: &Ca, sign: F) -> Result<Vec<u8>, WriteError>
where
    F: FnOnce(&[u8]) -> Result<Signature, SignError>,
{
    let issuer = ca.issuer(Once::new(ca.key, sign));
    let made = plan.params()?.signed_by(&plan.key, &issuer);
    let made = issuer.key().outcome(made)?;
    read_back(plan, ca, made.der())?;
    Ok(made.der().to_vec())
}

/// Reads a finished certificate and compares every field with what was meant.
pub(crate) fn read_back(plan: &Plan, ca: &Ca, der: &[u8]) -> Result<(), WriteError> {
    let wrong = |why: String| WriteError::Wrong(why);
    let cert = Certificate::from_der(der).map_err(|e| wrong(e.to_string()))?;
    let tbs = cert.tbs_certificate().to_der().map_err(|e| wrong(e.to_string()))?;
    if cert.to_der().map_err(|e| wrong(e.to_string()))? != der {
        return Err(wrong("it is not in its one encoding".to_owned()));
    }
    let (said, meant) = (said::read(&tbs).map_err(wrong)?, plan.said(ca));
    let fields = [
        ("serial number", said.serial == meant.serial),
        ("authority", said.issuer == meant.issuer && said.authority_key_id == meant.authority_key_id),
        ("start", said.not_before == meant.not_before),
        ("end", said.not_after == meant.not_after),
        ("subject", said.common_name == meant.common_name && said.grant == meant.grant),
        ("use", said.usage == meant.usage),
        ("identity", said.uri == meant.uri),
        ("names", said.dns_names == meant.dns_names && said.ip_addresses == meant.ip_addresses),
        ("key", said.spki == meant.spki && said.subject_key_id == meant.subject_key_id),
    ];
    if let Some((field, _)) = fields.into_iter().find(|(_, same)| !same) {
        return Err(wrong(format!("its {field} differs")));
    }
    if cert.signature_algorithm() != cert.tbs_certificate().signature() {
        return Err(wrong("its algorithm differs".to_owned()));
    }
    verify(&ca.spki, cert.signature_algorithm(), &tbs, cert.signature().raw_bytes()).map_err(wrong)
}

/// Whether a permit allows these to-be-signed bytes: the checker of an authority's key.
///
/// # Errors
/// When they are no certificate in its one encoding, or say more than the permit: another grant, an identity that is
/// neither that grant nor a SPIFFE ID, names for a client, a key that is for more than one end of a connection, an
/// authority's powers, or a time outside the permit or longer than an hour. The role's own names are not in a permit, so
/// which of the server names it may be is the issuer's to keep.
pub fn check_certificate(permit: &Right, tbs: &[u8]) -> Result<(), String> {
    let said = said::read(tbs)?;
    let refuse = |why: &str| Err(why.to_owned());
    if permit.reach() != Reach::Target {
        return refuse("nothing of this kind is good at the gateway alone");
    }
    if said.grant != permit.grant().to_string() {
        return refuse("it is not for the grant");
    }
    if said.uri != grant_uri(permit.grant()) && !is_spiffe_id(&said.uri) {
        return refuse("its identity is neither the grant nor a SPIFFE ID");
    }
    let named = !said.dns_names.is_empty() || !said.ip_addresses.is_empty();
    if named != (said.usage == Usage::Server) {
        return refuse("a server has names and a client none");
    }
    if said.serial.len() < SERIAL || said.serial.len() > 16 {
        return refuse("its serial number is not of 128 bits");
    }
    if said.not_before < permit.not_before().minus(SKEW).seconds() {
        return refuse("it begins before the grant");
    }
    if said.not_after > permit.not_after().min(permit.not_before().plus(LONGEST)).seconds() {
        return refuse("it outlives the grant or an hour");
    }
    Ok(())
}

pub(crate) fn is_spiffe_id(uri: &str) -> bool {
    let rest = uri.strip_prefix("spiffe://").and_then(|rest| rest.find('/').map(|at| rest.split_at(at)));
    rest.is_some_and(|(domain, path)| {
        !domain.is_empty()
            && domain.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-_".contains(&c))
            && !path.contains('{')
            && is_path(path)
    })
}
