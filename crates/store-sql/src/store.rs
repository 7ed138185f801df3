//! The handle: sends writes to the writer, reads through a few connections of its own.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use rusqlite::Connection;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqlitePool};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_domain::canonical::Digest;
use wane_domain::grant::Grant;
use wane_domain::id::{
    AcmeAccountId, AcmeOrderId, DeliveryId, DirectoryId, EventId, GrantId, JobId, LeaseId, OrgId, PersonId, RequestId,
    ResourceId, SessionId, TokenId,
};
use wane_domain::lease::Lease;
use wane_domain::request::AccessRequest;
use wane_domain::text::Name;
use wane_domain::time::Time;
use wane_domain::world::{PolicyVersion, World};
use wane_failpoint::{around_call, point};
use wane_notice::Delivery;
use wane_store::{
    Answer, ChannelStands, ClosedChannel, Commit, DeliveryFilter, Due, Entry, EntryId, EntryKey, EntrySort,
    GrantFilter, InventoryTaken, Issuance, LeaseFilter, Login, Page, PolicyEntry, RecordFilter, Recording,
    RecordingFilter, RequestFilter, Seen, Sequenced, Slice, Standing, Store, StoreError, Token, TokenOwner, Versioned,
    WayIn,
};

use crate::apply::Ready;
use crate::memory::Memory;
use crate::place::Place;
use crate::row::unavailable;
use crate::writer::{Job, Writer};
use crate::{
    acme, answers, deliveries, due, entries, grants, inventories, issuances, jobs, leases, logins, policies,
    recordings, requests, schema, sealed, step, tokens, trail, uses, ways_in, world,
};

/// How many writes may wait; whoever comes after waits to be queued.
const QUEUE: usize = 1_024;
/// How many reads run at once.
const READERS: u32 = 4;

/// What a new store begins with; a store that exists already is opened as it is.
#[derive(Clone, Debug)]
pub struct Founding {
    /// The organisation.
    pub org: OrgId,
    /// The first policy; its version is 1.
    pub policy: PolicyVersion,
    /// The id of the first record of the trail, which says that the store was founded.
    pub event: EventId,
}

/// What the writer has done since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Logical transactions that were done.
    pub commits: u64,
    /// Transactions that reached the disk, each with one sync.
    pub batches: u64,
}

/// What handle and writer share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) world: watch::Sender<Arc<World>>,
    pub(crate) head: watch::Sender<u64>,
    pub(crate) memory: Memory,
    pub(crate) commits: AtomicU64,
    pub(crate) batches: AtomicU64,
}

/// The store over one SQLite file. Clones are handles to the same store.
#[derive(Clone, Debug)]
pub struct SqlStore {
    pool: SqlitePool,
    queue: mpsc::Sender<Job>,
    shared: Arc<Shared>,
    serials: Arc<Mutex<Range<u64>>>,
    /// Kept so that the lock on the file outlives the readers.
    place: Arc<Place>,
}

impl SqlStore {
    /// Opens the store at `path`, founding it if it is not there. Reads work at once; writes are
    /// done while the [`Writer`] is run.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file is in use, on a network file system or cannot be opened;
    /// [`StoreError::Corrupt`] when it cannot be understood.
    pub async fn open(path: &Path, founding: Founding) -> Result<(Self, Writer), StoreError> {
        let place = Arc::new(Place::take(path)?);
        let mut migrating = place.for_migrating().connect().await.map_err(unavailable)?;
        schema::migrate(&mut migrating).await?;
        let conn = place.writer()?;
        migrating.close().await.map_err(unavailable)?;
        let world = match world::load(&conn)? {
            Some(world) => world,
            None => found(&conn, founding)?,
        };
        let head = trail::head(&conn)?;
        let pool = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .connect_with(place.for_reading())
            .await
            .map_err(unavailable)?;
        let shared = Arc::new(Shared {
            world: watch::Sender::new(Arc::new(world)),
            head: watch::Sender::new(head),
            memory: Memory::default(),
            commits: AtomicU64::new(0),
            batches: AtomicU64::new(0),
        });
        let (queue, jobs) = mpsc::channel(QUEUE);
        let used = pool.clone();
        let writer = Writer::new(conn, (jobs, queue.downgrade()), used, Arc::clone(&shared), Arc::clone(&place));
        Ok((Self { pool, queue, shared, serials: Arc::default(), place }, writer))
    }

    /// Writes what is queued, then closes the file, for all handles, and lets others open it.
    /// Whatever is asked of it afterwards is refused. The [`Writer`] must be running, or gone.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Job::Close(done)).await.is_ok() {
            // An error means that the writer is gone already, which is as closed as it gets.
            let _ = closed.await;
        }
        self.pool.close().await;
        self.place.release();
    }

    /// What the writer has done since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            commits: self.shared.commits.load(Ordering::Relaxed),
            batches: self.shared.batches.load(Ordering::Relaxed),
        }
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job) -> Result<T, StoreError> {
        let (to, answer) = oneshot::channel();
        self.queue.send(job(to)).await.map_err(|_| StoreError::Unavailable("it is closed".to_owned()))?;
        answer.await.map_err(|_| {
            StoreError::Unavailable("the writer stopped before it answered; read to see what was done".to_owned())
        })?
    }
}

/// Makes a new store, with the record that says so.
fn found(conn: &Connection, founding: Founding) -> Result<World, StoreError> {
    let Founding { org, policy, event } = founding;
    let record = Record {
        id: event,
        org,
        at: policy.at,
        actor: Actor::System,
        event: "store.founded".to_owned(),
        outcome: Outcome::Done,
        about: Subjects::default(),
        detail: serde_json::json!({ "org": org, "policy": policy.digest, "version": policy.version }),
    };
    step::plain(conn, "BEGIN IMMEDIATE")?;
    world::found(conn, org)?;
    step::run(conn, &[policies::put(&policy)?, trail::append(&record)?])?;
    around_call(point!("store.found"), || step::plain(conn, "COMMIT"))?;
    world::load(conn)?.ok_or_else(|| StoreError::Corrupt("the organisation is gone".to_owned()))
}

#[async_trait]
impl Store for SqlStore {
    async fn commit(&self, commit: Commit) -> Result<u64, StoreError> {
        let ready = Box::new(Ready::new(commit)?);
        self.ask(|to| Job::Commit(ready, to)).await
    }

    async fn world(&self) -> Result<Arc<World>, StoreError> {
        Ok(self.shared.world.borrow().clone())
    }
    async fn seen(&self, id: &str) -> Result<Seen, StoreError> {
        world::seen(&self.pool, id).await
    }

    async fn policy_version(&self, version: u64) -> Result<Option<PolicyVersion>, StoreError> {
        policies::get(&self.pool, version).await
    }
    async fn policy_by_digest(&self, digest: Digest, at: Time) -> Result<Option<PolicyEntry>, StoreError> {
        policies::by_digest(&self.pool, digest, at).await
    }
    async fn policy_versions(&self, slice: Slice) -> Result<Page<PolicyEntry>, StoreError> {
        policies::list(&self.pool, &slice).await
    }

    async fn request(&self, id: RequestId) -> Result<Option<Versioned<AccessRequest>>, StoreError> {
        requests::get(&self.pool, id).await
    }
    async fn requests(
        &self,
        filter: RequestFilter,
        slice: Slice,
    ) -> Result<Page<Versioned<AccessRequest>>, StoreError> {
        requests::list(&self.pool, &filter, &slice).await
    }
    async fn grant(&self, id: GrantId) -> Result<Option<Versioned<Grant>>, StoreError> {
        grants::get(&self.pool, id).await
    }
    async fn standing(&self, id: GrantId) -> Result<Option<Standing>, StoreError> {
        let memory = &self.shared.memory;
        let ticket = match memory.standing(id) {
            Ok(standing) => return Ok(Some(standing)),
            Err(ticket) => ticket,
        };
        let standing = grants::standing(&self.pool, id).await?;
        standing.iter().for_each(|standing| memory.read_standing(ticket, standing));
        Ok(standing)
    }
    async fn grants(&self, filter: GrantFilter, slice: Slice) -> Result<Page<Versioned<Grant>>, StoreError> {
        grants::list(&self.pool, &filter, &slice).await
    }
    async fn lease(&self, id: LeaseId) -> Result<Option<Versioned<Lease>>, StoreError> {
        leases::get(&self.pool, id).await
    }
    async fn leases(&self, filter: LeaseFilter, slice: Slice) -> Result<Page<Versioned<Lease>>, StoreError> {
        leases::list(&self.pool, &filter, &slice).await
    }

    async fn due(&self, now: Time, after: Option<Due>, limit: u32) -> Result<Vec<Due>, StoreError> {
        due::by(&self.pool, now, after, limit).await
    }
    async fn next_due(&self, now: Time) -> Result<Option<Time>, StoreError> {
        due::after(&self.pool, now).await
    }

    async fn uses(&self, grant: GrantId, of: &str) -> Result<u64, StoreError> {
        uses::made(&self.pool, grant, of).await
    }
    async fn issuance(&self, serial: u64) -> Result<Option<Issuance>, StoreError> {
        issuances::by_serial(&self.pool, serial).await
    }
    async fn issuances(&self, lease: LeaseId) -> Result<Vec<Issuance>, StoreError> {
        issuances::of_lease(&self.pool, lease).await
    }
    async fn revoked(&self, kind: &Name, now: Time) -> Result<Vec<Issuance>, StoreError> {
        issuances::revoked(&self.pool, kind, now).await
    }
    async fn next_serial(&self) -> Result<u64, StoreError> {
        let mut block = self.serials.lock().await;
        if block.is_empty() {
            *block = self.ask(Job::Serials).await?;
        }
        block.next().ok_or_else(|| StoreError::Corrupt("the serial numbers have run out".to_owned()))
    }

    async fn login(&self, person: PersonId) -> Result<Option<Versioned<Login>>, StoreError> {
        logins::get(&self.pool, person).await
    }
    async fn token(&self, id: TokenId) -> Result<Option<Versioned<Token>>, StoreError> {
        let memory = &self.shared.memory;
        let ticket = match memory.token(id) {
            Ok(token) => return Ok(Some(token)),
            Err(ticket) => ticket,
        };
        let token = tokens::get(&self.pool, id).await?;
        token.iter().for_each(|token| memory.read_token(ticket, token));
        Ok(token)
    }
    async fn tokens_of(&self, person: PersonId) -> Result<Vec<Versioned<Token>>, StoreError> {
        tokens::unspent(&self.pool, TokenOwner::Person(person)).await
    }
    async fn tokens_of_resource(&self, resource: ResourceId) -> Result<Vec<Versioned<Token>>, StoreError> {
        tokens::unspent(&self.pool, TokenOwner::Resource(resource)).await
    }
    async fn tokens_via(&self, via: &str) -> Result<Vec<Versioned<Token>>, StoreError> {
        tokens::via(&self.pool, via).await
    }
    async fn way_in(&self, key: &str) -> Result<Option<Versioned<WayIn>>, StoreError> {
        ways_in::get(&self.pool, key).await
    }
    async fn identities_at(&self, issuer: &str) -> Result<Vec<WayIn>, StoreError> {
        ways_in::at(&self.pool, issuer).await
    }
    async fn ways_in(&self, person: PersonId) -> Result<Vec<Versioned<WayIn>>, StoreError> {
        ways_in::of(&self.pool, person).await
    }
    async fn entry(&self, id: EntryId) -> Result<Option<Versioned<Entry>>, StoreError> {
        entries::get(&self.pool, id).await
    }
    async fn entry_by(
        &self,
        directory: DirectoryId,
        sort: EntrySort,
        key: EntryKey,
    ) -> Result<Option<Versioned<Entry>>, StoreError> {
        entries::by(&self.pool, directory, sort, &key).await
    }
    async fn entries(
        &self,
        directory: DirectoryId,
        sort: EntrySort,
        skip: usize,
        most: usize,
    ) -> Result<Vec<Versioned<Entry>>, StoreError> {
        entries::list(&self.pool, directory, sort, skip, most).await
    }
    async fn count_entries(&self, directory: DirectoryId, sort: EntrySort) -> Result<usize, StoreError> {
        entries::count_of(&self.pool, directory, sort).await
    }
    async fn tokens_of_directory(&self, directory: DirectoryId) -> Result<Vec<Versioned<Token>>, StoreError> {
        tokens::unspent(&self.pool, TokenOwner::Directory(directory)).await
    }
    async fn job(&self, id: JobId) -> Result<Option<Versioned<wane_store::Job>>, StoreError> {
        jobs::get(&self.pool, id).await
    }
    async fn job_of_token(&self, token: &str) -> Result<Option<Versioned<wane_store::Job>>, StoreError> {
        jobs::of_token(&self.pool, token).await
    }
    async fn open_jobs(&self) -> Result<Vec<Versioned<wane_store::Job>>, StoreError> {
        jobs::open(&self.pool).await
    }
    async fn acme_account(&self, id: AcmeAccountId) -> Result<Option<Versioned<wane_store::AcmeAccount>>, StoreError> {
        acme::account(&self.pool, id).await
    }
    async fn acme_account_with(&self, key: &str) -> Result<Option<Versioned<wane_store::AcmeAccount>>, StoreError> {
        acme::account_with(&self.pool, key).await
    }
    async fn acme_accounts(&self, grant: GrantId) -> Result<Vec<Versioned<wane_store::AcmeAccount>>, StoreError> {
        acme::accounts(&self.pool, grant).await
    }
    async fn acme_order(&self, id: AcmeOrderId) -> Result<Option<Versioned<wane_store::AcmeOrder>>, StoreError> {
        acme::order(&self.pool, id).await
    }
    async fn acme_orders(&self, account: AcmeAccountId) -> Result<Vec<Versioned<wane_store::AcmeOrder>>, StoreError> {
        acme::orders(&self.pool, account).await
    }
    async fn acme_order_of(&self, certificate: &str) -> Result<Option<Versioned<wane_store::AcmeOrder>>, StoreError> {
        acme::order_of(&self.pool, certificate).await
    }
    async fn inventories(&self, from: Time, most: u32) -> Result<Vec<InventoryTaken>, StoreError> {
        inventories::since(&self.pool, from, most).await
    }
    async fn last_inventory(&self, resource: ResourceId) -> Result<Option<InventoryTaken>, StoreError> {
        inventories::last(&self.pool, resource).await
    }
    async fn sealed(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        sealed::get(&self.pool, key).await
    }
    async fn recording(&self, session: SessionId) -> Result<Option<Recording>, StoreError> {
        recordings::get(&self.pool, session).await
    }
    async fn recordings(&self, filter: RecordingFilter, slice: Slice) -> Result<Page<Recording>, StoreError> {
        recordings::list(&self.pool, &filter, &slice).await
    }
    async fn answer(&self, person: PersonId, key: &str) -> Result<Option<Answer>, StoreError> {
        if self.shared.memory.is_new(person, key) {
            return Ok(None);
        }
        answers::get(&self.pool, person, key).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Versioned<Delivery>>, StoreError> {
        deliveries::get(&self.pool, id).await
    }
    async fn deliveries(&self, filter: DeliveryFilter, slice: Slice) -> Result<Page<Versioned<Delivery>>, StoreError> {
        deliveries::list(&self.pool, &filter, &slice).await
    }
    async fn deliveries_due(&self, channel: &str, now: Time, limit: u32) -> Result<Vec<DeliveryId>, StoreError> {
        deliveries::due(&self.pool, channel, now, limit).await
    }
    async fn deliveries_waiting(&self, channel: &str) -> Result<u64, StoreError> {
        deliveries::waiting(&self.pool, channel).await
    }
    async fn channels(&self) -> Result<Vec<ChannelStands>, StoreError> {
        deliveries::stands(&self.pool).await
    }
    async fn closed_channels(&self) -> Result<Vec<ClosedChannel>, StoreError> {
        deliveries::closed(&self.pool).await
    }
    async fn notices_read(&self) -> Result<Option<u64>, StoreError> {
        deliveries::read_to(&self.pool).await
    }

    async fn records(&self, filter: RecordFilter, slice: Slice) -> Result<Page<Sequenced>, StoreError> {
        trail::list(&self.pool, &filter, &slice).await
    }
    async fn records_after(&self, seq: u64, limit: u32) -> Result<Vec<Sequenced>, StoreError> {
        trail::after(&self.pool, seq, limit).await
    }
    async fn head(&self) -> Result<u64, StoreError> {
        Ok(*self.shared.head.borrow())
    }
    async fn changed(&self, seq: u64) -> u64 {
        let mut head = self.shared.head.subscribe();
        match head.wait_for(|head| *head > seq).await {
            Ok(head) => *head,
            // Only when the store is gone, which this handle prevents.
            Err(_) => seq,
        }
    }
}
