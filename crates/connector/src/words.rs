//! What the kinds' verbs have in common on the command line.

use clap::Parser;
use clap::error::ErrorKind;
use serde_json::{Value, json};

use crate::verb::{AccessPort, VerbError};

/// Reads a verb's arguments; none if help was asked for and shown.
///
/// # Errors
/// When they are off.
pub fn parse<A: Parser>(name: &str, args: &[String], port: &dyn AccessPort) -> Result<Option<A>, VerbError> {
    match A::try_parse_from(std::iter::once(name).chain(args.iter().map(String::as_str))) {
        Ok(args) => Ok(Some(args)),
        Err(e) if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            let text = e.to_string();
            port.put(&json!({ "help": text }), &text);
            Ok(None)
        }
        Err(e) => {
            let text = e.to_string();
            Err(VerbError::Usage(text.strip_prefix("error: ").unwrap_or(&text).to_owned()))
        }
    }
}

/// `KEY=VALUE`, for a label.
///
/// # Errors
/// When there is no `=`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

/// `person:NAME` or `group:NAME`, as the wire has an owner.
///
/// # Errors
/// When it is neither.
pub fn owner(text: &str) -> Result<Value, String> {
    match text.split_once(':') {
        Some((sort @ ("person" | "group"), name)) => Ok(json!({ sort: name })),
        Some(_) | None => Err(format!("`{text}` is not `person:NAME` or `group:NAME`")),
    }
}
