//! The client verbs of this kind: `wane key new`, `wane key narrow`. What other programs ask for a key in is `ask`'s.

mod ask;

use std::io::Read as _;
use std::sync::Arc;

use async_trait::async_trait;
use clap::Parser;
use serde_json::{Map, Value, json};
use wane_connector::verb::{AccessPort, Verb, VerbError, Want};
use wane_connector::words::parse;
use wane_domain::time::Time;

use self::ask::{Answer, As, Asked, Given};
use crate::key::{Caveat, Key};

/// Every verb of this kind.
#[must_use]
pub fn all() -> Vec<Arc<dyn Verb>> {
    vec![Arc::new(New), Arc::new(Narrow)]
}

/// What a key is narrowed to.
#[derive(Debug, Default, clap::Args)]
struct To {
    /// Good until then: a moment, such as `2026-12-01T08:00:00Z`.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// For this method; several times.
    #[arg(long = "method", value_name = "METHOD")]
    methods: Vec<String>,
    /// For paths that fit this pattern; several times.
    #[arg(long = "path", value_name = "PATTERN")]
    paths: Vec<String>,
    /// From this address; several times.
    #[arg(long, value_name = "ADDRESS")]
    from: Vec<String>,
    /// For so many requests, of everybody together who holds it or one narrowed from it.
    #[arg(long, value_name = "N")]
    uses: Option<u64>,
}

impl To {
    /// By the names that a key has for it.
    fn said(&self) -> Result<Vec<(&'static str, String)>, VerbError> {
        let mut said = Vec::new();
        if let Some(until) = &self.until {
            let at: Time = until
                .parse()
                .map_err(|_| VerbError::Usage(format!("`{until}` is no moment; write it as `2026-12-01T08:00:00Z`")))?;
            said.push(("until", at.micros().div_euclid(1_000_000).to_string()));
        }
        for (name, all) in [("methods", &self.methods), ("paths", &self.paths), ("from", &self.from)] {
            if !all.is_empty() {
                said.push((name, all.join(" ")));
            }
        }
        said.extend(self.uses.map(|uses| ("uses", uses.to_string())));
        Ok(said)
    }
}

/// `wane key new`.
struct New;

/// An API key under a grant that is found or asked for; it is shown once, and Wane keeps nothing of it.
#[derive(Debug, Parser)]
#[command(name = "wane key new", disable_version_flag = true)]
struct NewArgs {
    /// The resource.
    resource: String,
    /// The role; the only one there is if left out.
    #[arg(long)]
    role: Option<String>,
    /// For how long to ask, if access has to be asked for.
    #[arg(long = "for", value_name = "TIME")]
    duration: Option<String>,
    /// Why, if access has to be asked for.
    #[arg(long, value_name = "WHY")]
    reason: Option<String>,
    /// Under which ticket, if access has to be asked for.
    #[arg(long, value_name = "ID")]
    ticket: Option<String>,
    #[command(flatten)]
    to: To,
    /// As what it is given: to whoever reads it, or to a program that asks in words of its own.
    #[arg(long, value_enum, default_value_t = As::Text)]
    format: As,
    /// What that program asks for (`get`, `store`, `erase`, `list`), as it says it.
    #[arg(value_name = "ACTION")]
    action: Option<String>,
}

#[async_trait]
impl Verb for New {
    fn words(&self) -> &'static [&'static str] {
        &["key", "new"]
    }

    fn about(&self) -> &'static str {
        "Get an API key for an application, asking for access first if need be"
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(args) = parse::<NewArgs>("wane key new", args, port)? else { return Ok(0) };
        let mut stdin = std::io::stdin();
        let server = match args.format.asked(args.action.as_deref(), &mut stdin)? {
            Asked::Key(_, server) => server,
            Asked::Nothing(answer) => {
                port.put(&json!({ "answer": answer }), answer);
                return Ok(0);
            }
        };
        let input: Map<String, Value> =
            args.to.said()?.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        let want = Want {
            resource: args.resource,
            role: args.role,
            duration: args.duration,
            reason: args.reason,
            ticket: args.ticket,
            command: None,
        };
        let access = port.ensure(&want).await?;
        let made = port.credential(&access.grant, Value::Object(input)).await?;
        let secret = made.secret.ok_or_else(|| VerbError::Failed("the server handed out no key".to_owned()))?.reveal();
        let url = made.public.get("url").and_then(Value::as_str).unwrap_or_default();
        let given = Given { key: secret.as_str(), url, grant: &access.grant, end: made.grant_end };
        match args.format.answer(server.as_deref(), &given) {
            Answer::Words(words) => port.put(&json!({ "answer": words }), &words),
            Answer::Elsewhere(words, code) => {
                port.put(&json!({ "answer": words }), words);
                return Ok(code);
            }
            Answer::ToRead => {
                let how = "with `Authorization: Bearer KEY`";
                port.say(&format!("good until {} under {}, {how}", made.grant_end, access.grant));
                port.put(&json!({ "key": secret.as_str(), "grant": access.grant, "url": url }), secret.as_str());
            }
        }
        Ok(0)
    }
}

/// `wane key narrow`.
struct Narrow;

/// A narrower key made of the one on standard input, without asking anybody. It opens less, and never more.
#[derive(Debug, Parser)]
#[command(name = "wane key narrow", disable_version_flag = true)]
struct NarrowArgs {
    #[command(flatten)]
    to: To,
}

#[async_trait]
impl Verb for Narrow {
    fn words(&self) -> &'static [&'static str] {
        &["key", "narrow"]
    }

    fn about(&self) -> &'static str {
        "Narrow an API key (on standard input) before passing it on, without asking anybody"
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(args) = parse::<NarrowArgs>("wane key narrow", args, port)? else { return Ok(0) };
        let said = args.to.said()?;
        if said.is_empty() {
            return Err(VerbError::Usage(
                "say what it is narrowed to: --until, --method, --path, --from or --uses".to_owned(),
            ));
        }
        let mut text = String::new();
        let read = std::io::stdin().take(64 * 1024).read_to_string(&mut text);
        read.map_err(|e| VerbError::Failed(format!("standard input cannot be read: {e}")))?;
        let mut key = Key::read(text.trim()).map_err(|e| VerbError::Usage(e.to_string()))?;
        for (name, value) in said {
            let caveat = Caveat::said(name, &value).map_err(|why| VerbError::Usage(format!("{name}: {why}")))?;
            key = key.narrowed(caveat).map_err(|e| VerbError::Usage(e.to_string()))?;
        }
        port.put(&json!({ "key": key.text() }), &key.text());
        Ok(0)
    }
}
