//! `wane approval verify`: checks a signed approval, for anybody and without a server.

use clap::Parser;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use wane_approval::Counter;
use wane_cli::{Exit, ExtraCommand, Group, Json, Session, Stop};
use wane_domain::approval::{Signed, Statement};

use crate::config::parse;

/// The command.
pub(crate) struct Approval;

/// Check the signed approvals in a file: `wane --json requests REQ`, `wane --json story GRANT`, or one by itself
#[derive(Parser)]
struct Arguments {
    /// The JSON; `-` for standard input
    #[arg(value_name = "FILE")]
    file: std::path::PathBuf,
}

impl ExtraCommand for Approval {
    fn words(&self) -> &'static [&'static str] {
        &["approval", "verify"]
    }
    fn about(&self) -> &'static str {
        "Check the signed approvals in a file, without a server"
    }
    fn group(&self) -> Group {
        Group::See
    }
    fn json(&self) -> Json {
        Json::Ours
    }
    fn run<'a>(&'a self, args: Vec<String>, session: &'a Session) -> BoxFuture<'a, Exit> {
        Box::pin(async move {
            let arguments: Arguments = match parse("wane approval verify", args, session) {
                Ok(arguments) => arguments,
                Err(exit) => return exit,
            };
            match verify(&arguments.file) {
                Ok(good) => {
                    let lines: Vec<String> = good.iter().map(|one| one.line()).collect();
                    let json: Vec<Value> = good.iter().map(Checked::json).collect();
                    session.put(&json!({ "good": json }), &lines.join("\n"));
                    Exit::Done
                }
                Err(why) => session.report(&Stop::failed(why)),
            }
        })
    }
}

struct Checked {
    said: Statement,
    sort: String,
    fingerprint: String,
}

impl Checked {
    fn line(&self) -> String {
        let Statement { approver, instead_of, request, narrowed, at, .. } = &self.said;
        let instead = instead_of.map(|person| format!(" in the place of {person}")).unwrap_or_default();
        let less = narrowed.map(|digest| format!(", as no more than {digest}")).unwrap_or_default();
        format!(
            "good: {approver} approved request {request}{instead}{less} at {at}, with {} {}",
            self.sort, self.fingerprint
        )
    }

    fn json(&self) -> Value {
        json!({ "statement": self.said, "sort": self.sort, "fingerprint": self.fingerprint })
    }
}

/// Every signed approval in a document; one that is not good spoils it.
fn verify(path: &std::path::Path) -> Result<Vec<Checked>, String> {
    let cannot = |e: std::io::Error| format!("`{}` cannot be read: {e}", path.display());
    let text = if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).map_err(cannot)?
    } else {
        std::fs::read_to_string(path).map_err(cannot)?
    };
    let document: Value = serde_json::from_str(&text).map_err(|e| format!("it is not JSON: {e}"))?;
    let mut found = Vec::new();
    gather(&document, &mut found)?;
    if found.is_empty() {
        return Err("there is no signed approval in it".to_owned());
    }
    let mut good = Vec::new();
    for signed in found {
        let checked = wane_approval::verify(&signed, &signed.key, Counter::WasChecked).map_err(|e| e.to_string())?;
        let shown = wane_approval::shown(&signed.key);
        let one = Checked { said: checked.statement, sort: shown.sort, fingerprint: shown.fingerprint };
        if !good.iter().any(|known: &Checked| known.said == one.said) {
            good.push(one);
        }
    }
    Ok(good)
}

fn gather(value: &Value, found: &mut Vec<Signed>) -> Result<(), String> {
    match value {
        Value::Object(map) => {
            if map.contains_key("statement") && map.contains_key("signature") {
                let signed = serde_json::from_value(value.clone());
                found.push(signed.map_err(|e| format!("a signed approval in it cannot be read: {e}"))?);
            }
            map.values().try_for_each(|inner| gather(inner, found))
        }
        Value::Array(list) => list.iter().try_for_each(|inner| gather(inner, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}
