//! Ending at once, locks, the boards and the trail.

use reqwest::Method;
use wane_api::Page;
use wane_api::board::{DebtView, Kill, LiveSession, LiveView};
use wane_api::figures::{FiguresQuery, FiguresView, InventoryLine};
use wane_api::lock::{LockView, NewLock, Revoke, Revoked};
use wane_api::query::{Listing, Records};
use wane_api::trail::RecordView;

use crate::connect::Client;
use crate::error::ClientError;
use crate::send::encode;

impl Client {
    /// Ends a grant, everything a person holds, or every grant on a resource.
    ///
    /// # Errors
    /// As every call.
    pub async fn revoke(&self, input: &Revoke) -> Result<Revoked, ClientError> {
        self.write(Method::POST, &["v1", "revoke"], input).await
    }

    /// Locks that hold.
    ///
    /// # Errors
    /// As every call.
    pub async fn locks(&self, query: &Listing) -> Result<Page<LockView>, ClientError> {
        self.get(&["v1", "locks"], query).await
    }

    /// Imposes a lock.
    ///
    /// # Errors
    /// As every call.
    pub async fn lock(&self, input: &NewLock) -> Result<LockView, ClientError> {
        self.write(Method::POST, &["v1", "locks"], input).await
    }

    /// Lifts a lock.
    ///
    /// # Errors
    /// When it is lifted already.
    pub async fn lift(&self, id: &str) -> Result<(), ClientError> {
        self.write_only(Method::DELETE, &["v1", "locks", id], None).await
    }

    /// Ends that are owed.
    ///
    /// # Errors
    /// As every call.
    pub async fn debts(&self, query: &Listing) -> Result<Page<DebtView>, ClientError> {
        self.get(&["v1", "debts"], query).await
    }

    /// What was asked, granted and ended of late, and what stood at the targets.
    ///
    /// # Errors
    /// As every call.
    pub async fn figures(&self, query: &FiguresQuery) -> Result<FiguresView, ClientError> {
        self.get(&["v1", "figures"], query).await
    }

    /// What stood at each resource when it was last looked at.
    ///
    /// # Errors
    /// As every call.
    pub async fn inventories(&self, query: &Listing) -> Result<Page<InventoryLine>, ClientError> {
        self.get(&["v1", "inventories"], query).await
    }

    /// All live access.
    ///
    /// # Errors
    /// As every call.
    pub async fn live(&self, query: &Listing) -> Result<Page<LiveView>, ClientError> {
        self.get(&["v1", "live"], query).await
    }

    /// The sessions that go through the gateway now.
    ///
    /// # Errors
    /// As every call.
    pub async fn live_sessions(&self, query: &Listing) -> Result<Page<LiveSession>, ClientError> {
        self.get(&["v1", "live", "sessions"], query).await
    }

    /// Ends one session, and leaves its grant.
    ///
    /// # Errors
    /// When there is none, or policy does not let you.
    pub async fn kill_session(&self, id: &str, input: &Kill) -> Result<(), ClientError> {
        self.write_only(Method::POST, &["v1", "live", "sessions", id, "kill"], Some(encode(input)?)).await
    }

    /// The trail.
    ///
    /// # Errors
    /// As every call.
    pub async fn log(&self, query: &Records) -> Result<Page<RecordView>, ClientError> {
        self.get(&["v1", "log"], query).await
    }
}
