//! What is understood of sessions: names of files, commands in shells, the verdict.

use std::fs;
use std::process::Command;

use serde_json::Value;
use wane_testkit::{Interactive, Outcome, WaneServer, wait_until};

use super::lab::{Lab, NOTHING, TERMINAL, Visitor};
use crate::people::{SOON, text};

/// What `sftp` does with these commands.
fn sftp(visitor: &Visitor, commands: &str) -> Outcome {
    let batch = visitor.key.parent().unwrap().join("batch");
    fs::write(&batch, commands).unwrap();
    let mut sftp = visitor.program("sftp");
    sftp.arg("-b").arg(&batch).arg(format!("{}@127.0.0.1", visitor.name));
    Interactive::spawn(&mut sftp).unwrap().wait_exit(SOON).unwrap()
}

/// The one recording of a grant's sessions that are over.
pub(super) fn recording(lab: &Lab, grant: &str) -> Value {
    lab.tally(grant);
    let page = lab.wane.ada.json(&["recordings"]).unwrap();
    let mut of = page["items"].as_array().unwrap().iter().filter(|recording| recording["grant"] == grant);
    of.next().unwrap_or_else(|| panic!("{page:#}")).clone()
}

/// All that was recorded, an event a line.
pub(super) fn events(lab: &Lab, recording: &Value) -> String {
    lab.wane.ada.run(&["replay", &text(&recording["session"]), "--events"]).unwrap().stdout
}

fn commands(lab: &Lab, recording: &Value) -> Vec<String> {
    let said = lab.wane.ada.run(&["replay", &text(&recording["session"]), "--commands"]).unwrap().stdout;
    // Without the moment.
    said.lines().map(|line| line.split_once(" UTC ").map_or(line, |(_, rest)| rest).to_owned()).collect()
}

/// A folder that the login account may write to.
pub(super) fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("wane-files-").tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    folder
}

#[test]
fn files_that_sftp_carries_are_named_with_what_was_done() {
    let lab = Lab::new(NOTHING);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let (here, there) = (tempfile::tempdir().unwrap(), open_folder());
    let (from, back, there) = (here.path().join("from"), here.path().join("back"), there.path().display().to_string());
    fs::write(&from, vec![7; 300_000]).unwrap();
    let commands = format!(
        "put {} {there}/kanarie.bin\nmkdir {there}/folder\nrename {there}/kanarie.bin {there}/folder/b\n\
         get {there}/folder/b {}\nln -s /etc/hostname {there}/link\nls {there}\n-get /etc/shadow {}\n\
         -rm {there}/none\nrm {there}/folder/b\nrmdir {there}/folder\n",
        from.display(),
        back.display(),
        back.display()
    );
    let outcome = sftp(&maya, &commands);
    assert!(outcome.success(), "{outcome:?}");
    assert_eq!(fs::read(&back).unwrap(), fs::read(&from).unwrap(), "what is read beside changes nothing");
    let recording = recording(&lab, &maya.grant);
    let said = events(&lab, &recording);
    let expected = [
        format!(" file write {there}/kanarie.bin"),
        format!(" transferred {there}/kanarie.bin 0 read, 300000 written"),
        format!(" file make_folder {there}/folder"),
        format!(" file rename {there}/kanarie.bin {there}/folder/b"),
        format!(" file read {there}/folder/b"),
        format!(" transferred {there}/folder/b 300000 read, 0 written"),
        format!(" file link {there}/link /etc/hostname"),
        format!(" file list {there}"),
        format!(" file remove {there}/folder/b"),
        format!(" file remove_folder {there}/folder"),
    ];
    let mut from = 0;
    for line in &expected {
        let at = said[from..].find(line).unwrap_or_else(|| panic!("`{line}` in its place in\n{said}"));
        from += at + line.len();
    }
    assert!(!said.contains("file read /etc/shadow") && !said.contains("unclear"), "{said}");
    // What may not be opened was tried; what may be by root alone depends on who the host lets in.
    assert!(said.contains(&format!(" tried remove {there}/none")) || !said.contains("/none"), "{said}");
    assert_eq!(recording["verdict"], "inside", "{recording:#}");
    assert_eq!(recording["facts"]["files"]["rename"], 1, "{recording:#}");
    let found = lab.wane.ada.json(&["recordings", "--file", "kanarie.bin"]).unwrap();
    let places = found["found"][0]["places"].as_array().unwrap();
    assert!(places.iter().all(|place| place["what"] == "file"), "{found:#}");
    let found = lab.wane.ada.json(&["recordings", "--command", "kanarie.bin"]).unwrap();
    assert_eq!(found["found"], Value::Array(Vec::new()), "{found:#}");
}

#[test]
fn scp_in_both_its_forms_is_understood_and_contents_may_be_left_out() {
    let builder = WaneServer::builder().set("recording.files", "names");
    let lab = Lab::built(builder, NOTHING, &[]);
    let (here, there) = (tempfile::tempdir().unwrap(), open_folder());
    let (from, there) = (here.path().join("from.txt"), there.path().display().to_string());
    fs::write(&from, "kanarienvogel ".repeat(1000)).unwrap();
    for old in [&["-q"][..], &["-q", "-O"][..]] {
        let maya = lab.comes(&lab.wane.maya, "10m");
        let remote = format!("{}@127.0.0.1:{there}/copy.txt", maya.name);
        let copy = |args: &[&str]| {
            let mut scp = maya.program("scp");
            let outcome = Interactive::spawn(scp.args(old).args(args)).unwrap().wait_exit(SOON).unwrap();
            assert!(outcome.success(), "{old:?} {args:?}: {outcome:?}");
        };
        copy(&[&from.display().to_string(), &remote]);
        let first = recording(&lab, &maya.grant);
        copy(&[&remote, &here.path().join("back").display().to_string()]);
        wait_until("both to be written down", SOON, || {
            let page = lab.wane.ada.json(&["log", "--grant", &maya.grant, "--event", "session.closed"]).unwrap();
            page["items"].as_array().unwrap().len() == 2
        })
        .unwrap();
        let said = events(&lab, &first);
        assert!(said.contains(&format!(" file write {there}/copy.txt")), "{old:?}: {said}");
        assert!(said.contains("0 read, 14000 written"), "{old:?}: {said}");
        assert!(said.contains(" withheld client "), "{old:?}: {said}");
        assert!(!said.contains("kanarienvogel"), "{old:?}: what is in a file stands there");
        assert_eq!(first["verdict"], "inside", "{first:#}");
        assert!(first["facts"]["bytes_up"].as_u64().unwrap() > 14_000, "it is counted all the same: {first:#}");
        let second = recording(&lab, &maya.grant);
        let said = events(&lab, &second);
        assert!(said.contains(&format!(" file read {there}/copy.txt")), "{old:?}: {said}");
        assert!(said.contains("14000 read, 0 written"), "{old:?}: {said}");
        lab.wane.ada.json(&["revoke", &maya.grant, "-m", "the next"]).unwrap();
    }
}

/// What bash says about itself with the marks that terminals and editors have it say.
const MARKED: &str = r#"PS1='\[\e]133;A\a\]ready> \[\e]133;B\a\]' PS0='\e]133;C\a' PROMPT_COMMAND='printf "\e]133;D;$?\a"' exec bash --norc --noprofile -i"#;
const UNMARKED: &str = r#"PS1='ready> ' PROMPT_COMMAND= exec bash --norc --noprofile -i"#;

/// Types lines, each once the one before was answered.
fn type_lines(shell: &mut Interactive, lines: &[(&str, &str)]) {
    shell.wait_for("ready> ", SOON).unwrap();
    for (line, answer) in lines {
        shell.send_line(line).unwrap();
        wait_until("the answer and a prompt", SOON, || {
            shell.stdout().rsplit_once(answer).is_some_and(|(_, after)| after.contains("ready> "))
        })
        .unwrap();
    }
    shell.send_line("exit").unwrap();
}

#[test]
fn a_shell_with_marks_says_its_commands_and_how_they_came_out() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let mut shell = maya.open(&["-tt"], &[MARKED]);
    type_lines(&mut shell, &[("echo can''ary", "canary"), ("false; echo over", "over"), ("(echo odd; exit 3)", "odd")]);
    shell.wait_exit(SOON).unwrap();
    let recording = recording(&lab, &maya.grant);
    let said = commands(&lab, &recording);
    assert!(said[0].starts_with("sent") && said[0].contains("exec bash"), "{said:#?}");
    let marked: Vec<_> = said.iter().filter(|line| line.starts_with("marked")).map(String::as_str).collect();
    let expected =
        ["marked echo can''ary (0)", "marked false; echo over (0)", "marked (echo odd; exit 3) (3)", "marked exit"];
    assert_eq!(marked, expected, "{said:#?}\n{}", events(&lab, &recording));
    assert!(said.iter().all(|line| !line.starts_with("echoed")), "{said:#?}");
    assert_eq!(recording["facts"]["commands"]["marked"], 4, "{recording:#}");
    let found = lab.wane.ada.run(&["recordings", "--command", "can''ary"]).unwrap();
    assert!(found.stdout.contains("command: echo can''ary") && found.stdout.contains("(--at "), "{found:?}");
    let place = found.stdout.split_once("--at ").unwrap().1.split_once(')').unwrap().0;
    let words = ["replay", recording["session"].as_str().unwrap(), "--at", place, "--speed", "100000"];
    let played = lab.wane.ada.run(&words).unwrap();
    assert!(played.success() && played.stdout.contains("canary"), "{played:?}");
    let late = lab.wane.ada.run(&["replay", words[1], "--events", "--at", "1h"]).unwrap();
    assert!(late.success() && !late.stdout.contains("canary") && late.stdout.contains("end whole"), "{late:?}");
}

#[test]
fn a_shell_without_marks_shows_what_was_echoed_and_never_what_was_not() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let mut shell = maya.open(&["-tt"], &[UNMARKED]);
    shell.wait_for("ready> ", SOON).unwrap();
    let ask = "read -s -p 'pass''word: ' x; echo th''anks";
    shell.send_line(ask).unwrap();
    shell.wait_for("password: ", SOON).unwrap();
    shell.send_line("geheimnis").unwrap();
    type_lines(&mut shell, &[("echo can''ary", "canary"), ("cat <<E\nfirst\nE", "first\r\n")]);
    shell.wait_exit(SOON).unwrap();
    let recording = recording(&lab, &maya.grant);
    let said = commands(&lab, &recording);
    for line in [format!("echoed {ask}"), "echoed echo can''ary".to_owned(), "echoed exit".to_owned()] {
        assert!(said.contains(&line), "{line}: {said:#?}\n{}", events(&lab, &recording));
    }
    assert!(!said.contains(&"echoed thanks".to_owned()), "output is no command: {said:#?}");
    let all = events(&lab, &recording);
    assert!(!said.concat().contains("geheimnis") && !all.contains("geheimnis"), "{said:#?}\n{all}");
}

#[test]
fn inside_an_editor_nobody_claims_to_know() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let mut shell = maya.open(&["-tt"], &[]);
    // The login shell of the account, whatever it is: the other screen, keys on it, and back.
    shell.send_line(r"printf '\033[?1049h'; echo in''side; read x; printf '\033[?1049l'; exit").unwrap();
    shell.wait_for("inside\r\n", SOON).unwrap();
    shell.send_line(":!id").unwrap();
    shell.wait_exit(SOON).unwrap();
    let recording = recording(&lab, &maya.grant);
    let all = events(&lab, &recording);
    assert!(all.contains(" unclear keys are pressed inside a full-screen program"), "{all}");
    let because = recording["facts"]["verdict"]["because"].as_array().unwrap();
    let whats: Vec<_> = because.iter().map(|reason| reason["what"].as_str().unwrap()).collect();
    assert_eq!(whats[0], "ran: shell", "{recording:#}");
    assert!(whats.contains(&"unclear: keys are pressed inside a full-screen program"), "{recording:#}");
    assert!(because[1]["at_ms"].as_u64() >= because[0]["at_ms"].as_u64(), "{recording:#}");
    assert_eq!(recording["verdict"], "unknown");
}

#[test]
fn lines_to_a_shell_without_a_terminal_are_commands_and_garbage_is_no_sftp() {
    let lab = Lab::built(WaneServer::builder(), NOTHING, &["Subsystem odd /bin/cat"]);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let mut shell = maya.open(&["-T"], &[]);
    shell.send_line("echo can''ary").unwrap();
    shell.close_input();
    assert!(shell.wait_exit(SOON).unwrap().stdout.contains("canary"));
    let recording = recording(&lab, &maya.grant);
    assert_eq!(commands(&lab, &recording), ["sent   echo can''ary"]);
    lab.wane.ada.json(&["revoke", &maya.grant, "-m", "the next"]).unwrap();

    // What is no SFTP passes as it is, and is said not to be understood.
    let maya = lab.comes(&lab.wane.maya, "10m");
    let mut ssh: Command = maya.ssh(&["-T", "-s"], &["sftp"]);
    let mut ssh = Interactive::spawn(&mut ssh).unwrap();
    ssh.send_line("GET / HTTP/1.1 kanarienvogel").unwrap();
    ssh.close_input();
    ssh.wait_exit(SOON).unwrap();
    let recording = self::recording(&lab, &maya.grant);
    let all = events(&lab, &recording);
    assert!(all.contains(" unclear what passes is no SFTP"), "{all}");
    assert!(all.contains("data client GET / HTTP/1.1 kanarienvogel"), "{all}");
    assert_eq!(recording["verdict"], "unknown", "{recording:#}");
}

#[test]
fn recordings_are_listed_by_their_verdict() {
    let lab = Lab::new(NOTHING);
    let maya = lab.comes(&lab.wane.maya, "10m");
    assert!(maya.run("true").success());
    let inside = recording(&lab, &maya.grant);
    lab.wane.ada.json(&["revoke", &maya.grant, "-m", "the next"]).unwrap();
    let maya = lab.comes(&lab.wane.maya, "10m");
    // A terminal, which the role does not name.
    maya.run_with(&["-tt"], "true");
    let outside = recording(&lab, &maya.grant);
    for (word, expected) in [("inside", vec![&inside]), ("outside", vec![&outside]), ("unknown", vec![])] {
        let page = lab.wane.ada.json(&["recordings", "--verdict", word]).unwrap();
        assert_eq!(page["items"].as_array().unwrap().iter().collect::<Vec<_>>(), expected, "{word}");
    }
    let refused = lab.wane.ada.run(&["recordings", "--verdict", "fine"]).unwrap();
    assert!(refused.stderr.contains("`inside`, `outside` or `unknown`"), "{refused:?}");
}
