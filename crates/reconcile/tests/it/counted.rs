//! The real store, with a count of what the engine asks it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use wane_app::Limits;
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
    AcmeAccount, AcmeOrder, Answer, ChannelStands, ClosedChannel, Commit, DeliveryFilter, Due, Entry, EntryId,
    EntryKey, EntrySort, GrantFilter, GrantPhase, InventoryTaken, Issuance, Job, LeaseFilter, LeasePhase, Login, Page,
    PolicyEntry, RecordFilter, Recording, RecordingFilter, RequestFilter, Seen, Sequenced, Slice, Store, StoreError,
    Token, Versioned, WayIn,
};

use crate::faulty::Faulty;
use crate::house::House;

/// How often it was asked what is due, how many things it named, and how many leases were read.
pub(crate) struct Counted {
    inner: Faulty,
    pub(crate) looks: AtomicUsize,
    pub(crate) rows: AtomicUsize,
    pub(crate) leases: AtomicUsize,
    /// How often it was asked when something is due next.
    pub(crate) next_looks: AtomicUsize,
    /// Pages of what everybody holds, of what stands at all targets, and of what is open under one grant.
    pub(crate) holdings: AtomicUsize,
    pub(crate) standing: AtomicUsize,
    pub(crate) of_one: AtomicUsize,
    /// How often a target's credential was asked for.
    pub(crate) sealed: AtomicUsize,
}

impl Counted {
    /// The company's use-cases over the counted store, in a process that begins anew.
    pub(crate) fn under(house: &mut House) -> Arc<Self> {
        let none = AtomicUsize::default;
        let inner = Faulty { store: house.store.clone(), door: Arc::clone(&house.door) };
        let store = Arc::new(Self {
            inner,
            looks: none(),
            rows: none(),
            leases: none(),
            next_looks: none(),
            holdings: none(),
            standing: none(),
            of_one: none(),
            sealed: none(),
        });
        house.reopen_over(Arc::clone(&store) as _, Vec::new(), Limits::default());
        store
    }

    pub(crate) fn read(&self) -> [usize; 3] {
        [&self.looks, &self.rows, &self.leases].map(|count| count.load(Ordering::Relaxed))
    }
}

#[async_trait]
impl Store for Counted {
    async fn commit(&self, commit: Commit) -> Result<u64, StoreError> {
        self.inner.commit(commit).await
    }
    async fn world(&self) -> Result<Arc<World>, StoreError> {
        self.inner.world().await
    }
    async fn seen(&self, id: &str) -> Result<Seen, StoreError> {
        self.inner.seen(id).await
    }
    async fn policy_version(&self, version: u64) -> Result<Option<PolicyVersion>, StoreError> {
        self.inner.policy_version(version).await
    }
    async fn policy_by_digest(&self, digest: Digest, at: Time) -> Result<Option<PolicyEntry>, StoreError> {
        self.inner.policy_by_digest(digest, at).await
    }
    async fn policy_versions(&self, slice: Slice) -> Result<Page<PolicyEntry>, StoreError> {
        self.inner.policy_versions(slice).await
    }
    async fn request(&self, id: RequestId) -> Result<Option<Versioned<AccessRequest>>, StoreError> {
        self.inner.request(id).await
    }
    async fn requests(
        &self,
        filter: RequestFilter,
        slice: Slice,
    ) -> Result<Page<Versioned<AccessRequest>>, StoreError> {
        self.inner.requests(filter, slice).await
    }
    async fn grant(&self, id: GrantId) -> Result<Option<Versioned<Grant>>, StoreError> {
        self.inner.grant(id).await
    }
    async fn grants(&self, filter: GrantFilter, slice: Slice) -> Result<Page<Versioned<Grant>>, StoreError> {
        let everybodys = filter.phases.contains(&GrantPhase::Scheduled) && filter.holder.is_none();
        let page = self.inner.grants(filter, slice).await?;
        self.holdings.fetch_add(usize::from(everybodys), Ordering::Relaxed);
        Ok(page)
    }
    async fn lease(&self, id: LeaseId) -> Result<Option<Versioned<Lease>>, StoreError> {
        self.leases.fetch_add(1, Ordering::Relaxed);
        self.inner.lease(id).await
    }
    async fn leases(&self, filter: LeaseFilter, slice: Slice) -> Result<Page<Versioned<Lease>>, StoreError> {
        if filter.grant.is_some() {
            self.of_one.fetch_add(1, Ordering::Relaxed);
        }
        let of_all =
            filter.grant.is_none() && filter.resource.is_none() && filter.phases.contains(&LeasePhase::Revoking);
        let page = self.inner.leases(filter, slice).await?;
        self.standing.fetch_add(usize::from(of_all), Ordering::Relaxed);
        Ok(page)
    }
    async fn due(&self, now: Time, after: Option<Due>, limit: u32) -> Result<Vec<Due>, StoreError> {
        let page = self.inner.due(now, after, limit).await?;
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.rows.fetch_add(page.len(), Ordering::Relaxed);
        Ok(page)
    }
    async fn next_due(&self, now: Time) -> Result<Option<Time>, StoreError> {
        self.next_looks.fetch_add(1, Ordering::Relaxed);
        self.inner.next_due(now).await
    }
    async fn uses(&self, grant: GrantId, of: &str) -> Result<u64, StoreError> {
        self.inner.uses(grant, of).await
    }
    async fn issuance(&self, serial: u64) -> Result<Option<Issuance>, StoreError> {
        self.inner.issuance(serial).await
    }
    async fn issuances(&self, lease: LeaseId) -> Result<Vec<Issuance>, StoreError> {
        self.inner.issuances(lease).await
    }
    async fn revoked(&self, kind: &Name, now: Time) -> Result<Vec<Issuance>, StoreError> {
        self.inner.revoked(kind, now).await
    }
    async fn next_serial(&self) -> Result<u64, StoreError> {
        self.inner.next_serial().await
    }
    async fn login(&self, person: PersonId) -> Result<Option<Versioned<Login>>, StoreError> {
        self.inner.login(person).await
    }
    async fn token(&self, id: TokenId) -> Result<Option<Versioned<Token>>, StoreError> {
        self.inner.token(id).await
    }
    async fn tokens_of(&self, person: PersonId) -> Result<Vec<Versioned<Token>>, StoreError> {
        self.inner.tokens_of(person).await
    }
    async fn tokens_of_resource(&self, resource: ResourceId) -> Result<Vec<Versioned<Token>>, StoreError> {
        self.inner.tokens_of_resource(resource).await
    }
    async fn tokens_via(&self, via: &str) -> Result<Vec<Versioned<Token>>, StoreError> {
        self.inner.tokens_via(via).await
    }
    async fn way_in(&self, key: &str) -> Result<Option<Versioned<WayIn>>, StoreError> {
        self.inner.way_in(key).await
    }
    async fn identities_at(&self, issuer: &str) -> Result<Vec<WayIn>, StoreError> {
        self.inner.identities_at(issuer).await
    }
    async fn ways_in(&self, person: PersonId) -> Result<Vec<Versioned<WayIn>>, StoreError> {
        self.inner.ways_in(person).await
    }
    async fn recording(&self, session: SessionId) -> Result<Option<Recording>, StoreError> {
        self.inner.recording(session).await
    }
    async fn recordings(&self, filter: RecordingFilter, slice: Slice) -> Result<Page<Recording>, StoreError> {
        self.inner.recordings(filter, slice).await
    }
    async fn entry(&self, id: EntryId) -> Result<Option<Versioned<Entry>>, StoreError> {
        self.inner.entry(id).await
    }
    async fn entry_by(
        &self,
        directory: DirectoryId,
        sort: EntrySort,
        key: EntryKey,
    ) -> Result<Option<Versioned<Entry>>, StoreError> {
        self.inner.entry_by(directory, sort, key).await
    }
    async fn entries(
        &self,
        directory: DirectoryId,
        sort: EntrySort,
        skip: usize,
        most: usize,
    ) -> Result<Vec<Versioned<Entry>>, StoreError> {
        self.inner.entries(directory, sort, skip, most).await
    }
    async fn count_entries(&self, directory: DirectoryId, sort: EntrySort) -> Result<usize, StoreError> {
        self.inner.count_entries(directory, sort).await
    }
    async fn tokens_of_directory(&self, directory: DirectoryId) -> Result<Vec<Versioned<Token>>, StoreError> {
        self.inner.tokens_of_directory(directory).await
    }
    async fn job(&self, id: JobId) -> Result<Option<Versioned<Job>>, StoreError> {
        self.inner.job(id).await
    }
    async fn job_of_token(&self, token: &str) -> Result<Option<Versioned<Job>>, StoreError> {
        self.inner.job_of_token(token).await
    }
    async fn open_jobs(&self) -> Result<Vec<Versioned<Job>>, StoreError> {
        self.inner.open_jobs().await
    }
    async fn acme_account(&self, id: AcmeAccountId) -> Result<Option<Versioned<AcmeAccount>>, StoreError> {
        self.inner.acme_account(id).await
    }
    async fn acme_account_with(&self, key: &str) -> Result<Option<Versioned<AcmeAccount>>, StoreError> {
        self.inner.acme_account_with(key).await
    }
    async fn acme_accounts(&self, grant: GrantId) -> Result<Vec<Versioned<AcmeAccount>>, StoreError> {
        self.inner.acme_accounts(grant).await
    }
    async fn acme_order(&self, id: AcmeOrderId) -> Result<Option<Versioned<AcmeOrder>>, StoreError> {
        self.inner.acme_order(id).await
    }
    async fn acme_orders(&self, account: AcmeAccountId) -> Result<Vec<Versioned<AcmeOrder>>, StoreError> {
        self.inner.acme_orders(account).await
    }
    async fn acme_order_of(&self, certificate: &str) -> Result<Option<Versioned<AcmeOrder>>, StoreError> {
        self.inner.acme_order_of(certificate).await
    }
    async fn inventories(&self, from: Time, most: u32) -> Result<Vec<InventoryTaken>, StoreError> {
        self.inner.inventories(from, most).await
    }
    async fn last_inventory(&self, resource: ResourceId) -> Result<Option<InventoryTaken>, StoreError> {
        self.inner.last_inventory(resource).await
    }
    async fn sealed(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.sealed.fetch_add(1, Ordering::Relaxed);
        self.inner.sealed(key).await
    }
    async fn answer(&self, person: PersonId, key: &str) -> Result<Option<Answer>, StoreError> {
        self.inner.answer(person, key).await
    }
    async fn delivery(&self, id: DeliveryId) -> Result<Option<Versioned<Delivery>>, StoreError> {
        self.inner.delivery(id).await
    }
    async fn deliveries(&self, filter: DeliveryFilter, slice: Slice) -> Result<Page<Versioned<Delivery>>, StoreError> {
        self.inner.deliveries(filter, slice).await
    }
    async fn deliveries_due(&self, channel: &str, now: Time, limit: u32) -> Result<Vec<DeliveryId>, StoreError> {
        self.inner.deliveries_due(channel, now, limit).await
    }
    async fn deliveries_waiting(&self, channel: &str) -> Result<u64, StoreError> {
        self.inner.deliveries_waiting(channel).await
    }
    async fn channels(&self) -> Result<Vec<ChannelStands>, StoreError> {
        self.inner.channels().await
    }
    async fn closed_channels(&self) -> Result<Vec<ClosedChannel>, StoreError> {
        self.inner.closed_channels().await
    }
    async fn notices_read(&self) -> Result<Option<u64>, StoreError> {
        self.inner.notices_read().await
    }
    async fn records(&self, filter: RecordFilter, slice: Slice) -> Result<Page<Sequenced>, StoreError> {
        self.inner.records(filter, slice).await
    }
    async fn records_after(&self, seq: u64, limit: u32) -> Result<Vec<Sequenced>, StoreError> {
        self.inner.records_after(seq, limit).await
    }
    async fn head(&self) -> Result<u64, StoreError> {
        self.inner.head().await
    }
    async fn changed(&self, seq: u64) -> u64 {
        self.inner.changed(seq).await
    }
}
