//! The settings themselves.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::directory::LdapDirectory;
use crate::error::ConfigErrors;
use crate::explain::{Explained, render};
use crate::key::KEYS;
use crate::layer::{Layers, Origin};
use crate::notices::Notices;
use crate::provider::OidcProvider;
use crate::read::Reader;
use crate::secret::SecretRef;

/// Everything `wane server` can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How the server is reached and where its data is.
    pub server: Server,
    /// A signer that is a process of its own.
    pub signer: Signer,
    /// How secrets are sealed.
    pub seal: Seal,
    /// What is logged.
    pub log: Log,
    /// How access is ended and looked after.
    pub engine: Engine,
    /// How people sign in, and how long that lasts.
    pub login: Login,
    /// Where people and groups come from besides here.
    pub directories: Vec<LdapDirectory>,
    /// What goes through this server.
    pub gateway: Gateway,
    /// Programs that are run for targets.
    pub hooks: Hooks,
    /// What is recorded of that.
    pub recording: Recording,
    /// How people and programs are told.
    pub notices: Notices,
    /// Bounds.
    pub limits: Limits,
}

/// How the server is reached and where its data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How others reach it; without a slash at the end.
    pub public_url: String,
    /// Folder of the store and of key files.
    pub data_dir: PathBuf,
    /// An IANA time zone that exists.
    pub zone: String,
    /// Certificate and key; none for plain HTTP.
    pub tls: Option<Tls>,
    /// Whether a proxy in front does TLS.
    pub plaintext_behind_proxy: bool,
}

/// PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate chain.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A signer that is a process of its own, as it and the server know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Its socket; none where the server signs by itself.
    pub socket: Option<PathBuf>,
    /// Its folder.
    pub data_dir: PathBuf,
    /// The user it speaks to, by name or number; its own where nobody says.
    pub server_user: Option<String>,
    /// How often each key signs in a minute, wherever the signer is.
    pub most_per_minute: NonZeroU32,
}

/// How secrets are sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// What is needed to end access.
    pub ends: EndsSeal,
    /// Signing keys, and secrets of signing in.
    pub issuing: IssuingSeal,
    /// The keys of a signer that is a process of its own.
    pub signing: IssuingSeal,
}

/// The seal over what is needed to end access; it opens unattended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndsSeal {
    /// Bound to this machine by a key file.
    Machine {
        /// The key file.
        file: PathBuf,
    },
}

/// A seal that may need a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuingSeal {
    /// Bound to this machine by a key file.
    Machine {
        /// The key file.
        file: PathBuf,
    },
    /// Opened with a passphrase.
    Passphrase(SecretRef),
}

/// What is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least severe message.
    pub level: LogLevel,
    /// Its form.
    pub format: LogFormat,
}

/// How severe a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the usual levels")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// The level's name, as filters read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// How access is ended and looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engine {
    /// How often targets are searched.
    pub inventory_every: Duration,
    /// The longest wait between two tries of an end.
    pub retry_cap: Duration,
}

/// How people sign in, and how long that lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// At most.
    pub session_max: Duration,
    /// Without use.
    pub session_idle: Duration,
    /// How long a session at the gateway that is paused waits for a fresh proof of identity.
    pub reproof_grace: Duration,
    /// Where people sign in besides here.
    pub providers: Vec<OidcProvider>,
}

/// Programs that are run for targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// The folder they are in; none is run without one.
    pub programs: Option<PathBuf>,
    /// Whether a kernel without Landlock will do.
    pub without_landlock: bool,
}

/// What goes through this server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gateway {
    /// Sessions to SSH hosts; none unless an address is set.
    pub ssh: Option<GatewayListen>,
    /// Sessions to web applications; none unless an address is set.
    pub http: Option<GatewayWeb>,
    /// A file of rules over what happens in sessions.
    pub rules: Option<PathBuf>,
}

/// Where the gateway of web applications is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayWeb {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The certificate chain for the applications' own host names, and its key.
    pub tls: Tls,
}

/// Where a gateway is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayListen {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The host by which people reach it: a name or an address.
    pub host: String,
    /// The port by which people reach it.
    pub port: u16,
}

/// What is recorded of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Where recordings lie.
    pub folder: PathBuf,
    /// Which sessions are recorded.
    pub sessions: RecordingSessions,
    /// What if one cannot be.
    pub on_failure: RecordingFailure,
    /// How long they are kept; none for ever.
    pub keep: Option<Duration>,
    /// What of files that are carried.
    pub files: RecordingFiles,
    /// Where they go once their sessions are over; none if they stay in the folder.
    pub store: Option<RecordingStore>,
}

/// An object store that speaks the S3 API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingStore {
    /// Its URL, without bucket.
    pub endpoint: String,
    /// The bucket.
    pub bucket: String,
    /// What the names of objects begin with, without a slash at the end; may be empty.
    pub prefix: String,
    /// The region that requests are signed for.
    pub region: String,
    /// Half of the credential.
    pub access_key_id: SecretRef,
    /// The other half.
    pub secret_access_key: SecretRef,
    /// Where in a URL the bucket stands.
    pub addressing: StoreAddressing,
    /// PEM file of the authorities that are trusted; none for those of the system.
    pub ca: Option<PathBuf>,
    /// Whether plain HTTP to another machine is meant.
    pub allow_http: bool,
    /// How long a recording stays in the folder as well, after its session.
    pub keep_local: Duration,
}

/// Where in a URL the bucket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreAddressing {
    /// First in the path.
    Path,
    /// In front of the host's name.
    Host,
}

/// What is recorded of files that are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingFiles {
    /// All of them.
    Contents,
    /// What they are called, what was done, how much it was.
    Names,
}

/// Which sessions are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingSessions {
    /// All.
    All,
    /// Those whose terms ask for it.
    Required,
}

/// What becomes of a session that cannot be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingFailure {
    /// It is over.
    Close,
    /// It goes on where its terms let it.
    GoOn,
}

/// Bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest body that is read.
    pub body_bytes: u64,
    /// Waiting requests of one person.
    pub open_requests: u32,
}

/// Settings, with where each came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    explained: Vec<Explained>,
}

impl Settings {
    /// Reads a file, lays environment variables over it and flags over both.
    ///
    /// `env` is the whole environment; only names that begin with `WANE__` are read: `WANE__server__listen`.
    /// `flags` are pairs of a dotted key and its value.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(
        file: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        flags: &[(String, String)],
    ) -> Result<Loaded, ConfigErrors> {
        let mut layers = Layers::default();
        if let Some(path) = file {
            layers.file(path);
        }
        layers.env(env);
        layers.flags(flags);
        let (settings, mut explained) = Reader::new(layers).settings().map_err(ConfigErrors)?;
        // In the order of the table, whatever order they were read in.
        explained.sort_by_key(|e| KEYS.iter().position(|k| k.name == e.key));
        Ok(Loaded { settings, explained })
    }
}

impl Loaded {
    /// Every setting with its value, where it came from and what it is for.
    #[must_use]
    pub fn explain(&self) -> &[Explained] {
        &self.explained
    }

    /// The same as text, for `config explain`.
    #[must_use]
    pub fn render(&self) -> String {
        let providers = self.settings.login.providers.iter().map(|provider| {
            format!("[[login.oidc]] {} = {}\n    A provider people sign in at.\n", provider.name, provider.issuer)
        });
        let directories = self.settings.directories.iter().map(|directory| {
            let urls = directory.urls.join(", ");
            format!("[[directory.ldap]] {} = {urls}\n    A directory people and groups come from.\n", directory.name)
        });
        let webhooks = self.settings.notices.webhooks.iter().map(|webhook| {
            format!("[[notices.webhook]] {} = {}\n    A webhook that is told.\n", webhook.name, webhook.url)
        });
        render(&self.explained) + &providers.chain(directories).chain(webhooks).collect::<String>()
    }

    /// One line for `config check`: that all is well, and how many settings somebody set.
    #[must_use]
    pub fn check(&self) -> String {
        let set = self.explained.iter().filter(|e| e.origin != Origin::Default).count();
        let are = if set == 1 { "is" } else { "are" };
        format!("the settings are good; {set} of {} {are} set, the rest are as by default", self.explained.len())
    }
}
