//! The key behind a passphrase: Argon2id (RFC 9106), its salt and parameters in a small header.

use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use wane_domain::ambient::Ambient;
use wane_domain::secret::Secret;
use zeroize::Zeroizing;

use super::{SealError, SealName, file};
use crate::aead;

const FORMAT: &str = "wane.seal.v1";
const LEAST_CHARACTERS: usize = 12;
/// What the check value says when it opens.
const CHECK: &[u8] = b"wane seal opens";
/// What a new header asks for, and the least an old one may.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// A header that asks for more is damaged or hostile.
const MOST_MEMORY_KIB: u32 = 4 * 1024 * 1024;
const MOST_PASSES: u32 = 64;
const MOST_LANES: u32 = 16;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    seal: SealName,
    argon2id: Work,
    /// Base64.
    salt: String,
    /// Base64: a known text under the derived key, so that a wrong passphrase is told from damage.
    check: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Work {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

pub(super) fn open(
    name: SealName,
    path: &Path,
    passphrase: &Secret,
    ambient: &Ambient,
) -> Result<Zeroizing<[u8; aead::KEY]>, SealError> {
    let content = file::read_or_create(path, ambient, || fresh(name, passphrase, ambient))?;
    let damaged = |what: String| SealError::Damaged { path: path.to_owned(), what };
    let header: Header = serde_json::from_slice(&content).map_err(|e| damaged(e.to_string()))?;
    if header.format != FORMAT {
        return Err(damaged(format!("its format is not `{FORMAT}`")));
    }
    if header.seal != name {
        return Err(SealError::OtherSeal { path: path.to_owned(), found: header.seal, wanted: name });
    }
    if !header.argon2id.is_sane() {
        return Err(damaged("its Argon2id parameters are out of bounds".to_owned()));
    }
    let salt = BASE64.decode(header.salt.as_bytes()).map_err(|e| damaged(format!("salt: {e}")))?;
    let check = BASE64.decode(header.check.as_bytes()).map_err(|e| damaged(format!("check: {e}")))?;
    let kek = derive(passphrase, &salt, header.argon2id)?;
    match aead::open(&kek, &bound(name, header.argon2id, &salt), &check) {
        Ok(said) if said.as_slice() == CHECK => Ok(kek),
        Ok(_) | Err(aead::Refused) => Err(SealError::WrongPassphrase { seal: name }),
    }
}

fn fresh(name: SealName, passphrase: &Secret, ambient: &Ambient) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let characters = passphrase.expose_str().map_or(passphrase.expose().len(), |text| text.chars().count());
    if characters < LEAST_CHARACTERS {
        return Err(SealError::PassphraseTooShort { least: LEAST_CHARACTERS });
    }
    let work = Work { memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES };
    let salt: [u8; 32] = ambient.bytes();
    let kek = derive(passphrase, &salt, work)?;
    let refuse = |why: String| SealError::Derive { why };
    let check = aead::seal(&kek, ambient, &bound(name, work, &salt), CHECK)
        .map_err(|aead::Refused| refuse("the cipher refused".to_owned()))?;
    let header = Header {
        format: FORMAT.to_owned(),
        seal: name,
        argon2id: work,
        salt: BASE64.encode(&salt),
        check: BASE64.encode(&check),
    };
    serde_json::to_vec_pretty(&header).map(Zeroizing::new).map_err(|e| refuse(e.to_string()))
}

fn derive(passphrase: &Secret, salt: &[u8], work: Work) -> Result<Zeroizing<[u8; aead::KEY]>, SealError> {
    let refuse = |e: argon2::Error| SealError::Derive { why: e.to_string() };
    let params = Params::new(work.memory_kib, work.passes, work.lanes, Some(aead::KEY)).map_err(refuse)?;
    let mut kek = Zeroizing::new([0; aead::KEY]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose(), salt, kek.as_mut_slice())
        .map_err(refuse)?;
    Ok(kek)
}

fn bound(name: SealName, work: Work, salt: &[u8]) -> Vec<u8> {
    let Work { memory_kib, passes, lanes } = work;
    aead::join_with_lengths(&[
        FORMAT.as_bytes(),
        name.as_str().as_bytes(),
        &memory_kib.to_be_bytes(),
        &passes.to_be_bytes(),
        &lanes.to_be_bytes(),
        salt,
    ])
}

impl Work {
    fn is_sane(self) -> bool {
        (MEMORY_KIB..=MOST_MEMORY_KIB).contains(&self.memory_kib)
            && (PASSES..=MOST_PASSES).contains(&self.passes)
            && (LANES..=MOST_LANES).contains(&self.lanes)
    }
}
