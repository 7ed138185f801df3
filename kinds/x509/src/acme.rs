//! Certificates that are ordered: which names a signing request asks for, and what a certificate is known by.
//!
//! INVARIANT: a signing request asks for every name that stands anywhere in it, so that one that says more than was ordered
//! is found out (held by `a_request_asks_for_every_name_in_it`).

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use wane_connector::{Acme, CertNames, CertRead, CertRequest, KindError};
use x509_cert::der::asn1::{Ia5StringRef, PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::{AssociatedOid as _, ObjectIdentifier};
use x509_cert::der::{Any, Decode as _, Encode as _, pem};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectAltName};
use x509_cert::request::{CertReq, ExtensionReq};
use x509_cert::{Certificate, SubjectPublicKeyInfo};

use crate::authority::to_pem;
use crate::key::{self, HolderKey};
use crate::role::Definition;
use crate::said::{COMMON_NAME, address};
use crate::settings::dns_name;

/// What is known of certificates that are ordered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Orders;

impl Acme for Orders {
    fn names(&self, definition: &Value) -> Result<CertNames, KindError> {
        let definition = Definition::read(definition)?;
        Ok(CertNames { dns: definition.dns_names, ip: definition.ip_addresses })
    }

    fn request(&self, der: &[u8]) -> Result<CertRequest, String> {
        let key = key::of_request(der)?;
        let request = CertReq::from_der(der).map_err(|e| e.to_string())?;
        let names = asked_for(&request)?;
        let csr = to_pem("CERTIFICATE REQUEST", der).map_err(|e| e.to_string())?;
        let input = json!({ "csr": csr, "dns_names": names.dns, "ip_addresses": names.ip });
        Ok(CertRequest { names, jwk: jwk(&key)?, input })
    }

    fn certificate(&self, der: &[u8]) -> Result<CertRead, String> {
        let cert = Certificate::from_der(der).map_err(|e| format!("it is no certificate: {e}"))?;
        let tbs = cert.tbs_certificate();
        let authority = tbs.get_extension::<AuthorityKeyIdentifier>().map_err(|e| e.to_string())?;
        let authority = authority.and_then(|(_, authority)| authority.key_identifier);
        let authority = authority.ok_or("it does not name its authority by the key")?;
        let encoded = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let id = format!("{}.{}", encoded(authority.as_bytes()), encoded(tbs.serial_number().as_bytes()));
        let spki = tbs.subject_public_key_info().to_der().map_err(|e| e.to_string())?;
        Ok(CertRead { id, jwk: jwk(&key::of_spki(&spki)?)? })
    }

    fn handed(&self, public: &Value) -> Result<(CertRead, String), String> {
        let text = |name: &str| public.get(name).and_then(Value::as_str).unwrap_or_default();
        let (certificate, above) = (text("certificate"), text("above"));
        let (_, der) = pem::decode_vec(certificate.as_bytes()).map_err(|e| e.to_string())?;
        Ok((self.certificate(&der)?, format!("{certificate}{above}")))
    }
}

/// A key as JWK: the members that are required and no others.
fn jwk(key: &HolderKey) -> Result<Value, String> {
    let encoded = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    let spki = SubjectPublicKeyInfo::from_der(&key.spki).map_err(|e| e.to_string())?;
    let bits = spki.subject_public_key.raw_bytes();
    let point = |curve: &str| {
        let (x, y) = bits.split_first().map(|(_, xy)| xy.split_at(xy.len() / 2)).unwrap_or_default();
        json!({ "crv": curve, "kty": "EC", "x": encoded(x), "y": encoded(y) })
    };
    Ok(match key.sort {
        key::Sort::P256 => point("P-256"),
        key::Sort::P384 => point("P-384"),
        key::Sort::Ed25519 => json!({ "crv": "Ed25519", "kty": "OKP", "x": encoded(bits) }),
        key::Sort::Rsa => {
            let (modulus, exponent) = key::rsa_parts(bits).map_err(|e| e.to_string())?;
            json!({ "e": encoded(&exponent), "kty": "RSA", "n": encoded(&modulus) })
        }
    })
}

/// Every name in a request: in its subject, and in what it wants as alternative names. RFC 8555, section 7.4, lets a name
/// stand in either.
fn asked_for(request: &CertReq) -> Result<CertNames, String> {
    let mut names = CertNames::default();
    for part in request.info.subject.iter().filter(|part| part.oid == COMMON_NAME) {
        put_text(&mut names, &text(&part.value)?)?;
    }
    for attribute in request.info.attributes.iter().filter(|attribute| attribute.oid == ExtensionReq::OID) {
        for value in attribute.values.iter() {
            let wanted = ExtensionReq::from_der(&value.to_der().map_err(|e| e.to_string())?);
            let wanted = wanted.map_err(|e| format!("the extensions it asks for cannot be read: {e}"))?;
            let alternative = |oid: &ObjectIdentifier| *oid == SubjectAltName::OID;
            for extension in wanted.0.iter().filter(|extension| alternative(&extension.extn_id)) {
                let all = SubjectAltName::from_der(extension.extn_value.as_bytes());
                let all = all.map_err(|e| format!("the names it asks for cannot be read: {e}"))?;
                all.0.iter().try_for_each(|name| put(&mut names, name))?;
            }
        }
    }
    Ok(names)
}

fn put(names: &mut CertNames, name: &GeneralName) -> Result<(), String> {
    match name {
        GeneralName::DnsName(name) => {
            names.dns.insert(dns_name(name.as_str()).ok_or("it asks for something that is no DNS name")?);
        }
        GeneralName::IpAddress(bytes) => {
            names.ip.insert(address(bytes.as_bytes())?);
        }
        _ => return Err("it asks for a name that is neither a DNS name nor an address".to_owned()),
    }
    Ok(())
}

/// A common name, which is a DNS name or an address.
fn put_text(names: &mut CertNames, text: &str) -> Result<(), String> {
    match text.parse() {
        Ok(address) => {
            names.ip.insert(address);
        }
        Err(_) => {
            let name = dns_name(text).ok_or("its common name is neither a DNS name nor an address; leave it out")?;
            names.dns.insert(name);
        }
    }
    Ok(())
}

fn text(value: &Any) -> Result<String, String> {
    let utf8 = value.decode_as::<Utf8StringRef<'_>>().map(|text| text.as_str().to_owned());
    let printable = || value.decode_as::<PrintableStringRef<'_>>().map(|text| text.as_str().to_owned());
    let ia5 = || value.decode_as::<Ia5StringRef<'_>>().map(|text| text.as_str().to_owned());
    utf8.or_else(|_| printable()).or_else(|_| ia5()).map_err(|_| "its common name cannot be read".to_owned())
}
