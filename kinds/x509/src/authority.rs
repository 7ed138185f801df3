//! Issuing authorities: made as roots of their own or certified by one outside, and taken over from one by the next.
//!
//! Owns: what an authority is, its own certificate or the request for one, which chain is taken, and the order of a
//! rotation. While one takes over from another both are trusted, and both have their list signed, until the last
//! certificate of the older has run out. Refuses to know: where keys and authorities are kept.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyIdMethod, KeyUsagePurpose,
    NameConstraints, SerialNumber, SigningKey,
};
use serde::{Deserialize, Serialize};
use wane_connector::{PublicKey, SignError, Signature, Signer};
use wane_domain::time::{Span, Time};
use x509_cert::der::pem::{self, LineEnding};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::{BasicConstraints as Basic, KeyUsage, SubjectKeyIdentifier};
use x509_cert::request::CertReq;
use x509_cert::{Certificate, SubjectPublicKeyInfo};

use crate::AUTHORITY_KEYS;
use crate::certificate::{LONGEST, SKEW, hex, moment};
use crate::constraints::{Constraints, subtrees};
use crate::key::{key_id, verify};
use crate::sign::{Once, WriteError};

/// After how long nothing of an authority that was taken over from can still work, the slowest clock included.
const RUN_OUT: Span = Span::from_micros(LONGEST.micros() + 5 * SKEW.micros());
const LONGEST_CHAIN: usize = 64 * 1024;
const MOST_IN_CHAIN: usize = 8;

/// An authority as it is kept: everything but its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// The purpose of its key.
    pub purpose: String,
    /// Where it stands.
    pub state: State,
    /// Its own certificate first, its root last; in PEM.
    pub chain: Vec<String>,
    /// When it was made.
    pub made: Time,
}

/// Where an authority stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A root outside is to certify it.
    Requested {
        /// The signing request, in PEM.
        request: String,
    },
    /// Certified and made known; it issues nothing yet.
    Ready,
    /// It issues.
    Issuing,
    /// Another took over; what it issued runs out.
    Retired {
        /// Since when.
        at: Time,
    },
}

/// What an authority may name, given by people.
#[derive(Clone, Debug, Default)]
pub struct Confined {
    /// DNS names, and what is below them.
    pub dns: Vec<String>,
    /// Networks.
    pub networks: Vec<(IpAddr, u8)>,
}

/// Why an authority was not made, taken or changed.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The signer refused.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// It did not come out as meant.
    #[error("the authority's certificate did not come out as meant: {0}")]
    Wrong(String),
    /// The chain is not one for it.
    #[error("the chain is not taken: {0}")]
    Chain(String),
    /// There are as many as there may be.
    #[error("there are two authorities already; drop the one that was taken over from, or the one that waits, first")]
    Full,
    /// Nothing to do that with.
    #[error("there is no authority that {0}; see `wane authority show`")]
    None(&'static str),
    /// Not yet.
    #[error("what it issued can work until {0}; it has to be trusted, and its list signed, until then")]
    NotYet(Time),
}

impl From<WriteError> for AuthorityError {
    fn from(e: WriteError) -> Self {
        match e {
            WriteError::Sign(e) => Self::Sign(e),
            WriteError::Wrong(why) => Self::Wrong(why),
        }
    }
}

/// Signs with the authority's own key.
pub type Sign<'a> = &'a dyn Fn(&[u8]) -> Result<Signature, SignError>;

impl Authority {
    /// A root of its own.
    ///
    /// # Errors
    /// When the signer refuses.
    pub fn root(
        purpose: &'static str,
        key: PublicKey,
        sign: Sign<'_>,
        confined: &Confined,
        serial: [u8; 16],
        now: Time,
        life: Span,
    ) -> Result<Self, AuthorityError> {
        let mut params = params(key);
        params.not_before = moment(now.minus(SKEW).seconds())?;
        params.not_after = moment(now.plus(life).seconds())?;
        params.serial_number = Some(SerialNumber::from_slice(&positive(serial)));
        params.use_authority_key_identifier_extension = true;
        let permitted_subtrees = subtrees(&confined.dns, &confined.networks);
        params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
        let once = Once::new(key, sign);
        let made = once.outcome(params.self_signed(&once))?;
        let chain = vec![to_pem("CERTIFICATE", made.der())?];
        let made = Self { purpose: purpose.to_owned(), state: State::Ready, chain, made: now };
        Ca::read(purpose, key, &made).map_err(AuthorityError::Wrong)?;
        Ok(made)
    }

    /// One that a root outside is to certify.
    ///
    /// # Errors
    /// When the signer refuses.
    pub fn request(purpose: &'static str, key: PublicKey, sign: Sign<'_>, now: Time) -> Result<Self, AuthorityError> {
        let once = Once::new(key, sign);
        let made = once.outcome(params(key).serialize_request(&once))?;
        let request = to_pem("CERTIFICATE REQUEST", made.der())?;
        Ok(Self { purpose: purpose.to_owned(), state: State::Requested { request }, chain: Vec::new(), made: now })
    }

    /// Takes the chain that came of the request: its own certificate first, the root last.
    ///
    /// # Errors
    /// When it is not for this key and name, has no powers of an authority, does not hang together, or ran out.
    pub fn certify(
        &mut self,
        purpose: &'static str,
        key: PublicKey,
        chain: &str,
        now: Time,
    ) -> Result<(), AuthorityError> {
        let State::Requested { request } = &self.state else { return Err(AuthorityError::None("waits for a chain")) };
        let refused = |why: String| AuthorityError::Chain(why);
        let (_, request) = pem::decode_vec(request.as_bytes()).map_err(|e| refused(e.to_string()))?;
        let asked = CertReq::from_der(&request).map_err(|e| refused(e.to_string()))?;
        let chain = split(chain).map_err(refused)?;
        let taken = Self { chain, state: State::Ready, ..self.clone() };
        let ca = Ca::read(purpose, key, &taken).map_err(refused)?;
        if Some(ca.subject.as_slice()) != asked.info.subject.to_der().ok().as_deref() {
            return Err(refused(
                "its subject is not the one of the request; have the request's subject signed as it stands".to_owned(),
            ));
        }
        if ca.not_after <= now.plus(LONGEST).seconds() {
            return Err(refused("its certificate runs out within the hour".to_owned()));
        }
        *self = taken;
        Ok(())
    }

    /// The key it has to have.
    #[must_use]
    pub fn purpose(&self) -> Option<&'static str> {
        AUTHORITY_KEYS.into_iter().find(|purpose| *purpose == self.purpose)
    }
}

/// The purpose of the key of a further authority.
///
/// # Errors
/// When there are two already.
pub fn vacant(all: &[Authority]) -> Result<&'static str, AuthorityError> {
    AUTHORITY_KEYS
        .into_iter()
        .find(|purpose| all.iter().all(|authority| authority.purpose != *purpose))
        .ok_or(AuthorityError::Full)
}

/// Lets the one that is ready issue from now on; one that issued is retired.
///
/// # Errors
/// When none is ready.
pub fn take_over(all: &mut [Authority], now: Time) -> Result<(), AuthorityError> {
    if !all.iter().any(|authority| authority.state == State::Ready) {
        return Err(AuthorityError::None("is ready to issue"));
    }
    for authority in all {
        match authority.state {
            State::Issuing => authority.state = State::Retired { at: now },
            State::Ready => authority.state = State::Issuing,
            State::Requested { .. } | State::Retired { .. } => {}
        }
    }
    Ok(())
}

/// Takes away the one that does not issue; which it was.
///
/// # Errors
/// When there is none, or what it issued can still work.
pub fn drop_idle(all: &mut Vec<Authority>, now: Time) -> Result<Authority, AuthorityError> {
    let at = all.iter().position(|authority| authority.state != State::Issuing);
    let at = at.ok_or(AuthorityError::None("does not issue"))?;
    // INVARIANT: as long as anything an authority issued can work, its list is signed (held by
    // `an_authority_stays_until_its_last_certificate_ran_out`).
    if let Some(Authority { state: State::Retired { at: since }, .. }) = all.get(at) {
        let until = since.plus(RUN_OUT);
        if now < until {
            return Err(AuthorityError::NotYet(until));
        }
    }
    Ok(all.remove(at))
}

/// An authority's certificate and what follows from it.
#[derive(Clone, Debug)]
pub struct Ca {
    pub(crate) purpose: &'static str,
    pub(crate) key: PublicKey,
    pub(crate) spki: SubjectPublicKeyInfo,
    /// In DER.
    pub(crate) subject: Vec<u8>,
    pub(crate) key_id: Vec<u8>,
    pub(crate) not_after: i64,
    pub(crate) constraints: Constraints,
    /// Its own certificate first, the root last; in DER.
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) is_issuing: bool,
}

impl Ca {
    /// Reads an authority with its key, and checks its chain.
    fn read(purpose: &'static str, key: PublicKey, authority: &Authority) -> Result<Self, String> {
        let mut chain = Vec::new();
        for text in &authority.chain {
            let (label, der) = pem::decode_vec(text.as_bytes()).map_err(|e| format!("it is not PEM: {e}"))?;
            if label != "CERTIFICATE" {
                return Err("something in it is no certificate".to_owned());
            }
            chain.push(Certificate::from_der(&der).map_err(|e| format!("a certificate in it cannot be read: {e}"))?);
        }
        hangs_together(&chain)?;
        let own = chain.first().ok_or("it is empty")?.tbs_certificate();
        let spki = own.subject_public_key_info().clone();
        if spki.subject_public_key.as_bytes() != Some(key.bytes()) {
            return Err("its first certificate is for another key".to_owned());
        }
        let subject = own.subject().to_der().map_err(|e| e.to_string())?;
        if subject != name_of(key)? {
            return Err(
                "its subject is not the one of the request; have the request's subject signed as it stands".to_owned()
            );
        }
        let stated = own.get_extension::<SubjectKeyIdentifier>().map_err(|e| e.to_string())?;
        let key_id = stated.map_or_else(|| key_id(key.bytes()), |(_, id)| id.0.as_bytes().to_vec());
        let ders = chain.iter().map(|cert| cert.to_der().map_err(|e| e.to_string()));
        // None of the chain may be outlived.
        let ends = chain.iter().map(|cert| cert.tbs_certificate().validity().not_after.to_unix_duration().as_secs());
        let not_after = ends.min().map_or(0, |secs| i64::try_from(secs).unwrap_or(i64::MAX));
        Ok(Self {
            purpose,
            key,
            spki,
            subject,
            key_id,
            not_after,
            constraints: Constraints::of(&chain)?,
            chain: ders.collect::<Result<_, _>>()?,
            is_issuing: authority.state == State::Issuing,
        })
    }

    /// A short name, which is that of its key.
    #[must_use]
    pub fn id(&self) -> String {
        id_of(self.key)
    }

    /// It as the library takes it, signing with this.
    pub(crate) fn issuer<K: SigningKey>(&self, key: K) -> Issuer<'static, K> {
        let mut issuing = params(self.key);
        issuing.key_identifier_method = KeyIdMethod::PreSpecified(self.key_id.clone());
        Issuer::new(issuing, key)
    }

    /// The certificates between what it issues and the root, in PEM.
    pub(crate) fn between(&self) -> Result<String, WriteError> {
        let between = self.chain.split_last().map(|(_, between)| between).unwrap_or_default();
        between.iter().map(|der| to_pem("CERTIFICATE", der)).collect()
    }

    /// The certificates above what it issues, up to the root or, where it is its own root, that: in PEM. Some clients want
    /// at least one.
    pub(crate) fn above(&self) -> Result<String, WriteError> {
        if self.chain.len() > 1 { self.between() } else { self.root() }
    }

    /// The root, in PEM.
    pub(crate) fn root(&self) -> Result<String, WriteError> {
        self.chain.last().map_or_else(|| Ok(String::new()), |der| to_pem("CERTIFICATE", der))
    }
}

fn id_of(key: PublicKey) -> String {
    hex(&key_id(key.bytes())).chars().take(12).collect()
}

fn name_of(key: PublicKey) -> Result<Vec<u8>, String> {
    use std::str::FromStr as _;
    let name = x509_cert::name::Name::from_str(&format!("CN={}", common_name(key))).map_err(|e| e.to_string())?;
    name.to_der().map_err(|e| e.to_string())
}

fn common_name(key: PublicKey) -> String {
    format!("Wane authority {}", id_of(key))
}

/// What every certificate of an authority of ours says: it certifies ends of connections, and no further authority.
fn params(key: PublicKey) -> CertificateParams {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name(key));
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.key_identifier_method = KeyIdMethod::PreSpecified(key_id(key.bytes()));
    params
}

/// A serial number that is positive and has all its bytes.
pub(crate) fn positive(mut serial: [u8; 16]) -> [u8; 16] {
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    serial
}

/// Each certificate is an authority's, signed by the next, and the last by itself.
fn hangs_together(chain: &[Certificate]) -> Result<(), String> {
    if chain.is_empty() || chain.len() > MOST_IN_CHAIN {
        return Err(format!("it has {} certificates; 1 to {MOST_IN_CHAIN} are taken", chain.len()));
    }
    for (at, cert) in chain.iter().enumerate() {
        let tbs = cert.tbs_certificate();
        let basic = tbs.get_extension::<Basic>().map_err(|e| e.to_string())?;
        let usage = tbs.get_extension::<KeyUsage>().map_err(|e| e.to_string())?;
        if !basic.is_some_and(|(_, basic)| basic.ca) {
            return Err(format!("certificate {} in it is not an authority's (basicConstraints CA:TRUE)", at + 1));
        }
        let signs = usage.is_none_or(|(_, usage)| usage.key_cert_sign() && (at > 0 || usage.crl_sign()));
        if !signs {
            return Err(format!("certificate {} in it may not sign certificates and lists (keyUsage)", at + 1));
        }
        let above = chain.get(at + 1).unwrap_or(cert).tbs_certificate();
        if tbs.issuer() != above.subject() {
            return Err(format!("certificate {} in it is not issued by the next; put the root last", at + 1));
        }
        let message = tbs.to_der().map_err(|e| e.to_string())?;
        let by = above.subject_public_key_info();
        verify(by, cert.signature_algorithm(), &message, cert.signature().raw_bytes())
            .map_err(|why| format!("certificate {} in it: {why}", at + 1))?;
    }
    Ok(())
}

/// The certificates of a file in PEM.
fn split(text: &str) -> Result<Vec<String>, String> {
    const END: &str = "-----END CERTIFICATE-----";
    if text.len() > LONGEST_CHAIN {
        return Err(format!("it is {} bytes long; the most is {LONGEST_CHAIN}", text.len()));
    }
    let parts = text.split_inclusive(END).filter_map(|part| {
        part.find("-----BEGIN CERTIFICATE-----").and_then(|at| part.get(at..)).map(|part| format!("{part}\n"))
    });
    Ok(parts.collect())
}

pub(crate) fn to_pem(label: &str, der: &[u8]) -> Result<String, WriteError> {
    pem::encode_string(label, LineEnding::LF, der).map_err(|e| WriteError::Wrong(e.to_string()))
}

/// The authorities that are certified, whichever issues. What they are may change while they are used: whoever uses them
/// sees those before or those after, and never some of either.
#[derive(Default)]
pub struct Authorities(RwLock<Arc<Vec<Arc<Ca>>>>);

impl Authorities {
    /// Reads them with the keys the signer has. One that cannot be read is told of and left out: what there is goes on.
    #[must_use]
    pub fn read(signer: &dyn Signer, kept: &[Authority]) -> (Self, Vec<String>) {
        let (mut read, mut troubles) = (Vec::new(), Vec::new());
        for authority in kept {
            if matches!(authority.state, State::Requested { .. }) {
                continue;
            }
            let known = authority.purpose().ok_or_else(|| format!("there is no key `{}`", authority.purpose));
            let ca = known.and_then(|purpose| {
                let key = signer.key(purpose).map_err(|e| e.to_string())?;
                Ca::read(purpose, key, authority)
            });
            match ca {
                Ok(ca) => read.push(Arc::new(ca)),
                Err(why) => troubles.push(format!("authority `{}`: {why}", authority.purpose)),
            }
        }
        (Self(RwLock::new(Arc::new(read))), troubles)
    }

    /// Puts others in their place, all at once.
    pub fn become_others(&self, others: &Self) {
        // INVARIANT: whoever looks sees one that issues, if there is one before and after (held by
        // `while_one_takes_over_there_is_always_one_that_issues`).
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = others.all();
    }

    /// All of them.
    pub(crate) fn all(&self) -> Arc<Vec<Arc<Ca>>> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The one that issues.
    pub(crate) fn issuing(&self) -> Option<Arc<Ca>> {
        self.all().iter().find(|ca| ca.is_issuing).cloned()
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.all().iter().map(|ca| ca.id())).finish()
    }
}
