//! How people prove who they are besides a local password.

use sqlx::SqlitePool;
use wane_domain::id::{PersonId, WayId};
use wane_store::{Put, StoreError, Versioned, WayIn};

use crate::row::{Guarded, Row, as_is, encode, unavailable, versioned};
use crate::step::Step;

const PUT: Guarded = Guarded {
    insert: "INSERT INTO ways_in (id, generation, key, person, doc) VALUES ($1, $2 + 1, $3, $4, $5) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE ways_in SET generation = $2 + 1, key = $3, person = $4, doc = $5 WHERE id = $1 AND generation = $2",
};

/// Writes one.
pub(crate) fn put(put: &Put<WayIn>) -> Result<Step, StoreError> {
    let value = &put.value;
    let id = value.id.to_string();
    let values = vec![value.key.clone().into(), value.person.to_string().into(), encode(&id, value)?.into()];
    Ok(PUT.step(&id, put.seen, values)?.one_named(&id, "this way to sign in"))
}

/// Removes one, which must be there.
pub(crate) fn remove(id: WayId) -> Step {
    Step::new("DELETE FROM ways_in WHERE id = $1", vec![id.to_string().into()]).one(&id.to_string())
}

/// The one that a key leads to.
pub(crate) async fn get(pool: &SqlitePool, key: &str) -> Result<Option<Versioned<WayIn>>, StoreError> {
    let row = sqlx::query_as::<_, Row>("SELECT id, generation, doc FROM ways_in WHERE key = $1")
        .bind(key.to_owned())
        .fetch_optional(pool)
        .await
        .map_err(unavailable)?;
    row.map(|r| versioned(&r, as_is)).transpose()
}

/// A person's, oldest first.
pub(crate) async fn of(pool: &SqlitePool, person: PersonId) -> Result<Vec<Versioned<WayIn>>, StoreError> {
    let rows = sqlx::query_as::<_, Row>("SELECT id, generation, doc FROM ways_in WHERE person = $1 ORDER BY id")
        .bind(person.to_string())
        .fetch_all(pool)
        .await
        .map_err(unavailable)?;
    rows.iter().map(|r| versioned(r, as_is)).collect()
}

/// Those that are identities at one issuer.
pub(crate) async fn at(pool: &SqlitePool, issuer: &str) -> Result<Vec<WayIn>, StoreError> {
    let rows =
        sqlx::query_as::<_, Row>("SELECT id, generation, doc FROM ways_in WHERE doc ->> '$.what.identity.issuer' = $1")
            .bind(issuer.to_owned())
            .fetch_all(pool)
            .await
            .map_err(unavailable)?;
    rows.iter().map(|r| versioned(r, as_is).map(|way: Versioned<WayIn>| way.value)).collect()
}
