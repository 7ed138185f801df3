use wane_domain::issue::{IssuePermit, Right};

fn forge(right: Right) -> IssuePermit {
    IssuePermit { right }
}

fn main() {}
