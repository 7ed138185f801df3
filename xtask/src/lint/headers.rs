//! Every room and every file in it says first what it owns.

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "headers";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .filter(|file| file.path.contains("/src/") || file.path.starts_with("src/"))
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| {
            let message = "begin with `//!`: what the file owns, what it refuses to know";
            Finding::new(RULE, &file.path, message.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    #[test]
    fn a_source_file_without_a_header_is_found() {
        for (path, text, expected) in [
            ("crates/app/src/lib.rs", "//! Owns.\n", 0),
            ("crates/app/src/lib.rs", "use x;\n", 1),
            ("crates/app/tests/it/main.rs", "use x;\n", 0),
        ] {
            assert_eq!(check(&Tree::of(&[(path, text)])).len(), expected, "{path}");
        }
    }
}
