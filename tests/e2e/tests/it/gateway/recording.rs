//! What passes is recorded before it passes, and stays whole or says what is missing.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use wane_testkit::{WaneServer, wait_until};

use super::lab::{Lab, TERMINAL};
use crate::people::SOON;

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
