//! `docs/performance.md`: its tables are made from the files a run kept, its sentences by people.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::ground::{kept, text};
use super::report::table;
use crate::command;

const END: &str = "<!-- /bench -->";

/// Replaces each table whose figure was measured.
pub(crate) fn write() -> Result<()> {
    let path = command::root().join("docs/performance.md");
    let old = fs::read_to_string(&path)?;
    let new = refreshed(&old, |figure| {
        let file = kept().join(format!("{figure}.json"));
        if !file.is_file() {
            println!("`{figure}` was not measured here; its table stays");
            return Ok(None);
        }
        let value: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
        shown(&value).map(Some)
    })?;
    fs::write(&path, new)?;
    println!("wrote `{}`", path.display());
    Ok(())
}

/// The text with every block between marks replaced by what `table_of` gives for its figure.
fn refreshed(text: &str, mut table_of: impl FnMut(&str) -> Result<Option<String>>) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("<!-- bench:") {
        let (figure, inside) = from.split_once(" -->").context("a mark does not end")?;
        let (old, after) = inside.split_once(END).with_context(|| format!("`{figure}` has no `{END}`"))?;
        out.push_str(before);
        let new = table_of(figure)?.map_or_else(|| old.to_owned(), |table| format!("\n{table}"));
        out.push_str(&format!("<!-- bench:{figure} -->{new}{END}"));
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// A kept figure as it stands in the document.
fn shown(kept: &Value) -> Result<String> {
    let rows = kept.pointer("/report/rows").and_then(Value::as_array).context("a kept figure has no rows")?;
    let rows = rows.iter().map(cells).collect::<Result<Vec<_>>>()?;
    let remarks = kept.pointer("/report/remarks").and_then(Value::as_array).cloned().unwrap_or_default();
    let remarks: Vec<String> = remarks.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let table = table(text(kept, "/report/peer")?, &rows, &remarks);
    ensure!(!rows.is_empty(), "a kept figure has no rows");
    let rounds = kept.get("rounds").and_then(Value::as_u64).unwrap_or(0);
    let pace = if text(kept, "/pace")? == "Quick" { ", a quick run" } else { "" };
    let (before, after) = (text(kept, "/load_average/before")?, text(kept, "/load_average/after")?);
    Ok(format!("{table}\n{rounds} rounds{pace}; load average {before} before, {after} after.\n"))
}

fn cells(row: &Value) -> Result<[String; 6]> {
    let cells = row.get("cells").and_then(Value::as_array).context("a row has no cells")?;
    let cells: Vec<String> = cells.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    cells.try_into().map_err(|_| anyhow::anyhow!("a row has not six cells"))
}

#[cfg(test)]
mod tests {
    use super::refreshed;

    #[test]
    fn only_what_was_measured_is_replaced() {
        let text = "a\n<!-- bench:x -->\nold\n<!-- /bench -->\nb\n<!-- bench:y -->\nkept\n<!-- /bench -->\nc\n";
        let new = refreshed(text, |figure| Ok((figure == "x").then(|| "new\n".to_owned()))).unwrap();
        assert_eq!(new, text.replace("old", "new"));
        assert!(refreshed("<!-- bench:x -->", |_| Ok(None)).is_err());
    }
}
