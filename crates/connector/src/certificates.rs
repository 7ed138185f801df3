//! Certificates that come back: shown at a door of ours by whoever holds their key.

use wane_domain::id::GrantId;
use wane_domain::time::Time;

/// What a kind knows of the certificates it issues, without the store.
pub trait Certificates: Send + Sync {
    /// The authorities whose certificates may come back, roots in DER; none where nothing was ever issued.
    fn roots(&self) -> Vec<Vec<u8>>;

    /// What a client's certificate says that an authority of ours signed, its time now; nothing of anything else, and never
    /// why. Whether what it stands under still stands is for whoever asks to look.
    fn read(&self, der: &[u8], now: Time) -> Option<CertificateRead>;
}

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRead {
    /// The grant it was issued under.
    pub grant: GrantId,
    /// Its serial number, as `serial` in the issuance inventory has it.
    pub serial: String,
}
