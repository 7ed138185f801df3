use wane_domain::grant::{Grant, GrantData};

fn forge(data: GrantData) -> Grant {
    Grant { data }
}

fn main() {}
