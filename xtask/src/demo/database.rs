//! The database: registered, asked for, approved for less, cut off while in use.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wane_testkit::Interactive;

use super::host::{at, wait_closed};
use super::narrator::{Narrator, word};
use super::stage::{DATABASE, OWNER, Stage};

const SHOP: &str = include_str!("shop.sql");
const SETUP: &str = include_str!("setup.sql");
const ROLE: &str = "readonly";
const PATIENCE: Duration = Duration::from_secs(90);
/// What the approver leaves of the ten minutes: long enough to look around, short enough to watch.
const APPROVED: &str = "30s";

/// Prepares the database as its administrator would, and registers it.
pub(crate) fn register(say: &Narrator, stage: &Stage) -> Result<()> {
    say.scene("A database joins");
    let postgres = &stage.postgres;
    postgres.create_database(DATABASE)?;
    for (file, sql) in [("shop.sql", SHOP), ("setup.sql", SETUP)] {
        say.aside(file, sql);
        say.line("postgres", &["psql", "-qAt", "-d", DATABASE, "-f", file].map(str::to_owned));
        say.output(&postgres.psql(DATABASE, sql)?);
    }
    let admin = stage.admin()?;
    // A home of its own, only for its password.
    let connector = stage.server.person("connector")?;
    connector.choose_password()?;
    let secret = fs::read_to_string(connector.password_file())?;
    say.remark("Wane's own account gets a password, which stands in a file and in no command line.");
    postgres.psql(DATABASE, &format!("ALTER ROLE wane PASSWORD '{secret}'"))?;

    let file = stage.server.folder().join("shop.json");
    let settings = json!({
        "address": format!("localhost:{}", postgres.port()),
        "user": "wane",
        "databases": [DATABASE],
        "tls": { "ca_pem": postgres.ca_pem()? },
    });
    fs::write(&file, settings.to_string())?;
    let settings = format!("@{}", file.display());
    let owner = format!("person:{OWNER}");
    let credential = connector.password_file().display().to_string();
    say.wane(
        admin,
        &[
            "resource",
            "add",
            DATABASE,
            "--kind",
            "postgres",
            "--label",
            "env=prod",
            "--owner",
            &owner,
            "--settings",
            &settings,
            "--credential-file",
            &credential,
        ],
    )?;
    let role = format!("postgres/{ROLE}");
    say.wane(admin, &["role", "add", &role, "--description", "read the orders", "--set", r#"member_of=["app_read"]"#])?;
    say.wane(admin, &["resource", "probe", DATABASE])?;
    Ok(())
}

/// The engineer asks, has to wait, and a second person approves less.
pub(crate) fn ask(say: &Narrator, stage: &Stage) -> Result<String> {
    say.scene("The engineer asks for the database, and has to wait");
    let (maya, omar) = (stage.engineer()?, stage.owner()?);
    let item = format!("{ROLE}@{DATABASE}");
    let words = ["request", &item, "--for", "10m", "-m", "a customer misses order 2"];
    let said = say.wane_exits(maya, &words, 6)?;
    let request = word(&said, "req_").context("no request was printed")?;
    say.wane(maya, &["why", &item, "--for", "10m", "-m", "a customer misses order 2"])?;

    say.scene("A second person approves, for less");
    say.wane(omar, &["requests", "--waiting-for-me"])?;
    let said = say.wane(omar, &["approve", request, "--for", APPROVED])?;
    let grant = word(&said, "grt_").context("no grant was printed")?.to_owned();
    say.wane(maya, &["grants", "--mine"])?;
    Ok(grant)
}

/// Reads with `wane psql` and with the plain psql; the grant runs out while that is open.
pub(crate) fn run_out(say: &Narrator, stage: &Stage, grant: &str) -> Result<()> {
    say.scene("Reading the database, until the time is up");
    let maya = stage.engineer()?;
    say.wane(maya, &["psql", DATABASE, "--", "-c", "SELECT * FROM orders WHERE id = 2"])?;

    say.remark("The plain psql needs a password, which goes to a file only she can read.");
    let said = say.wane(maya, &["credential", grant, "--secret-file", "db-password", "--json"])?;
    let made: Value = serde_json::from_str(&said).context("the credential is not JSON")?;
    let user = made.pointer("/public/user").and_then(Value::as_str).context("there is no user")?;
    accounts(say, stage, Expect::Some)?;
    let mut open = open_psql(say, stage, user)?;
    open.wait_for("teapot", PATIENCE)?;
    say.output(&open.stdout());
    say.wane(maya, &["live"])?;
    say.remark("psql asks again every second. Nobody does anything now; the time runs out.");
    let shown = open.stdout().len();
    say.wait("psql to be cut", PATIENCE, || !open.is_running())?;
    let outcome = open.wait_exit(PATIENCE)?;
    let later = outcome.stdout.get(shown..).unwrap_or_default();
    say.aside("psql, last answers", &last_lines(later, 4));
    say.aside("psql, standard error", &outcome.stderr);
    ensure!(!outcome.success(), "psql ended by itself, it was not cut");
    ensure!(!outcome.stderr.is_empty(), "psql said nothing about being cut");

    wait_closed(say, maya, grant)?;
    accounts(say, stage, Expect::None)?;
    say.remark("The same name and password again:");
    let again = open_psql(say, stage, user)?.wait_exit(PATIENCE)?;
    say.output(&again.stderr);
    ensure!(!again.success(), "the account still opens the database");
    Ok(())
}

/// Whether accounts of grants must be there.
#[derive(Clone, Copy)]
enum Expect {
    Some,
    None,
}

/// Which accounts of grants there are, as the superuser sees them.
fn accounts(say: &Narrator, stage: &Stage, expect: Expect) -> Result<()> {
    let sql = "SELECT 'accounts of grants:', count(*), min(rolname), min(rolvaliduntil) FROM pg_roles WHERE rolname ~ '^wane_[0-9]'";
    say.line("postgres", &["psql", "-qAt", "-d", DATABASE, "-c", sql].map(str::to_owned));
    let found = stage.postgres.psql(DATABASE, sql)?;
    say.output(&found);
    let none = found.contains("|0|");
    match expect {
        Expect::Some => ensure!(!none, "there is no account of a grant"),
        Expect::None => ensure!(none, "an account of a grant is still there: {found}"),
    }
    Ok(())
}

/// The plain psql with a statement that it repeats every second.
fn open_psql(say: &Narrator, stage: &Stage, user: &str) -> Result<Interactive> {
    let maya = stage.engineer()?;
    let uri = format!(
        "postgresql://{user}@localhost:{}/{DATABASE}?sslmode=verify-full&sslrootcert={}",
        stage.postgres.port(),
        stage.postgres.ca_path().display()
    );
    say.typed(maya.name(), &format!("PGPASSWORD=$(cat db-password) psql -X '{uri}'"));
    let mut command = at(maya, "psql", &["-X", &uri]);
    command.env("PGPASSWORD", fs::read_to_string(maya.home().join("db-password"))?);
    let mut psql = Interactive::spawn(&mut command)?;
    // It may have been refused already; its words then say so.
    let _ = psql.send_line("SELECT localtime(0) AS now, current_user, item FROM orders WHERE id = 1 \\watch 1");
    Ok(psql)
}

fn last_lines(text: &str, many: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(many);
    lines.get(from..).unwrap_or_default().join("\n")
}
