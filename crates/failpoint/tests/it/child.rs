//! The program under test: it passes three places and says so after each.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use wane_failpoint::{arm, around, around_call, at, point};

const CHILD: &str = "WANE_FAILPOINT_CHILD";

/// Not a test of its own: [`start`] runs it in a process with a plan.
#[tokio::test]
async fn program() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    if let Err(error) = arm() {
        say(&format!("refused: {error}"));
        return;
    }
    for _ in 0..2 {
        at(point!("child.step")).await;
        say("step");
        around(point!("child.effect"), async { say("effect") }).await;
        around_call(point!("child.call"), || say("call"));
    }
    say("end");
}

fn say(word: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "said {word}").unwrap();
    out.flush().unwrap();
}

/// Starts the program with a plan and, perhaps, a trace.
pub(crate) fn start(plan: &str, trace: Option<&std::path::Path>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child::program", "--nocapture"]);
    command.env(CHILD, "1").env("WANE_FAILPOINTS", plan).stdout(Stdio::piped()).stderr(Stdio::null());
    if let Some(file) = trace {
        command.env("WANE_FAILPOINT_TRACE", file);
    }
    command.spawn().unwrap()
}

/// Waits for the program's end: what it said, and how it ended.
pub(crate) fn finish(child: Child) -> (Vec<String>, std::process::ExitStatus) {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = text.lines().filter_map(|line| line.split_once("said ")).map(|(_, word)| word.to_owned()).collect();
    (said, output.status)
}
