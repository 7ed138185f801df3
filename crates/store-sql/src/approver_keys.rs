//! Keys that approvals are signed with. Those that were taken away stay: grants that were begun rest on them.

use wane_domain::approval::ApproverKey;
use wane_store::{Put, StoreError};

use crate::row::{Guarded, encode};
use crate::step::Step;

const PUT: Guarded = Guarded {
    insert: "INSERT INTO approver_keys (id, generation, person, doc) VALUES ($1, $2 + 1, $3, $4) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE approver_keys SET generation = $2 + 1, person = $3, doc = $4 WHERE id = $1 AND generation = $2",
};

/// Writes one.
pub(crate) fn put(put: &Put<ApproverKey>) -> Result<Step, StoreError> {
    let id = put.value.id.to_string();
    let values = vec![put.value.person.to_string().into(), encode(&id, &put.value)?.into()];
    Ok(PUT.step(&id, put.seen, values)?.one(&id))
}
