//! `wane hook templates`: which there are, and one of them whole.

use async_trait::async_trait;
use clap::Parser;
use serde_json::{Value, json};
use wane_connector::strict::unknown_word;
use wane_connector::verb::{AccessPort, Verb, VerbError};
use wane_connector::words::parse;

use crate::templates::{Template, all};

/// `wane hook templates`.
#[derive(Debug, Clone, Copy, Default)]
pub struct HookTemplates;

/// Lists the templates for well-known APIs, or shows one: what it needs, what its roles say, and the calls it makes.
#[derive(Debug, Parser)]
#[command(name = "wane hook templates", disable_version_flag = true)]
struct Args {
    /// Which; all of them in a line each if left out.
    name: Option<String>,
}

#[async_trait]
impl Verb for HookTemplates {
    fn words(&self) -> &'static [&'static str] {
        &["hook", "templates"]
    }

    fn about(&self) -> &'static str {
        "show the templates for targets with well-known APIs"
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(args) = parse::<Args>("wane hook templates", args, port)? else { return Ok(0) };
        let Some(name) = args.name else {
            let list: Vec<Value> = all().iter().map(|t| json!({ "name": t.name, "about": t.about() })).collect();
            let width = all().iter().map(|t| t.name.len()).max().unwrap_or_default();
            let lines: Vec<String> = all().iter().map(|t| format!("{:width$}  {}", t.name, t.about())).collect();
            port.put(&json!({ "templates": list }), &lines.join("\n"));
            return Ok(0);
        };
        let names: Vec<&str> = all().iter().map(|t| t.name).collect();
        let template = Template::find(&name).ok_or_else(|| VerbError::Usage(unknown_word(&name, &names)))?;
        let document = template.document().map_err(|e| VerbError::Failed(e.to_string()))?;
        let text = page(template, &document).map_err(|e| VerbError::Failed(e.to_string()))?;
        port.put(&document, &text);
        Ok(0)
    }
}

/// A template for people: what it is, what it needs, how it is used, what it calls.
fn page(template: &Template, document: &Value) -> Result<String, wane_connector::KindError> {
    let word = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut lines = vec![
        format!("{}: {}", template.name, word("about")),
        format!("documentation: {}", word("documentation")),
        format!("tested against: {}", word("seen")),
        String::new(),
        format!("credential: {}", word("credential")),
    ];
    for (title, key) in [("parameters", "parameters"), ("values of its roles", "role")] {
        let all = document.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
        if !all.is_empty() {
            lines.push(format!("{title}:"));
            lines.extend(all.iter().map(|(name, what)| format!("  {name}: {}", what.as_str().unwrap_or_default())));
        }
    }
    let (settings, role) = template.example()?;
    lines.push(String::new());
    lines.push("register it, and a role:".to_owned());
    lines.push(format!("  wane resource add NAME --kind hook --credential-file FILE --settings '{settings}'"));
    lines.push(format!("  wane role add hook/ROLE{}", sets(&role)));
    lines.push(String::new());
    lines.push("what it declares:".to_owned());
    let declared = document.get("settings").cloned().unwrap_or_default();
    let pretty = serde_json::to_string_pretty(&declared).unwrap_or_default();
    lines.extend(pretty.lines().map(|line| format!("  {line}")));
    Ok(lines.join("\n"))
}

fn sets(role: &Value) -> String {
    let pairs = role.as_object().into_iter().flatten();
    pairs
        .map(|(key, value)| match value {
            Value::String(text) => format!(" --set {key}={text}"),
            value => format!(" --set '{key}={value}'"),
        })
        .collect()
}
