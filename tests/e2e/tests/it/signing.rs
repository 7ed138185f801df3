//! Approving by SSH key: a file, an agent, by hand; what is kept is checked by `ssh-keygen` and by anybody.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use wane_testkit::{Interactive, PersonSession, ssh_keygen};

use crate::people::{Deployment, POLICY, SOON, ask_and_wait, refused, text};

const SIGNED: &str = r#"
@id("signed") @max_ttl("1h") @approve("1 of group:approvers") @signature("required")
permit (principal in Group::"engineers", action == Action::"access", resource in Label::"gate=signed");
"#;

fn deployment() -> Deployment {
    let here = Deployment::new();
    here.load(&format!("{POLICY}{SIGNED}"));
    here.deploy_role();
    here.paper_host("web", "gate=signed");
    here
}

fn key(person: &PersonSession, name: &str, sort: &str) -> PathBuf {
    let path = person.home().join(name);
    ssh_keygen(["-q", "-t", sort, "-N", "", "-C", "a comment", "-f", path.to_str().unwrap()]).unwrap();
    path
}

fn public(key: &Path) -> String {
    format!("{}.pub", key.display())
}

fn enter(person: &PersonSession, key: &Path) -> String {
    text(&person.json(&["approver-key", "add", &public(key), "--name", "laptop"]).unwrap()["id"])
}

#[test]
fn an_approval_is_signed_by_a_file_by_an_agent_or_by_hand() {
    let here = deployment();
    let omar = here.approver("omar");
    let file = key(&omar, "id_ed25519", "ed25519");
    let id = enter(&omar, &file);
    let with = file.to_str().unwrap();

    // Without a signature it is none, and the words say what to do.
    let first = ask_and_wait(&here.maya, "deploy@web", "10m");
    let said = refused(&omar, &["approve", &first], 2);
    assert!(said.contains("--sign-with") && said.contains("/approve/req_"), "{said}");
    assert_eq!(here.maya.json(&["requests", &first]).unwrap()["items"][0]["needs_signatures"], true);
    let why = here.maya.json(&["why", "deploy@web", "--for", "10m"]).unwrap().to_string();
    assert!(why.contains("each approval signed"), "{why}");

    // By a file.
    let decided = omar.json(&["approve", &first, "--sign-with", with]).unwrap();
    assert_eq!(decided["state"], "approved", "{decided}");

    // By an agent, which has the key and the file is gone.
    let agent =
        Interactive::spawn(Command::new("ssh-agent").args(["-D", "-a"]).arg(omar.home().join("agent"))).unwrap();
    let socket = omar.home().join("agent");
    wane_testkit::wait_until("the agent", SOON, || UnixStream::connect(&socket).is_ok()).unwrap();
    let added = Command::new("ssh-add").arg("-q").arg(&file).env("SSH_AUTH_SOCK", &socket).status().unwrap();
    assert!(added.success());
    fs::rename(&file, omar.home().join("elsewhere")).unwrap();
    let second = ask_and_wait(&here.maya, "deploy@web", "20m");
    let mut approves = omar.command(&["--json", "approve", &second, "--sign-with", "agent", "--for", "5m"]);
    let done = approves.env("SSH_AUTH_SOCK", &socket).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stderr).contains("you sign: maya may have deploy@web for 5m"));
    let child: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&child["state"], &child["duration"]["secs"]), (&"approved".into(), &300.into()));
    drop(agent);

    // By hand.
    fs::rename(omar.home().join("elsewhere"), &file).unwrap();
    let third = ask_and_wait(&here.maya, "deploy@web", "30m");
    let printed = omar.run(&["approve", &third, "--print-to-sign"]).unwrap();
    let message = omar.home().join("to-sign");
    fs::write(&message, &printed.stdout).unwrap();
    assert!(printed.stdout.starts_with("wane.approval.v1\n{") && printed.stdout.ends_with('}'), "{printed:?}");
    ssh_keygen(["-q", "-Y", "sign", "-n", "wane-approval@wane", "-f", with, message.to_str().unwrap()]).unwrap();
    let signature = format!("{}.sig", message.display());
    let decided = omar.json(&["approve", &third, "--signature", &signature]).unwrap();
    assert_eq!(decided["state"], "approved");
    // Once.
    refused(&omar, &["approve", &third, "--signature", &signature], 2);
    let fourth = ask_and_wait(&here.maya, "deploy@web", "40m");
    refused(&omar, &["approve", &fourth, "--signature", &signature], 2);

    // The story has what anybody needs, without us: `ssh-keygen` says so, and so does the program offline.
    let grant = text(&decided["items"][0]["grant"]);
    let story = here.maya.json(&["story", &grant]).unwrap();
    let kept = find(&story).unwrap_or_else(|| panic!("{story}"));
    let allowed = omar.home().join("allowed");
    let line = text(&kept["key"]["ssh"]);
    fs::write(&allowed, format!("omar namespaces=\"wane-approval@wane\" {line}\n")).unwrap();
    fs::write(omar.home().join("kept.sig"), text(&kept["signature"]["ssh"])).unwrap();
    fs::write(omar.home().join("kept"), text(&kept["statement"])).unwrap();
    let judged = Command::new("ssh-keygen")
        .args(["-Y", "verify", "-f", "allowed", "-I", "omar", "-n", "wane-approval@wane", "-s", "kept.sig"])
        .current_dir(omar.home())
        .stdin(Stdio::from(fs::File::open(omar.home().join("kept")).unwrap()))
        .output()
        .unwrap();
    assert!(judged.status.success(), "{judged:?}");
    let offline = here.server.person("nobody").unwrap();
    let good = offline.run_with(&["--json", "approval", "verify", "-"], &story.to_string()).unwrap();
    assert!(good.success() && good.stdout.contains(&text(&decided["digest"])), "{good:?}");
    let forged = story.to_string().replace("\\\"stage\\\":0", "\\\"stage\\\":1");
    assert_ne!(forged, story.to_string());
    assert!(!offline.run_with(&["approval", "verify", "-"], &forged).unwrap().success());

    // Taken away, it approves nothing any more, and what it approved and nobody began is void.
    omar.json(&["approver-key", "remove", &id]).unwrap();
    refused(&omar, &["approve", &fourth, "--sign-with", with], 2);
    let listed = omar.json(&["approver-key", "list"]).unwrap();
    assert!(listed["items"][0]["removed"].is_string(), "{listed}");
    let unbegun = here.maya.run(&["credential", &grant]).unwrap();
    assert!(!unbegun.success(), "{unbegun:?}");
    let events = here.ada.json(&["log", "--event", "approver_key.removed", "--all"]).unwrap();
    assert_eq!(events["items"].as_array().map(Vec::len), Some(1));
}

/// A signed approval anywhere in a document.
fn find(value: &Value) -> Option<&Value> {
    match value {
        Value::Object(map) if map.contains_key("statement") && map.contains_key("signature") => Some(value),
        Value::Object(map) => map.values().find_map(find),
        Value::Array(list) => list.iter().find_map(find),
        _ => None,
    }
}

#[test]
fn a_key_is_its_persons_and_private_keys_go_nowhere() {
    let here = deployment();
    let (omar, nina) = (here.approver("omar"), here.approver("nina"));
    let file = key(&omar, "id_ecdsa", "ecdsa");
    let private = refused(&omar, &["approver-key", "add", file.to_str().unwrap()], 2);
    assert!(private.contains("private key, which goes nowhere"), "{private}");
    let id = enter(&omar, &file);
    let taken = refused(&nina, &["approver-key", "add", &public(&file)], 5);
    assert!(taken.contains("somebody else's"), "{taken}");
    // Others neither see nor remove it; an administrator may remove it, and enter none in another's name.
    refused(&nina, &["approver-key", "list", "omar"], 3);
    refused(&nina, &["approver-key", "remove", &id, "--person", "omar"], 3);
    here.ada.json(&["approver-key", "remove", &id, "--person", "omar"]).unwrap();
    let rsa = key(&omar, "id_rsa", "rsa");
    let weak = refused(&omar, &["approver-key", "add", &public(&rsa)], 2);
    assert!(weak.contains("use ed25519, ecdsa"), "{weak}");
}

/// Killed at each step of what is new: it is there whole or not at all, and said again it is there.
#[test]
fn a_key_and_what_it_signed_are_there_whole_or_not_at_all() {
    let mut here = Deployment::with(wane_testkit::WaneServer::builder().failpoints());
    here.load(&format!("{POLICY}{SIGNED}"));
    here.deploy_role();
    here.paper_host("web", "gate=signed");
    let omar = here.approver("omar");
    for side in ["before", "after"] {
        let there = side == "after";
        let file = key(&omar, &format!("key-{side}"), "ed25519");
        let with = file.to_str().unwrap().to_owned();
        dies(
            &mut here,
            &format!("app.approver_key.add.commit:{side}"),
            &omar,
            &["approver-key", "add", &public(&file)],
        );
        let keys = |omar: &PersonSession| {
            let listed = omar.json(&["approver-key", "list"]).unwrap();
            let all = listed["items"].as_array().unwrap().clone();
            all.into_iter().filter(|key| key["removed"].is_null()).map(|key| text(&key["id"])).collect::<Vec<_>>()
        };
        assert_eq!(keys(&omar).len(), usize::from(there), "{side}");
        if !there {
            enter(&omar, &file);
        }
        // The signature is lost with the server before its commit, and kept after it; drafts are memory only.
        let request = ask_and_wait(&here.maya, "deploy@web", if there { "11m" } else { "12m" });
        dies(&mut here, &format!("app.approve.commit:{side}"), &omar, &["approve", &request, "--sign-with", &with]);
        let state = text(&here.ada.json(&["requests", &request]).unwrap()["state"]);
        assert_eq!(state, if there { "approved" } else { "waiting" }, "{side}");
        if !there {
            assert_eq!(omar.json(&["approve", &request, "--sign-with", &with]).unwrap()["state"], "approved");
        }
        let id = keys(&omar).remove(0);
        dies(&mut here, &format!("app.approver_key.remove.commit:{side}"), &omar, &["approver-key", "remove", &id]);
        assert_eq!(keys(&omar).len(), usize::from(!there), "{side}");
        if !there {
            omar.json(&["approver-key", "remove", &id]).unwrap();
        }
    }
}

/// Somebody says something over which the server dies; it is started again.
fn dies(here: &mut Deployment, place: &str, person: &PersonSession, words: &[&str]) {
    here.server.plan(&format!("{place}=kill")).unwrap();
    let outcome = person.run(words).unwrap();
    wane_testkit::wait_until("the server to be dead", SOON, || here.server.died().is_some())
        .unwrap_or_else(|e| panic!("{place}: {e}: {outcome:?}"));
    here.server.plan("").unwrap();
    here.server.start().unwrap();
}

/// What the signer guards it signs for nobody but whom people signed for, whatever policy grants.
#[test]
fn what_the_signer_guards_is_issued_only_to_whom_people_signed_for() {
    let mut here = deployment();
    here.paper_host("free", "gate=open");
    let omar = here.approver("omar");
    let file = key(&omar, "id_ed25519", "ed25519");
    let id = enter(&omar, &file);
    let held = key(&here.maya, "held", "ed25519");
    let input = serde_json::json!({ "public_key": fs::read_to_string(public(&held)).unwrap().trim() }).to_string();
    here.server.stop().unwrap();
    let settings: Vec<String> = here.server.server_words().into_iter().skip(1).collect();
    let signer = |words: &[&str]| {
        let all = [&["--json", "signer"][..], &settings.iter().map(String::as_str).collect::<Vec<_>>(), words].concat();
        let outcome = here.ada.run(&all).unwrap();
        assert!(outcome.success(), "{words:?}: {outcome:?}");
        serde_json::from_str::<Value>(&outcome.stdout).unwrap()
    };
    signer(&["guard", "deploy@web", "--quorum", "1", "--most", "1h"]);
    let shown = signer(&["guard", "deploy@free", "--quorum", "1"]);
    assert_eq!(shown["guards"].as_object().map(serde_json::Map::len), Some(2), "{shown}");
    here.server.start().unwrap();

    // Policy alone grants it, and the signer does not.
    let free = crate::people::granted(&here.maya, "deploy@free", "10m");
    let outcome = here.maya.run(&["credential", &free, "--input", &input]).unwrap();
    assert!(!outcome.success() && outcome.stderr.contains("people have to sign for this"), "{outcome:?}");
    // Signed for by a key that the signer does not know, neither.
    let request = ask_and_wait(&here.maya, "deploy@web", "10m");
    let decided = omar.json(&["approve", &request, "--sign-with", file.to_str().unwrap()]).unwrap();
    let grant = text(&decided["items"][0]["grant"]);
    let outcome = here.maya.run(&["credential", &grant, "--input", &input]).unwrap();
    assert!(!outcome.success() && outcome.stderr.contains("0 of 1 signed it"), "{outcome:?}");

    // Once it does, what is signed from then on is issued.
    here.server.stop().unwrap();
    let signer = |words: &[&str]| {
        let all = [&["--json", "signer"][..], &settings.iter().map(String::as_str).collect::<Vec<_>>(), words].concat();
        let outcome = here.ada.run(&all).unwrap();
        assert!(outcome.success(), "{words:?}: {outcome:?}");
    };
    signer(&["enrol", &id]);
    signer(&["release", "deploy@free"]);
    here.server.start().unwrap();
    let request = ask_and_wait(&here.maya, "deploy@web", "20m");
    let decided = omar.json(&["approve", &request, "--sign-with", file.to_str().unwrap()]).unwrap();
    let grant = text(&decided["items"][0]["grant"]);
    for _ in 0..2 {
        here.maya.json(&["credential", &grant, "--input", &input]).unwrap();
    }
    here.maya.json(&["credential", &free, "--input", &input]).unwrap();
    // Given back, nothing more is issued.
    here.maya.json(&["done", &grant]).unwrap();
    assert!(!here.maya.run(&["credential", &grant, "--input", &input]).unwrap().success());
}
