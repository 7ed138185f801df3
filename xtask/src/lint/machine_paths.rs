//! No file names a folder of the machine it was written on.

use super::finding::Finding;
use super::tree::Tree;
use crate::command;

const RULE: &str = "machine-paths";
/// Where people and build services keep checkouts.
const ROOTS: &[&str] = &["work", "farm", "workspace", "builds", "Users"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    check_for(tree, &command::root().to_string_lossy())
}

fn check_for(tree: &Tree, checkout: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.all() {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(path) = machine_path(line, checkout) {
                let message = format!("`{path}` exists on one machine only");
                findings.push(Finding::at(RULE, &file.path, number + 1, message));
            }
        }
    }
    findings
}

fn machine_path(line: &str, checkout: &str) -> Option<String> {
    if line.contains(checkout) {
        return Some(checkout.to_owned());
    }
    ROOTS.iter().map(|root| format!("/{root}/")).find(|root| {
        // At the start of a path, not in the middle of one or of a URL.
        line.match_indices(root.as_str()).any(|(at, _)| {
            let before = line.get(..at).unwrap_or_default().chars().next_back();
            before.is_none_or(|c| !c.is_alphanumeric() && !"._-/}*~".contains(c))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{Tree, check_for};

    #[test]
    fn a_path_of_one_machine_is_found_and_a_relative_one_is_not() {
        for (text, expected) in [
            (["see /", "work/x"].concat(), 1),
            (["\"/", "Users/me/x\""].concat(), 1),
            ("in /srv/checkout/y".to_owned(), 1),
            ("https://example.org/work/x".to_owned(), 0),
            ("docs/work/x".to_owned(), 0),
            ("target/workspace".to_owned(), 0),
        ] {
            let tree = Tree::of(&[("a.md", &text)]);
            assert_eq!(check_for(&tree, "/srv/checkout").len(), expected, "{text}");
        }
    }
}
