//! Doors for the fuzz targets, which stand outside this crate.

use serde_json::{Map, Value};
use url::Url;

use crate::own;
use crate::role::Definition;
use crate::settings::Settings;
use crate::text::{Sort, Text, Values};

/// Reads a declaration; its normal form.
///
/// # Errors
/// When it is refused.
pub fn settings(given: &Value) -> Result<Value, String> {
    Settings::read(given).map(|settings| settings.json()).map_err(|e| e.to_string())
}

/// Reads a role; its normal form.
///
/// # Errors
/// When it is refused.
pub fn role(given: &Value) -> Result<Value, String> {
    Definition::read(given).map(|role| role.json()).map_err(|e| e.to_string())
}

/// The path `/a/{role.v}/z` filled with a value, below a URL.
///
/// # Errors
/// When the value cannot stand in a path.
pub fn path(value: &str) -> Result<Url, String> {
    let text = Text::read_path("path", "/a/{role.v}/z", &[Sort::Role]).map_err(|e| e.to_string())?;
    let (none, role) = (Map::new(), Map::from_iter([("v".to_owned(), Value::String(value.to_owned()))]));
    let path = text.path(&Values { role: Some(&role), ..Values::of(&none) }).map_err(|e| e.to_string())?;
    Url::parse(&format!("https://target.example{path}")).map_err(|e| e.to_string())
}

/// Whether bytes are an answer of somebody's own receiver or program to a call.
#[must_use]
pub fn answers(call: &str, bytes: &[u8]) -> bool {
    own::read_answer(call, bytes).is_ok()
}
