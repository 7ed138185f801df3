//! The host: registered, logged in to with a certificate, given back early.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use wane_testkit::{Ended, Interactive, Outcome, PersonSession, SshKey, Sshd};

use super::narrator::{Narrator, word};
use super::stage::{HOST, Host, Stage};

const PATIENCE: Duration = Duration::from_secs(60);
const ROLE: &str = "deploy";

/// Registers the host, ties its sshd to Wane, and starts it.
pub(crate) fn register(say: &Narrator, stage: &mut Stage) -> Result<()> {
    say.scene("A host joins");
    let Some(Host::Prepared(sshd)) = stage.host.take() else { bail!("sshd was started too early") };
    let admin = stage.admin()?;
    let address = format!("127.0.0.1:{}", sshd.port());
    say.wane(admin, &["host", "add", HOST, "--label", "env=staging", "--address", &address, "--pull-secs", "1"])?;
    let principals = format!("principals={}", json!([sshd.user().name()]));
    let role = format!("ssh/{ROLE}");
    say.wane(admin, &["role", "add", &role, "--description", "log in and deploy", "--set", &principals])?;
    let said = say.wane(admin, &["host", "join-code", HOST])?;
    let code = word(&said, "wane_j_").context("no join code was printed")?;

    say.remark("On the host itself, as root. Every change is printed; sshd judges the configuration before it counts.");
    let root = stage.server.person("root")?;
    let (config, folder) = (sshd.config_path().display().to_string(), sshd.folder().join("wane").display().to_string());
    say.wane(&root, &["host", "setup", "--server-code", code, "--sshd-config", &config, "--dir", &folder])?;
    say.line("root", &["/usr/sbin/sshd", "-D", "-f", &config, "&"].map(str::to_owned));
    let sshd = sshd.start()?;
    say.output(sshd.log().lines().filter(|line| line.contains("listening")).collect::<Vec<_>>().join("\n").as_str());
    stage.host = Some(Host::Running(sshd));

    let pull = ["host", "pull", "--dir", &folder, "--every", "1s"];
    say.line("root", &["wane", "host", "pull", "--dir", &folder, "--every", "1s", "&"].map(str::to_owned));
    stage.puller = Some(root.interactive(&pull)?);
    say.wane(stage.admin()?, &["resource", "probe", HOST])?;
    Ok(())
}

/// The engineer asks for the host; policy alone grants it.
pub(crate) fn ask(say: &Narrator, stage: &Stage) -> Result<String> {
    say.scene("The engineer asks for the host, and policy says yes at once");
    let item = format!("{ROLE}@{HOST}");
    let said = say.wane(stage.engineer()?, &["request", &item, "--for", "2m", "-m", "roll out 1.4"])?;
    Ok(word(&said, "grt_").context("no grant was printed")?.to_owned())
}

/// Logs in with the plain `ssh`, then with `wane ssh`.
pub(crate) fn log_in(say: &Narrator, stage: &Stage, grant: &str) -> Result<()> {
    say.scene("Logging in with the plain ssh");
    let maya = stage.engineer()?;
    let key = SshKey::generate(maya.home(), "id")?;
    let input = json!({ "public_key": key.public_line()? }).to_string();
    let said = say.wane(maya, &["credential", grant, "--input", &input, "--json"])?;
    let made: Value = serde_json::from_str(&said).context("the credential is not JSON")?;
    let public = |name: &str| made.pointer(&format!("/public/{name}")).and_then(Value::as_str);
    fs::write(maya.home().join("id-cert.pub"), public("certificate").context("there is no certificate")?)?;
    fs::write(maya.home().join("known_hosts"), public("host_ca").context("there is no host authority")?)?;
    say.remark("The certificate is now beside the key as `id-cert.pub`, the host authority in `known_hosts`.");

    let listed = say.run(
        maya.name(),
        "ssh-keygen",
        &["-L", "-f", "id-cert.pub"],
        &mut at(maya, "ssh-keygen", &["-L", "-f", "id-cert.pub"]),
    )?;
    ensure!(listed.success(), "ssh-keygen cannot read the certificate");
    let (outcome, words) = ssh(say, stage, "id -un; echo release-1.4 > deployed; cat deployed")?;
    Narrator::must(&outcome, 0, &as_str(&words))?;

    say.scene("The same with `wane ssh`: key and certificate in memory only");
    say.wane(maya, &["ssh", HOST, "--", "cat", "deployed"])?;
    say.wane(maya, &["live"])?;
    Ok(())
}

/// Returns the grant; the real server refuses the certificate; an open session goes on, and that is said.
pub(crate) fn give_back(say: &Narrator, stage: &Stage, grant: &str) -> Result<()> {
    say.scene("Given back early: from then on the server refuses the certificate");
    let maya = stage.engineer()?;
    say.remark("A session is opened first, to see what becomes of it.");
    let mut words = ssh_words(stage)?;
    words.push("cat".to_owned());
    say.line(maya.name(), &[&["ssh".to_owned()], &words[..]].concat());
    let mut open = Interactive::spawn(&mut at(maya, "ssh", &as_str(&words)))?;
    open.send_line("typed before the end")?;
    open.wait_for("typed before the end", PATIENCE)?;
    say.output(&open.stdout());

    say.wane(maya, &["done", grant])?;
    wait_closed(say, maya, grant)?;
    let before = stage.sshd()?.log().len();
    let (outcome, _) = ssh(say, stage, "id -un")?;
    ensure!(outcome.ended == Ended::Code(255), "ssh came out with {:?}: the certificate still works", outcome.ended);
    let log = stage.sshd()?.log();
    let new = log.get(before..).unwrap_or_default();
    let revoked: Vec<&str> = new.lines().filter(|line| line.contains("revoked")).collect();
    ensure!(!revoked.is_empty(), "sshd refused, but not because the certificate is revoked: {new}");
    say.aside("the log of sshd", &revoked.join("\n"));

    say.remark("What a direct certificate cannot end, in the words of the API:");
    let said = maya.json(&["grant", grant])?;
    let residual = said.get("residual").context("the grant says nothing about its residual")?;
    say.aside("wane grant … --json, `residual`", &serde_json::to_string_pretty(residual)?);
    open.send_line("typed after the end, into the session that was open")?;
    open.wait_for("typed after the end", PATIENCE)?;
    say.aside("the open session", open.stdout().lines().last().unwrap_or_default());
    open.close_input();
    open.wait_exit(PATIENCE)?;
    say.wane(maya, &["grant", grant])?;
    Ok(())
}

/// Waits until everything under a grant is proven ended.
pub(crate) fn wait_closed(say: &Narrator, person: &PersonSession, grant: &str) -> Result<()> {
    say.wait("the grant to be closed", PATIENCE, || {
        person.json(&["grant", grant]).is_ok_and(|g| g.get("state").and_then(Value::as_str) == Some("closed"))
    })
}

/// Runs the plain ssh with the certificate.
fn ssh(say: &Narrator, stage: &Stage, remote: &str) -> Result<(Outcome, Vec<String>)> {
    let maya = stage.engineer()?;
    let mut words = ssh_words(stage)?;
    words.push(remote.to_owned());
    let outcome = say.run(maya.name(), "ssh", &as_str(&words), &mut at(maya, "ssh", &as_str(&words)))?;
    Ok((outcome, words))
}

fn ssh_words(stage: &Stage) -> Result<Vec<String>> {
    let sshd: &Sshd = stage.sshd()?;
    let mut words: Vec<String> =
        ["-F", "none", "-i", "id", "-o", "UserKnownHostsFile=known_hosts"].map(str::to_owned).to_vec();
    words.extend(["-o", "BatchMode=yes", "-p", &sshd.port().to_string()].map(str::to_owned));
    words.push(format!("{}@127.0.0.1", sshd.user().name()));
    Ok(words)
}

/// A program at a person's machine.
pub(crate) fn at(person: &PersonSession, program: &str, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    person.surround(&mut command);
    command.args(words);
    command
}

fn as_str(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}
