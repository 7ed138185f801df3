//! Which commands a role allows: patterns of words, and how a command line is read and written again.
//!
//! Owns: the patterns, the strict reading of a line into words, the one way in which words are quoted for the host's
//! shell. Refuses to know: channels, grants, what a command does.
//!
//! INVARIANT: what the host's shell is given are exactly the words that were matched, each quoted anew: how the line
//! they came from was quoted is of no matter (held by `a_shell_sees_exactly_the_words_that_were_matched`).

use serde_json::{Value, json};
use wane_connector::KindError;
use wane_connector::strict::wrong;

const KEY: &str = "commands";
const MOST_PATTERNS: usize = 64;
const MOST_WORDS: usize = 32;
const LONGEST_WORD: usize = 256;
/// The longest command line that is read.
const LONGEST_LINE: usize = 4096;
/// What a shell takes for something else than a word where it is not quoted.
const SPECIAL: [char; 20] =
    [';', '&', '|', '<', '>', '(', ')', '$', '`', '*', '?', '[', '{', '}', '~', '#', '!', '"', '\'', '\\'];
/// What a shell takes for a part of its own language where a command begins.
const RESERVED: [&str; 18] = [
    "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "select", "then",
    "time", "until", "while", "]]",
];

/// One word of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    /// This word.
    Exactly(String),
    /// `*`: one word, whichever, that does not begin with `-`.
    Any,
    /// `**`, at the end: any number of words, whichever.
    Rest,
}

/// One command that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(Vec<Word>);

/// The commands that a role allows; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commands(Vec<Pattern>);

impl Commands {
    /// Reads `commands` of a definition.
    pub(crate) fn read(given: &Value) -> Result<Self, KindError> {
        let patterns = given.as_array().ok_or_else(|| {
            wrong(
                KEY,
                "write a list of commands, each a list of words, such as `[[\"systemctl\", \"restart\", \"nginx\"]]`",
            )
        })?;
        if patterns.is_empty() || patterns.len() > MOST_PATTERNS {
            return Err(wrong(KEY, format!("name 1 to {MOST_PATTERNS} commands, or leave the key out")));
        }
        let mut out: Vec<Pattern> = Vec::new();
        for pattern in patterns {
            let pattern = Pattern::read(pattern)?;
            if !out.contains(&pattern) {
                out.push(pattern);
            }
        }
        Ok(Self(out))
    }

    /// The normal form.
    pub(crate) fn json(&self) -> Value {
        json!(self.0.iter().map(|pattern| pattern.0.iter().map(Word::text).collect::<Vec<_>>()).collect::<Vec<_>>())
    }

    /// Whether one of the patterns is this command.
    pub(crate) fn allow(&self, argv: &Argv) -> bool {
        self.0.iter().any(|pattern| fits(&pattern.0, argv.words()))
    }

    /// A command line in the words that the host is given, if it is allowed.
    pub(crate) fn line_of(&self, line: &[u8]) -> Result<String, String> {
        let argv = Argv::read(line)?;
        if !self.allow(&argv) {
            return Err("the command is none of those that the role allows".to_owned());
        }
        argv.quoted()
    }

    /// Whether everything this allows, `wide` is known to allow too.
    pub(crate) fn is_within(&self, wide: &Self) -> bool {
        self.0.iter().all(|mine| wide.0.iter().any(|theirs| covers(&theirs.0, &mine.0)))
    }

    /// For people: which there are.
    pub(crate) fn listed(&self) -> String {
        let one = |pattern: &Pattern| format!("`{}`", pattern.0.iter().map(Word::text).collect::<Vec<_>>().join(" "));
        self.0.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

impl Pattern {
    fn read(given: &Value) -> Result<Self, KindError> {
        let refused = || wrong(KEY, "write each command as a list of words, such as `[\"journalctl\", \"-u\", \"*\"]`");
        let words = given.as_array().ok_or_else(refused)?;
        let words: Vec<&str> = words.iter().map(Value::as_str).collect::<Option<_>>().ok_or_else(refused)?;
        if words.is_empty() || words.len() > MOST_WORDS {
            return Err(wrong(KEY, format!("a command has 1 to {MOST_WORDS} words")));
        }
        let last = words.len().saturating_sub(1);
        let read = |(at, word): (usize, &&str)| Word::read(word, Place { first: at == 0, last: at == last });
        words.iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }
}

/// Where in a pattern a word stands.
struct Place {
    first: bool,
    last: bool,
}

impl Word {
    fn read(word: &str, place: Place) -> Result<Self, KindError> {
        let shown: String = word.chars().take(64).collect();
        let why = if word.is_empty() || word.len() > LONGEST_WORD {
            format!("a word has 1 to {LONGEST_WORD} bytes")
        } else if word.chars().any(char::is_control) {
            "a word contains a control character".to_owned()
        } else if place.first && (word.contains(['*', '=']) || RESERVED.contains(&word)) {
            format!("`{shown}` is no program: the first word is one, spelled out")
        } else if word == "**" && place.last {
            return Ok(Self::Rest);
        } else if word == "**" {
            "`**` stands at the end of a command only".to_owned()
        } else if word == "*" {
            return Ok(Self::Any);
        } else if word.contains('*') {
            format!("`{shown}` is neither a word nor `*`: part of a word is no pattern")
        } else {
            return Ok(Self::Exactly(word.to_owned()));
        };
        Err(wrong(KEY, why))
    }

    fn text(&self) -> &str {
        match self {
            Self::Exactly(word) => word,
            Self::Any => "*",
            Self::Rest => "**",
        }
    }
}

fn is_option(word: &str) -> bool {
    word.starts_with('-')
}

fn fits(pattern: &[Word], argv: &[String]) -> bool {
    match (pattern.split_first(), argv.split_first()) {
        (Some((Word::Rest, _)), _) | (None, None) => true,
        (Some((Word::Any, pattern)), Some((word, argv))) => !is_option(word) && fits(pattern, argv),
        (Some((Word::Exactly(wanted), pattern)), Some((word, argv))) => wanted == word && fits(pattern, argv),
        (Some((Word::Any | Word::Exactly(_), _)), None) | (None, Some(_)) => false,
    }
}

/// Whether every command that fits `narrow` fits `wide`.
fn covers(wide: &[Word], narrow: &[Word]) -> bool {
    match (wide.split_first(), narrow.split_first()) {
        (Some((Word::Rest, _)), _) | (None, None) => true,
        (Some((Word::Any, wide)), Some((Word::Any, narrow))) => covers(wide, narrow),
        (Some((Word::Any, wide)), Some((Word::Exactly(word), narrow))) => !is_option(word) && covers(wide, narrow),
        (Some((Word::Exactly(theirs), wide)), Some((Word::Exactly(mine), narrow))) => {
            theirs == mine && covers(wide, narrow)
        }
        (Some((Word::Exactly(_), _)), Some((Word::Any | Word::Rest, _)))
        | (Some((Word::Any, _)), Some((Word::Rest, _)))
        | (Some((Word::Any | Word::Exactly(_), _)), None)
        | (None, Some(_)) => false,
    }
}

/// The words of one command, the program first; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Argv(Vec<String>);

impl Argv {
    /// Reads a command line of plain and quoted words, in the quoting of a POSIX shell. What a shell would do
    /// more with than take it for a word is refused.
    pub(crate) fn read(line: &[u8]) -> Result<Self, String> {
        if line.len() > LONGEST_LINE {
            return Err(format!("the command is {} bytes long; the most is {LONGEST_LINE}", line.len()));
        }
        let line = std::str::from_utf8(line).map_err(|_| "the command is not UTF-8".to_owned())?;
        plain(line)?;
        let words = shlex::split(line).ok_or("a quote in the command is not closed")?;
        if words.is_empty() { Err("the command is empty".to_owned()) } else { Ok(Self(words)) }
    }

    /// The words.
    pub(crate) fn words(&self) -> &[String] {
        &self.0
    }

    /// The same words as a line, quoted for a POSIX shell.
    pub(crate) fn quoted(&self) -> Result<String, String> {
        shlex::try_join(self.0.iter().map(String::as_str)).map_err(|e| format!("the command cannot be quoted: {e}"))
    }
}

/// Whether nothing in a line means more to a shell than a word. What is quoted here is only looked at to tell
/// people; what the host is given is quoted anew.
fn plain(line: &str) -> Result<(), String> {
    let refused = |c: char| Err(format!("`{c}` means more than itself to a shell here; quote it, and run one command"));
    let mut chars = line.chars();
    let mut quote = None;
    while let Some(c) = chars.next() {
        if c.is_control() {
            return Err(format!("the command contains the control character U+{:04X}", u32::from(c)));
        }
        match (quote, c) {
            (None | Some('"'), '\\') => match chars.next() {
                Some(c) if c.is_control() => {
                    return Err(format!("the command contains the control character U+{:04X}", u32::from(c)));
                }
                Some(_) => {}
                None => return Err("the command ends in a backslash".to_owned()),
            },
            (Some('"'), '$' | '`') => return refused(c),
            (Some(open), c) if open == c => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, c) if SPECIAL.contains(&c) => return refused(c),
            (Some(_) | None, _) => {}
        }
    }
    if quote.is_some() { Err("a quote in the command is not closed".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
