//! A signer's own folder, which its user alone can read: its seal, its keys, what it knows.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;

use wane_config::Settings;
use wane_domain::ambient::Ambient;
use wane_domain::id::OrgId;
use wane_domain::secret::Secret;
use wane_keys::desk::Desk;
use wane_keys::desk::chest::{Chest, ChestError};
use wane_keys::seal::SealName;
use wane_keys::signer::{LocalSigner, SignerKeyError, SignerKeys};

use crate::deployment::{OpenError, make_folder, open_seal};
use crate::kinds;
use crate::kinds::authority::AUTHORITY_KEYS;
use crate::kinds::token::TOKEN_KEYS;

/// The purposes whose keys a signer of its own has.
pub(crate) fn purposes() -> Vec<&'static str> {
    let issuing = kinds::PURPOSES.iter().filter(|(_, seal)| *seal == SealName::Issuing);
    issuing.map(|(purpose, _)| *purpose).collect()
}

/// The purposes whose keys it may have besides: whoever needs them makes them.
pub(crate) fn further() -> impl Iterator<Item = &'static str> {
    AUTHORITY_KEYS.into_iter().chain(TOKEN_KEYS)
}

/// Puts keys into a folder in which there are none.
pub(crate) fn make(
    settings: &Settings,
    org: OrgId,
    keys: &[(&str, Secret)],
    ambient: &Ambient,
) -> Result<Chest, OpenError> {
    let folder = &settings.signer.data_dir;
    make_folder(folder)?;
    let seal = open_seal(SealName::Signing, &settings.seal.signing, &folder.join("signing.seal"), ambient)?;
    Ok(Chest::make(folder, &seal, org, keys, ambient)?)
}

/// New keys for an organisation.
pub(crate) fn make_new(settings: &Settings, org: OrgId, ambient: &Ambient) -> Result<Chest, OpenError> {
    make(settings, org, &SignerKeys::generate(&purposes(), ambient), ambient)
}

/// Opens what is there.
pub(crate) fn open(settings: &Settings, ambient: &Ambient) -> Result<Chest, OpenError> {
    let folder = &settings.signer.data_dir;
    if !folder.join("signer.keys").exists() {
        // A seal that is not there would be made, and open nothing.
        return Err(ChestError::NotThere(folder.clone()).into());
    }
    let seal = open_seal(SealName::Signing, &settings.seal.signing, &folder.join("signing.seal"), ambient)?;
    Ok(Chest::open(folder, &seal, ambient)?)
}

/// Who answers with them. A key that a newer release wants is made.
pub(crate) fn desk(settings: &Settings, mut chest: Chest, ambient: &Ambient) -> Result<Desk, OpenError> {
    let mut keys = Vec::new();
    for purpose in purposes() {
        let key = match chest.key(purpose)? {
            Some(key) => key,
            None => {
                chest = chest.with(&SignerKeys::generate(&[purpose], ambient))?;
                chest.key(purpose)?.ok_or(SignerKeyError::Unusable { purpose })?
            }
        };
        keys.push((purpose, key));
    }
    let mut more = Vec::new();
    for purpose in further() {
        more.extend(chest.key(purpose)?.map(|key| (purpose, key)));
    }
    let keys = with_further(keys, more)?;
    Ok(arranged(settings, Desk::open(chest.org, keys, kinds::readers(), chest.root(), ambient.clone())))
}

/// A signer with what it has to have, and what it has besides.
pub(super) fn with_further(
    mut keys: Vec<(&'static str, Secret)>,
    further: Vec<(&'static str, Secret)>,
) -> Result<LocalSigner, SignerKeyError> {
    let (mut checkers, mut documents) = (kinds::checkers(), Vec::new());
    for (purpose, key) in further {
        if AUTHORITY_KEYS.contains(&purpose) {
            checkers.push((purpose, kinds::AUTHORITY_CHECKER));
            documents.push((purpose, kinds::AUTHORITY_DOCUMENT));
        } else {
            checkers.push((purpose, kinds::TOKEN_CHECKER));
        }
        keys.push((purpose, key));
    }
    Ok(LocalSigner::new(keys, checkers)?.publishing(documents))
}

/// What a signer is told, wherever it is.
pub(super) fn arranged(settings: &Settings, desk: Desk) -> Desk {
    desk.naming(kinds::namers()).signing_at_most(settings.signer.most_per_minute)
}

/// Holds a folder while a signer runs with it.
pub(super) fn hold(settings: &Settings) -> Result<File, OpenError> {
    let path = settings.signer.data_dir.join("serving.lock");
    let failed = |why| OpenError::Hold { path: path.clone(), why };
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Held(settings.signer.data_dir.clone())),
        Err(TryLockError::Error(why)) => Err(failed(why)),
    }
}
