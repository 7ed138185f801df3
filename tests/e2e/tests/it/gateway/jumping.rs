//! The gateway as a jump host: `ssh -J`, with the plain client, and what of it leads nowhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use wane_testkit::{Interactive, Outcome, PersonSession, WaneServer, wait_until};

use super::arriving::{Bare, script};
use super::browser::Browser;
use super::lab::{Lab, NOTHING, TERMINAL, Visitor};
use crate::people::{SOON, granted, items, text};

/// Settings by which `web` is reached by way of the gateway, which is known and logged in to as somebody here.
fn settings(lab: &Lab, folder: &Path, shown: &str) -> PathBuf {
    let said = Browser::empty(&lab.wane.server).open("/v1/gateways").text;
    let gateways: Value = serde_json::from_str(&said).unwrap();
    let known = folder.join("jump-known");
    let line = |name: &str| gateways["items"][0][name].as_str().unwrap().to_owned();
    fs::write(&known, format!("{}\n{}\n", line("known_by"), line("targets_known_by"))).unwrap();
    let config = folder.join("jump-config");
    let text = format!(
        "Host gate\n    HostName 127.0.0.1\n    Port {}\n    User someone-here\n{shown}\n\
         Host *\n    UserKnownHostsFile {}\n    GlobalKnownHostsFile /dev/null\n    StrictHostKeyChecking yes\n    \
         IdentityAgent none\n    IdentitiesOnly yes\n    ControlMaster no\n    ControlPath none\n    LogLevel INFO\n",
        lab.port,
        known.display(),
    );
    fs::write(&config, text).unwrap();
    config
}

/// Somebody with a certificate, who jumps.
struct Jumper {
    config: PathBuf,
    login: String,
}

impl Jumper {
    fn of(lab: &Lab, visitor: &Visitor) -> Self {
        let folder = visitor.key.parent().unwrap();
        let (key, certificate) = (visitor.key.display(), visitor.certificate.display());
        let config = settings(lab, folder, &format!("    IdentityFile {key}\n    CertificateFile {certificate}\n"));
        Self { config, login: lab.sshd.user().name().to_owned() }
    }

    fn ssh(&self, options: &[&str], to: &str, remote: &[&str]) -> Command {
        let mut command = Command::new("ssh");
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C");
        command.arg("-F").arg(&self.config).args(options).arg(to).args(remote);
        command
    }

    fn open(&self, options: &[&str], to: &str, remote: &[&str]) -> Interactive {
        Interactive::spawn(&mut self.ssh(options, to, remote)).unwrap()
    }

    /// Runs something at a host, with these options.
    fn run(&self, options: &[&str], to: &str, remote: &str) -> Outcome {
        let mut ssh = self.open(options, to, &[remote]);
        ssh.close_input();
        ssh.wait_exit(SOON).unwrap()
    }

    fn there(&self, host: &str) -> String {
        format!("{}@{host}", self.login)
    }
}

const JUMP: [&str; 5] = ["-T", "-o", "BatchMode=yes", "-J", "gate"];

fn log(lab: &Lab, event: &str) -> Vec<Value> {
    items(&lab.wane.ada.json(&["log", "--event", event]).unwrap()).clone()
}

#[test]
fn a_jump_is_a_session_like_any_other() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let jumper = Jumper::of(&lab, &maya);
    let port = lab.sshd.port().to_string();
    // By the name of the host, and by the address it is registered with.
    let by_address = ["-T", "-o", "BatchMode=yes", "-J", "gate", "-p", &port];
    for (options, host) in [(JUMP.as_slice(), "web"), (by_address.as_slice(), "127.0.0.1")] {
        let outcome = jumper.run(options, &jumper.there(host), "id -un; exit 3");
        assert_eq!(outcome.stdout.trim(), jumper.login, "{host}: {outcome:?}\n{}", lab.wane.server.log());
        assert_eq!(outcome.ended, wane_testkit::Ended::Code(3), "{outcome:?}");
    }
    let proxy = format!("ProxyCommand=ssh -F {} -o BatchMode=yes -W %h:%p gate", jumper.config.display());
    let outcome = jumper.run(&["-T", "-o", &proxy], &jumper.there("web"), "echo passed");
    assert_eq!(outcome.stdout.trim(), "passed", "{outcome:?}");

    // Written down, recorded and counted as the other way is.
    wait_until("the sessions to be closed", SOON, || {
        let leases = lab.leases(&maya.grant);
        leases.len() == 3 && leases.iter().all(|lease| lease["state"] == "gone")
    })
    .unwrap();
    let opened = log(&lab, "session.opened");
    assert_eq!(opened.len(), 3, "{opened:?}");
    for one in &opened {
        assert_eq!((&one["detail"]["recorded"], &one["detail"]["login"]), (&true.into(), &jumper.login.clone().into()));
        assert!(one["detail"]["inside"].is_string(), "{one}");
    }
    let session = text(&opened[0]["detail"]["session"]);
    let replayed = lab.wane.ada.run(&["replay", &session, "--events"]).unwrap();
    assert!(replayed.success() && replayed.stdout.contains("echo passed"), "{replayed:?}");
    assert_eq!(lab.tally(&maya.grant)["verdict"]["word"], "inside");
    assert_eq!(log(&lab, "passage.opened").len(), 3);
    wait_until("the connections to be over", SOON, || log(&lab, "passage.closed").len() == 3).unwrap();

    // What is not the host's own key stands for it: the client would have refused anything else.
    let known = jumper.config.parent().unwrap().join("jump-known");
    let only_gateway: String = fs::read_to_string(&known).unwrap().lines().take(1).collect();
    fs::write(&known, only_gateway + "\n").unwrap();
    let outcome = jumper.run(&JUMP, &jumper.there("web"), "true");
    assert!(!outcome.success() && outcome.stderr.contains("verification failed"), "{outcome:?}");
}

#[test]
fn nothing_is_reached_through_a_jump_but_registered_hosts() {
    let lab = Lab::new(NOTHING);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let jumper = Jumper::of(&lab, &maya);
    // Somebody listens where they must not get to.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let open = listener.local_addr().unwrap().port().to_string();
    let own = lab.port.to_string();
    lab.wane.ada.json(&["host", "add", "others", "--label", "gate=shut", "--address", "192.0.2.1:22"]).unwrap();
    for (host, port) in [
        ("127.0.0.1", open.as_str()),
        ("localhost", open.as_str()),
        ("::1", open.as_str()),
        ("169.254.169.254", "80"),
        ("127.0.0.1", own.as_str()),
        ("nowhere", "22"),
        ("web", "80"),
        ("others", "22"),
        ("192.0.2.1", "22"),
        ("web.evil.example", "22"),
    ] {
        let to = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let mut ssh = jumper.open(&["-o", "BatchMode=yes", "-W", &to], "gate", &[]);
        ssh.close_input();
        let outcome = ssh.wait_exit(SOON).unwrap();
        assert!(!outcome.success(), "{to}: {outcome:?}");
        assert!(outcome.stderr.contains("there is no host"), "{to}: {outcome:?}");
    }
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "the gateway connected somewhere");
    let refused = log(&lab, "passage.refused");
    assert_eq!(refused.len(), 10, "{refused:?}");
    assert!(refused.iter().all(|one| one["outcome"] == "denied"), "{refused:?}");
    assert!(refused.iter().any(|one| one["detail"]["to"] == "169.254.169.254:80"), "{refused:?}");

    // Nothing else is there on such a connection: no shell, no command, no forwards.
    let nothing: [(&[&str], &[&str]); 4] =
        [(&["-T"], &[]), (&["-T"], &["id"]), (&["-T", "-s"], &["sftp"]), (&["-N", "-R", "0:127.0.0.1:1"], &[])];
    for (options, remote) in nothing {
        let options = [&["-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes"], options].concat();
        let mut ssh = jumper.open(&options, "gate", remote);
        ssh.close_input();
        let outcome = ssh.wait_exit(SOON).unwrap();
        assert!(!outcome.success() && !outcome.stdout.contains("uid"), "{options:?}: {outcome:?}");
    }
    assert!(lab.sessions().is_empty() && lab.leases(&maya.grant).is_empty());
    assert!(!lab.sshd.log().contains("Connection from"), "{}", lab.sshd.log());
}

/// A shared connection to the gateway, inside which sessions are opened.
fn master(jumper: &Jumper) -> (Interactive, String) {
    let socket = jumper.config.parent().unwrap().join("master");
    let path = format!("ControlPath={}", socket.display());
    let outer = jumper.open(&["-N", "-o", "BatchMode=yes", "-o", "ControlMaster=yes", "-o", &path], "gate", &[]);
    wait_until("the shared connection", SOON, || socket.exists()).unwrap();
    let proxy = format!("ProxyCommand=ssh -F {} -o {path} -W %h:%p gate", jumper.config.display());
    (outer, proxy)
}

#[test]
fn an_end_inside_a_connection_is_its_own() {
    let lab = Lab::new(TERMINAL);
    let principals = format!("principals=[\"{}\"]", lab.sshd.user().name());
    let words = ["role", "add", "ssh/second", "--set", &principals, "--set", &format!("extensions={TERMINAL}")];
    lab.wane.ada.json(&words).unwrap();
    let maya = lab.comes(&lab.wane.maya, "10m");
    let jumper = Jumper::of(&lab, &maya);
    let (outer, proxy) = master(&jumper);
    let ticks = "while :; do date +%s.%N; sleep 0.05; done";
    let ticking = |options: &[&str]| {
        let ssh = jumper.open(&[&["-tt", "-o", &proxy], options].concat(), &jumper.there("web"), &[ticks]);
        wait_until("the terminal to tick", SOON, || ssh.stdout().lines().count() > 3).unwrap();
        ssh
    };
    let one = ticking(&[]);
    // Of two grants that would do, a certificate that is shown inside says which.
    let second = lab.visits(&lab.wane.maya, granted(&lab.wane.maya, "second@web", "10m"));
    let (key, certificate) =
        (format!("IdentityFile={}", second.key.display()), format!("CertificateFile={}", second.certificate.display()));
    let two = ticking(&["-o", &key, "-o", &certificate]);
    assert_eq!(lab.sessions().len(), 2, "each is a session of its own");
    assert_eq!((lab.leases(&maya.grant).len(), lab.leases(&second.grant).len()), (1, 1));
    lab.wane.ada.json(&["revoke", &second.grant, "-m", "enough"]).unwrap();
    let outcome = two.wait_exit(SOON).unwrap();
    let said = "this session is over: it was revoked: enough";
    assert!(!outcome.success() && outcome.stdout.contains(said), "{outcome:?}");
    let before = one.stdout().lines().count();
    wait_until("the other to tick on", SOON, || one.stdout().lines().count() > before + 3).unwrap();
    wait_until("only the other to be open", SOON, || lab.sessions().len() == 1).unwrap();

    // What the connection rests on ends: so does what is under it, and nothing new begins inside.
    lab.wane.ada.json(&["revoke", &maya.grant, "-m", "all of it"]).unwrap();
    let outcome = one.wait_exit(SOON).unwrap();
    assert!(!outcome.success() && outcome.stdout.contains("it was revoked: all of it"), "{outcome:?}");
    let third = granted(&lab.wane.maya, "deploy@web", "10m");
    let refused = jumper.run(&["-T", "-o", "BatchMode=yes", "-o", &proxy], &jumper.there("web"), "id");
    assert!(!refused.success(), "what it rests on is looked at again: {refused:?}");
    assert!(lab.leases(&third).is_empty());
    // The person's own end takes along what is inside.
    drop(outer);
    wait_until("the connection to be over", SOON, || !log(&lab, "passage.closed").is_empty()).unwrap();
}

#[test]
fn a_cut_inside_waits_for_nobody_outside() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let jumper = Jumper::of(&lab, &maya);
    let (outer, proxy) = master(&jumper);
    let flood = "while :; do date +%s.%N; head -c 20000 /dev/zero | tr '\\0' x; echo; done";
    let ssh = jumper.open(&["-T", "-o", &proxy], &jumper.there("web"), &[flood]);
    wait_until("output", SOON, || ssh.stdout().len() > 1_000_000).unwrap();
    // The outer connection stands still, and all that is on its way with it.
    let signal = |name: &str| {
        let done = Command::new("kill").args([name, &outer.pid().to_string()]).status().unwrap();
        assert!(done.success());
    };
    signal("-STOP");
    lab.wane.ada.json(&["revoke", &maya.grant, "-m", "enough"]).unwrap();
    wait_until("the session to be proved gone", SOON, || lab.leases(&maya.grant)[0]["state"] == "gone").unwrap();
    let user = lab.sshd.user().uid();
    wait_until("nothing to run at the host", SOON, || {
        !super::ending::processes().iter().any(|(uid, line)| *uid == user && line.contains("head -c"))
    })
    .unwrap();
    let ended = super::ending::now();
    // Whatever had been handed over before may be read, and nothing that came to be after.
    signal("-CONT");
    let outcome = ssh.wait_exit(SOON).unwrap();
    let ticks = outcome.stdout.lines().filter_map(|line| line.trim().parse::<f64>().ok());
    assert!(ticks.fold(0.0, f64::max) < ended, "{:?}", outcome.ended);
    assert!(!outcome.success());
    drop(outer);
}

#[test]
fn whoever_goes_takes_along_what_is_inside() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let jumper = Jumper::of(&lab, &maya);
    let (outer, proxy) = master(&jumper);
    let ssh = jumper.open(&["-T", "-o", &proxy], &jumper.there("web"), &["echo there; exec cat"]);
    ssh.wait_for("there", SOON).unwrap();
    drop(outer);
    assert!(!ssh.wait_exit(SOON).unwrap().success());
    wait_until("the session to be closed", SOON, || lab.sessions().is_empty()).unwrap();
    wait_until("that to be written down", SOON, || lab.leases(&maya.grant)[0]["state"] == "gone").unwrap();
}

/// Confirms what a terminal asks for as somebody.
fn confirmed(lab: &Lab, person: &PersonSession, command: &mut Command) -> Interactive {
    let here = Bare::reads(lab, Interactive::spawn(command).unwrap());
    let page = Browser::of(person).open(&here.path).text;
    assert!(page.contains("every host that you hold access to") && page.contains("127.0.0.1"), "{page}");
    assert_eq!(Browser::of(person).answer(&here.path, &here.code, "yes").status, 200);
    here.ssh
}

#[test]
fn one_confirmation_is_one_connection_and_its_person_s_alone() {
    let lab = Lab::new(TERMINAL);
    let dan = lab.wane.approver("dan");
    granted(&lab.wane.maya, "deploy@web", "10m");
    let folder = tempfile::tempdir().unwrap();
    let config = settings(&lab, folder.path(), "    IdentityFile none\n");
    let login = lab.sshd.user().name();
    let line = format!("ssh -F {} -J gate -o IdentityFile=none {login}@web 'id -un'", config.display());
    let outcome = confirmed(&lab, &lab.wane.maya, &mut script(&line)).wait_exit(SOON).unwrap();
    assert!(outcome.success() && outcome.stdout.contains(login), "{outcome:?}\n{}", lab.wane.server.log());

    // Whoever holds nothing there gets nothing by confirming: they are who comes in, and not maya.
    let outcome = confirmed(&lab, &dan, &mut script(&line)).wait_exit(SOON).unwrap();
    assert!(!outcome.success() && outcome.stdout.contains("there is no"), "{outcome:?}");
    assert_eq!(log(&lab, "session.opened").len(), 1);
}

#[test]
fn whoever_holds_nothing_there_asks_inside() {
    let lab = Lab::new(TERMINAL);
    let terms = "@id(\"open\")\n@justification(\"required\")";
    lab.wane.load(&crate::people::POLICY.replace("@id(\"open\")", terms));
    let folder = tempfile::tempdir().unwrap();
    let config = settings(&lab, folder.path(), "    IdentityFile none\n");
    let login = lab.sshd.user().name();
    let line = format!("ssh -F {} -J gate -o IdentityFile=none {login}@web 'id -un'", config.display());
    let mut ssh = confirmed(&lab, &lab.wane.maya, &mut script(&line));
    ssh.wait_for("Why do you need it?", SOON).unwrap();
    ssh.send_line("the disk is full").unwrap();
    let outcome = ssh.wait_exit(SOON).unwrap();
    assert!(outcome.success() && outcome.stdout.contains(login), "{outcome:?}\n{}", lab.wane.server.log());
}

#[test]
fn nobody_opens_a_session_inside_the_connection_of_another() {
    let lab = Lab::new(TERMINAL);
    let (maya, dan) = (lab.comes(&lab.wane.maya, "10m"), lab.wane.approver("dan"));
    lab.wane.ada.json(&["host", "add", "web-2", "--label", "gate=open", "--address", "192.0.2.9:22"]).unwrap();
    let jumper = Jumper::of(&lab, &maya);
    // Her certificate is good for who she is, and nobody is asked for more without being there.
    let line = format!("ssh -F {} -J gate -o IdentityFile=none {}@web-2 id", jumper.config.display(), jumper.login);
    let here = Bare::reads(&lab, Interactive::spawn(&mut script(&line)).unwrap());
    assert_eq!(Browser::of(&dan).open(&here.path).status, 404, "the link is hers alone");
    let page = Browser::of(&lab.wane.maya).open(&here.path);
    assert!(page.status == 200 && page.text.contains("web-2"), "{page:?}");
    drop(here);
    // Another's certificate inside her connection, where she holds nothing herself.
    let eve = lab.wane.server.newcomer(&lab.wane.ada, "eve", &["engineers"]).unwrap();
    let theirs = lab.visits(&eve, granted(&eve, "deploy@web-2", "10m"));
    let (key, certificate) =
        (format!("IdentityFile={}", theirs.key.display()), format!("CertificateFile={}", theirs.certificate.display()));
    let options = [&JUMP[..], &["-o", &key, "-o", &certificate]].concat();
    let outcome = jumper.run(&options, &jumper.there("web-2"), "id -un");
    assert!(!outcome.success() && outcome.stderr.contains("Permission denied"), "{outcome:?}");
    assert!(lab.leases(&theirs.grant).iter().all(|lease| lease["what"] != "session"), "a session began");
}

#[test]
fn showing_nothing_lets_nobody_in() {
    let lab = Lab::new(NOTHING);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let login = lab.sshd.user().name();
    // The method that is enough inside is none at the front, by whatever name somebody comes.
    for user in [login.to_owned(), format!("{login}%web"), format!("{login}@web"), "root".to_owned()] {
        let mut ssh = maya.program("ssh");
        ssh.args(["-o", "PreferredAuthentications=none", "-o", "PubkeyAuthentication=no", "-T", "-l", &user]);
        let outcome = Interactive::spawn(ssh.args(["127.0.0.1", "id"])).unwrap().wait_exit(SOON).unwrap();
        assert!(!outcome.success() && outcome.stderr.contains("Permission denied"), "{user}: {outcome:?}");
    }
    assert!(lab.sessions().is_empty());
}

#[test]
fn the_printed_settings_jump() {
    let lab = Lab::built(WaneServer::builder(), NOTHING, &[]);
    let maya = lab.comes(&lab.wane.maya, "10m");
    let login = lab.sshd.user().name();
    let printed = lab.wane.maya.run(&["ssh-config", "--jump", &format!("{login}@web")]).unwrap().into_stdout().unwrap();
    let config = lab.wane.maya.home().join("printed-config");
    let ours = format!(
        "Host wane-gateway\n    IdentityFile {}\n    CertificateFile {}\n",
        maya.key.display(),
        maya.certificate.display()
    );
    fs::write(&config, ours + &printed.replace("ControlMaster auto", "ControlMaster no")).unwrap();
    let mut ssh = Command::new("ssh");
    lab.wane.maya.surround(&mut ssh);
    ssh.arg("-F").arg(&config).args(["-n", "-o", "BatchMode=yes", "-o", "IdentityAgent=none", "web", "id -un"]);
    let outcome = Interactive::spawn(&mut ssh).unwrap().wait_exit(SOON).unwrap();
    assert!(outcome.success() && outcome.stdout.trim() == login, "{outcome:?}\n{printed}\n{}", lab.wane.server.log());
}
