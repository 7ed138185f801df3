//! `wane config check` and `wane config explain`, and how every server-side command reads its settings.

use std::path::PathBuf;

use clap::Args;
use futures::future::BoxFuture;
use serde_json::json;
use wane_cli::{Exit, ExtraCommand, Group, Json, Session, Stop};
use wane_config::{Loaded, Settings};

/// Where settings come from.
#[derive(Args, Clone, Debug)]
pub(crate) struct From {
    /// The settings file (TOML); without it, defaults and the environment.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Sets one setting: `--set server.listen=127.0.0.1:7440`. May be given again.
    #[arg(long, value_name = "KEY=VALUE", value_parser = wane_connector::words::pair)]
    pub(crate) set: Vec<(String, String)>,
    /// The data folder; the same as `--set server.data_dir=DIR`.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<String>,
}

impl From {
    /// Reads the settings; `Err` carries the exit code, everything wrong having been told.
    pub(crate) fn load(&self, session: &Session) -> Result<Loaded, Exit> {
        let mut flags = self.set.clone();
        flags.extend(self.data.iter().map(|dir| ("server.data_dir".to_owned(), dir.clone())));
        Settings::load(self.config.as_deref(), std::env::vars(), &flags)
            .map_err(|errors| session.report(&Stop::new(Exit::Usage, errors.to_string())))
    }
}

/// Reads arguments; `Err` carries the exit code if there is nothing more to do.
pub(crate) fn parse<A: clap::Parser>(name: &str, args: Vec<String>, session: &Session) -> Result<A, Exit> {
    A::try_parse_from(std::iter::once(name.to_owned()).chain(args)).map_err(|error| {
        if error.use_stderr() {
            let text = error.to_string();
            return session.report(&Stop::usage(text.strip_prefix("error: ").unwrap_or(&text)));
        }
        session.put(&json!({ "help": error.to_string() }), &error.to_string());
        Exit::Done
    })
}

/// Reads arguments, and settings from where they say; `Err` as in [`parse`].
pub(crate) fn begin<A: clap::Parser>(
    name: &str,
    args: Vec<String>,
    session: &Session,
    from: impl FnOnce(&A) -> &From,
) -> Result<(A, Settings), Exit> {
    let arguments: A = parse(name, args, session)?;
    let settings = from(&arguments).load(session)?.settings;
    Ok((arguments, settings))
}

/// As [`begin`], for a command that writes: a test may stop it where it does.
pub(crate) fn begin_writing<A: clap::Parser>(
    name: &str,
    args: Vec<String>,
    session: &Session,
    from: impl FnOnce(&A) -> &From,
) -> Result<(A, Settings), Exit> {
    let begun = begin(name, args, session, from)?;
    arm(session).map(|()| begun)
}

/// Has failpoints stand where a test wants them to.
pub(crate) fn arm(session: &Session) -> Result<(), Exit> {
    wane_failpoint::arm().map_err(|error| session.report(&Stop::failed(error.to_string())))
}

/// `wane config check`.
pub(crate) struct Check;
/// `wane config explain`.
pub(crate) struct Explain;

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    from: From,
}

impl ExtraCommand for Check {
    fn words(&self) -> &'static [&'static str] {
        &["config", "check"]
    }
    fn about(&self) -> &'static str {
        "Check the server's settings and name everything wrong with them"
    }
    fn group(&self) -> Group {
        Group::Machine
    }
    fn json(&self) -> Json {
        Json::Ours
    }
    fn run<'a>(&'a self, args: Vec<String>, session: &'a Session) -> BoxFuture<'a, Exit> {
        Box::pin(
            async move { show(args, session, "wane config check", |loaded| (loaded.check(), json!({ "ok": true }))) },
        )
    }
}

impl ExtraCommand for Explain {
    fn words(&self) -> &'static [&'static str] {
        &["config", "explain"]
    }
    fn about(&self) -> &'static str {
        "List every setting, its value, where it came from and what it is for"
    }
    fn group(&self) -> Group {
        Group::Machine
    }
    fn json(&self) -> Json {
        Json::Ours
    }
    fn run<'a>(&'a self, args: Vec<String>, session: &'a Session) -> BoxFuture<'a, Exit> {
        Box::pin(async move {
            show(args, session, "wane config explain", |loaded| {
                let list = loaded
                    .explain()
                    .iter()
                    .map(|e| json!({ "key": e.key, "value": e.value, "origin": e.origin.to_string(), "doc": e.doc }));
                (loaded.render(), json!(list.collect::<Vec<_>>()))
            })
        })
    }
}

fn show(
    args: Vec<String>,
    session: &Session,
    name: &str,
    render: impl Fn(&Loaded) -> (String, serde_json::Value),
) -> Exit {
    let arguments: Arguments = match parse(name, args, session) {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    match arguments.from.load(session) {
        Ok(loaded) => {
            let (text, json) = render(&loaded);
            session.put(&json, &text);
            Exit::Done
        }
        Err(exit) => exit,
    }
}
