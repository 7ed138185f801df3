//! The port.

use async_trait::async_trait;
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

use crate::acme::{AcmeAccount, AcmeOrder};
use crate::commit::{Commit, Seen};
use crate::query::{
    DeliveryFilter, Due, GrantFilter, LeaseFilter, LeasePhase, Page, RecordFilter, RecordingFilter, RequestFilter,
    Slice, whole,
};
use crate::rows::{
    Answer, ChannelStands, ClosedChannel, Entry, EntryId, EntryKey, EntrySort, InventoryTaken, Issuance, Job, Login,
    PolicyEntry, Recording, Sequenced, Standing, Token, Versioned, WayIn,
};

/// Why the store did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote first; read again and decide again.
    #[error("`{0}` changed meanwhile")]
    Conflict(String),
    /// A name is taken, or something refers to what was to be removed.
    #[error("{0}")]
    Refused(String),
    /// The store cannot be read or written now.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// What is stored cannot be understood.
    #[error("the store holds something this version cannot read: {0}")]
    Corrupt(String),
}

/// What the use-cases need kept. Replies to [`Store::commit`] leave after the data is on disk.
#[async_trait]
pub trait Store: Send + Sync {
    /// Does all of it or nothing. Returns the sequence number of its last record.
    async fn commit(&self, commit: Commit) -> Result<u64, StoreError>;

    /// A snapshot of what decisions rest on; cheap, kept in memory and never older than the last commit answered.
    async fn world(&self) -> Result<std::sync::Arc<World>, StoreError>;
    /// The generation of a person, group, resource, role or lock in the world, by id.
    async fn seen(&self, id: &str) -> Result<Seen, StoreError>;

    /// A version of the policy set; every one that was ever loaded is kept.
    async fn policy_version(&self, version: u64) -> Result<Option<PolicyVersion>, StoreError>;
    /// The last version with this digest that was loaded by `at`: a text may be loaded more than once.
    async fn policy_by_digest(&self, digest: Digest, at: Time) -> Result<Option<PolicyEntry>, StoreError>;
    /// Versions of the policy set without their texts, newest first.
    async fn policy_versions(&self, slice: Slice) -> Result<Page<PolicyEntry>, StoreError>;

    /// A request.
    async fn request(&self, id: RequestId) -> Result<Option<Versioned<AccessRequest>>, StoreError>;
    /// Requests, newest first.
    async fn requests(&self, filter: RequestFilter, slice: Slice)
    -> Result<Page<Versioned<AccessRequest>>, StoreError>;
    /// A grant.
    async fn grant(&self, id: GrantId) -> Result<Option<Versioned<Grant>>, StoreError>;
    /// A grant with the request it came from and its open leases: one question where three would be.
    async fn standing(&self, id: GrantId) -> Result<Option<Standing>, StoreError> {
        let Some(grant) = self.grant(id).await? else { return Ok(None) };
        let from = grant.value.request;
        let request = self.request(from).await?;
        let request =
            request.ok_or_else(|| StoreError::Corrupt(format!("`{id}` came from `{from}`, which is gone")))?;
        let phases = vec![LeasePhase::Intended, LeasePhase::Live, LeasePhase::Revoking];
        let filter = LeaseFilter { grant: Some(id), phases, ..LeaseFilter::default() };
        let open = whole(Slice::first(1000), |slice| self.leases(filter.clone(), slice)).await?;
        Ok(Some(Standing { grant, request, open }))
    }
    /// Grants, newest first.
    async fn grants(&self, filter: GrantFilter, slice: Slice) -> Result<Page<Versioned<Grant>>, StoreError>;
    /// A lease.
    async fn lease(&self, id: LeaseId) -> Result<Option<Versioned<Lease>>, StoreError>;
    /// Leases, oldest first.
    async fn leases(&self, filter: LeaseFilter, slice: Slice) -> Result<Page<Versioned<Lease>>, StoreError>;

    /// What is due by `now`, earliest first and then by id; with a place, only what comes after it. Costs
    /// what is returned, however much is due.
    async fn due(&self, now: Time, after: Option<Due>, limit: u32) -> Result<Vec<Due>, StoreError>;
    /// When the next thing is due after `now`.
    async fn next_due(&self, now: Time) -> Result<Option<Time>, StoreError>;

    /// An issue by its serial number.
    async fn issuance(&self, serial: u64) -> Result<Option<Issuance>, StoreError>;
    /// Every issue under a lease, oldest first.
    async fn issuances(&self, lease: LeaseId) -> Result<Vec<Issuance>, StoreError>;
    /// Issues of a kind that would still work at `now` although they were revoked, or their lease is ending or gone.
    async fn revoked(&self, kind: &Name, now: Time) -> Result<Vec<Issuance>, StoreError>;
    /// The next serial number; never the same twice, across restarts.
    async fn next_serial(&self) -> Result<u64, StoreError>;

    /// How many uses were made of those that one thing under a grant gives.
    async fn uses(&self, grant: GrantId, of: &str) -> Result<u64, StoreError>;

    /// How a person signs in.
    async fn login(&self, person: PersonId) -> Result<Option<Versioned<Login>>, StoreError>;
    /// A token.
    async fn token(&self, id: TokenId) -> Result<Option<Versioned<Token>>, StoreError>;
    /// Tokens of a person that are not spent.
    async fn tokens_of(&self, person: PersonId) -> Result<Vec<Versioned<Token>>, StoreError>;
    /// Unspent tokens of a resource.
    async fn tokens_of_resource(&self, resource: ResourceId) -> Result<Vec<Versioned<Token>>, StoreError>;
    /// Unspent tokens that came out of a session of a provider.
    async fn tokens_via(&self, via: &str) -> Result<Vec<Versioned<Token>>, StoreError>;
    /// The way in that a key leads to.
    async fn way_in(&self, key: &str) -> Result<Option<Versioned<WayIn>>, StoreError>;
    /// A person's ways in, oldest first.
    async fn ways_in(&self, person: PersonId) -> Result<Vec<Versioned<WayIn>>, StoreError>;
    /// The identities of people at one issuer, in no order.
    async fn identities_at(&self, issuer: &str) -> Result<Vec<WayIn>, StoreError>;
    /// What a directory said of a person or group.
    async fn entry(&self, id: EntryId) -> Result<Option<Versioned<Entry>>, StoreError>;
    /// The entry of a directory that a key leads to.
    async fn entry_by(
        &self,
        directory: DirectoryId,
        sort: EntrySort,
        key: EntryKey,
    ) -> Result<Option<Versioned<Entry>>, StoreError>;
    /// Entries of a directory, oldest first: at most `most`, after so many that are skipped.
    async fn entries(
        &self,
        directory: DirectoryId,
        sort: EntrySort,
        skip: usize,
        most: usize,
    ) -> Result<Vec<Versioned<Entry>>, StoreError>;
    /// How many entries a directory has.
    async fn count_entries(&self, directory: DirectoryId, sort: EntrySort) -> Result<usize, StoreError>;
    /// Unspent tokens of a directory.
    async fn tokens_of_directory(&self, directory: DirectoryId) -> Result<Vec<Versioned<Token>>, StoreError>;
    /// A job, while it is kept.
    async fn job(&self, id: JobId) -> Result<Option<Versioned<Job>>, StoreError>;
    /// The job that was begun with a token, by what that is known by.
    async fn job_of_token(&self, token: &str) -> Result<Option<Versioned<Job>>, StoreError>;
    /// The jobs that are not over, oldest first.
    async fn open_jobs(&self) -> Result<Vec<Versioned<Job>>, StoreError>;
    /// An account of an ACME client.
    async fn acme_account(&self, id: AcmeAccountId) -> Result<Option<Versioned<AcmeAccount>>, StoreError>;
    /// The account that has a key, by its thumbprint.
    async fn acme_account_with(&self, key: &str) -> Result<Option<Versioned<AcmeAccount>>, StoreError>;
    /// The accounts under a grant, oldest first.
    async fn acme_accounts(&self, grant: GrantId) -> Result<Vec<Versioned<AcmeAccount>>, StoreError>;
    /// An order of an ACME client.
    async fn acme_order(&self, id: AcmeOrderId) -> Result<Option<Versioned<AcmeOrder>>, StoreError>;
    /// The orders of an account, oldest first.
    async fn acme_orders(&self, account: AcmeAccountId) -> Result<Vec<Versioned<AcmeOrder>>, StoreError>;
    /// The order that a certificate was issued for, by what clients know that by.
    async fn acme_order_of(&self, certificate: &str) -> Result<Option<Versioned<AcmeOrder>>, StoreError>;
    /// What stood at resources on the days from a moment on, and at each when it was last looked at before that, the newest
    /// day first; at most so many.
    async fn inventories(&self, from: Time, most: u32) -> Result<Vec<InventoryTaken>, StoreError>;
    /// What stood at a resource when it was last looked at.
    async fn last_inventory(&self, resource: ResourceId) -> Result<Option<InventoryTaken>, StoreError>;
    /// A sealed secret.
    async fn sealed(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// What is known of a session's recording.
    async fn recording(&self, session: SessionId) -> Result<Option<Recording>, StoreError>;
    /// Recordings, newest first.
    async fn recordings(&self, filter: RecordingFilter, slice: Slice) -> Result<Page<Recording>, StoreError>;
    /// The answer given under an idempotency key.
    async fn answer(&self, person: PersonId, key: &str) -> Result<Option<Answer>, StoreError>;

    /// A delivery.
    async fn delivery(&self, id: DeliveryId) -> Result<Option<Versioned<Delivery>>, StoreError>;
    /// Deliveries, newest first.
    async fn deliveries(&self, filter: DeliveryFilter, slice: Slice) -> Result<Page<Versioned<Delivery>>, StoreError>;
    /// The deliveries over a channel that are due by `now`, earliest first.
    async fn deliveries_due(&self, channel: &str, now: Time, limit: u32) -> Result<Vec<DeliveryId>, StoreError>;
    /// How many deliveries over a channel wait.
    async fn deliveries_waiting(&self, channel: &str) -> Result<u64, StoreError>;
    /// How each channel stands for which there is any delivery.
    async fn channels(&self) -> Result<Vec<ChannelStands>, StoreError>;
    /// The channels that are closed.
    async fn closed_channels(&self) -> Result<Vec<ClosedChannel>, StoreError>;
    /// Up to which record notices were made of the trail; none if they never were.
    async fn notices_read(&self) -> Result<Option<u64>, StoreError>;

    /// Records of the trail, newest first; with a cursor, older than it.
    async fn records(&self, filter: RecordFilter, slice: Slice) -> Result<Page<Sequenced>, StoreError>;
    /// Records after a sequence number, oldest first.
    async fn records_after(&self, seq: u64, limit: u32) -> Result<Vec<Sequenced>, StoreError>;
    /// The last sequence number.
    async fn head(&self) -> Result<u64, StoreError>;
    /// Resolves when something was committed after `seq`.
    async fn changed(&self, seq: u64) -> u64;
}
