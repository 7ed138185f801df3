//! Rooms and modules are named after what they own. These names own nothing.

use super::code;
use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "names";
const FORBIDDEN: &[&str] = &["common", "util", "utils", "helper", "helpers", "misc"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let path = file.path.trim_end_matches(".rs");
        if let Some(name) = path.split('/').find(|part| is_forbidden(part)) {
            findings.push(Finding::new(RULE, &file.path, advice(name)));
        }
        for (number, line) in code::of(&file.text).lines().enumerate() {
            let declared = line.split_once("mod ").and_then(|(before, after)| {
                let visibility = before.trim();
                let is_item = visibility.is_empty() || visibility.starts_with("pub");
                is_item.then(|| after.split([' ', ';', '{']).next().unwrap_or_default())
            });
            // A declared file is already told by its path.
            if let Some(name) = declared.filter(|name| is_forbidden(name) && line.contains('{')) {
                findings.push(Finding::at(RULE, &file.path, number + 1, advice(name)));
            }
        }
    }
    findings
}

fn is_forbidden(name: &str) -> bool {
    FORBIDDEN.contains(&name) || FORBIDDEN.iter().any(|bad| name.ends_with(&format!("-{bad}")))
}

fn advice(name: &str) -> String {
    format!("`{name}` says nothing; name it after what it owns")
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    #[test]
    fn empty_names_are_found_in_paths_and_declarations() {
        for (path, text, expected) in [
            ("crates/app/src/approve.rs", "mod tests {}", 0),
            ("crates/app/src/utils.rs", "", 1),
            ("crates/wane-common/src/lib.rs", "", 1),
            ("tests/e2e/tests/common/mod.rs", "", 1),
            ("crates/app/src/lib.rs", "pub(crate) mod helpers {}", 1),
            ("crates/app/src/lib.rs", "// mod util {}\nlet x = \"mod util {\";", 0),
            ("docs/common.md", "", 0),
        ] {
            assert_eq!(check(&Tree::of(&[(path, text)])).len(), expected, "{path}");
        }
    }
}
