//! Every setting there is, in one table: its name, its default, what it is for.

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its dotted name: `server.listen`.
    pub name: &'static str,
    /// What it is when nobody says; in angle brackets where it follows from another setting, empty for nothing.
    pub default: &'static str,
    /// What it is for, in one sentence.
    pub doc: &'static str,
}

/// All settings, by section.
pub const KEYS: &[Key] = &[
    Key { name: "server.listen", default: "127.0.0.1:7440", doc: "Address and port to listen on." },
    Key {
        name: "server.public_url",
        default: "<http or https>://<server.listen>",
        doc: "The URL people and hosts reach this server at; it appears in links.",
    },
    Key {
        name: "server.data_dir",
        default: "./wane-data",
        doc: "Folder of the store and of key files; on a local disk.",
    },
    Key { name: "server.zone", default: "UTC", doc: "IANA time zone of times of day in policies and on pages." },
    Key {
        name: "server.tls.cert",
        default: "",
        doc: "PEM file with the server's certificate chain; needs `server.tls.key`.",
    },
    Key {
        name: "server.tls.key",
        default: "",
        doc: "PEM file with the certificate's private key; needs `server.tls.cert`.",
    },
    Key {
        name: "server.plaintext_behind_proxy",
        default: "false",
        doc: "Whether a proxy in front does TLS, so that plain HTTP on an address others can reach is meant.",
    },
    Key {
        name: "signer.socket",
        default: "",
        doc: "Unix socket of a signer that is a process of its own (`wane signer serve`); without it the server signs by itself.",
    },
    Key {
        name: "signer.data_dir",
        default: "./wane-signer",
        doc: "Folder of that signer's keys and of what it knows; the server cannot read it.",
    },
    Key {
        name: "signer.server_user",
        default: "<the signer's own>",
        doc: "The user the server runs as, by name or number: the only one that signer speaks to.",
    },
    Key {
        name: "signer.most_per_minute",
        default: "6000",
        doc: "How often each key that issues signs in a minute, whoever asks; the signer of the server's own process too.",
    },
    Key {
        name: "seal.ends.kind",
        default: "machine",
        doc: "How secrets needed to end access are sealed: `machine`, so that ends never wait for a person.",
    },
    Key {
        name: "seal.ends.file",
        default: "<server.data_dir>/ends.key",
        doc: "The machine-bound key file of that seal.",
    },
    Key {
        name: "seal.issuing.kind",
        default: "machine",
        doc: "How the keys that sign, unless a signer of its own has them, and secrets of signing in are sealed: `machine` or `passphrase`.",
    },
    Key {
        name: "seal.issuing.file",
        default: "<server.data_dir>/issuing.key",
        doc: "The machine-bound key file of that seal, if it is `machine`.",
    },
    Key {
        name: "seal.issuing.passphrase.file",
        default: "",
        doc: "File with the passphrase, if the seal is `passphrase`.",
    },
    Key {
        name: "seal.issuing.passphrase.env",
        default: "",
        doc: "Environment variable with the passphrase, if the seal is `passphrase`.",
    },
    Key {
        name: "seal.signing.kind",
        default: "machine",
        doc: "How the keys of a signer that is a process of its own are sealed: `machine` or `passphrase`.",
    },
    Key {
        name: "seal.signing.file",
        default: "<signer.data_dir>/signing.key",
        doc: "The machine-bound key file of that seal, if it is `machine`.",
    },
    Key {
        name: "seal.signing.passphrase.file",
        default: "",
        doc: "File with the passphrase of that seal, if it is `passphrase`.",
    },
    Key {
        name: "seal.signing.passphrase.env",
        default: "",
        doc: "Environment variable with the passphrase of that seal, if it is `passphrase`.",
    },
    Key {
        name: "log.level",
        default: "info",
        doc: "Least severe message to log: `error`, `warn`, `info`, `debug` or `trace`.",
    },
    Key { name: "log.format", default: "text", doc: "Form of log lines: `text` for people, `json` for machines." },
    Key {
        name: "engine.inventory_every",
        default: "15m",
        doc: "How often targets are searched for access that no grant stands behind.",
    },
    Key {
        name: "engine.retry_cap",
        default: "30s",
        doc: "The longest wait between two tries to end access at a target.",
    },
    Key { name: "login.session_max", default: "8h", doc: "How long a sign-in lasts at most." },
    Key { name: "login.session_idle", default: "1h", doc: "After how long without use a sign-in ends." },
    Key {
        name: "login.reproof_grace",
        default: "5m",
        doc: "How long a session that is paused waits for a fresh proof of identity before it is cut.",
    },
    Key {
        name: "gateway.ssh.listen",
        default: "",
        doc: "Address and port on which sessions to SSH hosts go through this server; none unless it is set.",
    },
    Key {
        name: "gateway.ssh.address",
        default: "<gateway.ssh.listen>",
        doc: "The `host:port` people reach that gateway at; its certificate is for this host.",
    },
    Key {
        name: "gateway.http.listen",
        default: "",
        doc: "Address and port on which sessions to web applications go through this server; none unless it is set.",
    },
    Key {
        name: "gateway.http.cert",
        default: "",
        doc: "PEM file with the certificate chain for the applications' own host names.",
    },
    Key { name: "gateway.http.key", default: "", doc: "PEM file with that certificate's private key." },
    Key {
        name: "gateway.rules",
        default: "",
        doc: "File of rules over what happens in sessions; read at the start and when it changes.",
    },
    Key {
        name: "hooks.programs",
        default: "",
        doc: "Folder of the programs that resources of the kind `hook` may name; it belongs to root. Without it none is run.",
    },
    Key {
        name: "hooks.without_landlock",
        default: "false",
        doc: "Whether such programs are run on a kernel without Landlock too, where they can read what the server reads.",
    },
    Key {
        name: "recording.folder",
        default: "<server.data_dir>/recordings",
        doc: "Folder of the recordings of sessions; on a local disk with room for them.",
    },
    Key {
        name: "recording.sessions",
        default: "all",
        doc: "Which sessions through the gateway are recorded: `all`, or those whose terms `required` it.",
    },
    Key {
        name: "recording.on_failure",
        default: "close",
        doc: "What becomes of a session that cannot be recorded, on a full disk for instance: `close`, or `go_on` where its terms do not ask for a recording.",
    },
    Key {
        name: "recording.keep",
        default: "365d",
        doc: "How long recordings are kept after their session, and then deleted: a length of time, or `forever`.",
    },
    Key {
        name: "recording.store.bucket",
        default: "",
        doc: "Bucket of an object store (S3) that recordings go to once their sessions are over; without it they stay in the folder.",
    },
    Key {
        name: "recording.store.endpoint",
        default: "https://s3.<recording.store.region>.amazonaws.com",
        doc: "URL of the object store, without the bucket.",
    },
    Key {
        name: "recording.store.region",
        default: "us-east-1",
        doc: "Region that requests to the object store are signed for; most stores but Amazon's take any.",
    },
    Key {
        name: "recording.store.prefix",
        default: "wane",
        doc: "What the names of objects begin with, before `/ORGANISATION/SESSION`.",
    },
    Key {
        name: "recording.store.access_key_id.file",
        default: "",
        doc: "File with the id of the access key to the object store; read anew for each request.",
    },
    Key {
        name: "recording.store.access_key_id.env",
        default: "",
        doc: "Environment variable with the id of the access key to the object store.",
    },
    Key {
        name: "recording.store.secret_access_key.file",
        default: "",
        doc: "File with the secret access key to the object store; read anew for each request.",
    },
    Key {
        name: "recording.store.secret_access_key.env",
        default: "",
        doc: "Environment variable with the secret access key to the object store.",
    },
    Key {
        name: "recording.store.path_style",
        default: "<true with recording.store.endpoint>",
        doc: "Whether the bucket stands in the path of the URL rather than in front of its host.",
    },
    Key {
        name: "recording.store.ca",
        default: "",
        doc: "PEM file with the authorities that the object store's certificate may come from; those of the system unless it is set.",
    },
    Key {
        name: "recording.store.allow_http",
        default: "false",
        doc: "Whether an object store on another machine without TLS is meant.",
    },
    Key {
        name: "recording.store.keep_local",
        default: "0s",
        doc: "How long a recording stays in the folder after its session although it is in the object store.",
    },
    Key {
        name: "recording.files",
        default: "contents",
        doc: "What is recorded of files that are carried by `sftp` and `scp`: `contents`, or `names` (with what was done and how much it was).",
    },
    Key {
        name: "notices.email.host",
        default: "",
        doc: "Mail server that people are told by; no mail is sent unless it is set.",
    },
    Key {
        name: "notices.email.port",
        default: "<587; 465 with `tls`, 25 with `none`>",
        doc: "Port of the mail server.",
    },
    Key {
        name: "notices.email.security",
        default: "starttls",
        doc: "How the way to the mail server is kept from others: `starttls` (or nothing is said), `tls` from the first byte, or `none`, on this machine only.",
    },
    Key { name: "notices.email.user", default: "", doc: "Name to sign in to the mail server with." },
    Key { name: "notices.email.password.file", default: "", doc: "File with the password at the mail server." },
    Key {
        name: "notices.email.password.env",
        default: "",
        doc: "Environment variable with the password at the mail server.",
    },
    Key { name: "notices.email.from", default: "", doc: "Who mail is from: an address, or `Name <address>`." },
    Key {
        name: "notices.email.ca",
        default: "",
        doc: "PEM file with the only authority that the mail server's certificate may come from; those of the system unless it is set.",
    },
    Key { name: "notices.email.timeout", default: "20s", doc: "How long sending one mail may take." },
    Key {
        name: "notices.try_for",
        default: "3d",
        doc: "How long a notice is tried over a channel that does not take it, and then given up.",
    },
    Key { name: "notices.keep", default: "14d", doc: "How long it is kept what became of a notice." },
    Key { name: "limits.body_bytes", default: "1 MiB", doc: "The largest request body that is read." },
    Key { name: "limits.open_requests", default: "50", doc: "How many requests one person may have waiting." },
];

/// A key by name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|k| k.name == name)
}

/// Whether a name is a section: the beginning of a key.
pub(crate) fn is_section(name: &str) -> bool {
    KEYS.iter().any(|k| k.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

/// Sections that stand for a secret, which is only ever referred to.
pub(crate) fn is_secret(name: &str) -> bool {
    [
        "seal.issuing.passphrase",
        "seal.signing.passphrase",
        "recording.store.access_key_id",
        "recording.store.secret_access_key",
        "notices.email.password",
    ]
    .contains(&name)
}
