//! What everybody may fetch: the authorities' certificates, and the list of what of theirs is revoked (RFC 5280, section 5).
//!
//! INVARIANT: a list that follows another has a greater number (held by `lists_rise_and_say_what_is_revoked`).

use std::sync::Arc;

use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber};
use serde_json::{Value, json};
use wane_connector::{ConnectError, Paper, PublishPermit, Published, Revoked, Signer};
use wane_domain::time::Time;
use wane_failpoint::{around_call, point};
use x509_cert::crl::{CertificateList, TbsCertList};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::CrlNumber;

use crate::authority::{Authorities, Ca, to_pem};
use crate::certificate::{LONGEST, moment};
use crate::key::verify;
use crate::sign::{Once, WriteError};

/// The papers of a kind with these authorities.
pub(crate) struct Papers {
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) authorities: Arc<Authorities>,
}

impl Published for Papers {
    fn paper(&self, name: &str, number: u64, at: Time, revoked: &[Revoked]) -> Result<Option<Paper>, ConnectError> {
        let all = self.authorities.all();
        let text = |text: String| Paper { media: "application/x-pem-file", bytes: text.into_bytes() };
        let list = |ca: &Ca| self.list(ca, number, at, revoked);
        let each = |one: &dyn Fn(&Ca) -> Result<String, ConnectError>| {
            all.iter().map(|ca| one(ca)).collect::<Result<String, _>>()
        };
        let trust = || each(&|ca| Ok(ca.root()?));
        let lists = || each(&|ca| Ok(to_pem("X509 CRL", &list(ca)?)?));
        let paper = match name {
            "trust.pem" => text(trust()?),
            "chain.pem" => text(each(&|ca| Ok(ca.between()?))?),
            "crl.pem" => text(lists()?),
            "bundle.json" => {
                let bundle =
                    json!({ "number": number, "trust": trust()?, "crl": lists()?, "at": at, "next": next(at) });
                Paper { media: "application/json", bytes: bundle.to_string().into_bytes() }
            }
            other => {
                let named = |end: &str| other.strip_suffix(end).and_then(|id| all.iter().find(|ca| ca.id() == id));
                match (named(".crl"), named(".crt")) {
                    (Some(ca), _) => Paper { media: "application/pkix-crl", bytes: list(ca)? },
                    (None, Some(ca)) => {
                        let bytes = ca.chain.first().cloned().unwrap_or_default();
                        Paper { media: "application/pkix-cert", bytes }
                    }
                    (None, None) => return Ok(None),
                }
            }
        };
        Ok(Some(paper))
    }
}

/// Until when a list is good. As long as the longest certificate: if no other can be had, whatever it leaves out has run
/// out before it does.
fn next(at: Time) -> Time {
    at.plus(LONGEST)
}

impl Papers {
    /// The list of one authority, in DER.
    fn list(&self, ca: &Ca, number: u64, at: Time, revoked: &[Revoked]) -> Result<Vec<u8>, ConnectError> {
        let own = |one: &&Revoked| one.inventory.get("authority").and_then(Value::as_str) == Some(ca.id().as_str());
        let entries = revoked.iter().filter(own).map(entry).collect::<Result<Vec<_>, _>>()?;
        let params = CertificateRevocationListParams {
            this_update: moment(at.seconds())?,
            next_update: moment(next(at).seconds())?,
            crl_number: SerialNumber::from_slice(&number.to_be_bytes()),
            issuing_distribution_point: None,
            revoked_certs: entries,
            key_identifier_method: KeyIdMethod::PreSpecified(ca.key_id.clone()),
        };
        let issuer = ca.issuer(Once::new(ca.key, |tbs: &[u8]| {
            let permit = PublishPermit { what: format!("revocation list {number} of authority {}", ca.id()) };
            around_call(point!("x509.list.sign"), || self.signer.publish(ca.purpose, permit, tbs))
        }));
        let made = issuer.key().outcome(params.signed_by(&issuer))?;
        read_back(ca, made.der(), number, revoked.iter().filter(own).count())?;
        Ok(made.der().to_vec())
    }
}

fn entry(revoked: &Revoked) -> Result<RevokedCertParams, WriteError> {
    let serial = revoked.inventory.get("serial").and_then(Value::as_str).unwrap_or_default();
    let serial = data_encoding::HEXLOWER.decode(serial.as_bytes());
    let serial = serial.map_err(|_| WriteError::Wrong("an inventory without a serial number".to_owned()))?;
    Ok(RevokedCertParams {
        serial_number: SerialNumber::from_slice(&serial),
        revocation_time: moment(revoked.since.seconds())?,
        reason_code: Some(RevocationReason::CessationOfOperation),
        invalidity_date: None,
    })
}

fn read_back(ca: &Ca, der: &[u8], number: u64, entries: usize) -> Result<(), WriteError> {
    let wrong = |why: String| WriteError::Wrong(format!("the revocation list: {why}"));
    let list: CertificateList = CertificateList::from_der(der).map_err(|e| wrong(e.to_string()))?;
    let tbs = list.tbs_cert_list.to_der().map_err(|e| wrong(e.to_string()))?;
    let said = read(&tbs).map_err(wrong)?;
    if (said.0, said.1) != (number, entries) || list.tbs_cert_list.issuer.to_der().ok().as_deref() != Some(&ca.subject)
    {
        return Err(wrong("it says something else".to_owned()));
    }
    verify(&ca.spki, &list.signature_algorithm, &tbs, list.signature.raw_bytes()).map_err(wrong)
}

/// The number and the count of entries of a list's to-be-signed bytes.
fn read(tbs: &[u8]) -> Result<(u64, usize), String> {
    let list: TbsCertList = TbsCertList::from_der(tbs).map_err(|e| format!("it is no revocation list: {e}"))?;
    if list.to_der().map_err(|e| e.to_string())? != tbs {
        return Err("it is not in its one encoding".to_owned());
    }
    if list.next_update.is_none() {
        return Err("it never runs out".to_owned());
    }
    let all = list.crl_extensions.unwrap_or_default();
    let number = all.iter().find(|one| one.extn_id == <CrlNumber as x509_cert::der::oid::AssociatedOid>::OID);
    let number = number.ok_or("it has no number")?;
    let number = CrlNumber::from_der(number.extn_value.as_bytes()).map_err(|e| e.to_string())?;
    let bytes = number.0.as_bytes();
    let mut whole = [0_u8; 8];
    let at = whole.len().checked_sub(bytes.len()).ok_or("its number is too great")?;
    whole.get_mut(at..).ok_or("its number is too great")?.copy_from_slice(bytes);
    Ok((u64::from_be_bytes(whole), list.revoked_certificates.unwrap_or_default().len()))
}

/// Whether to-be-signed bytes are a revocation list and nothing else: what an authority's key publishes.
///
/// # Errors
/// When they are not.
pub fn check_list(tbs: &[u8]) -> Result<(), String> {
    read(tbs).map(drop)
}
