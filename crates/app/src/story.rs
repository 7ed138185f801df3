//! The story of one grant, from the first ask to closure, out of the trail.

use std::collections::BTreeSet;

use wane_audit::Record;
use wane_domain::grant::Grant;
use wane_domain::id::{GrantId, RequestId};
use wane_domain::request::{AccessRequest, ItemState, Parent};
use wane_domain::time::Span;
use wane_store::{RecordFilter, RequestFilter, Sequenced, Slice, whole};

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;

/// Most requests one story goes back over, or looks for extensions among.
const MOST_REQUESTS: usize = 1_000;

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
    /// Every request it is about, oldest first: the ask, what approvers left of it, each ask for more time.
    pub requests: Vec<AccessRequest>,
    /// Every record of all of them and of the grant, oldest first.
    pub lines: Vec<StoryLine>,
}

impl Story {
    /// How long it took from the first ask until there was a grant.
    #[must_use]
    pub fn granted_after(&self) -> Option<Span> {
        self.after("grant.minted")
    }

    /// How long it took from the first ask until a credential or session was there to be used.
    #[must_use]
    pub fn usable_after(&self) -> Option<Span> {
        self.after("lease.made")
    }

    fn after(&self, event: &str) -> Option<Span> {
        let asked = self.requests.first()?.at;
        Some(self.lines.iter().find(|line| line.record.event == event)?.record.at.since(asked))
    }
}

/// A request of the story, and which of its items the story is about.
struct Chapter {
    request: AccessRequest,
    items: BTreeSet<usize>,
}

impl App {
    /// The story of a grant.
    ///
    /// # Errors
    /// When there is no such grant that the caller may see.
    pub async fn story(&self, caller: &Caller, id: GrantId) -> Result<Story, AppError> {
        let world = self.world().await?;
        let grant = self.grant_for(caller, &world, id).await?.value;
        let mut chapters = self.asked(&grant).await?;
        chapters.extend(self.asked_for_more(&grant).await?);
        let (mut lines, mut requests) = (Vec::new(), Vec::new());
        for chapter in chapters {
            let filter = RecordFilter { request: Some(chapter.request.id), ..RecordFilter::default() };
            let records = self.all_records(&filter).await?;
            let first = records.iter().map(|r| r.seq).min();
            lines.extend(records.into_iter().filter(|r| chapter.tells(&r.record, id)));
            requests.push((first, chapter.request));
        }
        // Of what was asked for in the same moment the trail knows which was first.
        requests.sort_by_key(|(first, _)| *first);
        lines.extend(self.all_records(&RecordFilter { grant: Some(id), ..RecordFilter::default() }).await?);
        lines.sort_by_key(|l| l.seq);
        lines.dedup_by_key(|l| l.seq);
        let lines = lines.into_iter().map(|l| StoryLine { seq: l.seq, record: l.record }).collect();
        let requests: Vec<AccessRequest> = requests.into_iter().map(|(_, request)| request).collect();
        let request = requests.iter().find(|r| r.id == grant.request).cloned();
        let request = request.ok_or_else(|| AppError::missing("request", grant.request))?;
        Ok(Story { grant, request, requests, lines })
    }

    /// The request that became the grant, and before it whatever it is a narrower form of.
    async fn asked(&self, grant: &Grant) -> Result<Vec<Chapter>, AppError> {
        let request = self.story_request(grant.request).await?;
        let is_it = |state: &ItemState| matches!(state, ItemState::Approved { grant: Some(g), .. } if *g == grant.id);
        let items = items_where(&request, is_it);
        let mut chapters = vec![Chapter { request, items: items.into_iter().collect() }];
        while let Some(Chapter { request: child, items }) = chapters.last()
            && let Some(Parent::Narrows { request: wider, .. }) = child.ask.parent
            && chapters.len() < MOST_REQUESTS
        {
            let wider = self.story_request(wider).await?;
            let became = |state: &ItemState| matches!(state, ItemState::Narrowed { child: c, .. } if *c == child.id);
            // The items of a child stand in the order of those they narrow.
            let narrowed = items_where(&wider, became);
            let items = items.iter().filter_map(|n| narrowed.get(*n).copied()).collect();
            chapters.push(Chapter { request: wider, items });
        }
        chapters.reverse();
        Ok(chapters)
    }

    /// Every ask for more time under the grant, granted or not, oldest first.
    async fn asked_for_more(&self, grant: &Grant) -> Result<Vec<Chapter>, AppError> {
        let mut chapters = Vec::new();
        let mut slice = Slice::first(100);
        let filter = RequestFilter { person: Some(grant.holder), waiting: None };
        let mut seen = 0usize;
        loop {
            let page = self.store.requests(filter.clone(), slice).await?;
            seen = seen.saturating_add(page.items.len());
            // Newest first: nobody asked for more of the grant before there was one.
            let before = page.items.last().is_none_or(|r| r.value.at < grant.at);
            let more = page
                .items
                .into_iter()
                .map(|r| r.value)
                .filter(|r| matches!(r.ask.parent, Some(Parent::Extends { grant: g, .. }) if g == grant.id));
            chapters.extend(more.map(|request| Chapter { items: (0..request.items.len()).collect(), request }));
            match page.next {
                Some(next) if !before && seen < MOST_REQUESTS => {
                    slice = Slice { after: Some(next), limit: 100 };
                }
                Some(_) | None => break,
            }
        }
        chapters.reverse();
        Ok(chapters)
    }

    async fn story_request(&self, id: RequestId) -> Result<AccessRequest, AppError> {
        Ok(self.store.request(id).await?.ok_or_else(|| AppError::missing("request", id))?.value)
    }

    /// Every record that fits, oldest first.
    pub(crate) async fn all_records(&self, filter: &RecordFilter) -> Result<Vec<Sequenced>, AppError> {
        let mut records = whole(Slice::first(1000), |slice| self.store.records(filter.clone(), slice)).await?;
        records.reverse();
        Ok(records)
    }
}

impl Chapter {
    /// Whether a record of this request belongs to the story: neither another grant's nor another item's.
    fn tells(&self, record: &Record, grant: GrantId) -> bool {
        let item = record.detail.get("item").and_then(serde_json::Value::as_u64);
        let item = item.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        record.about.grant.is_none_or(|g| g == grant) && item.is_none_or(|n| self.items.contains(&n))
    }
}

fn items_where(request: &AccessRequest, is: impl Fn(&ItemState) -> bool) -> Vec<usize> {
    request.items.iter().enumerate().filter(|(_, item)| is(&item.state)).map(|(n, _)| n).collect()
}
