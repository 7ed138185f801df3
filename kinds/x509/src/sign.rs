//! Lends the library that writes certificates one signature by a key that is elsewhere.

use std::cell::{Cell, RefCell};

use p256::ecdsa::Signature as Ecdsa;
use rcgen::{PublicKeyData, SignatureAlgorithm, SigningKey};
use wane_connector::{PublicKey, SignError, Signature};

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The signer said no.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// It cannot be encoded, or did not come out as meant.
    #[error("it did not come out as meant: {0}")]
    Wrong(String),
}

impl From<WriteError> for wane_connector::ConnectError {
    fn from(e: WriteError) -> Self {
        match e {
            WriteError::Sign(e) => Self::Sign(e),
            WriteError::Wrong(why) => Self::Input(format!("the certificate did not come out as meant: {why}")),
        }
    }
}

/// A key that signs once, and keeps why it did not.
pub(crate) struct Once<F> {
    key: PublicKey,
    sign: Cell<Option<F>>,
    refused: RefCell<Option<SignError>>,
}

impl<F: FnOnce(&[u8]) -> Result<Signature, SignError>> Once<F> {
    pub(crate) fn new(key: PublicKey, sign: F) -> Self {
        Self { key, sign: Cell::new(Some(sign)), refused: RefCell::new(None) }
    }

    /// What the library made with it, or why there was no signature.
    pub(crate) fn outcome<T>(&self, made: Result<T, rcgen::Error>) -> Result<T, WriteError> {
        match self.refused.take() {
            Some(refused) => Err(WriteError::Sign(refused)),
            None => made.map_err(|e| WriteError::Wrong(e.to_string())),
        }
    }
}

impl<F> PublicKeyData for Once<F> {
    fn der_bytes(&self) -> &[u8] {
        self.key.bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.key {
            PublicKey::Ed25519(_) => &rcgen::PKCS_ED25519,
            PublicKey::P256(_) => &rcgen::PKCS_ECDSA_P256_SHA256,
        }
    }
}

impl<F: FnOnce(&[u8]) -> Result<Signature, SignError>> SigningKey for Once<F> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let sign = self.sign.take().ok_or(rcgen::Error::RemoteKeyError)?;
        match (sign(message), &self.key) {
            (Ok(Signature(bytes)), PublicKey::Ed25519(_)) => Ok(bytes.to_vec()),
            (Ok(Signature(bytes)), PublicKey::P256(_)) => {
                let signature = Ecdsa::from_slice(&bytes).map_err(|_| rcgen::Error::RemoteKeyError)?;
                Ok(signature.to_der().as_bytes().to_vec())
            }
            (Err(refused), _) => {
                *self.refused.borrow_mut() = Some(refused);
                Err(rcgen::Error::RemoteKeyError)
            }
        }
    }
}
