//! A small company with everything real but the clock: SQLite in a folder, seals, signer, policy.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use wane_app::{App, AppError, AskInput, Caller, HandedOut, ItemInput, Limits, Narrower, Parts, TryEnd};
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_connector::{Kind, Registry, Signer};
use wane_domain::ambient::Ambient;
use wane_domain::catalogue::{Owner, Resource, Role};
use wane_domain::closure::EndCause;
use wane_domain::directory::{Group, Person, Standing};
use wane_domain::grant::{Grant, GrantState};
use wane_domain::id::{GrantId, LeaseId, OrgId, PersonId, RequestId, ResourceId};
use wane_domain::lease::{Lease, LeaseState};
use wane_domain::request::{AccessRequest, ItemState};
use wane_domain::text::{Line, Name, Reason};
use wane_domain::time::{Span, Time};
use wane_domain::world::PolicyVersion;
use wane_keys::envelope::Keyring;
use wane_keys::password::Cost;
use wane_keys::seal::{Seal, SealName};
use wane_keys::signer::{LocalSigner, SignerKeys};
use wane_keys::token::Pepper;
use wane_kind_ssh::{HOST_CA, KRL, SshKind, USER_CA, check_user_certificate};
use wane_policy::set::PolicySet;
use wane_store::{Commit, Issuance, Put, RecordFilter, Slice, Store, Write};
use wane_store_sql::{Founding, SqlStore};
use wane_testkit::FakeClock;

use crate::faulty::{Door, Faulty};
use crate::gated::{Gate, GatedKind};
use crate::subjects;

pub(crate) const POLICY: &str = include_str!("house.cedar");
pub(crate) const PUBLIC_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8CKC1x68pjayo+dFja7RGv5nDlVdtF9H18cfluwIfk test";
const PEOPLE: [(&str, Option<&str>); 8] = [
    ("root", None),
    ("mia", None),
    ("ann", Some("mia")),
    ("ben", Some("mia")),
    ("dan", None),
    ("eva", None),
    ("fay", None),
    ("zoe", None),
];
/// `dan` is in both: who may be asked may also ask.
const GROUPS: [(&str, &[&str]); 3] =
    [("admins", &["root"]), ("engineers", &["ann", "ben", "mia", "dan"]), ("dba", &["dan", "eva", "fay"])];
const RESOURCES: [(&str, &str, &str); 4] =
    [("vault", "gate", "prod"), ("attic", "gate", "dev"), ("annex", "gate", "dev"), ("web1", "ssh", "staging")];

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn reason(text: &str) -> Reason {
    text.parse().unwrap()
}

pub(crate) const fn mins(n: u64) -> Span {
    Span::from_mins(n)
}

/// The company.
pub(crate) struct House {
    pub(crate) app: Arc<App>,
    pub(crate) store: SqlStore,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) ambient: Ambient,
    pub(crate) gate: Arc<Gate>,
    /// What stands between the use-cases and the store.
    pub(crate) door: Arc<Door>,
    org: OrgId,
    folder: TempDir,
    wrapped: [Vec<u8>; 2],
    zone: jiff::tz::TimeZone,
    url: &'static str,
    writers: JoinSet<()>,
}

impl House {
    /// A new one, at ten in the morning.
    pub(crate) async fn new() -> Self {
        Self::ticking(FakeClock::at("2026-11-21T10:00:00Z".parse().unwrap()), None).await
    }

    /// One whose policies see another zone's time of day.
    pub(crate) async fn in_zone(now: Time, zone: &str) -> Self {
        let mut house = Self::ticking(FakeClock::at(now), None).await;
        house.zone = jiff::tz::TimeZone::get(zone).unwrap();
        house.reopen();
        house
    }

    /// One under another address.
    pub(crate) async fn at(url: &'static str) -> Self {
        let mut house = Self::new().await;
        house.url = url;
        house.reopen();
        house
    }

    /// One whose use-cases go by another clock than the one that can be set.
    pub(crate) async fn ticking(clock: Arc<FakeClock>, other: Option<Ambient>) -> Self {
        let ambient = other.unwrap_or_else(|| clock.ambient(7));
        let folder = tempfile::tempdir().unwrap();
        let org: OrgId = ambient.id();
        let policy = PolicyVersion {
            version: 1,
            digest: PolicySet::digest_of(POLICY),
            text: POLICY.to_owned(),
            by: None,
            at: ambient.now(),
        };
        let founding = Founding { org, policy, event: ambient.id() };
        let (store, writer) = SqlStore::open(&folder.path().join("wane.db"), founding).await.unwrap();
        let mut writers = JoinSet::new();
        writers.spawn(writer.run());
        let (seal_ends, seal_issuing) = seals(folder.path(), &ambient);
        let (_, ends) = Keyring::create(&seal_ends, org, &ambient).unwrap();
        let (_, issuing) = Keyring::create(&seal_issuing, org, &ambient).unwrap();
        furnish(&store, &ambient, org).await;
        let (gate, wrapped) = (Arc::new(Gate::default()), [ends, issuing]);
        let zone = jiff::tz::TimeZone::UTC;
        let url = "https://wane.example";
        let with = (Cost::WeakForTests, limits(), zone.clone(), url);
        let door = Arc::new(Door::default());
        let behind = Arc::new(Faulty { store: store.clone(), door: Arc::clone(&door) });
        let app = open((behind, Vec::new()), &ambient, org, folder.path(), &wrapped, &gate, with);
        Self { app, store, clock, ambient, gate, door, org, folder, wrapped, zone, url, writers }
    }

    /// The process dies and a new one opens the same store: nothing in memory is left.
    pub(crate) fn reopen(&mut self) {
        self.reopen_with(Cost::WeakForTests, limits());
    }

    /// The same with other settings.
    pub(crate) fn reopen_with(&mut self, cost: Cost, limits: Limits) {
        let behind = Arc::new(Faulty { store: self.store.clone(), door: Arc::clone(&self.door) });
        self.app = self.opened(behind, Vec::new(), (cost, limits));
    }

    /// Goes on with other use-cases: over this store, with more kinds of targets.
    pub(crate) fn reopen_over(&mut self, store: Arc<dyn Store>, more: Vec<Arc<dyn Kind>>, limits: Limits) {
        self.app = self.opened(store, more, (Cost::WeakForTests, limits));
    }

    fn opened(&self, store: Arc<dyn Store>, more: Vec<Arc<dyn Kind>>, (cost, limits): (Cost, Limits)) -> Arc<App> {
        let (folder, with) = (self.folder.path(), (cost, limits, self.zone.clone(), self.url));
        open((store, more), &self.ambient, self.org, folder, &self.wrapped, &self.gate, with)
    }

    /// The store is gone from now on.
    pub(crate) async fn lose_store(&mut self) {
        self.writers.shutdown().await;
    }

    pub(crate) async fn id(&self, person: &str) -> PersonId {
        self.app.world().await.unwrap().person(person).unwrap().id
    }

    pub(crate) async fn resource(&self, name: &str) -> ResourceId {
        self.app.world().await.unwrap().resource(name).unwrap().id
    }

    /// Somebody who has just signed in.
    pub(crate) async fn caller(&self, person: &str) -> Caller {
        Caller {
            person: self.id(person).await,
            name: name(person),
            token: Some(self.ambient.id()),
            proved: self.app.now(),
            proof: "password+totp".to_owned(),
            expires: self.app.now().plus(Span::from_hours(8)),
            job: None,
        }
    }

    pub(crate) async fn ask(&self, person: &str, items: &[(&str, &str)], hours: u64) -> AccessRequest {
        self.try_ask(person, ask(items, hours)).await.unwrap()
    }

    pub(crate) async fn try_ask(&self, person: &str, input: AskInput) -> Result<AccessRequest, AppError> {
        self.app.request_access(&self.caller(person).await, input).await
    }

    /// Asks for something that policy alone grants; returns the grant.
    pub(crate) async fn hold(&self, person: &str, resource: &str, role: &str, hours: u64) -> GrantId {
        let request = self.ask(person, &[(resource, role)], hours).await;
        granted(&request, 0).unwrap_or_else(|| panic!("{:?}", request.items[0].state))
    }

    pub(crate) async fn approve(&self, person: &str, id: RequestId) -> Result<AccessRequest, AppError> {
        self.app.approve(&self.caller(person).await, id, None, &Narrower::default()).await
    }

    pub(crate) async fn hand_out(&self, person: &str, grant: GrantId) -> Result<HandedOut, AppError> {
        let input = json!({ "public_key": PUBLIC_KEY });
        self.app.hand_out(&self.caller(person).await, grant, &input).await
    }

    pub(crate) async fn grant(&self, id: GrantId) -> Grant {
        self.store.grant(id).await.unwrap().unwrap().value
    }

    pub(crate) async fn store_issuances(&self, lease: LeaseId) -> Vec<Issuance> {
        self.store.issuances(lease).await.unwrap()
    }

    pub(crate) async fn request(&self, id: RequestId) -> AccessRequest {
        self.store.request(id).await.unwrap().unwrap().value
    }

    pub(crate) async fn leases(&self, grant: GrantId) -> Vec<Lease> {
        self.app.leases_of(grant).await.unwrap()
    }

    /// What the engine would do about what is owed under a grant, once.
    pub(crate) async fn try_ends(&self, grant: GrantId) -> Vec<TryEnd> {
        let mut out = Vec::new();
        for lease in self.leases(grant).await {
            if matches!(lease.state, LeaseState::Revoking { .. }) {
                out.push(self.app.try_end(lease.id).await.unwrap());
            }
        }
        out
    }

    /// All records, oldest first.
    pub(crate) async fn records(&self, filter: RecordFilter) -> Vec<Record> {
        let page = self.store.records(filter, Slice::first(1000)).await.unwrap();
        page.items.into_iter().rev().map(|r| r.record).collect()
    }

    /// Writes as the founder of a deployment does, without asking anybody.
    pub(crate) async fn write(&self, writes: Vec<Write>) {
        write(&self.store, &self.ambient, self.org, writes).await;
    }

    /// Loads a policy made out of the present one.
    pub(crate) async fn change_policy(&self, from: &str, to: &str) {
        let text = self.app.world().await.unwrap().policy.text.clone();
        assert!(text.contains(from), "the policy has no `{from}`");
        let root = self.caller("root").await;
        self.app.load_policy(&root, &text.replace(from, to), None).await.unwrap();
    }

    pub(crate) fn advance(&self, span: Span) -> Time {
        self.clock.advance(span)
    }
}

/// Whatever a test was about: at its end every record says whom and what it is about.
impl Drop for House {
    fn drop(&mut self) {
        let Ok(handle) = tokio::runtime::Handle::try_current() else { return };
        if std::thread::panicking() || handle.runtime_flavor() != tokio::runtime::RuntimeFlavor::MultiThread {
            return;
        }
        let records = tokio::task::block_in_place(|| {
            handle.block_on(self.store.records(RecordFilter::default(), Slice::first(1000)))
        });
        for stored in records.into_iter().flat_map(|page| page.items) {
            subjects::say_whom_they_are_about(&stored.record);
        }
    }
}

/// An ask of one's own, now, with a reason.
pub(crate) fn item(resource: &str, role: &str) -> ItemInput {
    ItemInput { resource: resource.to_owned(), role: role.to_owned(), task: None }
}

pub(crate) fn ask(items: &[(&str, &str)], hours: u64) -> AskInput {
    AskInput {
        items: items.iter().map(|(resource, role)| item(resource, role)).collect(),
        for_person: None,
        duration: Span::from_hours(hours),
        start: None,
        reason: Some(reason("a reason")),
        ticket: None,
    }
}

/// The grant of an item.
pub(crate) fn granted(request: &AccessRequest, item: usize) -> Option<GrantId> {
    match &request.items[item].state {
        ItemState::Approved { grant, .. } => *grant,
        _ => None,
    }
}

/// When an active grant ends.
pub(crate) fn end_of(grant: &Grant) -> Time {
    match grant.state {
        GrantState::Active { end, .. } => end,
        _ => panic!("it is {}", grant.state.name()),
    }
}

/// Why a grant ends or has ended.
pub(crate) fn cause(grant: &Grant) -> Option<EndCause> {
    match &grant.state {
        GrantState::Ending { cause, .. } => Some(cause.clone()),
        GrantState::Closed { closure, .. } => Some(closure.cause.clone()),
        GrantState::Scheduled | GrantState::Active { .. } => None,
    }
}

/// Why an item was denied.
pub(crate) fn denied(request: &AccessRequest, item: usize) -> &str {
    match &request.items[item].state {
        ItemState::Denied { reason, .. } => reason,
        other => panic!("it is {}", other.name()),
    }
}

/// The bounds of the company.
pub(crate) fn limits() -> Limits {
    Limits { open_requests: 20, ..Limits::default() }
}

fn seals(folder: &Path, ambient: &Ambient) -> (Seal, Seal) {
    let open = |name, file| Seal::open_machine(name, &folder.join("keys").join(file), ambient).unwrap();
    (open(SealName::Ends, "ends"), open(SealName::Issuing, "issuing"))
}

fn open(
    (store, more): (Arc<dyn Store>, Vec<Arc<dyn Kind>>),
    ambient: &Ambient,
    org: OrgId,
    folder: &Path,
    wrapped: &[Vec<u8>; 2],
    gate: &Arc<Gate>,
    (cost, limits, zone, url): (Cost, Limits, jiff::tz::TimeZone, &str),
) -> Arc<App> {
    let (ends, issuing) = seals(folder, ambient);
    let keys = SignerKeys::generate(&[USER_CA, HOST_CA, KRL], ambient);
    let signer: Arc<dyn Signer> = Arc::new(LocalSigner::new(keys, vec![(USER_CA, check_user_certificate)]).unwrap());
    let own: [Arc<dyn Kind>; 2] = [Arc::new(SshKind::new(signer)), Arc::new(GatedKind(Arc::clone(gate)))];
    let parts = Parts {
        store,
        kinds: Registry::new(own.into_iter().chain(more)),
        ambient: ambient.clone(),
        org,
        ends: Keyring::unlock(&ends, org, &wrapped[0], ambient).unwrap(),
        issuing: Keyring::unlock(&issuing, org, &wrapped[1], ambient).unwrap(),
        pepper: Pepper::new(&wane_domain::secret::Secret::new(vec![9; 32])).unwrap(),
        cost,
        zone,
        limits,
        public_url: url.to_owned(),
    };
    Arc::new(App::new(parts).unwrap())
}

async fn write(store: &SqlStore, ambient: &Ambient, org: OrgId, writes: Vec<Write>) {
    let record = Record {
        id: ambient.id(),
        org,
        at: ambient.now(),
        actor: Actor::System,
        event: "house.furnished".to_owned(),
        outcome: Outcome::Done,
        about: Subjects::default(),
        detail: json!({}),
    };
    store.commit(Commit::new(writes, vec![record]).unwrap()).await.unwrap();
}

/// Puts people, groups, resources and roles in.
async fn furnish(store: &SqlStore, ambient: &Ambient, org: OrgId) {
    let since = ambient.now();
    let empty: Line = String::new().try_into().unwrap();
    let ids: BTreeMap<&str, PersonId> = PEOPLE.iter().map(|(name, _)| (*name, ambient.id())).collect();
    let mut writes = Vec::new();
    for (who, manager) in PEOPLE {
        writes.push(Write::Person(Put::new(Person {
            id: ids[who],
            name: name(who),
            display: empty.clone(),
            manager: manager.map(|m| ids[m]),
            attributes: BTreeMap::new(),
            standing: Standing::Active,
            since,
            stay: wane_domain::directory::Stay::default(),
            kept_by: None,
        })));
    }
    let mut dba = None;
    for (group, members) in GROUPS {
        let id = ambient.id();
        dba = dba.or((group == "dba").then_some(id));
        let members = members.iter().map(|m| ids[m]).collect();
        writes.push(Write::Group(Put::new(Group {
            id,
            name: name(group),
            description: empty.clone(),
            members,
            kept_by: None,
        })));
    }
    for (resource, kind, env) in RESOURCES {
        let settings: Value =
            if kind == "ssh" { json!({ "address": "127.0.0.1:22", "read_back": "none" }) } else { json!({}) };
        writes.push(Write::Resource(Put::new(Resource {
            id: ambient.id(),
            name: name(resource),
            kind: name(kind),
            labels: BTreeMap::from([(name("env"), env.parse().unwrap())]),
            owner: dba.map(Owner::Group),
            settings,
            since,
        })));
    }
    let levels =
        [("read", 1), ("write", 2), ("super", 3)].map(|(role, level)| (role, "gate", json!({ "level": level })));
    let deploy = ("deploy", "ssh", json!({ "principals": ["deploy"] }));
    for (role, kind, definition) in levels.into_iter().chain([deploy]) {
        let (name, kind, description) = (name(role), name(kind), empty.clone());
        writes.push(Write::Role(Put::new(Role { id: ambient.id(), name, kind, description, definition, since })));
    }
    write(store, ambient, org, writes).await;
}

impl House {
    /// How long the trail is.
    pub(crate) async fn store_head(&self) -> u64 {
        self.store.head().await.unwrap()
    }
}
