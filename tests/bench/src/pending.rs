//! A data file with many live grants: one that was made over the API, copied in SQL with ids of its own.
//! Only what happens at the start of a server over such a file is measured, not how it came about.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

#[derive(Deserialize)]
struct Plan {
    /// The data file of a server that does not run.
    file: PathBuf,
    /// The grant to copy; it has one live lease.
    grant: String,
    /// How many copies.
    copies: i64,
}

// The last digit of an id has two bits that are never set: what ends otherwise is no id.
const GRANTS: &str = "
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
INSERT INTO grants (id, generation, holder, resource, role, request, phase, due_at, doc)
SELECT 'grt_' || printf('%025d', i) || '0', generation, holder, resource, role, request, phase, due_at,
       json_set(doc, '$.id', 'grt_' || printf('%025d', i) || '0')
FROM n, grants WHERE grants.id = $2";

const LEASES: &str = "
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
INSERT INTO leases (id, generation, grant_id, resource, role, phase, due_at, doc)
SELECT 'lse_' || printf('%025d', i) || '0', generation, 'grt_' || printf('%025d', i) || '0', resource, role, phase, due_at,
       json_set(doc, '$.id', 'lse_' || printf('%025d', i) || '0', '$.grant', 'grt_' || printf('%025d', i) || '0',
                '$.confirmed', json_extract(doc, '$.at'))
FROM n, leases WHERE leases.grant_id = $2";

/// Copies the grant and its lease.
pub(crate) fn run(plan: &str) -> Result<Value> {
    let plan: Plan = serde_json::from_str(plan)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(copy(&plan))
}

async fn copy(plan: &Plan) -> Result<Value> {
    let options = SqliteConnectOptions::new().filename(&plan.file).synchronous(SqliteSynchronous::Off);
    let mut conn = options.connect().await.context("the data file does not open")?;
    let mut copied = Vec::new();
    for sql in [GRANTS, LEASES] {
        let done = sqlx::query(sql).bind(plan.copies).bind(&plan.grant).execute(&mut conn).await?;
        copied.push(done.rows_affected());
    }
    conn.close().await?;
    Ok(json!({ "copied": copied }))
}
