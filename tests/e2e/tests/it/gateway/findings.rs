//! Rules over what happens in sessions: found, written down, and the end of the session where a rule says so.

use std::fs;

use serde_json::{Value, json};
use wane_testkit::{Interactive, WaneServer, wait_until};

use super::lab::{Lab, NOTHING, TERMINAL};
use super::understanding::{events, open_folder, recording};
use crate::people::SOON;

const RULES: &str = r#"
[[rule]]
id = "sudo-root"
when = "command"
matches = "sudo *"
then = "notify"

[[rule]]
id = "no-wiping"
when = "command"
matches = "wipe *"
then = "cut"

[[rule]]
id = "private-key"
when = "output"
matches = "BEGIN [A-Z ]*PRIVATE KEY"
then = "cut"

[[rule]]
id = "system-files"
when = "file"
matches = "/tmp/wane-files-*/secret*"
deeds = ["read", "write"]
then = "cut"
"#;

/// A gateway with these rules, and where they stand.
fn lab(extensions: &str) -> (Lab, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.toml");
    fs::write(&file, RULES).unwrap();
    let builder = WaneServer::builder().set("gateway.rules", &file.display().to_string());
    (Lab::built(builder, extensions, &[]), folder)
}

fn found(lab: &Lab, grant: &str) -> Vec<Value> {
    let page = lab.wane.ada.json(&["log", "--grant", grant, "--event", "session.finding"]).unwrap();
    page["items"].as_array().unwrap().iter().map(|item| item["detail"].clone()).collect()
}

#[test]
fn what_a_rule_notifies_of_goes_on_and_is_written_down() {
    let (lab, _rules) = lab(NOTHING);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let mut ssh = maya.open(&["-T"], &["cat; true || sudo id"]);
    ssh.send_line("goes on").unwrap();
    ssh.wait_for("goes on", SOON).unwrap();
    wait_until("it to be written down", SOON, || found(&lab, &maya.grant).len() == 1).unwrap();
    let live = lab.sessions().remove(0);
    assert_eq!((&live["verdict"], &live["findings"]), (&json!("outside"), &json!(1)), "{live:#}");
    let board = lab.wane.ada.run(&["sessions"]).unwrap();
    assert!(board.stdout.contains("outside (1 found)"), "{board:?}");
    ssh.close_input();
    assert!(ssh.wait_exit(SOON).unwrap().success());
    let detail = found(&lab, &maya.grant).remove(0);
    assert_eq!(
        (&detail["rule"], &detail["then"], &detail["number"]),
        (&json!("sudo-root"), &json!("notify"), &json!(1))
    );
    let recording = recording(&lab, &maya.grant);
    let all = events(&lab, &recording);
    assert!(all.contains(" finding sudo-root cat; true || sudo id notify"), "{all}");
    assert_eq!(recording["verdict"], "outside", "{recording:#}");
    let because = &recording["facts"]["verdict"]["because"][0];
    assert_eq!((&because["what"], &because["at_ms"]), (&json!("found by: sudo-root"), &detail["at_ms"]));
    let story = lab.wane.ada.run(&["story", &maya.grant]).unwrap();
    for words in ["session finding, by the rule sudo-root, then notify", "session closed, verdict outside"] {
        assert!(story.stdout.contains(words), "{words}: {story:?}");
    }
}

#[test]
fn a_rule_cuts_before_what_it_found_has_passed() {
    let (lab, _rules) = lab(NOTHING);
    let folder = open_folder();
    let marker = folder.path().join("ran");
    // A command: the host never hears of it.
    let maya = lab.comes(&lab.wane.maya, "10m");
    let cut = maya.run(&format!("touch {}; wipe disk", marker.display()));
    assert!(!cut.success() && cut.stderr.contains("the rule `no-wiping` ended it"), "{cut:?}");
    assert!(!marker.exists(), "the host was asked to run it");
    lab.tally(&maya.grant);
    assert_eq!(found(&lab, &maya.grant)[0]["rule"], "no-wiping");
    // What is written: the line does not arrive.
    let maya = lab.comes(&lab.wane.maya, "10m");
    let say = "echo before; read on; printf 'BEGIN OPENSSH '; printf 'PRIVATE KEY abcdef\\n'; sleep 600";
    let mut ssh = maya.open(&["-T", "-o", "BatchMode=yes"], &[say]);
    ssh.wait_for("before", SOON).unwrap();
    ssh.send_line("on").unwrap();
    let cut = ssh.wait_exit(SOON).unwrap();
    assert!(!cut.success() && cut.stdout.contains("before") && !cut.stdout.contains("KEY abcdef"), "{cut:?}");
    assert!(cut.stderr.contains("the rule `private-key` ended it"), "{cut:?}");
    let recording = recording(&lab, &maya.grant);
    let all = events(&lab, &recording);
    assert!(all.contains(" finding private-key BEGIN OPENSSH PRIVATE KEY abcdef cut"), "{all}");
    assert!(all.contains(" over the rule `private-key` ended it"), "{all}");
    assert_eq!(recording["state"], "whole", "what it was about is on the tape: {recording:#}");
    let closed = lab.wane.events(&maya.grant);
    let place = |event: &str| closed.iter().position(|known| known == event).unwrap_or_else(|| panic!("{closed:?}"));
    assert_ne!(place("session.finding"), place("session.closed"));
}

#[test]
fn a_rule_over_files_cuts_before_any_of_it_passes() {
    let (lab, _rules) = lab(NOTHING);
    let folder = open_folder();
    let secret = folder.path().join("secret.txt");
    fs::write(&secret, "kanarienvogel").unwrap();
    let back = folder.path().join("back");
    let maya = lab.comes(&lab.wane.maya, "10m");
    for old in [&["-q"][..], &["-q", "-O"][..]] {
        let mut scp = maya.program("scp");
        // A way around by the folder above is no way around.
        let name = folder.path().file_name().unwrap().to_str().unwrap();
        let around = format!("{}/../{name}/secret.txt", folder.path().display());
        scp.args(old).arg(format!("{}@127.0.0.1:{around}", maya.name)).arg(&back);
        let cut = Interactive::spawn(&mut scp).unwrap().wait_exit(SOON).unwrap();
        assert!(!cut.success() && cut.stderr.contains("the rule `system-files` ended it"), "{old:?}: {cut:?}");
        assert!(fs::read(&back).unwrap_or_default().is_empty(), "{old:?}: something of it arrived");
    }
    let both = wait_until("both to be written down", SOON, || found(&lab, &maya.grant).len() == 2);
    assert!(both.is_ok(), "{:#?}\n{}", found(&lab, &maya.grant), lab.wane.server.log());
    assert!(found(&lab, &maya.grant).iter().all(|found| found["rule"] == "system-files"));
    // The neighbour is nobody's business.
    fs::write(folder.path().join("plain.txt"), "plain").unwrap();
    let mut scp = maya.program("scp");
    scp.arg("-q").arg(format!("{}@127.0.0.1:{}/plain.txt", maya.name, folder.path().display())).arg(&back);
    assert!(Interactive::spawn(&mut scp).unwrap().wait_exit(SOON).unwrap().success());
    assert_eq!(fs::read(&back).unwrap(), b"plain");
}

#[test]
fn a_command_in_a_shell_is_cut_as_soon_as_it_was_echoed() {
    let (lab, _rules) = lab(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let mut shell = maya.open(&["-tt"], &["PS1='ready> ' exec bash --norc --noprofile -i"]);
    shell.wait_for("ready> ", SOON).unwrap();
    shell.send_line("wipe disk").unwrap();
    let cut = shell.wait_exit(SOON).unwrap();
    assert!(!cut.success() && cut.stdout.contains("the rule `no-wiping` ended it"), "{cut:?}");
    lab.tally(&maya.grant);
    assert_eq!(found(&lab, &maya.grant)[0]["rule"], "no-wiping");
}

#[test]
fn a_role_brings_rules_of_its_own() {
    let lab = Lab::new(NOTHING);
    let user = lab.sshd.user().name();
    let definition = r#"findings=[{"id":"own","when":"command","matches":"*kanarie*","then":"cut"}]"#;
    let principals = format!("principals={}", json!([user]));
    lab.wane.ada.json(&["role", "add", "ssh/watched", "--set", &principals, "--set", definition]).unwrap();
    let bad = r#"findings=[{"id":"own","when":"output","matches":"(","then":"cut"}]"#;
    let refused = lab.wane.ada.run(&["role", "add", "ssh/other", "--set", &principals, "--set", bad]).unwrap();
    assert!(!refused.success() && refused.stderr.contains("rule `own`: `(` is no regular expression"), "{refused:?}");
    let grant = crate::people::granted(&lab.wane.maya, "watched@web", "10m");
    let maya = lab.visits(&lab.wane.maya, grant);
    let cut = maya.run("echo kanarienvogel");
    assert!(!cut.success() && cut.stderr.contains("the rule `own` ended it"), "{cut:?}");
}

#[test]
fn rules_are_taken_anew_when_their_file_changes_and_bad_ones_change_nothing() {
    let (lab, folder) = lab(NOTHING);
    let file = folder.path().join("rules.toml");
    let maya = lab.comes(&lab.wane.maya, "10m");
    let is_cut = |line: &str| !maya.run(line).success();
    assert!(is_cut("true || wipe x") && !is_cut("true || scrub x"));
    let loaded = || lab.wane.ada.json(&["log", "--event", "rules.loaded"]).unwrap()["items"].as_array().unwrap().len();
    assert_eq!(loaded(), 1);
    fs::write(&file, "[[rule]]\nid = \"no-wiping\"\nwhen = \"command\"\nmatches = \"wipe *\"\nthen = \"stop\"\n")
        .unwrap();
    wait_until("the complaint", SOON, || lab.wane.server.log().contains("stay as they were")).unwrap();
    assert!(lab.wane.server.log().contains("line 5: unknown variant `stop`"), "{}", lab.wane.server.log());
    assert!(is_cut("true || wipe x"), "what was in force stays so");
    fs::write(&file, RULES.replace("wipe *", "scrub *")).unwrap();
    wait_until("the new ones", SOON, || loaded() == 2).unwrap();
    assert!(!is_cut("true || wipe x") && is_cut("true || scrub x"));
}

#[test]
fn a_server_does_not_start_with_rules_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.toml");
    fs::write(&file, "[[rule]]\nid = \"a\"\nwhen = \"command\"\nmatches = \"[\"\nthen = \"cut\"\n").unwrap();
    let started = WaneServer::builder().set("gateway.rules", &file.display().to_string()).start();
    let why = format!("{:?}", started.err().unwrap());
    assert!(why.contains("rule `a`: `[` is no pattern"), "{why}");
}
