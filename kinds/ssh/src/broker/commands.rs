//! Which programs a session runs: whatever there is, those its role lists, or the one task of its grant, once.
//!
//! INVARIANT: what is not listed here is not run, and nothing is run in the words of whoever asked where they are
//! held to a list (held by `only_the_commands_that_the_role_lists_are_run`,
//! `a_task_is_run_once_and_nothing_else_is`).

use std::borrow::Cow;

use wane_domain::task::Task;

use super::asks::Ask;
use crate::commands::Commands;
use crate::role::{Definition, FORWARDING};

/// What a command that is not run comes out as: as one that a shell may not execute.
pub(super) const NOT_RUN: u32 = 126;

/// What a session may run.
pub(super) struct Rules {
    commands: Option<Commands>,
    /// The task, and the line that the host is given for it.
    task: Option<(Task, String)>,
}

/// Whether a program is run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// As it was asked for.
    AsAsked,
    /// This command, which is what was asked for in words of our own.
    As(String),
    /// This command, once: it is spent first.
    Once(String),
    /// Not.
    No(Refusal),
}

/// Why a program is not run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// For the record. What was asked for stays out of it but for the program's name: there are passwords in
    /// command lines.
    pub(super) noted: String,
    /// For the person.
    pub(super) said: String,
}

impl Rules {
    /// # Errors
    /// When the role cannot run the task.
    pub(super) fn of(role: &Definition, task: Option<Task>) -> Result<Self, String> {
        let task = task.map(|task| role.line_of(&task).map(|line| (task, line))).transpose()?;
        Ok(Self { commands: role.commands.clone(), task })
    }

    /// Whether what an extension of this name stands for is let be, where the role names it.
    pub(super) fn let_be(&self, extension: &str) -> bool {
        self.task.is_none() || extension != FORWARDING
    }

    /// Whether this is run.
    pub(super) fn leave(&self, ask: &Ask<'_>) -> Leave {
        let line = match ask {
            Ask::Command(line) => line,
            Ask::Shell => return self.all_or("shell"),
            Ask::Subsystem(name) => return self.all_or(&format!("subsystem {name}")),
            Ask::Terminal { .. } | Ask::Agent | Ask::X11 { .. } => return Leave::AsAsked,
        };
        match (&self.task, &self.commands) {
            (Some((task, given)), _) if Task::digest_of(line) == task.digest() => Leave::Once(given.clone()),
            (Some(_), _) => self.no(&noted(line), None),
            (None, Some(commands)) => match commands.line_of(line) {
                Ok(line) => Leave::As(line),
                Err(why) => self.no(&noted(line), Some(why)),
            },
            (None, None) => Leave::AsAsked,
        }
    }

    /// A program that is no command.
    fn all_or(&self, what: &str) -> Leave {
        if self.task.is_none() && self.commands.is_none() { Leave::AsAsked } else { self.no(what, None) }
    }

    fn no(&self, noted: &str, why: Option<String>) -> Leave {
        let said = match (&self.task, &self.commands) {
            (Some((task, _)), _) => format!("what was approved is `{task}`, once and exactly so, and nothing else"),
            (None, Some(commands)) => {
                let why = why.map_or(String::new(), |why| format!("{why}; "));
                format!("{why}this access is for these commands alone: {}", commands.listed())
            }
            (None, None) => String::new(),
        };
        Leave::No(Refusal { noted: noted.to_owned(), said })
    }
}

/// A command in the record of what was refused: its program.
fn noted(line: &[u8]) -> String {
    let text: Cow<'_, str> = String::from_utf8_lossy(line);
    let program = text.split_whitespace().next().unwrap_or_default();
    let program: String = program.chars().take(64).map(|c| if c.is_control() { '?' } else { c }).collect();
    format!("exec {program}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rules(definition: Value, task: Option<&str>) -> Result<Rules, String> {
        let role = Definition::read(&definition).map_err(|e| e.to_string())?;
        Rules::of(&role, task.map(|task| task.parse().unwrap()))
    }

    fn refused(leave: Leave) -> (String, String) {
        match leave {
            Leave::No(Refusal { noted, said }) => (noted, said),
            other => (String::new(), format!("{other:?}")),
        }
    }

    #[test]
    fn a_role_with_commands_runs_those_and_nothing_else() {
        let rules = rules(json!({ "principals": ["a"], "commands": [["echo", "*"]] }), None).unwrap();
        assert_eq!(rules.leave(&Ask::Command(b"echo   'a b'")), Leave::As("echo 'a b'".to_owned()));
        for (ask, noted, said) in [
            (Ask::Command(b"echo a; id"), "exec echo", "`;` means more than itself"),
            (Ask::Command(b"id -secret"), "exec id", "none of those that the role allows"),
            (Ask::Command(b"\x1b[2J"), "exec ?[2J", "control character"),
            (Ask::Shell, "shell", "for these commands alone: `echo *`"),
            (Ask::Subsystem("sftp"), "subsystem sftp", "for these commands alone: `echo *`"),
        ] {
            let got = refused(rules.leave(&ask));
            assert!(got.0 == noted && got.1.contains(said), "{got:?}");
        }
        assert_eq!(rules.leave(&Ask::Agent), Leave::AsAsked);
        assert!(rules.let_be(FORWARDING));
    }

    #[test]
    fn a_task_is_that_command_byte_for_byte() {
        let plain = rules(json!({ "principals": ["a"] }), Some("echo $HOME; id")).unwrap();
        assert_eq!(plain.leave(&Ask::Command(b"echo $HOME; id")), Leave::Once("echo $HOME; id".to_owned()));
        let listed = rules(json!({ "principals": ["a"], "commands": [["echo", "*"]] }), Some("echo \"a b\"")).unwrap();
        assert_eq!(listed.leave(&Ask::Command(b"echo \"a b\"")), Leave::Once("echo 'a b'".to_owned()));
        for (rules, ask) in [
            (&plain, Ask::Command(b"echo $HOME; id ")),
            (&plain, Ask::Command(b"echo  $HOME; id")),
            (&plain, Ask::Command(b"id")),
            (&plain, Ask::Shell),
            (&plain, Ask::Subsystem("sftp")),
            // The same words are another command, and the role's own commands are none of the task.
            (&listed, Ask::Command(b"echo 'a b'")),
            (&listed, Ask::Command(b"echo b")),
        ] {
            let said = refused(rules.leave(&ask)).1;
            assert!(said.contains("what was approved is"), "{said}");
        }
        assert!(!plain.let_be(FORWARDING) && plain.let_be("permit-pty"));
    }

    #[test]
    fn a_role_that_cannot_run_a_task_has_no_session_for_it() {
        for (definition, word) in [
            (json!({ "principals": ["a"], "force_command": "id" }), "force_command"),
            (json!({ "principals": ["a"], "commands": [["ls"]] }), "none of those"),
        ] {
            assert!(rules(definition, Some("id")).err().unwrap().contains(word));
        }
    }
}
