//! What an administrator runs once, so that Wane can work at a server without being superuser.

use std::fmt::Write as _;

use crate::quote::{ident, idents};

/// The names that stand in the script.
#[derive(Debug, Clone)]
pub struct Setup<'a> {
    /// The connector's own role.
    pub connector: &'a str,
    /// Who objects left behind are given to.
    pub reassign_to: &'a str,
    /// The group roles that role templates may name. They must exist.
    pub groups: &'a [&'a str],
    /// The databases of the resource.
    pub databases: &'a [&'a str],
}

/// A script for `psql`, run as superuser. It may be run again. The connector's password is set
/// apart, with `\password`, so that it stands in no script.
///
/// # Errors
/// When a name cannot be one in PostgreSQL.
pub fn setup_sql(setup: &Setup<'_>) -> Result<String, String> {
    // psql ends a command of its own, such as `\connect`, with the line, whatever quotes are open: what
    // follows in the name would be a statement, run as superuser.
    let names = [setup.connector, setup.reassign_to].into_iter();
    let mut names = names.chain(setup.groups.iter().copied()).chain(setup.databases.iter().copied());
    if let Some(name) = names.find(|name| name.chars().any(char::is_control)) {
        let shown = name.escape_debug().to_string().chars().take(64).collect::<String>();
        return Err(format!("`{shown}` holds a control character; the script cannot name it, do its steps by hand"));
    }
    write(setup).map_err(|e| e.to_string())
}

fn write(setup: &Setup<'_>) -> Result<String, crate::quote::QuoteError> {
    let connector = ident(setup.connector)?;
    let quarantine = ident(setup.reassign_to)?;
    let mut sql = String::new();
    let mut line = |text: String| {
        let _ = writeln!(sql, "{text}");
    };
    for role in [&connector, &quarantine] {
        let missing = crate::quote::literal(&format!("CREATE ROLE {role}"))?;
        let name = crate::quote::literal(if *role == connector { setup.connector } else { setup.reassign_to })?;
        line(format!("SELECT {missing} WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {name}) \\gexec"));
    }
    line(format!("ALTER ROLE {connector} LOGIN NOSUPERUSER CREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS;"));
    line(format!("GRANT pg_signal_backend TO {connector};"));
    line(format!("ALTER ROLE {quarantine} NOLOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS;"));
    line(format!("GRANT {quarantine} TO {connector};"));
    for group in setup.groups {
        line(format!("GRANT {} TO {connector} WITH ADMIN OPTION;", ident(group)?));
    }
    line(
        "SELECT format('REVOKE CREATE, TEMPORARY ON DATABASE %I FROM PUBLIC', datname) FROM pg_database \\gexec"
            .to_owned(),
    );
    for database in setup.databases {
        line(format!("GRANT CONNECT ON DATABASE {} TO {connector};", ident(database)?));
        line(format!("\\connect {}", idents([*database])?));
        line("REVOKE CREATE ON SCHEMA public FROM PUBLIC;".to_owned());
    }
    Ok(sql)
}
