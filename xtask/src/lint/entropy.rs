//! One source of what cannot be guessed: `OsEntropy`, in one file. Every other is a second place to
//! get it wrong, and some of them can be foretold.

use super::code;
use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "entropy";
/// The source; the kit of the tests, which entropy that repeats belongs to; what a confined program may read; the words of
/// this rule.
const FREE: &[&str] =
    &["crates/runtime/src/entropy.rs", "crates/testkit/", "kinds/hook/src/confine.rs", "xtask/src/lint/"];
/// Whatever yields random bytes in the crates that are in the lock file, and in the standard library.
const SOURCES: &[&str] = &[
    "getrandom",
    "OsRng",
    "SysRng",
    "ThreadRng",
    "thread_rng",
    "rand::",
    "rand_core",
    "SystemRandom",
    "fastrand",
    "new_v4",
    "now_v7",
    "RandomState",
    "generate_key",
    "/dev/urandom",
    "/dev/random",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        if file.is_test() || FREE.iter().any(|free| file.path.starts_with(free)) {
            continue;
        }
        for (number, line) in code::of(&file.text).lines().enumerate() {
            if let Some(source) = SOURCES.iter().find(|source| line.contains(**source)) {
                let message = format!("`{source}` is a second source of randomness; take an `Ambient` as an argument");
                findings.push(Finding::at(RULE, &file.path, number + 1, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    #[test]
    fn a_second_source_of_randomness_is_found() {
        for (path, text, expected) in [
            ("crates/keys/src/aead.rs", "let nonce: [u8; 24] = ambient.bytes();", 0),
            ("crates/keys/src/aead.rs", "getrandom::fill(&mut nonce)", 1),
            ("crates/keys/src/aead.rs", "use aws_lc_rs::rand::SystemRandom;", 1),
            ("kinds/ssh/src/agent.rs", "PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519)", 1),
            ("crates/app/src/auth.rs", "File::open(\"/dev/urandom\")", 1),
            ("crates/domain/src/id.rs", "Uuid::new_v4()", 1),
            ("crates/domain/src/id.rs", "// not Uuid::new_v4()", 0),
            ("crates/runtime/src/entropy.rs", "getrandom::fill(buf)", 0),
            ("crates/testkit/src/unix_user.rs", "File::open(\"/dev/urandom\")", 0),
        ] {
            assert_eq!(check(&Tree::of(&[(path, text)])).len(), expected, "{path}: {text}");
        }
    }
}
