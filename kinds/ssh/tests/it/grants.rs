//! Grants and leases of SSH roles, and what their leases go through.

use wane_domain::ambient::Ambient;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::lease::{LeaseEvent, LeaseKind};
use wane_domain::request::AskItem;
use wane_domain::time::{Span, Time};
use wane_testkit::{Held, plain_ask};

/// A grant of this role on this resource for so long, active from `now`.
pub(crate) fn hold(ambient: &Ambient, resource: &Resource, role: &Role, duration: Span, now: Time) -> Held {
    let item = AskItem { resource: resource.id, role: role.id, role_digest: role.digest().unwrap(), task: None };
    wane_testkit::hold(ambient, plain_ask(ambient, item, duration), "ssh", LeaseKind::Credential, now)
}

/// The lease keeps these notes, as after an issue.
pub(crate) fn noted(mut held: Held, notes: serde_json::Value, now: Time) -> Held {
    let event = match held.lease.state {
        wane_domain::lease::LeaseState::Intended => LeaseEvent::Made { object: None, notes },
        _ => LeaseEvent::Reissued { notes },
    };
    held.lease = held.lease.apply(event, now).unwrap().0;
    held
}

/// The host was seen to accept it.
pub(crate) fn confirmed(mut held: Held, now: Time) -> Held {
    held.lease = held.lease.apply(LeaseEvent::Confirmed, now).unwrap().0;
    held
}
