//! `wane database setup-sql` and `wane database add`: a server made ready for Wane, and made known to it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use async_trait::async_trait;
use clap::Parser;
use serde_json::{Map, Value, json};
use wane_connector::verb::{AccessPort, Verb, VerbError};
use wane_connector::words::{owner, pair, parse};

use crate::settings::REASSIGN_TO;
use crate::setup::{Setup, setup_sql};

/// `wane database setup-sql`.
#[derive(Debug, Clone, Copy, Default)]
pub struct DatabaseSetupSql;

/// `wane database add`.
#[derive(Debug, Clone, Copy, Default)]
pub struct DatabaseAdd;

/// Prints what an administrator of PostgreSQL runs once, as superuser, so that Wane can work there
/// without being one: `wane database setup-sql … | psql`. It may be run again. The connector's
/// password is set apart, with `\password`.
#[derive(Debug, Parser)]
#[command(name = "wane database setup-sql", disable_version_flag = true)]
struct SetupSql {
    /// The account Wane connects as.
    #[arg(long, value_name = "ROLE", default_value = "wane")]
    connector: String,
    /// Who is given what accounts leave behind.
    #[arg(long, value_name = "ROLE", default_value = REASSIGN_TO)]
    reassign_to: String,
    /// A group role that role definitions may name; it must exist. May be given again.
    #[arg(long = "group", value_name = "ROLE", required = true)]
    groups: Vec<String>,
    /// A database of the server. May be given again.
    #[arg(long = "database", value_name = "NAME", required = true)]
    databases: Vec<String>,
}

/// Registers a PostgreSQL server's databases as a resource.
#[derive(Debug, Parser)]
#[command(name = "wane database add", disable_version_flag = true)]
struct Add {
    /// The resource's name in Wane.
    name: String,
    /// Where the server answers: `HOST:PORT`, or the folder of its socket.
    #[arg(long, value_name = "HOST:PORT or FOLDER")]
    address: String,
    /// The account Wane connects as.
    #[arg(long, value_name = "ROLE", default_value = "wane")]
    user: String,
    /// File with that account's password, or `-` for standard input.
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,
    /// A database of the server, the usual one first. May be given again.
    #[arg(long = "database", value_name = "NAME", required = true)]
    databases: Vec<String>,
    /// PEM file of the authority that signed the server's certificate.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A fact for policy: `env=prod`. May be given again.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
    /// Who answers for it: `person:NAME` or `group:NAME`.
    #[arg(long, value_name = "WHO", value_parser = owner)]
    owner: Option<Value>,
}

#[async_trait]
impl Verb for DatabaseSetupSql {
    fn words(&self) -> &'static [&'static str] {
        &["database", "setup-sql"]
    }

    fn about(&self) -> &'static str {
        "print what makes a PostgreSQL server ready for Wane"
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(args) = parse::<SetupSql>("wane database setup-sql", args, port)? else { return Ok(0) };
        let groups: Vec<&str> = args.groups.iter().map(String::as_str).collect();
        let databases: Vec<&str> = args.databases.iter().map(String::as_str).collect();
        let setup = Setup {
            connector: &args.connector,
            reassign_to: &args.reassign_to,
            groups: &groups,
            databases: &databases,
        };
        let sql = setup_sql(&setup).map_err(VerbError::Usage)?;
        port.put(&json!({ "sql": sql }), &sql);
        Ok(0)
    }
}

#[async_trait]
impl Verb for DatabaseAdd {
    fn words(&self) -> &'static [&'static str] {
        &["database", "add"]
    }

    fn about(&self) -> &'static str {
        "register a PostgreSQL server's databases"
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(args) = parse::<Add>("wane database add", args, port)? else { return Ok(0) };
        let place = if args.address.starts_with('/') { "socket" } else { "address" };
        let mut settings =
            Map::from_iter([(place.to_owned(), json!(args.address)), ("user".to_owned(), json!(args.user))]);
        settings.insert("databases".to_owned(), json!(args.databases));
        if let Some(ca) = &args.ca {
            settings.insert("tls".to_owned(), json!({ "ca_pem": read(ca)? }));
        }
        let labels: Map<String, Value> = args.labels.into_iter().map(|(key, value)| (key, json!(value))).collect();
        let password = read(&args.password_file)?;
        let credential = password.trim_end_matches(['\r', '\n']);
        let mut body = json!({
            "name": args.name, "kind": "postgres", "labels": labels, "settings": settings, "credential": credential,
        });
        if let (Some(owner), Some(body)) = (args.owner, body.as_object_mut()) {
            body.insert("owner".to_owned(), owner);
        }
        let made = port.call("POST", "/v1/resources", None, Some(body)).await?;
        let text = format!(
            "registered {name}: the server was reached, and the account `{user}` is as it should be\nnext: `wane role add postgres/NAME`, and `wane resource probe {name}` says which roles can be given there",
            name = args.name,
            user = args.user
        );
        port.put(&made, &text);
        Ok(0)
    }
}

/// A file, or standard input.
fn read(path: &Path) -> Result<String, VerbError> {
    let done = if path == Path::new("-") { io::read_to_string(io::stdin()) } else { fs::read_to_string(path) };
    done.map_err(|e| VerbError::Usage(format!("`{}` cannot be read: {e}", path.display())))
}
