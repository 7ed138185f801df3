//! ACME clients: their accounts, and what they ordered. Both are forgotten in time.

use sqlx::SqlitePool;
use wane_domain::id::{AcmeAccountId, AcmeOrderId, GrantId};
use wane_domain::time::Time;
use wane_store::{AcmeAccount, AcmeOrder, Put, StoreError, Versioned};

use crate::row::{Guarded, Row, as_is, encode, unavailable, versioned};
use crate::step::Step;

const PUT_ACCOUNT: Guarded = Guarded {
    insert: "INSERT INTO acme_accounts (id, generation, grant_id, key, forget, doc) VALUES ($1, $2 + 1, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE acme_accounts SET generation = $2 + 1, key = $4, forget = $5, doc = $6 WHERE id = $1 AND generation = $2",
};
const PUT_ORDER: Guarded = Guarded {
    insert: "INSERT INTO acme_orders (id, generation, account, certificate, forget, doc) VALUES ($1, $2 + 1, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE acme_orders SET generation = $2 + 1, certificate = $4, forget = $5, doc = $6 WHERE id = $1 AND generation = $2",
};

/// Writes an account.
pub(crate) fn put_account(put: &Put<AcmeAccount>) -> Result<Step, StoreError> {
    let value = &put.value;
    let id = value.id.to_string();
    let values = vec![
        value.grant.to_string().into(),
        value.key().map(|key| key.thumbprint.clone()).into(),
        value.forget.micros().into(),
        encode(&id, value)?.into(),
    ];
    Ok(PUT_ACCOUNT.step(&id, put.seen, values)?.one(&id))
}

/// Writes an order.
pub(crate) fn put_order(put: &Put<AcmeOrder>) -> Result<Step, StoreError> {
    let value = &put.value;
    let id = value.id.to_string();
    let values = vec![
        value.account.to_string().into(),
        value.issued.as_ref().map(|issued| issued.certificate.clone()).into(),
        value.forget.micros().into(),
        encode(&id, value)?.into(),
    ];
    Ok(PUT_ORDER.step(&id, put.seen, values)?.one(&id))
}

/// Forgets orders whose time has come, and accounts whose time has come and whose grants are over.
pub(crate) fn forget(now: Time) -> [Step; 2] {
    let orders = "DELETE FROM acme_orders WHERE forget <= $1";
    let accounts = "DELETE FROM acme_accounts WHERE forget <= $1
                    AND (SELECT phase FROM grants WHERE grants.id = grant_id) IN ('ending', 'closed')";
    [orders, accounts].map(|sql| Step::new(sql, vec![now.micros().into()]))
}

/// An account by id.
pub(crate) async fn account(
    pool: &SqlitePool,
    id: AcmeAccountId,
) -> Result<Option<Versioned<AcmeAccount>>, StoreError> {
    let sql = "SELECT id, generation, doc FROM acme_accounts WHERE id = $1";
    Ok(many(pool, sql, id.to_string()).await?.pop())
}

/// The account that has a key.
pub(crate) async fn account_with(pool: &SqlitePool, key: &str) -> Result<Option<Versioned<AcmeAccount>>, StoreError> {
    let sql = "SELECT id, generation, doc FROM acme_accounts WHERE key = $1";
    Ok(many(pool, sql, key.to_owned()).await?.pop())
}

/// Those under a grant, oldest first.
pub(crate) async fn accounts(pool: &SqlitePool, grant: GrantId) -> Result<Vec<Versioned<AcmeAccount>>, StoreError> {
    let sql = "SELECT id, generation, doc FROM acme_accounts WHERE grant_id = $1 ORDER BY id";
    many(pool, sql, grant.to_string()).await
}

/// An order by id.
pub(crate) async fn order(pool: &SqlitePool, id: AcmeOrderId) -> Result<Option<Versioned<AcmeOrder>>, StoreError> {
    let sql = "SELECT id, generation, doc FROM acme_orders WHERE id = $1";
    Ok(many(pool, sql, id.to_string()).await?.pop())
}

/// The orders of an account, oldest first.
pub(crate) async fn orders(pool: &SqlitePool, account: AcmeAccountId) -> Result<Vec<Versioned<AcmeOrder>>, StoreError> {
    let sql = "SELECT id, generation, doc FROM acme_orders WHERE account = $1 ORDER BY id";
    many(pool, sql, account.to_string()).await
}

/// The order that a certificate was issued for.
pub(crate) async fn order_of(pool: &SqlitePool, certificate: &str) -> Result<Option<Versioned<AcmeOrder>>, StoreError> {
    let sql = "SELECT id, generation, doc FROM acme_orders WHERE certificate = $1";
    Ok(many(pool, sql, certificate.to_owned()).await?.pop())
}

async fn many<T: serde::de::DeserializeOwned>(
    pool: &SqlitePool,
    sql: &'static str,
    by: String,
) -> Result<Vec<Versioned<T>>, StoreError> {
    let rows = sqlx::query_as::<_, Row>(sql).bind(by).fetch_all(pool).await.map_err(unavailable)?;
    rows.iter().map(|r| versioned(r, as_is)).collect()
}
