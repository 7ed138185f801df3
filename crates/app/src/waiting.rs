//! What waits for somebody's decision.

use wane_domain::request::AccessRequest;
use wane_store::{RequestFilter, Slice};

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;

/// How many requests are looked at, however few of them wait for the caller.
const MOST_LOOKED_AT: usize = 2_000;

/// What waits for somebody.
#[derive(Clone, Debug)]
pub struct WaitsForMe {
    /// Newest first.
    pub requests: Vec<AccessRequest>,
    /// Whether more may wait than were looked for.
    pub more: bool,
}

impl App {
    /// The requests with an item that the caller could decide now, in their own right or in another's place.
    ///
    /// # Errors
    /// When the policy set cannot be used.
    pub async fn waiting_for(&self, caller: &Caller, most: usize) -> Result<WaitsForMe, AppError> {
        let world = self.world().await?;
        let filter = RequestFilter { person: None, waiting: Some(true) };
        let (mut requests, mut looked_at, mut slice) = (Vec::new(), 0_usize, Slice::first(200));
        loop {
            let page = self.store.requests(filter.clone(), slice.clone()).await?;
            for request in page.items.into_iter().map(|seen| seen.value) {
                if requests.len() >= most || looked_at >= MOST_LOOKED_AT {
                    return Ok(WaitsForMe { requests, more: true });
                }
                looked_at = looked_at.saturating_add(1);
                if self.who_decides(&world, Some(&request))?.contains(&caller.person) {
                    requests.push(request);
                }
            }
            match page.next {
                Some(next) => slice.after = Some(next),
                None => return Ok(WaitsForMe { requests, more: false }),
            }
        }
    }
}
