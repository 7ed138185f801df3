//! Lends the command line to the kinds' verbs, and the machine to the command line.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde_json::Value;
use wane_cli::{Env, Exit, ExtraCommand, Session, Stop};
use wane_connector::verb::{Access, AccessPort, Credential, Verb, VerbError, Want};
use wane_domain::ambient::Ambient;
use wane_domain::secret::SecretOnce;
use wane_domain::time::Time;

use crate::{config, init, kinds, server};

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
    fn run<'a>(&'a self, args: Vec<String>, session: &'a Session) -> BoxFuture<'a, Exit> {
        Box::pin(async move {
            match self.0.run(&args, &Port(session)).await {
                Ok(code) => u8::try_from(code).map_or(Exit::Failed, Exit::Child),
                Err(VerbError::Usage(message)) => session.report(&Stop::usage(message)),
                Err(VerbError::Denied(message)) => session.report(&Stop::new(Exit::Refused, message)),
                Err(VerbError::Failed(message)) => session.report(&Stop::failed(message)),
            }
        })
    }
}

/// The command line as a kind's verb sees it.
struct Port<'a>(&'a Session);

fn time(at: jiff::Timestamp) -> Time {
    Time::from_micros(at.as_microsecond())
}

fn failed(stop: Stop) -> VerbError {
    let message = match &stop.todo {
        Some(todo) => format!("{} ({todo})", stop.message),
        None => stop.message,
    };
    match stop.exit {
        Exit::Usage => VerbError::Usage(message),
        Exit::Refused | Exit::Missing | Exit::Waiting => VerbError::Denied(message),
        Exit::Done | Exit::Failed | Exit::Conflict | Exit::Unreachable | Exit::TargetUnreachable | Exit::Interrupted | Exit::Child(_) => {
            VerbError::Failed(message)
        }
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
        };
        let held = self.0.ensure(&want).await.map_err(failed)?;
        Ok(Access { grant: held.grant, end: time(held.end) })
    }

    async fn credential(&self, grant: &str, input: Value) -> Result<Credential, VerbError> {
        let made = self.0.credential(grant, input).await.map_err(failed)?;
        Ok(Credential {
            public: made.public,
            secret: made.secret.map(|secret| SecretOnce::new(secret.expose().to_owned())),
            not_after: made.not_after.map(time),
            grant_end: time(made.grant_end),
        })
    }

    async fn standing(&self, grant: &str) -> Result<Access, VerbError> {
        let held = self.0.standing(grant).await.map_err(failed)?;
        Ok(Access { grant: held.grant, end: time(held.end) })
    }

    async fn call(&self, method: &str, path: &str, bearer: Option<&str>, body: Option<Value>) -> Result<Value, VerbError> {
        self.0.call(method, path, bearer, body.as_ref()).await.map_err(failed)
    }

    fn say(&self, line: &str) {
        self.0.say(line);
    }

    fn put(&self, json: &Value, text: &str) {
        self.0.put(json, text);
    }

    fn now(&self) -> Time {
        time(self.0.now())
    }

    fn entropy(&self, buf: &mut [u8]) {
        self.0.entropy(buf);
    }
}
