//! Public keys from outside: which are certified, and what of a signing request counts. That is its key, once the
//! request is signed with it; whatever else it asks for is not read.

use std::collections::BTreeSet;
use std::net::IpAddr;

use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, VerificationAlgorithm,
};
use rcgen::{PublicKeyData, SignatureAlgorithm};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use wane_connector::strict;
use x509_cert::der::asn1::UintRef;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _, Reader as _, SliceReader, pem};
use x509_cert::request::CertReq;
use x509_cert::{AlgorithmIdentifier, SubjectPublicKeyInfo};

const LONGEST: usize = 16 * 1024;
/// In bytes of the modulus.
const RSA_LENGTHS: std::ops::RangeInclusive<usize> = 256..=1024;
const RSA_EXPONENT: &[u8] = &[1, 0, 1];

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");

/// The sorts of keys that are certified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    P256,
    P384,
    Ed25519,
    Rsa,
}

/// A key that is good enough to be certified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HolderKey {
    pub(crate) sort: Sort,
    bytes: Vec<u8>,
    /// The whole SubjectPublicKeyInfo.
    pub(crate) spki: Vec<u8>,
}

impl HolderKey {
    /// The identifier of RFC 7093, section 2, method 1.
    pub(crate) fn id(&self) -> Vec<u8> {
        key_id(&self.bytes)
    }
}

/// The first 160 bits of the SHA-256 of a key's bits.
pub(crate) fn key_id(bits: &[u8]) -> Vec<u8> {
    Sha256::digest(bits).iter().take(20).copied().collect()
}

impl PublicKeyData for HolderKey {
    fn der_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.sort {
            Sort::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Sort::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Sort::Ed25519 => &rcgen::PKCS_ED25519,
            Sort::Rsa => &rcgen::PKCS_RSA_SHA256,
        }
    }
}

/// What the holder sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) key: HolderKey,
    /// Some of the role's names, if not all of them are wanted.
    pub(crate) names: Option<Names>,
}

/// DNS names and addresses.
pub(crate) type Names = (BTreeSet<String>, BTreeSet<IpAddr>);

/// What the holder sent: `{"csr": "-----BEGIN CERTIFICATE REQUEST-----…"}` or `{"public_key": "-----BEGIN PUBLIC KEY-----…"}`,
/// and with it `dns_names` and `ip_addresses` if the certificate is to be for some of the role's.
pub(crate) fn sent(input: &Value) -> Result<Sent, String> {
    let map = strict::object("input", input, &["csr", "public_key", "dns_names", "ip_addresses"])
        .map_err(|e| e.to_string())?;
    let text = |key| strict::text(map, key).map_err(|e| e.to_string());
    let key = match (text("csr")?, text("public_key")?) {
        (Some(csr), None) => of_request(&decoded(csr, "CERTIFICATE REQUEST")?),
        (None, Some(key)) => of_spki(&decoded(key, "PUBLIC KEY")?),
        (Some(_), Some(_)) => Err("send `csr` or `public_key`, not both".to_owned()),
        (None, None) => Err(
            "send the public key to be certified: a signing request as `csr`, or the key alone as `public_key`, in PEM"
                .to_owned(),
        ),
    }?;
    let listed = |key| strict::texts(map, key).map_err(|e| e.to_string());
    let names = match (listed("dns_names")?, listed("ip_addresses")?) {
        (None, None) => None,
        (dns, ip) => {
            let dns = dns.unwrap_or_default().into_iter().map(|name| name.to_ascii_lowercase()).collect();
            let wrong = |_| "one of `ip_addresses` is no address".to_owned();
            let ip = ip.unwrap_or_default().into_iter().map(str::parse).collect::<Result<_, _>>().map_err(wrong)?;
            Some((dns, ip))
        }
    };
    Ok(Sent { key, names })
}

fn decoded(text: &str, label: &str) -> Result<Vec<u8>, String> {
    if text.len() > LONGEST {
        return Err(format!("it is {} bytes long; the most is {LONGEST}", text.len()));
    }
    match pem::decode_vec(text.trim().as_bytes()) {
        Ok((found, der)) if found == label => Ok(der),
        Ok((found, _)) => Err(format!("this is a `{}`; send a `{label}`", crate::settings::short(found))),
        Err(_) => Err(format!("it is not PEM from `-----BEGIN {label}-----` to `-----END {label}-----`")),
    }
}

/// The key of a signing request (RFC 2986) that is signed with it.
pub(crate) fn of_request(der: &[u8]) -> Result<HolderKey, String> {
    let request = CertReq::from_der(der).map_err(|e| format!("it is no signing request: {e}"))?;
    let key = of_spki(&request.info.public_key.to_der().map_err(|e| e.to_string())?)?;
    let signed = request.info.to_der().map_err(|e| e.to_string())?;
    // INVARIANT: who sends a request has the key in it (held by `nothing_of_a_request_counts_but_its_key`).
    verify(&request.info.public_key, &request.algorithm, &signed, request.signature.raw_bytes())
        .map_err(|why| format!("the request does not prove that you have its key: {why}"))?;
    Ok(key)
}

/// A key alone (RFC 5280, SubjectPublicKeyInfo).
pub(crate) fn of_spki(der: &[u8]) -> Result<HolderKey, String> {
    let spki = SubjectPublicKeyInfo::from_der(der).map_err(|e| format!("it is no public key: {e}"))?;
    if spki.to_der().map_err(|e| e.to_string())? != der {
        return Err("it is not in its one encoding".to_owned());
    }
    let sort = sort(&spki.algorithm)?;
    let bytes = spki.subject_public_key.as_bytes().ok_or("its bits are not whole bytes")?.to_vec();
    // INVARIANT: a key has one spelling, so that it is told from another by its bytes (held by `a_key_is_taken_in_one_spelling`).
    if !is_plain(sort, &bytes) {
        return Err("its key is not in its one spelling; send an uncompressed point".to_owned());
    }
    let unusable = |_| "it is no usable key of its sort".to_owned();
    match sort {
        Sort::P256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &bytes).map(drop).map_err(unusable)?,
        Sort::P384 => ParsedPublicKey::new(&ECDSA_P384_SHA384_ASN1, &bytes).map(drop).map_err(unusable)?,
        Sort::Ed25519 => ParsedPublicKey::new(&ED25519, &bytes).map(drop).map_err(unusable)?,
        Sort::Rsa => {
            ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &bytes).map(drop).map_err(unusable)?;
            let (modulus, exponent) = rsa_parts(&bytes).map_err(|e| format!("it is no RSA key: {e}"))?;
            if !RSA_LENGTHS.contains(&modulus.len()) {
                let bits = modulus.len().saturating_mul(8);
                return Err(format!("an RSA key has to have 2048 to 8192 bits, this one has {bits}"));
            }
            if exponent != RSA_EXPONENT {
                return Err("the exponent of an RSA key has to be 65537".to_owned());
            }
        }
    }
    Ok(HolderKey { sort, bytes, spki: der.to_vec() })
}

/// Whether a key's bits are what everybody writes: of a point both numbers, behind a 4 (SEC 1, section 2.3.3).
fn is_plain(sort: Sort, bits: &[u8]) -> bool {
    let is_point = |length: usize| bits.len() == length && bits.first() == Some(&4);
    match sort {
        Sort::P256 => is_point(65),
        Sort::P384 => is_point(97),
        Sort::Ed25519 => bits.len() == 32,
        // Its two numbers are read below, and are there in one encoding or not at all.
        Sort::Rsa => true,
    }
}

/// Modulus and exponent (RFC 8017, RSAPublicKey).
pub(crate) fn rsa_parts(bytes: &[u8]) -> Result<(Vec<u8>, Vec<u8>), x509_cert::der::Error> {
    let mut reader = SliceReader::new(bytes)?;
    let parts = reader.sequence(|inner| -> Result<_, x509_cert::der::Error> {
        Ok((UintRef::decode(inner)?, UintRef::decode(inner)?))
    })?;
    reader.finish()?;
    Ok((parts.0.as_bytes().to_vec(), parts.1.as_bytes().to_vec()))
}

fn sort(algorithm: &AlgorithmIdentifier) -> Result<Sort, String> {
    let curve = || algorithm.parameters.as_ref().and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
    match algorithm.oid {
        EC if curve() == Some(P256) => Ok(Sort::P256),
        EC if curve() == Some(P384) => Ok(Sort::P384),
        ED if algorithm.parameters.is_none() => Ok(Sort::Ed25519),
        RSA if algorithm.parameters.as_ref().is_some_and(|any| any.is_null()) => Ok(Sort::Rsa),
        _ => Err("keys of this sort are not certified; take ECDSA on P-256 or P-384, Ed25519, or RSA".to_owned()),
    }
}

/// Whether a signature over these bytes is by this key.
pub(crate) fn verify(
    spki: &SubjectPublicKeyInfo,
    algorithm: &AlgorithmIdentifier,
    message: &[u8],
    signed: &[u8],
) -> Result<(), String> {
    let by: &'static dyn VerificationAlgorithm = match (sort(&spki.algorithm)?, algorithm.oid) {
        (Sort::P256, ECDSA_SHA256) => &ECDSA_P256_SHA256_ASN1,
        (Sort::P384, ECDSA_SHA384) => &ECDSA_P384_SHA384_ASN1,
        (Sort::P384, ECDSA_SHA256) => &signature::ECDSA_P384_SHA256_ASN1,
        (Sort::P256, ECDSA_SHA384) => &signature::ECDSA_P256_SHA384_ASN1,
        (Sort::Ed25519, ED) => &ED25519,
        (Sort::Rsa, RSA_SHA256) => &RSA_PKCS1_2048_8192_SHA256,
        (Sort::Rsa, RSA_SHA384) => &RSA_PKCS1_2048_8192_SHA384,
        (Sort::Rsa, RSA_SHA512) => &RSA_PKCS1_2048_8192_SHA512,
        _ => return Err("its signature is of a sort that is not taken".to_owned()),
    };
    let key = signature::UnparsedPublicKey::new(by, spki.subject_public_key.raw_bytes());
    key.verify(message, signed).map_err(|_| "its signature is wrong".to_owned())
}
