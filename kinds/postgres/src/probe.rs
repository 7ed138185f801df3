//! Checks a server and the roles to be given there before either is relied on.

use wane_connector::RoleProbe;
use wane_domain::catalogue::Role;

use crate::facts::Desk;
use crate::role::{Definition, On};
use crate::session::{Fail, Session};
use crate::setup::{Setup, setup_sql};
use crate::survey::broken_rules;

const OLDEST: i32 = 140_000;

/// Checks the connector, then each role.
pub(crate) async fn probe(desk: &Desk<'_>, roles: &[Role]) -> Result<Vec<RoleProbe>, Fail> {
    let mut session = desk.open(desk.settings.main_database()).await?;
    let problems = connector_problems(desk, &mut session).await?;
    if !problems.is_empty() {
        return Err(Fail::refused(format!("{}. {}", problems.join("; "), how_to_set_up(desk, roles))));
    }
    let mut probes = Vec::new();
    for role in roles {
        let problems = match Definition::parse(&role.definition) {
            Ok(definition) => role_problems(desk, &mut session, &definition).await?,
            Err(unusable) => vec![unusable.to_string()],
        };
        let problem = (!problems.is_empty()).then(|| problems.join("; "));
        probes.push(RoleProbe { role: role.name.to_string(), problem });
    }
    session.close().await;
    Ok(probes)
}

fn how_to_set_up(desk: &Desk<'_>, roles: &[Role]) -> String {
    let definitions: Vec<Definition> =
        roles.iter().filter_map(|role| Definition::parse(&role.definition).ok()).collect();
    let groups: Vec<&str> = definitions.iter().flat_map(|d| d.member_of.iter().map(String::as_str)).collect();
    let databases: Vec<&str> = desk.settings.databases.iter().map(String::as_str).collect();
    let setup = Setup {
        connector: &desk.settings.user,
        reassign_to: &desk.settings.reassign_to,
        groups: &groups,
        databases: &databases,
    };
    setup_sql(&setup).map_or_else(|why| why, |sql| format!("A superuser runs in psql:\n{sql}"))
}

async fn connector_problems(desk: &Desk<'_>, session: &mut Session) -> Result<Vec<String>, Fail> {
    let mut problems = Vec::new();
    if session.version < OLDEST {
        problems.push("the server is older than PostgreSQL 14".to_owned());
    }
    let user = &desk.settings.user;
    let sql = "SELECT rolsuper OR rolreplication OR rolbypassrls, rolcreaterole, pg_has_role('pg_signal_backend', 'USAGE') \
               FROM pg_roles WHERE rolname = current_user";
    let row = session.one(sql, &[]).await?;
    if row.try_get::<_, bool>(0)? {
        problems.push(format!("the connector `{user}` must not be superuser, replicate, or bypass row security"));
    }
    if !row.try_get::<_, bool>(1)? {
        problems.push(format!("the connector `{user}` needs CREATEROLE"));
    }
    if !row.try_get::<_, bool>(2)? {
        problems.push(format!("the connector `{user}` must be a member of pg_signal_backend"));
    }
    let sql = "SELECT count(*) FROM pg_roles r WHERE rolname = $1 AND NOT (rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb \
               OR rolreplication OR rolbypassrls) AND pg_has_role(oid, 'MEMBER') \
               AND NOT EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid)";
    if session.count(sql, &[&desk.settings.reassign_to]).await? != 1 {
        problems.push(format!(
            "the quarantine role `{}` must exist without login, powers or memberships, and have the connector as a member",
            desk.settings.reassign_to
        ));
    }
    let sql = "SELECT count(*) FROM pg_database WHERE datname = $1 AND datallowconn AND has_database_privilege(oid, 'CONNECT')";
    for database in &desk.settings.databases {
        if session.count(sql, &[database]).await? != 1 {
            problems.push(format!("the connector cannot enter database `{database}`, or it does not exist"));
        }
    }
    Ok(problems)
}

async fn role_problems(desk: &Desk<'_>, session: &mut Session, role: &Definition) -> Result<Vec<String>, Fail> {
    let mut problems = Vec::new();
    let sql = "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls OR rolcanlogin, \
                      EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid AND m.admin_option \
                        AND m.member = (SELECT oid FROM pg_roles WHERE rolname = current_user)) \
               FROM pg_roles r WHERE rolname = $1";
    let mut own = Vec::new();
    for group in &role.member_of {
        let rows = session.rows(sql, &[group]).await?;
        let Some(row) = rows.first() else {
            problems.push(format!("there is no role `{group}`"));
            continue;
        };
        if row.try_get::<_, bool>(0)? {
            problems.push(format!("`{group}` can log in or has powers of its own; give a plain group role"));
        }
        if !row.try_get::<_, bool>(1)? {
            problems.push(format!("the connector needs `GRANT {group} TO {} WITH ADMIN OPTION`", desk.settings.user));
        }
        if !group.starts_with("pg_") {
            own.push(group.clone());
        }
    }
    let broken = broken_rules(desk, session, &own).await?;
    problems.extend(
        broken
            .into_iter()
            .take(10)
            .map(|f| format!("`{}` {}, so what is made in its name would outlive the account", f.role, f.what)),
    );
    for grant in &role.grants {
        if !desk.settings.databases.contains(&grant.database) {
            problems.push(format!("database `{}` is not among the resource's `databases`", grant.database));
            continue;
        }
        let (schema, name) = (grant.schema.clone().unwrap_or_default(), grant.name.clone().unwrap_or_default());
        let there = match grant.on {
            On::Table => {
                "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $1 AND relname = $2 AND relkind IN ('r', 'p', 'v', 'm', 'f')"
            }
            On::Sequence => {
                "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $1 AND relname = $2 AND relkind = 'S'"
            }
            On::Routine => {
                "SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = $1 AND proname = $2"
            }
            On::Schema => "SELECT count(*) FROM pg_namespace WHERE nspname = $1 AND $2::text IS NOT NULL",
            On::Database => "SELECT 1::int8 WHERE $1::text IS NOT NULL AND $2::text IS NOT NULL",
        };
        let mut other = desk.open(&grant.database).await?;
        if other.count(there, &[&schema, &name]).await? != 1 {
            problems.push(format!(
                "{} is not there, or there is more than one, in database `{}`",
                grant.object()?,
                grant.database
            ));
        }
        other.close().await;
    }
    Ok(problems)
}
