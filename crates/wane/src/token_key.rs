//! `wane token-key`: the keys that sign access tokens, made and taken away where their seal is, with the server stopped.
//! Which key signs, and from when on, is said here and nowhere else: no call to a server changes it.

use std::time::Duration;

use clap::{Parser, Subcommand};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_cli::{Exit, ExtraCommand, Group, Json, Session, Stop};
use wane_connector::Signer;
use wane_domain::ambient::Ambient;
use wane_domain::id::OrgId;
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};
use wane_failpoint::{around, point};
use wane_keys::envelope::Keyring;
use wane_keys::signer::{LocalSigner, SignerKeys};
use wane_store::{Commit, Sealed, Store, Write};
use wane_store_sql::SqlStore;

use crate::config::{From, begin};
use crate::deployment::{Expect, OpenError, issuing, open, place, sealed, signer_key, span};
use crate::kinds::token::{Going, KeptKey, KeyError, TOKEN_KEYS, TokenKeys, another, remove};

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
    /// Make one. The first signs at once; a second is made known first, and signs after `--ahead`
    New {
        /// Ed25519 instead of ECDSA on P-256, which every library knows
        #[arg(long)]
        ed25519: bool,
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
    #[error(
        "`signer.socket` is set, and a key of access tokens cannot be with a signer of its own: tokens need a deployment \
         without one"
    )]
    Apart,
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
                Ok(shown) => {
                    session.put(&shown.json(), &shown.text());
                    Exit::Done
                }
                Err(error) => session.report(&Stop::failed(error.to_string())),
            }
        })
    }
}

impl TokenKey {
    async fn act(&self, settings: &wane_config::Settings, what: &What) -> Result<Shown, Failed> {
        // What is there already has to go before a signer can be apart; nothing comes after.
        if settings.signer.socket.is_some() && matches!(what, What::New { .. }) {
            return Err(Failed::Apart);
        }
        let (opening, writer) = open(settings, &self.ambient, Expect::There).await?;
        let work = async {
            let done = async {
                let (store, org, ring) = issuing(&opening, settings, &self.ambient).await?;
                self.change(store, org, &ring, what).await
            };
            let done = done.await;
            opening.close().await;
            done
        };
        let (done, ()) = tokio::join!(work, writer.run());
        done
    }

    async fn change(&self, store: &SqlStore, org: OrgId, ring: &Keyring, what: &What) -> Result<Shown, Failed> {
        let now = self.ambient.now();
        let mut all = kept(store, ring).await?;
        let (mut rows, event, about) = match what {
            What::Show => return shown(store, ring, all, now).await,
            What::New { ed25519, ahead } => {
                let before = all.clone();
                let purpose = another(&mut all, span(*ahead), now)?;
                let key = if *ed25519 {
                    Secret::new(self.ambient.bytes::<32>().to_vec())
                } else {
                    SignerKeys::p256(&self.ambient)
                };
                // What was taken away to make room for it lay in its place.
                let gone = before.iter().filter(|one| one.purpose != purpose && !all.contains(one));
                let mut rows: Vec<Write> = gone.map(|one| Write::RemoveSealed(signer_key(&one.purpose))).collect();
                rows.push(Write::Sealed(sealed(ring, &signer_key(purpose), &key)?));
                (rows, "token_key.made", json!({ "key": purpose }))
            }
            What::Drop { key, compromised } => {
                let going = if *compromised { Going::Compromised } else { Going::InTime };
                remove(&mut all, key, going, now)?;
                let about = json!({ "key": key, "compromised": compromised });
                (vec![Write::RemoveSealed(signer_key(key))], "token_key.dropped", about)
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
        shown(store, ring, all, now).await
    }
}

/// The keys as people see them.
struct Shown {
    all: Vec<KeptKey>,
    /// By purpose.
    ids: Vec<(&'static str, String)>,
    now: Time,
}

async fn shown(store: &SqlStore, ring: &Keyring, all: Vec<KeptKey>, now: Time) -> Result<Shown, Failed> {
    let signer = LocalSigner::new(keys(store, ring).await?, Vec::new()).map_err(OpenError::from)?;
    let ids = read(&signer, &all).ids();
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
