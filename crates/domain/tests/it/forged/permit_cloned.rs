fn twice(permit: wane_domain::decision::Permit) {
    drop(permit.clone());
}

fn main() {}
