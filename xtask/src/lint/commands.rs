//! A command that a text tells somebody to run is one that there is.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::tree::{Source, Tree};

const RULE: &str = "commands";
/// What the help says, each command under a heading of its own.
const HELP: &str = "docs/cli.md";
/// Brought along by whatever reads the words.
const ALWAYS: &[&str] = &["help"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(help) = tree.all().find(|file| file.path == HELP) else { return Vec::new() };
    let commands: BTreeSet<&str> =
        help.text.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(" wane ")).collect();
    let mut findings = Vec::new();
    for file in tree.all().filter(|file| tells(file)) {
        let page = file.path.starts_with("web/src/");
        for (number, line) in file.text.lines().enumerate() {
            for named in named(line, page).into_iter().filter(|named| !exists(&commands, named)) {
                let message = format!("there is no command `wane {named}`; {HELP} has those that there are");
                findings.push(Finding::at(RULE, &file.path, number + 1, message));
            }
        }
    }
    findings
}

/// Whether people read it. What was decided or changed once may name what there was.
fn tells(file: &Source) -> bool {
    let ends = |end: &str| file.path.ends_with(end);
    let past = file.path.starts_with("docs/adr/") || file.path == "CHANGELOG.md" || file.path == HELP;
    // The words of this rule tell nobody anything.
    let own = file.path.starts_with("xtask/src/lint/");
    !past && !own && !file.is_test() && (ends(".rs") || ends(".md") || ends(".svelte") || ends(".ts"))
}

/// The commands that a line names, each with the word behind it: in code's own marks, or in a page behind a colon.
fn named(line: &str, page: bool) -> Vec<String> {
    let marks: &[&str] = if page { &["`wane ", ": wane "] } else { &["`wane "] };
    let behind = marks.iter().flat_map(|mark| line.match_indices(mark).map(|(at, _)| at + mark.len()));
    let words = behind.filter_map(|at| line.get(at..)).map(|rest| {
        let rest = rest.split(['`', '\'', '"']).next().unwrap_or_default();
        let lower = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
        let plain = |word: &str| word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned();
        rest.split(' ').take(2).take_while(lower).map(plain).collect::<Vec<_>>().join(" ")
    });
    words.filter(|words| !words.is_empty()).collect()
}

/// Whether there is one of this name, or a group of that which is no command by itself.
fn exists(commands: &BTreeSet<&str>, named: &str) -> bool {
    let first = named.split(' ').next().unwrap_or_default();
    let in_group = format!("{first} ");
    if ALWAYS.contains(&first) {
        return true;
    }
    if commands.iter().any(|command| command.starts_with(&in_group)) {
        return named == first || commands.contains(named);
    }
    commands.contains(first)
}

#[cfg(test)]
mod tests {
    use super::{HELP, Tree, check};

    #[test]
    fn what_a_text_tells_to_run_is_there() {
        let help = "### wane replay\n### wane group\n### wane group add\n";
        for (path, text, expected) in [
            ("docs/recordings.md", "run `wane replay SESSION`", 0),
            ("docs/recordings.md", "run `wane replays SESSION`", 1),
            ("docs/recordings.md", "`wane group add dba`, `wane group`, `wane help exit-codes`, `wane COMMAND`", 0),
            ("docs/recordings.md", "`wane group join dba`", 1),
            ("docs/recordings.md", "the rest is wane and never seen: wane tides", 0),
            ("docs/adr/0001-x.md", "`wane gone`", 0),
            ("crates/app/src/x.rs", "\"say `wane gone`\"", 1),
            ("crates/app/tests/it/x.rs", "\"say `wane gone`\"", 0),
            ("web/src/words.ts", "full: 'on the command line: wane sessions replay.',", 1),
            ("web/src/words.ts", "full: 'on the command line: wane replay.',", 0),
        ] {
            let found = check(&Tree::of(&[(HELP, help), (path, text)]));
            assert_eq!(found.len(), expected, "{path}: {text}: {found:?}");
        }
    }
}
