//! Roles, which stay as long as access through them is open.

use wane_domain::catalogue::Role;
use wane_domain::id::RoleId;
use wane_store::{Put, Seen, StoreError};

use crate::row::{Guarded, encode, seen_number};
use crate::step::Step;

const PUT: Guarded = Guarded {
    insert: "INSERT INTO roles (id, generation, kind, name, doc) VALUES ($1, $2 + 1, $3, $4, $5) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE roles SET generation = $2 + 1, kind = $3, name = $4, doc = $5 WHERE id = $1 AND generation = $2",
};

/// Writes one.
pub(crate) fn put(put: &Put<Role>) -> Result<Step, StoreError> {
    let value = &put.value;
    let id = value.id.to_string();
    let doc = encode(&id, value)?;
    let values = vec![value.kind.as_str().to_owned().into(), value.name.as_str().to_owned().into(), doc.into()];
    Ok(PUT.step(&id, put.seen, values)?.one_named(&id, &value.name))
}

/// Removes one, unless something that has not ended hangs on it.
pub(crate) fn remove(id: RoleId, seen: Seen) -> Result<[Step; 2], StoreError> {
    let id = id.to_string();
    let open = Step::new(
        "SELECT (SELECT count(*) FROM grants WHERE role = $1 AND phase <> 'closed'),
                (SELECT count(*) FROM leases WHERE role = $1 AND phase <> 'gone')",
        vec![id.clone().into()],
    );
    let removal = Step::new(
        "DELETE FROM roles WHERE id = $1 AND generation = $2",
        vec![id.clone().into(), seen_number(seen)?.into()],
    );
    Ok([open.none_open("role"), removal.one(&id)])
}
