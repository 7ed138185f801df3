use wane_domain::grant::Grant;
use wane_domain::decision::Permit;
use wane_domain::request::Item;
use wane_domain::time::Time;

fn without_approval(item: Item, permit: Permit, now: Time) {
    let _ = Grant::mint(item, permit, now);
}

fn main() {}
