//! Who stands in for whom. What is over or was taken back stays: grants that were begun rest on it.

use wane_domain::delegation::Delegation;
use wane_store::{Put, StoreError};

use crate::row::{Guarded, encode};
use crate::step::Step;

const PUT: Guarded = Guarded {
    insert: "INSERT INTO delegations (id, generation, person, doc) VALUES ($1, $2 + 1, $3, $4) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE delegations SET generation = $2 + 1, person = $3, doc = $4 WHERE id = $1 AND generation = $2",
};

/// Writes one.
pub(crate) fn put(put: &Put<Delegation>) -> Result<Step, StoreError> {
    let id = put.value.id.to_string();
    let values = vec![put.value.by.to_string().into(), encode(&id, &put.value)?.into()];
    Ok(PUT.step(&id, put.seen, values)?.one(&id))
}
