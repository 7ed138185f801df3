//! Programs that ask for a credential in words of their own: git itself, Docker's own client of helpers, Terraform.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use wane_testkit::{Nginx, ServerCertificate};

use super::backends::{pair, python};
use super::lab::Lab;
use crate::people::granted;

/// A program in a folder of its own that runs `wane` with these words in front of its own.
fn script(lab: &Lab, name: &str, words: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = lab.wane.server.folder().join("bin");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\nexec {} {words} \"$@\"\n", lab.wane.server.binary().display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn git(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new("git");
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder).env("GIT_CONFIG_NOSYSTEM", "1");
    command.args(["-c", "user.name=t", "-c", "user.email=t@t.example", "-c", "init.defaultBranch=main"]);
    command.args(words).current_dir(folder).output().unwrap()
}

/// An nginx with a repository that is served as files, for whoever shows the gateway's certificate.
fn served(folder: &Path) -> (Nginx, Value, String) {
    let own = ServerCertificate::generate(folder).unwrap();
    let (cert, private) = pair(folder);
    let nginx = Nginx::application(folder, (own.certificate_path(), own.key_path()), &cert).unwrap();
    let work = folder.join("work");
    fs::create_dir(&work).unwrap();
    fs::write(work.join("file"), "what is in it\n").unwrap();
    let bare = folder.join("www/files/repo.git").display().to_string();
    for words in [
        &["init", "-q"][..],
        &["add", "file"],
        &["commit", "-q", "-m", "one"],
        &["clone", "-q", "--bare", ".", &bare],
        &["-C", &bare, "update-server-info"],
    ] {
        let done = git(&work, words);
        assert!(done.status.success(), "{words:?}: {done:?}");
    }
    let settings = json!({
        "upstream": format!("https://localhost:{}", nginx.port()),
        "upstream_ca": fs::read_to_string(own.ca_path()).unwrap(), "inject": { "as": "client_certificate" },
    });
    let credential = fs::read_to_string(&cert).unwrap() + &fs::read_to_string(&private).unwrap();
    (nginx, settings, credential)
}

#[test]
fn git_is_given_a_key_when_it_is_asked_for_one() {
    let lab = Lab::new();
    // Of its own: whoever serves is nobody, and does not get into that of the server.
    let folder = tempfile::tempdir().unwrap();
    let (nginx, settings, credential) = served(folder.path());
    lab.register("other", &settings, Some(&credential));
    let grant = granted(&lab.wane.maya, "viewer@other", "10m");
    let helper = script(&lab, "git-helper", "key new other --role viewer --format git");
    let url = format!("https://other.localhost:{}/files/repo.git", lab.port);
    let clone = |name: &str, helper: &str| {
        let into = lab.wane.server.folder().join(name);
        let mut command = Command::new("git");
        lab.wane.maya.surround(&mut command);
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_CONFIG_NOSYSTEM", "1");
        command.args(["-c", &format!("credential.helper={helper}"), "-c"]);
        command.arg(format!("http.sslCAInfo={}", lab.ca.display())).arg("-c");
        command.arg(format!("http.curloptResolve=other.localhost:{}:127.0.0.1", lab.port));
        (command.args(["clone", "-q", &url]).arg(&into).output().unwrap(), into)
    };
    let (done, into) = clone("cloned", &helper);
    assert!(done.status.success(), "{done:?}\n{}\n{}", nginx.log(), lab.wane.server.log());
    assert_eq!(fs::read_to_string(into.join("file")).unwrap(), "what is in it\n");
    // Nothing of the key stays with the clone, and nobody gets in without.
    let kept = Command::new("grep").args(["-r", "-l", "wane_key_"]).arg(&into).output().unwrap();
    assert!(kept.stdout.is_empty(), "{kept:?}");
    assert!(!clone("without", "").0.status.success());
    lab.wane.maya.json(&["done", &grant]).unwrap();
    lab.wane.wait_closed(&grant);
}

#[test]
fn dockers_own_client_is_given_a_key_for_its_registry_alone() {
    let lab = Lab::new();
    granted(&lab.wane.maya, "viewer@app", "10m");
    let helper = script(&lab, "docker-credential-wane", "key new app --role viewer --format docker");
    let folder = Path::new(&helper).parent().unwrap();
    let own = format!("app.localhost:{}", lab.port);
    let mut command = python("docker", "docker_store.py");
    lab.wane.maya.surround(&mut command);
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
    command.args([own.as_str(), "registry.example.com", &format!("https://{own}")]);
    let done = command.output().unwrap();
    let said = String::from_utf8(done.stdout.clone()).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    let [first, other, second, list] = lines.as_slice() else { panic!("{done:?}\n{}", lab.wane.server.log()) };
    assert_eq!((*other, *list), ("none", "{}"), "{said}");
    for (line, asked) in [(first, own.clone()), (second, format!("https://{own}"))] {
        let given: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&given["ServerURL"], &given["Username"]), (&json!(asked), &json!("wane")), "{given}");
        // As a client of the registry shows it.
        let user = format!("wane:{}", given["Secret"].as_str().unwrap());
        let guest = lab.guest("app", "docker", String::new());
        let passed = guest.send(&["--user", &user], "/v2/");
        assert_eq!(passed.status, 200, "{passed:?}");
        assert!(!passed.body.to_lowercase().contains("authorization"), "the key went on: {passed:?}");
    }
    // It learns by the answer that a password is wanted; a script in a page is not told so, and no browser asks for one.
    let guest = lab.guest("app", "docker", String::new());
    let asked = guest.get("/v2/");
    assert_eq!((asked.status, asked.header("www-authenticate").as_deref()), (401, Some("Basic realm=\"Wane\"")));
    let page = guest.send(&["-H", "Sec-Fetch-Mode: cors"], "/v2/");
    assert_eq!((page.status, page.header("www-authenticate").as_deref()), (401, Some("Wane")));
}

#[test]
fn terraform_is_given_texts_and_nothing_else() {
    let lab = Lab::new();
    granted(&lab.wane.maya, "viewer@app", "10m");
    let words = ["key", "new", "app", "--role", "viewer", "--format", "terraform"];
    let done = lab.wane.maya.run_with(&words, r#"{"any":"query"}"#).unwrap();
    let said: Value = serde_json::from_str(&done.into_stdout().unwrap()).unwrap();
    assert!(said.as_object().unwrap().values().all(Value::is_string), "{said}");
    let bearer = format!("Authorization: Bearer {}", said["key"].as_str().unwrap());
    let passed = lab.guest("app", "terraform", String::new()).send(&["-H", &bearer], "/state");
    assert_eq!(passed.status, 200, "{passed:?}");
}
