//! A deployment with a gateway, a real sshd that joined, and the plain programs people have.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use wane_testkit::{Interactive, Outcome, PersonSession, SshKey, Sshd, WaneServer, free_port, wait_until};

use super::browser::Browser;
use crate::people::{Deployment, SOON, granted, text};

/// Everything a role can name.
pub(super) const ALL: &str =
    r#"["permit-pty","permit-port-forwarding","permit-agent-forwarding","permit-X11-forwarding","permit-user-rc"]"#;
pub(crate) const TERMINAL: &str = r#"["permit-pty"]"#;
pub(super) const NOTHING: &str = "[]";

/// A gateway, and the host `web` behind it.
pub(crate) struct Lab {
    pub(crate) wane: Deployment,
    pub(crate) sshd: Sshd,
    pub(crate) port: u16,
}

impl Lab {
    /// With the role `deploy`, which names these extensions.
    pub(crate) fn new(extensions: &str) -> Self {
        Self::built(WaneServer::builder(), extensions, &[])
    }

    pub(super) fn built(builder: wane_testkit::WaneServerBuilder, extensions: &str, sshd_lines: &[&str]) -> Self {
        let port = free_port().unwrap();
        let builder = builder.set("gateway.ssh.listen", &format!("127.0.0.1:{port}"));
        Self::on(Deployment::with(builder), port, extensions, sshd_lines)
    }

    /// Over a deployment whose gateway listens at this port.
    pub(super) fn on(wane: Deployment, port: u16, extensions: &str, sshd_lines: &[&str]) -> Self {
        let sshd = sshd_lines.iter().fold(Sshd::builder(), |builder, line| builder.config_line(line));
        let sshd = sshd.config_line("AcceptEnv LANG LC_* EVIL").prepare().unwrap();
        let address = format!("127.0.0.1:{}", sshd.port());
        let words = ["host", "add", "web", "--label", "gate=open", "--address", &address, "--read-back", "none"];
        wane.ada.json(&words).unwrap();
        let principals = format!("principals={}", json!([sshd.user().name()]));
        let named = format!("extensions={extensions}");
        wane.ada.json(&["role", "add", "ssh/deploy", "--set", &principals, "--set", &named]).unwrap();
        let code = text(&wane.ada.json(&["host", "join-code", "web"]).unwrap()["code"]);
        let root = wane.server.person("root").unwrap();
        let (config, dir) =
            (sshd.config_path().display().to_string(), sshd.folder().join("wane").display().to_string());
        let outcome =
            root.run(&["host", "setup", "--server-code", &code, "--sshd-config", &config, "--dir", &dir]).unwrap();
        assert!(outcome.success(), "{outcome:?}");
        Self { wane, sshd: sshd.start().unwrap(), port }
    }

    /// `login%web`.
    pub(super) fn name(&self) -> String {
        format!("{}%web", self.sshd.user().name())
    }

    /// Somebody who holds a grant of this length, and a certificate of it.
    pub(crate) fn comes(&self, person: &PersonSession, duration: &str) -> Visitor {
        let grant = granted(person, "deploy@web", duration);
        self.visits(person, grant)
    }

    pub(super) fn visits(&self, person: &PersonSession, grant: String) -> Visitor {
        let folder = person.home().to_owned();
        let key = SshKey::generate(&folder, &format!("id-{grant}")).unwrap();
        let input = json!({ "public_key": key.public_line().unwrap() }).to_string();
        let made = person.json(&["credential", &grant, "--input", &input]).unwrap();
        let put = |name: &str, value: &str| -> PathBuf {
            let path = folder.join(name);
            fs::write(&path, format!("{value}\n")).unwrap();
            path
        };
        let certificate = put(&format!("id-{grant}-cert.pub"), made["public"]["certificate"].as_str().unwrap());
        let authority = made["public"]["host_ca"].as_str().unwrap().split_once(' ').unwrap().1;
        let key_line = authority.split_once(' ').unwrap().1;
        let known = put("gateway-known", &format!("@cert-authority [127.0.0.1]:{} {key_line}", self.port));
        let key = key.private_path().to_owned();
        Visitor { grant, key, certificate, known, port: self.port, name: self.name() }
    }

    /// A file that says by which authority the gateway is known.
    pub(super) fn known_gateway(&self) -> PathBuf {
        let path = self.wane.server.folder().join("gateway-known");
        let said = Browser::empty(&self.wane.server).open("/v1/gateways").text;
        let gateways: Value = serde_json::from_str(&said).unwrap();
        fs::write(&path, format!("{}\n", gateways["items"][0]["known_by"].as_str().unwrap())).unwrap();
        path
    }

    /// The sessions on the board.
    pub(super) fn sessions(&self) -> Vec<Value> {
        self.wane.ada.json(&["sessions"]).unwrap()["items"].as_array().unwrap().clone()
    }

    /// The session leases of a grant, oldest first.
    pub(super) fn leases(&self, grant: &str) -> Vec<Value> {
        let grant = self.wane.grant(grant);
        let mut leases = grant["leases"].as_array().unwrap().clone();
        leases.retain(|lease| lease["what"] == "session");
        leases
    }

    /// What the log says about a closed session of this grant.
    pub(super) fn tally(&self, grant: &str) -> Value {
        let mut found = Value::Null;
        wait_until("the session to be written down as closed", SOON, || {
            let page = self.wane.ada.json(&["log", "--grant", grant, "--event", "session.closed"]).unwrap();
            found = page["items"][0]["detail"]["tally"].clone();
            found.is_object()
        })
        .unwrap();
        found
    }
}

/// Somebody with a key and its certificate on disk.
pub(crate) struct Visitor {
    pub(super) grant: String,
    pub(super) key: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) known: PathBuf,
    pub(crate) port: u16,
    pub(super) name: String,
}

impl Visitor {
    /// What every one of the programs is told.
    pub(super) fn options(&self) -> Vec<String> {
        let mut out = vec!["-F".to_owned(), "/dev/null".to_owned()];
        for option in [
            format!("IdentityFile={}", self.key.display()),
            format!("CertificateFile={}", self.certificate.display()),
            format!("UserKnownHostsFile={}", self.known.display()),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "ControlMaster=no".to_owned(),
            "ControlPath=none".to_owned(),
            format!("Port={}", self.port),
        ] {
            out.extend(["-o".to_owned(), option]);
        }
        out
    }

    /// One of the programs, cut off from the settings of whoever runs this.
    pub(super) fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").args(self.options());
        command
    }

    /// `ssh` with these options, and what to run there.
    pub(super) fn ssh(&self, options: &[&str], remote: &[&str]) -> Command {
        let mut command = self.program("ssh");
        command.args(options).arg("-l").arg(&self.name).arg("127.0.0.1").args(remote);
        command
    }

    pub(crate) fn open(&self, options: &[&str], remote: &[&str]) -> Interactive {
        Interactive::spawn(&mut self.ssh(options, remote)).unwrap()
    }

    /// Runs something there.
    pub(super) fn run(&self, remote: &str) -> Outcome {
        self.run_with(&["-T", "-o", "BatchMode=yes"], remote)
    }

    pub(super) fn run_with(&self, options: &[&str], remote: &str) -> Outcome {
        let mut ssh = self.open(options, &[remote]);
        ssh.close_input();
        ssh.wait_exit(SOON).unwrap()
    }
}
