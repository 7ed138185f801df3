//! Lends the command line to the kinds' verbs, and the machine to the command line.

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde_json::Value;
use wane_cli::{Env, Exit, ExtraCommand, ExtraGiver, Group, Held, Json, Ready, Session, Stop};
use wane_connector::verb::{Access, AccessPort, Credential, Giving, Verb, VerbError, Want};
use wane_domain::ambient::Ambient;
use wane_domain::secret::SecretOnce;
use wane_domain::time::Time;

use crate::{approval, authority, config, init, kinds, server, signer, token_key};

/// The process as the command line sees it.
pub(crate) fn env(ambient: &Ambient) -> Env {
    let (clock, entropy) = (ambient.clone(), ambient.clone());
    Env::of_process(
        Arc::new(move || jiff::Timestamp::from_microsecond(clock.now().micros()).unwrap_or_default()),
        Arc::new(move |buf| entropy.fill(buf)),
    )
}

/// What this binary adds to the command line.
pub(crate) fn extra(ambient: &Ambient) -> Vec<Box<dyn ExtraCommand>> {
    let mut all: Vec<Box<dyn ExtraCommand>> = vec![
        Box::new(server::Server { ambient: ambient.clone() }),
        Box::new(init::Init { ambient: ambient.clone() }),
        Box::new(signer::Signer { ambient: ambient.clone() }),
        Box::new(authority::Authority { ambient: ambient.clone() }),
        Box::new(token_key::TokenKey { ambient: ambient.clone() }),
        Box::new(approval::Approval),
        Box::new(config::Check),
        Box::new(config::Explain),
    ];
    all.extend(kinds::verbs().into_iter().map(|verb| Box::new(KindVerb(verb)) as Box<dyn ExtraCommand>));
    all
}

/// A kind's verb as a command.
struct KindVerb(Arc<dyn Verb>);

impl ExtraCommand for KindVerb {
    fn words(&self) -> &'static [&'static str] {
        self.0.words()
    }
    fn about(&self) -> &'static str {
        self.0.about()
    }
    fn group(&self) -> Group {
        if self.0.words().len() > 1 { Group::Arrange } else { Group::Use }
    }
    /// `wane ssh HOST COMMAND` may pass a `--json` on; `wane host add` runs nothing.
    fn json(&self) -> Json {
        if self.0.words().len() > 1 { Json::Ours } else { Json::Passed }
    }
    fn programs(&self) -> &'static [&'static str] {
        self.0.programs()
    }
    fn giver(&self) -> Option<Arc<dyn ExtraGiver>> {
        self.0.giver().map(|_| Arc::new(KindGiver(Arc::clone(&self.0))) as Arc<dyn ExtraGiver>)
    }
    fn run<'a>(&'a self, args: Vec<String>, session: &'a Session) -> BoxFuture<'a, Exit> {
        Box::pin(async move {
            let port = Port { session, last: Mutex::new(None) };
            let done = self.0.run(&args, &port).await;
            if let (Err(_), Some(stop)) = (&done, port.last.into_inner().unwrap_or_default()) {
                return session.report(&stop);
            }
            match done {
                Ok(code) => u8::try_from(code).map_or(Exit::Failed, Exit::Child),
                Err(VerbError::Usage(message)) => session.report(&Stop::usage(message)),
                Err(VerbError::Denied(message)) => session.report(&Stop::new(Exit::Refused, message)),
                Err(VerbError::Failed(message)) => session.report(&Stop::failed(message)),
            }
        })
    }
}

/// What a kind's verb gives commands.
struct KindGiver(Arc<dyn Verb>);

impl ExtraGiver for KindGiver {
    fn kind(&self) -> &'static str {
        self.0.giver().map_or("", |giver| giver.kind())
    }

    fn give<'a>(
        &'a self,
        held: &'a Held,
        folder: &'a Path,
        session: &'a Session,
        ready: Ready,
    ) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move {
            let port = Port { session, last: Mutex::new(None) };
            let giving = Giving { resource: &held.resource, grant: &held.grant, end: time(held.end), folder };
            let Some(giver) = self.0.giver() else { return Ok(()) };
            let given = giver.give(&giving, &port, ready).await;
            match (given, port.last.into_inner().unwrap_or_default()) {
                (Ok(()), _) => Ok(()),
                (Err(_), Some(stop)) => Err(stop),
                (Err(VerbError::Usage(message)), None) => Err(Stop::usage(message)),
                (Err(VerbError::Denied(message)), None) => Err(Stop::new(Exit::Refused, message)),
                (Err(VerbError::Failed(message)), None) => Err(Stop::failed(message)),
            }
        })
    }
}

/// The command line as a kind's verb sees it.
struct Port<'a> {
    session: &'a Session,
    /// What last stopped a call, in the command line's own words: it knows more exit codes than a verb does.
    last: Mutex<Option<Stop>>,
}

impl Port<'_> {
    fn failed(&self, stop: Stop) -> VerbError {
        let error = failed(&stop);
        if let Ok(mut last) = self.last.lock() {
            *last = Some(stop);
        }
        error
    }

    fn passed<T>(&self, done: Result<T, Stop>) -> Result<T, VerbError> {
        if let Ok(mut last) = self.last.lock() {
            *last = None;
        }
        done.map_err(|stop| self.failed(stop))
    }
}

fn time(at: jiff::Timestamp) -> Time {
    Time::from_micros(at.as_microsecond())
}

fn failed(stop: &Stop) -> VerbError {
    let message = match &stop.todo {
        Some(todo) => format!("{} ({todo})", stop.message),
        None => stop.message.clone(),
    };
    match stop.exit {
        Exit::Usage => VerbError::Usage(message),
        Exit::Refused | Exit::Missing | Exit::Waiting => VerbError::Denied(message),
        Exit::Done
        | Exit::Failed
        | Exit::Conflict
        | Exit::Unreachable
        | Exit::TargetUnreachable
        | Exit::Owed
        | Exit::Interrupted
        | Exit::Child(_) => VerbError::Failed(message),
    }
}

#[async_trait]
impl AccessPort for Port<'_> {
    async fn ensure(&self, want: &Want) -> Result<Access, VerbError> {
        let want = wane_cli::Want {
            resource: want.resource.clone(),
            role: want.role.clone(),
            duration: want.duration.clone(),
            reason: want.reason.clone(),
            ticket: want.ticket.clone(),
            command: want.command.clone(),
        };
        let held = self.passed(self.session.ensure(&want).await)?;
        Ok(Access { grant: held.grant, end: time(held.end) })
    }

    async fn credential(&self, grant: &str, input: Value) -> Result<Credential, VerbError> {
        let made = self.passed(self.session.credential(grant, input).await)?;
        Ok(Credential {
            public: made.public,
            secret: made.secret.map(|secret| SecretOnce::new(secret.expose().to_owned())),
            not_after: made.not_after.map(time),
            grant_end: time(made.grant_end),
        })
    }

    async fn standing(&self, grant: &str) -> Result<Access, VerbError> {
        let held = self.passed(self.session.standing(grant).await)?;
        Ok(Access { grant: held.grant, end: time(held.end) })
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        bearer: Option<&str>,
        body: Option<Value>,
    ) -> Result<Value, VerbError> {
        self.passed(self.session.call(method, path, bearer, body.as_ref()).await)
    }

    fn say(&self, line: &str) {
        self.session.say(line);
    }

    fn put(&self, json: &Value, text: &str) {
        self.session.put(json, text);
    }

    fn now(&self) -> Time {
        time(self.session.now())
    }

    fn entropy(&self, buf: &mut [u8]) {
        self.session.entropy(buf);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `WANE_GOLDEN=write` takes what is there for right; read the difference.
    #[test]
    fn the_reference_is_the_program() {
        let ambient = wane_runtime::ambient();
        let text = wane_cli::reference(&extra(&ambient));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
        if std::env::var_os("WANE_GOLDEN").is_some_and(|v| v == "write") {
            std::fs::write(&path, &text).unwrap();
        }
        assert!(
            std::fs::read_to_string(&path).unwrap() == text,
            "docs/cli.md is not the program's own reference; WANE_GOLDEN=write takes the new text"
        );
    }
}
