//! What every command works with: the streams, the server, and the road to access.

mod ensure;
mod pages;
mod wait;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{BufRead, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use wane_api::SecretText;
use wane_api::grant::{CredentialView, NewCredential};
use wane_client::{Bearer, Client, Connect, KeySource};

use crate::args::Global;
use crate::env::{Clock, Entropy, Env};
use crate::exit::{Exit, Stop};
use crate::extra::ExtraGiver;
use crate::out::{Manner, Out};
use crate::signed_in::{self, SignedInFile};
use crate::when::Now;

pub use ensure::{Held, Want};
pub(crate) use pages::{Take, pages};
pub(crate) use wait::{Outcome, Patience, next_stage};

/// The most a file or standard input given to a command may weigh.
const LARGEST_INPUT: u64 = 4 * 1024 * 1024;

/// What a command works with.
pub struct Session {
    pub(crate) out: Out,
    pub(crate) vars: BTreeMap<OsString, OsString>,
    pub(crate) interactive: bool,
    /// Programs that commands of others run.
    pub(crate) programs: Vec<&'static str>,
    /// What gives commands that are run what a kind's credential needs.
    pub(crate) givers: Vec<Arc<dyn ExtraGiver>>,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    pub(crate) config_dir: Option<PathBuf>,
    stdin: Mutex<Box<dyn BufRead + Send>>,
    zone: TimeZone,
    told: Told,
    client: OnceLock<Client>,
}

/// What was said about the server, on the command line or by the environment.
#[derive(Debug, Default)]
struct Told {
    server: Option<String>,
    ca: Option<PathBuf>,
    token: Option<SecretText>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// The server a session speaks to, and as whom.
pub(crate) struct Whither {
    pub(crate) server: String,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) token: Option<SecretText>,
}

impl Session {
    pub(crate) fn new(env: Env, global: &Global) -> Self {
        let config_dir = env.config_dir();
        let told = Told {
            server: global.server.clone().or_else(|| env.var("WANE_SERVER")),
            ca: global.ca.clone().or_else(|| env.var("WANE_CA").map(PathBuf::from)),
            token: env.var("WANE_TOKEN").map(SecretText::new),
        };
        let colours = env.var("NO_COLOR").is_none() && env.var("TERM").is_none_or(|t| t != "dumb");
        let manner = Manner {
            json: global.json,
            colours,
            stdout_is_terminal: env.stdout_is_terminal,
            stderr_is_terminal: env.stderr_is_terminal,
            width: env.width,
        };
        Self {
            interactive: env.stdin_is_terminal,
            programs: Vec::new(),
            givers: Vec::new(),
            out: Out::new(env.stdout, env.stderr, manner),
            vars: env.vars,
            clock: env.clock,
            entropy: env.entropy,
            config_dir,
            stdin: Mutex::new(env.stdin),
            zone: env.zone,
            told,
            client: OnceLock::new(),
        }
    }

    /// Whether results are to be JSON.
    #[must_use]
    pub fn json(&self) -> bool {
        self.out.json
    }

    /// Tells the person something, on standard error.
    pub fn say(&self, line: &str) {
        self.out.say(line);
    }

    /// Puts a result out, on standard output: `json` where `--json` was given, else `text`, escaped.
    pub fn put(&self, json: &Value, text: &str) {
        self.out.put(json, |_| {
            let text = crate::escape::block(text);
            if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" }
        });
    }

    /// Tells why a command stopped short, and gives its exit code.
    pub fn report(&self, stop: &Stop) -> Exit {
        self.out.error(stop);
        stop.exit
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Unguessable bytes.
    pub fn entropy(&self, buf: &mut [u8]) {
        (self.entropy)(buf);
    }

    /// The server's address, where one is known.
    ///
    /// # Errors
    /// When none is.
    pub fn server(&self) -> Result<String, Stop> {
        Ok(self.whither()?.server)
    }

    /// Has a credential issued under a grant, activating it if it is scheduled. `input` is the kind's own.
    ///
    /// # Errors
    /// When the grant is over, or policy no longer allows it.
    pub async fn credential(&self, grant: &str, input: Value) -> Result<CredentialView, Stop> {
        let client = self.client()?;
        let input = NewCredential { input };
        let made = self.out.busy("the credential is being made", client.credential(grant, &input));
        Ok(made.await?)
    }

    /// One call under `/v1`, with this bearer in place of the session's own if given.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        bearer: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Value, Stop> {
        let client = match bearer {
            // With a bearer of its own a call needs no sign-in, and must not carry ours by mistake.
            Some(_) => self.client()?.with_token(None),
            None => self.client()?,
        };
        let bearer = bearer.map(|b| Bearer::new(SecretText::new(b.to_owned())));
        let answer = client.call(method, path, bearer.as_ref(), body);
        Ok(self.out.busy("the server is asked", answer).await?)
    }

    pub(crate) fn present(&self) -> Now {
        Now { at: self.now(), zone: self.zone.clone() }
    }

    pub(crate) fn var(&self, name: &str) -> Option<String> {
        let value = self.vars.get(&OsString::from(name))?.to_str()?;
        (!value.is_empty()).then(|| value.to_owned())
    }

    pub(crate) fn hex(&self, bytes: usize) -> String {
        hex(&self.entropy, bytes)
    }

    /// Whether the token in use is one that was said and not one that is remembered.
    pub(crate) fn is_told_token(&self) -> bool {
        self.told.token.is_some()
    }

    /// What is remembered from signing in.
    pub(crate) fn remembered(&self) -> Result<Option<SignedInFile>, Stop> {
        self.config_dir.as_deref().map_or(Ok(None), signed_in::read)
    }

    pub(crate) fn remember(&self, file: &SignedInFile) -> Result<(), Stop> {
        let dir = self.config_dir.as_deref().ok_or_else(|| {
            Stop::failed("there is no folder to keep the session in").todo("set HOME or XDG_CONFIG_HOME")
        })?;
        signed_in::write(dir, file)
    }

    /// INVARIANT: a remembered token goes to the server it is for and to no other, whatever `--server`
    /// says (held by `a_token_goes_to_its_own_server_only`).
    pub(crate) fn whither(&self) -> Result<Whither, Stop> {
        let said = self.told.server.clone();
        let given = self.told.token.as_ref().map(|t| SecretText::new(t.expose().to_owned()));
        let remembered = match (&said, &given) {
            (Some(_), Some(_)) => None,
            _ => self.remembered()?,
        };
        let (mut ca, mut token) = (self.told.ca.clone(), given);
        let server = match (said, remembered) {
            (Some(said), Some(file)) if same_server(&said, &file.server) => {
                ca = ca.or(file.ca);
                token = token.or(file.token);
                said
            }
            (Some(said), _) => said,
            (None, Some(file)) => {
                ca = ca.or(file.ca);
                token = token.or(file.token);
                file.server
            }
            (None, None) => {
                return Err(Stop::usage("no server is known")
                    .todo("sign in with `wane --server URL login`, or set WANE_SERVER"));
            }
        };
        Ok(Whither { server, ca, token })
    }

    /// The client, as who is signed in; as nobody if nobody is.
    pub(crate) fn client(&self) -> Result<Client, Stop> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let client = self.made()?;
        Ok(self.client.get_or_init(|| client).clone())
    }

    fn made(&self) -> Result<Client, Stop> {
        let whither = self.whither()?;
        let pem = whither.ca.as_deref().map(|ca| read_file(ca, "the CA file")).transpose()?;
        let entropy = Arc::clone(&self.entropy);
        let keys: KeySource = Arc::new(move || hex(&entropy, 16));
        Ok(Client::new(Connect {
            server: &whither.server,
            token: whither.token.map(Bearer::new),
            ca_pem: pem.as_deref(),
            keys,
        })?)
    }

    /// A client as nobody, for what carries a proof of its own.
    pub(crate) fn nobody(&self) -> Result<Client, Stop> {
        Ok(self.made()?.with_token(None))
    }

    /// Speaks as this client from now on, which nothing was asked by before.
    pub(crate) fn speak_as(&self, client: Client) -> Result<(), Stop> {
        self.client.set(client).map_err(|_| Stop::failed("somebody is signed in already in this command"))
    }

    /// A file's bytes; `-` is standard input.
    pub(crate) fn read(&self, path: &Path) -> Result<Vec<u8>, Stop> {
        if path.as_os_str() != "-" {
            return read_file(path, "the file");
        }
        let mut bytes = Vec::new();
        let mut stdin = self.stdin.lock().unwrap_or_else(PoisonError::into_inner);
        stdin
            .by_ref()
            .take(LARGEST_INPUT + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| Stop::failed(format!("standard input cannot be read: {e}")))?;
        bounded(bytes, "standard input")
    }

    /// A line of standard input, without its end.
    pub(crate) fn read_line(&self) -> Result<String, Stop> {
        let mut line = String::new();
        let mut stdin = self.stdin.lock().unwrap_or_else(PoisonError::into_inner);
        stdin
            .by_ref()
            .take(LARGEST_INPUT)
            .read_line(&mut line)
            .map_err(|e| Stop::failed(format!("standard input cannot be read: {e}")))?;
        line.truncate(line.trim_end_matches(['\r', '\n']).len());
        Ok(line)
    }

    /// JSON given as text, `@FILE` or `-`.
    pub(crate) fn read_json(&self, given: &str) -> Result<Value, Stop> {
        let text = match given.strip_prefix('@') {
            Some(file) => self.read(Path::new(file))?,
            None if given == "-" => self.read(Path::new("-"))?,
            None => given.as_bytes().to_vec(),
        };
        serde_json::from_slice(&text).map_err(|e| Stop::usage(format!("`{given}` is not JSON: {e}")))
    }
}

fn same_server(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}

fn hex(entropy: &Entropy, bytes: usize) -> String {
    use std::fmt::Write as _;
    let mut buf = vec![0; bytes];
    entropy(&mut buf);
    buf.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn read_file(path: &Path, what: &str) -> Result<Vec<u8>, Stop> {
    let cannot = |e: std::io::Error| Stop::usage(format!("{what} `{}` cannot be read: {e}", path.display()));
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(cannot)?.take(LARGEST_INPUT + 1).read_to_end(&mut bytes).map_err(cannot)?;
    bounded(bytes, what)
}

fn bounded(bytes: Vec<u8>, what: &str) -> Result<Vec<u8>, Stop> {
    if bytes.len() as u64 > LARGEST_INPUT {
        return Err(Stop::usage(format!("{what} is larger than 4 MiB")));
    }
    Ok(bytes)
}
