use wane_domain::decision::Permit;
use wane_domain::grant::{Grant, GrantEvent};
use wane_domain::time::Time;

fn twice(one: Grant, two: Grant, permit: Permit, now: Time) {
    let _ = one.apply(GrantEvent::Activate(permit), now);
    let _ = two.apply(GrantEvent::Activate(permit), now);
}

fn main() {}
