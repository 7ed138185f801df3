//! `wane psql`: finds or asks for access and runs the plain `psql`, which learns the password from
//! memory that no other account can read.
//!
//! Owns: what `psql` is told, and how. Refuses to know: how access is asked for. Nothing is written
//! to a disk, and no secret stands in arguments or environment: the environment names a file that
//! exists only in this process's memory.

use std::ffi::OsString;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;

use async_trait::async_trait;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{Mode, fchmod};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use wane_connector::verb::{Access, AccessPort, Credential, Verb, VerbError, Want};

const USAGE: &str =
    "wane psql RESOURCE [--role ROLE] [--for 2h] [--reason WHY] [--ticket ID] [-d DATABASE] [-- PSQL-ARGUMENTS]

Finds or asks for access to a database resource, waits for approval, and runs psql.
Everything behind `--` goes to psql as it is. The exit code is psql's.";

/// The verb `wane psql`.
#[derive(Debug, Clone, Default)]
pub struct PsqlVerb {
    program: Option<OsString>,
}

impl PsqlVerb {
    /// Runs the `psql` of the search path.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs this program instead.
    #[must_use]
    pub fn with_program(program: impl Into<OsString>) -> Self {
        Self { program: Some(program.into()) }
    }
}

#[async_trait]
impl Verb for PsqlVerb {
    fn words(&self) -> &'static [&'static str] {
        &["psql"]
    }

    fn about(&self) -> &'static str {
        "Open psql on a database resource, asking for access first if need be"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["psql"]
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(line) = parse(args)? else {
            port.put(&serde_json::json!({ "usage": USAGE }), USAGE);
            return Ok(0);
        };
        let access = port.ensure(&line.want).await?;
        let credential = port.credential(&access.grant, Value::Object(serde_json::Map::new())).await?;
        let program = self.program.clone().unwrap_or_else(|| "psql".into());
        let (mut command, _files) = prepare(program, credential, &line)?;
        // While psql runs, ^C is for its statement; it must not end us first.
        let _interrupts = signal(SignalKind::interrupt()).map_err(|e| VerbError::Failed(format!("signals: {e}")))?;
        let child = command.spawn().map_err(|e| {
            VerbError::Failed(format!(
                "psql cannot be started: {e}; install the PostgreSQL client (package `postgresql-client`)"
            ))
        })?;
        watch(child, port, &access, &line).await
    }
}

/// What stood on the command line.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    want: Want,
    database: Option<String>,
    rest: Vec<String>,
}

fn parse(args: &[String]) -> Result<Option<Line>, VerbError> {
    let usage = |why: String| VerbError::Usage(format!("{why}\n\n{USAGE}"));
    let mut want =
        Want { resource: String::new(), role: None, duration: None, reason: None, ticket: None, command: None };
    let mut database = None;
    let mut rest = Vec::new();
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let (flag, joined) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value.to_owned())),
            Some(_) | None => (word.as_str(), None),
        };
        let mut value =
            || joined.clone().or_else(|| words.next().cloned()).ok_or_else(|| usage(format!("`{flag}` needs a value")));
        match flag {
            "-h" | "--help" => return Ok(None),
            "--" => {
                rest = words.cloned().collect();
                break;
            }
            "--role" => want.role = Some(value()?),
            "--for" => want.duration = Some(value()?),
            "--reason" => want.reason = Some(value()?),
            "--ticket" => want.ticket = Some(value()?),
            "-d" | "--database" => database = Some(value()?),
            unknown if unknown.starts_with('-') => {
                return Err(usage(format!("`{unknown}` is unknown; arguments for psql go behind `--`")));
            }
            resource if want.resource.is_empty() => resource.clone_into(&mut want.resource),
            extra => return Err(usage(format!("`{extra}` is one word too many; arguments for psql go behind `--`"))),
        }
    }
    if want.resource.is_empty() {
        return Err(usage("name a resource".to_owned()));
    }
    Ok(Some(Line { want, database, rest }))
}

/// The command, and the files in memory it reads, which live as long as the second value.
fn prepare(program: OsString, credential: Credential, line: &Line) -> Result<(Command, Vec<std::fs::File>), VerbError> {
    let public = credential.public;
    let text = |key: &str| public.get(key).and_then(Value::as_str);
    let broken = |what: &str| {
        VerbError::Failed(format!(
            "the server handed out no {what}; is `{}` a PostgreSQL resource?",
            line.want.resource
        ))
    };
    let user = text("user").ok_or_else(|| broken("user"))?;
    let port = public.get("port").and_then(Value::as_u64).ok_or_else(|| broken("port"))?;
    let secret = credential.secret.ok_or_else(|| broken("password"))?.reveal();
    let database = line.database.as_deref().or_else(|| text("database")).ok_or_else(|| broken("database"))?;

    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        // Whatever libpq would take from outside: another host, a weaker mode, options.
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    // One line of a password file: any host, port, database and user.
    let passwords = in_memory("password", &[b"*:*:*:*:", secret.as_bytes(), b"\n"])?;
    let mut files = vec![passwords.0];
    command
        .env("PGPASSFILE", passwords.1)
        .env("PGUSER", user)
        .env("PGPORT", port.to_string())
        .env("PGDATABASE", database);
    if let Some(folder) = text("socket") {
        command.env("PGHOST", folder);
    } else {
        let host = text("host").ok_or_else(|| broken("host"))?;
        let Some(ca) = public.pointer("/tls/ca_pem").and_then(Value::as_str) else {
            return Err(VerbError::Failed(format!(
                "`{}` is pinned by its key alone, which psql cannot check; its administrator can add `tls.ca_pem`",
                line.want.resource
            )));
        };
        let authority = in_memory("authority", &[ca.as_bytes()])?;
        files.push(authority.0);
        command
            .env("PGHOST", host)
            .env("PGSSLMODE", "verify-full")
            .env("PGSSLROOTCERT", authority.1)
            .env("PGGSSENCMODE", "disable");
    }
    // Never ask the person for a password: it would be one Wane did not give.
    command.arg("-w").args(&line.rest).kill_on_drop(true);
    Ok((command, files))
}

/// A file without a name that only this account can read, and the path it has while we live.
fn in_memory(name: &str, content: &[&[u8]]) -> Result<(std::fs::File, String), VerbError> {
    let failed = |e: std::io::Error| VerbError::Failed(format!("no private memory for the {name}: {e}"));
    // Closed in every child: psql opens it by path, so that nothing else inherits it.
    let fd = memfd_create(name, MFdFlags::MFD_CLOEXEC).map_err(|e| failed(e.into()))?;
    fchmod(&fd, Mode::S_IRUSR | Mode::S_IWUSR).map_err(|e| failed(e.into()))?;
    let mut file = std::fs::File::from(fd);
    for part in content {
        file.write_all(part).map_err(failed)?;
    }
    let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    Ok((file, path))
}

/// Waits for psql while looking after the grant.
async fn watch(mut child: Child, port: &dyn AccessPort, access: &Access, line: &Line) -> Result<i32, VerbError> {
    let mut ended = false;
    loop {
        tokio::select! {
            status = child.wait() => {
                let status = status.map_err(|e| VerbError::Failed(format!("psql: {e}")))?;
                return Ok(status.code().or_else(|| status.signal().map(|n| 128 + n)).unwrap_or(1));
            }
            () = tokio::time::sleep(port.beat()), if !ended => {
                if let Some(why) = over(port, access).await {
                    ended = true;
                    port.say(&format!("Your access to `{}` has ended: {why}. The server closes the session. To ask again: {}", line.want.resource, again(line)));
                }
            }
        }
    }
}

/// Why the grant no longer stands. A question that cannot be answered now is asked again.
async fn over(port: &dyn AccessPort, access: &Access) -> Option<String> {
    match port.standing(&access.grant).await {
        Ok(now) if now.end <= port.now() => Some("its time is up".to_owned()),
        Ok(_) | Err(VerbError::Failed(_)) => None,
        Err(VerbError::Denied(why) | VerbError::Usage(why)) => Some(why),
    }
}

fn again(line: &Line) -> String {
    let role = line.want.role.as_ref().map(|role| format!(" --role {role}")).unwrap_or_default();
    let database = line.database.as_ref().map(|database| format!(" -d {database}")).unwrap_or_default();
    format!("wane psql {}{role}{database}", line.want.resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn command_lines_are_read() {
        let read = |line: &str| {
            parse(&words(line))
                .map(|l| l.map(|l| format!("{} {:?} {:?} {:?}", l.want.resource, l.want.role, l.database, l.rest)))
        };
        for (line, expected) in [
            ("orders", "orders None None []"),
            ("orders --role ro -d app", "orders Some(\"ro\") Some(\"app\") []"),
            ("--role=ro orders -- -c x --role y", "orders Some(\"ro\") None [\"-c\", \"x\", \"--role\", \"y\"]"),
        ] {
            assert_eq!(read(line).unwrap().unwrap(), expected);
        }
        assert!(read("--help").unwrap().is_none());
        for bad in ["", "orders --role", "orders --rolle x", "orders -c x", "a b"] {
            assert!(matches!(parse(&words(bad)), Err(VerbError::Usage(_))), "{bad}");
        }
    }

    #[test]
    fn the_way_to_ask_again_is_one_command() {
        let line = parse(&words("orders --role ro --reason because -d app -- -c x")).unwrap().unwrap();
        assert_eq!(again(&line), "wane psql orders --role ro -d app");
    }
}
