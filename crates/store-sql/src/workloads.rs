//! Workloads, and who is believed about their jobs. Never deleted, so a name leads to one for good.

use wane_domain::workload::{Issuer, Workload};
use wane_store::{Put, StoreError};

use crate::row::{Guarded, encode};
use crate::step::Step;

const PUT_ISSUER: Guarded = Guarded {
    insert: "INSERT INTO issuers (id, generation, name, doc) VALUES ($1, $2 + 1, $3, $4) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE issuers SET generation = $2 + 1, name = $3, doc = $4 WHERE id = $1 AND generation = $2",
};
const PUT: Guarded = Guarded {
    insert: "INSERT INTO workloads (id, generation, person, doc) VALUES ($1, $2 + 1, $3, $4) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE workloads SET generation = $2 + 1, person = $3, doc = $4 WHERE id = $1 AND generation = $2",
};

/// Writes an issuer.
pub(crate) fn put_issuer(put: &Put<Issuer>) -> Result<Step, StoreError> {
    let value = &put.value;
    let id = value.id.to_string();
    let values = vec![value.name.as_str().to_owned().into(), encode(&id, value)?.into()];
    Ok(PUT_ISSUER.step(&id, put.seen, values)?.one_named(&id, &value.name))
}

/// Writes a workload.
pub(crate) fn put(put: &Put<Workload>) -> Result<Step, StoreError> {
    let id = put.value.id.to_string();
    let values = vec![put.value.person.to_string().into(), encode(&id, &put.value)?.into()];
    Ok(PUT.step(&id, put.seen, values)?.one(&id))
}
