//! A signer that asks people to sign, and those who sign.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::ssh_key::{HashAlg, LineEnding, SshSig};
use serde_json::{Value, json};
use tempfile::TempDir;
use wane_connector::{ConnectError, Issued, Kind as _, SignError, Target};
use wane_domain::ambient::Ambient;
use wane_domain::approval::{KeyMaterial, Says, Seat, Signature, Signed, Statement};
use wane_domain::catalogue::{Resource, Role};
use wane_domain::id::{ApproverKeyId, OrgId, PersonId};
use wane_domain::issue::Authority;
use wane_domain::lease::LeaseKind;
use wane_domain::request::{Approval, Ask, AskItem, Start};
use wane_domain::time::{Span, Time};
use wane_keys::desk::chest::Chest;
use wane_keys::desk::frame::{HEAD, Head, frame};
use wane_keys::desk::message::Reply;
use wane_keys::desk::root::{Guard, Known, Root, RootFile};
use wane_keys::desk::{Carry, Desk, Messenger};
use wane_keys::envelope::Keyring;
use wane_keys::seal::{Seal, SealName};
use wane_keys::signer::LocalSigner;
use wane_kind_ssh::{HOST_CA, KRL, SshKind, USER_CA, USER_CERTIFICATES, check_user_certificate, host_names};
use wane_testkit::{FakeClock, Held, WaneSigner, approval_by, hold};

pub(super) const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ holder";

/// A signer with its root, and a kind that is served by it.
pub(super) struct Office {
    pub(super) folder: TempDir,
    pub(super) clock: Arc<FakeClock>,
    pub(super) ambient: Ambient,
    pub(super) org: OrgId,
    pub(super) desk: Messenger,
    pub(super) kind: SshKind,
    pub(super) host: Resource,
    pub(super) role: Role,
    pub(super) approvers: Vec<(PersonId, ApproverKeyId, PrivateKey)>,
}

pub(super) fn key(seed: u8) -> PrivateKey {
    PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32])), "").unwrap()
}

pub(super) fn material(key: &PrivateKey) -> KeyMaterial {
    KeyMaterial::Ssh(key.public_key().to_openssh().unwrap())
}

pub(super) fn ring(folder: &std::path::Path, org: OrgId, ambient: &Ambient) -> Keyring {
    let seal = Seal::open_machine(SealName::Issuing, &folder.join("keys/issuing"), ambient).unwrap();
    let path = folder.join("ring");
    if let Ok(wrapped) = std::fs::read(&path) {
        return Keyring::unlock(&seal, org, &wrapped, ambient).unwrap();
    }
    let (ring, wrapped) = Keyring::create(&seal, org, ambient).unwrap();
    std::fs::write(path, wrapped).unwrap();
    ring
}

pub(super) fn desk(folder: &std::path::Path, org: OrgId, ambient: &Ambient) -> Desk {
    let keys = [USER_CA, HOST_CA, KRL].map(|purpose| (purpose, wane_domain::secret::Secret::new(vec![3; 32])));
    let keys = LocalSigner::new(keys.into(), vec![(USER_CA, check_user_certificate)]).unwrap();
    let file = RootFile::at(folder.join("signer.root"), ring(folder, org, ambient));
    let desk = Desk::open(org, keys, vec![(USER_CA, USER_CERTIFICATES)], file, ambient.clone());
    desk.naming(vec![(HOST_CA, host_names)])
}

/// The server's end of a line to a signer that is a process of its own.
#[derive(Debug)]
pub(super) struct Wire(pub(super) UnixStream);

impl Wire {
    pub(super) fn to(signer: &WaneSigner) -> Self {
        let stream = UnixStream::connect(signer.socket()).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        Self(stream)
    }

    pub(super) fn read(&self) -> Option<(u64, Reply)> {
        let mut head = [0; HEAD];
        (&self.0).read_exact(&mut head).ok()?;
        let head = Head::read(&head).unwrap();
        let mut body = vec![0; head.length as usize];
        (&self.0).read_exact(&mut body).ok()?;
        Some((head.id, serde_json::from_slice(&body).unwrap()))
    }

    /// What comes back; nothing if the line is over.
    pub(super) fn exchange(&self, bytes: &[u8]) -> Option<(u64, Reply)> {
        (&self.0).write_all(bytes).ok()?;
        self.read()
    }
}

impl Carry for Wire {
    fn carry(&self, call: &[u8]) -> Result<Vec<u8>, String> {
        let (id, reply) = self.exchange(&frame(7, 60_000, call).unwrap()).ok_or("the line is over")?;
        assert_eq!(id, 7);
        Ok(serde_json::to_vec(&reply).unwrap())
    }
}

impl Office {
    /// The same with a signer that is a process of its own, whose clock is the machine's.
    pub(super) fn apart(quorum: u16) -> (Self, WaneSigner) {
        let mut signer = WaneSigner::prepare(None).unwrap();
        let made = std::fs::metadata(signer.data()).unwrap().modified().unwrap();
        let made = made.duration_since(std::time::UNIX_EPOCH).unwrap();
        let now = Time::from_micros(i64::try_from(made.as_micros()).unwrap());
        // Never ahead of the signer: what lasts an hour by this clock has to be over within an hour by its own.
        let office = Self::at(now.minus(Span::from_mins(2)), quorum);
        let seal = Seal::open_machine(SealName::Signing, &signer.data().join("signing.key"), &office.ambient).unwrap();
        let keys = [USER_CA, HOST_CA].map(|purpose| (purpose, wane_domain::secret::Secret::new(vec![3; 32])));
        let chest = Chest::make(&signer.data(), &seal, office.org, &keys, &office.ambient).unwrap();
        let root = RootFile::at(
            office.folder.path().join("signer.root"),
            ring(office.folder.path(), office.org, &office.ambient),
        );
        chest.root().write(&root.read().unwrap()).unwrap();
        signer.start().unwrap();
        let desk = Messenger(Arc::new(Wire::to(&signer)));
        let kind = SshKind::new(Arc::new(desk.clone()));
        (Self { desk, kind, ..office }, signer)
    }

    /// `deploy` on the host has to be signed for by so many, for two hours at most.
    pub(super) fn open(quorum: u16) -> Self {
        Self::at("2026-11-21T10:00:00Z".parse().unwrap(), quorum)
    }

    pub(super) fn at(now: Time, quorum: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = FakeClock::at(now);
        let ambient = clock.ambient(5);
        let org: OrgId = ambient.id();
        let approvers: Vec<_> = (1..=3).map(|n| (ambient.id(), ambient.id(), key(n))).collect();
        let (host, role) = parts(&ambient, &json!({ "principals": ["deploy"], "force_command": "uptime" }));
        let file = RootFile::at(folder.path().join("signer.root"), ring(folder.path(), org, &ambient));
        let known = approvers
            .iter()
            .map(|(person, id, key)| (*id, Known { person: *person, material: material(key), since: ambient.now() }));
        let guards = [(format!("deploy@{}", host.id), Guard { quorum, most: Span::from_hours(2), at: None })];
        file.write(&Root { version: 1, keys: known.collect(), guards: guards.into(), ..Root::default() }).unwrap();
        clock.advance(Span::from_mins(1));
        let desk = Messenger(Arc::new(desk(folder.path(), org, &ambient)));
        let kind = SshKind::new(Arc::new(desk.clone()));
        Self { folder, clock, ambient, org, desk, kind, host, role, approvers }
    }

    /// The process dies; a new one knows what was on disk.
    pub(super) fn reopen(&mut self) {
        self.desk = Messenger(Arc::new(desk(self.folder.path(), self.org, &self.ambient)));
        self.kind = SshKind::new(Arc::new(self.desk.clone()));
    }

    pub(super) fn ask(&self) -> Ask {
        let holder = self.ambient.id();
        Ask {
            org: self.org,
            requester: holder,
            beneficiary: holder,
            items: vec![AskItem {
                resource: self.host.id,
                role: self.role.id,
                role_digest: self.role.digest().unwrap(),
                task: None,
            }],
            start: Start::Now,
            duration: Span::from_hours(1),
            justification: None,
            ticket: None,
            parent: None,
            nonce: "00".repeat(16),
            arrival: None,
            package: None,
            job: None,
        }
    }

    pub(super) fn statement(&self, ask: &Ask, who: usize) -> Statement {
        let (person, id, _) = &self.approvers[who];
        Statement {
            org: self.org,
            request: ask.digest().unwrap(),
            narrowed: None,
            seats: vec![Seat { item: 0, stage: 0 }],
            decision: Says::Approve,
            approver: *person,
            instead_of: None,
            key: *id,
            at: self.ambient.now(),
            nonce: "11".repeat(16),
        }
    }

    pub(super) fn approval(&self, said: &Statement, with: &PrivateKey) -> Approval {
        let text = said.text().unwrap();
        let armored = SshSig::sign(with, wane_approval::NAMESPACE, HashAlg::Sha512, text.as_bytes()).unwrap();
        let signature = Signature::Ssh(armored.to_pem(LineEnding::LF).unwrap());
        approval_by(said, Signed { statement: text, key: material(with), signature })
    }

    /// What people really signed.
    pub(super) fn authority(&self, ask: &Ask, who: &[usize]) -> Authority {
        let approvals = who.iter().map(|n| self.approval(&self.statement(ask, *n), &self.approvers[*n].2)).collect();
        Authority { ask: ask.clone(), item: 0, role: self.role.clone(), extensions: Vec::new(), approvals }
    }

    /// A grant that the server says is there.
    pub(super) fn grant(&self, ask: &Ask) -> Held {
        hold(&self.ambient, ask.clone(), "ssh", LeaseKind::Credential, self.ambient.now())
    }

    pub(super) fn issue(&self, held: &Held, role: &Role, authority: Option<Authority>) -> Result<Issued, ConnectError> {
        let permit = held.permit(self.ambient.now());
        let permit = match authority {
            Some(authority) => permit.resting_on(authority),
            None => permit,
        };
        let target = Target { resource: &self.host, credential: None, now: self.ambient.now() };
        self.kind.issuer().unwrap().issue(&target, role, &held.lease, permit, &json!({ "public_key": KEY }), 1)
    }

    pub(super) fn refused(&self, what: &str, held: &Held, role: &Role, authority: Option<Authority>) -> String {
        match self.issue(held, role, authority) {
            Err(ConnectError::Sign(SignError::Unsigned(why))) => why,
            Err(other) => panic!("{what}: refused for another reason: {other}"),
            Ok(_) => panic!("{what}: it was signed"),
        }
    }
}

pub(super) fn parts(ambient: &Ambient, definition: &Value) -> (Resource, Role) {
    let resource = Resource {
        id: ambient.id(),
        name: "web1".parse().unwrap(),
        kind: "ssh".parse().unwrap(),
        labels: Default::default(),
        owner: None,
        settings: json!({ "address": "web1:22", "host_names": ["web1"], "read_back": "none" }),
        since: ambient.now(),
    };
    let role = Role {
        id: ambient.id(),
        name: "deploy".parse().unwrap(),
        kind: "ssh".parse().unwrap(),
        description: String::new().try_into().unwrap(),
        definition: definition.clone(),
        since: ambient.now(),
    };
    (resource, role)
}
