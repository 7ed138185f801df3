use wane_domain::grant::GrantData;
use wane_domain::id::LeaseId;
use wane_domain::issue::IssuePermit;
use wane_domain::time::Time;

fn forge(data: &GrantData, lease: LeaseId, now: Time) -> IssuePermit {
    IssuePermit { grant: data.id, lease, holder: data.holder, item: data.item.clone(), not_before: now, not_after: now }
}

fn main() {}
