//! Resources, which stay as long as access to them is open.

use wane_domain::catalogue::Resource;
use wane_domain::id::ResourceId;
use wane_store::{Put, Seen, StoreError};

use crate::row::{Guarded, encode, seen_number};
use crate::step::Step;

const PUT: Guarded = Guarded {
    insert: "INSERT INTO resources (id, generation, name, doc) VALUES ($1, $2 + 1, $3, $4) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE resources SET generation = $2 + 1, name = $3, doc = $4 WHERE id = $1 AND generation = $2",
};

/// Writes one.
pub(crate) fn put(put: &Put<Resource>) -> Result<Step, StoreError> {
    let value = &put.value;
    let id = value.id.to_string();
    let doc = encode(&id, value)?;
    Ok(PUT.step(&id, put.seen, vec![value.name.as_str().to_owned().into(), doc.into()])?.one_named(&id, &value.name))
}

/// Removes one, unless something that has not ended hangs on it.
pub(crate) fn remove(id: ResourceId, seen: Seen) -> Result<[Step; 2], StoreError> {
    let id = id.to_string();
    let open = Step::new(
        "SELECT (SELECT count(*) FROM grants WHERE resource = $1 AND phase <> 'closed'),
                (SELECT count(*) FROM leases WHERE resource = $1 AND phase <> 'gone')",
        vec![id.clone().into()],
    );
    let removal = Step::new(
        "DELETE FROM resources WHERE id = $1 AND generation = $2",
        vec![id.clone().into(), seen_number(seen)?.into()],
    );
    Ok([open.none_open("resource"), removal.one(&id)])
}
