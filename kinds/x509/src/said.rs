//! What the bytes of a certificate say, read by another library than the one that writes them, and to the last field:
//! one that has anything else in it is not read at all.

use std::collections::BTreeSet;
use std::net::IpAddr;

use x509_cert::certificate::{TbsCertificate, Version};
use x509_cert::der::asn1::Utf8StringRef;
use x509_cert::der::oid::{AssociatedOid, ObjectIdentifier};
use x509_cert::der::{Decode, Encode as _};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::name::Name;

use crate::role::Usage;

pub(crate) const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
/// RFC 4519 `uid`, which here is the grant.
pub(crate) const USER_ID: [u64; 7] = [0, 9, 2342, 19_200_300, 100, 1, 1];
const USER_ID_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.1");
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");

/// Everything a certificate of ours says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) serial: Vec<u8>,
    /// The issuer's name, in DER.
    pub(crate) issuer: Vec<u8>,
    pub(crate) authority_key_id: Vec<u8>,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    pub(crate) common_name: String,
    pub(crate) grant: String,
    pub(crate) usage: Usage,
    /// Who it says the holder is.
    pub(crate) uri: String,
    pub(crate) dns_names: BTreeSet<String>,
    pub(crate) ip_addresses: BTreeSet<IpAddr>,
    pub(crate) spki: Vec<u8>,
    pub(crate) subject_key_id: Vec<u8>,
}

/// Reads to-be-signed bytes. Those with a second spelling are refused: what is read has to be what is signed.
pub(crate) fn read(tbs: &[u8]) -> Result<Said, String> {
    let said = TbsCertificate::from_der(tbs).map_err(|e| format!("it is no certificate: {e}"))?;
    if said.to_der().map_err(|e| e.to_string())? != tbs {
        return Err("it is not in its one encoding".to_owned());
    }
    of(&said)
}

/// What a certificate says, if it says nothing else.
pub(crate) fn of(tbs: &TbsCertificate) -> Result<Said, String> {
    if tbs.version() != Version::V3 || tbs.issuer_unique_id().is_some() || tbs.subject_unique_id().is_some() {
        return Err("it is not a plain certificate of version 3".to_owned());
    }
    let all = tbs.extensions().map(Vec::as_slice).unwrap_or_default();
    if all.len() != 6 {
        return Err(format!("it has {} extensions, and not the six that belong there", all.len()));
    }
    let basic: BasicConstraints = extension(all, Critical::Yes)?;
    if basic.ca || basic.path_len_constraint.is_some() {
        return Err("it is one of an authority".to_owned());
    }
    let usage: KeyUsage = extension(all, Critical::Yes)?;
    if usage.0 != KeyUsages::DigitalSignature {
        return Err("its key is for more than signatures".to_owned());
    }
    let purposes: ExtendedKeyUsage = extension(all, Critical::No)?;
    let usage = match purposes.0.as_slice() {
        [CLIENT_AUTH] => Usage::Client,
        [SERVER_AUTH] => Usage::Server,
        _ => return Err("it is not for one end of a connection".to_owned()),
    };
    let authority: AuthorityKeyIdentifier = extension(all, Critical::No)?;
    let authority_key_id = match authority {
        AuthorityKeyIdentifier {
            key_identifier: Some(id),
            authority_cert_issuer: None,
            authority_cert_serial_number: None,
        } => id.as_bytes().to_vec(),
        _ => return Err("it does not name its authority by the key alone".to_owned()),
    };
    let subject: SubjectKeyIdentifier = extension(all, Critical::No)?;
    let names: SubjectAltName = extension(all, Critical::No)?;
    let (uri, dns_names, ip_addresses) = names_in(&names.0)?;
    let (common_name, grant) = subject_of(tbs.subject())?;
    let seconds = |at: x509_cert::time::Time| i64::try_from(at.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    Ok(Said {
        serial: tbs.serial_number().as_bytes().to_vec(),
        issuer: tbs.issuer().to_der().map_err(|e| e.to_string())?,
        authority_key_id,
        not_before: seconds(tbs.validity().not_before),
        not_after: seconds(tbs.validity().not_after),
        common_name,
        grant,
        usage,
        uri,
        dns_names,
        ip_addresses,
        spki: tbs.subject_public_key_info().to_der().map_err(|e| e.to_string())?,
        subject_key_id: subject.0.as_bytes().to_vec(),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Critical {
    Yes,
    No,
}

/// The one extension of its sort.
fn extension<'a, T: Decode<'a, Error = x509_cert::der::Error> + AssociatedOid>(
    all: &'a [Extension],
    critical: Critical,
) -> Result<T, String> {
    let mut found = all.iter().filter(|extension| extension.extn_id == T::OID);
    let (Some(one), None) = (found.next(), found.next()) else {
        return Err(format!("it has not exactly one extension {}", T::OID));
    };
    if one.critical != (critical == Critical::Yes) {
        return Err(format!("its extension {} is critical, or not, the other way round", T::OID));
    }
    T::from_der(one.extn_value.as_bytes()).map_err(|e| format!("its extension {} cannot be read: {e}", T::OID))
}

type Names = (String, BTreeSet<String>, BTreeSet<IpAddr>);

/// One URI, and for a server what it is reached by; each once.
fn names_in(names: &[GeneralName]) -> Result<Names, String> {
    let (mut uri, mut dns, mut addresses) = (None, BTreeSet::new(), BTreeSet::new());
    for name in names {
        let fresh = match name {
            GeneralName::UniformResourceIdentifier(text) => uri.replace(text.as_str().to_owned()).is_none(),
            GeneralName::DnsName(text) => dns.insert(text.as_str().to_owned()),
            GeneralName::IpAddress(bytes) => addresses.insert(address(bytes.as_bytes())?),
            _ => return Err("it has a name of a sort that no role gives".to_owned()),
        };
        if !fresh {
            return Err("it has a name twice, or two identities".to_owned());
        }
    }
    Ok((uri.ok_or("it has no identity")?, dns, addresses))
}

pub(crate) fn address(bytes: &[u8]) -> Result<IpAddr, String> {
    let four: Result<[u8; 4], _> = bytes.try_into();
    let sixteen: Result<[u8; 16], _> = bytes.try_into();
    match (four, sixteen) {
        (Ok(four), _) => Ok(four.into()),
        (_, Ok(sixteen)) => Ok(sixteen.into()),
        (Err(_), Err(_)) => Err("it has an address that is none".to_owned()),
    }
}

/// The common name and the grant.
fn subject_of(name: &Name) -> Result<(String, String), String> {
    let text = |any: &x509_cert::der::Any| {
        any.decode_as::<Utf8StringRef<'_>>().map(|text| text.as_str().to_owned()).map_err(|e| e.to_string())
    };
    let parts: Vec<_> = name.iter().collect();
    match parts.as_slice() {
        [first, second] if first.oid == COMMON_NAME && second.oid == USER_ID_OID && name.len() == 2 => {
            Ok((text(&first.value)?, text(&second.value)?))
        }
        _ => Err("its subject is not a name and a grant".to_owned()),
    }
}
