//! `wane authority`: the issuing authorities of certificates, made and changed where their seal is: with the server
//! stopped, or by the server while it runs. Which key signs is decided here and nowhere else. Where a signer of its own has
//! the keys, one is made as the signer's user, who gives the server's user what it is to know of it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wane_app::AppError;
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_cli::{Exit, ExtraCommand, Group, Json, Session, Stop};
use wane_connector::{PublicKey, PublishPermit, SignError, Signer};
use wane_domain::ambient::Ambient;
use wane_domain::id::OrgId;
use wane_domain::secret::Secret;
use wane_domain::time::Span;
use wane_failpoint::{around, point};
use wane_keys::desk::message::Bytes;
use wane_keys::envelope::Keyring;
use wane_keys::signer::{LocalSigner, SignerKeys};
use wane_store::{Commit, Sealed, Store, Write};
use wane_store_sql::SqlStore;

use crate::config::{From, begin_writing};
use crate::deployment::{Expect, OpenError, issuing, open, open_seals, place, sealed, signer_key};
use crate::kinds::authority::{
    self, AUTHORITY_KEYS, Authority as Kept, AuthorityError, Confined, State, drop_idle, take_over, vacant,
};
use crate::signer::house;
use crate::signer::known::{self, Known, pin, pinned};
use crate::turning::{AUTHORITIES, live};

/// The row in which the authorities are kept, sealed like their keys.
const ROW: &str = "authorities";

/// The authorities as they are kept.
pub(crate) async fn kept(store: &SqlStore, ring: &Keyring) -> Result<Vec<Kept>, OpenError> {
    let Some(row) = store.sealed(ROW).await? else { return Ok(Vec::new()) };
    let plain = ring.open(&place(ROW), &row)?;
    serde_json::from_slice(plain.expose()).map_err(|_| OpenError::Lacks(ROW.to_owned()))
}

/// The command.
pub(crate) struct Authority {
    pub(crate) ambient: Ambient,
}

/// The authorities that issue X.509 certificates; with the server stopped, or `--live`.
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
    /// Which there are, and which issues
    Show,
    /// Make one. The first issues at once; a second is made known first, and issues after `take-over`. With a signer of its
    /// own, as that signer's user: puts out what the server is to `take`
    New(New),
    /// Enter one that was made with a signer of its own, which is to be restarted
    Take {
        /// What `new` put out; `-` for standard input
        made: PathBuf,
    },
    /// Take the chain that came of the signing request: its own certificate first, the root last, in PEM
    Certify {
        /// The file
        chain: PathBuf,
    },
    /// Let the one that is ready issue from now on. The other stays trusted until what it issued has run out
    TakeOver,
    /// Take the one that does not issue away, once what it issued has run out
    Drop,
}

#[derive(Args, Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct New {
    /// Ed25519 instead of ECDSA on P-256, which every client knows
    #[arg(long)]
    #[serde(default)]
    ed25519: bool,
    /// Have a root outside certify it: puts out a signing request, and waits for `certify`
    #[arg(long, conflicts_with_all = ["years", "permit_dns", "permit_ip"])]
    #[serde(default)]
    request: bool,
    /// How long it is good, as a root of its own
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=30))]
    #[serde(default = "usual_years")]
    years: u16,
    /// It names no server but this one and those below it. May be given again
    #[arg(long, value_name = "DNS-NAME")]
    #[serde(default)]
    permit_dns: Vec<String>,
    /// It names no server but within this network. May be given again
    #[arg(long, value_name = "NETWORK", value_parser = is_network)]
    #[serde(default)]
    permit_ip: Vec<String>,
}

fn usual_years() -> u16 {
    10
}

/// What is to be changed.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Change {
    New(New),
    Certify {
        /// In PEM.
        chain: String,
    },
    TakeOver,
    Drop,
}

impl What {
    /// The change it stands for, by whichever process; none if it only looks.
    fn change(&self) -> Result<Option<Change>, Failed> {
        Ok(Some(match self {
            Self::Show => return Ok(None),
            Self::New(new) => Change::New(new.clone()),
            Self::Take { .. } => return Err(Failed::Stopped),
            Self::Certify { chain } => Change::Certify { chain: text_of(chain)? },
            Self::TakeOver => Change::TakeOver,
            Self::Drop => Change::Drop,
        }))
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error("`signer.socket` is not set: the server signs by itself, and makes its authorities with `new`")]
    Here,
    #[error("`take` is said with the server stopped; leave `--live` out")]
    Stopped,
    #[error("`{path}` is not what `wane authority new` put out: {why}")]
    Made { path: PathBuf, why: String },
    #[error("`{path}` cannot be read: {why}")]
    File { path: PathBuf, why: std::io::Error },
    #[error("{0}")]
    Given(String),
}

impl ExtraCommand for Authority {
    fn words(&self) -> &'static [&'static str] {
        &["authority"]
    }
    fn about(&self) -> &'static str {
        "The authorities that issue X.509 certificates: made, certified by a root outside, taken over"
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
                let arguments: Arguments = match crate::config::parse("wane authority", args, session) {
                    Ok(arguments) => arguments,
                    Err(exit) => return exit,
                };
                let change = match arguments.what.change() {
                    Ok(change) => change,
                    Err(error) => return session.report(&Stop::failed(error.to_string())),
                };
                return live(session, AUTHORITIES, change.map(|change| json!(change)).as_ref(), shown).await;
            }
            let (arguments, settings) = match begin_writing("wane authority", args, session, |a: &Arguments| &a.from) {
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

impl Authority {
    async fn act(&self, settings: &wane_config::Settings, what: &What) -> Result<(Value, String), Failed> {
        match (what, settings.signer.socket.is_some()) {
            (What::New(new), true) => return self.make_apart(settings, new),
            (What::Take { .. }, false) => return Err(Failed::Here),
            (_, _) => {}
        }
        let (opening, writer) = open(settings, &self.ambient, Expect::There).await?;
        let work = async {
            let done = async {
                let (store, org, ring) = issuing(&opening, settings, &self.ambient).await?;
                let ends = opening.keyring(&open_seals(settings, &self.ambient)?.ends, org, &self.ambient).await?;
                let desk = Desk { store, org, ring: &ring, ends: &ends, ambient: &self.ambient };
                if let What::Take { made } = what {
                    return desk.take(made).await;
                }
                match what.change()? {
                    Some(change) => desk.change(&change, Actor::System).await,
                    None => Ok(kept(store, &ring).await?),
                }
            };
            let done = done.await;
            opening.close().await;
            done
        };
        let (done, ()) = tokio::join!(work, writer.run());
        let all = shown_json(&done?);
        let text = shown(&all);
        Ok((all, text))
    }

    /// Makes one in the folder of a signer of its own, which alone has its key.
    fn make_apart(&self, settings: &wane_config::Settings, new: &New) -> Result<(Value, String), Failed> {
        let chest = house::open(settings, &self.ambient)?;
        let mut vacant = None;
        for purpose in AUTHORITY_KEYS {
            if chest.key(purpose).map_err(OpenError::from)?.is_none() {
                vacant = vacant.or(Some(purpose));
            }
        }
        let purpose = vacant.ok_or(AuthorityError::Full)?;
        let (secret, public, authority) = make(&self.ambient, purpose, new)?;
        chest.with(&[(purpose, secret)]).map_err(OpenError::from)?;
        let made = Made { authority, key: Bytes(public.bytes().to_vec()) };
        let json = serde_json::to_value(&made).map_err(|_| OpenError::Lacks(ROW.to_owned()))?;
        let text = json.to_string();
        Ok((json, text))
    }
}

/// A new key with its authority.
fn make(ambient: &Ambient, purpose: &'static str, new: &New) -> Result<(Secret, PublicKey, Kept), Failed> {
    let New { ed25519, request, years, permit_dns, permit_ip } = new;
    if !(1..=30).contains(years) {
        return Err(Failed::Given(format!("`years` is {years}; write 1 to 30")));
    }
    if *request && !(permit_dns.is_empty() && permit_ip.is_empty()) {
        let why = "what an authority may name is for the root outside to say; leave `permit_dns` and `permit_ip` out";
        return Err(Failed::Given(why.to_owned()));
    }
    let now = ambient.now();
    let key = if *ed25519 { Secret::new(ambient.bytes::<32>().to_vec()) } else { SignerKeys::p256(ambient) };
    let own = vec![(purpose, Secret::new(key.expose().to_vec()))];
    let signer = LocalSigner::new(own, Vec::new()).map_err(OpenError::from)?;
    let sign = |message: &[u8]| signer.publish(purpose, made_here(), message);
    let public = signer.key(purpose).map_err(AuthorityError::from)?;
    let made = if *request {
        Kept::request(purpose, public, &sign, now)?
    } else {
        let networks = permit_ip.iter().map(|text| network(text)).collect::<Result<_, _>>();
        let networks = networks.map_err(Failed::Given)?;
        let confined = Confined { dns: permit_dns.clone(), networks };
        let life = Span::from_hours(u64::from(*years) * 8766);
        Kept::root(purpose, public, &sign, &confined, ambient.bytes(), now, life)?
    };
    Ok((key, public, made))
}

/// What a change is made on.
pub(crate) struct Desk<'a> {
    pub(crate) store: &'a SqlStore,
    pub(crate) org: OrgId,
    pub(crate) ring: &'a Keyring,
    /// Behind it lies what is known of the keys of a signer of its own.
    pub(crate) ends: &'a Keyring,
    pub(crate) ambient: &'a Ambient,
}

impl Desk<'_> {
    /// Makes a change; what there is then. One commit has all of it.
    pub(crate) async fn change(&self, what: &Change, actor: Actor) -> Result<Vec<Kept>, Failed> {
        let now = self.ambient.now();
        let mut all = kept(self.store, self.ring).await?;
        let (rows, event, about) = match what {
            Change::New(new) => {
                let purpose = vacant(&all)?;
                let (key, _, mut made) = make(self.ambient, purpose, new)?;
                let row = sealed(self.ring, &signer_key(purpose), &key)?;
                first_issues(&all, &mut made);
                all.push(made);
                (vec![Write::Sealed(row)], "authority.made", json!({ "key": purpose }))
            }
            Change::Certify { chain } => {
                let waiting = all.iter().position(|one| matches!(one.state, State::Requested { .. }));
                let at = waiting.ok_or(AuthorityError::None("waits for a chain"))?;
                let mut one = all.remove(at);
                let purpose = one.purpose().ok_or(AuthorityError::None("has that key"))?;
                let key = self.key(purpose).await?;
                one.certify(purpose, key, chain, now)?;
                first_issues(&all, &mut one);
                all.push(one);
                (Vec::new(), "authority.certified", json!({ "key": purpose }))
            }
            Change::TakeOver => {
                take_over(&mut all, now)?;
                (Vec::new(), "authority.took_over", json!({}))
            }
            Change::Drop => {
                let gone = drop_idle(&mut all, now)?;
                let rows = [signer_key(&gone.purpose), pin(&gone.purpose)].map(Write::RemoveSealed).into();
                (rows, "authority.dropped", json!({ "key": gone.purpose }))
            }
        };
        self.put(all, rows, (event, about), actor).await
    }

    /// Enters one that was made elsewhere.
    async fn take(&self, path: &Path) -> Result<Vec<Kept>, Failed> {
        let (purpose, key, mut made) = taken(path)?;
        let mut all = kept(self.store, self.ring).await?;
        if all.iter().any(|other| other.purpose == purpose) {
            let why = format!("there is an authority with the key `{purpose}` already");
            return Err(Failed::Made { path: path.to_owned(), why });
        }
        first_issues(&all, &mut made);
        all.push(made);
        let rows = vec![pinned(self.ends, purpose, key)?];
        self.put(all, rows, ("authority.taken", json!({ "key": purpose })), Actor::System).await
    }

    /// Puts down what there is now, with whatever goes with it.
    async fn put(
        &self,
        all: Vec<Kept>,
        mut rows: Vec<Write>,
        (event, about): (&str, Value),
        actor: Actor,
    ) -> Result<Vec<Kept>, Failed> {
        let plain = serde_json::to_vec(&all).map_err(|_| OpenError::Lacks(ROW.to_owned()))?;
        let sealed = self.ring.seal(&place(ROW), &plain).map_err(OpenError::from)?;
        rows.push(Write::Sealed(Sealed { key: ROW.to_owned(), sealed }));
        let record = Record {
            id: self.ambient.id(),
            org: self.org,
            at: self.ambient.now(),
            actor,
            event: event.to_owned(),
            outcome: Outcome::Done,
            about: Subjects::default(),
            detail: json!({ "what": about, "authorities": shown_json(&all) }),
        };
        let commit = self.store.commit(Commit::new(rows, vec![record]).map_err(OpenError::from)?);
        around(point!("authority.commit"), commit).await.map_err(OpenError::from)?;
        Ok(all)
    }

    async fn key(&self, purpose: &'static str) -> Result<PublicKey, Failed> {
        if let Some(key) = known::known(self.store, self.ends).await?.get(purpose) {
            return Ok(*key);
        }
        let row = signer_key(purpose);
        let bytes =
            self.store.sealed(&row).await.map_err(OpenError::from)?.ok_or_else(|| OpenError::Lacks(row.clone()))?;
        let key = self.ring.open(&place(&row), &bytes).map_err(OpenError::from)?;
        let signer = LocalSigner::new(vec![(purpose, key)], Vec::new()).map_err(OpenError::from)?;
        Ok(signer.key(purpose).map_err(AuthorityError::from)?)
    }
}

/// What a signer of its own gives the server to know.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Made {
    authority: Kept,
    /// The public key.
    key: Bytes,
}

/// Reads what was made elsewhere, and whether it is an authority with that key.
fn taken(path: &Path) -> Result<(&'static str, PublicKey, Kept), Failed> {
    let wrong = |why: String| Failed::Made { path: path.to_owned(), why };
    let made: Made = serde_json::from_str(&text_of(path)?).map_err(|e| wrong(e.to_string()))?;
    let purpose = made.authority.purpose().ok_or_else(|| wrong("it has a key of another sort".to_owned()))?;
    let key = PublicKey::read(&made.key.0).ok_or_else(|| wrong("its key is none".to_owned()))?;
    let known = Known([(purpose.to_owned(), key)].into());
    let (_, troubles) = authority::Authorities::read(&known, std::slice::from_ref(&made.authority));
    if let Some(trouble) = troubles.into_iter().next() {
        return Err(wrong(trouble));
    }
    match made.authority.state {
        State::Requested { .. } | State::Ready => Ok((purpose, key, made.authority)),
        State::Issuing | State::Retired { .. } => Err(wrong("it is not a new one".to_owned())),
    }
}

fn text_of(path: &Path) -> Result<String, Failed> {
    let read =
        if path.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
    read.map_err(|why| Failed::File { path: path.to_owned(), why })
}

fn made_here() -> PublishPermit {
    PublishPermit { what: "an authority's own certificate, or the request for it".to_owned() }
}

/// Where none issues, the one that can does.
fn first_issues(others: &[Kept], one: &mut Kept) {
    if one.state == State::Ready && !others.iter().any(|other| other.state == State::Issuing) {
        one.state = State::Issuing;
    }
}

fn is_network(text: &str) -> Result<String, String> {
    network(text).map(|_| text.to_owned())
}

fn network(text: &str) -> Result<(IpAddr, u8), String> {
    let wrong = || format!("`{text}` is no network; write `10.0.0.0/8` or `2001:db8::/32`");
    let (address, bits) = text.split_once('/').ok_or_else(wrong)?;
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.parse::<u8>().ok().filter(|bits| *bits <= most).ok_or_else(wrong)?;
    Ok((address, bits))
}

pub(crate) fn shown_json(all: &[Kept]) -> Value {
    let one = |one: &Kept| json!({ "key": one.purpose, "state": one.state, "made": one.made.to_string(), "chain": one.chain });
    json!({ "items": all.iter().map(one).collect::<Vec<_>>() })
}

/// The same in words.
fn shown(all: &Value) -> String {
    let items = all.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        return "There is no authority; make one with `wane authority new`.".to_owned();
    }
    let text = |one: &Value, name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut lines = Vec::new();
    for one in items {
        let state = one.get("state").cloned().unwrap_or_default();
        let state = serde_json::from_value::<State>(state).ok();
        let stands = match &state {
            Some(State::Requested { .. }) => {
                "waits for its chain (`wane authority certify`); its signing request:".to_owned()
            }
            Some(State::Ready) => "is known and trusted; issues after `wane authority take-over`".to_owned(),
            Some(State::Issuing) => "issues".to_owned(),
            Some(State::Retired { at }) => {
                format!("issues no more since {at}; its list is signed until it is dropped")
            }
            None => "stands otherwise than this version knows".to_owned(),
        };
        lines.push(format!("{}, made {}: {stands}", text(one, "key"), text(one, "made")));
        match state {
            Some(State::Requested { request }) => lines.push(request.trim_end().to_owned()),
            Some(State::Ready | State::Issuing | State::Retired { .. }) | None => {
                let chain = one.get("chain").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                lines.extend(chain.iter().filter_map(Value::as_str).map(|pem| pem.trim_end().to_owned()));
            }
        }
    }
    lines.join("\n")
}

/// The keys of the authorities there are, for the signer.
pub(crate) async fn keys(store: &SqlStore, ring: &Keyring) -> Result<Vec<(&'static str, Secret)>, OpenError> {
    let mut keys = Vec::new();
    for purpose in AUTHORITY_KEYS {
        let row = signer_key(purpose);
        if let Some(bytes) = store.sealed(&row).await? {
            keys.push((purpose, ring.open(&place(&row), &bytes)?));
        }
    }
    Ok(keys)
}

/// The authorities as the kind takes them; what is wrong with any is told.
pub(crate) fn read(signer: &dyn Signer, kept: &[Kept]) -> authority::Authorities {
    let (read, troubles) = authority::Authorities::read(signer, kept);
    for trouble in troubles {
        tracing::error!(%trouble, "an authority is left out");
    }
    read
}

impl std::convert::From<Failed> for AppError {
    fn from(failed: Failed) -> Self {
        let said = failed.to_string();
        match failed {
            Failed::Open(error) => crate::turning::failed(error),
            Failed::Authority(AuthorityError::Chain(_)) | Failed::Given(_) => Self::invalid("change", said),
            Failed::Authority(AuthorityError::Full | AuthorityError::None(_) | AuthorityError::NotYet(_))
            | Failed::Here
            | Failed::Stopped => Self::Taken(said),
            Failed::Authority(AuthorityError::Sign(_) | AuthorityError::Wrong(_))
            | Failed::Made { .. }
            | Failed::File { .. } => Self::Fault(said),
        }
    }
}

impl std::convert::From<SignError> for Failed {
    fn from(e: SignError) -> Self {
        Self::Authority(e.into())
    }
}
