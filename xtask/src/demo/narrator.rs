//! What is shown: headings and remarks of ours, and beneath each command exactly what it printed.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use wane_testkit::{Ended, Interactive, Outcome, PersonSession};

use super::interrupt::Interrupt;

/// The longest any one command may take.
const PATIENCE: Duration = Duration::from_secs(90);

const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const CYAN: &str = "\u{1b}[36m";
const PLAIN: &str = "\u{1b}[0m";

/// Tells the story.
#[derive(Debug)]
pub(crate) struct Narrator {
    colour: bool,
    scenes: Cell<u32>,
    interrupt: Interrupt,
}

impl Narrator {
    pub(crate) fn new(interrupt: Interrupt) -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { colour, scenes: Cell::new(0), interrupt }
    }

    /// A heading.
    pub(crate) fn scene(&self, title: &str) {
        let number = self.scenes.get().saturating_add(1);
        self.scenes.set(number);
        println!("\n{}", self.painted(BOLD, &format!("== {number}. {title}")));
    }

    /// A remark: what is about to be tried. Never what came of it.
    pub(crate) fn remark(&self, text: &str) {
        println!("\n{text}");
    }

    /// A command and who types it, word for word.
    pub(crate) fn line(&self, who: &str, words: &[String]) {
        let shown: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        self.typed(who, &shown.join(" "));
    }

    /// A line as it would be typed, and by whom.
    pub(crate) fn typed(&self, who: &str, line: &str) {
        println!("\n  {} {}", self.painted(DIM, who), self.painted(CYAN, &format!("$ {line}")));
    }

    /// What a program printed.
    pub(crate) fn output(&self, text: &str) {
        let mut shown = String::new();
        for line in text.trim_end().lines() {
            let _ = writeln!(shown, "    {}", line.trim_end());
        }
        print!("{shown}");
    }

    /// Something printed elsewhere, with where.
    pub(crate) fn aside(&self, where_from: &str, text: &str) {
        println!("\n  {}", self.painted(DIM, &format!("({where_from})")));
        self.output(text);
    }

    /// Runs `wane` as a person; it must succeed. Returns what it printed.
    pub(crate) fn wane(&self, person: &PersonSession, words: &[&str]) -> Result<String> {
        self.wane_exits(person, words, 0)
    }

    /// Runs `wane` as a person; it must come out with this exit code.
    pub(crate) fn wane_exits(&self, person: &PersonSession, words: &[&str], code: i32) -> Result<String> {
        let outcome = self.run(person.name(), "wane", words, &mut person.command(words))?;
        Self::must(&outcome, code, words)?;
        if code != 0 {
            println!("    {}", self.painted(DIM, &format!("[exit code {code}]")));
        }
        Ok(outcome.stdout)
    }

    /// Runs a program, shows it and what it printed.
    pub(crate) fn run(&self, who: &str, program: &str, words: &[&str], command: &mut Command) -> Result<Outcome> {
        self.interrupt.check()?;
        let line: Vec<String> = std::iter::once(program).chain(words.iter().copied()).map(str::to_owned).collect();
        self.line(who, &line);
        let mut program = Interactive::spawn(command)?;
        program.close_input();
        let outcome = program.wait_exit(PATIENCE)?;
        self.output(&outcome.stdout);
        self.output(&outcome.stderr);
        self.interrupt.check()?;
        Ok(outcome)
    }

    /// Fails unless a program came out with this exit code.
    pub(crate) fn must(outcome: &Outcome, code: i32, words: &[&str]) -> Result<()> {
        let line = words.join(" ");
        ensure!(outcome.ended == Ended::Code(code), "`{line}` came out with {:?}, not {code}", outcome.ended);
        Ok(())
    }

    /// Waits for something to become true; a Ctrl-C ends the wait.
    pub(crate) fn wait(&self, what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) -> Result<()> {
        wane_testkit::wait_until(what, deadline, || self.interrupt.is_heard() || condition())?;
        self.interrupt.check()
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("{colour}{text}{PLAIN}") } else { text.to_owned() }
    }
}

/// A word as it would have to be typed.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if word == "&" || (!word.is_empty() && word.chars().all(plain)) {
        word.to_owned()
    } else if word.contains('\'') && !word.contains(['"', '$', '`', '\\', '!']) {
        format!("\"{word}\"")
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The first word of a text that begins so.
pub(crate) fn word<'a>(text: &'a str, begins: &str) -> Option<&'a str> {
    text.split_whitespace().find(|word| word.starts_with(begins))
}
