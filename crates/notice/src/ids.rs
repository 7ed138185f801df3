//! Ids of deliveries: derived, so that what is derived twice is one.

use sha2::{Digest as _, Sha256};
use wane_domain::id::{DeliveryId, TypedId as _};
use wane_domain::time::Time;

/// The id of what follows from `cause` (a record, or a grant and its end), of this kind, over a channel, to somebody.
#[must_use]
pub fn delivery_id(at: Time, cause: &str, kind: &str, channel: &str, to: &str) -> DeliveryId {
    let mut hash = Sha256::new();
    for part in ["wane.delivery.v1", cause, kind, channel, to] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let mut entropy = [0; 10];
    entropy.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    DeliveryId::mint(at, &entropy)
}
