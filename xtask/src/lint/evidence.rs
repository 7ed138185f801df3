//! Constructors of evidence must cross crates, and must not be called by just anyone. Rust has no
//! word for "public to these files", so the list is kept here.

use super::code;
use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "evidence";
const MODULES: &[&str] = &["evidence", "stored"];

/// Beginnings of the paths that may call them.
const CALLERS: &[&str] = &[
    "crates/app/src/",
    "crates/domain/src/",
    "crates/policy/src/judge.rs",
    "crates/store-sql/src/",
    "crates/store/src/conformance",
    "crates/testkit/src/",
    // The words of this rule, not calls.
    "xtask/src/lint/",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        if file.is_test() || CALLERS.iter().any(|caller| file.path.starts_with(caller)) {
            continue;
        }
        for (number, what) in calls(&code::of(&file.text)) {
            let message = format!(
                "`{what}` makes evidence, and this file is not on the list of callers; \
                 take the value from whoever may make it"
            );
            findings.push(Finding::at(RULE, &file.path, number, message));
        }
    }
    findings
}

/// Line and text of everything that reaches the modules: by path, in a list of imports, or by
/// giving the crate another name under which we would not see it.
fn calls(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, name) in code.match_indices("wane_domain") {
        let before = code.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let rest = code.get(at + name.len()..).unwrap_or_default();
        if rest.trim_start().starts_with("as ") {
            found.push((line, "wane_domain as …".to_owned()));
        }
        let Some(rest) = rest.strip_prefix("::") else {
            continue;
        };
        // The whole of `{…}` up to the end of the statement, or the first step of one path.
        let is_in_name = |c: char| c.is_alphanumeric() || c == '_' || c == '*';
        let names = if rest.starts_with('{') {
            rest.split(';').next().unwrap_or_default()
        } else {
            rest.split(|c| !is_in_name(c)).next().unwrap_or_default()
        };
        for word in names.split(|c| !is_in_name(c)) {
            if MODULES.contains(&word) || (word == "*" && rest.starts_with('*')) {
                found.push((line, format!("wane_domain::{word}")));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    #[test]
    fn only_the_listed_files_reach_the_constructors() {
        let call = "fn f() { wane_domain::evidence::permit(t, b) }";
        for (path, text, expected) in [
            ("crates/policy/src/judge.rs", call, 0),
            ("crates/app/src/activate.rs", call, 0),
            ("crates/store/src/conformance/grants.rs", call, 0),
            ("kinds/ssh/tests/it/main.rs", call, 0),
            ("crates/policy/src/snapshot.rs", call, 1),
            ("kinds/ssh/src/lib.rs", "use wane_domain::stored::grant;", 1),
            ("kinds/ssh/src/lib.rs", "use wane_domain::{grant, stored as s};", 1),
            ("kinds/ssh/src/lib.rs", "use wane_domain::{\n  id::{A, B},\n  evidence,\n};", 1),
            ("kinds/ssh/src/lib.rs", "use wane_domain::evidence;", 1),
            ("kinds/ssh/src/lib.rs", "use wane_domain::grant;\nfn f(stored: u8) {}", 0),
            ("kinds/ssh/src/lib.rs", "use wane_domain as d;", 1),
            ("kinds/ssh/src/lib.rs", "use wane_domain::*;", 1),
            ("kinds/ssh/src/lib.rs", "use wane_domain::closure::*; // evidence", 0),
            ("kinds/ssh/src/lib.rs", "#[cfg(test)]\nmod t { wane_domain::stored::x() }", 0),
        ] {
            assert_eq!(check(&Tree::of(&[(path, text)])).len(), expected, "{path}: {text}");
        }
    }
}
