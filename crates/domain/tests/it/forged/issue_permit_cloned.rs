use wane_domain::issue::IssuePermit;

fn twice(permit: &IssuePermit) -> IssuePermit {
    permit.clone()
}

fn main() {}
