//! `wane host setup` and `wane host pull` on a host with a real sshd.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};
use wane_connector::Kind as _;
use wane_connector::verb::{Verb as _, VerbError};
use wane_domain::time::Span;
use wane_kind_ssh::verbs::{HostPull, HostSetup};
use wane_testkit::{PreparedSshd, Sshd, eventually};

use crate::port::{CODE, TOKEN, TestPort};
use crate::world::{Holder, World};

struct Fresh {
    world: World,
    prepared: PreparedSshd,
}

impl Fresh {
    fn new(seed: u8) -> Self {
        Self { world: World::new(seed), prepared: Sshd::builder().prepare().unwrap() }
    }

    fn port(&self) -> TestPort<'_> {
        let resource = self.world.resource(&json!({ "address": format!("127.0.0.1:{}", self.prepared.port()) }));
        TestPort::new(&self.world, &resource, &json!({ "principals": [self.prepared.user().name()] }))
    }

    fn dir(&self) -> PathBuf {
        self.prepared.folder().join("wane")
    }

    fn config(&self) -> String {
        fs::read_to_string(self.prepared.config_path()).unwrap()
    }

    fn words(&self, more: &[&str]) -> Vec<String> {
        let config = self.prepared.config_path();
        let dir = self.dir();
        let mut words =
            vec!["--server-code", CODE, "--sshd-config", config.to_str().unwrap(), "--dir", dir.to_str().unwrap()];
        words.extend(more);
        words.into_iter().map(str::to_owned).collect()
    }
}

async fn pull(dir: &Path, port: &TestPort<'_>) -> Result<i32, VerbError> {
    HostPull.run(&["--dir".to_owned(), dir.display().to_string()], port).await
}

#[tokio::test]
async fn a_host_is_set_up_pulls_and_refuses() {
    let fresh = Fresh::new(51);
    let port = fresh.port();
    let before = fresh.config();
    assert_eq!(HostSetup.run(&fresh.words(&["--dry-run"]), &port).await.unwrap(), 0);
    assert!(!fresh.dir().exists() && fresh.config() == before, "a dry run changed something");

    assert_eq!(HostSetup.run(&fresh.words(&[]), &port).await.unwrap(), 0);
    let after = fresh.config();
    assert!(after.starts_with("# >>> wane") && after.ends_with(&before), "{after}");
    assert_eq!(fs::read_to_string(fresh.prepared.folder().join("sshd_config.before-wane")).unwrap(), before);
    let said = port.said();
    for name in ["krl", "user_ca.pub", "krl_signer", "ssh_host_ed25519_key-cert.pub", "token"] {
        let path = fresh.dir().join(name);
        assert!(path.exists() && said.contains(&format!("wrote {}", path.display())), "{name}: {said}");
    }
    assert!(
        said.contains(&format!("changed {}", fresh.prepared.config_path().display()))
            && said.contains("host pull --dir"),
        "{said}"
    );
    assert_eq!(fs::metadata(fresh.dir().join("token")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(fresh.dir().join("token")).unwrap().trim(), TOKEN);
    let files = || fs::read_dir(fresh.prepared.folder()).unwrap().count();
    let count = files();

    // Once more changes nothing.
    assert_eq!(HostSetup.run(&fresh.words(&[]), &port).await.unwrap(), 0);
    assert_eq!((fresh.config(), files()), (after, count));

    let dir = fresh.dir();
    let Fresh { world: _, prepared } = &fresh;
    prepared.check_config().unwrap();
    let user = prepared.user().name().to_owned();
    let holder = Holder::new();
    let issued = fresh.world.issue(&port.held, &port.resource, &port.role, &holder.public_line(), 1).unwrap();
    let listening = prepared.port();
    // The server is started beside the borrowed set-up, by its own binary and configuration.
    let mut sshd = tokio::process::Command::new("/usr/sbin/sshd")
        .arg("-D")
        .arg("-f")
        .arg(prepared.config_path())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    eventually("sshd", Duration::from_secs(60), async || {
        std::net::TcpStream::connect(("127.0.0.1", listening)).is_ok()
    })
    .await
    .unwrap();
    let login = || holder.client(&user, listening, &issued).run("true").unwrap();
    assert!(login().success(), "{:?}", login());

    port.publish(2, &[port.held.grant.id.to_string()]);
    assert_eq!(pull(&dir, &port).await.unwrap(), 0);
    assert!(port.said().contains("version 2, before 1"), "{}", port.said());
    assert!(login().stderr.contains("Permission denied"));
    sshd.kill().await.unwrap();
}

#[tokio::test]
async fn the_puller_refuses_what_is_forged_or_older() {
    let fresh = Fresh::new(52);
    let port = fresh.port();
    HostSetup.run(&fresh.words(&[]), &port).await.unwrap();
    let krl = fresh.dir().join("krl");
    port.publish(5, &["grt_a".to_owned()]);
    let genuine = port.list.lock().unwrap().clone().unwrap();
    pull(&fresh.dir(), &port).await.unwrap();
    let in_place = fs::read(&krl).unwrap();

    let signed_by = |seed: u8, version: u64| {
        World::new(seed).kind.host_docs().unwrap().revocations(version, fresh.world.now(), &[]).unwrap()
    };
    let with = |key: &str, value: Value| {
        let mut list = genuine.clone();
        list[key] = value;
        list
    };
    let mut bytes = BASE64.decode(genuine["krl"].as_str().unwrap().as_bytes()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let older = fresh.world.kind.host_docs().unwrap().revocations(4, fresh.world.now(), &[]).unwrap();
    let earlier =
        fresh.world.kind.host_docs().unwrap().revocations(5, fresh.world.now().minus(Span::from_secs(5)), &[]).unwrap();
    let key = fresh.world.signer.private(wane_kind_ssh::KRL);
    let for_files = key
        .sign(
            "file",
            russh::keys::HashAlg::Sha512,
            &BASE64.decode(genuine["krl"].as_str().unwrap().as_bytes()).unwrap(),
        )
        .unwrap();
    for (bad, word) in [
        (older, "older"),
        (earlier, "older"),
        (signed_by(53, 9), "signature"),
        (with("krl", json!(BASE64.encode(&bytes))), "signature"),
        (with("krl", json!("AAAA")), "signature"),
        (with("krl", json!("%")), "base64"),
        (with("signature", json!("")), "signature"),
        (with("signature", json!(for_files.to_pem(russh::keys::ssh_key::LineEnding::LF).unwrap())), "signature"),
        (json!({}), "missing"),
    ] {
        *port.list.lock().unwrap() = Ok(bad);
        let error = pull(&fresh.dir(), &port).await.unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
        assert_eq!(fs::read(&krl).unwrap(), in_place, "{word}");
    }
    *port.list.lock().unwrap() = Ok(genuine);
    assert_eq!(pull(&fresh.dir(), &port).await.unwrap(), 0);
    assert!(port.said().contains("unchanged"));
    // A list that got lost or damaged on the host is put back.
    fs::write(&krl, "junk").unwrap();
    pull(&fresh.dir(), &port).await.unwrap();
    assert_eq!(fs::read(&krl).unwrap(), in_place);
}

#[tokio::test]
async fn the_puller_outlives_a_server_that_is_down() {
    let fresh = Fresh::new(54);
    let port = fresh.port();
    HostSetup.run(&fresh.words(&[]), &port).await.unwrap();
    let krl = fresh.dir().join("krl");
    let in_place = fs::read(&krl).unwrap();
    *port.list.lock().unwrap() = Err("connection refused".to_owned());
    let args = ["--dir".to_owned(), fresh.dir().display().to_string(), "--every".to_owned(), "10ms".to_owned()];
    let watch = async {
        let told =
            async |word: &str| eventually(word, Duration::from_secs(60), async || port.said().contains(word)).await;
        told("the list in place stays: connection refused").await.unwrap();
        assert_eq!(fs::read(&krl).unwrap(), in_place);
        port.publish(2, &["grt_a".to_owned()]);
        told("version 2, before 1").await.unwrap();
    };
    tokio::select! {
        ended = HostPull.run(&args, &port) => panic!("the puller ended: {ended:?}"),
        () = watch => {}
    }
    assert_eq!(port.said().matches("stays").count(), 1, "said once: {}", port.said());
}

#[tokio::test]
async fn what_sshd_does_not_take_is_taken_back() {
    let fresh = Fresh::new(55);
    let port = fresh.port();
    let before = fresh.config();
    // An sshd that prints its configuration and then takes none.
    let picky = fresh.prepared.folder().join("picky");
    fs::write(&picky, "#!/bin/sh\n[ \"$1\" = -T ] && exec /usr/sbin/sshd \"$@\"\necho 'line 1: no' >&2\nexit 255\n")
        .unwrap();
    fs::set_permissions(&picky, fs::Permissions::from_mode(0o755)).unwrap();
    let error = HostSetup.run(&fresh.words(&["--sshd", picky.to_str().unwrap()]), &port).await.unwrap_err();
    assert!(error.to_string().contains("line 1: no"), "{error}");
    assert_eq!(fresh.config(), before);
    assert_eq!(fs::read_dir(fresh.dir()).unwrap().count(), 0, "{}", port.said());
    assert!(!fresh.prepared.folder().join("sshd_config.wane-check").exists());
    assert!(port.said().contains("took back"));
    fresh.prepared.check_config().unwrap();
}

#[tokio::test]
async fn set_up_stops_before_it_harms() {
    let fresh = Fresh::new(56);
    let port = fresh.port();
    let own = fresh.prepared.folder().join("theirs");
    fs::write(&own, fresh.prepared.host_key().public_line().unwrap()).unwrap();
    let drop_in = fresh.prepared.drop_in_folder().join("theirs.conf");
    for keyword in ["TrustedUserCAKeys", "RevokedKeys"] {
        fs::write(&drop_in, format!("{keyword} {}\n", own.display())).unwrap();
        let error = HostSetup.run(&fresh.words(&[]), &port).await.unwrap_err();
        assert!(error.to_string().contains(keyword), "{error}");
    }
    fs::write(&drop_in, "NoSuchWord yes\n").unwrap();
    assert!(HostSetup.run(&fresh.words(&[]), &port).await.is_err());
    fs::remove_file(&drop_in).unwrap();
    let mut wrong_code = fresh.words(&[]);
    wrong_code[1] = "guess".to_owned();
    assert!(matches!(HostSetup.run(&wrong_code, &port).await, Err(VerbError::Denied(_))));
    for dir in ["relative", "/tmp/with space", "/tmp/with\"quote"] {
        let mut words = fresh.words(&[]);
        words[5] = dir.to_owned();
        let error = HostSetup.run(&words, &port).await.unwrap_err();
        assert!(matches!(&error, VerbError::Usage(why) if why.contains("plain characters")), "{dir}: {error}");
    }
    // A server whose list is not by the signer it names.
    *port.list.lock().unwrap() =
        Ok(World::new(57).kind.host_docs().unwrap().revocations(1, fresh.world.now(), &[]).unwrap());
    assert!(HostSetup.run(&fresh.words(&[]), &port).await.is_err());
    assert!(!fresh.dir().exists() && !fresh.config().contains("wane:"));
}
