//! Help, reference, completion, and commands that others bring.

use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use wane_cli::{Exit, ExtraCommand, Group, Session, reference};

use crate::desk::Desk;
use crate::golden;

/// A command that keeps its arguments.
pub(crate) struct Keeps {
    words: &'static [&'static str],
    group: Group,
    args: Arc<Mutex<Option<Vec<String>>>>,
}

impl Keeps {
    pub(crate) fn new(words: &'static [&'static str], group: Group) -> Self {
        Self { words, group, args: Arc::default() }
    }
}

impl ExtraCommand for Keeps {
    fn words(&self) -> &'static [&'static str] {
        self.words
    }
    fn about(&self) -> &'static str {
        "Do what others brought"
    }
    fn programs(&self) -> &'static [&'static str] {
        self.words
    }
    fn group(&self) -> Group {
        self.group
    }
    fn run<'a>(&'a self, args: Vec<String>, session: &'a Session) -> BoxFuture<'a, Exit> {
        *self.args.lock().unwrap() = Some(args);
        Box::pin(async { if session.json() { Exit::Child(42) } else { Exit::Child(7) } })
    }
}

fn extras() -> Vec<Box<dyn ExtraCommand>> {
    vec![
        Box::new(Keeps::new(&["ssh"], Group::Use)),
        Box::new(Keeps::new(&["host", "setup"], Group::Arrange)),
        Box::new(Keeps::new(&["config", "check"], Group::Machine)),
        Box::new(Keeps::new(&["config", "explain"], Group::Machine)),
    ]
}

#[test]
fn the_reference_is_the_program() {
    golden::check("tests/it/golden/reference.md", &reference(&[]));
}

#[test]
fn root_help() {
    let ran = Desk::new().run_with(&["--help"], extras());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    golden::check("tests/it/golden/help.txt", &ran.out);
}

#[test]
fn every_command_is_listed_under_a_heading() {
    let help = Desk::new().run(&["--help"]).out;
    for line in reference(&[]).lines().filter(|l| l.starts_with("### wane ")) {
        let name = line.trim_start_matches("### wane ");
        assert!(help.contains(&format!("\n  {name} ")), "`{name}` is not listed");
        let ran = Desk::new().run(&[name, "--help"]);
        assert_eq!(ran.code, 0, "{name}");
    }
    assert!(!help.contains("Explain a command\n  "), "a listed command is unknown:\n{help}");
}

#[test]
fn exit_codes_are_explained() {
    for words in [&["help", "exit-codes"][..], &["exit-codes"]] {
        let ran = Desk::new().run(words);
        assert_eq!(ran.code, 0);
        for code in ["  0  done", "  6  the request stands", "130  interrupted"] {
            assert!(ran.out.contains(code), "{}", ran.out);
        }
    }
}

#[test]
fn mistakes_come_out_as_usage() {
    for (words, said) in [
        (&["frobnicate"][..], "unrecognized subcommand 'frobnicate'"),
        (&["request"], "required arguments were not provided"),
        (&["request", "a@b@c"], "`b@c` is not the name of a resource; write ROLE@RESOURCE, one item a word"),
        (&["request", "@web"], "`@web` names no role; write ROLE@RESOURCE"),
        (&["revoke", "grt_1"], "--reason"),
        (&["revoke", "grt_1", "--person", "x", "-m", "y"], "cannot be used with"),
        (&["lock", "add", "-m", "y"], "required arguments were not provided"),
        (&["grants", "--state", "done"], "invalid value 'done'"),
        (&["live", "--limit", "0"], "unexpected argument"),
        (&["grants", "--limit", "0"], "0 is not in 1.."),
        (&["request", "a\u{202e}\u{9b}@"], "`a\\u{202e}\\u{9b}@` names no resource"),
    ] {
        let ran = Desk::new().run(words);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{words:?}");
        assert!(ran.err.contains(said), "{words:?}: {}", ran.err);
        assert!(!ran.err.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{:?}", ran.err);
    }
}

#[test]
fn extra_commands_get_their_arguments_as_they_are() {
    for (words, command, args, code) in [
        (
            &["ssh", "-l", "root", "web", "--", "ls", "--json"][..],
            &["ssh"][..],
            &["-l", "root", "web", "--", "ls", "--json"][..],
            7,
        ),
        (&["ssh", "--help"], &["ssh"], &["--help"], 7),
        (&["ssh", "-h"], &["ssh"], &["-h"], 7),
        (&["ssh"], &["ssh"], &[], 7),
        (&["--json", "ssh", "web"], &["ssh"], &["web"], 42),
        (&["ssh", "--json", "web"], &["ssh"], &["web"], 42),
        (&["host", "setup", "--code", "x"], &["host", "setup"], &["--code", "x"], 7),
        (&["config", "explain", "a.b"], &["config", "explain"], &["a.b"], 7),
    ] {
        let kept = Keeps::new(&[], Group::Use).args;
        let mut all = extras();
        let words_of = Box::leak(command.to_vec().into_boxed_slice());
        all.retain(|x| x.words() != words_of);
        all.push(Box::new(Keeps { words: words_of, group: Group::Use, args: Arc::clone(&kept) }));
        let ran = Desk::new().run_with(words, all);
        assert_eq!(ran.code, code, "{words:?}: {}", ran.err);
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        assert_eq!(kept.lock().unwrap().as_ref(), Some(&args), "{words:?}");
    }
}

#[test]
fn completion_knows_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = Desk::new().run_with(&["completion", shell], extras());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{shell}");
        for word in ["ssh", "setup", "explain", "approve", "waiting-for-me"] {
            assert!(ran.out.contains(word), "{shell} does not know {word}");
        }
    }
}

#[test]
fn a_completion_script_is_one_the_shell_reads() {
    let script = Desk::new().run(&["completion", "bash"]).out;
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("wane.bash");
    std::fs::write(&file, script).unwrap();
    let checked = std::process::Command::new("bash").arg("-n").arg(&file).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}
