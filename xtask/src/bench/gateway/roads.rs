//! Three roads to one sshd: straight, through a jump host, through the gateway.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wane_testkit::{PersonSession, SshKey, Sshd, WaneServer, WaneServerBuilder, free_port};

use super::super::deployment::Deployment;
use super::super::ground::{Ground, text};

/// A way to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Road {
    Direct,
    Jump,
    Gateway,
}

impl Road {
    /// All, in the order in which figures name them.
    pub(crate) const ALL: [Self; 3] = [Self::Direct, Self::Jump, Self::Gateway];

    /// As it stands in the configuration of `ssh`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Jump => "jump",
            Self::Gateway => "gateway",
        }
    }
}

/// What the gateway records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// Every session, as it does by itself.
    All,
    /// None.
    None,
}

/// Who travels. A grant of one covers their later asks, so that each ask is somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traveller {
    /// Along every road, one at a time.
    Alone,
    /// In a crowd, under a grant of their own: one grant has so many sessions and no more.
    Crowd(usize),
    /// Beside the crowd, whose time is up before.
    Few,
}

/// Sessions under one grant: below what one may have.
pub(crate) const EACH: usize = 50;

impl Traveller {
    const fn number(self) -> usize {
        match self {
            Self::Alone => 0,
            Self::Few => 1,
            Self::Crowd(number) => 2 + number,
        }
    }
}

/// A grant, and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    of: Traveller,
    grant: String,
}

/// The host, the jump host, the gateway, and somebody who may use all.
#[derive(Debug)]
pub(crate) struct Roads {
    wane: Deployment,
    host: Sshd,
    bastion: Sshd,
    port: u16,
    key: SshKey,
    ticket: Ticket,
}

impl Roads {
    /// Starts everything and lets the host join.
    pub(crate) fn build(ground: &Ground, recorded: Recorded, most: usize) -> Result<Self> {
        let port = free_port()?;
        let wane = Deployment::with(listening(port, recorded), ground, Traveller::Crowd(most.div_ceil(EACH)).number())?;
        Self::over(wane, port)
    }

    /// Starts everything but the deployment, whose gateway listens at this port.
    pub(crate) fn over(wane: Deployment, port: u16) -> Result<Self> {
        let folder = wane.server.folder();
        let key = SshKey::generate(folder, "traveller")?;
        let keys = folder.join("bastion-keys");
        fs::write(&keys, key.public_line()? + "\n")?;
        let quiet = ["LogLevel INFO", "MaxStartups 4000", "PrintMotd no"];
        let built = |lines: &[&str]| lines.iter().fold(Sshd::builder(), |builder, line| builder.config_line(line));
        let bastion = built(&quiet).config_line(&format!("AuthorizedKeysFile {}", keys.display()));
        let prepared = built(&quiet).prepare()?;
        let address = format!("127.0.0.1:{}", prepared.port());
        let admin = &wane.admin;
        let words = ["host", "add", "edge", "--label", "env=bench", "--address", &address, "--read-back", "none"];
        admin.json(&words)?;
        let principals = format!("principals={}", json!([prepared.user().name()]));
        let extensions = r#"extensions=["permit-pty","permit-port-forwarding"]"#;
        admin.json(&["role", "add", "ssh/edge", "--set", &principals, "--set", extensions])?;
        let code = admin.json(&["host", "join-code", "edge"])?;
        let config = prepared.config_path().display().to_string();
        let dir = prepared.folder().join("wane").display().to_string();
        let words = ["host", "setup", "--server-code", text(&code, "/code")?, "--sshd-config", &config, "--dir", &dir];
        let joined = wane.server.person("root")?.run(&words)?;
        ensure!(joined.success(), "the host did not join: {}", joined.stderr);
        let ticket = ask(&wane, Traveller::Alone, "6h")?;
        let roads = Self { host: prepared.start()?, bastion: bastion.start()?, wane, port, key, ticket };
        roads.renew()?;
        Ok(roads)
    }

    /// The process whose time and memory are the gateway's.
    pub(crate) fn server(&self) -> u32 {
        // Looked at when it was started.
        self.wane.server.pid().unwrap_or_default()
    }

    /// A grant of the host, for so long, for a few.
    pub(crate) fn ask_few(&self, duration: &str) -> Result<Vec<Ticket>> {
        Ok(vec![ask(&self.wane, Traveller::Few, duration)?])
    }

    /// As many grants of the host as a crowd needs, for so long.
    pub(crate) fn ask_crowd(&self, sessions: usize, duration: &str) -> Result<Vec<Ticket>> {
        (0..sessions.div_ceil(EACH)).map(|number| ask(&self.wane, Traveller::Crowd(number), duration)).collect()
    }

    /// Somebody of the crowd.
    pub(crate) fn crowd_person(&self, number: usize) -> Result<&PersonSession> {
        person(&self.wane, Traveller::Crowd(number))
    }

    /// Ends grants.
    pub(crate) fn revoke(&self, tickets: &[Ticket]) -> Result<()> {
        tickets
            .iter()
            .try_for_each(|ticket| self.wane.admin.json(&["revoke", &ticket.grant, "-m", "measured"]).map(drop))
    }

    /// When the last of these grants ends, in seconds since 1970.
    pub(crate) fn end(&self, tickets: &[Ticket]) -> Result<f64> {
        let mut last = f64::NAN;
        for ticket in tickets {
            let seen = self.wane.admin.json(&["grant", &ticket.grant])?;
            last = last.max(text(&seen, "/end")?.parse::<jiff::Timestamp>()?.as_microsecond() as f64 / 1e6);
        }
        Ok(last)
    }

    /// A certificate of this grant for the traveller's key, on disk.
    fn certified(&self, Ticket { of, grant }: &Ticket) -> Result<PathBuf> {
        let input = json!({ "public_key": self.key.public_line()? }).to_string();
        let made = person(&self.wane, *of)?.json(&["credential", grant, "--input", &input])?;
        let path = self.wane.server.folder().join(format!("{grant}-cert.pub"));
        fs::write(&path, text(&made, "/public/certificate")?.to_owned() + "\n")?;
        let authority = text(&made, "/public/host_ca")?.rsplitn(3, ' ').take(2).collect::<Vec<_>>();
        let [key, sort] = authority.as_slice() else { anyhow::bail!("the host authority has no key") };
        let known = [
            format!("@cert-authority [127.0.0.1]:{} {sort} {key}", self.port),
            self.host.setup().known_hosts_line()?,
            self.bastion.setup().known_hosts_line()?,
        ];
        fs::write(self.folder("known"), known.join("\n") + "\n")?;
        Ok(path)
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.wane.server.folder().join(name)
    }

    /// A certificate lives for minutes: a new one before each round.
    pub(crate) fn renew(&self) -> Result<()> {
        let certificate = self.certified(&self.ticket)?;
        let host = |name: &str, port: u16, user: &str, more: &str| {
            format!("Host {name}\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n{more}")
        };
        let certified = format!("  CertificateFile {}\n", certificate.display());
        let login = self.host.user().name();
        let text = [
            format!(
                "Host *\n  IdentityFile {}\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n  \
                 StrictHostKeyChecking yes\n  IdentitiesOnly yes\n  BatchMode yes\n  LogLevel ERROR\n  \
                 KexAlgorithms curve25519-sha256\n  Ciphers aes256-gcm@openssh.com\n",
                self.key.private_path().display(),
                self.folder("known").display()
            ),
            // Its own key is known; the other sort would only cost a look more.
            host("direct", self.host.port(), login, &format!("{certified}  HostKeyAlgorithms ssh-ed25519\n")),
            host("bastion", self.bastion.port(), self.bastion.user().name(), ""),
            host(
                "jump",
                self.host.port(),
                login,
                &format!("{certified}  HostKeyAlgorithms ssh-ed25519\n  ProxyJump bastion\n"),
            ),
            host("gateway", self.port, &self.login(), &certified),
        ];
        Ok(fs::write(self.folder("ssh_config"), text.concat())?)
    }

    /// As somebody logs in at the gateway.
    fn login(&self) -> String {
        format!("{}%edge", self.host.user().name())
    }

    /// The words of an `ssh` along a road.
    pub(crate) fn words(&self, road: Road, options: &[&str], remote: &[&str]) -> Vec<String> {
        let config = self.folder("ssh_config").display().to_string();
        let fixed = ["ssh", "-F", &config].into_iter().chain(options.iter().copied());
        fixed.chain([road.name()]).chain(remote.iter().copied()).map(str::to_owned).collect()
    }

    /// That `ssh`, quiet.
    pub(crate) fn ssh(&self, road: Road, options: &[&str], remote: &[&str]) -> Command {
        let words = self.words(road, options, remote);
        let mut command = Command::new("ssh");
        command.args(words.iter().skip(1)).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// What a tool is told that holds sessions at the gateway under these grants.
    pub(crate) fn crowd(&self, tickets: &[Ticket], sessions: usize) -> Result<Value> {
        Ok(json!({
            "address": format!("127.0.0.1:{}", self.port),
            "user": self.login(),
            "key": self.key.private_path(),
            "certificates": tickets.iter().map(|ticket| self.certified(ticket)).collect::<Result<Vec<_>>>()?,
            "command": "exec cat",
            "sessions": sessions,
            "at_once": 6,
        }))
    }

    /// How many connections to the host there are.
    pub(crate) fn connections(&self) -> Result<usize> {
        let table = fs::read_to_string("/proc/net/tcp")?;
        let host = format!(":{:04X}", self.host.port());
        let is_one = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().take(4).collect();
            // Remote address and state: 01 is ESTABLISHED (proc(5)).
            matches!(fields.as_slice(), [_, _, remote, "01"] if remote.ends_with(&host))
        };
        Ok(table.lines().filter(|line| is_one(line)).count())
    }
}

/// A server whose gateway listens at this port.
pub(crate) fn listening(port: u16, recorded: Recorded) -> WaneServerBuilder {
    let sessions = match recorded {
        Recorded::All => "all",
        // Those whose terms ask for it, which none do.
        Recorded::None => "required",
    };
    let builder = WaneServer::builder().set("gateway.ssh.listen", &format!("127.0.0.1:{port}"));
    builder.set("recording.sessions", sessions)
}

fn person(wane: &Deployment, of: Traveller) -> Result<&PersonSession> {
    wane.people.get(of.number()).context("there are too few people")
}

fn ask(wane: &Deployment, of: Traveller, duration: &str) -> Result<Ticket> {
    let asked = person(wane, of)?.json(&["request", "edge@edge", "--for", duration])?;
    let grant = text(&asked, "/items/0/grant").context("policy did not grant at once")?.to_owned();
    Ok(Ticket { of, grant })
}
