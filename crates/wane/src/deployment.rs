//! A data folder, opened: store, seals, keys, use-cases.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tokio::sync::Mutex;
use wane_app::{App, AppError, Limits, Parts};
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_config::{EndsSeal, IssuingSeal, Settings};
use wane_connector::Signer;
use wane_domain::ambient::Ambient;
use wane_domain::id::OrgId;
use wane_domain::secret::Secret;
use wane_domain::text::TextError;
use wane_domain::time::Span;
use wane_domain::world::{PolicyVersion, World};
use wane_failpoint::{around, point};
use wane_keys::desk::chest::ChestError;
use wane_keys::desk::root::RootFile;
use wane_keys::envelope::{EnvelopeError, Keyring, KeyringError, Place};
use wane_keys::password::{Cost, PasswordError};
use wane_keys::seal::{Seal, SealError, SealName};
use wane_keys::signer::{SignerKeyError, SignerKeys};
use wane_keys::token::{Pepper, PepperError};
use wane_policy::set::PolicySet;
use wane_store::{Commit, EmptyCommit, Sealed, Store, StoreError, Write};
use wane_store_sql::{Founding, SqlStore, Writer};

use crate::signer::{LinkTask, Seat};
use crate::turning::{Turned, Turns};
use crate::{authority, kinds, token_key};

/// Why a data folder did not open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("there is no deployment in `{0}`; make one with `wane init`")]
    NotThere(PathBuf),
    #[error("there is a deployment in `{0}` already; nothing was changed")]
    ThereAlready(PathBuf),
    #[error("`{path}` cannot be made: {why}")]
    Folder { path: PathBuf, why: std::io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error(transparent)]
    Signer(#[from] SignerKeyError),
    #[error(transparent)]
    Pepper(#[from] PepperError),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Passphrase(#[from] wane_config::SecretError),
    #[error("the store lacks `{0}`; it is not whole, restore it from a backup")]
    Lacks(String),
    #[error(
        "the store has no key for `{0}`: a signer of its own has it; set `signer.socket`, or restore the store from a backup"
    )]
    Apart(&'static str),
    #[error(
        "`signer.socket` is set, and the store still has the key for `{0}`; take it out with `wane signer move`, with the server stopped"
    )]
    NotMoved(&'static str),
    #[error(transparent)]
    Chest(#[from] ChestError),
    #[error("`{path}` cannot be held: {why}")]
    Hold { path: PathBuf, why: std::io::Error },
    #[error("another signer runs with the keys in `{0}`")]
    Held(PathBuf),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error("the time zone `{0}` is unknown")]
    Zone(String),
    #[error(transparent)]
    Empty(#[from] EmptyCommit),
}

/// Whether the deployment is expected to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// It must be.
    There,
    /// It must not be; it is made.
    New,
}

/// An opened deployment. Writes are done while the writer is run.
pub(crate) struct Deployment {
    pub(crate) app: Arc<App>,
    pub(crate) store: SqlStore,
    /// The key by which people know the gateway, if there is to be one.
    pub(crate) gateway_key: Option<Secret>,
    /// The key that applications read Wane's word by, if there is to be a gateway to them.
    pub(crate) web_key: Option<Secret>,
    /// What has to be run for a signer of its own to be heard.
    pub(crate) link: Option<LinkTask>,
}

/// What is opened before anything can be written.
pub(crate) struct Opening {
    pub(crate) store: SqlStore,
    expect: Expect,
}

/// Opens the store of a data folder.
pub(crate) async fn open(
    settings: &Settings,
    ambient: &Ambient,
    expect: Expect,
) -> Result<(Opening, Writer), OpenError> {
    let folder = &settings.server.data_dir;
    let file = folder.join("wane.db");
    match (file.exists(), expect) {
        (false, Expect::There) => return Err(OpenError::NotThere(folder.clone())),
        (true, Expect::New) => return Err(OpenError::ThereAlready(folder.clone())),
        (true, Expect::There) | (false, Expect::New) => make_folder(folder)?,
    }
    let policy = PolicyVersion {
        version: 1,
        digest: PolicySet::digest_of(wane_policy::STARTER),
        text: wane_policy::STARTER.to_owned(),
        by: None,
        at: ambient.now(),
    };
    let founding = Founding { org: ambient.id::<OrgId>(), policy, event: ambient.id() };
    let (store, writer) = SqlStore::open(&file, founding).await?;
    Ok((Opening { store, expect }, writer))
}

pub(crate) fn make_folder(path: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|why| OpenError::Folder { path: path.to_owned(), why })
}

impl Opening {
    /// Opens seals and keys, making those of a new deployment; the writer must be running.
    pub(crate) async fn finish(self, settings: &Settings, ambient: &Ambient) -> Result<Deployment, OpenError> {
        let org = self.store.world().await?.org;
        let seals = open_seals(settings, ambient)?;
        if self.expect == Expect::New {
            self.make_keys(settings, &seals, org, ambient).await?;
        }
        let ends = self.keyring(&seals.ends, org, ambient).await?;
        let issuing = self.keyring(&seals.issuing, org, ambient).await?;
        let (signer, seat) = self.signer(settings, &seals, org, ambient).await?;
        let signer: Arc<dyn Signer> = Arc::new(signer);
        let authorities = Arc::new(authority::read(&*signer, &authority::kept(&self.store, &issuing).await?));
        let token_keys = Arc::new(token_key::read(&*signer, &token_key::kept(&self.store, &issuing).await?));
        let (link, turned) = match seat {
            // A signer of its own has no keys that change while it runs.
            Seat::Apart(link) => (Some(link), None),
            Seat::Here(keys) => {
                let ring = self.keyring(&seals.issuing, org, ambient).await?;
                let ends = self.keyring(&seals.ends, org, ambient).await?;
                let (authorities, token_keys) = (Arc::clone(&authorities), Arc::clone(&token_keys));
                let (store, ambient) = (self.store.clone(), ambient.clone());
                (
                    None,
                    Some(Turned {
                        store,
                        org,
                        ring,
                        ends,
                        ambient,
                        keys,
                        authorities,
                        token_keys,
                        one: Mutex::default(),
                    }),
                )
            }
        };
        let given = kinds::Given { authorities, token_keys, programs: kinds::programs(&settings.hooks) };
        let pepper = Pepper::new(&self.secret(&issuing, PEPPER).await?)?;
        let gateway_key = match &settings.gateway.ssh {
            Some(_) => Some(self.gateway_key(kinds::SSH, &issuing, org, ambient).await?),
            None => None,
        };
        let web_key = match &settings.gateway.http {
            Some(_) => Some(self.gateway_key(kinds::HTTP, &issuing, org, ambient).await?),
            None => None,
        };
        let zone = jiff::tz::TimeZone::get(&settings.server.zone)
            .map_err(|_| OpenError::Zone(settings.server.zone.clone()))?;
        let parts = Parts {
            store: Arc::new(self.store.clone()),
            kinds: kinds::registry(&signer, given, &settings.server.public_url, ambient, web_key.as_ref()),
            ambient: ambient.clone(),
            org,
            ends,
            issuing,
            pepper,
            cost: Cost::Standard,
            zone,
            limits: limits(settings),
            public_url: settings.server.public_url.clone(),
        };
        let app = Arc::new(App::new(parts)?);
        app.tell_signer(signer);
        if let Some(turned) = turned {
            app.turns_by(Arc::new(Turns(Arc::new(turned))));
        }
        app.recall_time().await?;
        Ok(Deployment { app, store: self.store, gateway_key, web_key, link })
    }

    /// Closes what was opened, if nothing is to be served.
    pub(crate) async fn close(&self) {
        self.store.close().await;
    }

    async fn make_keys(
        &self,
        settings: &Settings,
        seals: &Seals,
        org: OrgId,
        ambient: &Ambient,
    ) -> Result<(), OpenError> {
        // Those of a signer of its own are made there, and were never here.
        let here = |seal: SealName| seal == SealName::Ends || settings.signer.socket.is_none();
        let purposes: Vec<_> = kinds::PURPOSES.into_iter().filter(|(_, seal)| here(*seal)).collect();
        let (ends, wrapped_ends) = Keyring::create(&seals.ends, org, ambient)?;
        let (issuing, wrapped_issuing) = Keyring::create(&seals.issuing, org, ambient)?;
        let mut rows = vec![
            Sealed { key: keyring_key(SealName::Ends), sealed: wrapped_ends },
            Sealed { key: keyring_key(SealName::Issuing), sealed: wrapped_issuing },
            sealed(&issuing, PEPPER, &Pepper::generate(ambient))?,
        ];
        for &(purpose, seal) in &purposes {
            let ring = if seal == SealName::Ends { &ends } else { &issuing };
            for (_, key) in SignerKeys::generate(&[purpose], ambient) {
                rows.push(sealed(ring, &signer_key(purpose), &key)?);
            }
        }
        let record = Record {
            id: ambient.id(),
            org,
            at: ambient.now(),
            actor: Actor::System,
            event: "deployment.keys_made".to_owned(),
            outcome: Outcome::Done,
            about: Subjects::default(),
            detail: json!({ "purposes": purposes.iter().map(|(purpose, _)| purpose).collect::<Vec<_>>() }),
        };
        let commit = self.store.commit(Commit::new(rows.into_iter().map(Write::Sealed).collect(), vec![record])?);
        around(point!("init.keys.commit"), commit).await?;
        Ok(())
    }

    /// The own key of the gateway of a kind; made when there is to be one for the first time.
    async fn gateway_key(
        &self,
        kind: &'static str,
        ring: &Keyring,
        org: OrgId,
        ambient: &Ambient,
    ) -> Result<Secret, OpenError> {
        let place = format!("gateway/{kind}");
        if self.store.sealed(&place).await?.is_some() {
            return self.secret(ring, &place).await;
        }
        let key = Secret::new(ambient.bytes::<32>().to_vec());
        let record = Record {
            id: ambient.id(),
            org,
            at: ambient.now(),
            actor: Actor::System,
            event: "gateway.key_made".to_owned(),
            outcome: Outcome::Done,
            about: Subjects::default(),
            detail: json!({ "kind": kind }),
        };
        let row = Write::Sealed(sealed(ring, &place, &key)?);
        around(point!("gateway.key.commit"), self.store.commit(Commit::new(vec![row], vec![record])?)).await?;
        Ok(key)
    }

    pub(crate) async fn keyring(&self, seal: &Seal, org: OrgId, ambient: &Ambient) -> Result<Keyring, OpenError> {
        let key = keyring_key(seal.name());
        let wrapped = self.store.sealed(&key).await?.ok_or(OpenError::Lacks(key))?;
        Ok(Keyring::unlock(seal, org, &wrapped, ambient)?)
    }

    pub(crate) async fn secret(&self, ring: &Keyring, key: &str) -> Result<Secret, OpenError> {
        let bytes = self.store.sealed(key).await?.ok_or_else(|| OpenError::Lacks(key.to_owned()))?;
        Ok(ring.open(&place(key), &bytes)?)
    }
}

/// The file in which the signer of a server keeps what it knows by itself.
pub(crate) fn root_file(settings: &Settings, ring: Keyring) -> RootFile {
    RootFile::at(settings.server.data_dir.join("signer.root"), ring)
}

/// What the signer knows by itself, and the world it is set up for.
pub(crate) async fn signer_root(
    opening: &Opening,
    settings: &Settings,
    ambient: &Ambient,
) -> Result<(RootFile, Arc<World>), OpenError> {
    let world = opening.store.world().await?;
    let seals = open_seals(settings, ambient)?;
    Ok((root_file(settings, opening.keyring(&seals.issuing, world.org, ambient).await?), world))
}

/// What is kept behind the issuing seal, and where.
pub(crate) async fn issuing<'a>(
    opening: &'a Opening,
    settings: &Settings,
    ambient: &Ambient,
) -> Result<(&'a SqlStore, OrgId, Keyring), OpenError> {
    let org = opening.store.world().await?.org;
    let seals = open_seals(settings, ambient)?;
    Ok((&opening.store, org, opening.keyring(&seals.issuing, org, ambient).await?))
}

const PEPPER: &str = "pepper/bearer";

fn keyring_key(seal: SealName) -> String {
    format!("keyring/{}", seal.as_str())
}

pub(crate) fn signer_key(purpose: &str) -> String {
    format!("signer/{purpose}")
}

pub(crate) fn place(key: &str) -> Place<'_> {
    Place { table: "sealed", row: key, column: "sealed" }
}

pub(crate) fn sealed(ring: &Keyring, key: &str, secret: &Secret) -> Result<Sealed, OpenError> {
    Ok(Sealed { key: key.to_owned(), sealed: ring.seal(&place(key), secret.expose())? })
}

pub(crate) struct Seals {
    pub(crate) ends: Seal,
    pub(crate) issuing: Seal,
}

pub(crate) fn open_seals(settings: &Settings, ambient: &Ambient) -> Result<Seals, OpenError> {
    let EndsSeal::Machine { file } = &settings.seal.ends;
    let ends = Seal::open_machine(SealName::Ends, file, ambient)?;
    let header = settings.server.data_dir.join("issuing.seal");
    let issuing = open_seal(SealName::Issuing, &settings.seal.issuing, &header, ambient)?;
    Ok(Seals { ends, issuing })
}

/// A seal that may need a person.
pub(crate) fn open_seal(name: SealName, by: &IssuingSeal, header: &Path, ambient: &Ambient) -> Result<Seal, OpenError> {
    Ok(match by {
        IssuingSeal::Machine { file } => Seal::open_machine(name, file, ambient)?,
        IssuingSeal::Passphrase(reference) => {
            let passphrase = Secret::new(reference.read(|name| std::env::var(name).ok())?.into_bytes());
            Seal::open_passphrase(name, header, &passphrase, ambient)?
        }
    })
}

/// What somebody may have signed in a minute, however little a key signs.
const LEAST_SHARE: NonZeroU32 = NonZeroU32::new(30).unwrap();

fn limits(settings: &Settings) -> Limits {
    // Nobody takes so much of what a key signs that nothing is left for others.
    let share = settings.signer.most_per_minute.get() / 10;
    Limits {
        signed_per_minute: NonZeroU32::new(share).unwrap_or(NonZeroU32::MIN).max(LEAST_SHARE),
        open_requests: usize::try_from(settings.limits.open_requests).unwrap_or(usize::MAX),
        session_max: span(settings.login.session_max),
        session_idle: span(settings.login.session_idle),
        retry_cap: span(settings.engine.retry_cap),
        reproof_grace: span(settings.login.reproof_grace),
        ..Limits::default()
    }
}

/// A duration as the domain's.
pub(crate) fn span(duration: std::time::Duration) -> Span {
    Span::from_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}
