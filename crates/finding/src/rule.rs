//! A rule as people write it, and as it is matched.

use globset::GlobBuilder;
use regex::{RegexBuilder, RegexSet, RegexSetBuilder};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wane_recording::{FileDeed, Then};

/// The most rules of one set.
pub const MOST_RULES: usize = 256;
const LONGEST_ID: usize = 64;
const LONGEST_PATTERN: usize = 1000;
/// What one compiled pattern may take, in bytes.
const LARGEST_PATTERN: usize = 1024 * 1024;

/// What a rule is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The text of commands, with a glob.
    Command,
    /// The lines that programs write, with a regular expression.
    Output,
    /// The names of files, with a glob in which `*` stays in a folder and `**` does not.
    File,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it is called in findings: a-z, 0-9, `-`, `_`, up to 64.
    pub id: String,
    /// What it is held against.
    pub when: When,
    /// The pattern.
    pub matches: String,
    /// With `file`: only what was done of these; all if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deeds: Vec<Deed>,
    /// What follows.
    pub then: Then,
}

/// What is done to a file, with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Deed(pub FileDeed);

impl PartialOrd for Deed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Deed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.name().cmp(other.0.name())
    }
}

/// What is wrong with rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RuleError(String);

/// A set of rules that can be matched.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    /// Globs over commands and files, each with the place of its rule.
    pub(crate) commands: Vec<(usize, Glob)>,
    pub(crate) files: Vec<(usize, Glob)>,
    /// All patterns over lines at once, and the places of their rules.
    pub(crate) output: Option<(RegexSet, Vec<usize>)>,
}

/// A glob that is ready.
#[derive(Debug)]
pub(crate) struct Glob(regex::bytes::Regex);

impl Glob {
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text.as_bytes())
    }
}

/// A file of rules.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Rule>,
}

impl Rules {
    /// Reads a file of rules: `[[rule]]` tables in TOML.
    ///
    /// # Errors
    /// When one of them is no rule; then none is taken.
    pub fn from_toml(text: &str) -> Result<Self, RuleError> {
        let file: File = toml::from_str(text).map_err(|e| {
            let line = e.span().map(|span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
            let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            RuleError(format!("{place}{}", e.message()))
        })?;
        Self::of(file.rule)
    }

    /// Reads a list of rules, as a role has them.
    ///
    /// # Errors
    /// When one of them is no rule.
    pub fn from_json(given: &Value) -> Result<Self, RuleError> {
        let rules = Vec::<Rule>::deserialize(given).map_err(|e| RuleError(e.to_string()))?;
        Self::of(rules)
    }

    /// Makes rules ready to be matched.
    ///
    /// # Errors
    /// When one of them has no sense, or two of them one id.
    pub fn of(rules: Vec<Rule>) -> Result<Self, RuleError> {
        if rules.len() > MOST_RULES {
            return Err(RuleError(format!("there are {} rules; the most is {MOST_RULES}", rules.len())));
        }
        let mut out = Self::default();
        let mut patterns = Vec::new();
        let mut places = Vec::new();
        for (place, rule) in rules.iter().enumerate() {
            let wrong = |why: String| RuleError(format!("rule `{}`: {why}", short(&rule.id)));
            check(rule).map_err(wrong)?;
            if rules.iter().take(place).any(|other| other.id == rule.id) {
                return Err(wrong("another rule has this id; give it one of its own".to_owned()));
            }
            match rule.when {
                When::Command => out.commands.push((place, glob(&rule.matches, Slash::IsALetter).map_err(wrong)?)),
                When::File => out.files.push((place, glob(&rule.matches, Slash::Separates).map_err(wrong)?)),
                When::Output => {
                    pattern(&rule.matches).map_err(wrong)?;
                    patterns.push(rule.matches.as_str());
                    places.push(place);
                }
            }
        }
        if !patterns.is_empty() {
            let limit = LARGEST_PATTERN.saturating_mul(patterns.len());
            let set = RegexSetBuilder::new(&patterns).size_limit(limit).build();
            out.output = Some((set.map_err(|e| RuleError(format!("the patterns over output: {e}")))?, places));
        }
        out.rules = rules;
        Ok(out)
    }

    /// The rules, in the order they were given.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

fn check(rule: &Rule) -> Result<(), String> {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'_');
    if rule.id.is_empty() || rule.id.len() > LONGEST_ID || !rule.id.bytes().all(plain) {
        return Err(format!("its `id` is 1 to {LONGEST_ID} of a-z, 0-9, `-` and `_`"));
    }
    if rule.matches.is_empty() || rule.matches.len() > LONGEST_PATTERN {
        return Err(format!("`matches` is 1 to {LONGEST_PATTERN} bytes long"));
    }
    if !rule.deeds.is_empty() && rule.when != When::File {
        return Err("`deeds` goes with `when = \"file\"` only; leave it out".to_owned());
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Slash {
    Separates,
    IsALetter,
}

fn glob(text: &str, slash: Slash) -> Result<Glob, String> {
    let glob = GlobBuilder::new(text).literal_separator(slash == Slash::Separates).backslash_escape(true).build();
    let glob = glob.map_err(|e| format!("`{}` is no pattern: {}", short(text), e.kind()))?;
    // What it becomes has to be small as well: `{a,b}` within `{a,b}` multiplies.
    let built = regex::bytes::RegexBuilder::new(glob.regex()).size_limit(LARGEST_PATTERN).build();
    built.map(Glob).map_err(|_| too_large(text))
}

fn too_large(text: &str) -> String {
    format!("`{}` takes too much memory; write it simpler", short(text))
}

fn pattern(text: &str) -> Result<(), String> {
    let built = RegexBuilder::new(text).size_limit(LARGEST_PATTERN).build();
    built.map(|_| ()).map_err(|e| match e {
        regex::Error::CompiledTooBig(_) => too_large(text),
        other => {
            // The last line says what, those before where.
            let said = other.to_string();
            let what = said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            format!("`{}` is no regular expression: {what}", short(text))
        }
    })
}

fn short(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_file_is_taken_whole_or_refused_with_what_is_wrong() {
        let good = r#"
            [[rule]]
            id = "sudo-root"
            when = "command"
            matches = "sudo *"
            then = "notify"

            [[rule]]
            id = "shadow"
            when = "file"
            matches = "/etc/{shadow,gshadow}"
            deeds = ["read", "write"]
            then = "cut"

            [[rule]]
            id = "keys"
            when = "output"
            matches = "BEGIN [A-Z ]*PRIVATE KEY"
            then = "cut"
        "#;
        let rules = Rules::from_toml(good).unwrap();
        assert_eq!(rules.rules().len(), 3);
        assert_eq!(rules.rules()[1].deeds, [Deed(FileDeed::Read), Deed(FileDeed::Write)]);
        assert!(Rules::from_toml("").unwrap().is_empty());
        for (bad, word) in [
            ("[[rule]]\nid = \"a\"\nwhen = \"command\"\nmatches = \"x\"", "line 1: missing field `then`"),
            (
                "\n\n[[rule]]\nid = \"a\"\nwhen = \"comand\"\nmatches = \"x\"\nthen = \"cut\"",
                "line 5: unknown variant `comand`",
            ),
            ("[[rule]]\nid = \"a\"\nwhen = \"command\"\nmatch = \"x\"\nthen = \"cut\"", "unknown field `match`"),
            ("[rules]\nid = 1", "unknown field `rules`"),
            ("[[rule]]\nid = \"A b\"\nwhen = \"command\"\nmatches = \"x\"\nthen = \"cut\"", "rule `A b`: its `id`"),
            (
                "[[rule]]\nid = \"a\"\nwhen = \"output\"\nmatches = \"(\"\nthen = \"cut\"",
                "rule `a`: `(` is no regular expression",
            ),
            (
                "[[rule]]\nid = \"a\"\nwhen = \"output\"\nmatches = \"(x{1000}){1000}\"\nthen = \"cut\"",
                "takes too much memory",
            ),
            ("[[rule]]\nid = \"a\"\nwhen = \"file\"\nmatches = \"[\"\nthen = \"cut\"", "rule `a`: `[` is no pattern"),
            ("[[rule]]\nid = \"a\"\nwhen = \"output\"\nmatches = \"\"\nthen = \"cut\"", "1 to 1000 bytes"),
            (
                "[[rule]]\nid = \"a\"\nwhen = \"command\"\nmatches = \"x\"\ndeeds = [\"read\"]\nthen = \"cut\"",
                "leave it out",
            ),
            (
                "[[rule]]\nid = \"a\"\nwhen = \"file\"\nmatches = \"x\"\ndeeds = [\"raed\"]\nthen = \"cut\"",
                "unknown variant `raed`",
            ),
        ] {
            let error = Rules::from_toml(bad).unwrap_err().to_string();
            assert!(error.contains(word), "{bad}: {error}");
        }
        let twice = json!([
            { "id": "a", "when": "command", "matches": "x", "then": "cut" },
            { "id": "a", "when": "command", "matches": "y", "then": "cut" },
        ]);
        assert!(Rules::from_json(&twice).unwrap_err().to_string().contains("one of its own"));
        let many: Vec<_> = (0..=MOST_RULES)
            .map(|n| json!({ "id": format!("r{n}"), "when": "command", "matches": "x", "then": "cut" }))
            .collect();
        assert!(Rules::from_json(&json!(many)).unwrap_err().to_string().contains("the most is 256"));
    }
}
