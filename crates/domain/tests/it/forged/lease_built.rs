use wane_domain::lease::{Lease, LeaseData};

fn forge(data: LeaseData) -> Lease {
    Lease { data }
}

fn main() {}
