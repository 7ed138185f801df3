//! Layers to settings: every key read once, what goes together checked, everything that is wrong collected.

mod notices;
mod store;

use std::path::{Path, PathBuf};

use crate::error::ConfigError;
use crate::explain::Explained;
use crate::key::KEYS;
use crate::layer::{Layers, Origin};
use crate::parse;
use crate::secret::SecretRef;
use crate::settings::{
    EndsSeal, Engine, Gateway, GatewayListen, GatewayWeb, Hooks, IssuingSeal, Limits, Log, LogFormat, LogLevel, Login,
    Recording, RecordingFailure, RecordingFiles, RecordingSessions, Seal, Server, Settings, Signer, Tls,
};

/// The settings of a seal that may need a person.
struct SealKeys {
    name: &'static str,
    kind: &'static str,
    file: &'static str,
    in_file: &'static str,
    in_env: &'static str,
}

const ISSUING: SealKeys = SealKeys {
    name: "seal.issuing",
    kind: "seal.issuing.kind",
    file: "seal.issuing.file",
    in_file: "seal.issuing.passphrase.file",
    in_env: "seal.issuing.passphrase.env",
};
const SIGNING: SealKeys = SealKeys {
    name: "seal.signing",
    kind: "seal.signing.kind",
    file: "seal.signing.file",
    in_file: "seal.signing.passphrase.file",
    in_env: "seal.signing.passphrase.env",
};

/// Reads keys one by one and remembers what it read.
pub(crate) struct Reader {
    layers: Layers,
    explained: Vec<Explained>,
}

impl Reader {
    pub(crate) fn new(layers: Layers) -> Self {
        Self { layers, explained: Vec::new() }
    }

    /// All of it, or everything that is wrong.
    pub(crate) fn settings(mut self) -> Result<(Settings, Vec<Explained>), Vec<ConfigError>> {
        match self.all() {
            Some(settings) if self.layers.errors.is_empty() => Ok((settings, self.explained)),
            _ => Err(self.layers.errors),
        }
    }

    fn all(&mut self) -> Option<Settings> {
        let server = self.server();
        let data_dir = server.as_ref().map_or_else(|| PathBuf::from("."), |s| s.data_dir.clone());
        let signer = self.signer();
        let signer_dir = signer.as_ref().map_or_else(|| PathBuf::from("."), |s| s.data_dir.clone());
        let seal = self.seal(&data_dir, &signer_dir);
        let levels =
            [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace].map(|l| (l.name(), l));
        let level = self.read("log.level", |t| parse::word(t, &levels));
        let format =
            self.read("log.format", |t| parse::word(t, &[("text", LogFormat::Text), ("json", LogFormat::Json)]));
        let inventory_every = self.read("engine.inventory_every", parse::duration);
        let retry_cap = self.read("engine.retry_cap", parse::duration);
        let session_max = self.read("login.session_max", parse::duration);
        let session_idle = self.read("login.session_idle", parse::duration);
        let reproof_grace = self.read("login.reproof_grace", parse::duration);
        if let (Some(max), Some(idle)) = (session_max, session_idle)
            && idle > max
        {
            self.refuse(
                "login.session_idle",
                "`login.session_idle` is longer than `login.session_max`; make it shorter".to_owned(),
            );
        }
        let providers = self.layers.providers.iter().map(|(provider, _)| provider.clone()).collect();
        let directories = self.layers.directories.clone();
        let gateway = self.gateway()?;
        let programs = self.maybe("hooks.programs").map(PathBuf::from);
        let without_landlock = self.read("hooks.without_landlock", parse::flag);
        let recording = self.recording(&data_dir);
        let notices = self.notices();
        let body_bytes = self.read("limits.body_bytes", parse::bytes);
        let open_requests = self.read("limits.open_requests", |t| parse::count(t, 1, 10_000));
        Some(Settings {
            server: server?,
            signer: signer?,
            seal: seal?,
            log: Log { level: level?, format: format? },
            engine: Engine { inventory_every: inventory_every?, retry_cap: retry_cap? },
            login: Login {
                session_max: session_max?,
                session_idle: session_idle?,
                reproof_grace: reproof_grace?,
                providers,
            },
            directories,
            gateway,
            hooks: Hooks { programs, without_landlock: without_landlock? },
            recording: recording?,
            notices: notices?,
            limits: Limits { body_bytes: body_bytes?, open_requests: open_requests? },
        })
    }

    /// Where sessions go through; none unless an address to listen on is set.
    fn gateway(&mut self) -> Option<Gateway> {
        const LISTEN: &str = "gateway.ssh.listen";
        const ADDRESS: &str = "gateway.ssh.address";
        let rules = self.maybe("gateway.rules").map(PathBuf::from);
        let http = self.gateway_web();
        if self.layers.get(LISTEN).is_none() {
            self.explain(LISTEN, String::new(), Origin::Default);
            if self.layers.get(ADDRESS).is_some() {
                self.refuse(ADDRESS, format!("`{ADDRESS}` needs `{LISTEN}`; set both or none"));
            } else {
                self.explain(ADDRESS, String::new(), Origin::Default);
            }
            return Some(Gateway { ssh: None, http, rules });
        }
        let listen = self.read(LISTEN, parse::address);
        let here = listen.map(|listen| listen.to_string()).unwrap_or_default();
        if let Some(listen) = listen
            && listen.ip().is_unspecified()
            && self.layers.get(ADDRESS).is_none()
        {
            let why =
                format!("nobody can connect to `{}`; set `{ADDRESS}` to where people reach the gateway", listen.ip());
            self.refuse(LISTEN, why);
        }
        let (host, port) = self.read_or(ADDRESS, &here, parse::host_port)?;
        Some(Gateway { ssh: Some(GatewayListen { listen: listen?, host, port }), http, rules })
    }

    /// Where sessions to web applications go through. Each has an address of its own that browsers know by its
    /// certificate, so there is none without.
    fn gateway_web(&mut self) -> Option<GatewayWeb> {
        const LISTEN: &str = "gateway.http.listen";
        const CERT: &str = "gateway.http.cert";
        const KEY: &str = "gateway.http.key";
        let (cert, key) = (self.maybe(CERT).map(PathBuf::from), self.maybe(KEY).map(PathBuf::from));
        let listen = match self.layers.get(LISTEN) {
            Some(_) => self.read(LISTEN, parse::address),
            None => {
                self.explain(LISTEN, String::new(), Origin::Default);
                None
            }
        };
        match (listen, cert, key) {
            (Some(listen), Some(cert), Some(key)) => return Some(GatewayWeb { listen, tls: Tls { cert, key } }),
            (None, None, None) => {}
            (Some(_), None, _) => {
                self.refuse(LISTEN, format!("`{LISTEN}` needs `{CERT}`: browsers open applications over TLS only"))
            }
            (Some(_), Some(_), None) => self.refuse(LISTEN, format!("`{LISTEN}` needs `{KEY}`")),
            (None, Some(_), _) => self.refuse(CERT, format!("`{CERT}` needs `{LISTEN}`; set both or none")),
            (None, None, Some(_)) => self.refuse(KEY, format!("`{KEY}` needs `{LISTEN}`; set both or none")),
        }
        None
    }

    /// What is recorded of sessions.
    fn recording(&mut self, data_dir: &Path) -> Option<Recording> {
        let folder = data_dir.join("recordings").display().to_string();
        let folder = self.read_or("recording.folder", &folder, parse::filled);
        let sessions = self.read("recording.sessions", |t| {
            parse::word(t, &[("all", RecordingSessions::All), ("required", RecordingSessions::Required)])
        });
        let on_failure = self.read("recording.on_failure", |t| {
            parse::word(t, &[("close", RecordingFailure::Close), ("go_on", RecordingFailure::GoOn)])
        });
        let keep = self.read("recording.keep", |t| match t {
            "forever" => Ok(None),
            _ => parse::duration(t).map(Some).map_err(|why| format!("{why}, or `forever`")),
        });
        let files = self.read("recording.files", |t| {
            parse::word(t, &[("contents", RecordingFiles::Contents), ("names", RecordingFiles::Names)])
        });
        let store = self.recording_store();
        let (sessions, on_failure, keep, files) = (sessions?, on_failure?, keep?, files?);
        Some(Recording { folder: folder?.into(), sessions, on_failure, keep, files, store: store? })
    }

    fn server(&mut self) -> Option<Server> {
        let listen = self.read("server.listen", parse::address);
        let data_dir = self.read("server.data_dir", parse::filled);
        let zone = self.read("server.zone", parse::zone);
        let cert = self.maybe("server.tls.cert");
        let key = self.maybe("server.tls.key");
        let behind_proxy = self.read("server.plaintext_behind_proxy", parse::flag);
        let tls = match (cert, key) {
            (Some(cert), Some(key)) => Some(Tls { cert: cert.into(), key: key.into() }),
            (None, None) => None,
            (Some(_), None) => {
                self.refuse("server.tls.cert", "`server.tls.cert` needs `server.tls.key`; set both or none".to_owned());
                None
            }
            (None, Some(_)) => {
                self.refuse("server.tls.key", "`server.tls.key` needs `server.tls.cert`; set both or none".to_owned());
                None
            }
        };
        let scheme = if tls.is_some() { "https" } else { "http" };
        let here = listen.map(|l| format!("{scheme}://{l}")).unwrap_or_default();
        let public_url = self.read_or("server.public_url", &here, parse::origin_url);
        let half_tls = self.layers.get("server.tls.cert").is_some() || self.layers.get("server.tls.key").is_some();
        if let Some(listen) = listen
            && !listen.ip().is_loopback()
            && !half_tls
            && behind_proxy == Some(false)
        {
            let why = format!(
                "`server.listen` is `{listen}`, which others can reach, without TLS; set `server.tls`, \
                 or `server.plaintext_behind_proxy = true` if a proxy in front does TLS"
            );
            self.refuse("server.listen", why);
        }
        Some(Server {
            listen: listen?,
            public_url: public_url?,
            data_dir: data_dir?.into(),
            zone: zone?,
            tls,
            plaintext_behind_proxy: behind_proxy?,
        })
    }

    /// A signer that is a process of its own, unless its socket is not set; and what is true of either.
    fn signer(&mut self) -> Option<Signer> {
        const SOCKET: &str = "signer.socket";
        const RATE: &str = "signer.most_per_minute";
        let socket = self.maybe(SOCKET).map(PathBuf::from);
        let data_dir = self.read("signer.data_dir", parse::filled);
        let server_user = self.maybe("signer.server_user");
        let alone = KEYS
            .iter()
            .map(|key| key.name)
            .filter(|name| !matches!(*name, SOCKET | RATE))
            .filter(|name| name.starts_with("signer.") || name.starts_with("seal.signing."));
        let alone: Vec<&str> = alone.filter(|name| self.layers.get(name).is_some()).collect();
        if let (None, Some(first)) = (&socket, alone.first()) {
            self.refuse(
                first,
                format!("`{first}` is of a signer that is a process of its own; set `{SOCKET}` as well"),
            );
        }
        let most_per_minute = self.read(RATE, parse::rate);
        Some(Signer { socket, data_dir: data_dir?.into(), server_user, most_per_minute: most_per_minute? })
    }

    fn seal(&mut self, data_dir: &Path, signer_dir: &Path) -> Option<Seal> {
        let ends_kind = self.read("seal.ends.kind", |t| parse::word(t, &[("machine", ())]));
        let ends = self.read_or("seal.ends.file", &data_dir.join("ends.key").display().to_string(), parse::filled);
        let issuing = self.sealed_by(&ISSUING, &data_dir.join("issuing.key"));
        let signing = self.sealed_by(&SIGNING, &signer_dir.join("signing.key"));
        ends_kind?;
        Some(Seal { ends: EndsSeal::Machine { file: ends?.into() }, issuing: issuing?, signing: signing? })
    }

    fn sealed_by(&mut self, keys: &SealKeys, file: &Path) -> Option<IssuingSeal> {
        #[derive(Clone, Copy)]
        enum Kind {
            Machine,
            Passphrase,
        }
        let SealKeys { name, .. } = keys;
        let kind =
            self.read(keys.kind, |t| parse::word(t, &[("machine", Kind::Machine), ("passphrase", Kind::Passphrase)]));
        let file = self.read_or(keys.file, &file.display().to_string(), parse::filled);
        let in_file = self.maybe(keys.in_file);
        let in_env = self.maybe(keys.in_env);
        let passphrase = match (in_file, in_env) {
            (Some(_), Some(_)) => {
                let why = format!("`{name}.passphrase` is given as a file and as an environment variable; choose one");
                self.refuse(keys.in_env, why);
                return None;
            }
            (Some(path), None) => Some(SecretRef::File(path.into())),
            (None, Some(name)) => Some(SecretRef::Env(name)),
            (None, None) => None,
        };
        match (kind?, passphrase) {
            (Kind::Machine, None) => Some(IssuingSeal::Machine { file: file?.into() }),
            (Kind::Passphrase, Some(from)) => Some(IssuingSeal::Passphrase(from)),
            (Kind::Machine, Some(_)) => {
                self.refuse(keys.kind, format!("`{name}.passphrase` is given but the seal is `machine`; set `{name}.kind = \"passphrase\"`, or leave the passphrase out"));
                None
            }
            (Kind::Passphrase, None) => {
                // Where it was given in the wrong form, that was said already.
                if !self.layers.errors.iter().any(|e| matches!(e, ConfigError::InlineSecret { .. })) {
                    self.refuse(keys.kind, format!("the seal is `passphrase` but none is referred to; set `{name}.passphrase` to `{{ file = \"…\" }}` or `{{ env = \"…\" }}`"));
                }
                None
            }
        }
    }

    /// A key with the default of its table.
    fn read<T>(&mut self, key: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let default = crate::key::find(key).map_or("", |k| k.default);
        self.read_or(key, default, parse)
    }

    /// A key with a default that follows from others.
    fn read_or<T>(
        &mut self,
        key: &'static str,
        default: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (text, origin) = self.layers.get(key).cloned().unwrap_or_else(|| (default.to_owned(), Origin::Default));
        let parsed = match parse(&text) {
            Ok(value) => Some(value),
            // A default can only be wrong because what it follows from is, and that was said already.
            Err(_) if origin == Origin::Default => None,
            Err(want) => {
                let got = text.chars().take(64).collect();
                self.layers.errors.push(ConfigError::Invalid { origin: origin.clone(), key, got, want });
                None
            }
        };
        self.explain(key, text, origin);
        parsed
    }

    /// A key that may be left out.
    fn maybe(&mut self, key: &'static str) -> Option<String> {
        if self.layers.get(key).is_some() {
            return self.read(key, parse::filled);
        }
        self.explain(key, String::new(), Origin::Default);
        None
    }

    fn explain(&mut self, key: &'static str, value: String, origin: Origin) {
        let doc = crate::key::find(key).map_or("", |k| k.doc);
        self.explained.push(Explained { key, value, origin, doc });
    }

    /// Refuses what does not go together, where `key` was said.
    fn refuse(&mut self, key: &str, why: String) {
        let origin = self.layers.get(key).map_or(Origin::Default, |(_, origin)| origin.clone());
        self.layers.errors.push(ConfigError::Together { origin, why });
    }
}
