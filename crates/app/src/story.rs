//! The story of one grant, from ask to closure, out of the trail.

use wane_audit::Record;
use wane_domain::grant::Grant;
use wane_domain::id::GrantId;
use wane_domain::request::AccessRequest;
use wane_store::{RecordFilter, Slice};

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;

/// One line of a story.
#[derive(Clone, Debug)]
pub struct StoryLine {
    /// Its place in the trail.
    pub seq: u64,
    /// The record.
    pub record: Record,
}

/// The story.
#[derive(Clone, Debug)]
pub struct Story {
    /// The grant as it stands.
    pub grant: Grant,
    /// The request it came from.
    pub request: AccessRequest,
    /// Every record of both, oldest first.
    pub lines: Vec<StoryLine>,
}

impl App {
    /// The story of a grant.
    ///
    /// # Errors
    /// When there is no such grant that the caller may see.
    pub async fn story(&self, caller: &Caller, id: GrantId) -> Result<Story, AppError> {
        let world = self.world().await?;
        let grant = self.grant_for(caller, &world, id).await?.value;
        let request =
            self.store.request(grant.request).await?.ok_or_else(|| AppError::missing("request", grant.request))?.value;
        let mut lines = Vec::new();
        // Records of a request's other items stand under the request, not under this grant.
        let of_request = RecordFilter { request: Some(grant.request), ..RecordFilter::default() };
        let of_grant = RecordFilter { grant: Some(id), ..RecordFilter::default() };
        for filter in [of_request, of_grant] {
            let mut slice = Slice::first(1000);
            loop {
                let page = self.store.records(filter.clone(), slice.clone()).await?;
                lines.extend(page.items.into_iter().filter(|r| r.record.about.grant.is_none_or(|g| g == id)));
                match page.next {
                    Some(next) => slice.after = Some(next),
                    None => break,
                }
            }
        }
        lines.sort_by_key(|l| l.seq);
        lines.dedup_by_key(|l| l.seq);
        let lines = lines.into_iter().map(|l| StoryLine { seq: l.seq, record: l.record }).collect();
        Ok(Story { grant, request, lines })
    }
}
