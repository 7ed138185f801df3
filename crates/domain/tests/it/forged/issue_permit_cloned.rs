fn twice(permit: wane_domain::issue::IssuePermit) {
    drop(permit.clone());
}

fn main() {}
