//! A real sshd: refuses without a credential, lets a certificate in, and can be edited, reloaded,
//! stopped and frozen.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use wane_testkit::{Ended, SshKey, Sshd, UnixUser, ssh_keygen, wait_until};

const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_login_without_credential_is_refused() {
    let sshd = Sshd::builder().start().unwrap();
    let outcome = sshd.client().unwrap().run("true").unwrap();
    assert_eq!(outcome.ended, Ended::Code(255));
    assert!(outcome.stderr.contains("Permission denied"), "{outcome:?}");
    wait_until("sshd to log it", SOON, || sshd.log().contains(sshd.user().name())).unwrap();
}

#[test]
fn a_host_that_is_not_known_is_not_trusted() {
    let sshd = Sshd::builder().start().unwrap();
    let nobody = sshd.folder().join("nobody-known");
    std::fs::write(&nobody, "").unwrap();
    let outcome = sshd.client().unwrap().known_hosts(&nobody).run("true").unwrap();
    assert!(outcome.stderr.contains("Host key verification failed"), "{outcome:?}");
}

#[test]
fn a_program_may_edit_the_configuration_before_the_start_and_a_certificate_lets_in() {
    let prepared = Sshd::builder().user_prefix("deploy").prepare().unwrap();
    let ca = SshKey::generate(prepared.folder(), "ca").unwrap();
    trust(&prepared.drop_in_folder(), &ca).unwrap();
    let sshd = prepared.start().unwrap();
    assert!(sshd.user().name().starts_with("deploy-"));

    let key = SshKey::generate(sshd.folder(), "engineer").unwrap();
    let client = sshd.client().unwrap().identity(key.private_path());
    assert!(!client.run("true").unwrap().success());
    let certificate = certify(&ca, &key, sshd.user()).unwrap();
    let said = client.certificate(&certificate).run("id -un; pwd").unwrap();
    let home = sshd.user().home().display();
    let expected = format!("{}\n{home}", sshd.user().name());
    assert_eq!(said.into_stdout().unwrap(), expected);
}

#[test]
fn a_reload_takes_a_change_and_leaves_an_open_session() {
    let mut sshd = Sshd::builder().start().unwrap();
    let ca = SshKey::generate(sshd.folder(), "ca").unwrap();
    let key = SshKey::generate(sshd.folder(), "engineer").unwrap();
    let certificate = certify(&ca, &key, sshd.user()).unwrap();
    let client = sshd.client().unwrap().identity(key.private_path()).certificate(&certificate);
    assert!(!client.run("true").unwrap().success());

    trust(&sshd.setup().drop_in_folder(), &ca).unwrap();
    sshd.reload().unwrap();
    let mut session = client.open("echo ready; cat").unwrap();
    session.wait_for("ready", SOON).unwrap();

    std::fs::remove_file(sshd.setup().drop_in_folder().join("ca.conf")).unwrap();
    sshd.reload().unwrap();
    assert!(!client.run("true").unwrap().success());
    session.send_line("still here").unwrap();
    session.wait_for("still here", SOON).unwrap();

    sshd.stop().unwrap();
    let outcome = session.wait_exit(SOON).unwrap();
    assert_eq!(outcome.ended, Ended::Code(255));
}

#[test]
fn a_reload_of_nonsense_is_refused_and_the_server_goes_on() {
    let mut sshd = Sshd::builder().start().unwrap();
    std::fs::write(sshd.setup().drop_in_folder().join("x.conf"), "Nonsense yes\n").unwrap();
    let error = sshd.reload().unwrap_err();
    assert!(format!("{error:#}").contains("Nonsense"), "{error:#}");
    std::fs::remove_file(sshd.setup().drop_in_folder().join("x.conf")).unwrap();
    sshd.reload().unwrap();
}

#[test]
fn a_stopped_server_refuses_a_frozen_one_is_silent_and_both_come_back() {
    let mut sshd = Sshd::builder().start().unwrap();
    let client = sshd.client().unwrap();
    sshd.stop().unwrap();
    let stopped = client.run("true").unwrap();
    assert!(stopped.stderr.contains("refused"), "{stopped:?}");
    sshd.start().unwrap();
    sshd.pause();
    let frozen = client.clone().timeout(Duration::from_secs(2)).run("true").unwrap();
    assert_eq!(frozen.ended, Ended::TimedOut);
    sshd.resume();
    let back = client.run("true").unwrap();
    assert!(back.stderr.contains("Permission denied"), "{back:?}");
}

#[test]
fn nothing_is_left_behind() {
    let sshd = Sshd::builder().start().unwrap();
    let (folder, port) = (sshd.folder().to_owned(), sshd.port());
    let (name, home) = (sshd.user().name().to_owned(), sshd.user().home().to_owned());
    drop(sshd);
    assert!(!folder.exists());
    assert!(!home.exists());
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    assert!(!passwd.contains(&name));
    wait_until("the port to be free", SOON, || std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()).unwrap();
}

fn trust(drop_in_folder: &Path, ca: &SshKey) -> Result<()> {
    let line = format!("TrustedUserCAKeys {}\n", ca.public_path().display());
    Ok(std::fs::write(drop_in_folder.join("ca.conf"), line)?)
}

fn certify(ca: &SshKey, key: &SshKey, user: &UnixUser) -> Result<PathBuf> {
    let ca = ca.private_path().to_string_lossy().into_owned();
    let public = key.public_path().to_string_lossy().into_owned();
    ssh_keygen(["-q", "-s", &ca, "-I", "test", "-n", user.name(), "-V", "+5m", &public])?.into_stdout()?;
    Ok(PathBuf::from(format!("{}-cert.pub", key.private_path().display())))
}
