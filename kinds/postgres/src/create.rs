//! Making an account, and reading back that it is what was meant and nothing more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use wane_connector::{Created, Handed};
use wane_domain::lease::LeaseData;
use wane_domain::secret::SecretOnce;
use wane_domain::time::Time;

use crate::facts::{Desk, Found, Who, find, mark};
use crate::quote::{ident, literal};
use crate::role::{Definition, DirectGrant, On};
use crate::session::{Fail, Session};
use crate::settings::Place;

/// Held while rights on single objects change: two at once fail with `tuple concurrently updated`.
pub(crate) const RIGHTS_LOCK: &str = "SELECT pg_advisory_xact_lock(7593448861401907558)";

/// From this version on a membership can be had without `SET ROLE`.
pub(crate) const SET_FALSE: i32 = 160_000;

/// Makes the account of a lease, or gives the one that exists a new password.
pub(crate) async fn create(
    desk: &Desk<'_>,
    role: &Definition,
    lease: &LeaseData,
    until: Time,
) -> Result<Created, Fail> {
    let mut session = desk.main().await?;
    let password = desk.password();
    let limit = role.connection_limit.unwrap_or(desk.settings.connection_limit);
    let mut elsewhere = by_database(desk, role)?;
    let here = elsewhere.remove(desk.settings.main_database()).unwrap_or_default();

    session.run("BEGIN").await?;
    let name = ident(&lease.artifact)?;
    let verifier = literal(&postgres_protocol::password::scram_sha_256(password.as_bytes()))?;
    let login =
        format!("LOGIN CONNECTION LIMIT {limit} VALID UNTIL {} PASSWORD {verifier}", literal(&until.to_string())?);
    match find(&mut session, &Who::of(lease)).await? {
        Found::Stranger(why) => return Err(Fail::refused(why)),
        Found::Ours(_) => session.run(&format!("ALTER ROLE {name} {login}")).await?,
        Found::Nothing => {
            let nothing_else = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT";
            session.run(&format!("CREATE ROLE {name} {nothing_else} {login}")).await?;
            session.run(&format!("COMMENT ON ROLE {name} IS {}", literal(&mark(lease))?)).await?;
        }
    }
    let with = if session.version >= SET_FALSE { " WITH INHERIT TRUE, SET FALSE" } else { "" };
    for group in &role.member_of {
        session.run(&format!("GRANT {} TO {name}{with}", ident(group)?)).await?;
    }
    for parameter in role.parameters().map_err(Fail::refused)? {
        session.run(&format!("ALTER ROLE {name} SET {parameter}")).await?;
    }
    give(&mut session, &name, &here).await?;
    session.run("COMMIT").await?;

    for (database, grants) in &elsewhere {
        let mut other = desk.open(database).await?;
        other.run("BEGIN").await?;
        give(&mut other, &name, grants).await?;
        other.run("COMMIT").await?;
        check_rights(&mut other, &lease.artifact, grants).await?;
        other.close().await;
    }
    check_rights(&mut session, &lease.artifact, &here).await?;
    let oid = check_account(&mut session, role, lease, until, limit).await?;
    session.close().await;
    Ok(handed(desk, role, lease, oid, until, password))
}

fn by_database<'a>(desk: &Desk<'_>, role: &'a Definition) -> Result<BTreeMap<&'a str, Vec<&'a DirectGrant>>, Fail> {
    let mut sorted: BTreeMap<&str, Vec<&DirectGrant>> = BTreeMap::new();
    for grant in &role.grants {
        if !desk.settings.databases.contains(&grant.database) {
            return Err(Fail::refused(format!(
                "the role grants on database `{}`, which is not among the resource's `databases`",
                grant.database
            )));
        }
        sorted.entry(&grant.database).or_default().push(grant);
    }
    Ok(sorted)
}

async fn give(session: &mut Session, name: &str, grants: &[&DirectGrant]) -> Result<(), Fail> {
    if grants.is_empty() {
        return Ok(());
    }
    session.run(RIGHTS_LOCK).await?;
    for grant in grants {
        session.run(&format!("GRANT {} ON {} TO {name}", grant.words(), grant.object()?)).await?;
    }
    Ok(())
}

/// A `GRANT` without the right to grant is only a warning, so the rights are read back.
async fn check_rights(session: &mut Session, account: &str, grants: &[&DirectGrant]) -> Result<(), Fail> {
    for grant in grants {
        let (schema, name) = (grant.schema.as_deref().unwrap_or_default(), grant.name.as_deref().unwrap_or_default());
        let (acl, object) = match grant.on {
            On::Table | On::Sequence => (
                "SELECT relacl AS acl FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $2 AND relname = $3",
                (schema, name),
            ),
            On::Routine => (
                "SELECT proacl AS acl FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = $2 AND proname = $3",
                (schema, name),
            ),
            On::Schema => {
                ("SELECT nspacl AS acl FROM pg_namespace WHERE nspname = $2 AND $3::text IS NOT NULL", (schema, ""))
            }
            On::Database => (
                "SELECT datacl AS acl FROM pg_database WHERE datname = $2 AND $3::text IS NOT NULL",
                (grant.database.as_str(), ""),
            ),
        };
        let sql = format!(
            "SELECT DISTINCT a.privilege_type FROM ({acl}) o, aclexplode(o.acl) a \
             WHERE a.grantee = (SELECT oid FROM pg_roles WHERE rolname = $1)"
        );
        let there: BTreeSet<String> =
            session.texts(&sql, &[&account, &object.0, &object.1]).await?.into_iter().collect();
        if !there.is_superset(&grant.privileges) {
            let missing: Vec<_> = grant.privileges.difference(&there).map(String::as_str).collect();
            return Err(Fail::refused(format!(
                "{} on {} was not given: the connector needs it WITH GRANT OPTION",
                missing.join(", "),
                grant.object()?
            )));
        }
    }
    Ok(())
}

/// Reads the account back and compares all of it.
async fn check_account(
    session: &mut Session,
    role: &Definition,
    lease: &LeaseData,
    until: Time,
    limit: u32,
) -> Result<u32, Fail> {
    let sql = "SELECT oid, rolcanlogin, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls, \
                      (extract(epoch FROM rolvaliduntil) * 1000000)::int8, rolconnlimit \
               FROM pg_roles WHERE rolname = $1";
    let row = session.one(sql, &[&lease.artifact]).await?;
    let oid: u32 = row.try_get(0)?;
    let (login, powers): (bool, bool) = (row.try_get(1)?, row.try_get(2)?);
    let (ends, connections): (Option<i64>, i32) = (row.try_get(3)?, row.try_get(4)?);
    let options =
        if session.version >= SET_FALSE { "admin_option OR set_option OR NOT inherit_option" } else { "admin_option" };
    let sql = format!(
        "SELECT (SELECT rolname::text FROM pg_roles r WHERE r.oid = roleid), {options} FROM pg_auth_members WHERE member = $1"
    );
    let mut groups = BTreeSet::new();
    let mut too_much = Vec::new();
    for row in session.rows(&sql, &[&oid]).await? {
        let group: String = row.try_get(0)?;
        if row.try_get::<_, bool>(1)? {
            too_much.push(group.clone());
        }
        groups.insert(group);
    }
    let wrong = if !login || powers {
        "its attributes".to_owned()
    } else if ends != Some(until.micros()) {
        "its VALID UNTIL".to_owned()
    } else if i64::from(connections) != i64::from(limit) {
        "its connection limit".to_owned()
    } else if groups != role.member_of {
        format!("its memberships ({})", groups.iter().cloned().collect::<Vec<_>>().join(", "))
    } else if !too_much.is_empty() {
        format!("the options of its membership in {}", too_much.join(", "))
    } else if lease.object.as_ref().is_some_and(|known| *known != oid.to_string()) {
        "its oid".to_owned()
    } else {
        return Ok(oid);
    };
    Err(Fail::refused(format!("read back, role `{}` is not what was asked for: {wrong}", lease.artifact)))
}

fn handed(desk: &Desk<'_>, role: &Definition, lease: &LeaseData, oid: u32, until: Time, password: String) -> Created {
    let settings = &desk.settings;
    let mut public = json!({
        "user": lease.artifact,
        "database": settings.main_database(),
        "databases": settings.databases,
        "valid_until": until,
    });
    let place = match settings.place() {
        Ok(Place::Tcp { host, port, tls }) => json!({ "host": host, "port": port, "tls": tls }),
        Ok(Place::Socket { folder, port }) => json!({ "socket": folder, "port": port }),
        // Settings that name no place could not have been connected to.
        Err(_) => json!({}),
    };
    if let (Some(public), serde_json::Value::Object(place)) = (public.as_object_mut(), place) {
        public.extend(place);
    }
    Created {
        object: Some(oid.to_string()),
        notes: json!({ "databases": settings.databases, "member_of": role.member_of, "reassign_to": settings.reassign_to }),
        handed: Handed { public, secret: Some(SecretOnce::new(password)), not_after: Some(until) },
    }
}
