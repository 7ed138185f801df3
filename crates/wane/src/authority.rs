//! `wane authority`: the issuing authorities of certificates, made and changed where their seal is, with the server
//! stopped. Which key signs is decided here and nowhere else: no call to a server changes it.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_cli::{Exit, ExtraCommand, Group, Json, Session, Stop};
use wane_connector::{PublishPermit, SignError, Signer};
use wane_domain::ambient::Ambient;
use wane_domain::id::OrgId;
use wane_domain::secret::Secret;
use wane_domain::time::Span;
use wane_failpoint::{around, point};
use wane_keys::envelope::Keyring;
use wane_keys::signer::{LocalSigner, SignerKeys};
use wane_store::{Commit, Sealed, Store, Write};
use wane_store_sql::SqlStore;

use crate::config::{From, begin};
use crate::deployment::{Expect, OpenError, issuing, open, place, sealed, signer_key};
use crate::kinds::authority::{
    self, AUTHORITY_KEYS, Authority as Kept, AuthorityError, Confined, State, drop_idle, take_over, vacant,
};

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

/// The authorities that issue X.509 certificates; with the server stopped.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    from: From,
}

#[derive(Subcommand)]
enum What {
    /// Which there are, and which issues
    Show,
    /// Make one. The first issues at once; a second is made known first, and issues after `take-over`
    New {
        /// Ed25519 instead of ECDSA on P-256, which every client knows
        #[arg(long)]
        ed25519: bool,
        /// Have a root outside certify it: puts out a signing request, and waits for `certify`
        #[arg(long, conflicts_with_all = ["years", "permit_dns", "permit_ip"])]
        request: bool,
        /// How long it is good, as a root of its own
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=30))]
        years: u16,
        /// It names no server but this one and those below it. May be given again
        #[arg(long, value_name = "DNS-NAME")]
        permit_dns: Vec<String>,
        /// It names no server but within this network. May be given again
        #[arg(long, value_name = "NETWORK", value_parser = network)]
        permit_ip: Vec<(IpAddr, u8)>,
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

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error(
        "`signer.socket` is set, and the key of an authority cannot be with a signer of its own: certificates need a \
         deployment without one"
    )]
    Apart,
    #[error("`{path}` cannot be read: {why}")]
    File { path: PathBuf, why: std::io::Error },
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
            let (arguments, settings) = match begin("wane authority", args, session, |a: &Arguments| &a.from) {
                Ok(begun) => begun,
                Err(exit) => return exit,
            };
            if let Err(error) = wane_failpoint::arm() {
                return session.report(&Stop::failed(error.to_string()));
            }
            match self.act(&settings, &arguments.what).await {
                Ok(all) => {
                    session.put(&shown_json(&all), &shown(&all));
                    Exit::Done
                }
                Err(error) => session.report(&Stop::failed(error.to_string())),
            }
        })
    }
}

impl Authority {
    async fn act(&self, settings: &wane_config::Settings, what: &What) -> Result<Vec<Kept>, Failed> {
        // What is there already has to go before a signer can be apart; nothing comes after.
        if settings.signer.socket.is_some() && matches!(what, What::New { .. }) {
            return Err(Failed::Apart);
        }
        let (opening, writer) = open(settings, &self.ambient, Expect::There).await?;
        let work = async {
            let done = async {
                let (store, org, ring) = issuing(&opening, settings, &self.ambient).await?;
                self.change(&Desk { store, org, ring: &ring }, what).await
            };
            let done = done.await;
            opening.close().await;
            done
        };
        let (done, ()) = tokio::join!(work, writer.run());
        done
    }

    async fn change(&self, desk: &Desk<'_>, what: &What) -> Result<Vec<Kept>, Failed> {
        let now = self.ambient.now();
        let mut all = kept(desk.store, desk.ring).await?;
        let (mut rows, event, about) = match what {
            What::Show => return Ok(all),
            What::New { ed25519, request, years, permit_dns, permit_ip } => {
                let purpose = vacant(&all)?;
                let key = if *ed25519 {
                    Secret::new(self.ambient.bytes::<32>().to_vec())
                } else {
                    SignerKeys::p256(&self.ambient)
                };
                let row = sealed(desk.ring, &signer_key(purpose), &key)?;
                let signer = LocalSigner::new(vec![(purpose, key)], Vec::new()).map_err(OpenError::from)?;
                let sign = |message: &[u8]| signer.publish(purpose, made_here(), message);
                let public = signer.key(purpose).map_err(AuthorityError::from)?;
                let mut made = if *request {
                    Kept::request(purpose, public, &sign, now)?
                } else {
                    let confined = Confined { dns: permit_dns.clone(), networks: permit_ip.clone() };
                    let life = Span::from_hours(u64::from(*years) * 8766);
                    Kept::root(purpose, public, &sign, &confined, self.ambient.bytes(), now, life)?
                };
                first_issues(&all, &mut made);
                all.push(made);
                (vec![Write::Sealed(row)], "authority.made", json!({ "key": purpose }))
            }
            What::Certify { chain } => {
                let text = std::fs::read_to_string(chain);
                let text = text.map_err(|why| Failed::File { path: chain.clone(), why })?;
                let waiting = all.iter().position(|one| matches!(one.state, State::Requested { .. }));
                let at = waiting.ok_or(AuthorityError::None("waits for a chain"))?;
                let mut one = all.remove(at);
                let purpose = one.purpose().ok_or(AuthorityError::None("has that key"))?;
                let key = desk.key(purpose).await?;
                one.certify(purpose, key, &text, now)?;
                first_issues(&all, &mut one);
                all.push(one);
                (Vec::new(), "authority.certified", json!({ "key": purpose }))
            }
            What::TakeOver => {
                take_over(&mut all, now)?;
                (Vec::new(), "authority.took_over", json!({}))
            }
            What::Drop => {
                let gone = drop_idle(&mut all, now)?;
                let rows = vec![Write::RemoveSealed(signer_key(&gone.purpose))];
                (rows, "authority.dropped", json!({ "key": gone.purpose }))
            }
        };
        let plain = serde_json::to_vec(&all).map_err(|_| OpenError::Lacks(ROW.to_owned()))?;
        let sealed = desk.ring.seal(&place(ROW), &plain).map_err(OpenError::from)?;
        rows.push(Write::Sealed(Sealed { key: ROW.to_owned(), sealed }));
        let record = Record {
            id: self.ambient.id(),
            org: desk.org,
            at: now,
            actor: Actor::System,
            event: event.to_owned(),
            outcome: Outcome::Done,
            about: Subjects::default(),
            detail: json!({ "what": about, "authorities": shown_json(&all) }),
        };
        let commit = desk.store.commit(Commit::new(rows, vec![record]).map_err(OpenError::from)?);
        around(point!("authority.commit"), commit).await.map_err(OpenError::from)?;
        Ok(all)
    }
}

/// What the command works on.
struct Desk<'a> {
    store: &'a SqlStore,
    org: OrgId,
    ring: &'a Keyring,
}

impl Desk<'_> {
    async fn key(&self, purpose: &'static str) -> Result<wane_connector::PublicKey, Failed> {
        let row = signer_key(purpose);
        let bytes =
            self.store.sealed(&row).await.map_err(OpenError::from)?.ok_or_else(|| OpenError::Lacks(row.clone()))?;
        let key = self.ring.open(&place(&row), &bytes).map_err(OpenError::from)?;
        let signer = LocalSigner::new(vec![(purpose, key)], Vec::new()).map_err(OpenError::from)?;
        Ok(signer.key(purpose).map_err(AuthorityError::from)?)
    }
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

fn network(text: &str) -> Result<(IpAddr, u8), String> {
    let wrong = || format!("`{text}` is no network; write `10.0.0.0/8` or `2001:db8::/32`");
    let (address, bits) = text.split_once('/').ok_or_else(wrong)?;
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.parse::<u8>().ok().filter(|bits| *bits <= most).ok_or_else(wrong)?;
    Ok((address, bits))
}

fn shown_json(all: &[Kept]) -> Value {
    let one = |one: &Kept| json!({ "key": one.purpose, "state": one.state, "made": one.made.to_string(), "chain": one.chain });
    json!({ "items": all.iter().map(one).collect::<Vec<_>>() })
}

fn shown(all: &[Kept]) -> String {
    if all.is_empty() {
        return "There is no authority; make one with `wane authority new`.".to_owned();
    }
    let mut lines = Vec::new();
    for one in all {
        let stands = match &one.state {
            State::Requested { .. } => {
                "waits for its chain (`wane authority certify`); its signing request:".to_owned()
            }
            State::Ready => "is known and trusted; issues after `wane authority take-over`".to_owned(),
            State::Issuing => "issues".to_owned(),
            State::Retired { at } => format!("issues no more since {at}; its list is signed until it is dropped"),
        };
        lines.push(format!("{}, made {}: {stands}", one.purpose, one.made));
        match &one.state {
            State::Requested { request } => lines.push(request.trim_end().to_owned()),
            State::Ready | State::Issuing | State::Retired { .. } => {
                lines.extend(one.chain.iter().map(|pem| pem.trim_end().to_owned()));
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

impl std::convert::From<SignError> for Failed {
    fn from(e: SignError) -> Self {
        Self::Authority(e.into())
    }
}
