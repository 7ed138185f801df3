//! The use-cases, one file each.
//!
//! Owns: the order of the one path everything takes (ask, judge, approve, mint, intend, create,
//! read back, hand out, end). Refuses to know: HTTP, SQL, any particular kind of target.
//!
//! A use-case reads a snapshot, asks the pure rooms (`domain`, `policy`) what follows, and commits
//! the result with its records in one transaction; if somebody else wrote first, it decides again.

mod access_tokens;
mod acme;
mod activate;
mod answers;
mod approve;
mod approver_keys;
mod arrival;
mod arrivals;
mod ask;
mod asked;
mod auth;
mod board;
mod caller;
mod catalogue;
mod change;
mod clock;
mod company;
mod confirm;
mod credential;
mod decline;
mod delegate;
mod devices;
mod directories;
mod directory;
mod doors;
mod end;
mod end_session;
mod ends;
mod error;
mod extend;
mod federated;
mod figures;
mod findings;
mod front;
mod hosts;
mod introduced;
mod inventories;
mod jobs;
mod join;
mod judge;
mod leave;
mod leaving;
mod lock;
mod log;
mod lost_logins;
mod making;
mod many;
mod memberships;
mod misuse;
mod named;
mod narrow;
mod notices;
mod open_session;
mod packages;
mod passage;
mod passages;
mod passkeys;
mod past;
mod policies;
mod propose;
mod published;
mod pulled;
mod pushed;
mod recordings;
mod rehearse;
mod rejudge;
mod reproof;
mod residue;
mod sessions;
mod signing;
mod spend;
mod stays;
mod storeless;
mod story;
mod targets;
mod terminal;
mod together;
mod tries;
mod turn;
mod turns;
mod uses;
mod visit;
mod visits;
mod vouch;
mod waiting;
mod ways_in;
mod why;
mod workloads;

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, RwLock};

use wane_connector::Registry;
use wane_domain::ambient::Ambient;
use wane_domain::canonical::Digest;
use wane_domain::id::{AcmeAccountId, LeaseId, OrgId, PersonId};
use wane_domain::time::{Span, Time};
use wane_domain::world::World;
use wane_keys::desk::rate::Rates;
use wane_keys::envelope::Keyring;
use wane_keys::password::{Cost, Hasher, PasswordError};
use wane_keys::token::Pepper;
use wane_policy::set::PolicySet;
use wane_store::{Due, Store};

pub use access_tokens::{Exchange, GoodToken, NotGood, Shown as ShownToken, Subject as ExchangeSubject, TokensOver};
pub use acme::{AcmeOffered, AcmeOrderShown, AcmeRenewal};
pub use answers::{BEGUN, CallKept};
pub use arrivals::{Arriving, Limits as ArrivalLimits};
pub use ask::{AskInput, ItemInput, MOST_DURATION};
pub use asked::{Footing, WhoCould};
pub use auth::{Enrolled, ProvedAgain, SignedIn};
pub use board::{DebtLine, LiveLine};
pub use caller::Caller;
pub use catalogue::{NewResource, NewRole, OwnerName, ResourceChange, RoleChange};
pub use company::{Company, News, Seen};
pub use confirm::ArrivalShown;
pub use credential::{HandedOut, Say, Telling};
pub use delegate::{NewDelegation, WhichDelegations};
pub use devices::{DeviceAnswer, DeviceAsks, DeviceBegun, DeviceShown};
pub use directories::{DirectoryCaller, DirectoryShown, Orphans, Removed};
pub use directory::{Membership, NewPerson, NewStay, PersonChange};
pub use end::{RevokeWhat, TryEnd};
pub use end_session::{SessionEnd, TaskEnd};
pub use error::{AppError, Class};
pub use federated::{Federated, Freshness, ProviderAnswer, ProviderChoice, ProviderRules, Returned, Says, Strangers};
pub use figures::{Again, Day, Ends, Figures, MOST_DAYS, Spread, Stands};
pub use findings::SessionFinding;
pub use front::GatewayAt;
pub use hosts::Joined;
pub use introduced::Ground;
pub use jobs::{JobBegun, JobShown};
pub use join::Seat;
pub use judge::AskFacts;
pub use leaving::{Leaving, Look, Strangers as AccountsSeen, TheirAccount, Unseen};
pub use lock::LockInput;
pub use narrow::Narrower;
pub use notices::{
    Carries, Channel, ChannelShown, Courier, MOST_WAITING, NotCarried, NoticeShown, Notices, Parcel,
    Read as NoticesRead, Sent,
};
pub use open_session::SessionOpened;
pub use packages::NewPackage;
pub use passkeys::{Ceremony, PasskeyMade};
pub use past::{Era, PastDecision, Recorded, Said};
pub use policies::Checked;
pub use propose::Proposal;
pub use pulled::{Followed, Hears, Newcomers, PullRules, PullStatus, PulledDirectory};
pub use pushed::{IfMatch, Listed, Pushed, Sending, Wanted};
pub use recordings::{
    Afar, At, Depot, DepotError, Found, OnFailure, Place, Playing, Purpose, RecordOutcome, Recordings, Roll, Rules,
    Searched, Shipped, Sought, Tape, Taped, Verified, Waiting, Which, Within,
};
pub use rehearse::{Differs, Fares, Rehearsal};
pub use rejudge::rejudge_all;
pub use reproof::Reproof;
pub use residue::Residue;
pub use sessions::{Meter, SessionLine, Standing, Verdict};
pub use signing::{Answered, ToSign, WithKey};
pub use storeless::{Booked, Journal, KeptWhere, StoreState};
pub use story::{Story, StoryLine};
pub use targets::{CheckedInventory, TargetHandle};
pub use terminal::TerminalAsk;
pub use turn::Turner;
pub use vouch::ToVouch;
pub use wane_approval::{NAMESPACE as SIGNING_NAMESPACE, shown as shown_key};
pub use wane_connector::broker::Goal;
pub use wane_connector::terminal::{Over, Shown, Size, Terminal};
/// How listings and the trail are asked for: part of what the use-cases take and give.
pub mod listing {
    pub use wane_store::{
        Answer, Cursor, DeliveryFilter, GrantFilter, GrantPhase, InventoryTaken, Issuance, Page, PolicyEntry,
        RecordFilter, Recording, RecordingFilter, RecordingState, RequestFilter, Sequenced, Slice, StoredObject,
        Versioned,
    };
}
pub use visit::{VisitGrant, VisitShown};
pub use waiting::WaitsForMe;
pub use ways_in::{WayKind, WayShown};
pub use why::{Askable, ItemWhy, RequestWhy, WhyAnswer, WhyInput};
pub use workloads::{IssuerInput, NewWorkload, RuleInput, WorkloadShown};

/// Bounds a deployment sets.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open requests of one person.
    pub open_requests: usize,
    /// Live leases under one grant.
    pub leases_per_grant: usize,
    /// Credentials that are signed for one person in a minute.
    pub signed_per_minute: NonZeroU32,
    /// Password checks at once.
    pub password_checks: usize,
    /// The longest a signed-in session lasts.
    pub session_max: Span,
    /// How long one may be idle.
    pub session_idle: Span,
    /// The longest wait between tries to end something.
    pub retry_cap: Span,
    /// How long a session that is paused waits for a fresh proof of identity before it is cut.
    pub reproof_grace: Span,
}

/// What one person may have signed of what a key signs in a minute.
const SHARE: NonZeroU32 = NonZeroU32::new(600).unwrap();

impl Default for Limits {
    fn default() -> Self {
        Self {
            open_requests: 50,
            leases_per_grant: 16,
            signed_per_minute: SHARE,
            password_checks: 2,
            session_max: Span::from_hours(8),
            session_idle: Span::from_hours(1),
            retry_cap: Span::from_secs(30),
            reproof_grace: Span::from_mins(5),
        }
    }
}

/// What the binary hands over.
#[expect(missing_debug_implementations, reason = "it is taken apart at once and holds keys")]
pub struct Parts {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The kinds.
    pub kinds: Registry,
    /// Clock and entropy.
    pub ambient: Ambient,
    /// The organisation.
    pub org: OrgId,
    /// Opens unattended: connector credentials, what ends need.
    pub ends: Keyring,
    /// Opens with the issuing seal: sign-in secrets.
    pub issuing: Keyring,
    /// For bearer tokens.
    pub pepper: Pepper,
    /// What password hashing costs.
    pub cost: Cost,
    /// IANA time zone that policies see as local time.
    pub zone: jiff::tz::TimeZone,
    /// Bounds.
    pub limits: Limits,
    /// Where people open this server's pages, without a slash at the end.
    pub public_url: String,
}

/// The use-cases.
pub struct App {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) kinds: Registry,
    pub(crate) ambient: Ambient,
    pub(crate) org: OrgId,
    pub(crate) ends: Keyring,
    pub(crate) issuing: Keyring,
    pub(crate) pepper: Pepper,
    pub(crate) hasher: Hasher,
    pub(crate) checks: tokio::sync::Semaphore,
    /// Who waits for a password check, or is at it.
    pub(crate) line: tokio::sync::Semaphore,
    pub(crate) zone: jiff::tz::TimeZone,
    pub(crate) limits: Limits,
    pub(crate) public_url: String,
    /// The latest moment the trail has seen.
    pub(crate) high_water: clock::HighWater,
    /// What is being made at targets.
    pub(crate) making: making::Making,
    /// What somebody is ending many of.
    pub(crate) many: many::Many,
    /// Failed sign-ins of nobody.
    pub(crate) strangers: doors::Strangers,
    /// Whose turn it is to add to their open requests.
    pub(crate) asking: turns::Turns,
    /// Whose turn it is to have a credential issued again.
    reissuing: turns::Turns,
    places: memberships::Places,
    policy: RwLock<Option<(Digest, Arc<PolicySet>)>>,
    /// The older set that was asked last.
    pub(crate) past: RwLock<Option<(Digest, Arc<PolicySet>)>>,
    /// Rules over what happens in sessions, for those that begin now.
    pub(crate) rules: RwLock<Arc<wane_finding::Rules>>,
    /// Woken when something is due sooner than was known.
    nudge: tokio::sync::Notify,
    /// Credentials signed since the last look, which a target is yet to be seen accepting.
    unconfirmed: Mutex<Vec<LeaseId>>,
    /// Ends that were said since the last look and are to be done now.
    owed: Mutex<Vec<Due>>,
    /// The last world in which somebody's time was over.
    pub(crate) overdue: stays::Overdue,
    /// Ends and what they write take turns at the store, so that there is always room for requests.
    pub(crate) turns: tokio::sync::Semaphore,
    /// What memory holds for the time without a store.
    pub(crate) storeless: storeless::Storeless,
    /// What the gateway of this process carries.
    pub(crate) sessions: sessions::Sessions,
    /// Whoever minds fresh proofs of identity takes turns.
    pub(crate) minding: tokio::sync::Mutex<()>,
    /// Who is told that a grant that people signed for is over, and who vouched for whose key.
    pub(crate) signer: std::sync::OnceLock<Arc<dyn wane_connector::Signer>>,
    /// Where recordings are kept, once that was said.
    pub(crate) shelf: std::sync::OnceLock<recordings::Shelf>,
    /// The gateways of this process.
    gateways: Mutex<Vec<GatewayAt>>,
    /// How people come to them from a page.
    lobbies: Mutex<std::collections::BTreeMap<&'static str, Arc<dyn wane_connector::terminal::Lobby>>>,
    /// The papers that were signed last.
    papers: published::Desk,
    /// Who waits at the gateway of this process to be let in.
    pub(crate) arrivals: arrivals::Arrivals,
    /// Whose browsers are on their way from applications to sign in.
    pub(crate) visits: visits::Visits,
    /// Where people sign in besides here, once that was said.
    pub(crate) providers: std::sync::OnceLock<Vec<Federated>>,
    /// Where people and groups come from besides here.
    pub(crate) pulled: pulled::Pulls,
    /// Who is at a provider to sign in.
    pub(crate) begun: federated::BegunBook,
    /// Checks passkeys, if they can be served.
    pub(crate) webauthn: Option<webauthn_rs::Webauthn>,
    /// Ceremonies with passkeys that are under way.
    pub(crate) ceremonies: passkeys::Ceremonies,
    /// Approvals that are out to be signed.
    pub(crate) drafts: signing::Drafts,
    /// Command lines that wait to be signed in.
    pub(crate) devices: devices::Devices,
    /// How notices go, once that was said.
    pub(crate) notices: std::sync::OnceLock<Notices>,
    /// Woken when a notice is to be sent sooner than was known.
    pub(crate) noticed: tokio::sync::Notify,
    /// Which words of providers were heard.
    pub(crate) heard: federated::Heard,
    /// Whose connections at the gateway of this process carry sessions inside.
    pub(crate) passages: passages::Passages,
    /// How often people's logins at the gateway of this process failed of late, by code and by certificate.
    pub(crate) codes: tries::Tries,
    pub(crate) certificates: tries::Tries,
    /// How fast directories push, and what was heard of them.
    pub(crate) paces: directories::Paces,
    /// Tokens that were used where they may not be, of which that was written down of late.
    misused: misuse::Misused,
    /// Bindings that somebody came with again, of which that was written down of late.
    rebound: misuse::Misused<AcmeAccountId>,
    /// How often each person has something signed.
    signing: Rates<PersonId>,
    /// Uses that wait to be spent.
    uses: uses::Till,
    /// Which jobs of workloads go on.
    pub(crate) alive: jobs::Alive,
    /// Issuers of tokens about jobs, as they are asked.
    pub(crate) job_issuers: workloads::JobIssuers,
    /// Who makes keys and puts them in place of one another, once that was said.
    turner: std::sync::OnceLock<Arc<dyn Turner>>,
    /// What clients of ACME come with once.
    pub(crate) nonces: wane_acme::Nonces,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("org", &self.org).finish_non_exhaustive()
    }
}

impl App {
    /// Puts the parts together.
    ///
    /// # Errors
    /// When the password hasher cannot be set up.
    pub fn new(parts: Parts) -> Result<Self, PasswordError> {
        let checks = tokio::sync::Semaphore::new(parts.limits.password_checks);
        let signing = Rates::new(parts.limits.signed_per_minute);
        let hasher = Hasher::new(parts.cost, &parts.ambient)?;
        let webauthn = passkeys::served_at(&parts.public_url);
        let nonces = wane_acme::Nonces::new(&parts.ambient.bytes());
        Ok(Self {
            store: parts.store,
            kinds: parts.kinds,
            ambient: parts.ambient,
            org: parts.org,
            ends: parts.ends,
            issuing: parts.issuing,
            pepper: parts.pepper,
            hasher,
            checks,
            line: tokio::sync::Semaphore::new(auth::LONGEST_LINE),
            zone: parts.zone,
            limits: parts.limits,
            public_url: parts.public_url,
            high_water: clock::HighWater::unknown(),
            making: making::Making::default(),
            many: many::Many::default(),
            strangers: doors::Strangers::default(),
            asking: turns::Turns::default(),
            reissuing: turns::Turns::default(),
            places: memberships::Places::default(),
            policy: RwLock::new(None),
            rules: RwLock::default(),
            past: RwLock::new(None),
            nudge: tokio::sync::Notify::new(),
            unconfirmed: Mutex::new(Vec::new()),
            owed: Mutex::new(Vec::new()),
            overdue: stays::Overdue::default(),
            turns: tokio::sync::Semaphore::new(ENDS_AT_STORE),
            storeless: storeless::Storeless::default(),
            sessions: sessions::Sessions::default(),
            minding: tokio::sync::Mutex::default(),
            signer: std::sync::OnceLock::new(),
            shelf: std::sync::OnceLock::new(),
            gateways: Mutex::default(),
            lobbies: Mutex::default(),
            papers: published::Desk::default(),
            arrivals: arrivals::Arrivals::default(),
            visits: visits::Visits::default(),
            providers: std::sync::OnceLock::new(),
            pulled: pulled::Pulls::default(),
            begun: federated::BegunBook::default(),
            webauthn,
            ceremonies: passkeys::Ceremonies::default(),
            drafts: signing::Drafts::default(),
            devices: devices::Devices::default(),
            notices: std::sync::OnceLock::new(),
            noticed: tokio::sync::Notify::new(),
            heard: federated::Heard::default(),
            passages: passages::Passages::default(),
            codes: tries::Tries::of_codes(),
            certificates: tries::Tries::of_certificates(),
            paces: directories::Paces::default(),
            misused: misuse::Misused::default(),
            rebound: misuse::Misused::default(),
            signing,
            uses: uses::Till::default(),
            alive: jobs::Alive::default(),
            job_issuers: workloads::JobIssuers::default(),
            turner: std::sync::OnceLock::new(),
            nonces,
        })
    }

    /// Whether the signer cannot be asked right now.
    #[must_use]
    pub fn signer_is_away(&self) -> bool {
        self.signer.get().is_some_and(|signer| signer.away().is_some())
    }

    /// The keys that have lately signed as often as they may, and sign no more for now.
    #[must_use]
    pub fn signer_is_limited(&self) -> Vec<&'static str> {
        self.signer.get().map(|signer| signer.limited()).unwrap_or_default()
    }

    /// Has a signer told whenever a grant that people signed for is over, and who vouched for whose key.
    pub fn tell_signer(&self, signer: Arc<dyn wane_connector::Signer>) {
        // Said once, where the parts are put together.
        let _ = self.signer.set(signer);
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Time {
        self.ambient.now()
    }

    /// How many password hashes were made since the start.
    #[must_use]
    pub fn password_hashes(&self) -> u64 {
        self.hasher.made()
    }

    /// Whose deployment it is.
    #[must_use]
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// Where people open this server's pages, without a slash at the end.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// The store, for reading.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The kinds.
    #[must_use]
    pub fn kinds(&self) -> &Registry {
        &self.kinds
    }

    /// The world as it is now: with the locks that hold from memory, and without those whose time is over.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn world(&self) -> Result<Arc<World>, AppError> {
        Ok(self.without_those_over(self.with_locks(self.store.world().await?)))
    }

    /// Waits until something may be due sooner than was known.
    pub async fn nudged(&self) {
        self.nudge.notified().await;
    }

    /// Something may be due sooner than was known.
    pub(crate) fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// Remembers that a target should be asked whether it accepts what was signed.
    pub(crate) fn to_confirm(&self, lease: LeaseId) {
        if let Ok(mut list) = self.unconfirmed.lock() {
            list.push(lease);
        }
    }

    /// Credentials signed since the last call.
    #[must_use]
    pub fn take_unconfirmed(&self) -> Vec<LeaseId> {
        self.unconfirmed.lock().map(|mut list| std::mem::take(&mut *list)).unwrap_or_default()
    }

    /// Remembers ends that are to be done now. Only the store never forgets one: if nobody takes them, or
    /// the process dies, they are found there.
    pub(crate) fn owe(&self, owed: Vec<Due>) {
        if let Ok(mut list) = self.owed.lock()
            && list.len() < MOST_OWED
        {
            list.extend(owed);
        }
    }

    /// Ends that were said since the last call.
    #[must_use]
    pub fn take_owed(&self) -> Vec<Due> {
        self.owed.lock().map(|mut list| std::mem::take(&mut *list)).unwrap_or_default()
    }

    /// The policy set in force, compiled once per version.
    pub(crate) fn policy(&self, world: &World) -> Result<Arc<PolicySet>, AppError> {
        let poisoned = |_| AppError::Fault("the policy cache is poisoned".to_owned());
        for kept in [&self.policy, &self.past] {
            if let Some((digest, set)) = kept.read().map_err(poisoned)?.as_ref()
                && *digest == world.policy.digest
            {
                return Ok(Arc::clone(set));
            }
        }
        let set = self.compile(&world.policy.text)?;
        *self.policy.write().map_err(|_| AppError::Fault("the policy cache is poisoned".to_owned()))? =
            Some((world.policy.digest, Arc::clone(&set)));
        Ok(set)
    }
}

/// How many ends use the store at once.
const ENDS_AT_STORE: usize = 64;
/// How many ends that nobody took yet are remembered.
const MOST_OWED: usize = 100_000;

/// How often a decision is made again because somebody else wrote first.
pub(crate) const TRIES: usize = 16;

/// Makes a decision again while its commit conflicts.
macro_rules! decide {
    ($body:expr) => {{
        let mut tries = 0;
        loop {
            match $body.await {
                Err($crate::error::AppError::Contended) if tries < $crate::TRIES => tries += 1,
                done => break done,
            }
        }
    }};
}
pub(crate) use decide;
