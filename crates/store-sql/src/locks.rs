//! Locks. Lifted ones are kept, and are no part of the world.

use wane_domain::lock::Lock;
use wane_store::{Put, StoreError};

use crate::row::{Guarded, encode};
use crate::step::Step;

const PUT: Guarded = Guarded {
    insert: "INSERT INTO locks (id, generation, holds, doc) VALUES ($1, $2 + 1, $3, $4) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE locks SET generation = $2 + 1, holds = $3, doc = $4 WHERE id = $1 AND generation = $2",
};

/// Writes one.
pub(crate) fn put(put: &Put<Lock>) -> Result<Step, StoreError> {
    let id = put.value.id.to_string();
    let values = vec![i64::from(put.value.holds()).into(), encode(&id, &put.value)?.into()];
    Ok(PUT.step(&id, put.seen, values)?.one(&id))
}
