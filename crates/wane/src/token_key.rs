//! `wane token-key`: the keys that sign access tokens, made and taken away where their seal is: with the server stopped, or
//! by the server while it runs. Which key signs, and from when on, is said here and nowhere else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, Subcommand};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wane_app::AppError;
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_cli::{Exit, ExtraCommand, Group, Json, Session, Stop};
use wane_connector::{PublicKey, Signer};
use wane_domain::ambient::Ambient;
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};
use wane_failpoint::{around, point};
use wane_keys::desk::message::Bytes;
use wane_keys::envelope::Keyring;
use wane_keys::signer::{LocalSigner, SignerKeys};
use wane_store::{Commit, Sealed, Store, Write};
use wane_store_sql::SqlStore;

use crate::authority::Desk;
use crate::config::{From, begin_writing};
use crate::deployment::{Expect, OpenError, issuing, open, open_seals, place, sealed, signer_key, span};
use crate::kinds::token::{Going, KeptKey, KeyError, TOKEN_KEYS, TokenKeys, another, remove};
use crate::signer::house;
use crate::signer::known::{self, Known, pin, pinned};
use crate::turning::{TOKEN_KEYS as TOKEN_KEYS_OF, live};

/// The row in which it is kept which keys there are, sealed like the keys.
const ROW: &str = "token-keys";
/// A key that is known for longer before it signs helps nobody.
const LONGEST_AHEAD: Duration = Duration::from_secs(30 * 24 * 3600);

/// The keys as they are kept.
pub(crate) async fn kept(store: &SqlStore, ring: &Keyring) -> Result<Vec<KeptKey>, OpenError> {
    let Some(row) = store.sealed(ROW).await? else { return Ok(Vec::new()) };
    let plain = ring.open(&place(ROW), &row)?;
    serde_json::from_slice(plain.expose()).map_err(|_| OpenError::Lacks(ROW.to_owned()))
}

/// The keys themselves, for the signer.
pub(crate) async fn keys(store: &SqlStore, ring: &Keyring) -> Result<Vec<(&'static str, Secret)>, OpenError> {
    let mut keys = Vec::new();
    for purpose in TOKEN_KEYS {
        let row = signer_key(purpose);
        if let Some(bytes) = store.sealed(&row).await? {
            keys.push((purpose, ring.open(&place(&row), &bytes)?));
        }
    }
    Ok(keys)
}

/// The keys as the kind takes them; what is wrong with any is told.
pub(crate) fn read(signer: &dyn Signer, kept: &[KeptKey]) -> TokenKeys {
    let (read, troubles) = TokenKeys::read(signer, kept);
    for trouble in troubles {
        tracing::error!(%trouble, "a key of access tokens is left out");
    }
    read
}

/// The command.
pub(crate) struct TokenKey {
    pub(crate) ambient: Ambient,
}

/// The keys that sign access tokens; with the server stopped, or `--live`.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// Have the running server do it, as whoever is signed in; with a proof of identity that is fresh.
    #[arg(long, conflicts_with_all = ["config", "set", "data"])]
    live: bool,
    #[command(flatten)]
    from: From,
}

#[derive(Subcommand)]
enum What {
    /// Which there are, and which signs
    Show,
    /// Make one. The first signs at once; a second is made known first, and signs after `--ahead`. With a signer of its own,
    /// as that signer's user: puts out what the server is to `take`
    New {
        /// Ed25519 instead of ECDSA on P-256, which every library knows
        #[arg(long)]
        ed25519: bool,
        /// How long a second one is known before it signs, so that resource servers have it
        #[arg(long, value_name = "TIME", default_value = "1h", value_parser = is_ahead)]
        ahead: String,
    },
    /// Enter one that was made with a signer of its own, which is to be restarted
    Take {
        /// What `new` put out; `-` for standard input
        made: PathBuf,
        /// How long a second one is known before it signs, so that resource servers have it
        #[arg(long, value_name = "TIME", default_value = "1h", value_parser = ahead)]
        ahead: Duration,
    },
    /// Take one away, once nothing that it signed can work
    Drop {
        /// As `show` names it
        key: String,
        /// Now, whatever it signed: somebody else may have it. What it signed is refused by whoever reads the key set again
        #[arg(long)]
        compromised: bool,
    },
}

/// What is to be changed.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Change {
    New {
        #[serde(default)]
        ed25519: bool,
        #[serde(default = "usual_ahead")]
        ahead: String,
    },
    Drop {
        key: String,
        #[serde(default)]
        compromised: bool,
    },
}

fn usual_ahead() -> String {
    "1h".to_owned()
}

impl What {
    /// The change it stands for, by whichever process; none if it only looks.
    fn change(&self) -> Result<Option<Change>, Failed> {
        Ok(Some(match self {
            Self::Show => return Ok(None),
            Self::New { ed25519, ahead } => Change::New { ed25519: *ed25519, ahead: ahead.clone() },
            Self::Take { .. } => return Err(Failed::Stopped),
            Self::Drop { key, compromised } => Change::Drop { key: key.clone(), compromised: *compromised },
        }))
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the signer has two such keys; drop one (`wane token-key drop`), then `wane signer discard` it")]
    Both,
    #[error("`signer.socket` is not set: the server signs by itself, and makes its keys with `new`")]
    Here,
    #[error("`take` is said with the server stopped; leave `--live` out")]
    Stopped,
    #[error("`{path}` is not what `wane token-key new` put out: {why}")]
    Made { path: PathBuf, why: String },
    #[error("{0}")]
    Given(String),
}

impl ExtraCommand for TokenKey {
    fn words(&self) -> &'static [&'static str] {
        &["token-key"]
    }
    fn about(&self) -> &'static str {
        "The keys that sign access tokens: made, taken over from one by the next, taken away"
    }
    fn group(&self) -> Group {
        Group::Machine
    }
    fn json(&self) -> Json {
        Json::Ours
    }
    fn run<'a>(&'a self, args: Vec<String>, session: &'a Session) -> BoxFuture<'a, Exit> {
        Box::pin(async move {
            if args.iter().any(|word| word == "--live") {
                let arguments: Arguments = match crate::config::parse("wane token-key", args, session) {
                    Ok(arguments) => arguments,
                    Err(exit) => return exit,
                };
                let change = match arguments.what.change() {
                    Ok(change) => change,
                    Err(error) => return session.report(&Stop::failed(error.to_string())),
                };
                return live(session, TOKEN_KEYS_OF, change.map(|change| json!(change)).as_ref(), text).await;
            }
            let (arguments, settings) = match begin_writing("wane token-key", args, session, |a: &Arguments| &a.from) {
                Ok(begun) => begun,
                Err(exit) => return exit,
            };
            match self.act(&settings, &arguments.what).await {
                Ok((json, text)) => {
                    session.put(&json, &text);
                    Exit::Done
                }
                Err(error) => session.report(&Stop::failed(error.to_string())),
            }
        })
    }
}

impl TokenKey {
    async fn act(&self, settings: &wane_config::Settings, what: &What) -> Result<(Value, String), Failed> {
        match (what, settings.signer.socket.is_some()) {
            (What::New { ed25519, .. }, true) => return self.make_apart(settings, make(&self.ambient, *ed25519)),
            (What::Take { .. }, false) => return Err(Failed::Here),
            (_, _) => {}
        }
        let (opening, writer) = open(settings, &self.ambient, Expect::There).await?;
        let work = async {
            let done = async {
                let (store, org, ring) = issuing(&opening, settings, &self.ambient).await?;
                let ends = opening.keyring(&open_seals(settings, &self.ambient)?.ends, org, &self.ambient).await?;
                let desk = Desk { store, org, ring: &ring, ends: &ends, ambient: &self.ambient };
                if let What::Take { made, ahead } = what {
                    return take(&desk, made, *ahead).await;
                }
                match what.change()? {
                    Some(what) => change(&desk, &what, Actor::System).await,
                    None => look(&desk).await,
                }
            };
            let done = done.await;
            opening.close().await;
            done
        };
        let (done, ()) = tokio::join!(work, writer.run());
        let json = done?.json();
        let text = text(&json);
        Ok((json, text))
    }

    /// Puts one into the folder of a signer of its own, which alone has it.
    fn make_apart(&self, settings: &wane_config::Settings, key: Secret) -> Result<(Value, String), Failed> {
        let chest = house::open(settings, &self.ambient)?;
        let mut vacant = None;
        for purpose in TOKEN_KEYS {
            if chest.key(purpose).map_err(OpenError::from)?.is_none() {
                vacant = vacant.or(Some(purpose));
            }
        }
        let purpose = vacant.ok_or(Failed::Both)?;
        let own = vec![(purpose, Secret::new(key.expose().to_vec()))];
        let signer = LocalSigner::new(own, Vec::new()).map_err(OpenError::from)?;
        let public = signer.key(purpose).map_err(KeyError::from)?;
        chest.with(&[(purpose, key)]).map_err(OpenError::from)?;
        let made = Made { purpose: purpose.to_owned(), key: Bytes(public.bytes().to_vec()) };
        let json = serde_json::to_value(&made).map_err(|_| OpenError::Lacks(ROW.to_owned()))?;
        let text = json.to_string();
        Ok((json, text))
    }
}

fn make(ambient: &Ambient, ed25519: bool) -> Secret {
    if ed25519 { Secret::new(ambient.bytes::<32>().to_vec()) } else { SignerKeys::p256(ambient) }
}

/// The keys there are.
pub(crate) async fn look(desk: &Desk<'_>) -> Result<Shown, Failed> {
    let all = kept(desk.store, desk.ring).await?;
    shown(desk, all, desk.ambient.now()).await
}

/// Makes a change; what there is then. One commit has all of it.
pub(crate) async fn change(desk: &Desk<'_>, what: &Change, actor: Actor) -> Result<Shown, Failed> {
    let Desk { store, ring, ambient, .. } = *desk;
    let now = ambient.now();
    let mut all = kept(store, ring).await?;
    let (rows, event, about) = match what {
        Change::New { ed25519, ahead: text } => {
            let before = all.clone();
            let purpose = another(&mut all, span(ahead(text).map_err(Failed::Given)?), now)?;
            let key = make(ambient, *ed25519);
            // What was taken away to make room for it lay in its place.
            let gone = before.iter().filter(|one| one.purpose != purpose && !all.contains(one));
            let mut rows: Vec<Write> = gone.map(|one| Write::RemoveSealed(signer_key(&one.purpose))).collect();
            rows.push(Write::Sealed(sealed(ring, &signer_key(purpose), &key)?));
            (rows, "token_key.made", json!({ "key": purpose }))
        }
        Change::Drop { key, compromised } => {
            let going = if *compromised { Going::Compromised } else { Going::InTime };
            remove(&mut all, key, going, now)?;
            let about = json!({ "key": key, "compromised": compromised });
            let rows = [signer_key(key), pin(key)].map(Write::RemoveSealed).into();
            (rows, "token_key.dropped", about)
        }
    };
    put(desk, all, rows, (event, about), actor).await
}

/// Enters one that was made elsewhere.
async fn take(desk: &Desk<'_>, path: &Path, ahead: Duration) -> Result<Shown, Failed> {
    let (purpose, key) = taken(path)?;
    let mut all = kept(desk.store, desk.ring).await?;
    let before = all.clone();
    if another(&mut all, span(ahead), desk.ambient.now())? != purpose {
        let why = format!("its key is `{purpose}`, and the server's next is not; see `wane token-key show`");
        return Err(Failed::Made { path: path.to_owned(), why });
    }
    let gone = before.iter().filter(|one| one.purpose != purpose && !all.contains(one));
    let mut rows: Vec<Write> = gone.map(|one| Write::RemoveSealed(pin(&one.purpose))).collect();
    rows.push(pinned(desk.ends, purpose, key)?);
    put(desk, all, rows, ("token_key.taken", json!({ "key": purpose })), Actor::System).await
}

/// Puts down which there are now, with whatever goes with it.
async fn put(
    desk: &Desk<'_>,
    all: Vec<KeptKey>,
    mut rows: Vec<Write>,
    (event, about): (&str, Value),
    actor: Actor,
) -> Result<Shown, Failed> {
    let Desk { store, org, ring, ambient, .. } = *desk;
    let now = ambient.now();
    let plain = serde_json::to_vec(&all).map_err(|_| OpenError::Lacks(ROW.to_owned()))?;
    let sealed = ring.seal(&place(ROW), &plain).map_err(OpenError::from)?;
    rows.push(Write::Sealed(Sealed { key: ROW.to_owned(), sealed }));
    let record = Record {
        id: ambient.id(),
        org,
        at: now,
        actor,
        event: event.to_owned(),
        outcome: Outcome::Done,
        about: Subjects::default(),
        detail: json!({ "what": about, "keys": all }),
    };
    let commit = store.commit(Commit::new(rows, vec![record]).map_err(OpenError::from)?);
    around(point!("token_key.commit"), commit).await.map_err(OpenError::from)?;
    shown(desk, all, now).await
}

/// What a signer of its own gives the server to know.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Made {
    purpose: String,
    /// The public key.
    key: Bytes,
}

/// Reads what was made elsewhere.
fn taken(path: &Path) -> Result<(&'static str, PublicKey), Failed> {
    let wrong = |why: String| Failed::Made { path: path.to_owned(), why };
    let read =
        if path.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
    let made: Made =
        serde_json::from_str(&read.map_err(|e| wrong(e.to_string()))?).map_err(|e| wrong(e.to_string()))?;
    let purpose = TOKEN_KEYS.into_iter().find(|purpose| *purpose == made.purpose);
    let purpose = purpose.ok_or_else(|| wrong("it is a key of another sort".to_owned()))?;
    Ok((purpose, PublicKey::read(&made.key.0).ok_or_else(|| wrong("its key is none".to_owned()))?))
}

impl std::convert::From<Failed> for AppError {
    fn from(failed: Failed) -> Self {
        let said = failed.to_string();
        match failed {
            Failed::Open(error) => crate::turning::failed(error),
            Failed::Given(_) => Self::invalid("change", said),
            Failed::Key(KeyError::NotYet(_) | KeyError::None(_) | KeyError::InUse(_))
            | Failed::Both
            | Failed::Here
            | Failed::Stopped => Self::Taken(said),
            Failed::Key(KeyError::Sign(_)) | Failed::Made { .. } => Self::Fault(said),
        }
    }
}

/// The keys as people see them.
pub(crate) struct Shown {
    all: Vec<KeptKey>,
    /// By purpose.
    ids: Vec<(&'static str, String)>,
    now: Time,
}

async fn shown(desk: &Desk<'_>, all: Vec<KeptKey>, now: Time) -> Result<Shown, Failed> {
    let mut publics = known::known(desk.store, desk.ends).await?;
    for (purpose, key) in keys(desk.store, desk.ring).await? {
        let signer = LocalSigner::new(vec![(purpose, key)], Vec::new()).map_err(OpenError::from)?;
        publics.insert(purpose.to_owned(), signer.key(purpose).map_err(KeyError::from)?);
    }
    let ids = read(&Known(publics), &all).ids();
    Ok(Shown { all, ids, now })
}

impl Shown {
    fn id(&self, one: &KeptKey) -> &str {
        self.ids.iter().find(|(purpose, _)| *purpose == one.purpose).map_or("unknown", |(_, id)| id)
    }

    /// Whether it signs now, will, or did.
    fn state(&self, one: &KeptKey) -> &'static str {
        let signing = self.all.iter().filter(|one| one.from <= self.now).max_by_key(|one| one.from);
        match signing {
            _ if one.from > self.now => "ready",
            Some(signing) if signing == one => "signing",
            Some(_) | None => "retired",
        }
    }

    pub(crate) fn json(&self) -> Value {
        let one = |one: &KeptKey| {
            json!({
                "key": one.purpose, "kid": self.id(one), "state": self.state(one),
                "made": one.made.to_string(), "from": one.from.to_string(),
            })
        };
        json!({ "items": self.all.iter().map(one).collect::<Vec<_>>() })
    }
}

/// The same in words.
fn text(all: &Value) -> String {
    let items = all.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        return "There is no key that signs access tokens; make one with `wane token-key new`.".to_owned();
    }
    let line = |one: &Value| {
        let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
        let stands = match text("state") {
            "ready" => format!("is published, and signs from {} on", text("from")),
            "signing" => "signs".to_owned(),
            _ => "signs no more; is published until what it signed has run out".to_owned(),
        };
        format!("{} ({}), made {}: {stands}", text("key"), text("kid"), text("made"))
    };
    items.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn is_ahead(text: &str) -> Result<String, String> {
    ahead(text).map(|_| text.to_owned())
}

fn ahead(text: &str) -> Result<Duration, String> {
    let span: Span = text.parse().map_err(|e: wane_domain::time::TimeError| e.to_string())?;
    let ahead = Duration::from_micros(span.micros());
    if ahead <= LONGEST_AHEAD { Ok(ahead) } else { Err("30d is the most".to_owned()) }
}
