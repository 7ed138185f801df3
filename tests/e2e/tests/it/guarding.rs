//! What people sign for, at a signer that is a process of its own, and how much it signs for whoever asks.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use wane_testkit::{Ended, PersonSession, WaneServer, WaneSigner, ssh_keygen};

use crate::people::{Deployment, POLICY, ask_and_wait, granted, items, text};

const SIGNED: &str = r#"
@id("signed") @max_ttl("1h") @approve("1 of group:approvers") @signature("required")
permit (principal in Group::"engineers", action == Action::"access", resource in Label::"gate=signed");
"#;

/// The binary with these words and the server's settings, as the one user of both.
fn tool(server: &WaneServer, tool: &str, words: &[&str]) -> (bool, String) {
    let settings = server.server_words();
    let mut command = Command::new(server.binary());
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", server.folder());
    let done = command.arg("--json").arg(tool).args(&settings[1..]).args(words).output().unwrap();
    (done.status.success(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
}

fn must(server: &WaneServer, name: &str, words: &[&str]) -> Value {
    let (done, said) = tool(server, name, words);
    assert!(done, "wane {name} {words:?}: {said}");
    serde_json::from_str(&said).unwrap()
}

/// Makes something in the signer's folder and gives the server to know of it.
fn made_and_taken(server: &WaneServer, name: &str) -> Value {
    let made = server.folder().join(format!("{name}.made"));
    let put_out = must(server, name, &["new"]);
    fs::write(&made, put_out.to_string()).unwrap();
    must(server, name, &["take", made.to_str().unwrap()])
}

fn with_key(here: &Deployment, name: &str) -> (PersonSession, String, String) {
    let person = here.approver(name);
    let file = person.home().join("id_ed25519");
    ssh_keygen(["-q", "-t", "ed25519", "-N", "", "-f", file.to_str().unwrap()]).unwrap();
    let public = format!("{}.pub", file.display());
    let entered = person.json(&["approver-key", "add", &public, "--name", "laptop"]).unwrap();
    (person, file.display().to_string(), entered.to_string())
}

/// A signing request for a new key.
fn csr(here: &Deployment) -> String {
    let (key, out) = (here.server.folder().join("holder.key"), here.server.folder().join("holder.csr"));
    let done = Command::new("openssl")
        .args(["req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=x"])
        .arg("-keyout")
        .arg(key)
        .arg("-out")
        .arg(&out)
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    json!({ "csr": fs::read_to_string(out).unwrap() }).to_string()
}

fn credential(here: &Deployment, grant: &str, input: &str) -> Result<Value, String> {
    let outcome = here.maya.run(&["--json", "credential", grant, "--input", input]).unwrap();
    match outcome.ended {
        Ended::Code(0) => Ok(serde_json::from_str(&outcome.stdout).unwrap()),
        _ => Err(outcome.stderr),
    }
}

/// Certificates and tokens are signed by a signer of its own, and what is guarded of them by nobody's word but that of those
/// whose keys it knows: here the server holds approvals that count for it, and asks in good faith.
#[test]
fn a_signer_of_its_own_sees_for_itself_who_signed_for_a_certificate_or_token() {
    let mut signer = WaneSigner::prepare(None).unwrap();
    let mut here = Deployment::on(WaneServer::builder().signer(&signer, None).prepare().unwrap());
    signer.run(&["init", "--org", &here.server.org().unwrap()]).unwrap();
    here.server.stop().unwrap();
    let all = made_and_taken(&here.server, "authority");
    assert_eq!(all["items"][0]["state"], "issuing", "{all}");
    let all = made_and_taken(&here.server, "token-key");
    assert_eq!(all["items"][0]["state"], "signing", "{all}");
    // What is taken is an authority with that key, and once.
    let path = here.server.folder().join("authority.made");
    let (done, said) = tool(&here.server, "authority", &["take", path.to_str().unwrap()]);
    assert!(!done && said.contains("already"), "{said}");
    let mut other: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    other["authority"]["purpose"] = json!("x509-ca-b");
    other["key"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    fs::write(&path, other.to_string()).unwrap();
    let (done, said) = tool(&here.server, "authority", &["take", path.to_str().unwrap()]);
    assert!(!done && said.contains("another key"), "{said}");
    signer.start().unwrap();
    here.server.start().unwrap();

    here.load(&format!("{POLICY}{SIGNED}"));
    let add = |name: &str, kind: &str, settings: &Value| {
        let settings = settings.to_string();
        let words = ["resource", "add", name, "--kind", kind, "--label", "gate=signed", "--settings", &settings];
        text(&here.ada.json(&words).unwrap()["id"])
    };
    add("db", "x509", &json!({}));
    let api = add("orders", "oauth", &json!({ "audience": "https://orders.example" }));
    here.ada
        .json(&["role", "add", "x509/serve", "--set", "use=server", "--set", r#"dns_names=["db.example"]"#])
        .unwrap();
    here.ada.json(&["role", "add", "oauth/write", "--set", r#"scopes=["orders.write"]"#]).unwrap();
    let (omar, omars, entered) = with_key(&here, "omar");
    let entered: Value = serde_json::from_str(&entered).unwrap();
    let (key, person) = (text(&entered["id"]), text(&entered["person_id"]));
    signer.run(&["enrol", &key, "--person", &person, "--public", &format!("{omars}.pub")]).unwrap();
    let (nina, ninas, _) = with_key(&here, "nina");

    // What is guarded is named as it stands in what is signed, and where the name does not say whose it is, that is said.
    for (words, why) in [
        (&["guard", "x509:dns:*"][..], "names nothing that is signed"),
        (&["guard", "oauth:orders.write@https://orders.example"], "--at RESOURCE"),
    ] {
        let said = signer.run(words).unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
    }
    signer.run(&["guard", "x509:dns:DB.example", "--most", "1h"]).unwrap();
    signer.run(&["guard", "oauth:orders.write@https://orders.example", "--at", &api, "--most", "1h"]).unwrap();

    let csr = csr(&here);
    for (item, input) in [("serve@db", csr.as_str()), ("write@orders", "{}")] {
        let approved = |by: &PersonSession, with: &str, minutes: &str| {
            let request = ask_and_wait(&here.maya, item, minutes);
            let decided = by.json(&["approve", &request, "--sign-with", with]).unwrap();
            text(&decided["items"][0]["grant"])
        };
        // For the server Nina's signature counts as well as Omar's.
        let grant = approved(&nina, &ninas, "10m");
        let why = credential(&here, &grant, input).unwrap_err();
        assert!(why.contains("0 of 1 signed it"), "{item}: {why}");
        let log = here.ada.json(&["log", "--event", "signer.refused", "--grant", &grant, "--all"]).unwrap();
        assert_eq!(items(&log)[0]["detail"]["refused"], "unsigned", "{log}");
        here.maya.json(&["done", &grant]).unwrap();
        let grant = approved(&omar, &omars, "11m");
        for _ in 0..2 {
            credential(&here, &grant, input).unwrap_or_else(|e| panic!("{item}: {e}\n{}", signer.log()));
        }
        here.maya.json(&["done", &grant]).unwrap();
        // What is out runs out by itself: nobody can be asked whether it is refused.
        assert_eq!(here.grant(&grant)["state"], "ending");
    }
    // What publishes whether something is revoked goes on with the same key.
    let list = Command::new("curl")
        .args(["-fsS", &format!("{}/v1/published/x509/crl.pem", here.server.url())])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&list.stdout).contains("BEGIN X509 CRL"), "{list:?}");
    // A key that is taken away signs nothing more, and the rest goes on.
    signer.stop().unwrap();
    assert!(signer.run(&["discard", "ssh-user-ca"]).is_err());
    signer.run(&["discard", "oauth-token-a"]).unwrap();
    signer.start().unwrap();
    let grant = {
        let request = ask_and_wait(&here.maya, "serve@db", "12m");
        let decided = omar.json(&["approve", &request, "--sign-with", &omars]).unwrap();
        text(&decided["items"][0]["grant"])
    };
    let mut last = Err(String::new());
    wane_testkit::wait_until("a certificate", crate::people::SOON, || {
        last = credential(&here, &grant, &csr);
        last.is_ok()
    })
    .unwrap_or_else(|e| panic!("{e}: {last:?}\n{}", here.server.log()));
}

/// However much is asked for, a key signs so much in a minute; that it was asked for more is said, and everything ends.
#[test]
fn a_key_signs_so_much_in_a_minute_and_that_more_was_asked_for_is_said() {
    let mut here = Deployment::with(WaneServer::builder());
    here.server.stop().unwrap();
    here.server.set("signer.most_per_minute", "2");
    here.server.start().unwrap();
    here.load(&format!("{POLICY}{SIGNED}"));
    here.deploy_role();
    here.paper_host("web", "gate=open");
    let file = here.maya.home().join("held");
    ssh_keygen(["-q", "-t", "ed25519", "-N", "", "-f", file.to_str().unwrap()]).unwrap();
    let line = fs::read_to_string(file.with_extension("pub")).unwrap();
    let input = json!({ "public_key": line.trim() }).to_string();
    let grant = granted(&here.maya, "deploy@web", "10m");
    let mut refused = None;
    for _ in 0..20 {
        if let Err(why) = credential(&here, &grant, &input) {
            refused = Some(why);
            break;
        }
    }
    let why = refused.expect("twenty certificates at once");
    assert!(why.contains("as often as it may"), "{why}");
    let said = here.ada.run(&["--json", "doctor"]).unwrap();
    let said: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|e| panic!("{e}: {said:?}"));
    let checks = said["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["what"] == "signer").unwrap_or_else(|| panic!("{said}"));
    assert_eq!(check["verdict"], "warn", "{check}");
    let log = here.ada.json(&["log", "--event", "signer.refused", "--grant", &grant, "--all"]).unwrap();
    assert_eq!(items(&log)[0]["detail"]["refused"], "too-many", "{log}");
    here.maya.json(&["done", &grant]).unwrap();
    assert_eq!(here.grant(&grant)["state"], "ending");
    // What the signer knows by itself says so too.
    here.server.stop().unwrap();
    let shown = must(&here.server, "signer", &["show"]);
    assert_eq!(shown["limited"]["ssh-user-ca"]["minutes"], 1, "{shown}");
}
