//! How local people sign in.

use sqlx::SqlitePool;
use wane_domain::id::PersonId;
use wane_store::{Login, Put, StoreError, Versioned};

use crate::row::{Guarded, Row, as_is, encode, number, unavailable, versioned};
use crate::step::Step;

const PUT: Guarded = Guarded {
    insert: "INSERT INTO logins (id, generation, doc) VALUES ($1, $2 + 1, $3) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE logins SET generation = $2 + 1, doc = $3 WHERE id = $1 AND generation = $2",
};

/// Writes one.
pub(crate) fn put(put: &Put<Login>) -> Result<Step, StoreError> {
    let id = put.value.person.to_string();
    Ok(PUT.step(&id, put.seen, vec![encode(&id, &put.value)?.into()])?.one(&id))
}

/// Removes one, if it is as it was seen.
pub(crate) fn remove(person: PersonId, generation: u64) -> Result<Step, StoreError> {
    let values = vec![person.to_string().into(), number(generation)?.into()];
    Ok(Step::new("DELETE FROM logins WHERE id = $1 AND generation = $2", values).one(&person.to_string()))
}

/// A person's.
pub(crate) async fn get(pool: &SqlitePool, person: PersonId) -> Result<Option<Versioned<Login>>, StoreError> {
    let row = sqlx::query_as::<_, Row>("SELECT id, generation, doc FROM logins WHERE id = $1")
        .bind(person.to_string())
        .fetch_optional(pool)
        .await
        .map_err(unavailable)?;
    row.map(|r| versioned(&r, as_is)).transpose()
}
