//! Access packages.

use wane_domain::id::PackageId;
use wane_domain::package::Package;
use wane_store::{Put, Seen, StoreError};

use crate::row::{Guarded, encode, seen_number};
use crate::step::Step;

const PUT: Guarded = Guarded {
    insert: "INSERT INTO packages (id, generation, name, doc) VALUES ($1, $2 + 1, $3, $4) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE packages SET generation = $2 + 1, name = $3, doc = $4 WHERE id = $1 AND generation = $2",
};

/// Writes one.
pub(crate) fn put(put: &Put<Package>) -> Result<Step, StoreError> {
    let value = &put.value;
    let id = value.id.to_string();
    let doc = encode(&id, value)?;
    Ok(PUT.step(&id, put.seen, vec![value.name.as_str().to_owned().into(), doc.into()])?.one_named(&id, &value.name))
}

/// Removes one, if it is as it was seen. What was granted out of it ends when it is judged again.
pub(crate) fn remove(id: PackageId, seen: Seen) -> Result<Step, StoreError> {
    let id = id.to_string();
    let values = vec![id.clone().into(), seen_number(seen)?.into()];
    Ok(Step::new("DELETE FROM packages WHERE id = $1 AND generation = $2", values).one(&id))
}
