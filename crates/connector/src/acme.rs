//! Certificates that clients of ACME (RFC 8555) order: what a kind that certifies names knows of them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use crate::kind::KindError;

/// Names that a certificate is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertNames {
    /// DNS names, in lower case.
    pub dns: BTreeSet<String>,
    /// Addresses.
    pub ip: BTreeSet<IpAddr>,
}

/// What of a signing request counts.
#[derive(Clone, Debug)]
pub struct CertRequest {
    /// The names it asks for, wherever in it they stand.
    pub names: CertNames,
    /// Its key (RFC 7517), which it is signed with.
    pub jwk: Value,
    /// What the issuer is given, if it is to certify that key for those names.
    pub input: Value,
}

/// What a certificate that comes back says of itself. Whether it is one of ours is for whoever asks to look.
#[derive(Clone, Debug)]
pub struct CertRead {
    /// What clients know it by (RFC 9773, section 4.1): its authority's key identifier and its serial number.
    pub id: String,
    /// Its key (RFC 7517).
    pub jwk: Value,
}

/// What a kind knows of the certificates that are ordered under its roles, without the store.
pub trait Acme: Send + Sync {
    /// The names that a role gives; none if its certificates are not for names.
    ///
    /// # Errors
    /// When its definition cannot be read.
    fn names(&self, definition: &Value) -> Result<CertNames, KindError>;

    /// A signing request in DER that is signed with its own key.
    ///
    /// # Errors
    /// When it is none, or asks for something that is no name.
    fn request(&self, der: &[u8]) -> Result<CertRequest, String>;

    /// A certificate in DER.
    ///
    /// # Errors
    /// When it is none.
    fn certificate(&self, der: &[u8]) -> Result<CertRead, String>;

    /// The certificate that was handed out, and the same with everything above it as clients want it, both in PEM.
    ///
    /// # Errors
    /// When what was handed out is no certificate.
    fn handed(&self, public: &Value) -> Result<(CertRead, String), String>;
}
