//! Making an account, and reading back that it is what was meant and nothing more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use tokio_postgres::SimpleQueryRow;
use tokio_postgres::error::SqlState;
use wane_connector::{Created, Handed};
use wane_domain::lease::LeaseData;
use wane_domain::secret::SecretOnce;
use wane_domain::time::Time;
use wane_failpoint::point;

use crate::facts::{Desk, Found, UNCOMMITTED, Who, find, mark};
use crate::quote::{ident, literal};
use crate::role::{Definition, DirectGrant, On};
use crate::scram::verifier;
use crate::session::{Fail, Session, number, text};
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

    let name = ident(&lease.artifact)?;
    let verifier = literal(&verifier(&password, &desk.ambient.bytes::<16>(), desk.settings.scram_iterations))?;
    let login =
        format!("LOGIN CONNECTION LIMIT {limit} VALID UNTIL {} PASSWORD {verifier}", literal(&until.to_string())?);
    let rest = memberships_and_rights(&session, role, &name, &here)?;
    let made = match &lease.object {
        None => make(&mut session, lease, &name, &login, &rest).await?,
        Some(_) => Made::Exists,
    };
    if let Made::Exists = made {
        session.run(point!("postgres.create.begin"), "BEGIN").await?;
        match find(&mut session, &Who::of(lease)).await? {
            Found::Stranger(why) => return Err(Fail::refused(why)),
            Found::Ours(_) => {
                session.run(point!("postgres.create.again"), &format!("ALTER ROLE {name} {login}{rest}")).await?;
            }
            Found::Nothing => {
                let sql = format!("{}{rest}", create_sql(lease, &name, &login)?);
                session.run(point!("postgres.create.missing"), &sql).await?;
            }
        }
    }
    // Apart from what went before: a server that comes back after we have given up reads that we are
    // gone, instead of this.
    let read_back = read_back_sql(&session, &lease.artifact)?;
    let answers = session.batch(point!("postgres.create.commit"), &format!("COMMIT; {read_back}")).await?;
    let seen = answers.last().and_then(|rows| rows.first());
    let oid = check_account(seen.ok_or_else(|| gone(lease))?, role, lease, until, limit)?;

    for (database, grants) in &elsewhere {
        let mut other = desk.open(database).await?;
        let rights = format!("BEGIN{}", give(&name, grants)?);
        other.run(point!("postgres.create.elsewhere"), &rights).await?;
        other.run(point!("postgres.create.elsewhere.commit"), "COMMIT").await?;
        check_rights(&mut other, &lease.artifact, grants).await?;
        other.close().await;
    }
    check_rights(&mut session, &lease.artifact, &here).await?;
    desk.keep(session);
    Ok(handed(desk, role, lease, oid, until, password))
}

/// Whether an account was made in the open transaction, or there is one of its name.
enum Made {
    New,
    Exists,
}

/// Makes a new account, with all that belongs to it, in one round trip; the transaction stays open.
async fn make(session: &mut Session, lease: &LeaseData, name: &str, login: &str, rest: &str) -> Result<Made, Fail> {
    let sql = format!("BEGIN; {}; {}{rest}", making_lock(&lease.artifact)?, create_sql(lease, name, login)?);
    match session.run(point!("postgres.create.role"), &sql).await {
        Ok(()) => Ok(Made::New),
        Err(taken) if taken.is(&SqlState::DUPLICATE_OBJECT) => {
            session.run(point!("postgres.create.taken"), "ROLLBACK").await?;
            Ok(Made::Exists)
        }
        Err(fail) => Err(fail),
    }
}

/// Held while an account is made, until it is there or not: whoever finds nothing under its name waits
/// for this before believing it (held by `an_account_that_is_being_made_is_not_absent`).
pub(crate) fn making_lock(account: &str) -> Result<String, Fail> {
    Ok(format!("SELECT pg_advisory_xact_lock(hashtextextended({}, 7593448861401907558))", literal(account)?))
}

fn create_sql(lease: &LeaseData, name: &str, login: &str) -> Result<String, Fail> {
    let nothing_else = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT";
    let comment = literal(&mark(lease))?;
    Ok(format!("CREATE ROLE {name} {nothing_else} {login}; COMMENT ON ROLE {name} IS {comment}"))
}

/// What an account gets beside its login, each statement after a semicolon.
fn memberships_and_rights(
    session: &Session,
    role: &Definition,
    name: &str,
    here: &[&DirectGrant],
) -> Result<String, Fail> {
    let with = if session.version >= SET_FALSE { " WITH INHERIT TRUE, SET FALSE" } else { "" };
    let mut sql = String::new();
    for group in &role.member_of {
        sql.push_str(&format!("; GRANT {} TO {name}{with}", ident(group)?));
    }
    for parameter in role.parameters().map_err(Fail::refused)? {
        sql.push_str(&format!("; ALTER ROLE {name} SET {parameter}"));
    }
    sql.push_str(&give(name, here)?);
    Ok(sql)
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

/// Direct rights, each statement after a semicolon.
fn give(name: &str, grants: &[&DirectGrant]) -> Result<String, Fail> {
    let mut sql = String::new();
    if !grants.is_empty() {
        sql.push_str(&format!("; {RIGHTS_LOCK}"));
    }
    for grant in grants {
        sql.push_str(&format!("; GRANT {} ON {} TO {name}", grant.words(), grant.object()?));
    }
    Ok(sql)
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

/// What reads an account back: its oid, whether it can log in, whether it has powers, its end, its
/// connection limit, its groups, those of them it can do more with than inherit, and whether nobody else
/// sees it yet.
fn read_back_sql(session: &Session, account: &str) -> Result<String, Fail> {
    let options =
        if session.version >= SET_FALSE { "admin_option OR set_option OR NOT inherit_option" } else { "admin_option" };
    let groups = "SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE m.member = a.oid";
    Ok(format!(
        "SELECT oid, rolcanlogin, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls, \
                (extract(epoch FROM rolvaliduntil) * 1000000)::int8, rolconnlimit, \
                to_json(ARRAY({groups})), to_json(ARRAY({groups} AND ({options}))), {UNCOMMITTED} \
         FROM pg_roles a WHERE rolname = {}",
        literal(account)?
    ))
}

fn gone(lease: &LeaseData) -> Fail {
    Fail::refused(format!("read back, role `{}` is not there", lease.artifact))
}

/// Compares all that was read back with what was asked for.
fn check_account(
    row: &SimpleQueryRow,
    role: &Definition,
    lease: &LeaseData,
    until: Time,
    limit: u32,
) -> Result<u32, Fail> {
    let oid: u32 = number(Some(row), 0)?;
    let column = |n| text(row, n);
    let names = |n| -> Result<BTreeSet<String>, Fail> {
        serde_json::from_str(column(n)?.unwrap_or_default()).map_err(|e| Fail::refused(format!("its groups: {e}")))
    };
    let (groups, too_much) = (names(5)?, names(6)?);
    if column(7)? != Some("f") {
        return Err(Fail::refused("read back, what was said to be committed is still open"));
    }
    let wrong = if column(1)? != Some("t") || column(2)? != Some("f") {
        "its attributes".to_owned()
    } else if column(3)? != Some(until.micros().to_string().as_str()) {
        "its VALID UNTIL".to_owned()
    } else if column(4)? != Some(limit.to_string().as_str()) {
        "its connection limit".to_owned()
    } else if groups != role.member_of {
        format!("its memberships ({})", groups.iter().cloned().collect::<Vec<_>>().join(", "))
    } else if !too_much.is_empty() {
        format!("the options of its membership in {}", too_much.into_iter().collect::<Vec<_>>().join(", "))
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
