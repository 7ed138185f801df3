//! Lock files name the public registries and no mirror, so that everyone can build from them.

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "lock-files";
/// Lock file, the word before a source, and the only source allowed there.
const SOURCES: &[(&str, &str, &str)] = &[
    ("Cargo.lock", "source = ", "registry+https://github.com/rust-lang/crates.io-index"),
    ("package-lock.json", "\"resolved\": ", "https://registry.npmjs.org/"),
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.all() {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        for (_, word, allowed) in SOURCES.iter().filter(|(lock, ..)| *lock == name) {
            for (number, line) in file.text.lines().enumerate() {
                let Some(source) = line.trim_start().strip_prefix(word) else {
                    continue;
                };
                if !source.trim_start_matches('"').starts_with(allowed) {
                    let message = format!("a source other than {allowed}");
                    findings.push(Finding::at(RULE, &file.path, number + 1, message));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    #[test]
    fn only_the_public_registries_pass() {
        let cargo = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
        for (path, text, expected) in [
            ("Cargo.lock", cargo, 0),
            ("fuzz/Cargo.lock", "source = \"registry+https://mirror.example/index\"", 1),
            ("Cargo.lock", "source = \"git+https://github.com/x/y#1\"", 1),
            ("web/package-lock.json", "  \"resolved\": \"https://registry.npmjs.org/a\",", 0),
            ("web/package-lock.json", "  \"resolved\": \"http://mirror.example/a\",", 1),
        ] {
            assert_eq!(check(&Tree::of(&[(path, text)])).len(), expected, "{text}");
        }
    }
}
