use wane_domain::grant::GrantData;
use wane_domain::id::LeaseId;
use wane_domain::issue::{IssuePermit, Reach};
use wane_domain::time::Time;

fn forge(data: &GrantData, lease: LeaseId, now: Time, reach: Reach) -> IssuePermit {
    IssuePermit { grant: data.id, lease, holder: data.holder, item: data.item.clone(), not_before: now, not_after: now, reach }
}

fn main() {}
