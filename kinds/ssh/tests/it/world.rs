//! A kind with its authorities, and a real sshd that trusts them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE64;
use serde_json::{Value, json};
use wane_connector::{ConnectError, Issued, Kind, Target};
use wane_domain::ambient::Ambient;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::time::{Span, Time};
use wane_kind_ssh::{SshKind, USER_CA};
use wane_testkit::{FakeClock, Held, SshClient, SshKey, Sshd, SshdBuilder};

use crate::grants::hold;
use crate::signer::TestSigner;

/// A kind and what it stands on.
pub(crate) struct World {
    pub(crate) signer: Arc<TestSigner>,
    pub(crate) kind: SshKind,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) ambient: Ambient,
}

#[expect(clippy::disallowed_methods, reason = "a real sshd judges certificates by the machine's own clock")]
pub(crate) fn machine_now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time::from_micros(i64::try_from(since.as_micros()).unwrap())
}

impl World {
    pub(crate) fn new(seed: u8) -> Self {
        let signer = Arc::new(TestSigner::new(seed));
        let clock = FakeClock::at(machine_now());
        let ambient = clock.ambient(u64::from(seed));
        Self { kind: SshKind::new(Arc::<TestSigner>::clone(&signer)), signer, clock, ambient }
    }

    pub(crate) fn now(&self) -> Time {
        self.ambient.now()
    }

    pub(crate) fn resource(&self, settings: &Value) -> Resource {
        Resource {
            id: self.ambient.id(),
            name: "web1".parse().unwrap(),
            kind: "ssh".parse().unwrap(),
            labels: Default::default(),
            owner: None,
            settings: self.kind.settings(settings).unwrap(),
            since: self.now(),
        }
    }

    pub(crate) fn role(&self, definition: &Value) -> Role {
        Role {
            id: self.ambient.id(),
            name: "deploy".parse().unwrap(),
            kind: "ssh".parse().unwrap(),
            description: String::new().try_into().unwrap(),
            definition: self.kind.definition(definition).unwrap(),
            since: self.now(),
        }
    }

    pub(crate) fn hold(&self, resource: &Resource, role: &Role, duration: Span) -> Held {
        hold(&self.ambient, resource, role, duration, self.now())
    }

    pub(crate) fn target<'a>(&self, resource: &'a Resource) -> Target<'a> {
        Target { resource, credential: None, now: self.now() }
    }

    /// Issues for this key, as the engine does.
    pub(crate) fn issue(
        &self,
        held: &Held,
        resource: &Resource,
        role: &Role,
        public_key: &str,
        serial: u64,
    ) -> Result<Issued, ConnectError> {
        let issuer = self.kind.issuer().unwrap();
        let input = json!({ "public_key": public_key });
        issuer.issue(&self.target(resource), role, &held.lease, held.permit(self.now()), &input, serial)
    }

    /// The revocation list's bytes and its armoured signature.
    pub(crate) fn revocations(&self, version: u64, revoked: &[String]) -> (Vec<u8>, String) {
        let docs = self.kind.host_docs().unwrap().revocations(version, self.now(), revoked).unwrap();
        (
            BASE64.decode(docs["krl"].as_str().unwrap().as_bytes()).unwrap(),
            docs["signature"].as_str().unwrap().to_owned(),
        )
    }

    /// A key's public half as one line.
    pub(crate) fn public_line(&self, purpose: &str) -> String {
        self.signer.private(purpose).public_key().to_openssh().unwrap()
    }
}

/// A real sshd that trusts a world's authorities, set up by hand.
pub(crate) struct Host {
    pub(crate) sshd: Sshd,
    pub(crate) resource: Resource,
    folder: PathBuf,
}

impl Host {
    /// Starts a host; `lines` stand on top of its configuration.
    pub(crate) fn start(world: &World, lines: &[&str]) -> Self {
        Self::built(world, lines.iter().fold(Sshd::builder(), |builder, line| builder.config_line(line)))
    }

    pub(crate) fn built(world: &World, builder: SshdBuilder) -> Self {
        let prepared = builder.prepare().unwrap();
        let folder = prepared.folder().to_owned();
        let resource = world.resource(&json!({ "address": format!("127.0.0.1:{}", prepared.port()) }));
        let sent = json!({ "host_keys": [prepared.host_key().public_line().unwrap()] });
        let enrolled = world.kind.host_docs().unwrap().enrol(&world.target(&resource), &sent, 1).unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
        write("user_ca.pub", world.public_line(USER_CA).as_bytes());
        write("krl", &world.revocations(1, &[]).0);
        write("host-cert.pub", enrolled["host_certificates"][0].as_str().unwrap().as_bytes());
        let at = folder.display();
        let ours = format!(
            "TrustedUserCAKeys {at}/user_ca.pub\nRevokedKeys {at}/krl\nHostCertificate {at}/host-cert.pub\n\
             AuthorizedPrincipalsCommand /usr/bin/echo %u@{id}\nAuthorizedPrincipalsCommandUser nobody\n",
            id = resource.id
        );
        fs::write(prepared.drop_in_folder().join("10-wane.conf"), ours).unwrap();
        Self { sshd: prepared.start().unwrap(), resource, folder }
    }

    /// The machine was made anew: another key in the old one's place, which nobody certified.
    pub(crate) fn replace_key(&self) {
        let new = SshKey::generate(&self.folder, "new_host_key").unwrap();
        fs::rename(new.private_path(), self.sshd.setup().host_key().private_path()).unwrap();
        let lines = self.folder.join("sshd_config.d/10-wane.conf");
        let kept = fs::read_to_string(&lines).unwrap();
        let kept: String =
            kept.lines().filter(|l| !l.starts_with("HostCertificate")).map(|l| format!("{l}\n")).collect();
        fs::write(lines, kept).unwrap();
    }

    /// The login name of the host's account.
    pub(crate) fn user(&self) -> &str {
        self.sshd.user().name()
    }

    /// What the host would pull now.
    pub(crate) fn pull(&self, world: &World, version: u64, revoked: &[String]) {
        fs::write(self.folder.join("krl"), world.revocations(version, revoked).0).unwrap();
    }

    /// The real client with an issued certificate, trusting nothing but the handed authority line.
    pub(crate) fn client(&self, holder: &Holder, issued: &Issued) -> SshClient {
        holder.client(self.user(), self.sshd.port(), issued)
    }

    /// Runs a command with a terminal demanded, and returns everything that was said.
    pub(crate) fn with_terminal(&self, holder: &Holder, issued: &Issued, remote: &str) -> String {
        let _ = self.client(holder, issued);
        let at = |name: &str| holder.path().join(name).display().to_string();
        let said = Command::new("ssh")
            .args(["-F", "/dev/null", "-tt", "-p", &self.sshd.port().to_string(), "-i", &at("id")])
            .args([
                "-o",
                &format!("CertificateFile={}", at("id-cert.pub")),
                "-o",
                &format!("UserKnownHostsFile={}", at("known_hosts")),
            ])
            .args(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "IdentityAgent=none"])
            .arg(format!("{}@127.0.0.1", self.user()))
            .arg(remote)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned()
    }
}

/// A person with a key on disk.
pub(crate) struct Holder {
    folder: tempfile::TempDir,
    key: SshKey,
}

impl Holder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = SshKey::generate(folder.path(), "id").unwrap();
        Self { folder, key }
    }

    pub(crate) fn public_line(&self) -> String {
        self.key.public_line().unwrap()
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the certificate beside the key and returns its path.
    pub(crate) fn keep(&self, issued: &Issued) -> PathBuf {
        let path = self.folder.path().join("id-cert.pub");
        fs::write(&path, issued.handed.public["certificate"].as_str().unwrap()).unwrap();
        path
    }

    pub(crate) fn client(&self, user: &str, port: u16, issued: &Issued) -> SshClient {
        let known_hosts = self.folder.path().join("known_hosts");
        fs::write(&known_hosts, issued.handed.public["host_ca"].as_str().unwrap()).unwrap();
        SshClient::new(user, port)
            .identity(self.key.private_path())
            .certificate(&self.keep(issued))
            .known_hosts(&known_hosts)
    }
}
