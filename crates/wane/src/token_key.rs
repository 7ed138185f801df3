//! `wane token-key`: the keys that sign access tokens, made and taken away where their seal is, with the server stopped.
//! Which key signs, and from when on, is said here and nowhere else: no call to a server changes it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, Subcommand};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_cli::{Exit, ExtraCommand, Group, Json, Session, Stop};
use wane_connector::{PublicKey, Signer};
use wane_domain::ambient::Ambient;
use wane_domain::id::OrgId;
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};
use wane_failpoint::{around, point};
use wane_keys::desk::message::Bytes;
use wane_keys::envelope::Keyring;
use wane_keys::signer::{LocalSigner, SignerKeys};
use wane_store::{Commit, Sealed, Store, Write};
use wane_store_sql::SqlStore;

use crate::config::{From, begin};
use crate::deployment::{Expect, OpenError, issuing, open, open_seals, place, sealed, signer_key, span};
use crate::kinds::token::{Going, KeptKey, KeyError, TOKEN_KEYS, TokenKeys, another, remove};
use crate::signer::house;
use crate::signer::known::{self, Known, pin, pinned};

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

/// The keys that sign access tokens; with the server stopped.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
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
        #[arg(long, value_name = "TIME", default_value = "1h", value_parser = ahead)]
        ahead: Duration,
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

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the signer has two such keys; drop one (`wane token-key drop`), then `wane signer discard` it")]
    Both,
    #[error("`signer.socket` is not set: the server signs by itself, and makes its keys with `new`")]
    Here,
    #[error("`{path}` is not what `wane token-key new` put out: {why}")]
    Made { path: PathBuf, why: String },
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
            let (arguments, settings) = match begin("wane token-key", args, session, |a: &Arguments| &a.from) {
                Ok(begun) => begun,
                Err(exit) => return exit,
            };
            if let Err(error) = wane_failpoint::arm() {
                return session.report(&Stop::failed(error.to_string()));
            }
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
            (What::New { ed25519, .. }, true) => return self.make_apart(settings, self.make(*ed25519)),
            (What::Take { .. }, false) => return Err(Failed::Here),
            (_, _) => {}
        }
        let (opening, writer) = open(settings, &self.ambient, Expect::There).await?;
        let work = async {
            let done = async {
                let (store, org, ring) = issuing(&opening, settings, &self.ambient).await?;
                let ends = opening.keyring(&open_seals(settings, &self.ambient)?.ends, org, &self.ambient).await?;
                self.change(&Rows { store, org, ring: &ring, ends: &ends }, what).await
            };
            let done = done.await;
            opening.close().await;
            done
        };
        let (done, ()) = tokio::join!(work, writer.run());
        done.map(|shown: Shown| (shown.json(), shown.text()))
    }

    fn make(&self, ed25519: bool) -> Secret {
        if ed25519 { Secret::new(self.ambient.bytes::<32>().to_vec()) } else { SignerKeys::p256(&self.ambient) }
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

    async fn change(&self, desk: &Rows<'_>, what: &What) -> Result<Shown, Failed> {
        let Rows { store, org, ring, ends } = *desk;
        let now = self.ambient.now();
        let mut all = kept(store, ring).await?;
        let (mut rows, event, about) = match what {
            What::Show => return shown(desk, all, now).await,
            What::New { ed25519, ahead } => {
                let before = all.clone();
                let purpose = another(&mut all, span(*ahead), now)?;
                let key = self.make(*ed25519);
                // What was taken away to make room for it lay in its place.
                let gone = before.iter().filter(|one| one.purpose != purpose && !all.contains(one));
                let mut rows: Vec<Write> = gone.map(|one| Write::RemoveSealed(signer_key(&one.purpose))).collect();
                rows.push(Write::Sealed(sealed(ring, &signer_key(purpose), &key)?));
                (rows, "token_key.made", json!({ "key": purpose }))
            }
            What::Take { made: path, ahead } => {
                let (purpose, key) = taken(path)?;
                let before = all.clone();
                if another(&mut all, span(*ahead), now)? != purpose {
                    let why =
                        format!("its key is `{purpose}`, and the server's next is not; see `wane token-key show`");
                    return Err(Failed::Made { path: path.clone(), why });
                }
                let gone = before.iter().filter(|one| one.purpose != purpose && !all.contains(one));
                let mut rows: Vec<Write> = gone.map(|one| Write::RemoveSealed(pin(&one.purpose))).collect();
                rows.push(pinned(ends, purpose, key)?);
                (rows, "token_key.taken", json!({ "key": purpose }))
            }
            What::Drop { key, compromised } => {
                let going = if *compromised { Going::Compromised } else { Going::InTime };
                remove(&mut all, key, going, now)?;
                let about = json!({ "key": key, "compromised": compromised });
                let rows = [signer_key(key), pin(key)].map(Write::RemoveSealed).into();
                (rows, "token_key.dropped", about)
            }
        };
        let plain = serde_json::to_vec(&all).map_err(|_| OpenError::Lacks(ROW.to_owned()))?;
        let sealed = ring.seal(&place(ROW), &plain).map_err(OpenError::from)?;
        rows.push(Write::Sealed(Sealed { key: ROW.to_owned(), sealed }));
        let record = Record {
            id: self.ambient.id(),
            org,
            at: now,
            actor: Actor::System,
            event: event.to_owned(),
            outcome: Outcome::Done,
            about: Subjects::default(),
            detail: json!({ "what": about, "keys": all }),
        };
        let commit = store.commit(Commit::new(rows, vec![record]).map_err(OpenError::from)?);
        around(point!("token_key.commit"), commit).await.map_err(OpenError::from)?;
        shown(desk, all, now).await
    }
}

/// What the command works on.
struct Rows<'a> {
    store: &'a SqlStore,
    org: OrgId,
    ring: &'a Keyring,
    ends: &'a Keyring,
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

/// The keys as people see them.
struct Shown {
    all: Vec<KeptKey>,
    /// By purpose.
    ids: Vec<(&'static str, String)>,
    now: Time,
}

async fn shown(desk: &Rows<'_>, all: Vec<KeptKey>, now: Time) -> Result<Shown, Failed> {
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

    fn json(&self) -> Value {
        let one = |one: &KeptKey| {
            json!({
                "key": one.purpose, "kid": self.id(one), "state": self.state(one),
                "made": one.made.to_string(), "from": one.from.to_string(),
            })
        };
        json!({ "items": self.all.iter().map(one).collect::<Vec<_>>() })
    }

    fn text(&self) -> String {
        if self.all.is_empty() {
            return "There is no key that signs access tokens; make one with `wane token-key new`.".to_owned();
        }
        let line = |one: &KeptKey| {
            let stands = match self.state(one) {
                "ready" => format!("is published, and signs from {} on", one.from),
                "signing" => "signs".to_owned(),
                _ => "signs no more; is published until what it signed has run out".to_owned(),
            };
            format!("{} ({}), made {}: {stands}", one.purpose, self.id(one), one.made)
        };
        self.all.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn ahead(text: &str) -> Result<Duration, String> {
    let span: Span = text.parse().map_err(|e: wane_domain::time::TimeError| e.to_string())?;
    let ahead = Duration::from_micros(span.micros());
    if ahead <= LONGEST_AHEAD { Ok(ahead) } else { Err("30d is the most".to_owned()) }
}
