//! The real store behind a door that a test can shut: writes or reads that fail, or that hang.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::JoinSet;
use wane_domain::canonical::Digest;
use wane_domain::grant::Grant;
use wane_domain::id::{
    AcmeAccountId, AcmeOrderId, DeliveryId, DirectoryId, GrantId, JobId, LeaseId, PersonId, RequestId, ResourceId,
    SessionId, TokenId,
};
use wane_domain::lease::Lease;
use wane_domain::request::AccessRequest;
use wane_domain::text::Name;
use wane_domain::time::Time;
use wane_domain::world::{PolicyVersion, World};
use wane_notice::Delivery;
use wane_store::{
    AcmeAccount, AcmeOrder, Answer, ChannelStands, ClosedChannel, Commit, Cursor, DeliveryFilter, Due, Entry, EntryId,
    EntryKey, EntrySort, GrantFilter, InventoryTaken, Issuance, Job, LeaseFilter, Login, Page, PolicyEntry,
    RecordFilter, Recording, RecordingFilter, RequestFilter, Seen, Sequenced, Slice, Store, StoreError, Token,
    Versioned, WayIn,
};
use wane_store_sql::SqlStore;

/// How reads or writes go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Goes {
    #[default]
    Well,
    Failing,
    /// Nothing is answered until it goes otherwise.
    Hanging,
}

/// What a test holds: how reads and writes go.
#[derive(Debug, Default)]
pub(crate) struct Door {
    writes: watch::Sender<Goes>,
    reads: watch::Sender<Goes>,
    /// How many commits were asked for since writes were last told how to go.
    pub(crate) asked: watch::Sender<usize>,
    /// How many serial numbers were asked for.
    pub(crate) serials: watch::Sender<usize>,
    /// How many more pass although writes hang.
    pub(crate) passes: watch::Sender<usize>,
    /// The question that is not put to the store until another is, and how many ask it.
    held: watch::Sender<&'static str>,
    asking: watch::Sender<usize>,
    /// How many more pages of the trail are full, whatever is in it.
    pub(crate) full_pages: watch::Sender<usize>,
    /// Commits that hang; like those in a writer's queue they are done whether somebody waits or not.
    queue: Mutex<JoinSet<()>>,
}

impl Door {
    pub(crate) fn writes(&self, goes: Goes) {
        self.asked.send_replace(0);
        self.writes.send_replace(goes);
    }

    fn may_pass(&self) -> bool {
        self.passes.send_if_modified(|passes| {
            let may = *passes > 0;
            *passes = passes.saturating_sub(1);
            may
        })
    }

    pub(crate) fn reads(&self, goes: Goes) {
        self.reads.send_replace(goes);
    }

    pub(crate) fn all(&self, goes: Goes) {
        self.writes(goes);
        self.reads(goes);
    }

    /// From now on whoever asks this of the store waits until it is another; with nothing, nobody does.
    pub(crate) fn hold(&self, question: &'static str) {
        self.asking.send_replace(0);
        self.held.send_replace(question);
    }

    /// Waits until somebody asks what is held.
    pub(crate) async fn until_held(&self) {
        self.asking.subscribe().wait_for(|asking| *asking > 0).await.unwrap();
    }

    async fn ask(&self, question: &str) -> Result<(), StoreError> {
        if *self.held.borrow() == question {
            self.asking.send_modify(|asking| *asking += 1);
            self.held.subscribe().wait_for(|held| *held != question).await.unwrap();
        }
        Self::pass(&self.reads, "disk I/O error").await
    }

    /// A page of the trail, full of the newest on it as long as one more is to be full.
    fn filled(&self, page: Page<Sequenced>) -> Page<Sequenced> {
        let Some(newest) = page.items.first().filter(|_| *self.full_pages.borrow() > 0).cloned() else { return page };
        self.full_pages.send_modify(|full| *full -= 1);
        let next = Some(Cursor((newest.seq + 1).to_string()));
        Page { items: vec![newest; 1000], next }
    }

    async fn pass(side: &watch::Sender<Goes>, why: &str) -> Result<(), StoreError> {
        let mut goes = side.subscribe();
        match goes.wait_for(|goes| *goes != Goes::Hanging).await.map(|goes| *goes) {
            Ok(Goes::Well) => Ok(()),
            Ok(Goes::Failing | Goes::Hanging) | Err(_) => Err(StoreError::Unavailable(why.to_owned())),
        }
    }
}

/// The store behind the door.
#[derive(Clone)]
pub(crate) struct Faulty {
    pub(crate) store: SqlStore,
    pub(crate) door: Arc<Door>,
}

macro_rules! behind_the_door {
    ($($name:ident($($arg:ident: $of:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl Store for Faulty {
            async fn commit(&self, commit: Commit) -> Result<u64, StoreError> {
                let (to, answer) = tokio::sync::oneshot::channel();
                // Settled before it is seen to be asked: what is let pass then is another.
                let may_pass = self.door.may_pass();
                self.door.asked.send_modify(|asked| *asked += 1);
                if may_pass {
                    return self.store.commit(commit).await;
                }
                let (store, door) = (self.store.clone(), Arc::clone(&self.door));
                self.door.queue.lock().unwrap_or_else(PoisonError::into_inner).spawn(async move {
                    let done = match Door::pass(&door.writes, "database or disk is full").await {
                        Ok(()) => store.commit(commit).await,
                        Err(error) => Err(error),
                    };
                    let _ = to.send(done);
                });
                answer.await.unwrap()
            }
            async fn world(&self) -> Result<Arc<World>, StoreError> {
                self.store.world().await
            }
            async fn next_serial(&self) -> Result<u64, StoreError> {
                self.door.serials.send_modify(|asked| *asked += 1);
                Door::pass(&self.door.writes, "database or disk is full").await?;
                self.store.next_serial().await
            }
            async fn changed(&self, seq: u64) -> u64 {
                self.store.changed(seq).await
            }
            async fn records(&self, filter: RecordFilter, slice: Slice) -> Result<Page<Sequenced>, StoreError> {
                self.door.ask("records").await?;
                Ok(self.door.filled(self.store.records(filter, slice).await?))
            }
            $(async fn $name(&self, $($arg: $of),*) -> Result<$out, StoreError> {
                self.door.ask(stringify!($name)).await?;
                self.store.$name($($arg),*).await
            })*
        }
    };
}

behind_the_door! {
    seen(id: &str) -> Seen;
    policy_version(version: u64) -> Option<PolicyVersion>;
    policy_by_digest(digest: Digest, at: Time) -> Option<PolicyEntry>;
    policy_versions(slice: Slice) -> Page<PolicyEntry>;
    request(id: RequestId) -> Option<Versioned<AccessRequest>>;
    requests(filter: RequestFilter, slice: Slice) -> Page<Versioned<AccessRequest>>;
    grant(id: GrantId) -> Option<Versioned<Grant>>;
    grants(filter: GrantFilter, slice: Slice) -> Page<Versioned<Grant>>;
    lease(id: LeaseId) -> Option<Versioned<Lease>>;
    leases(filter: LeaseFilter, slice: Slice) -> Page<Versioned<Lease>>;
    due(now: Time, after: Option<Due>, limit: u32) -> Vec<Due>;
    next_due(now: Time) -> Option<Time>;
    issuance(serial: u64) -> Option<Issuance>;
    issuances(lease: LeaseId) -> Vec<Issuance>;
    uses(grant: GrantId, of: &str) -> u64;
    revoked(kind: &Name, now: Time) -> Vec<Issuance>;
    login(person: PersonId) -> Option<Versioned<Login>>;
    token(id: TokenId) -> Option<Versioned<Token>>;
    tokens_of(person: PersonId) -> Vec<Versioned<Token>>;
    entry(id: EntryId) -> Option<Versioned<Entry>>;
    entry_by(directory: DirectoryId, sort: EntrySort, key: EntryKey) -> Option<Versioned<Entry>>;
    entries(directory: DirectoryId, sort: EntrySort, skip: usize, most: usize) -> Vec<Versioned<Entry>>;
    count_entries(directory: DirectoryId, sort: EntrySort) -> usize;
    tokens_of_directory(directory: DirectoryId) -> Vec<Versioned<Token>>;
    tokens_of_resource(resource: ResourceId) -> Vec<Versioned<Token>>;
    tokens_via(via: &str) -> Vec<Versioned<Token>>;
    way_in(key: &str) -> Option<Versioned<WayIn>>;
    ways_in(person: PersonId) -> Vec<Versioned<WayIn>>;
    identities_at(issuer: &str) -> Vec<WayIn>;
    job(id: JobId) -> Option<Versioned<Job>>;
    job_of_token(token: &str) -> Option<Versioned<Job>>;
    open_jobs() -> Vec<Versioned<Job>>;
    acme_account(id: AcmeAccountId) -> Option<Versioned<AcmeAccount>>;
    acme_account_with(key: &str) -> Option<Versioned<AcmeAccount>>;
    acme_accounts(grant: GrantId) -> Vec<Versioned<AcmeAccount>>;
    acme_order(id: AcmeOrderId) -> Option<Versioned<AcmeOrder>>;
    acme_orders(account: AcmeAccountId) -> Vec<Versioned<AcmeOrder>>;
    acme_order_of(certificate: &str) -> Option<Versioned<AcmeOrder>>;
    inventories(from: Time, most: u32) -> Vec<InventoryTaken>;
    last_inventory(resource: ResourceId) -> Option<InventoryTaken>;
    sealed(key: &str) -> Option<Vec<u8>>;
    recording(session: SessionId) -> Option<Recording>;
    recordings(filter: RecordingFilter, slice: Slice) -> Page<Recording>;
    answer(person: PersonId, key: &str) -> Option<Answer>;
    delivery(id: DeliveryId) -> Option<Versioned<Delivery>>;
    deliveries(filter: DeliveryFilter, slice: Slice) -> Page<Versioned<Delivery>>;
    deliveries_due(channel: &str, now: Time, limit: u32) -> Vec<DeliveryId>;
    deliveries_waiting(channel: &str) -> u64;
    channels() -> Vec<ChannelStands>;
    closed_channels() -> Vec<ClosedChannel>;
    notices_read() -> Option<u64>;
    records_after(seq: u64, limit: u32) -> Vec<Sequenced>;
    head() -> u64;
}
