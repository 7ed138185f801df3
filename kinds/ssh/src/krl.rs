//! The revocation list in OpenSSH's own format (PROTOCOL.krl), and the signature it travels under.
//!
//! Owns: writing a list of key ids, reading a list's version, the SSHSIG over it. No library at
//! hand writes this format, so `ssh-keygen -Q` and a real sshd are what the writer is held to.
//! Certificates are revoked by key id, which is the grant: all issues of a grant die together.

use russh::keys::ssh_key::encoding::{self, Decode, Encode};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::ssh_key::{self, LineEnding, SshSig};
use russh::keys::{Algorithm, HashAlg, PublicKey};
use wane_connector::Signature;
use wane_domain::time::Time;

/// The SSHSIG namespace of a revocation list; a signature for anything else is not one for this.
pub(crate) const NAMESPACE: &str = "wane-krl";
const MAGIC: u64 = 0x5353_484b_524c_0a00;
const FORMAT: u32 = 1;
const SECTION_CERTIFICATES: u8 = 1;
const SECTION_KEY_ID: u8 = 0x23;

/// Which list is the newer one: its version, then when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) version: u64,
    pub(crate) generated: u64,
}

/// Writes the list that revokes these key ids of certificates signed by `ca`.
pub(crate) fn write(version: u64, at: Time, ca: &KeyData, revoked: &[String]) -> Result<Vec<u8>, encoding::Error> {
    let mut ids: Vec<&str> = revoked.iter().map(String::as_str).filter(|id| !id.is_empty()).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut out = Vec::new();
    MAGIC.encode(&mut out)?;
    FORMAT.encode(&mut out)?;
    version.encode(&mut out)?;
    u64::try_from(at.seconds()).unwrap_or(0).encode(&mut out)?;
    0_u64.encode(&mut out)?; // flags
    "".encode(&mut out)?; // reserved
    "wane".encode(&mut out)?; // comment
    if !ids.is_empty() {
        let mut key_ids = Vec::new();
        for id in ids {
            id.encode(&mut key_ids)?;
        }
        let mut section = Vec::new();
        ca.encode_prefixed(&mut section)?;
        "".encode(&mut section)?; // reserved
        SECTION_KEY_ID.encode(&mut section)?;
        key_ids.encode(&mut section)?;
        SECTION_CERTIFICATES.encode(&mut out)?;
        section.encode(&mut out)?;
    }
    Ok(out)
}

/// Reads which list this is; the rest of it is sshd's to read.
pub(crate) fn stamp(krl: &[u8]) -> Result<Stamp, String> {
    let mut rest = krl;
    let mut head = || -> Result<(u64, u32, Stamp), encoding::Error> {
        let magic = u64::decode(&mut rest)?;
        let format = u32::decode(&mut rest)?;
        Ok((magic, format, Stamp { version: u64::decode(&mut rest)?, generated: u64::decode(&mut rest)? }))
    };
    match head() {
        Ok((MAGIC, FORMAT, stamp)) => Ok(stamp),
        Ok(_) | Err(_) => Err("it is not a revocation list in OpenSSH's format".to_owned()),
    }
}

/// The bytes to be signed for a list.
pub(crate) fn to_be_signed(krl: &[u8]) -> Result<Vec<u8>, ssh_key::Error> {
    SshSig::signed_data(NAMESPACE, HashAlg::Sha512, krl)
}

/// The armoured signature, as `ssh-keygen -Y verify` reads it.
pub(crate) fn armour(signer: KeyData, signature: &Signature) -> Result<String, ssh_key::Error> {
    let signature = ssh_key::Signature::new(Algorithm::Ed25519, signature.0)?;
    SshSig::new(signer, NAMESPACE, HashAlg::Sha512, signature)?.to_pem(LineEnding::LF)
}

/// Whether this signature over the list is by this key and for this purpose.
pub(crate) fn verify(signer: &KeyData, krl: &[u8], armoured: &str) -> Result<(), String> {
    let signature = SshSig::from_pem(armoured).map_err(|e| format!("its signature cannot be read: {e}"))?;
    PublicKey::new(signer.clone(), "")
        .verify(NAMESPACE, krl, &signature)
        .map_err(|e| format!("its signature is not by the pinned key for `{NAMESPACE}`: {e}"))
}
