//! Directories that push people and groups. Never removed, so a name leads to one for good.

use wane_domain::directory::Directory;
use wane_store::{Put, StoreError};

use crate::row::{Guarded, encode};
use crate::step::Step;

const PUT: Guarded = Guarded {
    insert: "INSERT INTO directories (id, generation, name, doc) VALUES ($1, $2 + 1, $3, $4) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE directories SET generation = $2 + 1, name = $3, doc = $4 WHERE id = $1 AND generation = $2",
};

/// Writes one.
pub(crate) fn put(put: &Put<Directory>) -> Result<Step, StoreError> {
    let value = &put.value;
    let id = value.id.to_string();
    let doc = encode(&id, value)?;
    Ok(PUT.step(&id, put.seen, vec![value.name.as_str().to_owned().into(), doc.into()])?.one_named(&id, &value.name))
}
