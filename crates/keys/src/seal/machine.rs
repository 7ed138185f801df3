//! The machine-bound key: a file of 32 random bytes.

use std::path::Path;

use wane_domain::ambient::Ambient;
use zeroize::Zeroizing;

use super::{SealError, file};
use crate::aead;

pub(super) fn open(path: &Path, ambient: &Ambient) -> Result<Zeroizing<[u8; aead::KEY]>, SealError> {
    let content =
        file::read_or_create(path, ambient, || Ok(Zeroizing::new(ambient.bytes::<{ aead::KEY }>().to_vec())))?;
    let key = <[u8; aead::KEY]>::try_from(content.as_slice()).map_err(|_| SealError::Damaged {
        path: path.to_owned(),
        what: format!("{} bytes instead of {}", content.len(), aead::KEY),
    })?;
    Ok(Zeroizing::new(key))
}
