//! What passes is recorded before it passes, and stays whole or says what is missing.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use wane_testkit::{WaneServer, wait_until};

use super::lab::{Lab, TERMINAL};
use crate::people::{SOON, text};

/// The recordings that lie there, oldest first.
fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "wane-recording"))
        .collect();
    files.sort();
    files
}

/// What the log says about the recording of the last closed session of a grant.
fn recorded(lab: &Lab, grant: &str) -> Value {
    lab.tally(grant);
    let page = lab.wane.ada.json(&["log", "--grant", grant, "--event", "session.closed"]).unwrap();
    page["items"][0]["detail"]["recording"].clone()
}

#[test]
fn every_session_is_recorded_and_its_root_is_in_the_log() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    assert!(maya.run("echo kanarienvogel; exit 3").stdout.contains("kanarienvogel"));
    let said = recorded(&lab, &maya.grant);
    assert_eq!((&said["state"], &said["why"]), (&Value::from("whole"), &Value::Null), "{said}");
    assert_eq!(said["root"].as_str().unwrap().len(), 64, "{said}");
    assert_eq!(lab.tally(&maya.grant)["verdict"]["word"], "inside");
    let folder = lab.wane.server.data().join("recordings");
    let all = files(&folder);
    assert_eq!(all.len(), 1, "{all:?}");
    let bytes = fs::read(&all[0]).unwrap();
    assert_eq!(bytes.len() as u64, said["bytes"].as_u64().unwrap(), "{said}");
    assert!(!bytes.windows(6).any(|part| part == b"kanari"), "what was said stands in the open");
}

#[test]
fn no_session_that_is_to_be_recorded_begins_without_its_tape() {
    let builder = WaneServer::builder().set("recording.folder", "/dev/full/recordings");
    let lab = Lab::built(builder, TERMINAL, &[]);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let outcome = maya.run("echo here");
    assert!(!outcome.success() && !outcome.stdout.contains("here"), "{outcome:?}");
    wait_until("the session to be over", SOON, || {
        let leases = lab.leases(&maya.grant);
        !leases.is_empty() && leases.iter().all(|lease| lease["state"] == "gone")
    })
    .unwrap();
    let page = lab.wane.ada.json(&["log", "--grant", &maya.grant, "--event", "recording.gap"]).unwrap();
    assert_eq!(page["items"][0]["detail"]["state"], "lost", "{page:#}");
}

/// The one recording of a grant's session.
fn session_of(lab: &Lab, grant: &str) -> String {
    let page = lab.wane.ada.json(&["recordings"]).unwrap();
    let mut of = page["items"].as_array().unwrap().iter().filter(|recording| recording["grant"] == grant);
    let session = text(&of.next().unwrap_or_else(|| panic!("{page:#}"))["session"]);
    assert!(of.next().is_none(), "{page:#}");
    session
}

/// What the log says happened, of this sort, about a grant.
fn noted(lab: &Lab, grant: &str, event: &str) -> Vec<Value> {
    let page = lab.wane.ada.json(&["log", "--grant", grant, "--event", event]).unwrap();
    page["items"].as_array().unwrap().clone()
}

#[test]
fn a_session_is_replayed_by_those_who_may_and_each_reading_is_written_down() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    assert!(maya.run_with(&["-tt"], "echo kanarienvogel; printf '\\033]52;c;aGk=\\007'").success());
    lab.tally(&maya.grant);
    let session = session_of(&lab, &maya.grant);

    let ada = &lab.wane.ada;
    let played = ada.run(&["replay", &session, "--speed", "100000"]).unwrap();
    assert!(played.success() && played.stdout.contains("kanarienvogel"), "{played:?}");
    assert!(!played.stdout.contains("]52"), "nothing reaches into the terminal it is shown on: {played:?}");
    let events = ada.run(&["replay", &session, "--events"]).unwrap();
    for word in [" terminal ", " command echo kanarienvogel", " data target kanarienvogel", " exited 0", "end whole"] {
        assert!(events.stdout.contains(word), "{word}: {events:?}");
    }
    let cast = lab.wane.server.folder().join("session.cast");
    assert!(ada.run(&["replay", &session, "--cast", &cast.display().to_string()]).unwrap().success());
    let lines: Vec<Value> =
        fs::read_to_string(&cast).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["version"], 3, "{lines:#?}");
    assert!(lines.iter().any(|line| line[1] == "o" && line[2].as_str().unwrap().contains("kanarie")), "{lines:#?}");
    let found = ada.json(&["recordings", "--text", "kanarienvogel"]).unwrap();
    assert_eq!(found["found"][0]["recording"]["session"], session.as_str(), "{found:#}");
    assert_eq!(found["found"][0]["places"][0]["what"], "command", "{found:#}");
    assert_eq!(noted(&lab, &maya.grant, "recording.replayed").len(), 3);
    assert_eq!(noted(&lab, &maya.grant, "recording.searched").len(), 1);
}

#[test]
fn what_is_typed_at_a_terminal_is_not_kept_and_what_is_piped_in_is() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let ask = "stty -echo; echo password:; read secret; echo thanks";
    let mut typing = maya.open(&["-tt"], &[ask]);
    typing.wait_for("password:", SOON).unwrap();
    typing.send_line("geheimnis").unwrap();
    typing.wait_for("thanks", SOON).unwrap();
    assert!(typing.wait_exit(SOON).unwrap().success());
    let mut piped = maya.open(&["-T"], &["sh"]);
    piped.send_line("echo a-script-that-was-piped >/dev/null; exit 7").unwrap();
    piped.close_input();
    assert!(!piped.wait_exit(SOON).unwrap().success());
    wait_until("both to be written down", SOON, || noted(&lab, &maya.grant, "session.closed").len() == 2).unwrap();
    let page = lab.wane.ada.json(&["recordings"]).unwrap();
    let mut all = String::new();
    for recording in page["items"].as_array().unwrap() {
        all.push_str(&lab.wane.ada.run(&["replay", &text(&recording["session"]), "--events"]).unwrap().stdout);
    }
    assert!(all.contains("thanks") && all.contains(" gap typed"), "{all}");
    assert!(!all.contains("geheimnis"), "{all}");
    assert!(all.contains("data client echo a-script-that-was-piped"), "{all}");
}

#[test]
fn nobody_replays_without_the_right_and_the_attempt_is_written_down() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    assert!(maya.run("echo kanarienvogel").success());
    lab.tally(&maya.grant);
    let session = session_of(&lab, &maya.grant);
    let noah = lab.wane.approver("noah");
    // Not even their own, where policy does not say so; and to others it is not there.
    for (person, said) in [(&lab.wane.maya, "policy does not let you"), (&noah, "there is no recording")] {
        for words in [&["replay", &session, "--events"][..], &["watch", &session][..]] {
            let refused = person.run(words).unwrap();
            assert!(!refused.success() && refused.stderr.contains(said), "{words:?}: {refused:?}");
            assert!(!refused.stdout.contains("kanarienvogel"), "{refused:?}");
        }
        let found = person.json(&["recordings", "--text", "kanarienvogel"]).unwrap();
        assert_eq!((&found["found"], &found["read"]), (&Value::Array(Vec::new()), &Value::from(0)), "{found:#}");
    }
    let attempts = noted(&lab, &maya.grant, "recording.refused");
    assert_eq!(attempts.len(), 4, "{attempts:#?}");
    assert!(attempts.iter().all(|attempt| attempt["outcome"] == "denied"), "{attempts:#?}");
    assert!(noted(&lab, &maya.grant, "recording.replayed").is_empty());
    assert_eq!(noah.json(&["recordings"]).unwrap()["items"], Value::Array(Vec::new()));
    // What is whole can be seen to be so without seeing it.
    assert_eq!(lab.wane.maya.json(&["recording", "verify", &session]).unwrap()["whole"], true);
}

#[test]
fn a_byte_that_was_changed_is_named() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    assert!(maya.run("echo kanarienvogel").success());
    lab.tally(&maya.grant);
    let session = session_of(&lab, &maya.grant);
    let good = lab.wane.ada.json(&["recording", "verify", &session]).unwrap();
    assert_eq!((&good["whole"], &good["root"]), (&Value::from(true), &good["expected"]), "{good:#}");
    let file = files(&lab.wane.server.data().join("recordings")).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.len() - 50;
    bytes[at] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let bad = lab.wane.ada.json_with_code(&["recording", "verify", &session], 1).unwrap();
    assert_eq!(bad["whole"], false, "{bad:#}");
    let damage = &bad["damage"][0];
    let (from, to) = (damage["from"].as_u64().unwrap(), damage["to"].as_u64().unwrap());
    assert!((from..to).contains(&(at as u64)), "{bad:#}");
    assert_eq!(noted(&lab, &maya.grant, "recording.verified")[0]["outcome"], "failed");
    // Whoever searches is told that it may stand there.
    let searched = lab.wane.ada.run(&["recordings", "--text", "kanarienvagel"]).unwrap();
    let named = searched.stdout.lines().any(|line| line.trim() == session);
    assert!(named && searched.stdout.contains("could not be read whole"), "{searched:?}");
}

#[test]
fn a_session_is_watched_until_it_ends() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let mut open = maya.open(&["-T"], &["cat"]);
    open.send_line("before anybody watched").unwrap();
    open.wait_for("before anybody watched", SOON).unwrap();
    let session = session_of(&lab, &maya.grant);
    let watching = lab.wane.ada.interactive(&["watch", &session]).unwrap();
    watching.wait_for("before anybody watched", SOON).unwrap();
    assert_eq!(noted(&lab, &maya.grant, "recording.watched").len(), 1);
    open.send_line("while somebody watches").unwrap();
    watching.wait_for("while somebody watches", SOON).unwrap();
    open.close_input();
    assert!(open.wait_exit(SOON).unwrap().success());
    let watched = watching.wait_exit(SOON).unwrap();
    assert!(watched.success() && watched.stderr.contains("the session is over"), "{watched:?}");
    // Its last chunk is read before its end is booked.
    let late = || lab.wane.ada.run(&["watch", &session]).unwrap().stderr.contains("that session is over; replay it");
    wait_until("nobody to watch it any more", SOON, late).unwrap();
}

#[test]
fn a_watcher_whose_right_goes_sees_no_more() {
    let lab = Lab::new(TERMINAL);
    let eve = lab.wane.server.newcomer(&lab.wane.ada, "eve", &["admins"]).unwrap();
    let maya = lab.comes(&lab.wane.maya, "10m");
    let mut open = maya.open(&["-T"], &["cat"]);
    open.send_line("before").unwrap();
    open.wait_for("before", SOON).unwrap();
    let session = session_of(&lab, &maya.grant);
    let watching = eve.interactive(&["watch", &session]).unwrap();
    watching.wait_for("before", SOON).unwrap();
    lab.wane.ada.json(&["group", "leave", "admins", "eve"]).unwrap();
    let watched = watching.wait_exit(SOON).unwrap();
    assert!(watched.stderr.contains("what was recorded goes on"), "{watched:?}");
    // The session itself is not disturbed.
    open.send_line("after").unwrap();
    open.wait_for("after", SOON).unwrap();
}

#[test]
fn what_a_crash_cuts_off_is_readable_and_the_gap_is_a_finding() {
    let mut lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let mut open = maya.open(&["-T"], &["cat"]);
    open.send_line("kanarienvogel").unwrap();
    open.wait_for("kanarienvogel", SOON).unwrap();
    let session = session_of(&lab, &maya.grant);
    wait_until("it to be on disk", SOON, || {
        lab.wane.ada.run(&["replay", &session, "--events"]).unwrap().stdout.contains("data target kanarienvogel")
    })
    .unwrap();
    lab.wane.server.kill_9().unwrap();
    // As if the machine had lost what was not synced: the journals have it.
    let file = files(&lab.wane.server.data().join("recordings")).remove(0);
    let written = fs::read(&file).unwrap();
    fs::write(&file, &written[..written.len() / 2]).unwrap();
    lab.wane.server.start().unwrap();
    wait_until("the gap to be written down", SOON, || !noted(&lab, &maya.grant, "recording.gap").is_empty()).unwrap();
    let gap = noted(&lab, &maya.grant, "recording.gap").remove(0);
    assert_eq!((&gap["detail"]["state"], &gap["outcome"]), (&Value::from("cut"), &Value::from("failed")), "{gap:#}");
    let played = lab.wane.ada.run(&["replay", &session, "--events"]).unwrap();
    assert!(played.stdout.contains("data target kanarienvogel") && played.stdout.contains("end cut"), "{played:?}");
    // What is left is what was written, and says that there is no more.
    let verified = lab.wane.ada.json(&["recording", "verify", &session]).unwrap();
    assert_eq!((&verified["whole"], &verified["has_end"]), (&Value::from(true), &Value::from(false)), "{verified:#}");
}

/// A file system of its own, that is soon full.
struct Small(PathBuf);

impl Small {
    fn mounted(at: PathBuf, size: &str) -> Self {
        fs::create_dir_all(&at).unwrap();
        let size = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(&at).status().unwrap();
        assert!(mounted.success(), "a small file system is needed, and root to make it");
        Self(at)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_closes_what_must_be_recorded_and_ends_nothing_else() {
    let folder = std::env::temp_dir().join(format!("wane-small-{}", std::process::id()));
    // The two journals take 32 MiB; the rest is soon full of what does not get smaller.
    let small = Small::mounted(folder, "36m");
    let recordings = small.0.join("recordings");
    let builder = WaneServer::builder().set("recording.folder", &recordings.display().to_string());
    let lab = Lab::built(builder, TERMINAL, &[]);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let cut = maya.run("head -c 64000000 /dev/urandom | base64");
    assert!(!cut.success() && cut.stderr.contains("its recording failed"), "{:?} {}", cut.ended, cut.stderr);
    let said = recorded(&lab, &maya.grant);
    assert_eq!(said["state"], "cut", "{said}");
    assert!(said["why"].as_str().unwrap().contains("No space left"), "{said}");
    assert!(said["bytes"].as_u64().unwrap() > 1_000_000, "{said}");
    assert_eq!(noted(&lab, &maya.grant, "recording.gap").len(), 1);
    // None begins while there is no room, and all of it still ends.
    assert!(!maya.run("echo here").stdout.contains("here"));
    lab.wane.ada.json(&["revoke", &maya.grant, "--reason", "over"]).unwrap();
    wait_until("its sessions to be gone", SOON, || {
        let leases = lab.leases(&maya.grant);
        leases.len() == 2 && leases.iter().all(|lease| lease["state"] == "gone")
    })
    .unwrap();
    assert_ne!(lab.wane.grant(&maya.grant)["state"], "active");
}

#[test]
fn an_old_recording_goes_and_that_stays() {
    let builder = WaneServer::builder().with_clock().set("recording.keep", "10m");
    let mut lab = Lab::built(builder, TERMINAL, &[]);
    let maya = lab.comes(&lab.wane.maya, "10m");
    assert!(maya.run("echo kanarienvogel").success());
    lab.tally(&maya.grant);
    let session = session_of(&lab, &maya.grant);
    let folder = lab.wane.server.data().join("recordings");
    // Not before its time.
    lab.wane.server.restart().unwrap();
    assert!(lab.wane.ada.run(&["replay", &session, "--events"]).unwrap().stdout.contains("kanarienvogel"));
    lab.wane.server.set_clock(20 * 60).unwrap();
    lab.wane.server.restart().unwrap();
    wait_until("it to be gone", SOON, || files(&folder).is_empty()).unwrap();
    let deleted = noted(&lab, &maya.grant, "recording.deleted");
    assert_eq!(deleted.len(), 1, "{deleted:#?}");
    assert_eq!(deleted[0]["detail"]["session"], session.as_str());
    let refused = lab.wane.ada.run(&["replay", &session]).unwrap();
    assert!(refused.stderr.contains("deleted when its time was up"), "{refused:?}");
}
