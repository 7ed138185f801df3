//! What can be asked of the store, in pages.

use wane_domain::id::{GrantId, LeaseId, PersonId, RequestId, ResourceId, RoleId};
use wane_domain::time::Time;

use crate::port::StoreError;
use crate::rows::Whereabouts;

/// Where a page goes on: the last id or sequence number of the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);

/// Which part of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// After this; none for the beginning.
    pub after: Option<Cursor>,
    /// At most so many, 1 to 1,000.
    pub limit: u32,
}

impl Slice {
    /// The beginning of a listing.
    #[must_use]
    pub fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }
}

/// A page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page goes on; none at the end.
    pub next: Option<Cursor>,
}

/// A listing to its end, a page at a time.
///
/// # Errors
/// When a page cannot be read.
pub async fn whole<T, F>(from: Slice, page: impl Fn(Slice) -> F) -> Result<Vec<T>, StoreError>
where
    F: Future<Output = Result<Page<T>, StoreError>>,
{
    let (mut all, mut slice) = (Vec::new(), from);
    loop {
        let Page { items, next } = page(slice.clone()).await?;
        all.extend(items);
        match next {
            Some(next) => slice.after = Some(next),
            None => return Ok(all),
        }
    }
}

/// Which requests, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestFilter {
    /// Asked by, or for.
    pub person: Option<PersonId>,
    /// Only those with an item that still waits (or only those without).
    pub waiting: Option<bool>,
}

/// Where a grant stands, for filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the states of `GrantState`")]
pub enum GrantPhase {
    Scheduled,
    Active,
    Ending,
    Closed,
}

/// Which grants, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantFilter {
    /// Held by.
    pub holder: Option<PersonId>,
    /// On.
    pub resource: Option<ResourceId>,
    /// Of.
    pub role: Option<RoleId>,
    /// From.
    pub request: Option<RequestId>,
    /// Any of these; empty means all.
    pub ids: Vec<GrantId>,
    /// In any of these; empty means all.
    pub phases: Vec<GrantPhase>,
    /// Only those to which nothing is due to happen before this: of active ones, those that last so long.
    pub due_from: Option<Time>,
}

/// Where a lease stands, for filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the states of `LeaseState`")]
pub enum LeasePhase {
    Intended,
    Live,
    Revoking,
    Gone,
}

/// Which leases, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseFilter {
    /// Under.
    pub grant: Option<GrantId>,
    /// Under any of these; empty means all.
    pub grants: Vec<GrantId>,
    /// Any of these; empty means all.
    pub ids: Vec<LeaseId>,
    /// At.
    pub resource: Option<ResourceId>,
    /// In any of these; empty means all.
    pub phases: Vec<LeasePhase>,
}

/// Which records, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordFilter {
    /// About or by this person.
    pub person: Option<PersonId>,
    /// About this resource.
    pub resource: Option<ResourceId>,
    /// About this grant.
    pub grant: Option<GrantId>,
    /// About this request.
    pub request: Option<RequestId>,
    /// Whose event name begins with this.
    pub event: Option<String>,
    /// Whose event name is none of these.
    pub without: Vec<String>,
    /// Not before.
    pub from: Option<Time>,
    /// Before.
    pub until: Option<Time>,
}

/// Which recordings, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordingFilter {
    /// Of sessions of this person.
    pub holder: Option<PersonId>,
    /// On this resource.
    pub resource: Option<ResourceId>,
    /// Begun no earlier.
    pub from: Option<Time>,
    /// Begun before.
    pub until: Option<Time>,
    /// Ended before.
    pub ended: Option<Time>,
    /// Only those without an end (or only those with one).
    pub open: Option<bool>,
    /// Only those that were deleted (or only those that were not).
    pub deleted: Option<bool>,
    /// Only those that lie there. A recording of which there is nothing lies nowhere.
    pub lies: Option<Whereabouts>,
    /// Of sessions with this verdict.
    pub verdict: Option<String>,
}

/// Which deliveries, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// To this person.
    pub to: Option<PersonId>,
    /// Over this channel.
    pub channel: Option<String>,
    /// In the state of this name.
    pub state: Option<String>,
}

/// Something that is due; also a place in the order of what is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: Time,
    /// What.
    pub what: DueWhat,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DueWhat {
    /// A request still waits: more people are asked, somebody is reminded, or it lapses.
    Request(RequestId),
    /// A scheduled grant was not activated, or an active one is over.
    Grant(GrantId),
    /// The end of a lease is to be tried (again), at this target.
    Lease(LeaseId, ResourceId),
}
