//! The registry of guards: what each is, how it is taken away, and which test must then turn red.

use std::fs;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::command;

/// Where the registry is, from the root.
pub(crate) const REGISTRY: &str = "xtask/guards.toml";

/// One guard of the project.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Guard {
    /// The row of the table of threats it belongs to, a dot, and a number: `BUG-04.1`.
    pub(crate) id: String,
    /// What it does, for people.
    pub(crate) what: String,
    /// The file it stands in, from the root.
    pub(crate) file: String,
    /// Its text, which stands exactly once in the file.
    pub(crate) find: String,
    /// What stands there when it is gone; it must still build.
    pub(crate) replace: String,
    /// Arguments of `cargo nextest run` that choose the test.
    pub(crate) test: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registry {
    guard: Vec<Guard>,
}

impl Guard {
    /// The row of the table of threats.
    pub(crate) fn row(&self) -> &str {
        self.id.split('.').next().unwrap_or_default()
    }

    /// The text of its file without it, if it stands there exactly once.
    pub(crate) fn taken_from(&self, text: &str) -> Option<String> {
        let once = text.matches(&self.find).count() == 1 && self.find != self.replace;
        once.then(|| text.replacen(&self.find, &self.replace, 1))
    }

    /// The arguments that choose its test, as a shell would split them.
    pub(crate) fn test_arguments(&self) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in self.test.chars() {
            match c {
                '\'' => quoted = !quoted,
                c if c.is_whitespace() && !quoted => words.push(String::new()),
                c => words.last_mut().into_iter().for_each(|word| word.push(c)),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    /// Whether a word of a person means this guard: its id, its row, or something its entry says.
    pub(super) fn is_about(&self, word: &str) -> bool {
        // `BUG-04.1` is not `BUG-04.10`.
        let names_one = word.starts_with(|c: char| c.is_ascii_uppercase()) && word.contains('-');
        if names_one {
            return word == self.id || word == self.row();
        }
        [&self.what, &self.file, &self.test].iter().any(|text| text.contains(word))
    }
}

/// Every guard of the registry.
pub(super) fn all() -> Result<Vec<Guard>> {
    let text = fs::read_to_string(command::root().join(REGISTRY)).with_context(|| format!("cannot read {REGISTRY}"))?;
    parse(&text)
}

/// The guards of a registry's text.
pub(crate) fn parse(text: &str) -> Result<Vec<Guard>> {
    let registry: Registry = toml::from_str(text).with_context(|| format!("{REGISTRY} is not a registry of guards"))?;
    Ok(registry.guard)
}

#[cfg(test)]
mod tests {
    use super::{Guard, parse};

    fn guard(find: &str, test: &str) -> Guard {
        let text = format!(
            "[[guard]]\nid = 'BUG-04.1'\nwhat = 'w'\nfile = 'f'\nfind = '''{find}'''\nreplace = 'gone'\ntest = \"{test}\""
        );
        parse(&text).unwrap().remove(0)
    }

    #[test]
    fn a_guard_is_taken_away_only_where_it_stands_once() {
        for (find, text, expected) in
            [("a", "b a c", Some("b gone c")), ("a", "b c", None), ("a", "a a", None), ("gone", "gone", None)]
        {
            assert_eq!(guard(find, "").taken_from(text).as_deref(), expected, "{find} in {text}");
        }
    }

    #[test]
    fn arguments_are_split_as_a_shell_would() {
        let guard = guard("a", "-p wane-app  -E 'test(=a::b) | test(=c)'");
        assert_eq!(guard.test_arguments(), ["-p", "wane-app", "-E", "test(=a::b) | test(=c)"]);
        assert_eq!(guard.row(), "BUG-04");
    }

    #[test]
    fn a_word_means_an_id_a_row_or_what_an_entry_says() {
        let guard = guard("a", "-p wane-app -E 'test(=a::b)'");
        for (word, expected) in [
            ("BUG-04.1", true),
            ("BUG-04", true),
            ("BUG-0", false),
            ("BUG-04.10", false),
            ("wane-app", true),
            ("x", false),
        ] {
            assert_eq!(guard.is_about(word), expected, "{word}");
        }
    }

    #[test]
    fn an_unknown_field_is_refused() {
        assert!(parse("[[guard]]\nid = 'a'\nwhy = 'b'").is_err());
    }
}
