//! A kind is one folder. Outside it, only the binary's list may name it.
//!
//! Looked for in code, not in comments: the kind's crate, its name as a whole string, and its name
//! as a variant of an enum of kinds. A new kind must never mean editing a `match` elsewhere.

use super::code;
use super::finding::Finding;
use super::tree::{Source, Tree};

const RULE: &str = "kinds";
/// The list of kinds is here; tests, their kit and the chores start real targets by name.
const FREE: &[&str] = &["crates/wane/", "crates/testkit/", "tests/", "xtask/", "kinds/", "fuzz/"];

pub(super) fn check(tree: &Tree, kinds: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        if file.is_test() || FREE.iter().any(|free| file.path.starts_with(free)) {
            continue;
        }
        for kind in kinds {
            findings.extend(mentions(file, kind));
        }
    }
    findings
}

fn mentions(file: &Source, kind: &str) -> Vec<Finding> {
    let forms = [
        format!("wane_kind_{}", kind.replace('-', "_")),
        format!("\"{kind}\""),
        format!("Kind::{}", capitalised(kind)),
    ];
    let code = code::of(&file.text);
    let mut findings = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let line = without_schemes(line, kind);
        if let Some(form) = forms.iter().find(|form| line.contains(form.as_str())) {
            let message = format!("`{form}` names a kind outside kinds/{kind}");
            findings.push(Finding::at(RULE, &file.path, number + 1, message));
        }
    }
    findings
}

/// A line without the scheme of a URL that is called like a kind: compared with one, or beside its secure twin.
fn without_schemes(line: &str, kind: &str) -> String {
    let said = [
        format!("scheme() == \"{kind}\""),
        format!("scheme() != \"{kind}\""),
        format!("\"{kind}s\" | \"{kind}\""),
        format!("\"{kind}\" | \"{kind}s\""),
        format!("{{ \"{kind}s\" }} else {{ \"{kind}\" }}"),
    ];
    said.iter().fold(line.to_owned(), |line, said| line.replace(said.as_str(), ""))
}

fn capitalised(kind: &str) -> String {
    let mut chars = kind.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    #[test]
    fn a_kind_is_named_only_where_it_may_be() {
        for (path, text, expected) in [
            ("crates/app/src/a.rs", "match kind { \"ssh\" => 1 }", 1),
            ("crates/app/src/a.rs", "use wane_kind_ssh::Connector;", 1),
            ("crates/app/src/a.rs", "TargetKind::Ssh", 1),
            ("crates/app/src/a.rs", "url.scheme() == \"ssh\"", 0),
            ("crates/app/src/a.rs", "if tls { \"sshs\" } else { \"ssh\" }", 0),
            ("crates/app/src/a.rs", "matches!(url.scheme(), \"ssh\" | \"sshs\")", 0),
            ("crates/app/src/a.rs", "match kind { \"ssh\" => url.scheme(), \"sshs\" => 2 }", 1),
            ("crates/app/src/a.rs", "url.scheme() == \"ssh\" || kind == \"ssh\"", 1),
            ("crates/app/src/a.rs", "\"ssh-ed25519\" // \"ssh\"", 0),
            ("crates/app/src/a.rs", "#[cfg(test)]\nmod tests { \"ssh\" }", 0),
            ("crates/wane/src/kinds.rs", "wane_kind_ssh::kind()", 0),
            ("kinds/ssh/src/lib.rs", "\"ssh\"", 0),
            ("crates/app/tests/it/main.rs", "\"ssh\"", 0),
        ] {
            let found = check(&Tree::of(&[(path, text)]), &["ssh".to_owned()]);
            assert_eq!(found.len(), expected, "{path}: {text}");
        }
    }
}
