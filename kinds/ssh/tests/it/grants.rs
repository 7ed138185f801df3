//! Grants, leases and permits as the engine makes them: by asking, approving and minting.

use wane_domain::ambient::Ambient;
use wane_domain::canonical::Digest;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::decision::Basis;
use wane_domain::grant::{Grant, GrantEvent};
use wane_domain::id::{LeaseId, PersonId};
use wane_domain::issue::IssuePermit;
use wane_domain::lease::{Lease, LeaseEvent, LeaseKind};
use wane_domain::request::{AccessRequest, Ask, AskItem, Opening, Start};
use wane_domain::terms::{Mode, Need, Terms};
use wane_domain::time::{Span, Time};

fn terms() -> Terms {
    Terms {
        stages: Vec::new(),
        max_ttl: Span::from_hours(8),
        approval_window: Span::from_hours(1),
        activation_window: Span::from_hours(1),
        justification: Need::Optional,
        ticket: Need::Optional,
        step_up: None,
        recording: Need::Optional,
        mode: Mode::Any,
    }
}

fn permit(now: Time) -> wane_domain::decision::Permit {
    let digest = Digest::of_bytes("test", b"");
    let basis = Basis {
        policy_set: digest,
        path: Some("test".to_owned()),
        determining: vec!["test".to_owned()],
        facts: digest,
        at: now,
    };
    wane_domain::evidence::permit(terms(), basis)
}

/// An active grant with its one lease.
pub(crate) struct Held {
    pub(crate) grant: Grant,
    pub(crate) lease: Lease,
}

/// A grant of this role on this resource for so long, active from `now`.
pub(crate) fn hold(ambient: &Ambient, resource: &Resource, role: &Role, duration: Span, now: Time) -> Held {
    let person: PersonId = ambient.id();
    let ask = Ask {
        org: ambient.id(),
        requester: person,
        beneficiary: person,
        items: vec![AskItem { resource: resource.id, role: role.id, role_digest: role.digest().unwrap() }],
        start: Start::Now,
        duration,
        justification: None,
        ticket: None,
        parent: None,
        nonce: "00".repeat(16),
    };
    let opening = Opening::Path { terms: terms(), path: "test".to_owned() };
    let (request, _) =
        AccessRequest::open(ambient.id(), ask, vec![opening], now, now.plus(Span::from_hours(1))).unwrap();
    let (_, item) = request.mint_from(0, ambient.id()).unwrap();
    let (grant, _) = Grant::mint(item, permit(now), now).unwrap();
    let (grant, _) = grant.apply(GrantEvent::Activate(permit(now)), now).unwrap();
    let (lease, _) = grant.lease(ambient.id::<LeaseId>(), "ssh".parse().unwrap(), LeaseKind::Credential, now).unwrap();
    Held { grant, lease }
}

impl Held {
    /// The right to one issue.
    pub(crate) fn permit(&self, now: Time) -> IssuePermit {
        self.grant.issue_permit(&self.lease, permit(now), now).unwrap()
    }

    /// The lease keeps these notes, as after an issue.
    pub(crate) fn noted(mut self, notes: serde_json::Value, now: Time) -> Self {
        let event = match self.lease.state {
            wane_domain::lease::LeaseState::Intended => LeaseEvent::Made { object: None, notes },
            _ => LeaseEvent::Reissued { notes },
        };
        self.lease = self.lease.apply(event, now).unwrap().0;
        self
    }

    /// The host was seen to accept it.
    pub(crate) fn confirmed(mut self, now: Time) -> Self {
        self.lease = self.lease.apply(LeaseEvent::Confirmed, now).unwrap().0;
        self
    }
}
