//! A signer that is a process of its own: absent, killed, hanging, another's; and what the server does without it.

use std::fs;
use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use wane_testkit::{Apart, Ended, PersonSession, WaneServer, WaneSigner, ssh_keygen, wait_until};

use crate::people::{Deployment, POLICY, SOON, ask_and_wait, granted, refused, text};

/// Two users that are nobody's.
const USERS: Apart = Apart { signer: 64_001, server: 64_002 };

const SIGNED: &str = r#"
@id("signed") @max_ttl("1h") @approve("1 of group:approvers") @signature("required")
permit (principal in Group::"engineers", action == Action::"access", resource in Label::"gate=signed");
"#;

fn furnish(here: &Deployment) {
    here.load(&format!("{POLICY}{SIGNED}"));
    here.deploy_role();
    for host in ["free", "spare", "brief"] {
        here.paper_host(host, "gate=open");
    }
    here.paper_host("web", "gate=signed");
}

/// What a certificate is asked for with.
fn input(person: &PersonSession) -> String {
    let path = person.home().join("held");
    if !path.exists() {
        ssh_keygen(["-q", "-t", "ed25519", "-N", "", "-f", path.to_str().unwrap()]).unwrap();
    }
    let line = fs::read_to_string(path.with_extension("pub")).unwrap();
    serde_json::json!({ "public_key": line.trim() }).to_string()
}

fn certificate(here: &Deployment, grant: &str) -> Result<String, String> {
    let outcome = here.maya.run(&["--json", "credential", grant, "--input", &input(&here.maya)]).unwrap();
    if outcome.ended == Ended::Code(0) {
        let handed: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        return Ok(text(&handed["public"]["certificate"]));
    }
    Err(outcome.stderr)
}

fn wait_certificate(here: &Deployment, grant: &str) -> String {
    let mut last = Err(String::new());
    wait_until("a certificate", SOON, || {
        last = certificate(here, grant);
        last.is_ok()
    })
    .unwrap_or_else(|e| panic!("{e}: {last:?}\n{}", here.server.log()));
    last.unwrap()
}

/// Which authority signed it, as OpenSSH reads it.
fn authority(here: &Deployment, certificate: &str) -> String {
    let path = here.maya.home().join("held-cert.pub");
    fs::write(&path, certificate).unwrap();
    let shown = ssh_keygen(["-L", "-f", path.to_str().unwrap()]).unwrap();
    let line = shown.stdout.lines().find(|line| line.contains("Signing CA")).unwrap_or_else(|| panic!("{shown:?}"));
    line.trim().to_owned()
}

fn issued(here: &Deployment, grant: &str) -> usize {
    here.events(grant).iter().filter(|event| *event == "credential.issued").count()
}

/// What the server's user gets to read of a file.
fn readable(path: &Path, user: u32) -> bool {
    Command::new("cat").arg(path).uid(user).gid(user).output().unwrap().status.success()
}

/// Whether `wane doctor` says that the signer fails; none where it says nothing of it.
fn signer_fails(here: &Deployment) -> Option<bool> {
    let said = here.ada.run(&["--json", "doctor"]).unwrap();
    let said: serde_json::Value = serde_json::from_str(&said.stdout).unwrap_or_else(|e| panic!("{e}: {said:?}"));
    let checks = said["checks"].as_array().unwrap();
    checks.iter().find(|check| check["what"] == "signer").map(|check| check["verdict"] == "fail")
}

#[test]
fn a_server_serves_and_ends_whatever_becomes_of_its_signer() {
    let mut signer = WaneSigner::prepare(Some(USERS)).unwrap();
    let here = Deployment::on(WaneServer::builder().signer(&signer, Some(USERS)).prepare().unwrap());
    furnish(&here);

    // Absent from the start: what it signs is refused, with what to do; everything else goes on, and ends.
    let grant = granted(&here.maya, "deploy@free", "10m");
    let why = certificate(&here, &grant).unwrap_err();
    assert!(why.contains("the signer does not answer") && why.contains("wane signer serve"), "{why}");
    here.maya.json(&["done", &grant]).unwrap();
    here.wait_closed(&grant);
    assert_eq!(issued(&here, &grant), 0);
    assert_eq!(signer_fails(&here), Some(true), "what is the matter is said");

    // There: the server finds it by itself.
    signer.run(&["init", "--org", &here.server.org().unwrap()]).unwrap();
    assert!(signer.run(&["init", "--org", &here.server.org().unwrap()]).is_err(), "keys were made twice");
    signer.start().unwrap();
    let grant = granted(&here.maya, "deploy@free", "10m");
    let ca = authority(&here, &wait_certificate(&here, &grant));
    assert_eq!(signer_fails(&here), None);

    // INVARIANT of the set-up: the server's user reads none of its files, and nobody else is answered.
    for file in ["signer.keys", "signing.key"] {
        assert!(readable(&signer.data().join(file), USERS.signer), "{file}");
        assert!(!readable(&signer.data().join(file), USERS.server), "{file}");
    }
    let mut told = Vec::new();
    let mut line = UnixStream::connect(signer.socket()).unwrap();
    line.set_read_timeout(Some(SOON)).unwrap();
    line.read_to_end(&mut told).unwrap();
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(told.contains("it speaks to user id 64002 only"), "{told}");

    // Hanging: refused within its time, while others are served and what is over ends.
    signer.hang().unwrap();
    let (other, ending) = (granted(&here.maya, "deploy@spare", "9m"), granted(&here.maya, "deploy@brief", "9m"));
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| certificate(&here, &other));
        here.maya.json(&["done", &ending]).unwrap();
        here.wait_closed(&ending);
        let why = asked.join().unwrap().unwrap_err();
        assert!(why.contains("the signer does not answer"), "{why}");
    });
    assert_eq!(issued(&here, &other), 0);
    signer.go_on().unwrap();
    wait_certificate(&here, &other);

    // Killed and there again, with the same keys.
    signer.kill_9().unwrap();
    wait_until("the server to notice", SOON, || certificate(&here, &other).is_err()).unwrap();
    let ending = granted(&here.maya, "deploy@brief", "8m");
    here.ada.json(&["revoke", &ending, "--reason", "meanwhile"]).unwrap();
    here.wait_closed(&ending);
    signer.start().unwrap();
    assert_eq!(authority(&here, &wait_certificate(&here, &other)), ca);

    // With other keys it is another's, until somebody says that it is meant.
    signer.stop().unwrap();
    for file in ["signer.keys", "signer.root", "signing.key"] {
        fs::rename(signer.data().join(file), signer.data().join(format!("{file}.kept"))).unwrap();
    }
    signer.run(&["init", "--org", &here.server.org().unwrap()]).unwrap();
    signer.start().unwrap();
    wait_until("the server to refuse it", SOON, || here.server.log().contains("is not the one that was there before"))
        .unwrap_or_else(|e| panic!("{e}: {}", here.server.log()));
    assert!(certificate(&here, &other).is_err());
    here.maya.json(&["done", &other]).unwrap();
    assert_eq!(here.grant(&other)["state"], "ending");
}

/// Killed at each step of signing what people signed for: no certificate without its record, and what was used stays
/// used, for this grant and no other.
#[test]
fn a_signer_killed_over_what_it_signs_leaves_nothing_half_done() {
    let mut signer = WaneSigner::prepare(None).unwrap();
    let here = Deployment::on(WaneServer::builder().signer(&signer, None).prepare().unwrap());
    signer.run(&["init", "--org", &here.server.org().unwrap()]).unwrap();
    signer.start().unwrap();
    furnish(&here);
    let omar = here.approver("omar");
    let file = omar.home().join("id_ed25519");
    ssh_keygen(["-q", "-t", "ed25519", "-N", "", "-f", file.to_str().unwrap()]).unwrap();
    let public = format!("{}.pub", file.display());
    let entered = omar.json(&["approver-key", "add", &public, "--name", "laptop"]).unwrap();
    let (key, person) = (text(&entered["id"]), text(&entered["person_id"]));
    let hosts = here.ada.json(&["resource", "list"]).unwrap();
    let host = hosts["items"].as_array().unwrap().iter().find(|host| host["name"] == "web").unwrap();
    // While it runs; it does not see the store, and says what it needs to be told.
    assert!(signer.run(&["enrol", &key]).unwrap_err().to_string().contains("`--person` and `--public`"));
    signer.run(&["enrol", &key, "--person", &person, "--public", &public]).unwrap();
    signer.run(&["guard", &format!("deploy@{}", text(&host["id"])), "--most", "1h"]).unwrap();

    for (n, place) in
        ["signer.root.write:before", "signer.root.write:after", "signer.reply:before", "signer.reply:after"]
            .iter()
            .enumerate()
    {
        let request = ask_and_wait(&here.maya, "deploy@web", &format!("{}m", 10 + n));
        let decided = omar.json(&["approve", &request, "--sign-with", file.to_str().unwrap()]).unwrap();
        let grant = text(&decided["items"][0]["grant"]);
        signer.plan(&format!("{place}=kill")).unwrap();
        let got = certificate(&here, &grant);
        wait_until("the signer to be dead", SOON, || signer.died().is_some())
            .unwrap_or_else(|e| panic!("{place}: {e}: {got:?}"));
        assert!(got.is_err() || *place == "signer.reply:after", "{place}: {got:?}");
        assert_eq!(issued(&here, &grant), usize::from(got.is_ok()), "{place}");
        signer.plan("").unwrap();
        signer.start().unwrap();
        wait_certificate(&here, &grant);
        assert_eq!(issued(&here, &grant), 1 + usize::from(got.is_ok()), "{place}");
        here.maya.json(&["done", &grant]).unwrap();
        assert!(certificate(&here, &grant).is_err(), "{place}");
    }
    longer(&here, &omar, &file);
    vouch(&here, &omar, &file);
}

/// More time is asked for, signed for by the same people, and the signer gives it.
fn longer(here: &Deployment, omar: &PersonSession, file: &Path) {
    let sign = |request: &str| omar.json(&["approve", request, "--sign-with", file.to_str().unwrap()]).unwrap();
    let decided = sign(&ask_and_wait(&here.maya, "deploy@web", "5m"));
    let grant = text(&decided["items"][0]["grant"]);
    let until = || {
        let handed = here.maya.json(&["credential", &grant, "--input", &input(&here.maya)]).unwrap();
        text(&handed["not_after"]).parse::<jiff::Timestamp>().unwrap()
    };
    let first = until();
    let words = ["extend", &grant, "--for", "4m", "--reason", "not done yet"];
    let more = text(&here.maya.json_with_code(&words, 6).unwrap()["id"]);
    assert_eq!(until(), first, "nobody signed for more");
    sign(&more);
    assert_eq!(until().duration_since(first), jiff::SignedDuration::from_mins(4));
    here.maya.json(&["done", &grant]).unwrap();
}

/// Somebody whose key counts vouches for another's, which then counts; nobody else's word does that.
fn vouch(here: &Deployment, omar: &PersonSession, omars: &Path) {
    let enter = |name: &str| {
        let person = here.approver(name);
        let file = person.home().join("id_ed25519");
        ssh_keygen(["-q", "-t", "ed25519", "-N", "", "-f", file.to_str().unwrap()]).unwrap();
        let public = format!("{}.pub", file.display());
        let key = text(&person.json(&["approver-key", "add", &public, "--name", "laptop"]).unwrap()["id"]);
        (person, file.display().to_string(), key)
    };
    let (nina, ninas, key) = enter("nina");
    let (oleg, olegs, olegs_key) = enter("oleg");
    // Neither by themselves nor by somebody whose key does not count, though the server knows them all.
    for (person, with, id) in [(&nina, &ninas, &key), (&oleg, &olegs, &key), (&nina, &ninas, &olegs_key)] {
        let said = refused(person, &["approver-key", "vouch", id, "--sign-with", with], 3);
        assert!(said.contains("who vouches is not known here"), "{said}");
    }
    let said = refused(&here.maya, &["approver-key", "vouch", &key], 2);
    assert!(said.contains("only who has one vouches"), "{said}");

    let granted_by = |minutes: &str| {
        let request = ask_and_wait(&here.maya, "deploy@web", minutes);
        let decided = nina.json(&["approve", &request, "--sign-with", &ninas]).unwrap();
        text(&decided["items"][0]["grant"])
    };
    let early = granted_by("21m");
    let why = certificate(here, &early).unwrap_err();
    assert!(why.contains("0 of 1 signed it"), "{why}");
    let vouched = omar.json(&["approver-key", "vouch", &key, "--sign-with", omars.to_str().unwrap()]).unwrap();
    assert_eq!((&vouched["have"], &vouched["of"], &vouched["counts"]), (&1.into(), &1.into(), &true.into()));
    // For what is signed from now on, and not for what was signed before.
    assert!(certificate(here, &early).is_err());
    certificate(here, &granted_by("22m")).unwrap();

    let heard = here.ada.json(&["log", "--event", "approver_key.heard", "--all"]).unwrap();
    let outcomes: Vec<&str> = heard["items"].as_array().unwrap().iter().filter_map(|r| r["outcome"].as_str()).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "denied").count(), 3, "{heard}");
    assert_eq!(outcomes.len(), 4, "{heard}");
    let said = here.ada.json(&["log", "--event", "approver_key.vouched", "--all"]).unwrap();
    let last = said["items"].as_array().unwrap().last().or(said["items"].as_array().unwrap().first()).unwrap();
    assert!(
        last["detail"]["voucher"].as_str().is_some_and(|text| text.starts_with("wane.approver-key.v1\n")),
        "{last}"
    );
}

/// The keys of a server go to a signer of its own, whole or not at all, and what was guarded is guarded.
#[test]
fn a_server_with_a_signer_of_its_own_has_no_key_that_issues() {
    let mut signer = WaneSigner::prepare(None).unwrap();
    let mut here = Deployment::with(WaneServer::builder().failpoints());
    furnish(&here);
    let grant = granted(&here.maya, "deploy@free", "30m");
    let ca = authority(&here, &wait_certificate(&here, &grant));
    here.server.stop().unwrap();
    let own = |here: &Deployment, words: &[&str]| {
        let settings: Vec<String> = here.server.server_words().into_iter().skip(1).collect();
        let all: Vec<&str> =
            ["signer"].into_iter().chain(settings.iter().map(String::as_str)).chain(words.iter().copied()).collect();
        let mut command = here.ada.command(&all);
        command.env("WANE_FAILPOINTS", format!("@{}", here.server.folder().join("failpoints").display()));
        command.output().unwrap()
    };
    assert!(own(&here, &["guard", "deploy@web", "--quorum", "2"]).status.success());

    // With the socket set and the keys still there it does not start, and says why.
    for (key, value) in signer.settings() {
        here.server.set(&key, &value);
    }
    let why = here.server.start().unwrap_err().to_string();
    assert!(why.contains("wane signer move"), "{why}");
    for side in ["before", "after"] {
        here.server.plan(&format!("signer.keys.commit:{side}=kill")).unwrap();
        assert!(!own(&here, &["move"]).status.success(), "{side}");
        here.server.plan("").unwrap();
        if side == "before" {
            continue;
        }
        // They are out: there is nothing to move, and nothing to serve without.
        let again = own(&here, &["move"]);
        assert!(!again.status.success(), "{again:?}");
    }
    assert_eq!(signer.run(&["show"]).unwrap()["guards"].as_object().map(serde_json::Map::len), Some(1));
    signer.start().unwrap();
    // Killed over whose keys they are: they are learnt again.
    for side in ["before", "after"] {
        here.server.plan(&format!("signer.pin.commit:{side}=kill")).unwrap();
        // It waits for its signer a moment, and may be there before it knows whose keys they are.
        if here.server.start().is_ok() {
            wait_until("the server to be dead", SOON, || here.server.died().is_some())
                .unwrap_or_else(|e| panic!("{side}: {e}\n{}", here.server.log()));
        }
        here.server.plan("").unwrap();
    }
    here.server.start().unwrap();
    assert_eq!(authority(&here, &wait_certificate(&here, &grant)), ca);
    let pinned = here.ada.json(&["log", "--event", "signer.pinned", "--all"]).unwrap();
    assert_eq!(pinned["items"].as_array().map(Vec::len), Some(1), "{pinned}");
    // Without the socket it has nothing to sign with, and says where it is.
    here.server.stop().unwrap();
    let words = here.server.server_words();
    let (server, settings) = words.split_first().unwrap();
    let plain = settings.chunks(2).filter(|pair| !pair[1].starts_with("signer.")).flatten();
    let words: Vec<&str> = std::iter::once(server).chain(plain).map(String::as_str).collect();
    let said = refused(&here.ada, &words, 1);
    assert!(said.contains("set `signer.socket`"), "{said}");
    // Somebody who takes an old copy for new gets no second signer with the same keys.
    assert!(signer.run(&["serve"]).unwrap_err().to_string().contains("another signer runs"));
}
