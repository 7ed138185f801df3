//! What stands at a server: our accounts, standing privilege, what breaks the rules for group
//! roles, and everything an account can leave behind.

use tokio_postgres::Row;
use wane_connector::{Artifact, Inventory, StandingRight};
use wane_domain::lease::lease_of_artifact;

use crate::create::SET_FALSE;
use crate::facts::{Desk, mark_of};
use crate::session::{Fail, Session};

/// The most objects listed for one question in one database.
const MOST: i64 = 500;

/// One row of findings: which role, and what.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) role: String,
    pub(crate) what: String,
}

fn finding(row: &Row) -> Result<Finding, Fail> {
    Ok(Finding { role: row.try_get(0)?, what: row.try_get(1)? })
}

/// Databases that take connections: name, and whether the connector may go in.
async fn databases(session: &mut Session) -> Result<Vec<(String, bool)>, Fail> {
    let sql =
        "SELECT datname::text, has_database_privilege(oid, 'CONNECT') FROM pg_database WHERE datallowconn ORDER BY 1";
    session.rows(sql, &[]).await?.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// What stands at the server.
pub(crate) async fn inventory(desk: &Desk<'_>) -> Result<Inventory, Fail> {
    // A new one: a visit also sees whether the server still lets the connector in.
    let mut session = desk.open(desk.settings.main_database()).await?;
    let mut inventory = Inventory::default();
    let mark = mark_of(desk.target.resource.id);
    let sql = "SELECT oid::text, rolname::text, coalesce(shobj_description(oid, 'pg_authid'), ''), rolcanlogin, \
                      coalesce(rolvaliduntil::text, 'for ever'), \
                      (SELECT count(*) FROM pg_stat_activity a WHERE a.usesysid = r.oid) \
               FROM pg_roles r WHERE rolname LIKE 'wane\\_%' ORDER BY rolname";
    for row in session.rows(sql, &[]).await? {
        let (oid, name, comment): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let (login, until, sessions): (bool, String, i64) = (row.try_get(3)?, row.try_get(4)?, row.try_get(5)?);
        if comment.starts_with(&mark) {
            let login = if login { "can log in" } else { "cannot log in" };
            let detail = format!("{comment}; {login} until {until}; {sessions} sessions");
            inventory.marked.push(Artifact { name, object: Some(oid), detail });
        } else if lease_of_artifact(&name).is_some() {
            inventory
                .findings
                .push(format!("role `{name}` is named like one of ours but not marked by this resource ({comment})"));
        }
    }
    let ours: Vec<String> = inventory.marked.iter().map(|artifact| artifact.name.clone()).collect();
    for row in session.rows(STANDING, &[&ours]).await? {
        inventory.standing.push(StandingRight { principal: row.try_get(0)?, right: row.try_get(1)? });
    }
    let groups = session.texts(GROUPS, &[&ours, &desk.settings.reassign_to]).await?;
    let broken = broken_rules(desk, &mut session, &groups).await?;
    inventory.findings.extend(broken.into_iter().map(|f| format!("group role `{}` {}", f.role, f.what)));
    let left = owned(desk, &mut session, std::slice::from_ref(&desk.settings.reassign_to)).await?;
    inventory.findings.extend(left.into_iter().map(|f| format!("left behind, now of `{}`: {}", f.role, f.what)));
    session.close().await;
    Ok(inventory)
}

/// Login roles that are neither ours, nor the connector, nor built in, and what they can.
const STANDING: &str = "SELECT rolname::text, what FROM pg_roles r, LATERAL ( \
      SELECT 'superuser' WHERE rolsuper UNION ALL SELECT 'may create roles' WHERE rolcreaterole \
      UNION ALL SELECT 'may create databases' WHERE rolcreatedb UNION ALL SELECT 'may replicate' WHERE rolreplication \
      UNION ALL SELECT 'bypasses row security' WHERE rolbypassrls \
      UNION ALL SELECT 'member of ' || string_agg(g.rolname, ', ' ORDER BY g.rolname) FROM pg_auth_members m \
        JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid HAVING count(*) > 0 \
      UNION ALL SELECT 'owns ' || count(*) || ' objects' FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass \
        AND refobjid = r.oid AND deptype = 'o' HAVING count(*) > 0 \
      UNION ALL SELECT 'has rights on ' || count(*) || ' objects' FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass \
        AND refobjid = r.oid AND deptype = 'a' HAVING count(*) > 0) AS rights(what) \
    WHERE rolcanlogin AND rolname <> ALL($1) AND rolname <> current_user AND rolname NOT LIKE 'pg\\_%' ORDER BY 1, 2";

/// The group roles the connector may give: it administers them.
const GROUPS: &str = "SELECT DISTINCT r.rolname::text FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid \
    WHERE m.member = (SELECT oid FROM pg_roles WHERE rolname = current_user) AND m.admin_option \
      AND r.rolname <> ALL($1) AND r.rolname <> $2 AND r.rolname NOT LIKE 'pg\\_%' ORDER BY 1";

/// What makes a group role unsafe to give: whatever is made in its name outlives the account.
pub(crate) async fn broken_rules(
    desk: &Desk<'_>,
    session: &mut Session,
    groups: &[String],
) -> Result<Vec<Finding>, Fail> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = owned(desk, session, groups).await?;
    for f in &mut found {
        f.what = format!("owns {}", f.what);
    }
    for row in session.rows(PREPARED, &[&groups]).await? {
        found.push(finding(&row)?);
    }
    if session.version >= SET_FALSE {
        // Nobody can act as the group, so nothing can be made in its name.
        return Ok(found);
    }
    for row in session.rows(DATABASE_CREATE, &[&groups]).await? {
        found.push(finding(&row)?);
    }
    for (database, may_enter) in databases(session).await? {
        if !may_enter {
            let sql = "SELECT rolname::text FROM pg_roles WHERE rolname = ANY($1) AND has_database_privilege(oid, $2, 'CONNECT')";
            for role in session.texts(sql, &[&groups, &database]).await? {
                let what = format!(
                    "may enter database `{database}`, which the connector may not, so it cannot be checked there; GRANT CONNECT on it to the connector"
                );
                found.push(Finding { role, what });
            }
            continue;
        }
        let mut other = desk.open(&database).await?;
        for row in other.rows(SCHEMA_CREATE, &[&groups]).await? {
            found.push(finding(&row)?);
        }
        other.close().await;
    }
    Ok(found)
}

const PREPARED: &str = "SELECT r.rolname::text, format('has a prepared transaction %L', p.gid) \
    FROM pg_prepared_xact() p JOIN pg_roles r ON r.oid = p.ownerid WHERE r.rolname = ANY($1)";

const DATABASE_CREATE: &str = "SELECT r.rolname::text, format('has %s on database %I', p, d.datname) \
    FROM pg_roles r, pg_database d, unnest(ARRAY['CREATE', 'TEMPORARY']) p \
    WHERE r.rolname = ANY($1) AND d.datallowconn AND has_database_privilege(r.oid, d.oid, 'CONNECT') \
      AND has_database_privilege(r.oid, d.oid, p)";

const SCHEMA_CREATE: &str = "SELECT r.rolname::text, format('has CREATE on schema %I of database %I', n.nspname, current_database()) \
    FROM pg_roles r, pg_namespace n WHERE r.rolname = ANY($1) AND n.nspname !~ '^pg_(toast|temp)' \
      AND has_database_privilege(r.oid, current_database(), 'CONNECT') AND has_schema_privilege(r.oid, n.oid, 'CREATE')";

/// What these roles own, in every database, in words.
async fn owned(desk: &Desk<'_>, session: &mut Session, roles: &[String]) -> Result<Vec<Finding>, Fail> {
    depending(desk, session, roles, "o").await
}

async fn depending(desk: &Desk<'_>, session: &mut Session, roles: &[String], how: &str) -> Result<Vec<Finding>, Fail> {
    let sql = "SELECT DISTINCT d.datname::text FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid JOIN pg_database d \
                 ON d.oid = s.dbid OR (s.dbid = 0 AND d.datname = current_database()) \
               WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = ANY($1) AND strpos($2, s.deptype::text) > 0";
    let mut found = Vec::new();
    for database in session.texts(sql, &[&roles, &how]).await? {
        let mut other = match desk.open(&database).await {
            Ok(other) => other,
            Err(Fail::Refused { why, .. } | Fail::Trust(why)) => {
                found.extend(roles.iter().map(|role| Finding {
                    role: role.clone(),
                    what: format!("something in database `{database}`, which cannot be looked into: {why}"),
                }));
                continue;
            }
            Err(other @ Fail::Unreachable(_)) => return Err(other),
        };
        let rows = other.rows(DEPENDING, &[&roles, &how, &MOST]).await?;
        if i64::try_from(rows.len()).is_ok_and(|listed| listed >= MOST) {
            let what = format!("more than {MOST} objects in database {database}; the rest is not listed");
            found.push(Finding { role: roles.join(", "), what });
        }
        for row in &rows {
            let one = finding(row)?;
            // Shared things are seen from every database.
            if !found.contains(&one) {
                found.push(one);
            }
        }
        other.close().await;
    }
    Ok(found)
}

const DEPENDING: &str = "SELECT r.rolname::text, \
      pg_describe_object(s.classid, s.objid, s.objsubid) || \
        CASE WHEN s.dbid = 0 THEN '' ELSE format(' in database %I', current_database()) END || \
        CASE s.deptype WHEN 'a' THEN ' (rights)' WHEN 'r' THEN ' (policy)' ELSE '' END || \
        CASE WHEN s.classid = 'pg_proc'::regclass AND EXISTS (SELECT FROM pg_proc p WHERE p.oid = s.objid AND p.prosecdef) \
          THEN ', which runs with its owner''s rights' ELSE '' END \
    FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid \
    WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = ANY($1) AND strpos($2, s.deptype::text) > 0 \
      AND s.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) \
    ORDER BY s.classid, s.objid, s.objsubid LIMIT $3";

/// Everything an account could leave behind, one line each.
pub(crate) async fn traces(desk: &Desk<'_>) -> Result<Vec<String>, Fail> {
    let mut session = desk.main().await?;
    let sql = "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'wane\\_%' ORDER BY 1";
    let ours = session.texts(sql, &[]).await?;
    let mut lines: Vec<String> = ours.iter().map(|name| format!("role {name}")).collect();
    let mut roles = ours.clone();
    roles.push(desk.settings.reassign_to.clone());
    roles.push(desk.settings.user.clone());
    roles.extend(session.texts(GROUPS, &[&ours, &desk.settings.reassign_to]).await?);
    let found = depending(desk, &mut session, &roles, "oar").await?;
    lines.extend(found.into_iter().map(|f| format!("{}: {}", f.role, f.what)));
    lines.extend(session.texts(SHARED, &[]).await?);
    for (database, may_enter) in databases(&mut session).await? {
        if may_enter {
            let mut other = desk.open(&database).await?;
            lines.extend(scheduled(&mut other, &database).await?);
            other.close().await;
        }
    }
    desk.keep(session);
    lines.sort();
    lines.dedup();
    Ok(lines)
}

const SHARED: &str = "SELECT format('prepared transaction %L of %s in database %I', p.gid, coalesce(r.rolname, 'oid ' || p.ownerid), d.datname) \
      FROM pg_prepared_xact() p LEFT JOIN pg_roles r ON r.oid = p.ownerid LEFT JOIN pg_database d ON d.oid = p.dbid \
    UNION ALL SELECT format('replication slot %I', slot_name) FROM pg_replication_slots \
    UNION ALL SELECT format('sessions of oid %s, whose role is gone', usesysid) FROM pg_stat_activity \
      WHERE usesysid IS NOT NULL AND usesysid NOT IN (SELECT oid FROM pg_roles)";

/// Jobs of the `pg_cron` extension run as whoever made them.
async fn scheduled(session: &mut Session, database: &str) -> Result<Vec<String>, Fail> {
    let there = "SELECT count(*) FROM pg_class c WHERE c.oid = to_regclass('cron.job') AND has_table_privilege(c.oid, 'SELECT') \
                 AND has_schema_privilege(c.relnamespace, 'USAGE')";
    if session.count(there, &[]).await? == 0 {
        return Ok(Vec::new());
    }
    let jobs = session.texts("SELECT format('cron job %s of %s', jobid, username) FROM cron.job", &[]).await?;
    Ok(jobs.into_iter().map(|job| format!("{job} in database {database}")).collect())
}
