//! A kind with an authority, the signer that holds its key, and OpenSSL beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use wane_connector::{ConnectError, Issued, Kind, PublicKey, PublishPermit, Revoked, Signer, Target};
use wane_domain::ambient::Ambient;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::lease::LeaseKind;
use wane_domain::request::AskItem;
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};
use wane_keys::signer::{LocalSigner, SignerKeys};
use wane_kind_x509::authority::{Authorities, Authority, Confined, State};
use wane_kind_x509::{AUTHORITY_KEYS, X509Kind, check_certificate, check_list};
use wane_testkit::{FakeClock, Held, plain_ask};

pub(crate) struct World {
    pub(crate) signer: Arc<LocalSigner>,
    pub(crate) kind: X509Kind,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) ambient: Ambient,
}

#[expect(clippy::disallowed_methods, reason = "OpenSSL judges certificates by the machine's own clock")]
pub(crate) fn machine_now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time::from_micros(i64::try_from(since.as_micros()).unwrap())
}

/// Which sort of key the authority has.
#[derive(Clone, Copy)]
pub(crate) enum With {
    P256,
    Ed25519,
}

/// A signer with nothing but the key of an authority, which signs whatever it is given: for its own certificate.
pub(crate) fn own(key: &[u8], purpose: &'static str) -> (LocalSigner, PublicKey) {
    let signer = LocalSigner::new(vec![(purpose, Secret::new(key.to_vec()))], Vec::new()).unwrap();
    let public = signer.key(purpose).unwrap();
    (signer, public)
}

pub(crate) fn root(key: &[u8], purpose: &'static str, confined: &Confined, ambient: &Ambient) -> Authority {
    let (signer, public) = own(key, purpose);
    let sign = |message: &[u8]| signer.publish(purpose, PublishPermit { what: "test".to_owned() }, message);
    let year = Span::from_hours(8766);
    Authority::root(purpose, public, &sign, confined, ambient.bytes(), ambient.now(), year).unwrap()
}

pub(crate) fn new_key(with: With, ambient: &Ambient) -> Vec<u8> {
    match with {
        With::P256 => SignerKeys::p256(ambient).expose().to_vec(),
        With::Ed25519 => ambient.bytes::<32>().to_vec(),
    }
}

/// A signer as the server has it, for these keys.
pub(crate) fn signer(keys: Vec<(&'static str, Vec<u8>)>) -> LocalSigner {
    let purposes: Vec<&'static str> = keys.iter().map(|(purpose, _)| *purpose).collect();
    let keys = keys.into_iter().map(|(purpose, key)| (purpose, Secret::new(key))).collect();
    let checkers = purposes.iter().map(|purpose| (*purpose, check_certificate as wane_connector::Checker)).collect();
    let documents = purposes.iter().map(|purpose| (*purpose, check_list as wane_connector::Document)).collect();
    LocalSigner::new(keys, checkers).unwrap().publishing(documents)
}

impl World {
    pub(crate) fn new(seed: u8, with: With) -> Self {
        Self::confined(seed, with, &Confined::default())
    }

    pub(crate) fn confined(seed: u8, with: With, confined: &Confined) -> Self {
        let clock = FakeClock::at(machine_now());
        let ambient = clock.ambient(u64::from(seed));
        let key = new_key(with, &ambient);
        let mut made = root(&key, AUTHORITY_KEYS[0], confined, &ambient);
        made.state = State::Issuing;
        let signer = Arc::new(signer(vec![(AUTHORITY_KEYS[0], key)]));
        Self::of(signer, &[made], clock, ambient)
    }

    pub(crate) fn of(signer: Arc<LocalSigner>, kept: &[Authority], clock: Arc<FakeClock>, ambient: Ambient) -> Self {
        let (authorities, troubles) = Authorities::read(&*signer, kept);
        assert_eq!(troubles, Vec::<String>::new());
        let kind = X509Kind::new(Arc::<LocalSigner>::clone(&signer), authorities, ambient.clone());
        Self { signer, kind, clock, ambient }
    }

    pub(crate) fn now(&self) -> Time {
        self.ambient.now()
    }

    pub(crate) fn resource(&self, settings: &Value) -> Resource {
        Resource {
            id: self.ambient.id(),
            name: "console".parse().unwrap(),
            kind: "x509".parse().unwrap(),
            labels: Default::default(),
            owner: None,
            settings: self.kind.settings(settings).unwrap(),
            since: self.now(),
        }
    }

    pub(crate) fn role(&self, definition: &Value) -> Role {
        Role {
            id: self.ambient.id(),
            name: "operate".parse().unwrap(),
            kind: "x509".parse().unwrap(),
            description: String::new().try_into().unwrap(),
            definition: self.kind.definition(definition).unwrap(),
            since: self.now(),
        }
    }

    pub(crate) fn hold(&self, resource: &Resource, role: &Role, duration: Span) -> Held {
        let item = AskItem { resource: resource.id, role: role.id, role_digest: role.digest().unwrap(), task: None };
        let ask = plain_ask(&self.ambient, item, duration);
        wane_testkit::hold(&self.ambient, ask, "x509", LeaseKind::Credential, self.now())
    }

    pub(crate) fn target<'a>(&self, resource: &'a Resource) -> Target<'a> {
        Target { resource, credential: None, now: self.now() }
    }

    /// Issues for what was sent, as the engine does.
    pub(crate) fn issue(
        &self,
        held: &Held,
        resource: &Resource,
        role: &Role,
        input: &Value,
    ) -> Result<Issued, ConnectError> {
        let issuer = self.kind.issuer().unwrap();
        issuer.issue(&self.target(resource), role, &held.lease, held.permit(self.now()), input, 1)
    }

    pub(crate) fn paper(&self, name: &str, number: u64, revoked: &[Revoked]) -> Vec<u8> {
        self.kind.published().unwrap().paper(name, number, self.now(), revoked).unwrap().unwrap().bytes
    }
}

/// A folder in which OpenSSL works.
pub(crate) struct Bench(tempfile::TempDir);

impl Bench {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    /// Runs `openssl` with these words; what it said, and whether it was done.
    pub(crate) fn openssl(&self, words: &str) -> (bool, String) {
        let done = Command::new("openssl").args(words.split(' ')).current_dir(self.0.path()).output().unwrap();
        (done.status.success(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    }

    pub(crate) fn must(&self, words: &str) -> String {
        let (done, said) = self.openssl(words);
        assert!(done, "openssl {words}: {said}");
        said
    }

    /// A new key and a signing request for it.
    pub(crate) fn request(&self, algorithm: &str, more: &str) -> Value {
        self.must(&format!(
            "req -new -nodes -newkey {algorithm} -keyout key.pem -out csr.pem -subj /CN=somebody{more}"
        ));
        json!({ "csr": self.read("csr.pem") })
    }
}

pub(crate) const P256: &str = "ec -pkeyopt ec_paramgen_curve:P-256";
